"""Keys of the trigger `tdm`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal

from annotated_types import Ge, Gt, Le, Lt, MinLen

from yoorec.config.types import Count, ItemColumn, TriggerName

__all__ = ["TdmConfig"]


@dataclass(frozen=True, slots=True)
class TdmConfig:
    """The tree, the model that judges its nodes, how they are learned, and how the tree is searched."""

    arity: Annotated[int, Ge(2)] = 2
    """Children of an inner node."""
    category: ItemColumn | None = "category"
    """Item column by which the first tree is built and new items are placed; null for a first tree at random, as where
    the data lacks the default column."""
    content: TriggerName | None = None
    """A trigger with vectors of items, such as `text`: a new item is placed beside its nearest, not by category."""
    rounds: Count = 2
    """Times the model is trained; before each but the first, the tree is built again from the learned vectors."""
    start: Literal["random", "coplays"] = "random"
    """Vectors at the start: at random, or of what users play together, which then gives the first tree too."""
    dim: Count = 24
    """Numbers in the vector of a node; an item's vector is that of its leaf."""
    hidden: Annotated[tuple[Count, ...], MinLen(1)] = (64, 32)
    """Units of the deep network's layers."""
    windows: Annotated[tuple[Count, ...], MinLen(1)] = (1, 2, 4, 8, 16)
    """How many plays the windows of the history hold, newest window first; older plays are not looked at."""
    attention: Literal["dot", "average"] = "dot"
    """How plays are weighed inside a window: by their product with the node's vector, or all alike."""
    ahead: Count = 1
    """A history is to foretell one of so many plays after it, drawn anew in each epoch; 1 for the very next."""
    negatives: Count = 6
    """Nodes of a level that the played item's ancestor there is told from; small levels give all they have."""
    siblings: Annotated[float, Ge(0), Le(1)] = 0.0
    """Share of them taken from the ancestor's siblings, of which there are `arity` - 1 at most; others are random."""
    epochs: Count = 4
    """Passes over the plays in each round, at most."""
    per_user: Count | None = None
    """Plays of a user that an epoch learns from, at most, drawn anew for each; null takes all, most of them of few."""
    batch: Count = 1024
    """Plays that a worker learns from in one step."""
    learning_rate: Annotated[float, Gt(0)] = 0.003
    """Adam's."""
    averaging: Annotated[float, Ge(0), Lt(1)] = 0.0
    """Share of the weights' running mean that a step leaves in it; this mean is judged and kept. 0 for none."""
    tail: Annotated[float, Ge(0), Lt(1)] = 0.05
    """Share of the plays, the latest, kept from training to stop it in time; 0 trains on all for all epochs."""
    patience: Count = 1
    """Epochs without better recall on the tail after which a round ends, with its best epoch's weights."""
    workers: Count = 1
    """Processes that train together, each on a batch of its own in every step."""
    beam: Count = 200
    """Nodes kept on each level when the tree is searched."""
