"""An inverted file of cells (faiss' IVF) over many vectors, searched so that no answer depends on its batch."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from yoorec.errors import ArtifactError, PluginError
from yoorec.vectors.kernels import nearest_of_some, nearest_rows

__all__ = ["Cells"]

F32 = npt.NDArray[np.float32]
I32 = npt.NDArray[np.int32]
I64 = npt.NDArray[np.int64]

_INDEX, _SETTINGS = "cells.faiss", "cells.json"
_SPARE = 16
"""Rows fetched beyond k, so that most requests need no second look."""
_MARGIN = np.float32(2e-5)
"""More than two ways of adding up the product of two unit vectors can differ by."""
_SAMPLE = 256
"""Vectors whose true nearest are looked up to choose the number of cells to search."""
_NEAREST = 100
"""How many of the true nearest are looked for."""


def _faiss() -> Any:
    """faiss on one thread: the server's and replay's own threads keep the cores busy."""
    try:
        import faiss
    except ImportError as error:
        raise PluginError(f"more vectors than `exact_below` need faiss: pip install faiss-cpu ({error})") from error
    faiss.omp_set_num_threads(1)
    return faiss


class Cells:
    """Vectors dealt out to about 4 sqrt(N) cells by k-means; a search looks through the `probes` nearest ones.

    faiss finds the nearest cells and rows through BLAS, whose bits depend on how many are asked for at once. So cells
    are chosen here in a fixed order of sums, faiss scans them, and what it found is scored again in that fixed order;
    where the k-th best can't be told from what was not fetched, more is fetched.

    recall: share of the 100 true nearest found for a sample of the vectors, when the index was built.
    """

    def __init__(self, index: Any, vectors: F32, probes: int, recall: float) -> None:
        self.index = index
        self._vectors = vectors
        self.probes = probes
        self.recall = recall
        index.nprobe = probes
        centroids = index.quantizer.reconstruct_n(0, index.nlist)
        self._columns = np.ascontiguousarray(centroids.T)
        self._names = np.arange(index.nlist, dtype=np.int32)

    @classmethod
    def build(cls, vectors: F32, recall: float, seed: int) -> Cells:
        """Deal out vectors float32 [N, D] of unit length, and choose how many cells a search needs for `recall`.

        On one thread: the same vectors and seed, the same index.
        """
        faiss = _faiss()
        rows, width = vectors.shape
        cells = max(1, min(round(4 * math.sqrt(rows)), rows // 8))
        index = faiss.IndexIVFFlat(faiss.IndexFlatIP(width), width, cells, faiss.METRIC_INNER_PRODUCT)
        index.cp.seed = int(np.random.default_rng(seed).integers(1 << 30))
        index.cp.spherical = True
        index.cp.min_points_per_centroid = 1
        index.train(vectors)
        index.add(vectors)
        sample = np.sort(np.random.default_rng(seed).choice(rows, min(_SAMPLE, rows), replace=False))
        query = np.ascontiguousarray(vectors[sample])
        wanted = min(_NEAREST, rows)
        truth = cls(index, vectors, cells, 1.0).search(query, wanted)[1].reshape(len(sample), -1)
        probes = 1
        while True:
            found = cls(index, vectors, probes, 0.0)
            offsets, near, _ = found.search(query, wanted)
            hits = sum(len(np.intersect1d(near[offsets[q] : offsets[q + 1]], truth[q])) for q in range(len(sample)))
            found.recall = hits / truth.size
            if found.recall >= recall or probes == cells:
                return found
            probes = min(cells, 2 * probes)

    def save(self, folder: Path) -> None:
        """Write the index in faiss' own format, and its settings as JSON."""
        _faiss().write_index(self.index, str(folder / _INDEX))
        settings = {"probes": self.probes, "recall": self.recall}
        (folder / _SETTINGS).write_text(json.dumps(settings) + "\n", encoding="utf-8")

    @classmethod
    def load(cls, folder: Path, vectors: F32) -> Cells | None:
        """Read back what `save` wrote; None where the vectors were too few for cells."""
        if not (folder / _SETTINGS).exists():
            return None
        faiss = _faiss()
        try:
            settings = json.loads((folder / _SETTINGS).read_text(encoding="utf-8"))
            index = faiss.read_index(str(folder / _INDEX))
            found = cls(index, vectors, int(settings["probes"]), float(settings["recall"]))
        except (OSError, RuntimeError, ValueError, KeyError, AttributeError) as error:
            raise ArtifactError(f"{folder / _INDEX}: is no index of cells: {type(error).__name__}: {error}") from error
        if index.ntotal != len(vectors):
            raise ArtifactError(f"{folder / _INDEX}: holds {index.ntotal} vectors, expected {len(vectors)}")
        return found

    def search(self, query: F32, k: int) -> tuple[I64, I32, F32]:
        """At most k rows nearest to each of B unit vectors, best first, ties by row: offsets, rows and scores."""
        size, rows = len(query), len(self._vectors)
        near = np.full((size, k), -1, np.int64)
        score = np.full((size, k), -np.inf, np.float32)
        cell, closeness = self._cells_of(query)
        pending = np.arange(size if k else 0)
        fetch = min(k + _SPARE, rows)
        while len(pending):
            some = np.ascontiguousarray(query[pending])
            rough, fetched = self.index.search_preassigned(some, fetch, cell[pending], closeness[pending])
            exact = nearest_of_some(some, fetched, self._vectors)
            best = np.lexsort((np.where(fetched < 0, rows, fetched), -exact), axis=1)[:, :k]
            width = best.shape[1]
            near[pending, :width] = np.take_along_axis(fetched, best, axis=1)
            score[pending, :width] = np.take_along_axis(exact, best, axis=1)
            # Done where the cells hold no more rows, or where the last one fetched is clearly behind the k-th best.
            done = (fetched[:, -1] < 0) | (fetch == rows) | (rough[:, -1] + _MARGIN < score[pending, k - 1])
            pending = pending[~done]
            fetch = min(4 * fetch, rows)
        there = near >= 0
        offsets = np.zeros(size + 1, np.int64)
        np.cumsum(there.sum(axis=1), out=offsets[1:])
        return offsets, near[there].astype(np.int32), score[there]

    def _cells_of(self, query: F32) -> tuple[I64, F32]:
        """The `probes` cells nearest to each vector, int64 [B, probes], and how near they are."""
        size = len(query)
        scratch = np.empty(len(self._names), np.float32)
        kept = np.empty(4 * len(self._names), np.int32)
        _, cell, closeness = nearest_rows(
            query,
            np.ones(size, np.bool_),
            np.full(size, -1, np.int32),
            np.zeros(size, np.int64),
            self._columns,
            self._names,
            np.zeros(len(self._names), np.int64),
            self.probes,
            scratch,
            kept,
            kept.astype(np.uint64),
        )
        return cell.reshape(size, self.probes).astype(np.int64), closeness.reshape(size, self.probes)
