"""Recall: how much of what is right did the list hold?"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from yoorec.replay.metrics.config import MetricConfig

__all__ = ["Recall"]


class Recall:
    """Truths among the first k items over all truths of the request; 0 where there are none."""

    higher_is_better = True

    def __init__(self, config: MetricConfig) -> None:
        pass

    def per_request(self, hit: npt.NDArray[np.bool_], truths: npt.NDArray[np.int64], k: int) -> npt.NDArray[np.float64]:
        """float64 [B] in [0, 1] from hit bool [B, k] and truths int64 [B]."""
        found = np.count_nonzero(hit[:, :k], axis=1)
        return np.asarray(found / np.maximum(truths, 1), np.float64)
