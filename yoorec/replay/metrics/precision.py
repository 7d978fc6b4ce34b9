"""Precision: how much of the list was right?"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from yoorec.replay.metrics.config import MetricConfig

__all__ = ["Precision"]


class Precision:
    """Truths among the first k items over k; a list shorter than k counts its empty places as wrong."""

    higher_is_better = True

    def __init__(self, config: MetricConfig) -> None:
        pass

    def per_request(self, hit: npt.NDArray[np.bool_], truths: npt.NDArray[np.int64], k: int) -> npt.NDArray[np.float64]:
        """float64 [B] in [0, 1] from hit bool [B, k]."""
        return np.asarray(np.count_nonzero(hit[:, :k], axis=1) / k, np.float64)
