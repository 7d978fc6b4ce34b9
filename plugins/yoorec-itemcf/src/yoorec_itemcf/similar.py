"""The compiled kernel of ItemCF's fit: similar items of a range of items.

It starts no thread and releases the GIL: the caller deals out ranges. Its signature is declared, so it compiles, or
comes from the cache, at import. In the innermost loop places are unsigned: that spares a check for negative ones.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import njit, types

from yoorec.ragged import top_of_dense
from yoorec_itemcf.arrays import F32, I32, I64, U32, U64, column
from yoorec_itemcf.prefetch import prefetch
from yoorec_itemcf.rows import PLACES, ROWS, Places, Rows

__all__ = ["FARTHEST", "similar"]

FARTHEST = 100
"""Half-lives beyond which a pair counts nothing; 2^-100 is lost in any sum, and float32 stays exact down to there."""

_FAINTEST = np.float32(2.0**-FARTHEST)

_LINE = 16
"""Entries of 4 bytes in a cache line."""

_AHEAD = 128
"""Entries of a walk that are asked for in advance; the processor sees by itself how a longer run goes on."""


@njit(nogil=True, cache=True)
def _add(
    item: U32,
    decay: F32,
    value: np.float32,
    start: int,
    end: int,
    dense: bool,
    total: F32,
    touched: I32,
    count: int,
) -> int:
    """Add value * decay[p] to the total of item[p] for p in start:end. Returns `count` plus the items listed.

    dense: list nothing; the totals of so popular an item are looked through as a whole afterwards.
    """
    if dense:
        for p in range(np.uint64(start), np.uint64(end)):
            total[item[p]] += value * decay[p]
        return count
    for p in range(np.uint64(start), np.uint64(end)):
        j = item[p]
        touched[count] = j  # without a branch, which nothing could predict; kept only if the item is new
        count += total[j] == 0.0
        total[j] += value * decay[p]
    return count


@njit(nogil=True, cache=True)
def _fetch(rows: Rows, p: int) -> None:
    """Ask for the memory that the walk from p begins with; rows lie far apart, so a walk would wait for it."""
    own = rows.segment[p]
    start, end = rows.start[own], rows.start[own + 1]
    for q in range(start, min(p, start + _AHEAD), _LINE):
        prefetch(rows.item, q)
        prefetch(rows.rise, q)
    for q in range(p, min(end, p + _AHEAD), _LINE):
        prefetch(rows.item, q)
        prefetch(rows.fall, q)


@njit(nogil=True, cache=True)
def _walk(rows: Rows, p: int, dense: bool, total: F32, touched: I32, count: int) -> int:
    """Add every pair of the play at p: its segment, then segments after it, then before, while not too far."""
    own = rows.segment[p]
    damp = rows.damp[own]
    faintest = damp * _FAINTEST
    count = _add(rows.item, rows.rise, damp * rows.fall[p], rows.start[own], p, dense, total, touched, count)
    value = damp * rows.rise[p]
    count = _add(rows.item, rows.fall, value, p + 1, rows.start[own + 1], dense, total, touched, count)
    s = own + 1
    value *= rows.link[s]
    while value >= faintest:
        start, end = rows.start[s], rows.start[s + 1]
        while value * rows.fall[end - 1] < faintest:
            end -= 1
        count = _add(rows.item, rows.fall, value, start, end, dense, total, touched, count)
        s += 1
        value *= rows.link[s]
    s = own
    value = damp * rows.fall[p] * rows.link[s]
    while value > 0.0:
        start, end = rows.start[s - 1], rows.start[s]
        while start < end and value * rows.rise[start] < faintest:
            start += 1
        if start == end:
            break
        count = _add(rows.item, rows.rise, value, start, end, dense, total, touched, count)
        s -= 1
        value *= rows.link[s]
    return count


class _Best(NamedTuple):
    """Scratch in which the best of one item's totals are found.

    score: float32 [I], by item. item: int32 [4 K], kept so far. last: float32 [K]. keys: uint64 [4 K].
    """

    score: F32
    item: I32
    last: F32
    keys: U64


@njit(nogil=True, cache=True)
def _take(
    name: I32,
    dense: bool,
    total: F32,
    touched: I32,
    count: int,
    scale: F32,
    own: np.float32,
    best: _Best,
    out_item: I32,
    out_score: F32,
) -> int:
    """Write the K best of own * scale * total, ties by item, and set all totals to 0. Returns their number.

    Most totals are looked at once: only those not below the K-th best of an earlier round are kept, and each time the
    scratch is full another round leaves K of them.
    """
    room, neighbors = len(best.item), len(best.last)
    kept, bar = 0, np.float32(1e-45)  # the smallest number above 0: totals of 0 are not listed
    for n in range(len(total) if dense else count):
        m = n if dense else touched[n]
        score = total[m] * (own * scale[m])
        total[m] = 0.0
        if score >= bar:
            if kept == room:
                kept = top_of_dense(best.item, kept, best.score, neighbors, best.keys, best.item, best.last)
                bar = best.last[neighbors - 1]
                if score < bar:
                    continue
            best.item[kept] = name[m]
            best.score[name[m]] = score
            kept += 1
    return top_of_dense(best.item, kept, best.score, neighbors, best.keys, out_item, out_score)


@njit(
    types.Tuple((column(types.int64), column(types.int32), column(types.float32)))(
        types.int64, types.int64, ROWS, PLACES, types.int64, types.boolean
    ),
    cache=True,
    nogil=True,
)
def similar(first: int, last: int, rows: Rows, places: Places, neighbors: int, normalize: bool) -> tuple[I64, I32, F32]:
    """Similar items of items [first, last): lengths int64 [last - first], their items int32 and scores float32.

    Each item's sums are taken in the order of the rows, so no split into ranges changes a bit.
    """
    items = len(places.cost)
    room = 0
    for i in range(first, last):
        room += min(neighbors, places.cost[i])
    out_length = np.zeros(last - first, np.int64)
    out_item = np.empty(room, np.int32)
    out_score = np.empty(room, np.float32)
    total = np.zeros(items, np.float32)
    touched = np.empty(items + 1, np.int32)
    scale = np.empty(items, np.float32)
    for m in range(items):
        players = places.offsets[rows.name[m] + 1] - places.offsets[rows.name[m]]
        scale[m] = 1.0 / np.sqrt(np.float64(max(players, 1)))
    best = _Best(
        np.empty(items, np.float32),
        np.empty(4 * neighbors, np.int32),
        np.empty(neighbors, np.float32),
        np.empty(4 * neighbors, np.uint64),
    )
    end = 0
    for i in range(first, last):
        dense = places.cost[i] > items
        count = 0
        begin, stop = places.offsets[i], places.offsets[i + 1]
        for n in range(begin, stop):
            if n + 8 < stop:
                prefetch(rows.segment, places.place[n + 8])
            if n + 4 < stop:
                _fetch(rows, places.place[n + 4])
            count = _walk(rows, places.place[n], dense, total, touched, count)
        own = 1.0 / np.sqrt(np.float64(max(stop - begin, 1)))
        length = _take(rows.name, dense, total, touched, count, scale, own, best, out_item[end:], out_score[end:])
        if normalize and length:
            highest = out_score[end]
            for n in range(end, end + length):
                out_score[n] /= highest
        out_length[i - first] = length
        end += length
    return out_length, out_item[:end].copy(), out_score[:end].copy()
