"""Lists of codes: those of a request's latest plays, and what candidates share with them."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from yoorec.batch import Plays
from yoorec.features.columns import ItemLists, ItemNames
from yoorec.ragged import compiled

__all__ = ["ItemCodes", "gathered", "overlaps", "shares"]

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


def gathered(offsets: I64, code: I64, plays: Plays, last: int) -> tuple[I64, I64]:
    """Offsets int64 [B + 1] and codes int64: those of each request's latest plays, newest first, repeats kept.

    offsets: int64 [I + 1]. code: int64 [K], item i has ``code[offsets[i]:offsets[i + 1]]``.
    """
    return _gathered(offsets, code, plays.offsets, plays.item, last)


@compiled
def _gathered(code_offsets: I64, code: I64, start: I64, item: I32, last: int) -> tuple[I64, I64]:
    size = len(start) - 1
    items = len(code_offsets) - 1
    offsets = np.zeros(size + 1, np.int64)
    for b in range(size):
        count = 0
        for place in range(start[b], min(start[b + 1], start[b] + last)):
            if 0 <= item[place] < items:
                count += code_offsets[item[place] + 1] - code_offsets[item[place]]
        offsets[b + 1] = offsets[b] + count
    found = np.empty(offsets[size], np.int64)
    for b in range(size):
        count = offsets[b]
        for place in range(start[b], min(start[b + 1], start[b] + last)):
            if 0 <= item[place] < items:
                for at in range(code_offsets[item[place]], code_offsets[item[place] + 1]):
                    found[count] = code[at]
                    count += 1
    return offsets, found


def shares(codes: ItemCodes, plays: Plays, offsets: I64, item: I32, found: F32) -> None:
    """Fill float32 [N]: over a candidate's codes, the mean share of its request's plays that have the code too.

    NaN where the candidate has no code, or the request no play that has one.
    """
    count = np.zeros(codes.size, np.int32)
    _shares(codes.offsets, codes.code, plays.offsets, plays.item, offsets, item, count, found)


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


def overlaps(codes: ItemCodes, main: I32, offsets: I64, item: I32, found: F32) -> None:
    """Fill float32 [N]: codes that main item int32 [B] and candidate share, out of all that either has.

    NaN where either has none.
    """
    _overlaps(codes.offsets, codes.code, main, offsets, item, found)


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
