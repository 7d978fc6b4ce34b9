"""Stacking: the share against one worked out request by request, and that it goes where it should."""

from __future__ import annotations

import math

import numpy as np
import pytest
from yoorec_tf.stacking import NO_STACK, stacked


def world(requests: int, network: float, blend: float, seed: int = 0) -> tuple[np.ndarray, ...]:
    """offsets, user, label and two scores that tell so much of it; some requests without a positive or a row."""
    draw = np.random.default_rng(seed)
    length = draw.integers(0, 30, requests)
    offsets = np.append(0, np.cumsum(length)).astype(np.int64)
    rows = int(offsets[-1])
    truth = draw.normal(size=rows)
    label = (truth > 1.5).astype(np.float32)
    scores = [(strength * truth + draw.normal(size=rows)).astype(np.float32) for strength in (network, blend)]
    user = draw.integers(-1, max(2, requests // 3), requests).astype(np.int32)
    return offsets, user, label, scores[0], (scores[1] * 0.1).astype(np.float32)


def slow(offsets: np.ndarray, user: np.ndarray, label: np.ndarray, network: np.ndarray, blend: np.ndarray) -> float:
    """The share, from plain loops."""
    ratio = float(network.std(dtype=np.float64)) / float(blend.std(dtype=np.float64))
    gains: list[list[float]] = []
    for tenth in range(11):
        share = tenth / 10
        own: list[float] = []
        for b in range(len(offsets) - 1):
            rows = range(int(offsets[b]), int(offsets[b + 1]))
            if not 0 < sum(label[row] > 0 for row in rows) < len(rows):
                continue
            score = {row: network[row] * np.float32(1 - share) + blend[row] * np.float32(share * ratio) for row in rows}
            order = sorted(rows, key=lambda row: -score[row])
            best = sorted((float(label[row]) for row in rows), reverse=True)
            gain = sum(float(label[row]) / math.log2(place + 2) for place, row in enumerate(order[:10]))
            own.append(gain / sum(one / math.log2(place + 2) for place, one in enumerate(best[:10])))
        gains.append(own)
    judged = [
        b
        for b in range(len(offsets) - 1)
        if 0 < sum(label[offsets[b] : offsets[b + 1]] > 0) < offsets[b + 1] - offsets[b]
    ]
    top = max(gains, key=lambda own: sum(own))
    total = weighed = 0.0
    for tenth, own in enumerate(gains):
        behind = [first - second for first, second in zip(top, own, strict=True)]
        mean = sum(behind) / len(behind)
        by_user: dict[int, float] = {}
        for b, each in zip(judged, behind, strict=True):
            key = int(user[b]) if user[b] >= 0 else -1 - b
            by_user[key] = by_user.get(key, 0.0) + each - mean
        error = math.sqrt(sum(each**2 for each in by_user.values())) / len(behind)
        weight = math.exp(-((mean / error) ** 2) / 2) if error else float(mean <= 0)
        total, weighed = total + weight, weighed + weight * tenth / 10
    return weighed / total


@pytest.mark.parametrize("strengths", [(1.0, 1.0), (2.0, 0.2), (0.3, 3.0)])
@pytest.mark.parametrize("requests", [5, 80])
def test_the_share_is_the_likely_mean(requests: int, strengths: tuple[float, float]) -> None:
    given = world(requests, *strengths)
    found = stacked(*given)
    assert found.share == pytest.approx(slow(*given), abs=1e-9)
    assert found.own == 1 - found.share
    network, blend = given[3:]
    assert found.beside == pytest.approx(found.share * network.std(dtype=float) / blend.std(dtype=float))


def test_it_goes_to_what_foretells_and_to_the_middle_where_nothing_tells_them_apart() -> None:
    assert stacked(*world(2000, 3.0, 0.0)).share < 0.1
    assert stacked(*world(2000, 0.0, 3.0)).share > 0.9
    assert 0.35 < stacked(*world(2000, 1.0, 1.0)).share < 0.65, "two that err apart are best together"
    assert 0.2 < stacked(*world(6, 1.0, 1.0, seed=3)).share < 0.8
    offsets, user, label, network, _ = world(50, 1.0, 1.0)
    same = stacked(offsets, user, label, network, network)
    assert same.share == pytest.approx(0.5), "the same twice: no share is better than another"


def test_without_anything_to_judge_by_the_network_stands_alone() -> None:
    offsets, user, label, network, blend = world(50, 1.0, 1.0)
    assert stacked(offsets, user, np.zeros_like(label), network, blend) == NO_STACK
    assert stacked(offsets, user, label, network, np.zeros_like(blend)) == NO_STACK
    assert stacked(offsets, user, label, np.ones_like(network), blend) == NO_STACK
    none = np.empty(0, np.float32)
    assert stacked(np.zeros(1, np.int64), np.empty(0, np.int32), none, none, none) == NO_STACK
    infinite = network.copy()
    infinite[0] = np.inf
    assert stacked(offsets, user, label, infinite, blend) == NO_STACK
