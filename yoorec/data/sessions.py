"""Sessions: cutting a log by inactivity, and numbering sessions in the order they begin."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from numba import njit

__all__ = ["cut_sessions"]


def _number(
    user: npt.NDArray[np.int32],
    time: npt.NDArray[np.int64],
    named: npt.NDArray[np.int64],
    users: int,
    names: int,
    gap_ms: int,
) -> npt.NDArray[np.int32]:
    session = np.empty(len(user), np.int32)
    last_time = np.zeros(users, np.int64)
    last_session = np.full(users, -1, np.int32)
    of_name = np.full(names, -1, np.int32)
    count = 0
    for row in range(len(user)):
        name = named[row]
        if name >= 0:
            if of_name[name] < 0:
                of_name[name] = count
                count += 1
            session[row] = of_name[name]
            continue
        u = user[row]
        if last_session[u] < 0 or time[row] - last_time[u] > gap_ms:
            last_session[u] = count
            count += 1
        last_time[u] = time[row]
        session[row] = last_session[u]
    return session


_number_compiled = njit(cache=True, nogil=True)(_number)


def cut_sessions(
    user: npt.NDArray[np.int32],
    time: npt.NDArray[np.int64],
    gap_ms: int,
    named: npt.NDArray[np.int32] | None = None,
) -> npt.NDArray[np.int32]:
    """Session numbers int32 [N] of a log in time order, rising with each session's first event.

    user:  int32 [N], >= 0. time: int64 [N], ms, never falling.
    named: int32 [N], a code for the log's own session id, -1 where it has none. One id used by two users is two
           sessions. Events without an id are cut per user: a pause longer than `gap_ms` since the user's
           previous such event, of any type, begins a new session.
    """
    users = int(user.max(initial=-1)) + 1
    if named is None:
        own = np.full(len(user), -1, np.int64)
        names = 0
    else:
        pairs = named.astype(np.int64) * users + user
        distinct, inverse = np.unique(pairs[named >= 0], return_inverse=True)
        own = np.full(len(user), -1, np.int64)
        own[named >= 0] = inverse
        names = len(distinct)
    found: npt.NDArray[np.int32] = _number_compiled(user, time, own, users, names, gap_ms)
    return found
