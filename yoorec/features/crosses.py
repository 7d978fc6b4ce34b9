"""Crosses: keys of what stands together, and the codes of those keys that were met in the samples."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from yoorec.features.codes import MISSING, UNKNOWN, mixed
from yoorec.ragged import compiled

__all__ = ["Crosses", "cross_keys", "seek"]

I32 = npt.NDArray[np.int32]
I64 = npt.NDArray[np.int64]


class Crosses(NamedTuple):
    """Which codes are crossed into which, for X crosses of at most P parts.

    side, column: int32 [X, P], where a part's code stands: 0 request, 1 item, 2 row; side -1 for no further part.
    Serialised, a key's code is its place among the cross's keys, found in a table of slots: one slot after the other
    from ``key & (slots - 1)`` on, up to the key's or an empty one.
    start: int64 [X + 1], each cross's slots, a power of two of them, or none where ids are open: then keys are codes.
    key: int64, in each slot, -1 where it is empty. code: int64, the key's.
    """

    side: I32
    column: I32
    start: I64
    key: I64
    code: I64

    @classmethod
    def of(cls, side: I32, column: I32, keys: Sequence[I64], hashed: bool) -> Crosses:
        """keys: int64 of each cross, rising."""
        tables = [(np.empty(0, np.int64), np.empty(0, np.int64)) if hashed else _slots(each) for each in keys]
        start = np.cumsum([0, *(len(slot) for slot, _ in tables)]).astype(np.int64)
        none = np.empty(0, np.int64)
        slot = np.concatenate([none, *(slot for slot, _ in tables)])
        return cls(side, column, start, slot, np.concatenate([none, *(code for _, code in tables)]))

    def __len__(self) -> int:
        return len(self.side)

    def keys(self, request: I64, item: I64, row: I64, offsets: I64, index: I32) -> I64:
        """int64 [X, N]: every cross's keys of N rows, by which codes are learned; MISSING where a part is missing.

        request, item, row: int64 codes of [., B], [., I] and [., N]. offsets: int64 [B + 1], request b has rows
        ``offsets[b]:offsets[b + 1]``. index: int32 [N], the item of each.
        """
        found = np.empty((len(self), len(index)), np.int64)
        _keys(self.side, self.column, request, item, row, offsets, index, found)
        return found


def _slots(keys: I64) -> tuple[I64, I64]:
    """A table of slots, at most half of them full: the key in each, or -1, and the key's code."""
    size = 1 << (2 * len(keys)).bit_length()
    slot, code = np.full(size, -1, np.int64), np.full(size, UNKNOWN, np.int64)
    pending = np.arange(len(keys))
    at = keys & (size - 1)
    while len(pending):
        # Of those that want one slot the first has it; the others try the next.
        free = np.flatnonzero(slot[at] < 0)
        wanted, first = np.unique(at[free], return_index=True)
        got = free[first]
        slot[wanted], code[wanted] = keys[pending[got]], pending[got]
        pending, at = np.delete(pending, got), (np.delete(at, got) + 1) & (size - 1)
    return slot, code


@compiled
def cross_keys(
    side: I32, column: I32, x: int, request: I64, item: I64, row: I64, offsets: I64, index: I32, found: I64
) -> None:
    """Fill int64 [N] by the keys of cross x, for use inside other compiled kernels; see `Crosses.keys`."""
    missing = np.zeros(len(found), np.bool_)
    for p in range(side.shape[1]):
        part, place = side[x, p], column[x, p]
        if part < 0:
            break
        for b in range(len(offsets) - 1):
            for n in range(offsets[b], offsets[b + 1]):
                code = request[place, b] if part == 0 else item[place, index[n]] if part == 1 else row[place, n]
                missing[n] |= code < 0
                before = np.uint64(found[n]) if p else np.uint64(0)
                found[n] = np.int64(mixed((before ^ np.uint64(code)) + np.uint64(0x9E3779B97F4A7C15)))
    for n in range(len(found)):
        found[n] = MISSING if missing[n] else np.int64(np.uint64(found[n]) >> np.uint64(1))


@compiled
def _keys(side: I32, column: I32, request: I64, item: I64, row: I64, offsets: I64, index: I32, found: I64) -> None:
    for x in range(len(side)):
        cross_keys(side, column, x, request, item, row, offsets, index, found[x])


@compiled
def seek(start: I64, slot: I64, code: I64, x: int, found: I64) -> None:
    """Replace keys int64 [N] of cross x by their codes, for use inside other compiled kernels; MISSING stays."""
    first, size = start[x], start[x + 1] - start[x]
    if size == 0:
        return
    for n in range(len(found)):
        key = found[n]
        if key < 0:
            continue
        at = key & (size - 1)
        while slot[first + at] != key and slot[first + at] >= 0:
            at = (at + 1) & (size - 1)
        found[n] = code[first + at]
