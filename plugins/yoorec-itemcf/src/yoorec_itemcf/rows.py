"""Plays laid out for the fit: in rows by user, cut into segments of time, and their places by item."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numba import njit, types

from yoorec.engine import Array
from yoorec.ragged.arrays import F32, I32, I64, U32, column, readonly

__all__ = ["Places", "Rows", "by_item", "by_user"]

_SPAN = 20.0
"""Half-lives a segment of a row spans, at most, so that the decay across it and its inverse are ordinary floats."""


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

    offsets: int64 [I + 1]. place: uint32 [N]. cost: int64 [I], pairs that a walk from the item's plays may meet.
    """

    offsets: I64
    place: U32
    cost: I64


_i32, _i64, _u32, _f32 = types.int32, types.int64, types.uint32, types.float32
_of_rows = (_u32, _i32, _f32, _f32, _i32, _i64, _f32, _f32)
_of_places = (_i64, _u32, _i64)
_rows: Any = types.NamedTuple([readonly(dtype) for dtype in _of_rows], Rows)
_plays = (readonly(_i32), readonly(_i32), readonly(_i64))


@njit(
    types.Tuple([column(dtype) for dtype in (*_of_rows, _u32)])(
        *_plays, column(_i32), _i64, _i64, types.float64, types.boolean, _i64
    ),
    cache=True,
    nogil=True,
)
def _by_user(
    user: I32, item: I32, time: I64, name: I32, users: int, most: int, half_life: float, damped: bool, window: int
) -> tuple[U32, I32, F32, F32, I32, I64, F32, F32, U32]:
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
    reach = np.empty(2 * total if window > 0 else 0, np.uint32)
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
        if window > 0:
            newest, oldest = kept - 1, kept - 1  # in kept_time, which is newest first
            for back in range(kept - 1, -1, -1):
                while kept_time[back] - kept_time[oldest] > window:
                    oldest -= 1
                while newest > 0 and kept_time[newest - 1] - kept_time[back] <= window:
                    newest -= 1
                p = end - 1 - back
                reach[2 * p] = end - 1 - oldest
                reach[2 * p + 1] = end - newest
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
        reach[: 2 * end if window > 0 else 0],
    )


def by_user(
    user: I32,
    item: I32,
    time: I64,
    users: int,
    items: int,
    most: int,
    half_life: float,
    damped: bool,
    window: int = 0,
) -> tuple[Rows, U32]:
    """Rows of plays given in time order: a user's latest play of each item, the latest `most` of those.

    half_life: ms, 0 for none. damped: a pair counts 1 / log(1 + the row's length), else 1. window: ms, 0 for none.
    Besides the rows, their reach: uint32 [2 N], the play at p makes pairs with places reach[2 p]:reach[2 p + 1] alone;
    [0] without a window. (A ninth column in `Rows` made the fit a fifth slower, so it isn't there.)
    """
    name = np.argsort(-np.bincount(item, minlength=items), kind="stable").astype(np.int32)
    *rows, reach = _fixed(*_by_user(user, item, time, name, users, most, half_life, damped, window))
    return Rows(*rows), reach


def _fixed(*arrays: Array) -> tuple[Array, ...]:
    for array in arrays:
        array.flags.writeable = False
    return arrays


@njit(types.Tuple([column(dtype) for dtype in _of_places])(_rows, readonly(_u32)), cache=True, nogil=True)
def _by_item(rows: Rows, reach: U32) -> tuple[I64, U32, I64]:
    total, items = len(rows.item), len(rows.name)
    offsets = np.zeros(items + 1, np.int64)
    for p in range(total):
        offsets[rows.name[rows.item[p]] + 1] += 1
    for i in range(items):
        offsets[i + 1] += offsets[i]
    place = np.empty(total, np.uint32)
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
                if len(reach):
                    cost[i] += np.int64(reach[2 * p + 1]) - np.int64(reach[2 * p]) - 1
                else:
                    cost[i] += end - begin - 1
            row = s + 1
    return offsets, place, cost


def by_item(rows: Rows, reach: U32) -> Places:
    """Where each item stands in the rows."""
    return Places(*_fixed(*_by_item(rows, reach)))
