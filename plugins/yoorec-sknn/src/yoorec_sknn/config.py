"""Keys of the trigger `sknn`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from annotated_types import Ge, Gt, Le

from yoorec.config.types import Count, Duration, NonNegative, Share

__all__ = ["SknnConfig"]


@dataclass(frozen=True, slots=True)
class SknnConfig:
    """Which sessions are neighbours, and how their items vote."""

    neighbors: Count = 300
    """Sessions that vote, the most similar ones."""
    sample: Count = 2500
    """Sessions looked at per item of the request, the item's most recent ones."""
    recall_from: Count = 20
    """Plays of a request's history that look for neighbours, the newest ones, main item first."""
    recency: Share = 0.8
    """Each play back in the history counts this share of the one after it."""
    rarity: Annotated[float, Ge(0), Le(4)] = 1.0
    """Power of an item's log(1 + sessions / sessions that hold it) in its weight; 0 weighs common and rare items
    alike."""
    half_life: Annotated[Duration, Gt(0)] | None = None
    """Age at which a session counts half; null forgets nothing."""
    forward: Share = 0.9
    """In a neighbour, each place further after a common item counts this share of the one before; the next is 1."""
    backward: Annotated[float, Ge(0), Le(1)] = 0.7
    """The same before a common item, where the place right before already counts this share; 0 looks only forward."""
    same: NonNegative = 0.0
    """Vote of a common item for itself, where the place right after it is 1."""
    repeat: Annotated[float, Ge(0), Le(1)] = 0.0
    """The main item's own score counts this share; 0 never recalls it. Above 0 where repeated plays are wanted."""
    max_plays: Annotated[int, Ge(2)] = 200
    """Plays kept per session, the latest ones; bounds what a long session costs each recall that it votes in."""
