"""Order: the best rows of each request, the first rows of each request, and rows gathered in a new order."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from numba import types

from yoorec.batch import CandidateBatch
from yoorec.ragged.arrays import column, kernel, readonly
from yoorec.ragged.compiled import compiled

__all__ = ["best_candidates", "best_first", "first_k", "lowest_first", "sort_keys", "take_rows", "top_of_dense"]


@compiled
def _order_key(bits: np.uint32, score: np.float32) -> np.uint64:
    """A key that falls as the score rises: smallest key first is best first. Non-finite scores come last."""
    if not np.isfinite(score):
        return np.uint64(0xFFFFFFFF)
    if score == np.float32(0.0):  # -0.0 and 0.0 tie
        bits = np.uint32(0)
    if bits & np.uint32(0x80000000):
        return np.uint64(bits)
    return np.uint64(np.uint32(0x7FFFFFFF) - bits)


@compiled
def _swap(keys: npt.NDArray[np.uint64], places: npt.NDArray[np.int32], one: int, other: int) -> None:
    keys[one], keys[other] = keys[other], keys[one]
    places[one], places[other] = places[other], places[one]


@kernel(types.void, column(types.uint64), column(types.int32), types.int64, types.int64)
def lowest_first(keys: npt.NDArray[np.uint64], places: npt.NDArray[np.int32], count: int, limit: int) -> None:
    """Bring the `limit` lowest of the first `count` keys to the front, in any order: Hoare's quickselect.

    keys: uint64, at least `count`. places: int32, moved along with them.
    For use inside other kernels: `np.partition` does the same there, and takes ten seconds to compile.
    """
    low, high = 0, count - 1
    while low < high:
        middle = (low + high) // 2
        # The median of three as pivot, so that keys in order are no bad case.
        if keys[middle] < keys[low]:
            _swap(keys, places, middle, low)
        if keys[high] < keys[low]:
            _swap(keys, places, high, low)
        if keys[high] < keys[middle]:
            _swap(keys, places, high, middle)
        pivot = keys[middle]
        i, j = low, high
        while i <= j:
            while keys[i] < pivot:
                i += 1
            while keys[j] > pivot:
                j -= 1
            if i <= j:
                _swap(keys, places, i, j)
                i += 1
                j -= 1
        if limit <= j + 1:
            high = j
        elif limit >= i + 1:
            low = i
        else:
            return


@kernel(types.void, column(types.uint64), column(types.int32), types.int64)
def sort_keys(keys: npt.NDArray[np.uint64], places: npt.NDArray[np.int32], count: int) -> None:
    """Sort the first `count` keys, lowest first, and move `places` along; equal keys in any order, the same each time.

    keys: uint64, places: int32, both at least `count`.
    Comb sort (Dobosiewicz 1980), then insertion sort: on 10 to 100,000 random keys as fast as numba's own sort,
    which takes seconds to compile. For use inside other kernels.
    """
    gap = count
    while gap > 1:
        gap = max(gap * 10 // 13, 1)
        for i in range(count - gap):
            if keys[i + gap] < keys[i]:
                _swap(keys, places, i, i + gap)
    for i in range(1, count):
        key, place, at = keys[i], places[i], i
        while at > 0 and keys[at - 1] > key:
            keys[at], places[at] = keys[at - 1], places[at - 1]
            at -= 1
        keys[at], places[at] = key, place


@compiled
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
    places = np.empty(longest, np.int32)
    for b in range(size):
        start, n = offsets[b], offsets[b + 1] - offsets[b]
        ordered = True
        for i in range(n):
            row = start + i
            keys[i] = (_order_key(bits[row], score[row]) << np.uint64(32)) | np.uint64(np.uint32(item[row]))
            places[i] = i
            if i and keys[i] < keys[i - 1]:
                ordered = False
        taken = min(n, limit)
        first = out_offsets[b]
        if not ordered:
            if taken * 3 < n:  # sort only what can be among the first
                lowest_first(keys, places, n, taken)
                sort_keys(keys, places, taken)
            else:
                sort_keys(keys, places, n)
        for i in range(taken):
            rows[first + i] = start + places[i]
    return rows, out_offsets


def best_first(
    offsets: npt.NDArray[np.int64],
    item: npt.NDArray[np.int32],
    score: npt.NDArray[np.float32],
    limit: int,
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """At most `limit` rows per request, int64 [M], best first, ties by item, and their offsets int64 [B + 1]."""
    score = np.ascontiguousarray(score, np.float32)
    return _best_first(offsets, item, score, score.view(np.uint32), limit)


@compiled
def first_k(
    offsets: npt.NDArray[np.int64], k: npt.NDArray[np.int32]
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """The first ``k[b]`` rows of each request b, int64 [M], for k int32 [B], and their offsets int64 [B + 1]."""
    size = len(offsets) - 1
    out_offsets = np.zeros(size + 1, np.int64)
    for b in range(size):
        out_offsets[b + 1] = out_offsets[b] + min(max(np.int64(k[b]), 0), offsets[b + 1] - offsets[b])
    rows = np.empty(out_offsets[size], np.int64)
    for b in range(size):
        for i in range(out_offsets[b + 1] - out_offsets[b]):
            rows[out_offsets[b] + i] = offsets[b] + i
    return rows, out_offsets


@compiled
def _gather(
    rows: npt.NDArray[np.int64],
    item: npt.NDArray[np.int32],
    score: npt.NDArray[np.float32],
    merge_score: npt.NDArray[np.float32],
    source_score: npt.NDArray[np.float32],
    source_rank: npt.NDArray[np.int32],
) -> tuple[
    npt.NDArray[np.int32],
    npt.NDArray[np.float32],
    npt.NDArray[np.float32],
    npt.NDArray[np.float32],
    npt.NDArray[np.int32],
]:
    count, width = len(rows), source_score.shape[1]
    out_item = np.empty(count, np.int32)
    out_score = np.empty(count, np.float32)
    out_merge = np.empty(count, np.float32)
    out_source = np.empty((count, width), np.float32)
    out_rank = np.empty((count, width), np.int32)
    for i in range(count):
        row = rows[i]
        out_item[i] = item[row]
        out_score[i] = score[row]
        out_merge[i] = merge_score[row]
        for t in range(width):
            out_source[i, t] = source_score[row, t]
            out_rank[i, t] = source_rank[row, t]
    return out_item, out_score, out_merge, out_source, out_rank


def take_rows(
    candidates: CandidateBatch, rows: npt.NDArray[np.int64], offsets: npt.NDArray[np.int64]
) -> CandidateBatch:
    """The named flat rows under new offsets, every column kept: `CandidateBatch.rows` in one pass."""
    source_score, source_rank = candidates.source_score, candidates.source_rank
    if source_score is None or source_rank is None:
        return candidates.rows(rows, offsets)
    merge_score = candidates.score if candidates.merge_score is None else candidates.merge_score
    item, score, merged, by_source, ranks = _gather(
        rows, candidates.item, candidates.score, merge_score, source_score, source_rank
    )
    return CandidateBatch(
        offsets,
        item,
        score,
        candidates.sources,
        by_source,
        ranks,
        None if candidates.merge_score is None else merged,
    )


def best_candidates(
    candidates: CandidateBatch, score: npt.NDArray[np.float32], limit: int | None = None
) -> CandidateBatch:
    """The best `limit` rows of each request (all where None) under new scores float32 [N].

    Best first, ties by item, non-finite scores last; `score` becomes the new one, the other columns are kept.
    """
    most = len(candidates.item) if limit is None else limit
    rows, offsets = best_first(candidates.offsets, candidates.item, score, most)
    return take_rows(candidates.with_score(np.ascontiguousarray(score, np.float32)), rows, offsets)


@kernel(
    types.int64,
    column(types.int32),
    types.int64,
    readonly(types.float32),
    types.int64,
    column(types.uint64),
    column(types.int32),
    column(types.float32),
)
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

    touched: int32, its first `count` entries are distinct items, and come back in another order; total: float32 [I],
             their scores.
    keys:    uint64 scratch of at least `count`. out_item, out_score: at least min(count, limit).
    Returns the number written, best first, ties by item. Non-finite scores come last.
    """
    bits = total.view(np.uint32)
    for i in range(count):
        j = touched[i]
        keys[i] = (_order_key(bits[j], total[j]) << np.uint64(32)) | np.uint64(np.uint32(j))
    most = min(count, limit)
    if count > limit:
        lowest_first(keys, touched, count, limit)
    sort_keys(keys, touched, most)
    for i in range(most):
        j = touched[i]
        out_item[i] = j
        out_score[i] = total[j]
    return most
