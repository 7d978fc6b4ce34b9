"""The tree: its invariants for any number of items, the order k-means leaves, and items placed later."""

from __future__ import annotations

import functools
import operator
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from yoorec_tdm.tree import Tree, order_by_category, order_by_vectors

from yoorec.errors import ArtifactError


def check(tree: Tree, items: list[int]) -> None:
    """Each of the items has one leaf, and the arrays tell the same of parents, children and levels."""
    size = len(tree)
    assert tree.parent[0] == -1
    assert tree.level[0] == 0
    assert tree.item[0] == -1
    assert sorted(tree.item[tree.item >= 0].tolist()) == sorted(items)
    assert tree.children[0] == 1
    assert tree.children[size] == size
    met = []
    for node in range(size):
        below = range(tree.children[node], tree.children[node + 1])
        met += list(below)
        assert all(tree.parent[child] == node and tree.level[child] == tree.level[node] + 1 for child in below)
        if node:
            assert (len(below) == 0) == (tree.item[node] >= 0), "leaves have items and no children, others the reverse"
    assert met == list(range(1, size)), "every node but the root is somebody's child, in order"
    assert (np.diff(tree.level) >= 0).all()
    for level in range(tree.depth + 1):
        assert (tree.level[tree.starts[level] : tree.starts[level + 1]] == level).all()


def leaves_below(tree: Tree, node: int) -> list[int]:
    """Items below a node, from left to right."""
    if tree.item[node] >= 0:
        return [int(tree.item[node])]
    return [item for child in range(tree.children[node], tree.children[node + 1]) for item in leaves_below(tree, child)]


@given(size=st.integers(0, 90), arity=st.integers(2, 5), seed=st.integers(0, 5))
@settings(deadline=None, max_examples=60)
def test_a_tree_of_an_order(size: int, arity: int, seed: int) -> None:
    order = np.random.default_rng(seed).permutation(size * 2)[:size].astype(np.int32)
    tree = Tree.of_order(order, arity)
    check(tree, order.tolist())
    assert leaves_below(tree, 0) == order.tolist()
    for node in range(len(tree)):
        sizes = [len(leaves_below(tree, child)) for child in range(tree.children[node], tree.children[node + 1])]
        if sizes:
            assert len(sizes) == min(arity, sum(sizes))
            assert max(sizes) - min(sizes) <= 1
            assert sizes == sorted(sizes, reverse=True)
    if size:
        assert tree.depth == max(1, int(np.ceil(np.round(np.log(size) / np.log(arity), 9))))
        assert tree.level[tree.leaves].min() >= tree.depth - 1
    leaf = tree.leaf_of(size * 2)
    assert all(tree.item[leaf[item]] == item for item in order)
    assert (leaf > 0).sum() == size


@given(data=st.data(), size=st.integers(0, 40), arity=st.integers(2, 4), new=st.integers(0, 15))
@settings(deadline=None, max_examples=60)
def test_a_tree_grown(data: st.DataObject, size: int, arity: int, new: int) -> None:
    tree = Tree.of_order(np.arange(size, dtype=np.int32), arity)
    inner = np.flatnonzero(tree.item < 0).tolist()
    under = np.array(data.draw(st.lists(st.sampled_from(inner), min_size=new, max_size=new)), np.int32)
    items = np.arange(size, size + new, dtype=np.int32)
    grown, was = tree.grown(items, under)
    check(grown, list(range(size + new)))
    assert sorted(was.tolist()) == list(range(size + new + len(inner)))
    now = {int(old): node for node, old in enumerate(was)}
    for old in range(1, len(tree)):
        assert grown.parent[now[old]] == now[int(tree.parent[old])]
        assert grown.item[now[old]] == tree.item[old]
    for number in range(new):
        assert grown.parent[now[len(tree) + number]] == now[int(under[number])]
        assert grown.item[now[len(tree) + number]] == items[number]


def test_categories_stay_together() -> None:
    item = np.arange(60, dtype=np.int32)[::-1]
    code = (np.arange(60) * 7 % 5 - 1).astype(np.int32)
    order = order_by_category(item, code, np.random.default_rng(3))
    assert sorted(order.tolist()) == list(range(60))
    runs = code[order]
    assert (np.diff(runs) != 0).sum() == 4, "each category is one run, and so are the items without"
    assert order.tolist() == order_by_category(item, code, np.random.default_rng(3)).tolist()
    assert order.tolist() != order_by_category(item, code, np.random.default_rng(4)).tolist()
    assert order.tolist() != np.sort(order).tolist()
    assert len(order_by_category(item[:0], code, np.random.default_rng(3))) == 0


def halved(rows: list[int], vectors: np.ndarray, arity: int, children: int) -> list[int]:
    """What `order_by_vectors` says of itself, read aloud."""
    if children == 1:
        children = min(arity, len(rows))
    if len(rows) < 2:
        return rows
    sizes = [len(rows) // children + (place < len(rows) % children) for place in range(children)]
    left = (children + 1) // 2
    cut = sum(sizes[:left])
    rows = sorted(rows)

    # Sums in float32, one after the other, since the two of a pair are equally far from their centre but for rounding.
    def total(values: Iterable[np.float32]) -> np.float32:
        return functools.reduce(operator.add, values, np.float32(0))

    def mean(some: list[int]) -> np.ndarray:
        return np.array([total(vectors[sorted(some), d]) / np.float32(len(some)) for d in range(vectors.shape[1])])

    def farthest(point: np.ndarray) -> np.ndarray:
        return vectors[max(rows, key=lambda row: (total((vectors[row] - point) ** 2), -row))]

    one = farthest(mean(rows))
    other = farthest(one)
    for _ in range(12):
        near = sorted(rows, key=lambda row: (total(vectors[row] * (other - one)), row))
        one, other = mean(near[:cut]), mean(near[cut:])
    return halved(near[:cut], vectors, arity, left) + halved(near[cut:], vectors, arity, children - left)


@given(size=st.integers(0, 30), arity=st.integers(2, 5), seed=st.integers(0, 20), width=st.integers(1, 3))
@settings(deadline=None, max_examples=80)
def test_k_means_against_a_literal_one(size: int, arity: int, seed: int, width: int) -> None:
    rng = np.random.default_rng(seed)
    vectors = rng.integers(-8, 8, (size, width)).astype(np.float32)
    item = rng.permutation(size).astype(np.int32)
    order = order_by_vectors(item, vectors, arity)
    assert sorted(order.tolist()) == sorted(item.tolist())
    of_item = np.empty_like(vectors)
    of_item[item] = vectors
    tree, literal = (
        Tree.of_order(order, arity),
        halved(list(range(size)), of_item, arity, min(arity, size)),
    )
    parts = [sorted(leaves_below(tree, node)) for node in range(len(tree))]
    told = Tree.of_order(np.array(literal, np.int32), arity)
    assert parts == [sorted(leaves_below(told, node)) for node in range(len(told))]


def test_k_means_finds_groups_and_knows_no_chance() -> None:
    rng = np.random.default_rng(0)
    centres = rng.normal(size=(8, 6)) * 20
    group = rng.permutation(np.repeat(np.arange(8), 16))
    vectors = (centres[group] + rng.normal(size=(128, 6))).astype(np.float32)
    item = rng.permutation(128).astype(np.int32)
    order = order_by_vectors(item, vectors, 2)
    of_item = np.empty(128, np.int64)
    of_item[item] = group
    assert all(len(set(of_item[order[start : start + 16]])) == 1 for start in range(0, 128, 16))
    mixed = rng.permutation(128)
    assert order_by_vectors(item[mixed], vectors[mixed], 2).tolist() == order.tolist()
    same = order_by_vectors(np.arange(9, dtype=np.int32), np.ones((9, 2), np.float32), 3)
    assert same.tolist() == list(range(9)), "ties by item"


def test_new_items_are_dealt_out_among_their_like() -> None:
    # Parents of two leaves each: items 0 to 5 are of category 0, 6 and 7 of category 1, 4 beside 6.
    order = np.array([0, 1, 2, 3, 4, 6, 5, 7], np.int32)
    tree = Tree.of_order(order, 2)
    code = np.array([0] * 6 + [1, 1] + [0, 0, 0, 0, 0, 1, 1, 1, 7, -1, -1], np.int32)
    new = np.arange(8, 19, dtype=np.int32)
    beside = np.full(len(new), -1, np.int32)
    beside[10] = 5
    above = [set(leaves_below(tree, node)) if node >= 0 else None for node in tree.places(new, code, beside)]
    assert above[:5] == [{0, 1}, {2, 3}, {4, 6}, {5, 7}, {0, 1}]
    assert above[5:8] == [{4, 6}, {5, 7}, {4, 6}]
    assert above[8:10] == [None, None], "a category that no item of the tree has, and none"
    assert above[10] == {5, 7}, "beside item 5"
    assert tree.places(new[:0], code, beside[:0]).tolist() == []
    empty = Tree.of_order(order[:0], 2)
    assert empty.places(new[:3], code, beside[:3]).tolist() == [-1] * 3


def test_means_of_leaves() -> None:
    tree = Tree.of_order(np.arange(5, dtype=np.int32), 2)
    vectors = np.random.default_rng(0).normal(size=(len(tree), 3)).astype(np.float32)
    means = tree.means(vectors)
    leaf = tree.leaf_of(5)
    for node in range(len(tree)):
        np.testing.assert_allclose(means[node], vectors[leaf[leaves_below(tree, node)]].mean(axis=0), rtol=1e-5)


def test_files(tmp_path: Path) -> None:
    tree = Tree.of_order(np.arange(7, dtype=np.int32), 3)
    tree.save(tmp_path)
    again = Tree.load(tmp_path)
    for name in ("parent", "children", "level", "item", "starts"):
        assert (getattr(again, name) == getattr(tree, name)).all()
    np.save(tmp_path / "level.npy", tree.level[:-1])
    with pytest.raises(ArtifactError) as caught:
        Tree.load(tmp_path)
    assert str(caught.value) == f"{tmp_path / 'level'}.npy: int32 ({len(tree) - 1},), expected int32 ({len(tree)},)"
