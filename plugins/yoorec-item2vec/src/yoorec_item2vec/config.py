"""Keys of the trigger `item2vec`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal

from annotated_types import Ge, Gt

from yoorec.config.types import Count, NonNegative
from yoorec.vectors.config import VectorRecallConfig

__all__ = ["Item2vecConfig"]


@dataclass(frozen=True, slots=True)
class Item2vecConfig(VectorRecallConfig):
    """How item vectors are learned from play sequences, and how they recall."""

    sequences: Literal["session", "user"] = "user"
    """What is read as a sentence: all plays of a user, or the plays of a session."""
    dim: Count = 64
    """Numbers in a vector."""
    window: Count = 5
    """Plays before and after that predict each other, at most; each pair's own reach is drawn from 1 to this."""
    negative: Count = 5
    """Items drawn at random that a true pair is told from."""
    exponent: float = 0.75
    """Those are drawn by plays to this power: 1 by popularity, 0 all alike, below 0 the rare ones first."""
    sample: NonNegative = 1e-3
    """Share of all plays from which on an item's plays are skipped at random, the more the hotter; 0 skips none."""
    min_plays: Count = 5
    """Items played less often get no vector; theirs would be little but noise, and noise is near to many."""
    epochs: Count = 10
    """Passes over the sequences."""
    alpha: Annotated[float, Gt(0)] = 0.05
    """Learning rate at the start; it falls evenly to a thousandth. Too high a one makes the vectors collapse."""
    workers: Annotated[int, Ge(1)] = 1
    """Threads that learn. One gives the same vectors every time; more are faster and never the same twice."""
