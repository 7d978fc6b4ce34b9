"""Training samples: which plays are learned from, and the nodes that each of them is a choice among."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from numba import njit

from yoorec_tdm.tree import Tree

__all__ = ["Plan", "Sequences", "draw", "sequences_of"]

BOOL = npt.NDArray[np.bool_]
F32 = npt.NDArray[np.float32]
I32 = npt.NDArray[np.int32]
I64 = npt.NDArray[np.int64]


class Sequences(NamedTuple):
    """Plays by user, oldest first, and which of them are learned from.

    item:    int32 [P]. first: int64 [P], the place of the user's first play. same: bool [P], whether the play before
             belongs to the same session.
    target:  int64 [E], places of the plays that are learned from, in the order of the log: those that have plays of the
             user before them, none of which is of the same item.
    """

    item: I32
    first: I64
    same: BOOL
    target: I64


def sequences_of(user: I32, session: I32, item: I32, items: int) -> Sequences:
    """The sequences of plays given in the log's order; user, session and item int32 [P], item below `items`."""
    order = np.argsort(user, kind="stable")
    user, session, item = user[order], session[order], np.ascontiguousarray(item[order])
    begins = np.ones(len(user), np.bool_)
    begins[1:] = user[1:] != user[:-1]
    first = np.maximum.accumulate(np.where(begins, np.arange(len(user)), 0))
    same = np.zeros(len(user), np.bool_)
    same[1:] = ~begins[1:] & (session[1:] == session[:-1])
    target = np.flatnonzero(~begins & ~_repeated(item, first, items))
    return Sequences(item, first, same, target[np.argsort(order[target], kind="stable")])


@njit(nogil=True, cache=True)
def _repeated(item: Any, first: Any, items: int) -> Any:
    """bool [P]: whether the user played the item before."""
    latest = np.empty(items, np.int64)
    for i in range(items):
        latest[i] = -1
    found = np.zeros(len(item), np.bool_)
    for place in range(len(item)):
        found[place] = latest[item[place]] >= first[place]
        latest[item[place]] = place
    return found


class Plan(NamedTuple):
    """The nodes that a play is a choice among: S slots, level by level, the first of each level the played item's.

    level:  int32 [S]. label: float32 [S], 1 in the first slot of a level, else 0.
    begins: int32 [depth + 2]; the slots of level l are ``begins[l]:begins[l + 1]``, of level 0 there are none.
    beside: int32 [depth + 1], how many of a level's slots are for siblings, at most; they come right after the first.
    shift:  float32 [depth + 1], how much more often than it is played a node of the level is drawn as a negative, as a
            logarithm turned round: log((nodes - 1) / negatives). A logit less this is on one scale for all levels.
    """

    level: I32
    label: F32
    begins: I32
    beside: I32
    shift: F32

    @classmethod
    def of(cls, tree: Tree, negatives: int, siblings: float) -> Plan:
        """Slots for at most `negatives` nodes of each level beside the right one, a share of them its siblings."""
        sizes = np.diff(tree.starts)[1:]
        others = np.minimum(negatives, sizes - 1)
        begins = np.concatenate(([0, 0], np.cumsum(1 + others))).astype(np.int32)
        level = np.repeat(np.arange(1, tree.depth + 1), 1 + others).astype(np.int32)
        label = np.zeros(len(level), np.float32)
        label[begins[1:-1]] = 1
        beside = np.append(0, np.rint(siblings * others)).astype(np.int32)
        shift = np.append(0, np.log(np.maximum(sizes - 1, 1) / np.maximum(others, 1))).astype(np.float32)
        return cls(level, label, begins, beside, shift)


@njit(nogil=True, cache=True)
def _bits(seed: Any, number: Any, slot: Any) -> Any:
    """64 random bits of their own for every (seed, number, slot): splitmix64's finaliser over a mix of the three."""
    z = seed + np.uint64(number) * np.uint64(0x9E3779B97F4A7C15) + np.uint64(slot) * np.uint64(0xD1B54A32D192ED03)
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return z ^ (z >> np.uint64(31))


@njit(nogil=True, cache=True)
def _below(bits: Any, limit: int) -> int:
    """A whole number below `limit` from 64 random bits."""
    return int(((bits >> np.uint64(32)) * np.uint64(limit)) >> np.uint64(32))


@njit(nogil=True, cache=True)
def draw(
    seed: Any,
    place: Any,
    item: Any,
    first: Any,
    same: Any,
    leaf: Any,
    parent: Any,
    children: Any,
    level: Any,
    starts: Any,
    begins: Any,
    beside: Any,
    ahead: int,
    history: Any,
    main: Any,
    node: Any,
    weight: Any,
) -> None:
    """Write the samples of plays at places int64 [B] (see `Sequences`); what is drawn for one depends on no other.

    seed: uint64. leaf: int32 [I], each item's leaf, 0 for one that the tree lacks.
    ahead: the play is one of so many that follow the history, drawn anew for each; 1 for the very next.
    history: int32 [B, L], leaves of the plays before, newest first, 0 where there is none. main: int32 [B], leaf of the
    main item: the latest of them, if the play after it is of the same session, else 0.
    node: int32 [B, S], weight: float32 [B, S], see `Plan`; weight 0 and node 0 where a slot stays empty, which is so on
    levels below the item's leaf. Where there are fewer siblings than slots for them, the rest is drawn at random.
    """
    for b in range(len(place)):
        at = place[b]
        after = at - _below(_bits(seed, at, len(begins) + begins[-1]), min(ahead, at - first[at]))
        for p in range(history.shape[1]):
            before = after - 1 - p
            history[b, p] = leaf[item[before]] if before >= first[at] else 0
        main[b] = leaf[item[after - 1]] if same[after] else 0
        node[b] = 0
        weight[b] = np.float32(0.0)
        right = leaf[item[at]]
        while level[right] > 0:
            depth = level[right]
            start, stop = begins[depth], begins[depth + 1]
            node[b, start] = right
            weight[b, start] = np.float32(1.0)
            low, size = starts[depth], starts[depth + 1] - starts[depth]
            above = parent[right]
            eldest, kin = children[above], children[above + 1] - children[above]
            turn = _below(_bits(seed, at, start), max(kin - 1, 1))
            for slot in range(start + 1, stop):
                rank = slot - start - 1
                if rank < min(beside[depth], kin - 1):
                    other = eldest + (rank + turn) % (kin - 1)
                elif beside[depth] == 0 and stop - start == size:
                    other = low + rank
                else:
                    other = low + _below(_bits(seed, at, slot), size - 1)
                node[b, slot] = other + 1 if other >= right else other
                weight[b, slot] = np.float32(1.0)
            right = above
