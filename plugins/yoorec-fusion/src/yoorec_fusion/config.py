"""Keys of the trigger `fusion`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated

from annotated_types import Ge, Gt, MinLen

from yoorec.config.types import TriggerName
from yoorec.vectors.config import VectorRecallConfig

__all__ = ["FusionConfig"]


@dataclass(frozen=True, slots=True)
class FusionConfig(VectorRecallConfig):
    """Whose vectors are put together, and how they recall."""

    of: Annotated[Mapping[TriggerName, Annotated[float, Gt(0)]], MinLen(1)] = field(kw_only=True)
    """Triggers of the scenario that recall by vectors, each with the weight of its cosine."""
    fill: Annotated[int, Ge(0)] = 3
    """A vector that a trigger lacks of an item is the mean of its vectors of so many items, those nearest by what the
    other triggers know; 0 leaves a gap."""
