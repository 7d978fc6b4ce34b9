"""Readers: what each declared feature finds in requests, items and candidates, before any of it becomes ids."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import numpy.typing as npt

from yoorec.batch import CandidateBatch, Plays, RequestBatch
from yoorec.features.codes import MISSING, Codes
from yoorec.features.columns import ItemNames, ItemNumbers, item_column, numbers_of
from yoorec.features.counters import HOUR_MS, Counters, Statistic
from yoorec.features.declared import Declared, is_absent
from yoorec.features.lists import ItemCodes, gathered, overlaps, shares
from yoorec.ragged import are_members, compiled
from yoorec.stages.normalise import normalised_rows
from yoorec.vectors.items import ItemVectors

if TYPE_CHECKING:
    from yoorec.data.catalogue import Catalogue

__all__ = [
    "Around",
    "RowNumbers",
    "item_codes",
    "item_lists",
    "item_numbers",
    "request_lists",
    "request_names",
    "request_numbers",
]

F32 = npt.NDArray[np.float32]
I32 = npt.NDArray[np.int32]
I64 = npt.NDArray[np.int64]

_DAY_MS = 24 * HOUR_MS
_LAST = 10
_FIRST_DAY = 3
"""1 January 1970 was a Thursday; Monday is day 0."""


class Around(NamedTuple):
    """What features may look at beside requests and candidates.

    catalogue: the items' and users' columns. counters: None where nothing counts. vectors: by trigger.
    """

    catalogue: Catalogue
    counters: Counters | None = None
    vectors: Mapping[str, ItemVectors] = {}


def item_codes(feature: Declared, codes: Codes, catalogue: Catalogue) -> I64:
    """Codes int64 [I] of the items' names, for a feature of items or main items."""
    column = item_column(catalogue, feature.of.word, bool(feature.feature.category))
    if not isinstance(column, ItemNames):
        raise TypeError(f"{feature.name}: {feature.of} holds {column.form}")
    return np.append(codes.encode(column.values), MISSING)[column.code]


def item_numbers(feature: Declared, catalogue: Catalogue) -> F32:
    """Numbers float32 [I] of the items, NaN where missing."""
    column = item_column(catalogue, feature.of.word)
    if not isinstance(column, ItemNumbers):
        raise TypeError(f"{feature.name}: {feature.of} holds {column.form}")
    return column.number


def item_lists(feature: Declared, codes: Codes, catalogue: Catalogue) -> tuple[I64, I64]:
    """Offsets int64 [I + 1] and codes int64 of the items' lists."""
    column = item_column(catalogue, feature.of.word, category=feature.of.table != "item")
    found = ItemCodes.of(column)  # type: ignore[arg-type]  # numbers are names here
    return found.offsets, codes.encode(column.values)[found.code]  # type: ignore[union-attr]


def request_names(feature: Declared, codes: Codes, catalogue: Catalogue) -> Callable[[RequestBatch], I64]:
    """A reader of codes int64 [B]."""
    table, word = feature.of.table, feature.of.word
    if table == "context":
        if word == "hour":
            return lambda requests: requests.time // HOUR_MS % 24
        return lambda requests: (requests.time // _DAY_MS + _FIRST_DAY) % 7
    if table == "main":
        of_item = np.append(item_codes(feature, codes, catalogue), MISSING)
        return lambda requests: of_item[requests.item]
    if word == "id":
        of_user = np.append(codes.encode(catalogue.users.ids), MISSING)
        return lambda requests: of_user[requests.user]

    def column(requests: RequestBatch) -> I64:
        values = requests.columns.get(word)
        return np.full(len(requests), MISSING, np.int64) if values is None else codes.encode(values.tolist())

    return column


def request_numbers(feature: Declared, catalogue: Catalogue) -> Callable[[RequestBatch], F32]:
    """A reader of numbers float32 [B], NaN where missing."""
    table, word = feature.of.table, feature.of.word
    if table == "main":
        of_item = np.append(item_numbers(feature, catalogue), np.float32(np.nan))
        return lambda requests: of_item[requests.item]
    if table == "user":

        def column(requests: RequestBatch) -> F32:
            values = requests.columns.get(word)
            return np.full(len(requests), np.nan, np.float32) if values is None else numbers_of(values.tolist())

        return column
    if word == "gap":
        return _gap

    def length(requests: RequestBatch) -> F32:
        offsets: I64 = getattr(requests, word).offsets
        return (offsets[1:] - offsets[:-1]).astype(np.float32)

    return length


def _gap(requests: RequestBatch) -> F32:
    """Seconds since the newest play."""
    return _since(requests.history.offsets, requests.history.time, requests.time)


@compiled
def _since(offsets: I64, played: I64, now: I64) -> F32:
    found = np.full(len(now), np.nan, np.float32)
    for b in range(len(now)):
        # Plays from before the log began have no time, and stand before every other.
        if offsets[b] < offsets[b + 1] and played[offsets[b]] > 0:
            found[b] = (now[b] - played[offsets[b]]) / 1000.0
    return found


def request_lists(feature: Declared, codes: Codes, catalogue: Catalogue) -> Callable[[RequestBatch], tuple[I64, I64]]:
    """A reader of offsets int64 [B + 1] and codes int64."""
    table, word, last = feature.of.table, feature.of.word, feature.feature.last or _LAST
    if table == "user":

        def column(requests: RequestBatch) -> tuple[I64, I64]:
            values = requests.columns.get(word)
            lists = [] if values is None else [codes.encode(each) if each is not None else () for each in values]
            offsets = np.zeros(len(requests) + 1, np.int64)
            if lists:
                np.cumsum([len(each) for each in lists], out=offsets[1:])
            flat = np.concatenate([np.empty(0, np.int64), *(np.asarray(each, np.int64) for each in lists)])
            return offsets, flat

        return column
    offsets, code = item_lists(feature, codes, catalogue)

    def plays(requests: RequestBatch) -> tuple[I64, I64]:
        found: Plays = getattr(requests, table)
        return gathered(offsets, code, found, last)

    return plays


class RowNumbers:
    """Reads all numbers of candidates at once: float32 [V, N], NaN where missing."""

    def __init__(self, features: Sequence[Declared], around: Around, prior: F32) -> None:
        self._features = features
        self._prior = prior
        self._catalogue = around.catalogue
        self._counters = around.counters
        self._statistics: list[tuple[int, Statistic]] = []
        self._lists: list[tuple[int, str, ItemCodes]] = []
        self._vectors: list[tuple[int, I32, F32]] = []
        self._sources: list[tuple[int, str, str]] = []
        for place, each in enumerate(features):
            table, word = each.of.table, each.of.word
            if table == "stat" and word != "age" and around.counters is not None:
                hours = -(-(each.feature.window or 0) // HOUR_MS)
                self._statistics.append((place, around.counters.statistic(word, hours)))
            elif table in ("match", "same") and word != "seen" and not is_absent(each, around.catalogue):
                column = item_column(around.catalogue, word, category=True)
                self._lists.append((place, table, ItemCodes.of(column)))  # type: ignore[arg-type]
            elif table == "similar" and word in around.vectors:
                vectors = around.vectors[word]
                row_of = np.full(len(around.catalogue.items), -1, np.int32)
                row_of[vectors.item] = np.arange(len(vectors), dtype=np.int32)
                self._vectors.append((place, row_of, vectors.vectors))
            elif table == "trigger":
                self._sources.append((place, each.of.trigger, word))
        self._shares = any(word == "share" for _, _, word in self._sources)
        # Statistics of one window stand together: the kernel looks a window's start up once.
        self._statistics.sort(key=lambda each: each[1].hours)

    def read(self, requests: RequestBatch, candidates: CandidateBatch, owner: I32) -> F32:
        """The numbers of every row."""
        rows = len(candidates.item)
        found = np.full((len(self._features), rows), np.nan, np.float32)
        for place, each in enumerate(self._features):
            table, word = each.of.table, each.of.word
            if each.of == ("stat", "age", ""):
                since = self._catalogue.published_at[candidates.item]
                found[place] = (requests.time[owner] - since) / np.float64(_DAY_MS)
            elif each.of == ("match", "seen", ""):
                found[place] = are_members(candidates, requests.seen, requests.item)
            elif table == "merge" and candidates.merge_score is not None:
                found[place] = candidates.merge_score if word == "score" else _places(candidates.offsets)
        if self._statistics and self._counters is not None:
            places = [place for place, _ in self._statistics]
            read = self._counters.read(
                [statistic for _, statistic in self._statistics],
                self._prior[places],
                candidates.item,
                owner,
                requests.time,
            )
            found[places] = read.T
        for place, table, codes in self._lists:
            if table == "match":
                shares(codes, requests.history, candidates.offsets, candidates.item, found[place])
            else:
                overlaps(codes, requests.item, candidates.offsets, candidates.item, found[place])
        for place, row_of, vectors in self._vectors:
            _cosines(row_of, vectors, requests.item, candidates.offsets, candidates.item, found[place])
        self._read_sources(candidates, found)
        return found

    def _read_sources(self, candidates: CandidateBatch, found: F32) -> None:
        score, rank = candidates.source_score, candidates.source_rank
        if score is None or rank is None or not self._sources:
            return
        column_of = {name: column for column, name in enumerate(candidates.sources)}
        chosen = np.array([(place, column_of.get(name, -1), _WORDS[word]) for place, name, word in self._sources])
        share = normalised_rows(candidates.offsets, score, rank, False) if self._shares else score
        _said(chosen, score, rank, share, found)


_WORDS = {"score": 0, "rank": 1, "share": 2}


@compiled
def _said(chosen: I64, score: F32, rank: I32, share: F32, found: F32) -> None:
    """Fill rows of float32 [V, N]. chosen: int64 [F, 3], which row, which trigger's column, which of `_WORDS`."""
    for f in range(len(chosen)):
        place, column, word = chosen[f]
        if column < 0:
            continue
        for row in range(len(score)):
            if word == 0:
                found[place, row] = score[row, column]
            elif word == 2:
                found[place, row] = share[row, column]
            elif rank[row, column] >= 0:
                found[place, row] = rank[row, column]
            else:
                found[place, row] = np.nan


@compiled
def _places(offsets: I64) -> F32:
    """float32 [N]: each row's place in its request, 0 the first."""
    found = np.empty(offsets[-1], np.float32)
    for b in range(len(offsets) - 1):
        for row in range(offsets[b], offsets[b + 1]):
            found[row] = row - offsets[b]
    return found


@compiled
def _dot(left: F32, right: F32) -> np.float32:
    """Four sums side by side, in a fixed order."""
    a = b = c = e = np.float32(0.0)
    width, d = len(left), 0
    while d + 4 <= width:
        a += left[d] * right[d]
        b += left[d + 1] * right[d + 1]
        c += left[d + 2] * right[d + 2]
        e += left[d + 3] * right[d + 3]
        d += 4
    while d < width:
        a += left[d] * right[d]
        d += 1
    return (a + b) + (c + e)


@compiled
def _cosines(row_of: I32, vectors: F32, main: I32, offsets: I64, item: I32, found: F32) -> None:
    """The dot product, in a fixed order, of the unit vectors of main item and candidate; NaN where either has none."""
    items = len(row_of)
    for b in range(len(offsets) - 1):
        own = row_of[main[b]] if 0 <= main[b] < items else -1
        for row in range(offsets[b], offsets[b + 1]):
            other = row_of[item[row]] if item[row] < items else -1
            if own < 0 or other < 0:
                found[row] = np.nan
                continue
            found[row] = _dot(vectors[own], vectors[other])
