"""Compiled kernels over ragged rows: sorting, selecting and joining the candidates of many requests at once.

Each kernel treats one request at a time and in a fixed order, so no result depends on the batch around it. All of them
release the GIL.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from numba import njit

__all__ = ["best_first", "top_of_dense"]


@njit(cache=True, nogil=True, inline="always")
def _order_key(bits: np.uint32, score: np.float32) -> np.uint64:
    """A key that falls as the score rises: smallest key first is best first. Non-finite scores come last."""
    if not np.isfinite(score):
        return np.uint64(0xFFFFFFFF)
    if score == np.float32(0.0):  # -0.0 and 0.0 tie
        bits = np.uint32(0)
    if bits & np.uint32(0x80000000):
        return np.uint64(bits)
    return np.uint64(np.uint32(0x7FFFFFFF) - bits)


@njit(cache=True, nogil=True)
def _best_first(
    offsets: npt.NDArray[np.int64],
    item: npt.NDArray[np.int32],
    score: npt.NDArray[np.float32],
    bits: npt.NDArray[np.uint32],
    limit: int,
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    size = len(offsets) - 1
    out_offsets = np.zeros(size + 1, np.int64)
    longest = 0
    for b in range(size):
        n = offsets[b + 1] - offsets[b]
        longest = max(longest, n)
        out_offsets[b + 1] = out_offsets[b] + min(n, limit)
    rows = np.empty(out_offsets[size], np.int64)
    keys = np.empty(longest, np.uint64)
    places = np.empty(longest, np.int64)
    for b in range(size):
        start, n = offsets[b], offsets[b + 1] - offsets[b]
        ordered = True
        for i in range(n):
            row = start + i
            keys[i] = (_order_key(bits[row], score[row]) << np.uint64(32)) | np.uint64(np.uint32(item[row]))
            if i and keys[i] < keys[i - 1]:
                ordered = False
        taken = min(n, limit)
        if ordered:
            for i in range(taken):
                rows[out_offsets[b] + i] = start + i
            continue
        places[:n] = np.argsort(keys[:n], kind="quicksort")
        for i in range(taken):
            rows[out_offsets[b] + i] = start + places[i]
    return rows, out_offsets


def best_first(
    offsets: npt.NDArray[np.int64],
    item: npt.NDArray[np.int32],
    score: npt.NDArray[np.float32],
    limit: int,
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Rows int64 [M] of at most `limit` per request, best first, ties by item, and their offsets int64 [B + 1]."""
    score = np.ascontiguousarray(score, np.float32)
    found: tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]] = _best_first(
        offsets, item, score, score.view(np.uint32), limit
    )
    return found


@njit(cache=True, nogil=True)
def top_of_dense(
    touched: npt.NDArray[np.int32],
    count: int,
    total: npt.NDArray[np.float32],
    limit: int,
    keys: npt.NDArray[np.uint64],
    out_item: npt.NDArray[np.int32],
    out_score: npt.NDArray[np.float32],
) -> int:
    """Select the `limit` best of a dense accumulator's touched items, for use inside other compiled kernels.

    touched: int32, its first `count` entries are distinct items; total: float32 [I], their scores.
    keys:    uint64 scratch of at least `count`. out_item, out_score: at least min(count, limit).
    Returns the number written, best first, ties by item. Non-finite scores come last.
    """
    bits = total.view(np.uint32)
    for i in range(count):
        j = touched[i]
        keys[i] = (_order_key(bits[j], total[j]) << np.uint64(32)) | np.uint64(np.uint32(j))
    part = keys[:count]
    if count > limit:
        part = np.partition(part, limit - 1)[:limit]
    part = np.sort(part)
    for i in range(len(part)):
        j = np.int32(part[i] & np.uint64(0xFFFFFFFF))
        out_item[i] = j
        out_score[i] = total[j]
    return len(part)
