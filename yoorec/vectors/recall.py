"""Recall by vectors: what is nearest to a request's main item, session and history."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from yoorec.batch import CandidateBatch, RequestBatch
from yoorec.vectors.config import VectorRecallConfig
from yoorec.vectors.items import ItemVectors
from yoorec.vectors.kernels import query_vectors

if TYPE_CHECKING:
    from yoorec.components import FitContext
    from yoorec.data.catalogue import Catalogue

__all__ = ["VectorRecall"]


class VectorRecall:
    """Base of vector triggers: they write `fit`, which ends with `learn`; this recalls by what was learned::

        query    = sum over the last `recall_from` plays p of recency^p * v(play p), at unit length
        score(j) = query . v(j)

    p = 0 is the main item, then the session and the history, newest first. A play without a vector keeps its place.
    The main item is not recalled, nor what is not yet published; other items of the history are, and `drop_seen` is
    there to drop them.
    """

    def __init__(self, config: VectorRecallConfig, catalogue: Catalogue) -> None:
        self._config = config
        self._items = items = len(catalogue.items)
        self._published_at = catalogue.published_at
        self.vectors = ItemVectors.none()
        self._row_of = np.full(items, -1, np.int32)
        self._since = np.empty(0, np.int64)

    def learn(self, item: npt.NDArray[np.int32], vectors: npt.NDArray[np.floating], context: FitContext) -> None:
        """Take the vectors [N, D] of distinct items int32 [N]; says in the fit's notes how well the index finds."""
        config = self._config
        self._take(
            ItemVectors.build(
                item,
                vectors,
                exact_below=config.exact_below,
                index_recall=config.index_recall,
                seed=context.seed,
            )
        )
        cells = self.vectors.cells
        context.note("vectors", len(self.vectors))
        context.note("index", "exact" if cells is None else f"ivf, {cells.probes} cells a search")
        context.note("index_recall@100", 1.0 if cells is None else round(cells.recall, 4))

    def save(self, folder: Path) -> None:
        """Write vectors and index."""
        self.vectors.save(folder)

    def load(self, folder: Path) -> None:
        """Read them back."""
        self._take(ItemVectors.load(folder))

    def recall(self, requests: RequestBatch, k: int) -> CandidateBatch:
        """At most k items a request; none where no play of it has a vector."""
        query = np.empty((len(requests), self.vectors.vectors.shape[1]), np.float32)
        known = query_vectors(
            np.ascontiguousarray(requests.item),
            np.ascontiguousarray(requests.history.offsets),
            np.ascontiguousarray(requests.history.item),
            self._row_of,
            self.vectors.vectors,
            self._config.recall_from,
            self._config.recency,
            query,
        )
        own = np.where(requests.item >= 0, self._row_of[requests.item], -1) if self._items else requests.item
        own = np.ascontiguousarray(own, np.int32)
        return CandidateBatch(
            *self.vectors.nearest(query, known, own, k, np.ascontiguousarray(requests.time), self._since)
        )

    def _take(self, vectors: ItemVectors) -> None:
        self.vectors = vectors
        self._row_of = np.full(self._items, -1, np.int32)
        self._row_of[vectors.item] = np.arange(len(vectors), dtype=np.int32)
        self._since = self._published_at[vectors.item]
