"""Who is in which slice, against a walk over the log; and that slices add up."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from yoorec.batch import Ragged
from yoorec.config.scenario import MaskSettings, Scenario
from yoorec.data.dataset import Dataset
from yoorec.data.episodes import Episodes, given_episodes, next_play
from yoorec.data.log import EventLog
from yoorec.data.log import Given as GivenRows
from yoorec.data.mask import Masked, Timeline
from yoorec.pipeline import Pipeline
from yoorec.replay.slices import (
    MIN_CLUSTERS,
    MIN_REQUESTS,
    known_plays,
    slice_requests,
    slice_sizes,
    youngest_age,
)
from yoorec.testing.worlds import DAY_MS, small_log, with_past

Chain = Callable[..., Pipeline]


@pytest.fixture
def scenario(chain: Chain) -> Scenario:
    return chain().scenario


def _aged(log: EventLog) -> EventLog:
    """The log with items published anywhere from before it to a day after."""
    rng = np.random.default_rng(3)
    span = int(log.time[-1] - log.time[0])
    published = log.time[0] + (rng.random(len(log.catalogue.items)) * (span + DAY_MS)).astype(np.int64)
    return replace(log, catalogue=replace(log.catalogue, published_at=published))


def _requests(log: EventLog, truth: str = "next") -> Episodes:
    return next_play(log, int(log.time[0]), None, truth, 20)  # type: ignore[arg-type]


@pytest.mark.parametrize("past", [False, True])
@pytest.mark.parametrize("truth", ["next", "rest"])
def test_slices_equal_a_walk_over_the_log(scenario: Scenario, truth: str, past: bool) -> None:
    log = _aged(with_past(small_log()) if past else small_log())
    episodes = _requests(log, truth)
    found = slice_requests(scenario, Dataset(log, None), episodes)
    assert {dimension: list(each) for dimension, each in found.items()} == {
        "item_age": ["first day", "first week", "older"],
        "user_plays": ["0", "1-5", "6+"],
    }
    published = log.catalogue.published_at.tolist()
    plays = log.plays()
    counts = dict.fromkeys(["first day", "first week", "older", "0", "1-5", "6+"], 0)
    for row in range(len(episodes)):
        one = episodes.take(np.array([row]))
        user, time = int(one.user[0]), int(one.time[0])
        age = min(time - published[item] for item in one.truth.item.tolist())
        days = age / DAY_MS
        expected = "first day" if days < 1 else "first week" if days < 7 else "older"
        # The session's own plays are the latest of the user's: known is what lies before the first of them.
        session = plays.session[(plays.user == user) & (plays.time == time) & (plays.item == one.truth.item[0])]
        start = min(plays.time[plays.session == session[0]].tolist())
        own = [] if log.past is None else log.past.take(np.array([user])).item.tolist()
        known = len(own) + int(((plays.user == user) & (plays.time < start)).sum())
        for dimension, name in (("item_age", expected), ("user_plays", _named(known))):
            counts[name] += 1
            assert {each for each, member in found[dimension].items() if member[row]} == {name}
    assert counts == {name: int(member.sum()) for each in found.values() for name, member in each.items()}
    assert all(counts.values()) or past  # or the comparison says little


def _named(known: int) -> str:
    return "0" if known == 0 else "1-5" if known <= 5 else "6+"


@pytest.mark.parametrize(
    ("age", "name"),
    [
        (-5, "first day"),
        (0, "first day"),
        (DAY_MS - 1, "first day"),
        (DAY_MS, "first week"),
        (7 * DAY_MS - 1, "first week"),
        (7 * DAY_MS, "older"),
    ],
)
def test_where_one_age_ends(scenario: Scenario, age: int, name: str) -> None:
    log = small_log()
    episodes = _requests(log).take(np.array([0]))
    published = np.full(len(log.catalogue.items), int(episodes.time[0]) - age, np.int64)
    log = replace(log, catalogue=replace(log.catalogue, published_at=published))
    found = slice_requests(scenario, Dataset(log, None), episodes)["item_age"]
    assert [each for each, member in found.items() if member[0]] == [name]


def test_the_youngest_truth_decides_and_an_unknown_one_is_new() -> None:
    truth = Ragged(np.array([0, 2, 3, 3, 5], np.int64), np.array([0, 1, -1, 0, -1], np.int32))
    found = youngest_age(np.array([10, 70], np.int64), truth, np.array([100, 100, 100, 100], np.int64))
    assert found.tolist() == [30, 0, 0, 0]


@given(
    st.lists(st.tuples(st.integers(0, 3), st.integers(0, 9), st.integers(0, 1)), max_size=30),
    st.lists(st.tuples(st.integers(-1, 3), st.integers(-1, 11)), max_size=8),
)
def test_known_plays_equal_a_literal_count(rows: list[tuple[int, int, int]], asked: list[tuple[int, int]]) -> None:
    rows = sorted(rows, key=lambda row: row[1])
    log = small_log(users=4, items=6, events=0)
    user, time, weight = (np.array([row[n] for row in rows], np.int64) for n in range(3))
    none = np.full(len(rows), -1, np.int32)
    log = replace(
        log,
        user=user.astype(np.int32),
        item=np.zeros(len(rows), np.int32),
        time=time,
        event=weight.astype(np.int8),
        weight=weight.astype(np.float32),
        session=none,
        watch_s=none.astype(np.float32),
        position=none,
        request=none,
        propensity=none.astype(np.float32),
        main_item=none,
    )
    found = known_plays(log, np.array([a[0] for a in asked], np.int32), np.array([a[1] for a in asked], np.int64))
    assert found.tolist() == [
        sum(row[0] == who and row[1] < before and row[2] > 0 for row in rows) for who, before in asked
    ]


@pytest.mark.parametrize(("items", "users"), [(0.3, 0.4), (0.3, 0.0), (0.0, 0.4), (0.0, 0.0)])
def test_masked_items_and_users(scenario: Scenario, items: float, users: float) -> None:
    log = small_log()
    mask = MaskSettings(items=items, users=users, plays=3)
    scenario = replace(scenario, replay=replace(scenario.replay, mask=mask))
    rng = np.random.default_rng(0)
    new, strangers = rng.random(60) < 0.3, rng.random(40) < 0.4
    dataset = Dataset(log, None, masked=Masked(new, strangers, 3, Timeline.of(log), log))
    episodes = next_play(log, int(log.time[0]), None, "rest", 20)
    found = slice_requests(scenario, dataset, episodes).get("masked", {})
    assert list(found) == ["masked items"] * bool(items) + ["masked users"] * bool(users)
    known = known_plays(log, episodes.user, episodes.start).tolist()
    for row in range(len(episodes)):
        if items:
            truths = episodes.truth.take(np.array([row])).item.tolist()
            assert found["masked items"][row] == any(new[item] for item in truths)
        if users:
            assert found["masked users"][row] == (strangers[episodes.user[row]] and known[row] <= 3)
    assert all(0 < member.sum() < len(episodes) for member in found.values())


def test_pre_split_requests_have_no_ages_and_no_users(scenario: Scenario) -> None:
    rows = GivenRows(np.array([0, 2, 3], np.int64), np.array([1, 2, 1], np.int32), np.array([5, -1], np.int32))
    log = small_log()
    mask = MaskSettings(items=1.0)
    scenario = replace(scenario, replay=replace(scenario.replay, protocol="given", mask=mask))
    all_items = Masked(np.ones(60, np.bool_), np.zeros(40, np.bool_), 5, Timeline.of(log), log)
    dataset = Dataset(log, rows, masked=all_items)
    found = slice_requests(scenario, dataset, given_episodes(dataset, 9))
    assert {
        dimension: {name: member.tolist() for name, member in each.items()} for dimension, each in found.items()
    } == {
        "masked": {"masked items": [True, False]},
    }


def test_no_slices_where_none_are_wanted(scenario: Scenario) -> None:
    scenario = replace(scenario, replay=replace(scenario.replay, slices=False))
    log = small_log()
    assert slice_requests(scenario, Dataset(log, None), _requests(log)) == {}


@pytest.mark.parametrize(
    ("requests", "clusters", "enough"),
    [
        (MIN_REQUESTS, MIN_CLUSTERS, True),
        (MIN_REQUESTS - 1, MIN_CLUSTERS, False),
        (MIN_REQUESTS, MIN_CLUSTERS - 1, False),
    ],
)
def test_a_slice_needs_requests_and_clusters(requests: int, clusters: int, enough: bool) -> None:
    cluster = np.concatenate((np.arange(requests) % clusters, np.full(50, 9999))).astype(np.int32)
    member = np.arange(len(cluster)) < requests
    (size,) = slice_sizes({"d": {"s": member}}, cluster)["d"].values()
    assert (size.requests, size.clusters, size.enough) == (requests, clusters, enough)
    (size,) = slice_sizes({"d": {"none": ~(cluster >= 0)}}, cluster)["d"].values()
    assert (size.requests, size.clusters, size.enough) == (0, 0, False)
