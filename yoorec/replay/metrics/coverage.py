"""Coverage: how much of the catalogue does anybody get to see?"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from yoorec.replay.metrics.config import MetricConfig

__all__ = ["Coverage"]


class Coverage:
    """Distinct items among the first k of any request over the items that could have been recommended.

    It grows with the number of requests, so it compares lists for the same requests only. It has no interval: a
    resample of users leaves about a third of them out and so shows fewer distinct items than the requests themselves,
    and the percentiles would lie below the figure they are meant to surround.
    """

    higher_is_better = True

    def __init__(self, config: MetricConfig) -> None:
        pass

    def over_catalogue(self, shown: npt.NDArray[np.int64], recommendable: npt.NDArray[np.bool_], k: int) -> float:
        """A share in [0, 1] from shown int64 [I] and recommendable bool [I]; 0 where nothing is recommendable."""
        possible = int(np.count_nonzero(recommendable))
        return int(np.count_nonzero((shown > 0) & recommendable)) / possible if possible else 0.0
