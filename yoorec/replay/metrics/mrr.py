"""Mean reciprocal rank: how far down is the first right item?"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from yoorec.replay.metrics.config import MetricConfig

__all__ = ["MRR"]


class MRR:
    """1 / place of the first truth among the first k items, counted from 1; 0 where none is there."""

    higher_is_better = True

    def __init__(self, config: MetricConfig) -> None:
        pass

    def per_request(self, hit: npt.NDArray[np.bool_], truths: npt.NDArray[np.int64], k: int) -> npt.NDArray[np.float64]:
        """float64 [B] in [0, 1] from hit bool [B, k]."""
        top = hit[:, :k]
        return np.where(top.any(axis=1), 1.0 / (1 + top.argmax(axis=1)), 0.0)
