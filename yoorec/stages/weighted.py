"""Merge `weighted`: the weighted sum of normalised scores."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from yoorec.batch import CandidateBatch, RequestBatch
from yoorec.ragged import best_candidates, compiled, union_candidates
from yoorec.stages.configs import WeightedConfig
from yoorec.stages.normalise import normalised, trigger_scales

if TYPE_CHECKING:
    from yoorec.data.catalogue import Catalogue

__all__ = ["Weighted"]


@compiled
def _weighted(
    offsets: npt.NDArray[np.int64],
    source_score: npt.NDArray[np.float32],
    source_rank: npt.NDArray[np.int32],
    weight: npt.NDArray[np.float64],
    by_rank: bool,
) -> npt.NDArray[np.float32]:
    triggers = len(weight)
    best = np.empty(triggers, np.float64)
    depth = np.empty(triggers, np.float64)
    out = np.empty(len(source_score), np.float32)
    for b in range(len(offsets) - 1):
        start, stop = offsets[b], offsets[b + 1]
        trigger_scales(source_score, source_rank, start, stop, by_rank, best, depth)
        for row in range(start, stop):
            total = 0.0
            for t in range(triggers):
                total += weight[t] * normalised(source_score[row, t], source_rank[row, t], best[t], depth[t])
            out[row] = total
    return out


class Weighted:
    """Score of an item: the sum over the triggers that recalled it of weight x normalised score.

    The normalisation is `yoorec.stages.configs.Normalize`, over all that a trigger gave the request; the sum
    runs in the scenario's order, in double precision.
    """

    def __init__(self, config: WeightedConfig, catalogue: Catalogue) -> None:
        self._weights = dict(config.weights)
        self._by_rank = config.normalize == "rank"

    def merge(self, requests: RequestBatch, recalled: Mapping[str, CandidateBatch], limit: int) -> CandidateBatch:
        """At most `limit` rows per request, best first, every source kept."""
        candidates = union_candidates(recalled, len(requests)).candidates
        assert candidates.source_score is not None and candidates.source_rank is not None
        weight = np.array([self._weights.get(name, 1.0) for name in candidates.sources], np.float64)
        score = _weighted(candidates.offsets, candidates.source_score, candidates.source_rank, weight, self._by_rank)
        kept = best_candidates(candidates, score, limit)
        return replace(kept, merge_score=kept.score)
