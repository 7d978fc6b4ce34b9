"""Blend weights learned from lists: softmax cross-entropy over each request's candidates, by Newton's method."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from yoorec.ragged import compiled
from yoorec.stages.normalise import normalised, trigger_scales

__all__ = ["FEATURES", "ListwiseFit", "fit_listwise", "score_rows"]

FEATURES = ("score", "place", "recalled")
"""What a trigger says of a row it recalled: normalised score, 1 / (1 + rank), and 1; all 0 of other rows."""

_STEPS = 100
_ENOUGH = 1e-12


@dataclass(frozen=True, slots=True)
class ListwiseFit:
    """Weights float64 [T, 3], the requests they were learned on, and the mean loss before and after."""

    weights: npt.NDArray[np.float64]
    requests: int
    loss_before: float
    loss: float


@compiled
def score_rows(
    offsets: npt.NDArray[np.int64],
    source_score: npt.NDArray[np.float32],
    source_rank: npt.NDArray[np.int32],
    weights: npt.NDArray[np.float64],
    by_rank: bool,
) -> npt.NDArray[np.float32]:
    """float32 [N]: the sum over triggers, in order, of weights [T, 3] x `FEATURES`, in double precision."""
    triggers = len(weights)
    best = np.empty(triggers, np.float64)
    depth = np.empty(triggers, np.float64)
    out = np.empty(len(source_score), np.float32)
    for b in range(len(offsets) - 1):
        start, stop = offsets[b], offsets[b + 1]
        trigger_scales(source_score, source_rank, start, stop, by_rank, best, depth)
        for row in range(start, stop):
            total = 0.0
            for t in range(triggers):
                rank = source_rank[row, t]
                if rank >= 0:
                    total += weights[t, 0] * normalised(source_score[row, t], rank, best[t], depth[t])
                    total += weights[t, 1] / (1.0 + rank)
                    total += weights[t, 2]
            out[row] = total
    return out


@compiled
def _derivatives(
    offsets: npt.NDArray[np.int64],
    source_score: npt.NDArray[np.float32],
    source_rank: npt.NDArray[np.int32],
    label: npt.NDArray[np.float32],
    weights: npt.NDArray[np.float64],
    by_rank: bool,
) -> tuple[int, float, npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Requests with a positive; over them the summed loss, its gradient [3T] and its Hessian's upper half."""
    triggers = len(weights)
    size = 3 * triggers
    longest = 0
    for b in range(len(offsets) - 1):
        longest = max(longest, offsets[b + 1] - offsets[b])
    best = np.empty(triggers, np.float64)
    depth = np.empty(triggers, np.float64)
    chance = np.empty(longest, np.float64)
    mean = np.empty(size, np.float64)
    active = np.empty(size, np.int64)
    x = np.empty(size, np.float64)
    gradient = np.zeros(size, np.float64)
    hessian = np.zeros((size, size), np.float64)
    loss = 0.0
    requests = 0
    for b in range(len(offsets) - 1):
        start, stop = offsets[b], offsets[b + 1]
        positives = 0.0
        for row in range(start, stop):
            positives += label[row]
        if positives <= 0.0:
            continue
        requests += 1
        trigger_scales(source_score, source_rank, start, stop, by_rank, best, depth)
        highest = -np.inf
        for row in range(start, stop):
            total = 0.0
            for t in range(triggers):
                rank = source_rank[row, t]
                if rank >= 0:
                    total += weights[t, 0] * normalised(source_score[row, t], rank, best[t], depth[t])
                    total += weights[t, 1] / (1.0 + rank) + weights[t, 2]
            chance[row - start] = total
            highest = max(highest, total)
            loss -= label[row] / positives * total
        mass = 0.0
        for i in range(stop - start):
            chance[i] = np.exp(chance[i] - highest)
            mass += chance[i]
        loss += np.log(mass) + highest
        mean[:] = 0.0
        for row in range(start, stop):
            p = chance[row - start] / mass
            count = 0
            for t in range(triggers):
                rank = source_rank[row, t]
                if rank >= 0:
                    x[count] = normalised(source_score[row, t], rank, best[t], depth[t])
                    x[count + 1] = 1.0 / (1.0 + rank)
                    x[count + 2] = 1.0
                    for f in range(3):
                        active[count + f] = 3 * t + f
                    count += 3
            wanted = label[row] / positives
            for i in range(count):
                mean[active[i]] += p * x[i]
                gradient[active[i]] += (p - wanted) * x[i]
                for j in range(i, count):
                    hessian[active[i], active[j]] += p * x[i] * x[j]
        for i in range(size):
            for j in range(i, size):
                hessian[i, j] -= mean[i] * mean[j]
    return requests, loss, gradient, hessian


def fit_listwise(
    offsets: npt.NDArray[np.int64],
    source_score: npt.NDArray[np.float32],
    source_rank: npt.NDArray[np.int32],
    label: npt.NDArray[np.float32],
    by_rank: bool,
    ridge: float,
    progress: Callable[..., None],
) -> ListwiseFit | None:
    """Weights [T, 3] that minimise the mean loss + ridge / 2 x the sum of their squares; None without a
    positive.

    The loss of a request is the cross-entropy between its positives (each with the same chance) and the
    softmax of its candidates' scores: the top-one form of ListNet (Z. Cao, T. Qin, T.-Y. Liu, M.-F. Tsai, H.
    Li: Learning to Rank: From Pairwise Approach to Listwise Approach, ICML 2007). It is convex in the
    weights, so Newton's method with halved steps ends at the one minimum. Requests without a positive say
    nothing about an order and are left out.
    """
    triggers = source_score.shape[1]
    weights = np.zeros((triggers, 3), np.float64)

    def look(
        at: npt.NDArray[np.float64],
    ) -> tuple[int, float, npt.NDArray[np.float64], npt.NDArray[np.float64]]:
        requests, loss, gradient, upper = _derivatives(offsets, source_score, source_rank, label, at, by_rank)
        if requests == 0:
            return 0, 0.0, gradient, upper
        flat = at.ravel()
        hessian = (upper + np.triu(upper, 1).T) / requests + ridge * np.eye(len(flat))
        penalty = 0.5 * ridge * float(np.sum(flat * flat))
        return requests, loss / requests + penalty, gradient / requests + ridge * flat, hessian

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
            trial = weights - length * direction.reshape(triggers, 3)
            _, new_value, new_gradient, new_hessian = look(trial)
            if new_value <= value - 1e-4 * length * gain:
                break
            length /= 2
        else:
            break  # no step lowers the loss any more: it is flat to the last bit
        weights, value, gradient, hessian = trial, new_value, new_gradient, new_hessian
    return ListwiseFit(weights, requests, before, value - 0.5 * ridge * float(np.sum(weights * weights)))
