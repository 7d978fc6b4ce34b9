"""The smallest triggers that learn, most and least played first: for tests of everything around a trigger."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from yoorec.artifacts.arrays import load_arrays, save_arrays
from yoorec.batch import CandidateBatch, RequestBatch
from yoorec.components import FitContext
from yoorec.data.catalogue import Catalogue
from yoorec.data.log import EventLog

__all__ = ["Counts", "CountsConfig", "FewestFirst"]


@dataclass(frozen=True, slots=True)
class CountsConfig:
    """Counts plays."""

    weight: float = 1.0
    """Multiplies every count."""


class Counts:
    """Most played first, the same list for everybody."""

    def __init__(self, config: CountsConfig, catalogue: Catalogue) -> None:
        self._config, self._items = config, len(catalogue.items)

    def fit(self, log: EventLog, context: FitContext) -> None:
        """Count the log's plays by item."""
        self._score = np.bincount(log.plays().item, minlength=self._items).astype(np.float32)
        self._score *= np.float32(self._config.weight)

    def save(self, folder: Path) -> None:
        """Write the counts."""
        save_arrays(folder, score=self._score)

    def load(self, folder: Path) -> None:
        """Read the counts."""
        (self._score,) = load_arrays(folder, "score")

    def recall(self, requests: RequestBatch, k: int) -> CandidateBatch:
        """The k most played, ties by item."""
        order = np.lexsort((np.arange(len(self._score)), -self._score))[:k].astype(np.int32)
        size = len(requests)
        offsets = np.arange(size + 1, dtype=np.int64) * len(order)
        return CandidateBatch(offsets, np.tile(order, size), np.tile(self._score[order], size))


class FewestFirst(Counts):
    """Least played first."""

    def fit(self, log: EventLog, context: FitContext) -> None:
        """Count the log's plays by item, and turn the order round."""
        super().fit(log, context)
        self._score = -self._score
