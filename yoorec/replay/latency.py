"""Latency: what one request alone costs the chain, without HTTP."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from yoorec.data.episodes import Episodes
    from yoorec.pipeline import Pipeline

__all__ = ["Latency", "time_single_requests"]

_WARM_UP = 5


@dataclass(frozen=True, slots=True)
class Latency:
    """Wall time of single requests through the pipeline, one after another on one thread.

    requests: how many were timed. p50_ms, p90_ms, p99_ms: percentiles, milliseconds.
    """

    requests: int
    p50_ms: float
    p90_ms: float
    p99_ms: float


def time_single_requests(
    pipeline: Pipeline,
    episodes: Episodes,
    *,
    requests: int = 500,
    budget_s: float = 2.0,
    seed: int = 0,
    clock: Callable[[], float] = time.perf_counter,
) -> Latency | None:
    """Time requests drawn from the episodes, each a batch of one.

    requests: at most so many, and no further one after budget_s seconds. None where there is nothing to time.
    """
    if not len(episodes):
        return None
    rows = np.random.default_rng(seed).permutation(len(episodes))[:requests]
    arrivals = episodes.take(rows).arrivals(pipeline.scenario.slate)
    for row in range(min(_WARM_UP, len(rows))):
        pipeline.run(arrivals.take(np.array([row])))
    times: list[float] = []
    end = clock() + budget_s
    for row in range(len(rows)):
        one = arrivals.take(np.array([row]))
        started = clock()
        pipeline.run(one)
        stopped = clock()
        times.append((stopped - started) * 1000)
        if stopped > end:
            break
    p50, p90, p99 = np.percentile(times, (50, 90, 99))
    return Latency(len(times), float(p50), float(p90), float(p99))
