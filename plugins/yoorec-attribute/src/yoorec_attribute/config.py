"""Keys of the trigger `attribute`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Annotated

from annotated_types import Ge, Gt, Le, MinLen

from yoorec.config.types import Count, Duration, UserColumn, duration_ms

__all__ = ["AttributeConfig"]


@dataclass(frozen=True, slots=True)
class AttributeConfig:
    """What makes a segment, how plays fade, and how far a small segment is trusted."""

    by: Annotated[tuple[UserColumn, ...], MinLen(1)]
    """User columns that make the segments, the most telling one first; a segment's coarser ones drop them from the
    right."""
    bins: Mapping[UserColumn, tuple[float, ...]] = field(default_factory=dict)
    """Rising edges by column of `by`, whose values are numbers; a value belongs to the bin above every edge that it
    reaches."""
    half_life: Annotated[Duration, Gt(0)] = duration_ms("2d")
    """Age at which a play counts half."""
    window: Annotated[Duration, Gt(0)] | None = duration_ms("30d")
    """Older plays count nothing; null takes the whole log."""
    prior: Annotated[float, Gt(0)] = 100.0
    """People, in effect, at which a segment's own plays and the coarser segment's shares count alike."""
    lift: Annotated[float, Ge(0), Le(1)] = 0.0
    """Power of the item's share among everybody that divides its share in the segment: 0 ranks by popularity, 1 by
    lift alone."""
    min_plays: Count | None = None
    """Items with fewer plays in the window, by anybody, are left out; null: 1, or 20 where `lift` is above 0."""
    min_users: Count = 5
    """Segments with fewer people who played in the window get no list of their own."""
    keep: Count = 500
    """Items kept per segment, the best ones."""
    optional: bool = False
    """Leave out columns that the users table lacks, and say so in the report, instead of refusing."""

    def __post_init__(self) -> None:
        repeated = sorted({column for column in self.by if self.by.count(column) > 1})
        if repeated:
            raise ValueError(f"by: '{repeated[0]}' stands there twice, accepted: each column once")
        for column, edges in self.bins.items():
            if column not in self.by:
                raise ValueError(f"bins: '{column}' is not a column of by, accepted: {', '.join(self.by)}")
            if not edges or any(not low < high for low, high in pairwise(edges)):
                raise ValueError(f"bins: {column}: found {list(edges)}, accepted: one or more rising numbers")
