"""Merge `rrf`: reciprocal rank fusion."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from yoorec.batch import CandidateBatch, RequestBatch
from yoorec.ragged import best_candidates, compiled, union_candidates
from yoorec.stages.configs import RrfConfig

if TYPE_CHECKING:
    from yoorec.data.catalogue import Catalogue

__all__ = ["Rrf"]


@compiled
def _rrf(source_rank: npt.NDArray[np.int32], constant: float) -> npt.NDArray[np.float32]:
    out = np.empty(len(source_rank), np.float32)
    for row in range(len(source_rank)):
        total = 0.0
        for t in range(source_rank.shape[1]):
            if source_rank[row, t] >= 0:
                total += 1.0 / (constant + source_rank[row, t] + 1.0)
        out[row] = total
    return out


class Rrf:
    """Score of an item: the sum of 1 / (constant + rank + 1) over the triggers that recalled it, rank 0 the
    best.

    G. V. Cormack, C. L. A. Clarke, S. Büttcher: Reciprocal Rank Fusion outperforms Condorcet and individual
    Rank Learning Methods, SIGIR 2009 (there k = 60, and ranks count from 1).
    """

    def __init__(self, config: RrfConfig, catalogue: Catalogue) -> None:
        self._constant = float(config.constant)

    def merge(self, requests: RequestBatch, recalled: Mapping[str, CandidateBatch], limit: int) -> CandidateBatch:
        """At most `limit` rows per request, best first, every source kept."""
        candidates = union_candidates(recalled, len(requests)).candidates
        assert candidates.source_rank is not None
        kept = best_candidates(candidates, _rrf(candidates.source_rank, self._constant), limit)
        return replace(kept, merge_score=kept.score)
