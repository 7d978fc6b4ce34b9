"""The compiled kernel of ItemCF's fit: similar items of a range of items.

It starts no thread and releases the GIL: an engine deals out ranges. In the innermost loop places are unsigned: that
spares a check for negative ones.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np

from yoorec.engine import Array
from yoorec.ragged import compiled, top_of_dense
from yoorec.ragged.arrays import F32, I32, I64, U32, U64
from yoorec.ragged.prefetch import prefetch
from yoorec_itemcf.rows import Places, Rows

__all__ = ["FARTHEST", "similar_range"]

FARTHEST = 100
"""Half-lives beyond which a pair counts nothing; 2^-100 is lost in any sum, and float32 stays exact down to there."""

_FAINTEST = np.float32(2.0**-FARTHEST)

_LINE = 16
"""Entries of 4 bytes in a cache line."""

_AHEAD = 128
"""Entries of a walk that are asked for in advance; the processor sees by itself how a longer run goes on."""


class _Limits(NamedTuple):
    """Which pairs count, where not all of them count alike. None stands for that, and the kernels below are compiled
    once for each, so that the usual fit pays for no test.

    backward: what a pair counts whose other item was played before. least: users a pair needs.
    reach: as `by_user` gives it.
    users: uint32 [I], pairs added to each total so far, one a user, all 0 between items; [0] where one is enough.
    """

    backward: np.float32
    least: int
    reach: U32
    users: U32


@compiled
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
    limits: _Limits | None,
) -> int:
    """Add value * decay[p] to the total of item[p] for p in start:end. Returns `count` plus the items listed.

    dense: list nothing; the totals of so popular an item are looked through as a whole afterwards.
    """
    if limits is not None and len(limits.users):
        for p in range(np.uint64(start), np.uint64(end)):
            limits.users[item[p]] += np.uint32(1)
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


@compiled
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


@compiled
def _walk(rows: Rows, p: int, dense: bool, total: F32, touched: I32, count: int, limits: _Limits | None) -> int:
    """Add every pair of the play at p: its segment, then segments after it, then before, while not too far."""
    own = rows.segment[p]
    damp = rows.damp[own]
    faintest = damp * _FAINTEST
    start, end = rows.start[own], rows.start[own + 1]
    before = damp * rows.fall[p]
    if limits is not None:
        before *= limits.backward
        if len(limits.reach):
            start, end = max(start, np.int64(limits.reach[2 * p])), min(end, np.int64(limits.reach[2 * p + 1]))
        if before == 0.0:
            start = p
    count = _add(rows.item, rows.rise, before, start, p, dense, total, touched, count, limits)
    value = damp * rows.rise[p]
    count = _add(rows.item, rows.fall, value, p + 1, end, dense, total, touched, count, limits)
    s = own + 1
    value *= rows.link[s]
    while value >= faintest:
        start, end = rows.start[s], rows.start[s + 1]
        if limits is not None and len(limits.reach):
            end = max(start, min(end, np.int64(limits.reach[2 * p + 1])))
            if start == end:
                break
        while value * rows.fall[end - 1] < faintest:
            end -= 1
        count = _add(rows.item, rows.fall, value, start, end, dense, total, touched, count, limits)
        s += 1
        value *= rows.link[s]
    if before == 0.0:
        return count
    s = own
    value = damp * rows.fall[p] * rows.link[s]
    while value > 0.0:
        start, end = rows.start[s - 1], rows.start[s]
        if limits is not None and len(limits.reach):
            start = min(end, max(start, np.int64(limits.reach[2 * p])))
        while start < end and value * rows.rise[start] < faintest:
            start += 1
        if start == end:
            break
        weight = value
        if limits is not None:
            weight *= limits.backward
        count = _add(rows.item, rows.rise, weight, start, end, dense, total, touched, count, limits)
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


@compiled
def _take(
    name: I32,
    dense: bool,
    total: F32,
    touched: I32,
    count: int,
    scale: F32,
    own: np.float32,
    limits: _Limits | None,
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
        if limits is not None and len(limits.users):
            users = limits.users[m]
            limits.users[m] = 0
            if users < limits.least:
                continue
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


@compiled
def _similar(
    first: int, last: int, rows: Rows, places: Places, neighbors: int, normalize: bool, limits: _Limits | None
) -> tuple[I64, I32, F32]:
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
        count = np.int64(0)  # not a literal, for which the walk would be compiled again
        begin, stop = places.offsets[i], places.offsets[i + 1]
        for n in range(begin, stop):
            if n + 8 < stop:
                prefetch(rows.segment, places.place[n + 8])
            if n + 4 < stop:
                _fetch(rows, places.place[n + 4])
            count = _walk(rows, np.int64(places.place[n]), dense, total, touched, count, limits)
        own = 1.0 / np.sqrt(np.float64(max(stop - begin, 1)))
        out = out_item[end:], out_score[end:]
        length = _take(rows.name, dense, total, touched, count, scale, own, limits, best, *out)
        if normalize and length:
            highest = out_score[end]
            for n in range(end, end + length):
                out_score[n] /= highest
        out_length[i - first] = length
        end += length
    return out_length, out_item[:end].copy(), out_score[:end].copy()


def similar_range(
    first: int, last: int, arrays: Mapping[str, Array], settings: Mapping[str, Any]
) -> tuple[I64, I32, F32]:
    """Similar items of items [first, last): lengths int64 [last - first], their items int32 and scores float32.

    arrays: `reach` and the columns of `Rows` and `Places`. settings: neighbors and normalize; backward, what a pair
    counts whose other item was played before; min_support, pairs of fewer users are left out.
    Each item's sums are taken in the order of the rows, so no split into ranges changes a bit.
    """
    # Views, all of them read-only, so that arrays of memory and of files are of one type, and compiled for once.
    columns = {name: np.asarray(array).view() for name, array in arrays.items()}
    for array in columns.values():
        array.flags.writeable = False
    rows = Rows(*(columns[name] for name in Rows._fields))
    places = Places(*(columns[name] for name in Places._fields))
    reach, backward, least = columns["reach"], np.float32(settings["backward"]), int(settings["min_support"])
    limits = None
    if backward != 1.0 or least > 1 or len(reach):
        limits = _Limits(backward, least, reach, np.zeros(len(places.cost) if least > 1 else 0, np.uint32))
    return _similar(first, last, rows, places, int(settings["neighbors"]), bool(settings["normalize"]), limits)
