"""Every metric on lists small enough to work out by hand."""

from __future__ import annotations

from math import log2

import numpy as np
import pytest

from yoorec.replay.metrics.config import MetricConfig
from yoorec.replay.metrics.coverage import Coverage
from yoorec.replay.metrics.hit_rate import HitRate
from yoorec.replay.metrics.mrr import MRR
from yoorec.replay.metrics.ndcg import NDCG
from yoorec.replay.metrics.precision import Precision
from yoorec.replay.metrics.recall import Recall


def _one(metric: type, hits: list[int], truths: int, k: int) -> float:
    hit = np.array([hits], np.bool_)
    (found,) = metric(MetricConfig()).per_request(hit, np.array([truths]), k).tolist()
    return found


@pytest.mark.parametrize(
    ("hits", "truths", "k", "expected"),
    [
        ([0, 1, 0], 1, 3, 1 / log2(3)),
        ([1, 0, 0], 1, 3, 1.0),
        ([0, 0, 1], 1, 2, 0.0),
        ([0, 0, 0], 1, 3, 0.0),
        ([1, 0, 1], 2, 3, (1 + 1 / 2) / (1 + 1 / log2(3))),
        ([1, 1, 1], 7, 3, 1.0),
        ([0, 1, 1], 5, 3, (1 / log2(3) + 1 / 2) / (1 + 1 / log2(3) + 1 / 2)),
        ([0, 0, 0], 0, 3, 0.0),
    ],
)
def test_ndcg(hits: list[int], truths: int, k: int, expected: float) -> None:
    assert _one(NDCG, hits, truths, k) == pytest.approx(expected, rel=1e-15)


@pytest.mark.parametrize(
    ("hits", "k", "expected"),
    [([1, 1, 0], 3, 1.0), ([0, 0, 1], 3, 1 / 3), ([0, 0, 1], 2, 0.0), ([0, 1, 1], 3, 1 / 2), ([0, 0], 2, 0.0)],
)
def test_mrr(hits: list[int], k: int, expected: float) -> None:
    assert _one(MRR, hits, 2, k) == expected


@pytest.mark.parametrize(("hits", "k", "expected"), [([0, 1, 1], 3, 1.0), ([0, 0, 1], 2, 0.0), ([1], 1, 1.0)])
def test_hit_rate(hits: list[int], k: int, expected: float) -> None:
    assert _one(HitRate, hits, 3, k) == expected


@pytest.mark.parametrize(
    ("hits", "truths", "k", "expected"),
    [([1, 0, 1], 4, 3, 2 / 4), ([1, 0, 1], 4, 2, 1 / 4), ([1], 1, 1, 1.0), ([0, 0], 0, 2, 0.0)],
)
def test_recall(hits: list[int], truths: int, k: int, expected: float) -> None:
    assert _one(Recall, hits, truths, k) == expected


@pytest.mark.parametrize(("hits", "k", "expected"), [([1, 0, 1], 3, 2 / 3), ([1, 0, 1], 2, 1 / 2), ([0], 1, 0.0)])
def test_precision(hits: list[int], k: int, expected: float) -> None:
    assert _one(Precision, hits, 4, k) == expected


def test_figures_stand_in_the_order_of_the_requests() -> None:
    hit = np.array([[0, 1], [0, 0], [1, 1]], np.bool_)
    truths = np.array([1, 1, 2])
    assert MRR(MetricConfig()).per_request(hit, truths, 2).tolist() == [0.5, 0.0, 1.0]
    assert NDCG(MetricConfig()).per_request(hit, truths, 2).tolist() == pytest.approx([1 / log2(3), 0.0, 1.0])


def test_coverage_counts_recommendable_items_once() -> None:
    coverage = Coverage(MetricConfig())
    shown = np.array([3, 0, 1, 0, 2])
    assert coverage.over_catalogue(shown, np.array([True, True, True, True, False]), 10) == 2 / 4
    assert coverage.over_catalogue(shown, np.zeros(5, np.bool_), 10) == 0.0
    assert coverage.over_catalogue(np.ones(5, np.int64), np.ones(5, np.bool_), 10) == 1.0
