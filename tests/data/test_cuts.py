"""Cuts: shares of plays, dates, order, production, and protocol `given`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from yoorec.config.scenario import Scenario
from yoorec.data.cuts import Cuts, production_cuts, resolve_cuts
from yoorec.data.dataset import Dataset
from yoorec.data.episodes import given_episodes, next_play
from yoorec.data.log import EventLog, Given
from yoorec.data.sources.config import DemoConfig
from yoorec.errors import ConfigError, DataError
from yoorec.testing.worlds import small_catalogue

Make = Callable[..., Scenario]
DAY_MS = 86_400_000
JAN_MS = 1_704_067_200_000  # 2024-01-01


def dataset_of(
    times: list[int], weights: list[int] | None = None, sessions: list[int] | None = None, given: Given | None = None
) -> Dataset:
    size = len(times)
    none, nan = np.full(size, -1, np.int32), np.full(size, np.nan, np.float32)
    weight = np.array(weights or [1] * size, np.float32)
    log = EventLog(
        np.zeros(size, np.int32),
        np.arange(size, dtype=np.int32) % 6,
        np.array(times, np.int64),
        (weight > 0).astype(np.int8),
        weight,
        np.array(sessions or [0] * size, np.int32),
        nan,
        none,
        none,
        nan,
        none,
        ("impression", "play"),
        small_catalogue(3, 6),
    )
    return Dataset(log, given)


def test_a_share_counts_plays_not_time_nor_other_events(scenario: Make) -> None:
    # 10 plays in a burst and a tail, with impressions between.
    times = [0, 1, 2, 3, 4, 5, 6, 100, 101, 200, 1000, 5000]
    weights = [1, 0, 1, 1, 0, 1, 1, 1, 1, 1, 1, 1]
    made = scenario("demo", DemoConfig(), 0.5, 0.9)
    assert resolve_cuts(made, dataset_of(times, weights)) == Cuts(100, 5000, 5001)
    plays = [time for time, weight in zip(times, weights, strict=True) if weight]
    for share in (0.1, 0.29, 0.3, 0.57, 0.7, 0.8):
        cuts = resolve_cuts(scenario("demo", DemoConfig(), share, 0.9), dataset_of(times, weights))
        assert cuts.rank_cut == plays[int(share * 10 + 1e-9)]


def test_a_rank_that_float_arithmetic_would_miss(scenario: Make) -> None:
    cuts = resolve_cuts(scenario("demo", DemoConfig(), 0.29, 0.9), dataset_of(list(range(100))))
    assert cuts.rank_cut == 29  # 0.29 * 100 is 28.999999999999996


def test_dates_are_utc(scenario: Make) -> None:
    times = [JAN_MS + day * DAY_MS for day in range(10)]
    for written, expected in (
        ("2024-01-03", JAN_MS + 2 * DAY_MS),
        ("2024-01-03T12:00:00", JAN_MS + 2 * DAY_MS + DAY_MS // 2),
        ("2024-01-03T02:00:00+02:00", JAN_MS + 2 * DAY_MS),
        ("2024-01-03T00:00:00Z", JAN_MS + 2 * DAY_MS),
    ):
        assert resolve_cuts(scenario("demo", DemoConfig(), written, 0.9), dataset_of(times)).rank_cut == expected


@pytest.mark.parametrize(
    ("rank", "cut", "message"),
    [
        (
            0.9,
            0.8,
            "scenarios/test.yaml: fit.rank_cut: fit.rank_cut 0.9 falls on 2024-01-10T00:00:00.000Z, "
            "not before replay.cut 0.8 on 2024-01-09T00:00:00.000Z",
        ),
        (
            "2024-01-05",
            "2024-01-05",
            "scenarios/test.yaml: fit.rank_cut: fit.rank_cut 2024-01-05 falls on 2024-01-05T00:00:00.000Z, "
            "not before replay.cut 2024-01-05 on 2024-01-05T00:00:00.000Z",
        ),
        (
            0.5,
            "2025-01-01",
            "scenarios/test.yaml: replay.cut: replay.cut 2025-01-01 falls on 2025-01-01T00:00:00.000Z, "
            "not before the log's end on 2024-01-10T00:00:00.001Z",
        ),
        (
            0.5,
            1.0,
            "scenarios/test.yaml: replay.cut: replay.cut 1.0 falls on 2024-01-10T00:00:00.001Z, "
            "not before the log's end on 2024-01-10T00:00:00.001Z",
        ),
        (
            "2023-01-01",
            0.5,
            "scenarios/test.yaml: fit.rank_cut: fit.rank_cut 2023-01-01 falls on 2023-01-01T00:00:00.000Z, "
            "not after the log's first play on 2024-01-01T00:00:00.000Z",
        ),
    ],
)
def test_cuts_out_of_order(scenario: Make, rank: Any, cut: Any, message: str) -> None:
    times = [JAN_MS + day * DAY_MS for day in range(10)]
    with pytest.raises(ConfigError) as caught:
        resolve_cuts(scenario("demo", DemoConfig(), rank, cut), dataset_of(times))
    assert str(caught.value) == f"{message}\n  accepted: fit.rank_cut < replay.cut < the log's end"


def test_what_is_no_date(scenario: Make) -> None:
    with pytest.raises(ConfigError) as caught:
        resolve_cuts(scenario("demo", DemoConfig(), 0.5, "yesterday"), dataset_of([1, 2, 3]))
    assert str(caught.value) == (
        "scenarios/test.yaml: replay.cut: 'yesterday' is no date\n"
        "  accepted: a share of plays such as 0.9, or a date such as 2022-05-01T12:00:00"
    )


def test_production_moves_the_window_to_the_end(scenario: Make) -> None:
    times = list(range(0, 1000, 10))
    assert production_cuts(scenario("demo", DemoConfig(), 0.7, 0.9), dataset_of(times)) == Cuts(800, 991, 991)
    days = [JAN_MS + day * DAY_MS for day in range(10)]
    end = days[-1] + 1
    for rank in ("2024-01-05", 0.4):
        made = scenario("demo", DemoConfig(), rank, "2024-01-08")
        assert production_cuts(made, dataset_of(days)) == Cuts(end - 3 * DAY_MS, end, end)


def given_dataset(sessions: int = 20) -> Dataset:
    times = list(range(2 * sessions))
    rows = Given(np.array([0, 2, 3], np.int64), np.array([1, 2, 1], np.int32), np.array([3, 2], np.int32))
    return dataset_of(times, sessions=[time // 2 for time in times], given=rows)


def test_given_ranks_on_the_last_tenth_of_the_sessions(scenario: Make) -> None:
    made, data = scenario("demo", DemoConfig(), protocol="given"), given_dataset()
    cuts = resolve_cuts(made, data)
    assert cuts == Cuts(36, 40, 45)  # session 18 of 20 starts at 36; the last event is at 39
    requests = given_episodes(data, 9)
    assert bool((requests.time > cuts.replay_cut).all()) and bool((requests.time < cuts.end).all())
    assert bool((requests.session.time >= cuts.replay_cut).all())
    window = next_play(data.log, cuts.rank_cut - 1, cuts.replay_cut, "next", 9)
    assert window.time.tolist() == [37, 39]
    assert production_cuts(made, data) == Cuts(36, 40, 40)


def test_given_needs_rows_and_sessions(scenario: Make) -> None:
    made = scenario("demo", DemoConfig(), protocol="given")
    with pytest.raises(DataError) as caught:
        resolve_cuts(made, replace(given_dataset(), given=None))
    assert str(caught.value) == ("replay.protocol: 'given' needs test rows (prefix and target), and the data has none")
    with pytest.raises(DataError) as caught:
        resolve_cuts(made, given_dataset(1))
    assert str(caught.value) == "replay.protocol: 'given' needs more than the 1 train sessions there are"
