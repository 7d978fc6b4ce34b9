"""Logged requests against a slow literal loop, ties in time included."""

from __future__ import annotations

import time as clock
from typing import Any, Literal

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from yoorec.data.dataset import Dataset
from yoorec.data.episodes import Episodes, given_episodes, next_play
from yoorec.data.log import EventLog, Given
from yoorec.errors import DataError
from yoorec.testing.worlds import small_catalogue, small_log

Row = tuple[int, int, int, int]  # session, item, time, weight


def log_of(rows: list[Row]) -> EventLog:
    session, item, time, weight = (np.array([row[column] for row in rows], np.int64) for column in range(4))
    size = len(rows)
    none = np.full(size, -1, np.int32)
    nan = np.full(size, np.nan, np.float32)
    return EventLog(
        (session % 3).astype(np.int32),
        item.astype(np.int32),
        time,
        (weight > 0).astype(np.int8),
        weight.astype(np.float32),
        session.astype(np.int32),
        nan,
        none,
        none,
        nan,
        none,
        ("impression", "play"),
        small_catalogue(3, 6),
    )


def literal(rows: list[Row], start: int, end: int | None, truth: str, limit: int) -> list[dict[str, Any]]:
    found = []
    plays = [row for row in rows if row[3] > 0]
    for place, (session, item, time, _) in enumerate(plays):
        before = [row for row in plays[:place] if row[0] == session]
        if not before or time <= start or (end is not None and time >= end):
            continue
        after = [row[1] for row in plays[place:] if row[0] == session and (end is None or row[2] < end)]
        found.append(
            {
                "user": session % 3,
                "time": time,
                "start": before[0][2],
                "item": before[-1][1],
                "session": [(row[1], row[2], float(row[3])) for row in before[::-1][:limit]],
                "truth": [item] if truth == "next" else list(dict.fromkeys(after)),
            }
        )
    return found


def plain(episodes: Episodes) -> list[dict[str, Any]]:
    found = []
    for r in range(len(episodes)):
        one = episodes.take(np.array([r]))
        session = one.session
        found.append(
            {
                "user": int(one.user[0]),
                "time": int(one.time[0]),
                "start": int(one.start[0]),
                "item": int(one.item[0]),
                "session": list(
                    zip(session.item.tolist(), session.time.tolist(), session.weight.tolist(), strict=True)
                ),
                "truth": one.truth.item.tolist(),
            }
        )
    return found


@settings(max_examples=300, deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, 4), st.integers(0, 5), st.integers(0, 12), st.integers(0, 2)), max_size=40),
    st.integers(-1, 12),
    st.one_of(st.none(), st.integers(0, 13)),
    st.sampled_from(["next", "rest"]),
    st.integers(1, 4),
)
def test_requests_equal_the_literal_loop(
    rows: list[Row], start: int, end: int | None, truth: Literal["next", "rest"], limit: int
) -> None:
    rows = sorted(rows, key=lambda row: row[2])  # stable: ties keep the source's order
    found = next_play(log_of(rows), start, end, truth, limit)
    found.session.check()
    found.truth.check()
    assert plain(found) == literal(rows, start, end, truth, limit)
    assert np.array_equal(found.cluster, found.user)
    assert bool((np.diff(found.time) >= 0).all())


def test_types_and_arrivals() -> None:
    found = next_play(small_log(), 0, None, "rest", 5)
    assert [column.dtype for column in (found.user, found.time, found.item, found.cluster)] == [
        np.int32,
        np.int64,
        np.int32,
        np.int32,
    ]
    arrivals = found.arrivals(7)
    assert len(arrivals) == len(found) > 100
    assert arrivals.k.tolist() == [7] * len(found) and arrivals.k.dtype == np.int32
    assert np.array_equal(arrivals.item, found.session.item[found.session.offsets[:-1]])
    assert bool((np.diff(found.session.offsets) <= 5).all())


def test_a_rank_window_never_sees_what_lies_behind_it() -> None:
    rows = [(0, 0, 1, 1), (0, 1, 5, 1), (0, 2, 9, 1), (0, 3, 10, 1)]
    found = next_play(log_of(rows), 1, 9, "rest", 5)
    assert found.truth.item.tolist() == [1]


def test_a_million_plays_in_well_under_a_second() -> None:
    size = 1_000_000
    rng = np.random.default_rng(0)
    base = small_log(events=1)
    session = (np.arange(size) // 8).astype(np.int32)
    none, nan = np.full(size, -1, np.int32), np.full(size, np.nan, np.float32)
    log = EventLog(
        session,
        rng.integers(0, 50_000, size).astype(np.int32),
        np.arange(size, dtype=np.int64),
        np.ones(size, np.int8),
        np.ones(size, np.float32),
        session,
        nan,
        none,
        none,
        nan,
        none,
        ("impression", "play"),
        base.catalogue,
    )
    for truth in ("next", "rest"):
        next_play(small_log(), 0, None, truth, 5)  # type: ignore[arg-type]
        began = clock.perf_counter()
        found = next_play(log, 0, None, truth, 50)  # type: ignore[arg-type]
        assert clock.perf_counter() - began < 1.5
        assert len(found) == size - size // 8


def dataset(given_rows: list[tuple[list[int], int]]) -> Dataset:
    offsets = np.cumsum([0, *(len(prefix) for prefix, _ in given_rows)])
    item = np.array([item for prefix, _ in given_rows for item in prefix], np.int32)
    target = np.array([target for _, target in given_rows], np.int32)
    return Dataset(log_of([(0, 0, 0, 1), (0, 1, 7, 1)]), Given(offsets, item, target))


def test_given_rows_become_requests_after_the_log() -> None:
    rows = [([4, 2, 3], 1), ([4, 2], 3), ([4], 2), ([5], -1), ([2, -1], 0), ([], 3)]
    found = given_episodes(dataset(rows), 2)
    found.session.check()
    assert found.user.tolist() == [-1] * 6
    assert found.item.tolist() == [3, 2, 4, 5, -1, -1]
    assert found.time.tolist() == [12, 13, 14, 15, 16, 17]
    assert found.truth.item.tolist() == [1, 3, 2, -1, 0, 3]
    assert found.cluster.tolist() == [0, 0, 0, 1, 2, 3]
    assert [found.session.take(np.array([r])).item.tolist() for r in range(6)] == [[3, 2], [2, 4], [4], [5], [2], []]
    assert [found.session.take(np.array([r])).time.tolist() for r in range(6)] == [
        [11, 10],
        [12, 11],
        [13],
        [14],
        [14],
        [],
    ]
    assert found.session.time.min() > 7


def test_a_shorter_prefix_of_another_session_is_another_cluster() -> None:
    found = given_episodes(dataset([([4, 2], 3), ([4], 5), ([4], 2), ([4, 2], 1), ([5], 2), ([], 5)]), 9)
    # Row 1 would shorten row 0, but what came after its prefix was 5, not 2.
    assert found.cluster.tolist() == [0, 1, 2, 3, 4, 4]


def test_no_given_rows() -> None:
    for each in (Dataset(log_of([(0, 0, 0, 1)]), None), dataset([])):
        with pytest.raises(DataError) as caught:
            given_episodes(each, 5)
        assert str(caught.value) == (
            "replay.protocol: 'given' needs test rows (prefix and target), and the data has none"
        )
