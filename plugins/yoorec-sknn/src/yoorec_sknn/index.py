"""The fit's compiled kernel: plays laid out by session, and sessions by item."""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit, types
from numba.core.typing.templates import Signature

from yoorec.ragged.arrays import I32, I64, column, readonly

__all__ = ["sessions_by_item"]

_numba: Any = types  # numba's constructor of tuple types is untyped
_i32, _i64 = column(types.int32), column(types.int64)
_signature: Signature = _numba.Tuple((_i64, _i32, _i64, _i64, _i32, _i32))(
    readonly(types.int32),
    readonly(types.int32),
    readonly(types.int64),
    types.int64,
    types.int64,
    types.int64,
    types.int64,
)


@njit(_signature, cache=True, nogil=True)
def sessions_by_item(
    session: I32, item: I32, time: I64, sessions: int, items: int, sample: int, max_plays: int
) -> tuple[I64, I32, I64, I64, I32, I32]:
    """Number S sessions of at least two plays by their end, 0 the last to end, and index them by item.

    session, item, time: [N], plays in the log's order; session numbers are below `sessions`, items below `items`.
    Gives the sessions' items, oldest first: offsets int64 [S + 1], item int32, and their ends int64 [S], ms; and the
    items' at most `sample` latest sessions, latest first: offsets int64 [I + 1], session int32; and in how many
    sessions each item stands: int32 [I]. A session keeps its latest `max_plays` plays.
    """
    plays = np.zeros(sessions, np.int64)
    for row in range(len(session)):
        plays[session[row]] += 1
    number = np.full(sessions, -1, np.int32)
    offsets = np.zeros(len(session) // 2 + 1, np.int64)
    end = np.empty(len(session) // 2, np.int64)
    count = 0
    for row in range(len(session) - 1, -1, -1):
        s = session[row]
        if number[s] < 0 and plays[s] > 1:
            number[s] = count
            end[count] = time[row]
            offsets[count + 1] = offsets[count] + min(plays[s], max_plays)
            count += 1
    offsets = offsets[: count + 1].copy()
    session_item = np.empty(offsets[count], np.int32)
    place = offsets[1:].copy()
    for row in range(len(session) - 1, -1, -1):
        s = number[session[row]]
        if s >= 0 and place[s] > offsets[s]:
            place[s] -= 1
            session_item[place[s]] = item[row]
    holders = np.zeros(items, np.int32)
    latest = np.full(items, -1, np.int32)
    for s in range(count):
        for p in range(offsets[s], offsets[s + 1]):
            i = session_item[p]
            if latest[i] != s:
                latest[i] = s
                holders[i] += 1
    item_offsets = np.zeros(items + 1, np.int64)
    for i in range(items):
        item_offsets[i + 1] = item_offsets[i] + min(np.int64(holders[i]), sample)
    item_session = np.empty(item_offsets[items], np.int32)
    free = item_offsets[:-1].copy()
    latest[:] = -1
    for s in range(count):
        for p in range(offsets[s], offsets[s + 1]):
            i = session_item[p]
            if latest[i] != s and free[i] < item_offsets[i + 1]:
                latest[i] = s
                item_session[free[i]] = s
                free[i] += 1
    return offsets, session_item, end[:count].copy(), item_offsets, item_session, holders
