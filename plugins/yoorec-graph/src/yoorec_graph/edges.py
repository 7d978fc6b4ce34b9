"""The item graph: edges from plays, summed into rows by source."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import types

from yoorec.ragged.arrays import BOOL, F32, I32, I64, kernel, made, readonly

__all__ = ["Edges", "next_plays", "recent_pairs", "rows_of"]


class Edges(NamedTuple):
    """A weighted directed graph of I items: item i's edges are places offsets[i]:offsets[i + 1].

    offsets: int64 [I + 1]. target: int32 [E], rising within a row. weight: float32 [E], above 0.
    """

    offsets: I64
    target: I32
    weight: F32


_i32, _i64, _f32 = readonly(types.int32), readonly(types.int64), readonly(types.float32)


def next_plays(session: I32, item: I32) -> tuple[I32, I32]:
    """Source and target int32 [N] of every two plays that follow one another in a session, in no special order.

    session, item: int32, the plays in time order. An item played twice in a row is no edge.
    """
    order = np.argsort(session, kind="stable")
    session, item = session[order], item[order]
    follows = (session[1:] == session[:-1]) & (item[1:] != item[:-1])
    return item[:-1][follows], item[1:][follows]


@kernel(
    made(types.int32, types.int32),
    _i32,
    _i32,
    _i64,
    readonly(types.boolean),
    types.int64,
    types.int64,
    types.int64,
)
def recent_pairs(user: I32, item: I32, time: I64, new: BOOL, users: int, within: int, most: int) -> tuple[I32, I32]:
    """Source and target int32 [N], both directions, of pairs that a user played at most `within` ms apart.

    user, item, time: plays in time order. new: bool [I]; one of the two must be.
    most: a play is paired with so many of its user's plays before it, at most, so that a user's pairs grow with the
    plays and not with their square.
    """
    total = len(user)
    before = np.empty(total, np.int64)  # the user's play before, -1
    last = np.full(users, -1, np.int64)
    for n in range(total):
        before[n] = last[user[n]]
        last[user[n]] = n
    count = 0
    source = np.empty(0, np.int32)
    target = np.empty(0, np.int32)
    for write in range(2):
        if write:
            source = np.empty(count, np.int32)
            target = np.empty(count, np.int32)
            count = 0
        for n in range(total):
            m, steps = before[n], 0
            while m >= 0 and steps < most and time[n] - time[m] <= within:
                i, j = item[m], item[n]
                if i != j and (new[i] or new[j]):
                    if write:
                        source[count], target[count] = i, j
                        source[count + 1], target[count + 1] = j, i
                    count += 2
                m = before[m]
                steps += 1
    return source, target


@kernel(made(types.int64, types.int32, types.float32), _i32, _i32, _f32, types.int64)
def _rows_of(source: I32, target: I32, weight: F32, items: int) -> tuple[I64, I32, F32]:
    total = len(source)
    # Two stable counting sorts, the lesser key first; time grows with edges and items alone.
    begin = np.zeros(items + 1, np.int64)
    for n in range(total):
        begin[target[n] + 1] += 1
    for i in range(items):
        begin[i + 1] += begin[i]
    by_target = np.empty(total, np.int64)
    for n in range(total):
        by_target[begin[target[n]]] = n
        begin[target[n]] += 1
    begin[:] = 0
    for n in range(total):
        begin[source[n] + 1] += 1
    for i in range(items):
        begin[i + 1] += begin[i]
    order = np.empty(total, np.int64)
    for place in range(total):
        n = by_target[place]
        order[begin[source[n]]] = n
        begin[source[n]] += 1
    offsets = np.zeros(items + 1, np.int64)
    to = np.empty(total, np.int32)
    summed = np.empty(total, np.float64)
    end = 0
    row = -1
    for place in range(total):
        n = order[place]
        if source[n] == row and to[end - 1] == target[n]:
            summed[end - 1] += weight[n]
        else:
            row = source[n]
            to[end] = target[n]
            summed[end] = weight[n]
            end += 1
            offsets[row + 1] += 1
    for i in range(items):
        offsets[i + 1] += offsets[i]
    return offsets, to[:end].copy(), summed[:end].astype(np.float32)


def rows_of(source: I32, target: I32, weight: F32, items: int) -> Edges:
    """Sum the weights float32 [N] of equal pairs, in the order given."""
    return Edges(*_rows_of(source, target, weight, items))
