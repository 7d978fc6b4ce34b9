"""Plays: profiles cut at a time, and a visit's session united with the profile."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from yoorec.batch import Plays, Ragged
from yoorec.ragged.compiled import compiled

__all__ = ["plays_before", "recalling", "recalling_item", "unite_plays"]


@compiled
def _stands(
    item: npt.NDArray[np.int32], time: npt.NDArray[np.int64], first: int, stop: int, wanted: int, when: int
) -> bool:
    """Whether (wanted, when) is among the rows first:stop, of which no row is earlier than `when`."""
    i = stop - 1
    while i >= first and time[i] == when:
        if item[i] == wanted:
            return True
        i -= 1
    return False


@compiled
def _unite_plays(
    left_offsets: npt.NDArray[np.int64],
    left_item: npt.NDArray[np.int32],
    left_time: npt.NDArray[np.int64],
    left_weight: npt.NDArray[np.float32],
    right_offsets: npt.NDArray[np.int64],
    right_item: npt.NDArray[np.int32],
    right_time: npt.NDArray[np.int64],
    right_weight: npt.NDArray[np.float32],
    limit: int,
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int32], npt.NDArray[np.int64], npt.NDArray[np.float32]]:
    size = len(left_offsets) - 1
    room = 0
    for b in range(size):
        both = left_offsets[b + 1] - left_offsets[b] + right_offsets[b + 1] - right_offsets[b]
        room += min(both, limit)
    offsets = np.zeros(size + 1, np.int64)
    item = np.empty(room, np.int32)
    time = np.empty(room, np.int64)
    weight = np.empty(room, np.float32)
    count = 0
    for b in range(size):
        first = count
        i, j = left_offsets[b], right_offsets[b]
        i_stop, j_stop = left_offsets[b + 1], right_offsets[b + 1]
        while count - first < limit and (i < i_stop or j < j_stop):
            if i < i_stop and (j == j_stop or left_time[i] >= right_time[j]):
                if not _stands(item, time, first, count, left_item[i], left_time[i]):
                    item[count], time[count], weight[count] = left_item[i], left_time[i], left_weight[i]
                    count += 1
                i += 1
            else:
                if not _stands(item, time, first, count, right_item[j], right_time[j]):
                    item[count], time[count], weight[count] = right_item[j], right_time[j], right_weight[j]
                    count += 1
                j += 1
        offsets[b + 1] = count
    return offsets, item[:count], time[:count], weight[:count]


def unite_plays(session: Plays, history: Plays, limit: int) -> Plays:
    """Session united with history by (item, time): each pair once, newest first, at most `limit` a request.

    Among equal times the session's plays come first, each side in its own order; a pair that both hold keeps
    the session's weight.
    """
    return Plays(
        *_unite_plays(
            session.offsets,
            session.item,
            session.time,
            session.weight,
            history.offsets,
            history.item,
            history.time,
            history.weight,
            limit,
        )
    )


@compiled
def _plays_before(
    start: npt.NDArray[np.int64],
    stop: npt.NDArray[np.int64],
    item: npt.NDArray[np.int32],
    time: npt.NDArray[np.int64],
    weight: npt.NDArray[np.float32],
    when: npt.NDArray[np.int64],
    limit: int,
) -> tuple[
    npt.NDArray[np.int64],
    npt.NDArray[np.int32],
    npt.NDArray[np.int64],
    npt.NDArray[np.float32],
    npt.NDArray[np.int64],
    npt.NDArray[np.int32],
]:
    size = len(start)
    offsets = np.zeros(size + 1, np.int64)
    seen_offsets = np.zeros(size + 1, np.int64)
    for b in range(size):
        low, high = start[b], stop[b]
        while low < high:
            middle = (low + high) // 2
            if time[middle] < when[b]:
                low = middle + 1
            else:
                high = middle
        earlier = low - start[b]
        seen_offsets[b + 1] = seen_offsets[b] + earlier
        offsets[b + 1] = offsets[b] + min(earlier, limit)
    out_item = np.empty(offsets[size], np.int32)
    out_time = np.empty(offsets[size], np.int64)
    out_weight = np.empty(offsets[size], np.float32)
    seen = np.empty(seen_offsets[size], np.int32)
    for b in range(size):
        earlier = seen_offsets[b + 1] - seen_offsets[b]
        last = start[b] + earlier - 1
        for i in range(offsets[b + 1] - offsets[b]):
            out_item[offsets[b] + i] = item[last - i]
            out_time[offsets[b] + i] = time[last - i]
            out_weight[offsets[b] + i] = weight[last - i]
        for i in range(earlier):
            seen[seen_offsets[b] + i] = item[start[b] + i]
    return offsets, out_item, out_time, out_weight, seen_offsets, seen


def plays_before(
    start: npt.NDArray[np.int64],
    stop: npt.NDArray[np.int64],
    item: npt.NDArray[np.int32],
    time: npt.NDArray[np.int64],
    weight: npt.NDArray[np.float32],
    when: npt.NDArray[np.int64],
    limit: int,
) -> tuple[Plays, Ragged]:
    """What B users had played strictly before a time: the latest plays, newest first, and every item.

    start, stop: int64 [B], user b's rows ``start[b]:stop[b]`` of the flat columns, oldest first; users may
    share rows.
    item, time, weight: int32, int64 (ms) and float32 [N]. when: int64 [B], ms. limit: plays in the first
    result, at most. Plays of one time come in reverse of their rows, so the later row stands first.
    """
    offsets, played, times, weights, seen_offsets, seen = _plays_before(start, stop, item, time, weight, when, limit)
    return Plays(offsets, played, times, weights), Ragged(seen_offsets, seen)


@compiled
def recalling(
    main: npt.NDArray[np.int32],
    history_offsets: npt.NDArray[np.int64],
    history_item: npt.NDArray[np.int32],
    b: int,
    most: int,
) -> tuple[int, int]:
    """The places (first, stop) of the plays by which request b recalls, newest first; for use inside other kernels.

    They are the history's rows, at most `most`. Where the history does not begin with the main item main int32 [B], one
    place in front of its rows stands for it; `recalling_item` tells which item is at a place.
    """
    start, stop = history_offsets[b], history_offsets[b + 1]
    if main[b] >= 0 and (start == stop or history_item[start] != main[b]):
        start -= 1
    return start, min(stop, start + most)


@compiled
def recalling_item(
    main: npt.NDArray[np.int32],
    history_offsets: npt.NDArray[np.int64],
    history_item: npt.NDArray[np.int32],
    b: int,
    place: int,
) -> np.int32:
    """The item at a place of `recalling`, -1 for an unknown one."""
    item: np.int32 = main[b] if place < history_offsets[b] else history_item[place]
    return item
