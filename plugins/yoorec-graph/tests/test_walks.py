"""Walks against exact transition chances, computed by a slow literal formula."""

from __future__ import annotations

from collections import Counter, defaultdict
from itertools import pairwise

import numpy as np
import pytest
from yoorec_graph.edges import Edges, rows_of
from yoorec_graph.walks import paths_of, walk_range

from yoorec.engine.local import LocalEngine

# Node 5 leads nowhere; 4 and 5 lie outside the triangle; 0 and 1 lead to each other, 0 to 2 only one way.
LITTLE = {
    0: {1: 3.0, 2: 1.0, 3: 0.5},
    1: {0: 2.0, 2: 1.0, 4: 2.0},
    2: {0: 1.0, 1: 1.0, 3: 4.0, 5: 0.1},
    3: {0: 0.25, 4: 1.0},
    4: {1: 1.0, 3: 2.0, 0: 0.5},
}


def edges_of(graph: dict[int, dict[int, float]], nodes: int) -> Edges:
    rows = [(i, j, weight) for i, row in graph.items() for j, weight in row.items()]
    columns = zip(*rows, strict=True) if rows else ([], [], [])
    source, target, weight = columns
    return rows_of(np.array(source, np.int32), np.array(target, np.int32), np.array(weight, np.float32), nodes)


def slow_chances(graph: dict[int, dict[int, float]], before: int, here: int, p: float, q: float) -> dict[int, float]:
    """node2vec: weight times 1/p on the way back, 1 to what `before` leads to as well, 1/q elsewhere."""
    heights = {}
    for x, weight in graph[here].items():
        bias = 1 / p if x == before else 1.0 if x in graph[before] else 1 / q
        heights[x] = weight * bias
    return {x: height / sum(heights.values()) for x, height in heights.items()}


def walked(
    edges: Edges,
    start: np.ndarray,
    length: int,
    p: float,
    q: float,
    seed: int = 1,
    bounds: list[int] | None = None,
    threads: int = 1,
    nodes: int | None = None,
) -> list[list[int]]:
    """Walks as lists."""
    parts = LocalEngine(threads).map_ranges(
        "yoorec_graph.walks:walk_range",
        np.array([0, len(start)] if bounds is None else bounds, np.int64),
        {**paths_of(edges, second=not p == q == 1.0)._asdict(), "start": start},
        {"nodes": nodes or len(start), "length": length, "seed": seed, "p": p, "q": q},
    )
    walks: list[list[int]] = []
    for item, steps in parts:
        assert item.dtype == steps.dtype == np.int32
        ends = np.cumsum(steps)
        assert len(item) == (ends[-1] if len(ends) else 0)
        walks += [item[end - size : end].tolist() for end, size in zip(ends, steps, strict=True)]
    return walks


def check_counts(counts: Counter[int], chances: dict[int, float]) -> None:
    """Pearson's chi-square: its mean is the degrees of freedom f, its variance 2 f; five deviations are allowed."""
    total = sum(counts.values())
    assert set(counts) <= set(chances)
    chi = sum((counts[x] - total * chance) ** 2 / (total * chance) for x, chance in chances.items())
    free = len(chances) - 1
    assert chi < free + 5 * np.sqrt(2 * free) + 5, (counts, chances)


def test_first_order_steps_follow_the_weights() -> None:
    starts = np.tile(np.arange(5, dtype=np.int32), 8000)
    counts: dict[int, Counter[int]] = defaultdict(Counter)
    for walk in walked(edges_of(LITTLE, 6), starts, 6, 1.0, 1.0, nodes=5):
        for here, x in pairwise(walk):
            counts[here][x] += 1
    assert set(counts) == set(LITTLE)
    for here, row in LITTLE.items():
        assert sum(counts[here].values()) > 10_000
        check_counts(counts[here], {x: weight / sum(row.values()) for x, weight in row.items()})


@pytest.mark.parametrize(("p", "q"), [(0.5, 2.0), (4.0, 0.25), (0.1, 0.5), (1.0, 3.0), (3.0, 1.0), (0.2, 1.0)])
def test_second_order_steps_follow_node2vec(p: float, q: float) -> None:
    starts = np.tile(np.arange(5, dtype=np.int32), 8000)
    first: dict[int, Counter[int]] = defaultdict(Counter)
    counts: dict[tuple[int, int], Counter[int]] = defaultdict(Counter)
    for walk in walked(edges_of(LITTLE, 6), starts, 8, p, q, nodes=5):
        first[walk[0]][walk[1]] += 1
        for before, here, x in zip(walk, walk[1:], walk[2:], strict=False):
            counts[before, here][x] += 1
    for here, row in LITTLE.items():
        check_counts(first[here], {x: weight / sum(row.values()) for x, weight in row.items()})
    pairs = [(before, here) for before, row in LITTLE.items() for here in row if here in LITTLE]
    assert set(counts) == set(pairs)
    for before, here in pairs:
        assert sum(counts[before, here].values()) > 500
        check_counts(counts[before, here], slow_chances(LITTLE, before, here, p, q))


def chain_of(nodes: int, rng: np.random.Generator) -> Edges:
    """Some hundred nodes, hubs among them, with dead ends."""
    source = np.minimum(rng.geometric(0.03, nodes * 12) - 1, nodes - 1)
    target = np.minimum(rng.geometric(0.02, nodes * 12) - 1, nodes - 1)
    kept = (source != target) & (source % 11 != 3)
    weight = rng.random(kept.sum()) + 0.01
    return rows_of(source[kept].astype(np.int32), target[kept].astype(np.int32), weight.astype(np.float32), nodes)


@pytest.mark.parametrize(("p", "q"), [(1.0, 1.0), (0.5, 2.0)])
def test_no_walk_depends_on_ranges_or_threads(p: float, q: float) -> None:
    rng = np.random.default_rng(0)
    edges = chain_of(300, rng)
    nodes = np.flatnonzero(np.diff(edges.offsets)).astype(np.int32)
    starts = np.concatenate([rng.permutation(nodes) for _ in range(4)])

    def walks(bounds: list[int] | None, threads: int) -> list[list[int]]:
        return walked(edges, starts, 30, p, q, 7, bounds, threads, len(nodes))

    whole = walks(None, 1)
    cuts = sorted({0, len(starts), *rng.integers(0, len(starts), 25).tolist()})
    assert whole == walks(cuts, 3) == walks([0, 1, 2, 67, len(starts)], 1)
    assert len(whole) == len(starts) and [walk[0] for walk in whole] == starts.tolist()
    assert 1 < min(map(len, whole)) < max(map(len, whole)) == 30
    known = {(i, j) for i in range(300) for j in edges.target[edges.offsets[i] : edges.offsets[i + 1]].tolist()}
    assert all(step in known for walk in whole for step in pairwise(walk))
    ends = {walk[-1] for walk in whole if len(walk) < 30}
    assert ends and not ends & set(nodes.tolist()), "a walk ends early only where nothing leads on"


def test_walks_of_one_start_differ_by_number_and_seed_and_not_by_place() -> None:
    edges = chain_of(50, np.random.default_rng(1))
    nodes = np.flatnonzero(np.diff(edges.offsets)).astype(np.int32)
    twice = np.concatenate([nodes, nodes[::-1]])
    found = walked(edges, twice, 20, 1.0, 1.0, 3, nodes=len(nodes))
    first, second = found[: len(nodes)], found[len(nodes) :][::-1]
    assert all(one != other for one, other in zip(first, second, strict=True) if len(one) > 5)
    turned = np.concatenate([nodes[::-1], nodes])
    moved = walked(edges, turned, 20, 1.0, 1.0, 3, nodes=len(nodes))
    assert moved[: len(nodes)][::-1] == first and moved[len(nodes) :] == second
    assert walked(edges, twice, 20, 1.0, 1.0, 4, nodes=len(nodes)) != found


@pytest.mark.parametrize(("p", "q"), [(1.0, 1.0), (0.5, 2.0)])
def test_dead_ends_and_single_edges(p: float, q: float) -> None:
    there_and_back = {0: {1: 2.0}, 1: {0: 1.0}, 2: {3: 1.0}}
    starts = np.array([0, 1, 2, 3], np.int32)
    assert walked(edges_of(there_and_back, 4), starts, 5, p, q) == [[0, 1, 0, 1, 0], [1, 0, 1, 0, 1], [2, 3], [3]]
    assert walked(edges_of({}, 4), np.empty(0, np.int32), 5, p, q) == []
    empty = paths_of(edges_of({}, 0), second=True)
    assert all(len(array) == 0 for name, array in empty._asdict().items() if name != "offsets")


def test_a_range_says_what_it_walked() -> None:
    arrays = {**paths_of(edges_of({0: {1: 1.0}}, 2), second=False)._asdict(), "start": np.array([0, 1], np.int32)}
    settings = {"nodes": 2, "length": 2, "seed": 0, "p": 1.0, "q": 1.0}
    item, steps = walk_range(0, 2, arrays, settings)
    assert (item.tolist(), steps.tolist()) == ([0, 1, 1], [2, 1])
    item, steps = walk_range(1, 1, arrays, settings)
    assert (item.tolist(), steps.tolist()) == ([], [])
