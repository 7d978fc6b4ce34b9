"""Drift of scores between two windows: histograms and the population stability index."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from yoorec.batch import CandidateBatch

__all__ = ["Histogram", "histogram", "psi", "score_drift", "score_histograms"]

_BINS = 10


@dataclass(frozen=True, slots=True)
class Histogram:
    """Scores counted in bins that are the same for every window.

    edges:  float64 [E], rising inner edges; bin i holds edges[i - 1] <= score < edges[i], the outer bins are
            open.
    counts: int64 [E + 2], one a bin, and last the rows without a (finite) score.
    """

    edges: npt.NDArray[np.float64]
    counts: npt.NDArray[np.int64]

    def plain(self) -> dict[str, list[float] | list[int]]:
        """Plain lists, for JSON."""
        return {"edges": self.edges.tolist(), "counts": self.counts.tolist()}

    @classmethod
    def of_plain(cls, plain: Mapping[str, Any]) -> Histogram:
        """What `plain` gave. Raises KeyError, TypeError or ValueError where it is something else."""
        found = cls(np.array(plain["edges"], np.float64), np.array(plain["counts"], np.int64))
        if found.edges.ndim != 1 or found.counts.shape != (len(found.edges) + 2,):
            raise ValueError(f"a histogram with {len(found.edges)} edges has {len(found.edges) + 2} counts")
        return found


def histogram(
    scores: npt.NDArray[np.floating[Any]], edges: npt.NDArray[np.float64] | None = None, bins: int = _BINS
) -> Histogram:
    """Count scores [N] of any float type; NaN and infinities are rows without a score.

    edges: the inner edges of an earlier histogram; None sets them at this window's quantiles, `bins` bins of
           about equal
    counts, fewer where many scores are equal.
    """
    finite = scores[np.isfinite(scores)].astype(np.float64)
    if edges is None:
        shares = np.arange(1, bins) / bins
        edges = np.unique(np.quantile(finite, shares)) if len(finite) else np.empty(0, np.float64)
    counts = np.bincount(np.searchsorted(edges, finite, side="right"), minlength=len(edges) + 1)
    return Histogram(edges, np.append(counts, len(scores) - len(finite)).astype(np.int64))


def psi(expected: Histogram, actual: Histogram) -> float:
    """Population stability index, the sum over bins of (a - e) ln(a / e), for the shares e and a of rows in a
    bin.

    Half a row is added to every bin, so that an empty one stays finite. By custom below 0.1 little has
    changed, and above 0.25 much has (N. Siddiqi: Credit Risk Scorecards, Wiley 2006). Raises ValueError where
    the edges differ.
    """
    if not np.array_equal(expected.edges, actual.edges):
        raise ValueError("the stability index compares histograms with the same edges")
    e = (expected.counts + 0.5) / (expected.counts.sum() + 0.5 * len(expected.counts))
    a = (actual.counts + 0.5) / (actual.counts.sum() + 0.5 * len(actual.counts))
    return float(np.sum((a - e) * np.log(a / e)))


def score_histograms(candidates: CandidateBatch, like: Mapping[str, Histogram] | None = None) -> dict[str, Histogram]:
    """A histogram of each trigger's scores in merged candidates, by trigger; edges from `like` where given."""
    if candidates.source_score is None:
        return {}
    found = {}
    for t, name in enumerate(candidates.sources):
        edges = like[name].edges if like is not None and name in like else None
        found[name] = histogram(candidates.source_score[:, t], edges)
    return found


def score_drift(expected: Mapping[str, Histogram], candidates: CandidateBatch) -> dict[str, float]:
    """The stability index of every trigger's scores against an earlier window, by trigger.

    A trigger that only one of the windows knows is left out.
    """
    actual = score_histograms(candidates, expected)
    return {name: psi(expected[name], found) for name, found in actual.items() if name in expected}
