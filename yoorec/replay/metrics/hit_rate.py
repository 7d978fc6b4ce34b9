"""Hit rate: did the list hold anything right?"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from yoorec.replay.metrics.config import MetricConfig

__all__ = ["HitRate"]


class HitRate:
    """1 for a request with at least one truth among its first k items, else 0.

    With one truth a request this is what session papers call P@k or HR@k.
    """

    higher_is_better = True

    def __init__(self, config: MetricConfig) -> None:
        pass

    def per_request(self, hit: npt.NDArray[np.bool_], truths: npt.NDArray[np.int64], k: int) -> npt.NDArray[np.float64]:
        """float64 [B] in {0, 1} from hit bool [B, k]."""
        return np.asarray(hit[:, :k].any(axis=1), np.float64)
