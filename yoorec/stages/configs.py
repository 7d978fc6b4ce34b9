"""Configs of the built-in stages; light, so that listing them loads no kernel."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Annotated, Literal

from annotated_types import Gt

from yoorec.config.types import Count, ItemColumn, NonNegative, Share, TriggerName

__all__ = [
    "BackfillConfig",
    "BlendConfig",
    "DropSeenConfig",
    "Normalize",
    "QuotaConfig",
    "RoundRobinConfig",
    "RrfConfig",
    "SpreadConfig",
    "SqliteConfig",
    "WeightedConfig",
]

Normalize = Literal["max", "rank"]
"""How a trigger's scores are brought to 0..1 within a request.

max: score / the trigger's best score there, negative scores count 0; a trigger whose best isn't above 0 goes
     by rank.
rank: 1 for the trigger's best, falling in equal steps to 1/n for its n-th.
"""


@dataclass(frozen=True, slots=True)
class RoundRobinConfig:
    """The triggers take turns: everybody's best, then everybody's second, in the scenario's order."""


@dataclass(frozen=True, slots=True)
class WeightedConfig:
    """Sum of the triggers' normalised scores, each times its weight."""

    weights: Mapping[TriggerName, NonNegative] = field(default_factory=dict)
    """Weight by trigger; one that isn't named weighs 1."""
    normalize: Normalize = "max"
    """max: scores divided by the trigger's best in the request. rank: by place alone."""


@dataclass(frozen=True, slots=True)
class RrfConfig:
    """Reciprocal rank fusion: places alone decide, scores don't."""

    constant: NonNegative = 60.0
    """Added to every place; the higher, the less a first place stands out."""


@dataclass(frozen=True, slots=True)
class QuotaConfig:
    """Places reserved for triggers; what one can't fill goes to the others."""

    share: Mapping[TriggerName, Share] = field(default_factory=dict)
    """Share of `limit` reserved for a trigger, 1 in all at most; those not named split the remainder equally."""

    def __post_init__(self) -> None:
        total = sum(Fraction(repr(share)) for share in self.share.values())
        if total > 1:
            raise ValueError(f"shares add up to {float(total):g}, accepted: at most 1")


@dataclass(frozen=True, slots=True)
class BlendConfig:
    """Weighted sum of what the triggers say of a candidate; weights given, or learned on the rank window."""

    weights: Mapping[TriggerName, NonNegative] | None = None
    """Weight by trigger of its normalised score, 1 where not named; null: learned on the rank window."""
    normalize: Normalize = "max"
    """max: scores divided by the trigger's best in the request. rank: by place alone."""
    learn: Literal["ndcg", "likelihood"] = "ndcg"
    """What learning makes best: ndcg at the slate's length, or the likelihood of what was played."""
    ridge: Annotated[float, Gt(0)] = 1e-4
    """Penalty on squared weights while the likelihood is maximised; the higher, the nearer they stay to 0."""


@dataclass(frozen=True, slots=True)
class DropSeenConfig:
    """Removes the main item and every item that the user is known to have played."""


@dataclass(frozen=True, slots=True)
class SpreadConfig:
    """Keeps neighbours apart: any `window` places in a row hold at most `max` items of one value."""

    by: ItemColumn
    """Item column whose values are kept apart; items without a value never clash."""
    max: Count = 2
    """Items of one value in a window, at most."""
    window: Count = 5
    """Places in a row that are looked at together."""
    optional: bool = False
    """Where no item has the column, leave the rule out and say so in the report, instead of refusing."""


@dataclass(frozen=True, slots=True)
class BackfillConfig:
    """Fills slates that are short of `k` from one trigger and runs the earlier rules again."""

    from_: TriggerName
    """Trigger that is asked for more."""


@dataclass(frozen=True, slots=True)
class SqliteConfig:
    """The whole log's plays in one SQLite file, read as of each request's time."""

    cache_mb: Count = 256
    """Memory for decoded users, MB; the least recently used leave first."""
