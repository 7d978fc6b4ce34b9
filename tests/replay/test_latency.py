from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from yoorec.batch import Arrivals
from yoorec.data.episodes import Episodes, next_play
from yoorec.data.log import EventLog
from yoorec.pipeline import Pipeline
from yoorec.replay.latency import time_single_requests

Chain = Callable[..., Pipeline]


@pytest.fixture
def episodes(small_log: EventLog) -> Episodes:
    return next_play(small_log, int(small_log.time[int(0.7 * len(small_log))]), None, "next", 20)


def _ticking(steps_s: list[float]) -> Callable[[], float]:
    """A clock that moves by the next step at each look."""
    now, steps = 0.0, iter(steps_s)

    def clock() -> float:
        nonlocal now
        now += next(steps)
        return now

    return clock


def test_requests_are_timed_one_at_a_time(chain: Chain, episodes: Episodes, monkeypatch: pytest.MonkeyPatch) -> None:
    pipeline = chain(slate=7)
    run, sizes = pipeline.run, []

    def watched(arrivals: Arrivals) -> object:
        sizes.append((len(arrivals), int(arrivals.k[0])))
        return run(arrivals)

    monkeypatch.setattr(pipeline, "run", watched)
    durations = [0.001, 0.002, 0.003, 0.004]
    clock = _ticking([0.0] + [step for each in durations for step in (0.0, each)])
    found = time_single_requests(pipeline, episodes, requests=4, clock=clock)
    assert found is not None
    assert found.requests == 4
    assert found.p50_ms == pytest.approx(2.5)
    assert found.p90_ms == pytest.approx(3.7)
    assert found.p99_ms == pytest.approx(3.97)
    assert sizes == [(1, 7)] * (4 + 4)  # as many again to warm up


def test_the_budget_stops_it(chain: Chain, episodes: Episodes) -> None:
    clock = _ticking([0.0] + [0.0, 1.5] * 10)
    found = time_single_requests(chain(), episodes, budget_s=4.0, clock=clock)
    assert found is not None
    assert found.requests == 3


def test_nothing_to_time(chain: Chain, episodes: Episodes) -> None:
    assert time_single_requests(chain(), episodes.take(np.arange(0))) is None


def test_the_real_clock_gives_plausible_figures(chain: Chain, episodes: Episodes) -> None:
    found = time_single_requests(chain(), episodes, requests=20)
    assert found is not None
    assert found.requests == 20
    assert 0 < found.p50_ms <= found.p90_ms <= found.p99_ms
