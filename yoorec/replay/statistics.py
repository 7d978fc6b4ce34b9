"""Confidence intervals by the bootstrap over clusters: users, or sessions where requests have no user.

Requests of one user resemble each other, so users are drawn, not requests: each resample takes as many clusters as
there are, with replacement, and the figure is the mean over all requests of the drawn clusters (the cluster bootstrap
with percentile intervals: Efron and Tibshirani, An Introduction to the Bootstrap, 1993, chapters 8 and 13).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

__all__ = ["Interval", "interval", "resampled_means"]

Float64 = npt.NDArray[np.float64]

_BLOCK_CELLS = 4_000_000


@dataclass(frozen=True, slots=True)
class Interval:
    """A figure and the ends of its 95 % interval; None where it has no interval."""

    value: float
    low: float | None = None
    high: float | None = None


def resampled_means(
    values: Sequence[Float64],
    cluster: npt.NDArray[np.int32],
    resamples: int,
    seed: int,
    rows: npt.NDArray[np.int64] | None = None,
) -> Float64:
    """float64 [resamples, M]: the mean of each of M figures over the requests of each resample of clusters.

    values:  M columns, each float64 [R]. cluster: int32 [R], any numbering.
    rows:    the requests meant, where not all; only clusters with such a request are drawn.
    Same clusters, resamples and seed, same resamples: rows of two calls are paired.
    Memory is bounded by blocks of resamples, about 64 MB; of `values` one column at a time is copied.
    """
    for column in values:
        if column.shape != cluster.shape:
            raise ValueError(f"each column must be {cluster.shape} like the clusters, found {column.shape}")
    own = cluster if rows is None else cluster[rows]
    if not len(own):
        raise ValueError("there is nothing to resample: no requests")
    names, member = np.unique(own, return_inverse=True)
    clusters = len(names)
    # The last column counts the requests of each cluster: the mean of a resample is a ratio of two sums.
    sums = np.empty((clusters, len(values) + 1))
    for place, column in enumerate(values):
        weights = column if rows is None else column[rows]
        sums[:, place] = np.bincount(member, weights=weights, minlength=clusters)
    sums[:, -1] = np.bincount(member, minlength=clusters)
    rng = np.random.default_rng(seed)
    block = max(1, _BLOCK_CELLS // clusters)
    means = np.empty((resamples, len(values)))
    for start in range(0, resamples, block):
        size = min(block, resamples - start)
        drawn = rng.integers(0, clusters, (size, clusters))
        drawn += np.arange(size)[:, None] * clusters
        times = np.bincount(drawn.ravel(), minlength=size * clusters).reshape(size, clusters)
        totals = times.astype(np.float64) @ sums
        means[start : start + size] = totals[:, :-1] / totals[:, -1:]
    return means


def interval(value: float, means: Float64, clusters: int) -> Interval:
    """The 95 % percentile interval of a figure.

    value: over the requests themselves. means: float64 [resamples], the figure (or a paired difference) of each
    resample. clusters: how many there are; fewer than 2 say nothing about other users, so low and high are None.
    """
    if clusters < 2:
        return Interval(value)
    low, high = np.percentile(means, (2.5, 97.5))
    return Interval(value, float(low), float(high))
