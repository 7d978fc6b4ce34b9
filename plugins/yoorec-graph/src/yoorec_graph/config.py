"""Keys of the trigger `graph`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal

from annotated_types import Ge, Gt

from yoorec.config.types import Count, Duration, ItemColumn, NonNegative, duration_ms
from yoorec.vectors.config import VectorRecallConfig

__all__ = ["GraphConfig"]


@dataclass(frozen=True, slots=True)
class GraphConfig(VectorRecallConfig):
    """How the item graph is made, walked and learned from, and how its vectors recall."""

    min_plays: Count = 5
    """Items played less often are left out, unless they are new and linked: few plays make a vector of chance."""
    recent_link: Annotated[Duration, Gt(0)] | None = duration_ms("3h")
    """A new item is linked, there and back, with what its players played within this time of it; null makes no links,
    and new items need `min_plays` like others."""
    new_for: Annotated[Duration, Gt(0)] = duration_ms("1d")
    """An item is new until this long after it was published, looking back from the cut."""
    link_plays: Count = 2
    """Plays before and after that one play of a new item is linked with, the nearest ones, at most."""
    link_weight: Annotated[float, Gt(0)] = 1.0
    """What a link counts; one play right after the other counts 1."""
    sharpen: Annotated[float, Gt(0)] = 2.0
    """Weights are raised to this power: above 1, walks keep to what is often played in a row."""
    tame: Literal["all", "vectors"] | ItemColumn | None = "vectors"
    """Clusters in which hot items hand over their pull to others: `vectors` finds them by a first quick pass, the name
    of an item column takes its values, `all` makes one of all items; null tames nothing."""
    clusters: Count = 5
    """Clusters that `tame: vectors` makes."""
    damp: NonNegative = 1.0
    """Inside a cluster, weights are divided by the item's plays to this power; 0 leaves them."""
    walks: Count = 10
    """Walks that start from each item."""
    length: Annotated[int, Ge(2)] = 40
    """Items of a walk, at most."""
    p: Annotated[float, Gt(0)] = 1.0
    """How unlikely a walk goes straight back (node2vec): 1 is as the edges say, above 1 less, below 1 more."""
    q: Annotated[float, Gt(0)] = 1.0
    """How unlikely a walk leaves the neighbours of the item before: above 1 it stays near, below 1 it moves on."""
    dim: Count = 64
    """Numbers in a vector."""
    window: Count = 5
    """Steps of a walk before and after that predict each other, at most; each pair's own reach is drawn from 1 to
    this."""
    negative: Count = 5
    """Items drawn at random that a true pair is told from."""
    exponent: float = 0.75
    """Those are drawn by occurrences to this power: 1 by how often walks meet them, 0 all alike."""
    sample: NonNegative = 1e-3
    """Share of all steps from which on an item's are skipped at random, the more the oftener; 0 skips none."""
    epochs: Count = 1
    """Passes over the walks."""
    alpha: Annotated[float, Gt(0)] = 0.1
    """Learning rate at the start; it falls evenly to a thousandth."""
    workers: Count = 1
    """Threads that learn vectors. One gives the same vectors every time; more are faster and never the same twice."""
