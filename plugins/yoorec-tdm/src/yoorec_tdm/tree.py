"""The tree: every leaf an item, built from an order of the items, and grown between trainings."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt

from yoorec.artifacts.arrays import load_arrays, save_arrays
from yoorec.errors import ArtifactError
from yoorec.ragged import compiled, lowest_first

__all__ = ["Tree", "order_by_category", "order_by_vectors"]

F32 = npt.NDArray[np.float32]
I32 = npt.NDArray[np.int32]
I64 = npt.NDArray[np.int64]

_ITERATIONS = 12
"""Passes of k-means over a part, at most; few parts still change after half of them."""


class Tree:
    """N nodes, level by level from the root, node 0; the children of a node stand side by side, in its order.

    parent:   int32 [N], -1 for the root.
    children: int32 [N + 1]; the children of node n are ``children[n]:children[n + 1]``.
    level:    int32 [N], 0 for the root.
    item:     int32 [N], the item of a leaf; -1 for inner nodes, the root always being one.
    """

    def __init__(self, parent: I32, children: I32, level: I32, item: I32) -> None:
        self.parent = parent
        self.children = children
        self.level = level
        self.item = item
        self.starts = np.searchsorted(level, np.arange(self.depth + 2)).astype(np.int32)
        """int32 [depth + 2]: the nodes of level l are ``starts[l]:starts[l + 1]``."""

    def __len__(self) -> int:
        return len(self.parent)

    @property
    def depth(self) -> int:
        """The deepest level; 0 where there are no items."""
        return int(self.level[-1])

    @property
    def leaves(self) -> I32:
        """int32 [V]: the leaves, in the order of their numbers."""
        return np.flatnonzero(self.item >= 0).astype(np.int32)

    def leaf_of(self, items: int) -> I32:
        """int32 [items]: the leaf of each item; 0, the root, for one that the tree lacks."""
        found = np.zeros(items, np.int32)
        leaves = self.leaves
        found[self.item[leaves]] = leaves
        return found

    @classmethod
    def of_order(cls, order: I32, arity: int) -> Tree:
        """The tree whose leaves, read from left to right, are the items of an order int32 [V], all different.

        A node over n items has `arity` children over n / arity items each, the first ones over one more where that is
        no whole number; a node over one item is its leaf. So leaves stand on the last two levels.
        """
        start, size = np.zeros(1, np.int64), np.array([len(order)])
        parent, level, item = [np.full(1, -1, np.int32)], [np.zeros(1, np.int32)], [np.full(1, -1, np.int32)]
        counts = []
        first, depth = 0, 0
        while len(size):
            # The root is an inner node even over one item, so that a search always begins above the leaves.
            inner = (size > 1) | (depth == 0)
            count = np.where(inner, np.minimum(size, arity), 0)
            counts.append(count)
            above = np.repeat(np.arange(len(size)), count)
            place = np.arange(len(above)) - np.repeat(np.cumsum(count) - count, count)
            share, over = size[above] // np.maximum(count[above], 1), size[above] % np.maximum(count[above], 1)
            start = start[above] + place * share + np.minimum(place, over)
            size = share + (place < over)
            parent.append((first + above).astype(np.int32))
            first += len(inner)
            depth += 1
            level.append(np.full(len(size), depth, np.int32))
            item.append(np.where(size == 1, order[start] if len(order) else -1, -1).astype(np.int32))
        count = np.concatenate(counts)
        children = np.append(1, 1 + np.cumsum(count)).astype(np.int32)
        return cls(np.concatenate(parent), children, np.concatenate(level), np.concatenate(item))

    def grown(self, item: I32, under: I32) -> tuple[Tree, I64]:
        """With a new leaf for each of some items int32 [A] under the inner nodes int32 [A], behind its other children.

        Also int64 [N + A]: which node stood where; number N + a is the leaf of the a-th new item.
        """
        parent = np.append(self.parent, under)
        level = np.append(self.level, self.level[under] + 1)
        number = np.empty(len(parent), np.int64)
        order = [np.zeros(1, np.int64)]
        number[0], done = 0, 1
        for depth in range(1, int(level.max()) + 1):
            nodes = np.flatnonzero(level == depth)
            nodes = nodes[np.lexsort((nodes, number[parent[nodes]]))]
            number[nodes] = done + np.arange(len(nodes))
            done += len(nodes)
            order.append(nodes)
        was = np.concatenate(order)
        above = np.append(-1, number[parent[was[1:]]]).astype(np.int32)
        count = np.bincount(above[1:], minlength=len(was))
        children = np.append(1, 1 + np.cumsum(count)).astype(np.int32)
        return Tree(above, children, level[was].astype(np.int32), np.append(self.item, item)[was]), was

    def save(self, folder: Path) -> None:
        """Write the four arrays."""
        save_arrays(folder, parent=self.parent, children=self.children, level=self.level, item=self.item)

    @classmethod
    def load(cls, folder: Path) -> Tree:
        """Read back what `save` wrote. Raises ArtifactError naming the file where it is something else."""
        names = ("parent", "children", "level", "item")
        arrays = load_arrays(folder, *names)
        size = len(arrays[0])
        for name, array in zip(names, arrays, strict=True):
            wanted = size + (name == "children")
            if array.dtype != np.int32 or array.shape != (wanted,) or not size:
                raise ArtifactError(
                    f"{folder / name}.npy: {array.dtype} {array.shape}, expected int32 ({max(wanted, 1)},)"
                )
        return cls(*arrays)

    def places(self, new: I32, code: I32, beside: I32) -> I32:
        """The parents int32 [A] under which new items int32 [A] belong, -1 for one of which nothing is known.

        code:   int32 [I], each item's category, -1 where it has none.
        beside: int32 [A], an item of the tree whose neighbour a new one becomes; -1 puts it by category: under the
                parents of that category's leaves, one after the other, beginning with the parent that has most of them.
        """
        leaves = self.leaves
        above, known = self.parent[leaves], code[self.item[leaves]]
        under = np.full(len(new), -1, np.int32)
        for category in np.intersect1d(code[new], known[known >= 0]):
            nodes, held = np.unique(above[known == category], return_counts=True)
            nodes = nodes[np.lexsort((nodes, -held))]
            there = np.flatnonzero(code[new] == category)
            under[there] = nodes[np.arange(len(there)) % len(nodes)]
        there = np.flatnonzero(beside >= 0)
        under[there] = self.parent[self.leaf_of(len(code))[beside[there]]]
        return under

    def means(self, vectors: F32) -> F32:
        """float32 [N, D]: the vectors of the leaves as they are, and for each inner node the mean of its leaves'."""
        total = np.where(self.item[:, None] >= 0, vectors, 0).astype(np.float64)
        count = (self.item >= 0).astype(np.int64)
        for depth in range(self.depth, 0, -1):
            nodes = np.arange(self.starts[depth], self.starts[depth + 1])
            np.add.at(total, self.parent[nodes], total[nodes])
            np.add.at(count, self.parent[nodes], count[nodes])
        return np.asarray(total / np.maximum(count, 1)[:, None], np.float32)


def order_by_category(item: I32, code: I32, rng: np.random.Generator) -> I32:
    """The items int32 [V] by category, in random order inside each, as are the categories; -1 is one of its own.

    code: int32 [I], the category of each item.
    """
    shuffled = item[rng.permutation(len(item))]
    _, rank = np.unique(code[shuffled], return_inverse=True)
    place = rng.permutation(int(rank.max(initial=-1)) + 1)
    return shuffled[np.argsort(place[rank], kind="stable")] if len(item) else item


def order_by_vectors(item: I32, vectors: F32, arity: int) -> I32:
    """The order int32 [V] in which recursive balanced k-means leaves items int32 [V] with vectors float32 [V, D].

    A part is halved by two means, each taking as many items as its share of the tree's children has leaves: items are
    ordered by how much nearer they are to the one mean than to the other, and cut there. A node with more than two
    children is halved again. The means begin at the item farthest from the part's centre and the one farthest from
    that. Ties by item, so the same vectors give the same order.
    """
    rows = np.argsort(item, kind="stable")
    found = _halve(np.ascontiguousarray(vectors[rows], np.float32), arity, _ITERATIONS)
    return np.asarray(item[rows[found]], np.int32)


@compiled
def _farthest(vectors: F32, rows: I32, count: int, point: F32) -> int:
    best, most = 0, np.float32(-1.0)
    for r in range(count):
        distance = np.float32(0.0)
        for d in range(len(point)):
            gap = vectors[rows[r], d] - point[d]
            distance += gap * gap
        if distance > most:
            best, most = r, distance
    return best


@compiled
def _mean(vectors: F32, rows: I32, count: int, mean: F32) -> None:
    for d in range(len(mean)):
        mean[d] = np.float32(0.0)
    for r in range(count):
        for d in range(len(mean)):
            mean[d] += vectors[rows[r], d]
    for d in range(len(mean)):
        mean[d] /= np.float32(count)


@compiled
def _halve(vectors: F32, arity: int, iterations: int) -> I32:
    """Rows int32 [V] in the order of the leaves."""
    size, width = vectors.shape
    order = np.empty(size, np.int32)
    for row in range(size):
        order[row] = row
    # A part: its first row, its rows, and how many children of one node it is still to be dealt out to.
    parts = [(0, size, min(arity, size))]
    one, other = np.empty(width, np.float32), np.empty(width, np.float32)
    lean = np.empty(1, np.float32)
    bits = lean.view(np.uint32)
    keys, edges, moved = np.empty(size, np.uint64), np.empty(size, np.uint64), np.empty(size, np.int32)
    left_rows, right_rows = np.empty(size, np.int32), np.empty(size, np.int32)
    lefts = np.zeros(size, np.bool_)
    while len(parts):
        start, count, children = parts.pop()
        if children == 1:
            children = min(arity, count)
        if count < 2:
            continue
        left = (children + 1) // 2
        share, over = count // children, count % children
        cut = left * share + min(left, over)
        rows = order[start : start + count]  # rising, here and in every part
        _mean(vectors, rows, count, other)
        corner = rows[_farthest(vectors, rows, count, other)]
        for d in range(width):
            one[d] = vectors[corner, d]
        corner = rows[_farthest(vectors, rows, count, one)]
        for d in range(width):
            other[d] = vectors[corner, d]
        for turn in range(iterations):
            for r in range(count):
                total = np.float32(0.0)
                for d in range(width):
                    total += vectors[rows[r], d] * (other[d] - one[d])
                lean[0] = total + np.float32(0.0)  # no -0.0, whose bits differ
                upside = bits[0] ^ (np.uint32(0xFFFFFFFF) if bits[0] >> np.uint32(31) else np.uint32(0x80000000))
                keys[r] = (np.uint64(upside) << np.uint64(32)) | np.uint64(r)
                edges[r] = keys[r]
            lowest_first(edges, moved, count, cut)
            edge = edges[0]
            for r in range(1, cut):
                edge = max(edge, edges[r])
            lower, upper, same = 0, 0, turn > 0
            for r in range(count):
                nearer = keys[r] <= edge
                same = same and nearer == lefts[r]
                lefts[r] = nearer
                left_rows[lower] = rows[r]
                right_rows[upper] = rows[r]
                lower += nearer
                upper += not nearer
            if same:
                break
            _mean(vectors, left_rows, lower, one)
            _mean(vectors, right_rows, upper, other)
        for r in range(cut):
            rows[r] = left_rows[r]
        for r in range(cut, count):
            rows[r] = right_rows[r - cut]
        parts.append((start, cut, left))
        parts.append((start + cut, count - cut, children - left))
    return order
