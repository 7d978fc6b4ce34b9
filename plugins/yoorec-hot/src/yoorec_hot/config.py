"""Keys of the trigger `hot`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal

from annotated_types import Ge, Gt, Le

from yoorec.config.types import Count, Duration, NonNegative, Share, duration_ms

__all__ = ["HotConfig"]


@dataclass(frozen=True, slots=True)
class HotConfig:
    """How plays fade, and what counts as good."""

    half_life: Annotated[Duration, Gt(0)] = duration_ms("12h")
    """Age at which a play counts half."""
    window: Annotated[Duration, Gt(0)] | None = duration_ms("30d")
    """Older plays and likes count nothing; null takes the whole log."""
    quality: Literal["auto", "completion", "like", "none"] = "auto"
    """What the plays are multiplied by: a lower bound of the share of plays completed, or liked; auto takes completion
    where the log has watch times and the items durations, else likes where the log has them, else none."""
    completed: Share = 0.8
    """Share of the duration from which a play is completed."""
    z: NonNegative = 1.96
    """How sure the bound is, in standard deviations; 1.96 is a 95 % interval, 0 the plain rate."""
    floor: Share = 0.01
    """The factor is at least this, so that items nobody completed or liked yet still stand in the order of their
    plays."""
    at_least: Annotated[float, Ge(0), Le(1)] = 0.0
    """Items whose bound is lower are left out."""
    min_plays: Count = 1
    """Items with fewer plays in the window are left out."""
