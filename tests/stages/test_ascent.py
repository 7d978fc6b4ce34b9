"""Coordinate ascent: the metric against a literal count, and a climb that only goes up."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from yoorec.stages.ascent import climb_ndcg, mean_ndcg


def lists_of(seed: int, size: int = 12, features: int = 3) -> tuple[np.ndarray, ...]:
    """offsets, items, x with ties, labels (one or two positives a request), and k."""
    rng = np.random.default_rng(seed)
    lengths = rng.integers(2, 15, size)
    offsets = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
    rows = int(offsets[-1])
    item = np.concatenate([rng.permutation(50)[:length] for length in lengths]).astype(np.int32)
    x = (rng.integers(0, 5, (features, rows)) / 4).astype(np.float32)
    label = np.zeros(rows, np.float32)
    for start, length in zip(offsets[:-1], lengths, strict=True):
        label[start + rng.choice(length, rng.integers(1, 3), replace=False)] = 1
    return offsets, item, x, label, rng.integers(1, 6, size).astype(np.int32)


def slow(
    offsets: np.ndarray, item: np.ndarray, x: np.ndarray, label: np.ndarray, k: np.ndarray, w: np.ndarray
) -> float:
    total = 0.0
    for b in range(len(k)):
        rows = range(offsets[b], offsets[b + 1])
        score = {row: sum(float(w[f]) * float(x[f, row]) for f in range(len(w))) for row in rows}
        order = sorted(rows, key=lambda row: (-score[row], item[row]))
        positives = int(sum(label[row] > 0 for row in rows))
        ideal = sum(1 / math.log2(place + 2) for place in range(min(positives, k[b])))
        gain = sum(1 / math.log2(place + 2) for place, row in enumerate(order[: k[b]]) if label[row] > 0)
        total += gain / ideal
    return total / len(k)


@given(seed=st.integers(0, 500), weights=st.lists(st.sampled_from([-1.0, 0.0, 0.5, 2.0]), min_size=3, max_size=3))
def test_the_metric_is_what_a_literal_count_gives(seed: int, weights: list[float]) -> None:
    lists = lists_of(seed)
    w = np.array(weights)
    assert mean_ndcg(*lists, w) == pytest.approx(slow(*lists, w))


@pytest.mark.parametrize("seed", range(5))
def test_a_climb_never_ends_below_a_start(seed: int) -> None:
    lists = lists_of(seed, 40)
    lists[2][:] = np.random.default_rng(seed).random(lists[2].shape)
    starts = [np.array(each, np.float64) for each in ([1, 1, 1], [1, 0, 0], [0, 0, 1])]
    before = [start.copy() for start in starts]
    told: list[float] = []
    climb = climb_ndcg(*lists, starts, lambda done, note="": told.append(done))
    assert climb.starts == tuple(pytest.approx(slow(*lists, start)) for start in starts)
    assert climb.ndcg == pytest.approx(mean_ndcg(*lists, climb.weights))
    assert climb.ndcg > max(climb.starts)
    assert told == [0.5, 1.0]
    for start, copy in zip(starts, before, strict=True):
        np.testing.assert_array_equal(start, copy)


def test_a_feature_that_tells_everything_is_found() -> None:
    offsets, item, x, label, k = lists_of(1, 60)
    x[1] = label
    climb = climb_ndcg(offsets, item, x, label, k, [np.array([1.0, 0.0, 0.3])], lambda *_: None)
    assert climb.ndcg == 1.0
    assert climb.weights[1] > 0
