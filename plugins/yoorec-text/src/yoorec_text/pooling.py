"""Vectors of items from the vectors of their words."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from yoorec.ragged.compiled import compiled
from yoorec_text.texts import Texts

__all__ = ["pooled", "without_common", "word_weights"]

F32 = npt.NDArray[np.float32]
F64 = npt.NDArray[np.float64]
I32 = npt.NDArray[np.int32]
I64 = npt.NDArray[np.int64]

_NOTHING_LEFT = 1e-5
"""A vector of which so small a share stays, without what is common, was nothing else."""


def word_weights(texts: Texts, weight: str, sif_a: float) -> F64:
    """float64 [W], the weight of each word: "idf", "sif" (Arora, Liang and Ma, ICLR 2017) or "none"."""
    count, having = texts.count()
    if weight == "idf":
        items = int((np.diff(texts.sentences) > 0).sum())
        return np.asarray(np.log((1 + items) / (1 + having)) + 1, np.float64)
    if weight == "sif":
        return np.asarray(sif_a / (sif_a + count / max(count.sum(), 1)), np.float64)
    return np.ones(len(count))


@compiled
def pooled(offsets: I64, word: I32, row: I64, weight: F64, vectors: F32, share: F64) -> F64:
    """float64 [I, D]: of each item the sum over its fields f of share[f] times the unit vector of the weighted sum of
    the vectors of its words; zeros where no word has a vector.

    offsets: int64 [I * F + 1], word: int32 [N], see `Texts`. row: int64 [W], a word's row in vectors float32 [V, D], or
    -1. weight: float64 [W]. share: float64 [F].
    """
    fields, width = len(share), vectors.shape[1]
    items = (len(offsets) - 1) // fields
    made = np.zeros((items, width))
    total = np.empty(width)
    for i in range(items):
        for f in range(fields):
            total[:] = 0.0
            for n in range(offsets[i * fields + f], offsets[i * fields + f + 1]):
                at = row[word[n]]
                if at >= 0:
                    by = weight[word[n]]
                    for d in range(width):
                        total[d] += by * vectors[at, d]
            square = 0.0
            for d in range(width):
                square += total[d] * total[d]
            if square > 0.0:
                by = share[f] / np.sqrt(square)
                for d in range(width):
                    made[i, d] += by * total[d]
    return made


def without_common(vectors: F64, components: int) -> F64:
    """The vectors [N, D] without their parts along the main directions u, the first eigenvectors of the sum of v v^T
    over all of them: v - sum over u of (v . u) u. A vector of nothing else becomes zeros.

    Which way a direction points makes no difference. Sums run in one order, whatever the threads (einsum, not BLAS);
    directions are rounded to float32.
    """
    if not components or not len(vectors):
        return vectors
    _, directions = np.linalg.eigh(np.einsum("nd,ne->de", vectors, vectors))
    # LAPACK's last digits differ with its threads; in float32 they are gone.
    main = np.ascontiguousarray(directions.T[::-1][:components], np.float32)
    return _less(vectors, main.astype(np.float64))


@compiled
def _less(vectors: F64, directions: F64) -> F64:
    """Vectors [N, D] without their parts along orthogonal unit directions [C, D]."""
    size, width = vectors.shape
    left = vectors.copy()
    for n in range(size):
        for c in range(len(directions)):
            along = 0.0
            for d in range(width):
                along += vectors[n, d] * directions[c, d]
            for d in range(width):
                left[n, d] -= along * directions[c, d]
        whole = rest = 0.0
        for d in range(width):
            whole += vectors[n, d] * vectors[n, d]
            rest += left[n, d] * left[n, d]
        if rest <= _NOTHING_LEFT * _NOTHING_LEFT * whole:
            left[n] = 0.0
    return left
