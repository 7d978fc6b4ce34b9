"""Compiled kernels of ItemCF's fit: plays in rows by user, places of items in those rows, similar items of a range.

None starts a thread: the caller deals out ranges of items. All release the GIL. Signatures are declared, so kernels
compile, or come from the cache, at import, and a read-only column never compiles one again. Indices are unsigned where
that spares the innermost loop numba's check for negative ones.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from numba import njit, types

from yoorec.ragged import top_of_dense
from yoorec_itemcf.prefetch import prefetch

__all__ = ["FARTHEST", "Places", "Rows", "by_item", "by_user", "similar"]

FARTHEST = 100
"""Half-lives beyond which a pair counts nothing; 2^-100 is lost in any sum, and float32 stays exact down to there."""

_SPAN = 20.0
"""Half-lives that a segment of a row spans, at most, so that the decay across it and its inverse are ordinary floats."""

_LINE = 16
"""Entries of 4 bytes in a cache line."""

_AHEAD = 128
"""Entries of a walk that are asked for in advance; the processor sees by itself how a longer run goes on."""

_FAINTEST = np.float32(2.0**-FARTHEST)

I32, I64, U32, F32 = npt.NDArray[np.int32], npt.NDArray[np.int64], npt.NDArray[np.uint32], npt.NDArray[np.float32]


def _column(dtype: types.Type) -> types.Array:
    """An input column; declared read-only, which a writable one may stand for too."""
    return types.Array(dtype, 1, "C", readonly=True)


_i32, _i64 = _column(types.int32), _column(types.int64)


class Rows(NamedTuple):
    """N kept plays in rows by user, oldest first, each row cut into segments of at most 20 half-lives.

    item: uint32 [N], the item's number, 0 the most played one: totals that are added to most often lie together.
    name: int32 [I], the item of a number.
    fall: float32 [N], decay from the segment's first play to this one. rise: float32 [N], 1 / fall.
    segment: int32 [N]. start: int64 [S + 1], segment s holds places start[s]:start[s + 1].
    link: float32 [S + 1], decay from the first play of segment s - 1 to that of s; 0 where a row begins, and at S.
    damp: float32 [S], what a pair of the segment's user counts.
    """

    item: U32
    name: I32
    fall: F32
    rise: F32
    segment: I32
    start: I64
    link: F32
    damp: F32


class Places(NamedTuple):
    """Where the plays of item i (not its number) stand in the rows: place[offsets[i]:offsets[i + 1]].

    offsets: int64 [I + 1]. place: int64 [N]. cost: int64 [I], pairs that a walk from the item's plays may meet.
    """

    offsets: I64
    place: I64
    cost: I64


_rows_columns = (
    types.uint32[::1],
    types.int32[::1],
    types.float32[::1],
    types.float32[::1],
    types.int32[::1],
    types.int64[::1],
    types.float32[::1],
    types.float32[::1],
)
_places_columns = (types.int64[::1],) * 3
_rows = types.NamedTuple(_rows_columns, Rows)
_places = types.NamedUniTuple(types.int64[::1], 3, Places)  # one dtype throughout: numba tells these apart


@njit(
    types.Tuple(_rows_columns)(
        _i32, _i32, _i64, types.int32[::1], types.int64, types.int64, types.float64, types.boolean
    ),
    cache=True,
    nogil=True,
)
def _by_user(
    user: I32, item: I32, time: I64, name: I32, users: int, most: int, half_life: float, damped: bool
) -> tuple[U32, I32, F32, F32, I32, I64, F32, F32]:
    total, items = len(user), len(name)
    number = np.empty(items, np.uint32)
    for i in range(items):
        number[name[i]] = i
    begin = np.zeros(users + 1, np.int64)
    for n in range(total):
        begin[user[n] + 1] += 1
    longest = 0
    for u in range(users):
        longest = max(longest, begin[u + 1])
        begin[u + 1] += begin[u]
    row_item = np.empty(total, np.uint32)
    row_time = np.empty(total, np.int64)
    place = begin[:users].copy()
    for n in range(total):
        u = user[n]
        row_item[place[u]] = number[item[n]]
        row_time[place[u]] = time[n]
        place[u] += 1
    last_user = np.full(items, -1, np.int32)
    kept_item = np.empty(longest, np.uint32)
    kept_time = np.empty(longest, np.int64)
    fall = np.empty(total, np.float32)
    rise = np.empty(total, np.float32)
    segment = np.empty(total, np.int32)
    start = np.empty(total + 1, np.int64)
    link = np.empty(total + 1, np.float32)
    damp = np.empty(total, np.float32)
    end, s = 0, -1  # rows are packed in place: none moves up
    for u in range(users):
        kept = 0
        for p in range(begin[u + 1] - 1, begin[u] - 1, -1):
            j = row_item[p]
            if last_user[j] != u:
                last_user[j] = u
                kept_item[kept] = j
                kept_time[kept] = row_time[p]
                kept += 1
                if kept == most:
                    break
        coefficient = np.float32(1.0 / np.log(1.0 + kept)) if damped and kept else np.float32(1.0)
        first = np.int64(0)
        for back in range(kept - 1, -1, -1):
            age = np.float64(kept_time[back] - first) / half_life if half_life > 0.0 else 0.0
            if back == kept - 1 or age > _SPAN:
                s += 1
                start[s] = end
                damp[s] = coefficient
                link[s] = 0.0 if back == kept - 1 else 2.0**-age
                first = kept_time[back]
                age = 0.0
            row_item[end] = kept_item[back]
            fall[end] = 2.0**-age
            rise[end] = 2.0**age
            segment[end] = s
            end += 1
    s += 1
    start[s] = end
    link[s] = 0.0
    return (
        row_item[:end],
        name,
        fall[:end],
        rise[:end],
        segment[:end],
        start[: s + 1].copy(),
        link[: s + 1].copy(),
        damp[:s].copy(),
    )


def by_user(user: I32, item: I32, time: I64, users: int, items: int, most: int, half_life: float, damped: bool) -> Rows:
    """Rows of plays given in time order: a user's latest play of each item, the latest `most` of those.

    half_life: ms, 0 for none. damped: a pair counts 1 / log(1 + the row's length), else 1.
    """
    name = np.argsort(-np.bincount(item, minlength=items), kind="stable").astype(np.int32)
    return Rows(*_by_user(user, item, time, name, users, most, half_life, damped))


@njit(types.Tuple(_places_columns)(_rows), cache=True, nogil=True)
def _by_item(rows: Rows) -> tuple[I64, I64, I64]:
    total, items = len(rows.item), len(rows.name)
    offsets = np.zeros(items + 1, np.int64)
    for p in range(total):
        offsets[rows.name[rows.item[p]] + 1] += 1
    for i in range(items):
        offsets[i + 1] += offsets[i]
    place = np.empty(total, np.int64)
    filled = offsets[:items].copy()
    cost = np.zeros(items, np.int64)
    row = 0  # first segment of the row
    for s in range(len(rows.damp)):
        if rows.link[s + 1] == 0.0:
            begin, end = rows.start[row], rows.start[s + 1]
            for p in range(begin, end):
                i = rows.name[rows.item[p]]
                place[filled[i]] = p
                filled[i] += 1
                cost[i] += end - begin - 1
            row = s + 1
    return offsets, place, cost


def by_item(rows: Rows) -> Places:
    """Where each item stands in the rows."""
    return Places(*_by_item(rows))


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
    keys: npt.NDArray[np.uint64]


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
    types.Tuple((types.int64[::1], types.int32[::1], types.float32[::1]))(
        types.int64, types.int64, _rows, _places, types.int64, types.boolean
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
