"""Session cutting against a slow literal loop."""

from __future__ import annotations

import time as clock

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from yoorec.data.sessions import cut_sessions

Rows = list[tuple[int, int, int]]


def literal(rows: Rows, gap: int) -> list[int]:
    """A session is a (user, name), or a user's run of unnamed events without a pause above the gap."""
    keys: list[object] = []
    for place, (user, time, name) in enumerate(rows):
        if name >= 0:
            keys.append(("named", user, name))
            continue
        earlier = [p for p in range(place) if rows[p][0] == user and rows[p][2] < 0]
        new = not earlier or time - rows[earlier[-1]][1] > gap
        keys.append(("cut", place) if new else keys[earlier[-1]])
    order = list(dict.fromkeys(keys))
    return [order.index(key) for key in keys]


@settings(max_examples=200, deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, 3), st.integers(0, 40), st.integers(-1, 2)), max_size=40),
    st.integers(0, 10),
    st.booleans(),
)
def test_numbers_equal_the_literal_loop(rows: Rows, gap: int, names: bool) -> None:
    rows = sorted(rows, key=lambda row: row[1])
    if not names:
        rows = [(user, time, -1) for user, time, _ in rows]
    user, time, named = (np.array([row[column] for row in rows]) for column in range(3))
    found = cut_sessions(user.astype(np.int32), time.astype(np.int64), gap, named.astype(np.int32) if names else None)
    assert found.dtype == np.int32
    assert found.tolist() == literal(rows, gap)


def test_a_pause_as_long_as_the_gap_does_not_cut() -> None:
    user, time = np.zeros(3, np.int32), np.array([0, 10, 21], np.int64)
    assert cut_sessions(user, time, 10).tolist() == [0, 0, 1]


def test_millions_of_events_in_seconds() -> None:
    rng = np.random.default_rng(0)
    size = 4_000_000
    user, time = rng.integers(0, 100_000, size).astype(np.int32), np.arange(size, dtype=np.int64) * 100
    cut_sessions(user[:10], time[:10], 1000)
    began = clock.perf_counter()
    session = cut_sessions(user, time, 1_800_000)
    assert clock.perf_counter() - began < 2
    assert np.array_equal(np.unique(session, return_index=True)[1], np.sort(np.unique(session, return_index=True)[1]))
