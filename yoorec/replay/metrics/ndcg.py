"""NDCG: right items count more the higher they stand."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from yoorec.replay.metrics.config import MetricConfig

__all__ = ["NDCG"]


class NDCG:
    """Normalised discounted cumulative gain with gains 0 and 1 (Järvelin and Kekäläinen, TOIS 2002).

    A truth at place p, counted from 1, gains ``1 / log2(p + 1)``; the sum over the first k places is divided by that of
    a perfect list, whose first min(truths, k) places are right. 0 where the request has no truth.
    """

    higher_is_better = True

    def __init__(self, config: MetricConfig) -> None:
        pass

    def per_request(self, hit: npt.NDArray[np.bool_], truths: npt.NDArray[np.int64], k: int) -> npt.NDArray[np.float64]:
        """float64 [B] in [0, 1] from hit bool [B, k] and truths int64 [B]."""
        discount = 1.0 / np.log2(np.arange(2, k + 2))
        # Hits are few: summed one by one, best place first, which keeps a request's figure clear of its batch.
        request, place = np.nonzero(hit[:, :k])
        gain = np.bincount(request, weights=discount[place], minlength=len(hit))
        best = np.concatenate((np.ones(1), np.cumsum(discount)))[np.minimum(truths, k)]
        return np.asarray(np.where(truths > 0, gain / best, 0.0), np.float64)
