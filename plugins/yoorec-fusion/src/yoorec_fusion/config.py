"""Keys of the trigger `fusion`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated

from annotated_types import Gt, MinLen

from yoorec.config.types import TriggerName
from yoorec.vectors.config import VectorRecallConfig

__all__ = ["FusionConfig"]


@dataclass(frozen=True, slots=True)
class FusionConfig(VectorRecallConfig):
    """Whose vectors are put together, and how they recall."""

    of: Annotated[Mapping[TriggerName, Annotated[float, Gt(0)]], MinLen(1)] = field(kw_only=True)
    """Triggers of the scenario that recall by vectors, each with the weight of its cosine."""
