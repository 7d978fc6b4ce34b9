"""Metrics against pairs, sorted lists and sums, one at a time."""

from __future__ import annotations

import math
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from yoorec_tf.metrics import auc, gauc, log_loss, ndcg, reliability

F32 = np.float32


def slow_auc(label: list[float], score: list[float]) -> float:
    won = [
        1.0 if one > other else 0.5 if one == other else 0.0
        for one, hit in zip(score, label, strict=True)
        if hit
        for other, hit_too in zip(score, label, strict=True)
        if not hit_too
    ]
    return sum(won) / len(won) if won else math.nan


def slow_ndcg(label: list[float], score: list[float], k: int) -> float:
    def gain(order: list[int]) -> float:
        return sum(label[row] / math.log2(place + 2) for place, row in enumerate(order[:k]))

    if not 0 < sum(map(bool, label)) < len(label):
        return math.nan
    rows = range(len(label))
    return gain(sorted(rows, key=lambda row: (-score[row], row))) / gain(sorted(rows, key=lambda row: -label[row]))


def drawn(seed: int) -> tuple[Any, ...]:
    draw = np.random.default_rng(seed)
    offsets = np.append(0, np.cumsum(draw.integers(0, 9, 40)))
    count = int(offsets[-1])
    return offsets, (draw.random(count) < 0.3).astype(F32), draw.integers(0, 5, count).astype(F32)


@pytest.mark.parametrize("seed", range(5))
def test_order_metrics_are_those_of_pairs_and_lists(seed: int) -> None:
    offsets, label, score = drawn(seed)
    assert auc(label, score) == pytest.approx(slow_auc(label.tolist(), score.tolist()), abs=1e-12)
    parts = [slice(start, stop) for start, stop in pairwise(offsets)]
    each = [slow_auc(label[part].tolist(), score[part].tolist()) for part in parts]
    there = [b for b, found in enumerate(each) if not math.isnan(found)]
    rows = [int(offsets[b + 1] - offsets[b]) for b in there]
    mean = sum(each[b] * weight for b, weight in zip(there, rows, strict=True)) / sum(rows)
    assert gauc(offsets, label, score) == pytest.approx(mean, abs=1e-12)
    for k in (1, 3, 10):
        expected = [slow_ndcg(label[part].tolist(), score[part].tolist(), k) for part in parts]
        np.testing.assert_allclose(ndcg(offsets, label, score, k), expected, atol=1e-12)


def test_by_hand() -> None:
    one = np.array([0, 3])
    label, score = np.array([0, 1, 0], F32), np.array([3, 2, 1], F32)
    assert auc(label, score) == 0.5
    assert ndcg(one, label, score, 3).tolist() == [1 / math.log2(3)]
    assert ndcg(one, label, score, 1).tolist() == [0.0]
    assert log_loss(np.array([1, 0], F32), np.array([0, 0], F32)) == pytest.approx(math.log(2))


def test_where_there_is_nothing_to_judge() -> None:
    none, one = np.zeros(0, F32), np.ones(2, F32)
    assert math.isnan(auc(none, none)) and math.isnan(auc(one, one)) and math.isnan(log_loss(none, none))
    assert math.isnan(gauc(np.array([0, 0, 2]), one, one))
    assert np.isnan(ndcg(np.array([0, 0, 2]), one, one, 10)).all()
    found = reliability(none, none)
    assert math.isnan(found.ece) and len(found.rows) == 0


def test_log_loss_is_the_weighted_cross_entropy() -> None:
    draw = np.random.default_rng(3)
    label, logit, weight = draw.random(50).astype(F32), draw.normal(0, 3, 50).astype(F32), draw.random(50).astype(F32)
    total = 0.0
    for y, x, w in zip(label.tolist(), logit.tolist(), weight.tolist(), strict=True):
        chance = 1 / (1 + math.exp(-x))
        total -= w * (y * math.log(chance) + (1 - y) * math.log(1 - chance))
    assert log_loss(label, logit, weight) == pytest.approx(total / weight.sum(dtype=np.float64), rel=1e-9)
    assert log_loss(np.array([1], F32), np.array([-1000], F32)) == 1000


def test_reliability_deals_sorted_rows_to_equal_bins() -> None:
    probability = np.array([0.9, 0.1, 0.2, 0.8, 0.5], F32)
    label = np.array([1, 0, 1, 1, 0], F32)
    found = reliability(label, probability, bins=2)
    assert found.rows.tolist() == [3, 2]
    np.testing.assert_allclose(found.foretold, [0.8 / 3, 0.85], rtol=1e-6)
    np.testing.assert_allclose(found.observed, [1 / 3, 1.0])
    assert found.ece == pytest.approx(0.6 * (1 / 3 - 0.8 / 3) + 0.4 * 0.15, rel=1e-5)
    assert reliability(label, probability, bins=9).rows.tolist() == [1] * 5


def test_honest_probabilities_have_a_small_ece() -> None:
    draw = np.random.default_rng(5)
    chance = draw.random(20_000).astype(F32)
    label = (draw.random(20_000) < chance).astype(F32)
    assert reliability(label, chance).ece < 0.02
    assert reliability(label, chance**2).ece > 0.1
