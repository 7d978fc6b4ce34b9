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
    begin = np.zeros(segments + 1, np.int64)
    for n in range(len(row)):
        if row[n] >= 0:
            begin[row[n] + 1] += 1
    for s in range(segments):
        begin[s + 1] += begin[s]
    by_item = np.empty(begin[segments], np.int32)
    by_weight = np.empty(begin[segments], np.float64)
    place = begin.copy()
    for n in range(len(row)):
        if row[n] >= 0:
            by_item[place[row[n]]] = item[n]
            by_weight[place[row[n]]] = weight[n]
            place[row[n]] += 1
    total = np.zeros(items, np.float64)
    mark = np.full(items, -1, np.int64)  # the last segment that met the item
    offsets = np.zeros(segments + 1, np.int64)
    count = 0
    for s in range(segments):
        first = count
        for n in range(begin[s], begin[s + 1]):
            i = by_item[n]
            if mark[i] != s:
                mark[i] = s
                total[i] = 0.0
                by_item[count] = i  # never beyond n, which is read already
                count += 1
            total[i] += by_weight[n]
        by_item[first:count].sort()
        for n in range(first, count):
            by_weight[n] = total[by_item[n]]
        offsets[s + 1] = count
    return offsets, by_item[:count].copy(), by_weight[:count].copy()


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
