"""Vectors of items from the plays they share users with, from which training may start."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from numba import njit

__all__ = ["coplay_vectors"]

F32 = npt.NDArray[np.float32]
I32 = npt.NDArray[np.int32]
I64 = npt.NDArray[np.int64]

_SPARE = 8
"""Directions found beside those that are kept, so that these settle sooner."""
_PASSES = 12
"""Passes over the plays; what they leave unsettled is about as strong as what is left out."""


def coplay_vectors(user: I64, item: I32, items: int, dim: int, rng: np.random.Generator) -> F32:
    """float32 [I, D]: items that the same users play lean the same way; each is of length 1, of 0 without plays.

    user: int64 [P], whose plays stand together. item: int32 [P], below `items`. No pair of them comes twice.

    With A the users by items, 1 / sqrt(plays of the user x plays of the item) where one played the other, these are
    the rows of the D first right singular vectors of A, each times its singular value (Dhillon, "Co-clustering
    Documents and Words Using Bipartite Spectral Graph Partitioning", KDD 2001), found by
    orthogonal iteration and a turn inside what that has found (Rayleigh and Ritz).
    """
    begins = np.flatnonzero(np.diff(user, prepend=-1)) if len(user) else np.empty(0, np.int64)
    offsets = np.append(begins, len(user))
    plays = np.bincount(item, minlength=items)
    root = 1 / np.sqrt(np.maximum(plays, 1))
    found = rng.standard_normal((items, dim + _SPARE)) * (plays > 0)[:, None]
    for _ in range(_PASSES):
        _orthonormal(found)
        found = _through(offsets, item, root, found)
    _orthonormal(found)
    # Products by einsum, which adds up in one order on any number of threads.
    inside = np.einsum("ik,il->kl", found, _through(offsets, item, root, found))
    square, turn = np.linalg.eigh(inside)
    strength = np.sqrt(np.maximum(square[::-1][:dim], 0))
    vectors = np.einsum("ik,kd->id", found, turn[:, ::-1][:, :dim]) * strength
    length = np.linalg.norm(vectors, axis=1, keepdims=True)
    return np.asarray(vectors / np.where(length > 0, length, 1), np.float32)


@njit(nogil=True, cache=True)
def _through(offsets: Any, item: Any, root: Any, vectors: Any) -> Any:
    """A'A times vectors float64 [I, K], user by user."""
    width = vectors.shape[1]
    out = np.zeros_like(vectors)
    met = np.empty(width)
    for u in range(len(offsets) - 1):
        start, stop = offsets[u], offsets[u + 1]
        met[:] = 0.0
        for p in range(start, stop):
            weight = root[item[p]] / (stop - start)
            for k in range(width):
                met[k] += weight * vectors[item[p], k]
        for p in range(start, stop):
            weight = root[item[p]]
            for k in range(width):
                out[item[p], k] += weight * met[k]
    return out


@njit(nogil=True, cache=True)
def _orthonormal(vectors: Any) -> None:
    """Make the columns of float64 [I, K] orthonormal, from left to right; one that the others span becomes 0."""
    size, width = vectors.shape
    product = np.empty(width)
    for k in range(width):
        before = 0.0
        for i in range(size):
            before += vectors[i, k] * vectors[i, k]
        for _ in range(2):  # the second time takes away what rounding left
            product[:k] = 0.0
            for i in range(size):
                for other in range(k):
                    product[other] += vectors[i, other] * vectors[i, k]
            for i in range(size):
                for other in range(k):
                    vectors[i, k] -= product[other] * vectors[i, other]
        after = 0.0
        for i in range(size):
            after += vectors[i, k] * vectors[i, k]
        scale = 1.0 / np.sqrt(after) if after > 1e-20 * before else 0.0
        for i in range(size):
            vectors[i, k] *= scale
