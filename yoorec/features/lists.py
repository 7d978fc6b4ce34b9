"""Lists of items' codes, and what candidates share with plays and main item."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from yoorec.batch import CandidateBatch, RequestBatch
from yoorec.features.columns import ItemLists, ItemNames
from yoorec.ragged import compiled

__all__ = ["ItemCodes", "Likeness"]

F32 = npt.NDArray[np.float32]
I32 = npt.NDArray[np.int32]
I64 = npt.NDArray[np.int64]


class ItemCodes(NamedTuple):
    """Codes of I items, one or several each: ``code[offsets[i]:offsets[i + 1]]``, all below `size`.

    offsets: int64 [I + 1]. code: int32 [K].
    """

    offsets: I64
    code: I32
    size: int

    @classmethod
    def of(cls, column: ItemNames | ItemLists) -> ItemCodes:
        """Those of a column; a missing one is an item without codes."""
        if isinstance(column, ItemLists):
            return cls(column.offsets, column.code, len(column.values))
        known = column.code >= 0
        offsets = np.append(0, np.cumsum(known))
        return cls(offsets.astype(np.int64), column.code[known].astype(np.int32), len(column.values))


@compiled
def _shares(
    code_offsets: I64, code: I32, start: I64, played: I32, offsets: I64, item: I32, count: I32, found: F32
) -> None:
    items = len(code_offsets) - 1
    for b in range(len(offsets) - 1):
        plays = 0
        for place in range(start[b], start[b + 1]):
            if 0 <= played[place] < items:
                first, last = code_offsets[played[place]], code_offsets[played[place] + 1]
                plays += last > first
                for at in range(first, last):
                    count[code[at]] += 1
        for row in range(offsets[b], offsets[b + 1]):
            first = last = np.int64(0)
            if item[row] < items:
                first, last = code_offsets[item[row]], code_offsets[item[row] + 1]
            if plays == 0 or first == last:
                found[row] = np.nan
                continue
            total = 0
            for at in range(first, last):
                total += count[code[at]]
            found[row] = np.float32(total) / np.float32(plays * (last - first))
        for place in range(start[b], start[b + 1]):
            if 0 <= played[place] < items:
                for at in range(code_offsets[played[place]], code_offsets[played[place] + 1]):
                    count[code[at]] = 0


@compiled
def _overlaps(code_offsets: I64, code: I32, main: I32, offsets: I64, item: I32, found: F32) -> None:
    items = len(code_offsets) - 1
    for b in range(len(offsets) - 1):
        start = stop = np.int64(0)
        if 0 <= main[b] < items:
            start, stop = code_offsets[main[b]], code_offsets[main[b] + 1]
        for row in range(offsets[b], offsets[b + 1]):
            first = last = np.int64(0)
            if item[row] < items:
                first, last = code_offsets[item[row]], code_offsets[item[row] + 1]
            if start == stop or first == last:
                found[row] = np.nan
                continue
            both = 0
            for at in range(first, last):
                for other in range(start, stop):
                    both += code[at] == code[other]
            found[row] = np.float32(both) / np.float32(stop - start + last - first - both)


class Likeness:
    """How much candidates are like a request's plays, or its main item, in F columns of codes.

    columns: of each, its row of what is filled, whether it is of plays, and the items' codes.
    """

    def __init__(self, columns: Sequence[tuple[int, bool, ItemCodes]]) -> None:
        self._spec = np.array([(place, plays) for place, plays, _ in columns], np.int64).reshape(-1, 2)
        codes = [each for *_, each in columns]
        # Each column's codes lie behind those of the columns before it.
        before = np.cumsum([0, *(len(each.code) for each in codes)])
        starts = [each.offsets + first for each, first in zip(codes, before, strict=False)]
        self._starts = np.array(starts, np.int64) if starts else np.zeros((0, 1), np.int64)
        self._code = np.concatenate([np.empty(0, np.int32), *(each.code for each in codes)])
        self._size = max((each.size for each in codes), default=0)

    def read(self, requests: RequestBatch, candidates: CandidateBatch, found: F32) -> None:
        """Fill rows of float32 [V, N].

        Of plays: over a candidate's codes, the mean share of its request's plays that have the code too; NaN where the
        candidate has no code, or the request no play that has one. Of the main item: codes that it and the candidate
        share, out of all that either has; NaN where either has none.
        """
        if len(self._spec):
            plays, count = requests.history, np.zeros(self._size, np.int32)
            asked = (plays.offsets, plays.item, requests.item, candidates.offsets, candidates.item)
            _read(self._spec, self._starts, self._code, *asked, count, found)


@compiled
def _read(
    spec: I64,
    starts: I64,
    code: I32,
    start: I64,
    played: I32,
    main: I32,
    offsets: I64,
    item: I32,
    count: I32,
    found: F32,
) -> None:
    for f in range(len(spec)):
        place, plays = spec[f]
        if plays:
            _shares(starts[f], code, start, played, offsets, item, count, found[place])
        else:
            _overlaps(starts[f], code, main, offsets, item, found[place])
