"""Readers of requests: what each declared feature finds in them, of all their names, numbers or lists at once."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from yoorec.batch import RequestBatch
from yoorec.features.codes import MISSING, Codes
from yoorec.features.columns import numbers_of
from yoorec.features.counters import HOUR_MS
from yoorec.features.declared import Declared, is_absent
from yoorec.features.readers import item_codes, item_lists, item_numbers
from yoorec.ragged import compiled

if TYPE_CHECKING:
    from yoorec.data.catalogue import Catalogue

__all__ = ["RequestLists", "RequestValues"]

F32 = npt.NDArray[np.float32]
I32 = npt.NDArray[np.int32]
I64 = npt.NDArray[np.int64]

_DAY_MS = 24 * HOUR_MS
_LAST = 10
_FIRST_DAY = 3
"""1 January 1970 was a Thursday; Monday is day 0."""
_NOTHING, _HOUR, _WEEKDAY, _MAIN, _USER, _GAP, _SESSION, _HISTORY, _GIVEN = range(9)
"""Where a feature looks: nowhere, since the data lacks it, at the clock, in a table by main item or by user, at the
plays, or in what Python has read from a column of the request's user."""


class RequestValues:
    """Reads the names of requests as codes, and their numbers.

    names: C features. codes: how each one's names become codes. numbers: V features.
    """

    def __init__(
        self, names: Sequence[Declared], codes: Sequence[Codes], numbers: Sequence[Declared], catalogue: Catalogue
    ) -> None:
        looks: list[tuple[int, int]] = []
        main: list[I64] = []
        user: list[I64] = []
        measured: list[F32] = []
        self._names: list[tuple[int, str, Codes]] = []
        self._numbers: list[tuple[int, str]] = []
        for place, (each, own) in enumerate(zip(names, codes, strict=True)):
            table, word = each.of.table, each.of.word
            if is_absent(each, catalogue):
                looks.append((_NOTHING, 0))
            elif table == "context":
                looks.append((_HOUR if word == "hour" else _WEEKDAY, 0))
            elif table == "main":
                looks.append((_MAIN, len(main)))
                main.append(item_codes(each, own, catalogue))
            elif word == "id":
                looks.append((_USER, len(user)))
                user.append(own.encode(catalogue.users.ids))
            else:
                looks.append((_GIVEN, 0))
                self._names.append((place, word, own))
        for place, each in enumerate(numbers):
            table, word = each.of.table, each.of.word
            if is_absent(each, catalogue):
                looks.append((_NOTHING, 0))
            elif table == "main":
                looks.append((_MAIN, len(measured)))
                measured.append(item_numbers(each, catalogue))
            elif table == "context":
                looks.append(({"gap": _GAP, "session": _SESSION, "history": _HISTORY}[word], 0))
            else:
                looks.append((_GIVEN, 0))
                self._numbers.append((place, word))
        items, self._count = len(catalogue.items), len(numbers)
        self._spec = np.array(looks, np.int64).reshape(-1, 2)
        self._main = np.array(main, np.int64).reshape(len(main), items)
        self._user = np.array(user, np.int64).reshape(len(user), len(catalogue.users))
        self._measured = np.array(measured, np.float32).reshape(len(measured), items)

    def read(self, requests: RequestBatch, code: I64) -> F32:
        """Numbers float32 [V, B], NaN where missing; the first C rows of int64 [at least C, B] are filled by codes."""
        number = np.empty((self._count, len(requests)), np.float32)
        history, columns = requests.history, requests.columns
        asked = (requests.time, requests.item, requests.user, history.offsets, history.time, requests.session.offsets)
        _read_values(self._spec, self._main, self._user, self._measured, *asked, code, number)
        for place, word, codes in self._names:
            values = columns.get(word)
            if values is not None:
                code[place] = codes.encode(values.tolist())
        for place, word in self._numbers:
            values = columns.get(word)
            if values is not None:
                number[place] = numbers_of(values.tolist())
        return number


@compiled
def _read_values(
    spec: I64,
    main: I64,
    user: I64,
    measured: F32,
    time: I64,
    item: I32,
    who: I32,
    history: I64,
    played: I64,
    session: I64,
    code: I64,
    number: F32,
) -> None:
    names = len(spec) - len(number)
    for place in range(names):
        look, row = spec[place]
        for b in range(len(time)):
            found = np.int64(MISSING)
            if look == _HOUR:
                found = time[b] // HOUR_MS % 24
            elif look == _WEEKDAY:
                found = (time[b] // _DAY_MS + _FIRST_DAY) % 7
            elif look == _MAIN and 0 <= item[b] < main.shape[1]:
                found = main[row, item[b]]
            elif look == _USER and 0 <= who[b] < user.shape[1]:
                found = user[row, who[b]]
            code[place, b] = found
    for place in range(len(number)):
        look, row = spec[names + place]
        for b in range(len(time)):
            value = np.float32(np.nan)
            if look == _MAIN:
                if 0 <= item[b] < measured.shape[1]:
                    value = measured[row, item[b]]
            elif look == _SESSION:
                value = np.float32(session[b + 1] - session[b])
            elif look == _HISTORY:
                value = np.float32(history[b + 1] - history[b])
            # Plays from before the log began have no time, and stand before every other.
            elif look == _GAP and history[b] < history[b + 1] and played[history[b]] > 0:
                value = np.float32((time[b] - played[history[b]]) / 1000.0)
            number[place, b] = value


class RequestLists:
    """Reads the lists of requests as codes. features: M of them. codes: how each one's names become codes."""

    def __init__(self, features: Sequence[Declared], codes: Sequence[Codes], catalogue: Catalogue) -> None:
        spec: list[tuple[int, int, int]] = []
        lists: list[tuple[I64, I64]] = []
        self._columns: list[tuple[str, Codes]] = []
        for each, own in zip(features, codes, strict=True):
            table, last = each.of.table, each.feature.last or _LAST
            if is_absent(each, catalogue):
                spec.append((_NOTHING, 0, 0))
            elif table == "user":
                spec.append((_GIVEN, len(self._columns), 0))
                self._columns.append((each.of.word, own))
            else:
                spec.append((_HISTORY if table == "history" else _SESSION, len(lists), last))
                lists.append(item_lists(each, own, catalogue))
        self._spec = np.array(spec, np.int64).reshape(-1, 3)
        # Each list's codes lie behind those of the lists before it.
        before = np.cumsum([0, *(len(code) for _, code in lists)])
        starts = [offsets + first for (offsets, _), first in zip(lists, before, strict=False)]
        self._starts = np.array(starts, np.int64).reshape(len(lists), len(catalogue.items) + 1)
        self._code = np.concatenate([np.empty(0, np.int64), *(code for _, code in lists)])

    def read(self, requests: RequestBatch) -> tuple[I64, I64]:
        """Offsets int64 [B * M + 1] and codes int64: the M lists of a request side by side.

        Of plays, those of the latest ones, newest first, repeats kept.
        """
        given = [_listed(requests, word, codes) for word, codes in self._columns]
        starts, code = _stacked(given, len(requests)) if given else _NONE
        history, session = requests.history, requests.session
        plays = (history.offsets, history.item, session.offsets, session.item)
        return _read_lists(self._spec, self._starts, self._code, *plays, starts, code)


_NONE = np.zeros((0, 1), np.int64), np.empty(0, np.int64)


def _listed(requests: RequestBatch, word: str, codes: Codes) -> list[I64]:
    """Codes of every request's list in a column."""
    values = requests.columns.get(word)
    none = np.empty(0, np.int64)
    if values is None:
        return [none] * len(requests)
    return [none if each is None else codes.encode(each) for each in values]


def _stacked(given: Sequence[Sequence[I64]], size: int) -> tuple[I64, I64]:
    """int64 [G, size + 1] offsets into the codes int64 of G columns, one behind the other."""
    starts = np.zeros((len(given), size + 1), np.int64)
    after = 0
    for row, lists in enumerate(given):
        starts[row] = after + np.cumsum([0, *map(len, lists)])
        after = int(starts[row, -1])
    return starts, np.concatenate([np.empty(0, np.int64), *(each for lists in given for each in lists)])


@compiled
def _count_plays(starts: I64, row: int, last: int, offsets: I64, item: I32, b: int) -> int:
    count = 0
    for place in range(offsets[b], min(offsets[b + 1], offsets[b] + last)):
        if 0 <= item[place] < starts.shape[1] - 1:
            count += starts[row, item[place] + 1] - starts[row, item[place]]
    return count


@compiled
def _copy_plays(
    starts: I64, code: I64, row: int, last: int, offsets: I64, item: I32, b: int, out: I64, count: int
) -> None:
    for place in range(offsets[b], min(offsets[b + 1], offsets[b] + last)):
        if 0 <= item[place] < starts.shape[1] - 1:
            for at in range(starts[row, item[place]], starts[row, item[place] + 1]):
                out[count] = code[at]
                count += 1


@compiled
def _read_lists(
    spec: I64,
    starts: I64,
    code: I64,
    history: I64,
    history_item: I32,
    session: I64,
    session_item: I32,
    given: I64,
    given_code: I64,
) -> tuple[I64, I64]:
    size, lists = len(history) - 1, len(spec)
    offsets = np.zeros(size * lists + 1, np.int64)
    for b in range(size):
        for m in range(lists):
            look, row, last = spec[m]
            count = 0
            if look == _HISTORY:
                count = _count_plays(starts, row, last, history, history_item, b)
            elif look == _SESSION:
                count = _count_plays(starts, row, last, session, session_item, b)
            elif look == _GIVEN:
                count = given[row, b + 1] - given[row, b]
            offsets[b * lists + m + 1] = offsets[b * lists + m] + count
    found = np.empty(offsets[size * lists], np.int64)
    for b in range(size):
        for m in range(lists):
            look, row, last = spec[m]
            first = offsets[b * lists + m]
            if look == _HISTORY:
                _copy_plays(starts, code, row, last, history, history_item, b, found, first)
            elif look == _SESSION:
                _copy_plays(starts, code, row, last, session, session_item, b, found, first)
            elif look == _GIVEN:
                for at in range(offsets[b * lists + m + 1] - first):
                    found[first + at] = given_code[given[row, b] + at]
    return offsets, found
