"""Scores of different triggers on one scale, within each request."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from yoorec.ragged import compiled

__all__ = ["normalised", "normalised_rows", "score_rows", "trigger_scales"]


@compiled
def trigger_scales(
    source_score: npt.NDArray[np.float32],
    source_rank: npt.NDArray[np.int32],
    start: int,
    stop: int,
    by_rank: bool,
    best: npt.NDArray[np.float64],
    depth: npt.NDArray[np.float64],
) -> None:
    """Fill best and depth, float64 [T], for the request that owns rows start:stop; for use inside other kernels.

    best[t]:  trigger t's best finite score among the rows; 0 where it has none above 0, or where `by_rank`.
    depth[t]: 1 + its highest rank among the rows.
    """
    for t in range(len(best)):
        best[t] = 0.0
        depth[t] = 0.0
    for row in range(start, stop):
        for t in range(len(best)):
            rank = source_rank[row, t]
            if rank >= 0:
                depth[t] = max(depth[t], rank + 1.0)
                score = np.float64(source_score[row, t])
                if not by_rank and np.isfinite(score):
                    best[t] = max(best[t], score)


@compiled
def normalised(score: np.float32, rank: int, best: float, depth: float) -> float:
    """One trigger's score of one row in 0..1; 0 where the trigger did not recall it or the score isn't
    finite.

    score / best where best is above 0, negative scores counting 0; else by rank, (depth - rank) / depth.
    """
    if rank < 0:
        return 0.0
    if best > 0.0:
        if not np.isfinite(score) or score <= 0.0:
            return 0.0
        return np.float64(score) / best
    return (depth - rank) / depth


@compiled
def normalised_rows(
    offsets: npt.NDArray[np.int64],
    source_score: npt.NDArray[np.float32],
    source_rank: npt.NDArray[np.int32],
    by_rank: bool,
) -> npt.NDArray[np.float32]:
    """float32 [N, T]: every trigger's normalised score of every row, NaN where it did not recall the row."""
    triggers = source_score.shape[1]
    best = np.empty(triggers, np.float64)
    depth = np.empty(triggers, np.float64)
    out = np.full(source_score.shape, np.nan, np.float32)
    for b in range(len(offsets) - 1):
        start, stop = offsets[b], offsets[b + 1]
        trigger_scales(source_score, source_rank, start, stop, by_rank, best, depth)
        for row in range(start, stop):
            for t in range(triggers):
                if source_rank[row, t] >= 0:
                    out[row, t] = normalised(source_score[row, t], source_rank[row, t], best[t], depth[t])
    return out


@compiled
def score_rows(
    offsets: npt.NDArray[np.int64],
    source_score: npt.NDArray[np.float32],
    source_rank: npt.NDArray[np.int32],
    seen: npt.NDArray[np.bool_],
    weights: npt.NDArray[np.float64],
    by_rank: bool,
) -> npt.NDArray[np.float32]:
    """float32 [N]: the sum over triggers, in order, of weight x normalised score, and the last weight where seen.

    seen: bool [N], or [0] where nothing counts as seen. weights: float64 [T + 1]. The sum is in double precision.
    """
    triggers = len(weights) - 1
    best = np.empty(triggers, np.float64)
    depth = np.empty(triggers, np.float64)
    out = np.empty(len(source_score), np.float32)
    for b in range(len(offsets) - 1):
        start, stop = offsets[b], offsets[b + 1]
        trigger_scales(source_score, source_rank, start, stop, by_rank, best, depth)
        for row in range(start, stop):
            total = 0.0
            for t in range(triggers):
                total += weights[t] * normalised(source_score[row, t], source_rank[row, t], best[t], depth[t])
            if len(seen) and seen[row]:
                total += weights[triggers]
            out[row] = total
    return out
