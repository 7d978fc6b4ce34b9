"""Blend weights climbed to the best ndcg: coordinate ascent on the metric itself, from several starts."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from yoorec.ragged import compiled

__all__ = ["Climb", "climb_ndcg", "mean_ndcg"]

_ROUNDS = 8
_GROWTH, _SHRINK = 1.5, 3.0
_FIRST = 0.5
"""Share of a weight that its first step is."""
_LEAST = 0.1
"""Share of the greatest weight that a weight counts as at least, so that one at 0 moves too."""
_GAIN = 1e-6


@dataclass(frozen=True, slots=True)
class Climb:
    """Weights float64 [F], and the mean ndcg at each start and at the end."""

    weights: npt.NDArray[np.float64]
    starts: tuple[float, ...]
    ndcg: float


@compiled
def _ndcg(
    offsets: npt.NDArray[np.int64],
    item: npt.NDArray[np.int32],
    label: npt.NDArray[np.float32],
    k: npt.NDArray[np.int32],
    discount: npt.NDArray[np.float64],
    score: npt.NDArray[np.float64],
    column: npt.NDArray[np.float32],
    step: float,
) -> float:
    total = 0.0
    size = len(offsets) - 1
    for b in range(size):
        start, stop = offsets[b], offsets[b + 1]
        positives, gain, ideal = 0, 0.0, 0.0
        for i in range(start, stop):
            if label[i] > 0:
                if positives < k[b]:
                    ideal += discount[positives]
                positives += 1
                own = score[i] + step * column[i]
                place, tied = 0, 0
                for j in range(start, stop):  # free of branches, for all of a register at once
                    other = score[j] + step * column[j]
                    place += other > own
                    tied += other == own
                if tied > 1:
                    for j in range(start, stop):
                        place += (score[j] + step * column[j] == own) and item[j] < item[i]
                if place < k[b]:
                    gain += discount[place]
        if ideal > 0.0:
            total += gain / ideal
    return total / max(size, 1)


@dataclass(frozen=True, slots=True)
class _Lists:
    """Requests with a positive: what the metric is taken on."""

    offsets: npt.NDArray[np.int64]
    item: npt.NDArray[np.int32]
    x: npt.NDArray[np.float32]
    label: npt.NDArray[np.float32]
    k: npt.NDArray[np.int32]
    discount: npt.NDArray[np.float64]

    def at(self, score: npt.NDArray[np.float64], feature: int, step: float) -> float:
        return _ndcg(self.offsets, self.item, self.label, self.k, self.discount, score, self.x[feature], step)


def mean_ndcg(
    offsets: npt.NDArray[np.int64],
    item: npt.NDArray[np.int32],
    x: npt.NDArray[np.float32],
    label: npt.NDArray[np.float32],
    k: npt.NDArray[np.int32],
    weights: npt.NDArray[np.float64],
) -> float:
    """Mean ndcg of B requests' first k items, ordered by weights float64 [F] times x float32 [F, N], ties by item.

    Gain 1 for each row with a label above 0, discounted by 1 / log2(place + 2); 0 for a request without one.
    """
    lists = _Lists(offsets, item, x, label, k, _discount(k))
    return lists.at(_scores(weights, x), 0, 0.0)


def climb_ndcg(
    offsets: npt.NDArray[np.int64],
    item: npt.NDArray[np.int32],
    x: npt.NDArray[np.float32],
    label: npt.NDArray[np.float32],
    k: npt.NDArray[np.int32],
    starts: Sequence[npt.NDArray[np.float64]],
    progress: Callable[..., None],
) -> Climb:
    """Move one weight after the other, each as far as the mean ndcg rises; of the two best starts the better end.

    Metzler and Croft, "Linear feature-based models for information retrieval", Information Retrieval 10, 2007. The
    metric is flat between swaps of places, so the climb starts from weights that are good already, and its steps are
    shares of them. It never ends below the best start. Arguments as in `mean_ndcg`; every request has a positive.
    """
    lists = _Lists(offsets, item, x, label, k, _discount(k))
    before = [mean_ndcg(offsets, item, x, label, k, start) for start in starts]
    order = sorted(range(len(starts)), key=lambda place: -before[place])[:2]
    best, highest = starts[order[0]], before[order[0]]
    for turn, place in enumerate(order):
        weights = _climb(lists, starts[place], before[place])
        reached = lists.at(_scores(weights, x), 0, 0.0)  # afresh: the steps' own sums may part what ties
        if reached > highest:
            best, highest = weights, reached
        progress((turn + 1) / len(order), f"ndcg {highest:.4f}")
    return Climb(best, tuple(before), highest)


def _climb(lists: _Lists, start: npt.NDArray[np.float64], reached: float) -> npt.NDArray[np.float64]:
    weights = start.copy()
    score = _scores(weights, lists.x)
    floor = _LEAST * float(np.abs(weights).max())
    share = _FIRST
    for _ in range(_ROUNDS):
        before = reached
        for feature in np.argsort(-np.abs(weights), kind="stable").tolist():
            for sign in (1.0, -1.0):
                step = sign * share * max(abs(weights[feature]), floor)
                while (found := lists.at(score, feature, step)) > reached + _GAIN:
                    reached = found
                    weights[feature] += step
                    score += step * lists.x[feature]
                    step *= _GROWTH
        if reached == before:
            share /= _SHRINK
    return weights


def _scores(weights: npt.NDArray[np.float64], x: npt.NDArray[np.float32]) -> npt.NDArray[np.float64]:
    """Feature by feature: a matrix of x in double precision would be the largest thing in memory."""
    score = np.zeros(x.shape[1], np.float64)
    for weight, column in zip(weights.tolist(), x, strict=True):
        score += weight * column
    return score


def _discount(k: npt.NDArray[np.int32]) -> npt.NDArray[np.float64]:
    places = np.arange(int(k.max(initial=1)), dtype=np.float64)
    return np.asarray(1.0 / np.log2(places + 2.0), np.float64)
