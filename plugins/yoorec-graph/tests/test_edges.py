"""The item graph against dicts and loops over every play and pair."""

from __future__ import annotations

from collections import defaultdict

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from yoorec_graph.edges import Edges, next_plays, recent_pairs, rows_of

ITEMS, USERS = 6, 3
plays = st.lists(
    st.tuples(st.integers(0, USERS - 1), st.integers(0, ITEMS - 1), st.integers(0, 20), st.integers(0, 3)), max_size=40
).map(lambda rows: sorted(rows, key=lambda row: row[2]))
"""user, item, time and session, in time order"""


def columns_of(rows: list[tuple[int, int, int, int]]) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    user, item, time, session = np.array(rows, np.int64).reshape(-1, 4).T
    return user.astype(np.int32), item.astype(np.int32), np.ascontiguousarray(time), session.astype(np.int32)


def as_dict(edges: Edges) -> dict[tuple[int, int], float]:
    """Edges with their weights; rows must rise."""
    assert edges.offsets.dtype == np.int64 and edges.target.dtype == np.int32 and edges.weight.dtype == np.float32
    found = {}
    for i in range(len(edges.offsets) - 1):
        row = slice(edges.offsets[i], edges.offsets[i + 1])
        assert (np.diff(edges.target[row]) > 0).all()
        found.update({(i, j): weight for j, weight in zip(edges.target[row].tolist(), edges.weight[row], strict=True)})
    assert len(found) == len(edges.target) == edges.offsets[-1]
    return found


@given(rows=plays)
@settings(deadline=None, max_examples=200)
def test_plays_in_a_row_are_edges(rows: list[tuple[int, int, int, int]]) -> None:
    _, item, _, session = columns_of(rows)
    source, target = next_plays(session, item)
    expected: dict[tuple[int, int], float] = defaultdict(float)
    last: dict[int, int] = {}
    for _, i, _, s in rows:
        if s in last and last[s] != i:
            expected[last[s], i] += 1
        last[s] = i
    assert as_dict(rows_of(source, target, np.ones(len(source), np.float32), ITEMS)) == expected


@given(
    rows=plays,
    new=st.lists(st.booleans(), min_size=ITEMS, max_size=ITEMS),
    within=st.sampled_from([1, 5, 50]),
    most=st.sampled_from([1, 3, 100]),
)
@settings(deadline=None, max_examples=200)
def test_recent_pairs_equal_a_slow_count(
    rows: list[tuple[int, int, int, int]], new: list[bool], within: int, most: int
) -> None:
    user, item, time, _ = columns_of(rows)
    source, target = recent_pairs(user, item, time, np.array(new), USERS, within, most)
    expected: dict[tuple[int, int], float] = defaultdict(float)
    for n, (u, j, t, _) in enumerate(rows):
        before = [(i, s) for v, i, s, _ in rows[:n] if v == u][-most:]
        for i, s in before:
            if t - s <= within and i != j and (new[i] or new[j]):
                expected[i, j] += 1
                expected[j, i] += 1
    assert as_dict(rows_of(source, target, np.ones(len(source), np.float32), ITEMS)) == expected


def test_weights_of_equal_pairs_are_summed_in_order() -> None:
    rng = np.random.default_rng(0)
    source, target = rng.integers(0, 40, 5000).astype(np.int32), rng.integers(0, 40, 5000).astype(np.int32)
    weight = rng.random(5000).astype(np.float32)
    expected: dict[tuple[int, int], float] = defaultdict(float)
    for i, j, each in zip(source.tolist(), target.tolist(), weight.tolist(), strict=True):
        expected[i, j] += each
    assert as_dict(rows_of(source, target, weight, 40)) == {pair: np.float32(sum) for pair, sum in expected.items()}


@pytest.mark.parametrize("items", [0, 1, 5])
def test_no_plays_make_no_edges(items: int) -> None:
    none = np.empty(0, np.int32)
    edges = rows_of(*next_plays(none, none), np.empty(0, np.float32), items)
    assert edges.offsets.tolist() == [0] * (items + 1)
    source, target = recent_pairs(none, none, np.empty(0, np.int64), np.ones(items, np.bool_), 0, 10, 10)
    assert len(source) == len(target) == 0
