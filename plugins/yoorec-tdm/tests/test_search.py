"""The search against a literal one, and against scoring every leaf."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from yoorec_tdm.index import Index
from yoorec_tdm.samples import Plan
from yoorec_tdm.scoring import readers_of, score_nodes
from yoorec_tdm.search import search
from yoorec_tdm.tree import Tree
from yoorec_tdm.weights import Weights

from yoorec.batch import RequestBatch
from yoorec.testing import worlds

LOG = worlds.small_log()
ITEMS = len(LOG.catalogue.items)


def model(seed: int, arity: int = 2, grown: bool = False) -> tuple[Tree, Weights, np.ndarray, np.ndarray]:
    """A tree, unbalanced where grown, a network of random weights, shifts that matter, and the leaves of items."""
    rng = np.random.default_rng(seed)
    known = ITEMS - 12 if grown else ITEMS
    tree = Tree.of_order(rng.permutation(known).astype(np.int32), arity)
    shift = Plan.of(tree, 2, 0.0).shift
    if grown:  # leaves on every level but the root's
        inner = np.flatnonzero((tree.item < 0) & (tree.level < tree.depth))
        tree, _ = tree.grown(np.arange(known, ITEMS, dtype=np.int32), rng.choice(inner, 12).astype(np.int32))

    def some(*shape: int) -> np.ndarray:
        return rng.normal(size=shape, scale=0.7).astype(np.float32)

    weights = Weights(
        some(len(tree), 5),
        np.array([1, 2, 3], np.int32),
        some(5, 6),
        some(6),
        some(3, 5, 6),
        some(3, 6, 6),
        some(6),
        np.array([6, 4], np.int32),
        some(6 * 4 + 4 + 4 + 4 + 1),
    )
    return tree, weights, shift, tree.leaf_of(ITEMS)


def requests_of(seed: int, size: int = 40) -> tuple[RequestBatch, np.ndarray]:
    """Requests at several times, and times of publication of which some lie behind them."""
    rng = np.random.default_rng(seed)
    requests = worlds.small_requests(LOG, size, seed)
    requests = replace(requests, time=requests.time + rng.integers(0, 5, size) * worlds.DAY_MS)
    return requests, int(requests.time.min()) + rng.integers(-30, 4, ITEMS) * worlds.DAY_MS


def score_of(parts: Any, requests: RequestBatch, b: int, node: int) -> np.float32:
    _, weights, _, leaf = parts
    one = requests.take(np.array([b]))
    readers = readers_of(weights, one.item, one.history.offsets, one.history.item, leaf)
    return score_nodes(weights, readers, np.array([0, 1]), np.array([node], np.int32))[0]


def allowed(requests: RequestBatch, since: np.ndarray, b: int) -> set[int]:
    one = requests.take(np.array([b]))
    left_out = {int(one.item[0])} | set(one.seen.item.tolist()) | set(one.history.item.tolist())
    return {item for item in range(ITEMS) if item not in left_out and since[item] <= one.time[0]}


def literal(parts: Any, requests: RequestBatch, since: np.ndarray, b: int, beam: int) -> tuple[dict[int, Any], int]:
    """Algorithm 1 as it reads: leaves with their scores, and how many nodes were scored."""
    tree, _, shift, _ = parts
    may, found, scored = allowed(requests, since, b), {}, 0

    def open_to(node: int) -> bool:
        if tree.item[node] >= 0:
            return int(tree.item[node]) in may
        return any(open_to(child) for child in range(tree.children[node], tree.children[node + 1]))

    queue = [0]
    while queue:
        below = [child for node in queue for child in range(tree.children[node], tree.children[node + 1])]
        below = [node for node in below if open_to(node)]
        score = {node: score_of(parts, requests, b, node) for node in below}
        scored += len(below)
        for node in below:
            if tree.item[node] >= 0:
                found[int(tree.item[node])] = score[node] - shift[tree.level[node]]
        inner = [node for node in below if tree.item[node] < 0]
        queue = sorted(sorted(inner, key=lambda node: (-score[node], node))[:beam])
    return found, scored


def lists(found: Any) -> list[list[tuple[int, Any]]]:
    rows = list(zip(found.item.tolist(), found.score, strict=True))
    return [rows[found.offsets[b] : found.offsets[b + 1]] for b in range(len(found.offsets) - 1)]


@pytest.mark.parametrize("grown", [False, True])
@pytest.mark.parametrize(("beam", "k", "arity"), [(1, 5, 2), (3, 4, 2), (4, 100, 3), (2, 0, 2), (7, 9, 5)])
def test_the_search_equals_a_literal_one(beam: int, k: int, arity: int, grown: bool) -> None:
    parts = model(beam, arity, grown)
    requests, since = requests_of(k)
    found = search(Index.of(*parts[:3], since), requests, beam, k)
    total = 0
    for b, rows in enumerate(lists(found)):
        expected, scored = literal(parts, requests, since, b, beam)
        total += scored
        best = sorted(expected.items(), key=lambda row: (-row[1], row[0]))[:k]
        assert rows == best
    assert found.scored == total


@pytest.mark.parametrize("grown", [False, True])
def test_a_beam_as_wide_as_the_tree_equals_scoring_every_leaf(grown: bool) -> None:
    parts = model(5, 2, grown)
    tree, _, shift, leaf = parts
    requests, since = requests_of(1)
    for b, rows in enumerate(lists(search(Index.of(*parts[:3], since), requests, len(tree), ITEMS))):
        every = {
            item: score_of(parts, requests, b, leaf[item]) - shift[tree.level[leaf[item]]] for item in range(ITEMS)
        }
        may = allowed(requests, since, b)
        assert rows == sorted(((i, s) for i, s in every.items() if i in may), key=lambda row: (-row[1], row[0]))
        assert len(rows) == len(may)


def test_what_was_seen_takes_no_place_in_list_or_beam() -> None:
    """As long as there are leaves that were not seen, even the narrowest beam ends at one."""
    parts = model(2)
    requests, since = requests_of(3)
    since[:] = 0
    nothing = requests.seen.empty(len(requests))
    left = replace(requests, item=np.full_like(requests.item, -1), history=requests.history.empty(len(requests)))
    met = [set[int]() for _ in range(len(requests))]
    for _ in range(ITEMS // 2):
        offsets = np.append(0, np.cumsum([len(each) for each in met]))
        seen = replace(nothing, offsets=offsets, item=np.array([i for each in met for i in sorted(each)], np.int32))
        for own, rows in zip(
            met, lists(search(Index.of(*parts[:3], since), replace(left, seen=seen), 1, 5)), strict=True
        ):
            assert rows or len(own) == ITEMS
            assert not own & {item for item, _ in rows}
            own |= {item for item, _ in rows}


def test_ties_go_by_item() -> None:
    tree, weights, shift, _ = model(4)
    weights = weights._replace(vectors=np.zeros_like(weights.vectors))
    requests, since = requests_of(2)
    since[:] = 0
    for b, rows in enumerate(
        lists(search(Index.of(tree, weights, np.zeros_like(shift), since), requests, len(tree), 7))
    ):
        assert [item for item, _ in rows] == sorted(allowed(requests, since, b))[:7]


def test_batches_larger_than_a_chunk() -> None:
    parts = model(6)
    requests, since = requests_of(4)
    many = requests.take(np.arange(700) % len(requests))
    found = lists(search(Index.of(*parts[:3], since), many, 3, 5))
    assert found == [lists(search(Index.of(*parts[:3], since), requests, 3, 5))[b % len(requests)] for b in range(700)]
