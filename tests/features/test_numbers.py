from __future__ import annotations

from bisect import bisect_right

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from yoorec.features.codes import MISSING
from yoorec.features.numbers import cut, learned_edges


def by_hand(edges: list[float], x: float) -> tuple[int, float]:
    if np.isnan(x):
        return MISSING, 0.0
    below, last = bisect_right(edges, x), len(edges) - 1
    if last < 0:
        return 0, 0.0
    if below == 0:
        return 0, -0.5
    if below > last:
        return below, 0.5
    low, high = edges[below - 1], edges[below]
    return below, (below - 1 + (x - low) / (high - low)) / last - 0.5


@given(
    st.lists(st.lists(st.floats(-50, 50, width=16), unique=True, max_size=80), min_size=1, max_size=3),
    st.lists(st.one_of(st.floats(-60, 60, width=16), st.just(np.nan), st.just(np.inf)), max_size=20),
)
def test_codes_and_values_are_those_of_a_search_by_hand(columns: list[list[float]], numbers: list[float]) -> None:
    edges = [np.array(sorted(each), np.float32) for each in columns]
    offsets = np.cumsum([0, *map(len, edges)]).astype(np.int64)
    number = np.tile(np.array(numbers, np.float32), (len(edges), 15))  # more rows than are compared at a time
    code = np.empty(number.shape, np.int64)
    column = np.array([-1, *range(len(edges) - 1)])
    value = np.full((number.shape[1], len(edges) - 1), np.nan, np.float32)
    cut(np.concatenate(edges), offsets, number, code, column, value)
    for row in range(number.shape[1]):
        for v, own in enumerate(edges):
            expected, placed = by_hand(own.tolist(), float(number[v, row]))
            assert code[v, row] == expected
            assert v == 0 or abs(value[row, v - 1] - placed) < 1e-5


def test_learned_ranges_hold_as_many_each() -> None:
    number = np.random.default_rng(0).normal(size=16_000).astype(np.float32)
    edges = learned_edges(np.append(number, [np.nan, np.inf]).astype(np.float32), 16)
    assert len(edges) == 15
    held = np.bincount(np.searchsorted(edges, number, side="right"))
    assert held.min() >= 999
    assert held.max() <= 1001


def test_one_number_for_all_has_no_ranges() -> None:
    assert len(learned_edges(np.full(9, 3.0, np.float32), 4)) == 0
    assert len(learned_edges(np.full(9, np.nan, np.float32), 4)) == 0
