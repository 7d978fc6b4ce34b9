"""Compiled kernels of vector recall: a request's vector, and the nearest rows to it.

Sums run over the dimensions in order, one row after the other, so no score depends on the batch around it, on the
number of rows or on their order. The columns of a matrix are contiguous (dimension by dimension), which lets the
processor add to many rows' scores at once without changing the order of any sum.
"""

from __future__ import annotations

import numpy as np
from numba import njit, types

from yoorec.ragged import recalling, recalling_item, top_of_dense
from yoorec.ragged.arrays import BOOL, F32, I32, I64, U64, column, kernel, made, readonly, table

__all__ = ["BLOCK", "nearest_of_some", "nearest_rows", "query_vectors"]

BLOCK = 1024
"""Rows scored together; their scores stay in the nearest cache while the dimensions go by."""

_i32, _i64 = readonly(types.int32), readonly(types.int64)
_matrix = table(types.float32)


@kernel(
    made(types.boolean),
    *(_i32, _i64, _i32, _i32, _matrix),
    *(types.int64, types.float64, types.float32[:, ::1]),
)
def query_vectors(
    main: I32,
    history_offsets: I64,
    history_item: I32,
    row_of: I32,
    vectors: F32,
    recall_from: int,
    recency: float,
    query: F32,
) -> BOOL:
    """Write each request's vector into query float32 [B, D], unit length; bool [B], whether it has one.

    The vector is the sum over the last `recall_from` plays p of recency^p times the item's vector; main int32 [B]
    stands in front of the history unless that begins with it. A play without a vector keeps its place.
    row_of: int32 [I], the item's row in vectors float32 [N, D], -1 where it has none.
    """
    size, width = query.shape
    known = np.zeros(size, np.bool_)
    for b in range(size):
        for d in range(width):
            query[b, d] = np.float32(0.0)
        start, stop = recalling(main, history_offsets, history_item, b, recall_from)
        weight = np.float32(1.0)
        for p in range(start, stop):
            source = recalling_item(main, history_offsets, history_item, b, p)
            if source >= 0:
                row = row_of[source]
                if row >= 0:
                    for d in range(width):
                        query[b, d] += weight * vectors[row, d]
            weight *= np.float32(recency)
        length = np.float32(0.0)
        for d in range(width):
            length += query[b, d] * query[b, d]
        if length > np.float32(0.0):
            known[b] = True
            length = np.sqrt(length)
            for d in range(width):
                query[b, d] /= length
    return known


@njit(nogil=True, cache=True)
def _score_block(query: F32, columns: F32, first: int, last: int, score: F32) -> None:
    """score[n] = query . row n for rows first:last; columns float32 [D, N]."""
    size, width = last - first, len(query)
    for n in range(size):
        score[n] = np.float32(0.0)
    d = 0
    while d + 4 <= width:  # four dimensions a pass spare three quarters of the loads and stores of `score`
        a, b, c, e = query[d], query[d + 1], query[d + 2], query[d + 3]
        one, two = columns[d, first:last], columns[d + 1, first:last]
        three, four = columns[d + 2, first:last], columns[d + 3, first:last]
        for n in range(size):
            score[n] = (((score[n] + a * one[n]) + b * two[n]) + c * three[n]) + e * four[n]
        d += 4
    while d < width:
        a, one = query[d], columns[d, first:last]
        for n in range(size):
            score[n] += a * one[n]
        d += 1


@kernel(
    made(types.int64, types.int32, types.float32),
    *(_matrix, readonly(types.boolean), _i32, _i64, _matrix, _i32, _i64, types.int64),
    *(column(types.float32), column(types.int32), column(types.uint64)),
)
def nearest_rows(
    query: F32,
    known: BOOL,
    left_out: I32,
    time: I64,
    columns: F32,
    item: I32,
    since: I64,
    k: int,
    score: F32,
    kept: I32,
    keys: U64,
) -> tuple[I64, I32, F32]:
    """The k rows nearest to each of B vectors, all rows compared: offsets int64 [B + 1], item int32, score float32.

    query: float32 [B, D]. known: bool [B], false finds nothing. left_out: int32 [B], a row not to be found, or -1.
    time: int64 [B]; a row is found only by requests at or after its since, int64 [N].
    columns: float32 [D, N]. item: int32 [N], rising, so that ties by row are ties by item.
    score: float32 [N]. kept: int32 [R], R at least 2 * min(k, N). keys: uint64 [R]. All three are scratch.
    """
    size, rows = len(query), len(item)
    most = min(k, rows)
    out_offsets = np.zeros(size + 1, np.int64)
    out_item = np.empty(size * most, np.int32)
    out_score = np.empty(size * most, np.float32)
    last_score = np.empty(most, np.float32)
    end = 0
    for b in range(size):
        if known[b] and most > 0:
            count = 0
            bar = np.float32(-np.inf)
            for first in range(0, rows, BLOCK):
                last = min(first + BLOCK, rows)
                _score_block(query[b], columns, first, last, score[first:last])
                for n in range(first, last):
                    # Most rows are looked at once: only those above the k-th best so far are kept, and each time
                    # the scratch is full k of them remain. A later row that ties with the k-th best comes after it.
                    if score[n] > bar and n != left_out[b] and since[n] <= time[b]:
                        if count == len(kept):
                            count = top_of_dense(kept, count, score, most, keys, kept, last_score)
                            bar = last_score[most - 1]
                            if score[n] <= bar:
                                continue
                        kept[count] = n
                        count += 1
            found = top_of_dense(kept, count, score, most, keys, out_item[end:], out_score[end:])
            for n in range(end, end + found):
                out_item[n] = item[out_item[n]]
            end += found
        out_offsets[b + 1] = end
    return out_offsets, out_item[:end], out_score[:end]


@kernel(types.float32[:, ::1], _matrix, table(types.int64), _matrix)
def nearest_of_some(query: F32, rows: I64, vectors: F32) -> F32:
    """float32 [B, M]: query float32 [B, D] times the rows int64 [B, M] of vectors float32 [N, D]; -inf for row -1."""
    size, width = query.shape
    score = np.empty(rows.shape, np.float32)
    for b in range(size):
        for m in range(rows.shape[1]):
            row = rows[b, m]
            total = np.float32(0.0)
            if row < 0:
                total = np.float32(-np.inf)
            else:
                for d in range(width):
                    total += query[b, d] * vectors[row, d]
            score[b, m] = total
    return score
