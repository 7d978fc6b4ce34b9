"""The compiled kernels of the attribute trigger: plays added up by segment, and lists handed out by segment."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from yoorec.ragged.compiled import compiled

__all__ = ["add_up", "hand_out"]

Int32 = npt.NDArray[np.int32]
Int64 = npt.NDArray[np.int64]
Float32 = npt.NDArray[np.float32]
Float64 = npt.NDArray[np.float64]


@compiled
def add_up(row: Int64, item: Int32, weight: Float64, segments: int, items: int) -> tuple[Int64, Int32, Float64]:
    """The weight of every item in every segment that played it.

    row: int64 [P], the segment of a play, -1 none. item: int32 [P]. weight: float64 [P].
    Returns offsets int64 [segments + 1], items int32, rising within a segment, and their weights float64.
    """
    # In the order of the items first, so that every segment meets them in it.
    by_item, begin = np.empty(len(row), np.int64), np.zeros(items + 1, np.int64)
    for n in range(len(row)):
        begin[item[n] + 1] += 1
    for i in range(items):
        begin[i + 1] += begin[i]
    for n in range(len(row)):
        by_item[begin[item[n]]] = n
        begin[item[n]] += 1
    ends = np.zeros(segments + 1, np.int64)
    latest = np.empty(segments, np.int32)
    for s in range(segments):
        latest[s] = -1
    for n in by_item:
        s = row[n]
        if s >= 0 and latest[s] != item[n]:
            latest[s] = item[n]
            ends[s + 1] += 1
    for s in range(segments):
        ends[s + 1] += ends[s]
        latest[s] = -1
    offsets = ends.copy()
    found, total = np.empty(ends[segments], np.int32), np.zeros(ends[segments], np.float64)
    for n in by_item:
        s = row[n]
        if s >= 0:
            if latest[s] != item[n]:
                latest[s] = item[n]
                found[ends[s]] = item[n]
                ends[s] += 1
            total[ends[s] - 1] += weight[n]
    return offsets, found, total


@compiled
def hand_out(
    code: Int64,
    main: Int32,
    key: Int64,
    width: int,
    offsets: Int64,
    item: Int32,
    score: Float32,
    k: int,
) -> tuple[Int64, Int32, Float32]:
    """The k best of B requests' segments, each without its main item: offsets int64 [B + 1], items and scores.

    code: int64 [B, L], a request's value of each column, -1 where missing or unknown. main: int32 [B].
    key:  int64 [S - 1], rising, of segment s + 1: the coarser segment * width + code.
    offsets, item, score: the segments' lists. A request's segment is the finest there is up to its first missing value.
    """
    size = len(main)
    segment = np.zeros(size, np.int64)
    room = 0
    for b in range(size):
        for column in range(code.shape[1]):
            wanted = segment[b] * width + code[b, column]
            place = np.searchsorted(key, wanted) if code[b, column] >= 0 else len(key)
            if place == len(key) or key[place] != wanted:
                break
            segment[b] = place + 1
        room += min(k, offsets[segment[b] + 1] - offsets[segment[b]])
    out_offsets = np.zeros(size + 1, np.int64)
    out_item = np.empty(room, np.int32)
    out_score = np.empty(room, np.float32)
    count = 0
    for b in range(size):
        end = count + k
        for n in range(offsets[segment[b]], offsets[segment[b] + 1]):
            if count == end:
                break
            if item[n] != main[b]:
                out_item[count] = item[n]
                out_score[count] = score[n]
                count += 1
        out_offsets[b + 1] = count
    return out_offsets, out_item[:count], out_score[:count]
