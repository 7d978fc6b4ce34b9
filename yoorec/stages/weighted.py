"""Merge `weighted`: the weighted sum of normalised scores."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from yoorec.batch import CandidateBatch, RequestBatch
from yoorec.ragged import best_candidates, union_candidates
from yoorec.stages.configs import WeightedConfig
from yoorec.stages.normalise import score_rows

if TYPE_CHECKING:
    from yoorec.data.catalogue import Catalogue

__all__ = ["Weighted"]


_NONE_SEEN = np.empty(0, np.bool_)


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
        weights = np.array([*(self._weights.get(name, 1.0) for name in candidates.sources), 0.0], np.float64)
        score = score_rows(
            candidates.offsets,
            candidates.source_score,
            candidates.source_rank,
            _NONE_SEEN,
            weights,
            self._by_rank,
        )
        kept = best_candidates(candidates, score, limit)
        return replace(kept, merge_score=kept.score)
