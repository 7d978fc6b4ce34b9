"""Vectors of items: kept at unit length, searched whole where they are few, through cells where they are many."""

from __future__ import annotations

import threading
from pathlib import Path

import numpy as np
import numpy.typing as npt

from yoorec.artifacts.arrays import load_arrays, save_arrays
from yoorec.errors import ArtifactError
from yoorec.vectors.cells import Cells
from yoorec.vectors.kernels import BLOCK, nearest_rows
from yoorec.vectors.rows import unit_rows

__all__ = ["ItemVectors"]

F32 = npt.NDArray[np.float32]
I32 = npt.NDArray[np.int32]
I64 = npt.NDArray[np.int64]


class _Scratch(threading.local):
    """What an exact search works in, kept per thread."""

    def __init__(self) -> None:
        self.score = np.empty(0, np.float32)
        self.kept = np.empty(0, np.int32)
        self.keys = np.empty(0, np.uint64)

    def of(self, rows: int, k: int) -> _Scratch:
        room = 4 * min(k, rows) + BLOCK
        if len(self.score) != rows:
            self.score = np.empty(rows, np.float32)
        if len(self.kept) < room:
            self.kept = np.empty(room, np.int32)
            self.keys = np.empty(room, np.uint64)
        return self


class ItemVectors:
    """N items with a vector each.

    item:    int32 [N], rising. vectors: float32 [N, D], unit length.
    cells:   the index of many vectors; None where all are compared.
    """

    def __init__(self, item: I32, vectors: F32, cells: Cells | None = None) -> None:
        self.item = item
        self.vectors = vectors
        self.cells = cells
        self._columns = np.ascontiguousarray(vectors.T) if cells is None else np.empty((0, 0), np.float32)
        self._scratch = _Scratch()

    @classmethod
    def build(
        cls,
        item: I32,
        vectors: npt.NDArray[np.floating],
        *,
        exact_below: int = 50_000,
        index_recall: float = 0.98,
        seed: int = 0,
    ) -> ItemVectors:
        """Bring vectors [N, D] of distinct items int32 [N] to unit length, and index them where they are many.

        An item whose vector is all zeros, or not finite, points nowhere and is left out.
        Raises PluginError where faiss is needed and not installed.
        """
        unit = unit_rows(vectors)
        order = np.argsort(item, kind="stable")
        order = order[np.any(unit[order] != 0, axis=1)]
        item, unit = np.ascontiguousarray(item[order], np.int32), np.ascontiguousarray(unit[order])
        cells = Cells.build(unit, index_recall, seed) if len(item) > exact_below else None
        return cls(item, unit, cells)

    @classmethod
    def none(cls) -> ItemVectors:
        """No vectors at all."""
        return cls(np.empty(0, np.int32), np.empty((0, 1), np.float32))

    def __len__(self) -> int:
        return len(self.item)

    def save(self, folder: Path) -> None:
        """Write items, vectors and, where there is one, the index."""
        save_arrays(folder, item=self.item, vectors=self.vectors)
        if self.cells is not None:
            self.cells.save(folder)

    @classmethod
    def load(cls, folder: Path) -> ItemVectors:
        """Read back what `save` wrote. Raises ArtifactError naming the file where it is something else."""
        item, vectors = load_arrays(folder, "item", "vectors")
        if item.dtype != np.int32 or vectors.dtype != np.float32 or vectors.shape[:1] != item.shape:
            raise ArtifactError(
                f"{folder / 'vectors.npy'}: {vectors.dtype} {vectors.shape} for {item.dtype} {item.shape} items, "
                "expected float32 [N, D] for int32 [N]"
            )
        return cls(item, vectors, Cells.load(folder, vectors))

    def nearest(
        self, query: F32, known: npt.NDArray[np.bool_], left_out: I32, k: int, time: I64, since: I64
    ) -> tuple[I64, I32, F32]:
        """At most k items nearest to each of B unit vectors: offsets int64 [B + 1], item int32 [M], cosine float32 [M].

        query: float32 [B, D]. known: bool [B], false finds nothing. left_out: int32 [B], a row not to be found, or -1.
        time: int64 [B]; a row is found only at or after its since, int64 [N].
        Best first, ties by item; no score depends on the batch.
        """
        if self.cells is None:
            scratch = self._scratch.of(len(self.item), k)
            found: tuple[I64, I32, F32] = nearest_rows(
                *(query, known, left_out, time, self._columns, self.item, since, k),
                *(scratch.score, scratch.kept, scratch.keys),
            )
            return found
        request, row, score = self._celled(query, np.flatnonzero(known), left_out, k, time, since)
        offsets = np.zeros(len(query) + 1, np.int64)
        np.cumsum(np.bincount(request, minlength=len(query)), out=offsets[1:])
        return offsets, self.item[row], score

    def _celled(self, query: F32, asked: I64, left_out: I32, k: int, time: I64, since: I64) -> tuple[I64, I32, F32]:
        """Request, row and score of what the cells hold for the requests `asked`, in their order."""
        assert self.cells is not None
        requests, rows, scores = [np.empty(0, np.int64)], [np.empty(0, np.int32)], [np.empty(0, np.float32)]
        fetch = k + 1
        while len(asked):
            fetch = min(fetch, len(self.item))
            offsets, row, score = self.cells.search(np.ascontiguousarray(query[asked]), fetch)
            request = np.repeat(asked, np.diff(offsets))
            kept = (row != left_out[request]) & (since[row] <= time[request])
            there = np.bincount(request[kept], minlength=len(query))[asked]
            # Where rows fell away that are not out yet, others behind them may still come in.
            short = (there < k) & (np.diff(offsets) == fetch) & (fetch < len(self.item))
            kept &= ~np.isin(request, asked[short])
            requests.append(request[kept])
            rows.append(row[kept])
            scores.append(score[kept])
            asked, fetch = asked[short], 4 * fetch
        found = np.concatenate(requests)
        order = np.argsort(found, kind="stable")
        found = found[order]
        best = np.arange(len(found)) - np.searchsorted(found, found) < k
        order = order[best]
        return found[best], np.concatenate(rows)[order], np.concatenate(scores)[order]
