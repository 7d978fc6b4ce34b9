"""Keys that every vector trigger has; its config inherits them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from annotated_types import Ge

from yoorec.config.types import Count, Share

__all__ = ["VectorRecallConfig"]


@dataclass(frozen=True, slots=True)
class VectorRecallConfig:
    """How a request is turned into a vector, and how that is searched."""

    recall_from: Count = 20
    """Plays of a request's history that recall, the newest ones, main item first."""
    recency: Share = 0.8
    """Each play back in the history counts this share of the one after it."""
    exact_below: Annotated[int, Ge(0)] = 50_000
    """Up to so many vectors every one is compared; above, faiss looks through the nearest cells of an IVF index."""
    index_recall: Share = 0.98
    """Share of the true nearest that the IVF index must find; decides how many of its cells a search looks through."""
