"""Training samples against a literal reading of what they are."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from yoorec_tdm.samples import Plan, Sequences, draw, sequences_of
from yoorec_tdm.tree import Tree

ITEMS = 9


@given(rows=st.lists(st.tuples(st.integers(0, 3), st.integers(0, 2), st.integers(0, ITEMS - 1)), max_size=60))
@settings(deadline=None)
def test_sequences_against_a_literal_reading(rows: list[tuple[int, int, int]]) -> None:
    user, session, item = (np.array([row[part] for row in rows], np.int32) for part in range(3))
    found = sequences_of(user, session, item, ITEMS)
    expected = []
    for row, (who, visit, what) in enumerate(rows):
        before = [(other[1], other[2]) for other in rows[:row] if other[0] == who]
        if before and what not in {played for _, played in before}:
            expected.append(
                (what, [played for _, played in before][::-1], before[-1][1] if before[-1][0] == visit else -1)
            )
    told = []
    for place in found.target.tolist():
        before = found.item[found.first[place] : place][::-1].tolist()
        told.append((int(found.item[place]), before, before[0] if found.same[place] else -1))
    assert told == expected


def drawn(
    tree: Tree, plan: Plan, sequences: Sequences, places: Any, seed: int, length: int, ahead: int = 1
) -> tuple[np.ndarray, ...]:
    size = len(places)
    history, main = np.full((size, length), -9, np.int32), np.full(size, -9, np.int32)
    node, weight = np.full((size, len(plan.level)), -9, np.int32), np.full((size, len(plan.level)), -9, np.float32)
    draw(
        *(np.uint64(seed), np.asarray(places), *sequences[:3], tree.leaf_of(ITEMS * 4)),
        *(tree.parent, tree.children, tree.level, tree.starts, plan.begins, plan.beside, ahead),
        *(history, main, node, weight),
    )
    return history, main, node, weight


def world(items: int, seed: int) -> Sequences:
    rng = np.random.default_rng(seed)
    user = rng.integers(0, 3, 50).astype(np.int32)
    return sequences_of(
        user, (user * 2 + rng.integers(0, 2, 50)).astype(np.int32), rng.integers(0, items, 50).astype(np.int32), items
    )


@given(
    items=st.integers(2, ITEMS * 4),
    arity=st.integers(2, 4),
    negatives=st.integers(1, 6),
    siblings=st.sampled_from([0.0, 0.3, 0.5, 1.0]),
    seed=st.integers(0, 99),
)
@settings(deadline=None, max_examples=80)
def test_samples_against_a_literal_reading(items: int, arity: int, negatives: int, siblings: float, seed: int) -> None:
    sequences = world(items, seed)
    tree = Tree.of_order(np.random.default_rng(seed).permutation(items).astype(np.int32), arity)
    plan = Plan.of(tree, negatives, siblings)
    leaf = tree.leaf_of(ITEMS * 4)
    history, main, node, weight = drawn(tree, plan, sequences, sequences.target, seed, 4)
    for row, place in enumerate(sequences.target.tolist()):
        before = leaf[sequences.item[sequences.first[place] : place][::-1][:4]].tolist()
        assert history[row].tolist() == before + [0] * (4 - len(before))
        assert main[row] == (before[0] if sequences.same[place] else 0)
        path = {}
        climbing = int(leaf[sequences.item[place]])
        while climbing:
            path[int(tree.level[climbing])] = climbing
            climbing = int(tree.parent[climbing])
        for level in range(1, tree.depth + 1):
            slots = np.flatnonzero(plan.level == level)
            nodes, given = node[row, slots].tolist(), weight[row, slots].tolist()
            if level not in path:
                assert nodes == given == [0] * len(slots)
                continue
            right = path[level]
            on_level = set(range(tree.starts[level], tree.starts[level + 1]))
            wanted = min(negatives, len(on_level) - 1)
            assert len(slots) == 1 + wanted
            assert plan.label[slots].tolist() == [1] + [0] * wanted
            assert (nodes[0], given[0]) == (right, 1)
            kin = {other for other in on_level if tree.parent[other] == tree.parent[right]} - {right}
            beside = round(siblings * wanted)
            first = min(beside, len(kin))
            assert len(set(nodes[1 : 1 + first])) == first
            assert set(nodes[1 : 1 + first]) <= kin
            assert given[1:] == [1] * wanted, "what siblings there are too few for is drawn from the level"
            others = nodes[1 + first :]
            assert set(others) <= on_level - {right}
            if wanted == len(on_level) - 1 and not beside:
                assert set(others) == on_level - {right}
            assert plan.shift[level] == pytest.approx(np.log(max(len(on_level) - 1, 1) / max(wanted, 1)), abs=1e-6)


def test_what_is_drawn_depends_on_no_other_play() -> None:
    sequences, tree = world(30, 1), Tree.of_order(np.arange(30, dtype=np.int32), 2)
    plan = Plan.of(tree, 3, 0.4)
    whole = drawn(tree, plan, sequences, sequences.target, 7, 3)
    shuffled = np.random.default_rng(0).permutation(len(sequences.target))
    for part, full in zip(drawn(tree, plan, sequences, sequences.target[shuffled], 7, 3), whole, strict=True):
        assert (part == full[shuffled]).all()
    assert (drawn(tree, plan, sequences, sequences.target, 8, 3)[2] != whole[2]).any()


def test_negatives_are_drawn_alike_from_the_whole_level() -> None:
    """All nodes of a level equally often, but for the right one: five standard deviations off would be a flaw."""
    tree = Tree.of_order(np.arange(32, dtype=np.int32), 2)
    plan = Plan.of(tree, 4, 0.0)
    sequences = Sequences(np.arange(32, dtype=np.int32), np.zeros(32, np.int64), np.ones(32, np.bool_), np.array([31]))
    counts = np.zeros(len(tree), np.int64)
    rounds = 4000
    for seed in range(rounds):
        node = drawn(tree, plan, sequences, [31], seed, 1)[2]
        np.add.at(counts, node[0, plan.label == 0], 1)
    bottom = counts[tree.starts[5] :]
    assert bottom[31] == 0
    expected = rounds * 4 / 31
    assert abs(bottom[:31] - expected).max() < 5 * np.sqrt(expected)


def test_a_history_foretells_one_of_the_plays_ahead() -> None:
    """Twelve plays of one user, in two sessions; each history near enough is drawn about as often as another."""
    tree = Tree.of_order(np.arange(12, dtype=np.int32), 2)
    plan = Plan.of(tree, 1, 0.0)
    same = np.array([place not in (0, 6) for place in range(12)])
    sequences = Sequences(np.arange(12, dtype=np.int32), np.zeros(12, np.int64), same, np.array([2, 11]))
    leaf = tree.leaf_of(12)
    met: dict[int, list[int]] = {2: [], 11: []}
    for seed in range(900):
        history, main, node, _ = drawn(tree, plan, sequences, [2, 11], seed, 3, ahead=6)
        for row, place in enumerate((2, 11)):
            assert node[row, plan.begins[tree.level[leaf[place]]]] == leaf[place]
            latest = int(tree.item[history[row, 0]])
            expected = [leaf[play] if play >= 0 else 0 for play in (latest, latest - 1, latest - 2)]
            assert history[row].tolist() == expected
            assert main[row] == (leaf[latest] if same[latest + 1] else 0)
            met[place].append(latest)
    assert np.bincount(met[2]).tolist() == pytest.approx([450, 450], abs=75)
    assert np.bincount(met[11])[5:].tolist() == pytest.approx([150] * 6, abs=55)
    assert min(met[11]) == 5
