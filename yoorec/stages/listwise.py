"""Blend weights learned from lists: softmax cross-entropy over each request's candidates, by Newton's method."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from yoorec.ragged import compiled
from yoorec.stages.normalise import normalised, trigger_scales

__all__ = ["ListwiseFit", "fit_listwise"]

_STEPS = 100
_ENOUGH = 1e-12


@dataclass(frozen=True, slots=True)
class ListwiseFit:
    """Weights float64 [T + 1] (last: seen), the requests they were learned on, and the mean loss before and after."""

    weights: npt.NDArray[np.float64]
    requests: int
    loss_before: float
    loss: float


@compiled
def _derivatives(
    offsets: npt.NDArray[np.int64],
    source_score: npt.NDArray[np.float32],
    source_rank: npt.NDArray[np.int32],
    seen: npt.NDArray[np.bool_],
    label: npt.NDArray[np.float32],
    weights: npt.NDArray[np.float64],
    by_rank: bool,
) -> tuple[int, float, npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Requests with a positive; over them the summed loss, its gradient [T + 1] and its Hessian's upper half."""
    triggers = len(weights) - 1
    size = triggers + 1
    longest = 0
    for b in range(len(offsets) - 1):
        longest = max(longest, offsets[b + 1] - offsets[b])
    best = np.empty(triggers, np.float64)
    depth = np.empty(triggers, np.float64)
    x = np.empty((longest, size), np.float64)
    chance = np.empty(longest, np.float64)
    mean = np.empty(size, np.float64)
    gradient = np.zeros(size, np.float64)
    hessian = np.zeros((size, size), np.float64)
    loss = 0.0
    requests = 0
    for b in range(len(offsets) - 1):
        start, n = offsets[b], offsets[b + 1] - offsets[b]
        positives = 0.0
        for i in range(n):
            positives += label[start + i]
        if positives <= 0.0:
            continue
        requests += 1
        trigger_scales(source_score, source_rank, start, start + n, by_rank, best, depth)
        highest = -np.inf
        for i in range(n):
            row = start + i
            total = 0.0
            for t in range(triggers):
                x[i, t] = normalised(source_score[row, t], source_rank[row, t], best[t], depth[t])
                total += weights[t] * x[i, t]
            x[i, triggers] = 1.0 if seen[row] else 0.0
            total += weights[triggers] * x[i, triggers]
            chance[i] = total
            highest = max(highest, total)
            loss -= label[row] / positives * total
        mass = 0.0
        for i in range(n):
            chance[i] = np.exp(chance[i] - highest)
            mass += chance[i]
        loss += np.log(mass) + highest
        mean[:] = 0.0
        for i in range(n):
            p = chance[i] / mass
            surplus = p - label[start + i] / positives
            for f in range(size):
                if x[i, f] != 0.0:
                    mean[f] += p * x[i, f]
                    gradient[f] += surplus * x[i, f]
                    for g in range(f, size):
                        hessian[f, g] += p * x[i, f] * x[i, g]
        for f in range(size):
            for g in range(f, size):
                hessian[f, g] -= mean[f] * mean[g]
    return requests, loss, gradient, hessian


def fit_listwise(
    offsets: npt.NDArray[np.int64],
    source_score: npt.NDArray[np.float32],
    source_rank: npt.NDArray[np.int32],
    seen: npt.NDArray[np.bool_],
    label: npt.NDArray[np.float32],
    by_rank: bool,
    ridge: float,
    progress: Callable[..., None],
) -> ListwiseFit | None:
    """Weights [T + 1] that minimise the mean loss + ridge / 2 x the sum of their squares; None without a positive.

    The loss of a request is the cross-entropy between its positives (each with the same chance) and the softmax of its
    candidates' scores: the top-one form of ListNet (Z. Cao, T. Qin, T.-Y. Liu, M.-F. Tsai, H. Li: Learning to Rank:
    From Pairwise Approach to Listwise Approach, ICML 2007). It is convex in the weights, so Newton's method with halved
    steps ends at the one minimum. Requests without a positive say nothing about an order and are left out.
    """
    weights = np.zeros(source_score.shape[1] + 1, np.float64)

    def look(at: npt.NDArray[np.float64]) -> tuple[int, float, npt.NDArray[np.float64], npt.NDArray[np.float64]]:
        requests, loss, gradient, upper = _derivatives(offsets, source_score, source_rank, seen, label, at, by_rank)
        count = max(requests, 1)
        hessian = (upper + np.triu(upper, 1).T) / count + ridge * np.eye(len(at))
        return requests, loss / count + _penalty(at, ridge), gradient / count + ridge * at, hessian

    requests, value, gradient, hessian = look(weights)
    if requests == 0:
        return None
    before = value
    for step in range(_STEPS):
        direction = np.linalg.solve(hessian, gradient)
        gain = float(np.sum(gradient * direction))
        progress(min(0.99, step / 10), f"loss {value:.6f}")
        if gain < _ENOUGH:
            break
        length = 1.0
        while length > 1e-8:
            trial = weights - length * direction
            _, new_value, new_gradient, new_hessian = look(trial)
            if new_value <= value - 1e-4 * length * gain:
                break
            length /= 2
        else:
            break  # no step lowers the loss any more: it is flat to the last bit
        weights, value, gradient, hessian = trial, new_value, new_gradient, new_hessian
    return ListwiseFit(weights, requests, before, value - _penalty(weights, ridge))


def _penalty(weights: npt.NDArray[np.float64], ridge: float) -> float:
    return 0.5 * ridge * float(np.sum(weights * weights))
