"""Keys of the trigger `itemcf`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from annotated_types import Ge, Gt, Le

from yoorec.config.types import Count, Duration, Share, duration_ms

__all__ = ["ItemCFConfig"]


@dataclass(frozen=True, slots=True)
class ItemCFConfig:
    """How similar items are learned from co-plays, and how they are recalled."""

    neighbors: Count = 200
    """Similar items kept per item, the best ones."""
    half_life: Annotated[Duration, Gt(0)] | None = duration_ms("10m")
    """Time between two plays of a user at which their pair counts half; null counts every pair fully."""
    window: Annotated[Duration, Gt(0)] | None = None
    """Plays of a user further apart than this are no pair; null pairs all that `half_life` leaves."""
    backward: Annotated[float, Ge(0), Le(1)] = 1.0
    """What a pair counts for the item played later: 1 as much as for the earlier one, 0 only recalls what followed."""
    min_support: Count = 1
    """Pairs that fewer users played are left out."""
    damp_users: bool = True
    """Divide a user's pairs by log(1 + items the user played), so that heavy users don't drown the rest."""
    normalize: bool = True
    """Divide each item's similarities by their maximum, so that a popular main item's don't drown the session's."""
    max_plays: Count | None = 1000
    """Items kept per user, the latest ones; bounds the pairs of a user. Null keeps all."""
    recall_from: Count = 20
    """Plays of a request's history that recall, the newest ones, main item first."""
    recency: Share = 0.8
    """Each play back in the history counts this share of the one after it."""
    recall_main: bool = False
    """Let other plays of the history recall the main item too, where playing it again counts."""
