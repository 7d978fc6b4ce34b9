"""What a search looks through."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from yoorec.ragged.arrays import F32, I32, I64
from yoorec_tdm.tree import Tree
from yoorec_tdm.weights import Weights

__all__ = ["Index"]


class Index(NamedTuple):
    """A tree, the model of its nodes, and the items that its leaves stand for.

    shift: float32 [depth + 1], taken from the logits of each level's leaves (see `samples.Plan`).
    leaf:  int32 [I], the leaf of each item, 0 for none. since: int64 [I], ms, when it was published.
    by_since: int32 [I], the items by that, the latest last.
    """

    tree: Tree
    weights: Weights
    shift: F32
    leaf: I32
    since: I64
    by_since: I32

    @classmethod
    def of(cls, tree: Tree, weights: Weights, shift: F32, since: I64) -> Index:
        """The rest follows from these."""
        by_since = np.argsort(since, kind="stable").astype(np.int32)
        return cls(tree, weights, shift, tree.leaf_of(len(since)), since, by_since)
