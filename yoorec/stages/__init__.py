"""Built-in merges, ranker, exposure rules and profile store, offered through the hook that strangers use."""

from __future__ import annotations

from yoorec.components import ComponentSpec
from yoorec.hookspecs import hookimpl
from yoorec.stages.configs import (
    BackfillConfig,
    BlendConfig,
    DropSeenConfig,
    QuotaConfig,
    RoundRobinConfig,
    RrfConfig,
    SpreadConfig,
    SqliteConfig,
    WeightedConfig,
)

__all__ = ["yoorec_components"]


@hookimpl
def yoorec_components() -> list[ComponentSpec]:
    """The stages that ship with the core."""
    return [
        ComponentSpec(
            "profile",
            "sqlite",
            SqliteConfig,
            "yoorec.stages.sqlite:SqliteProfiles",
            "the whole log in one SQLite file, read as of the request's time",
        ),
        ComponentSpec(
            "merge",
            "round_robin",
            RoundRobinConfig,
            "yoorec.stages.round_robin:RoundRobin",
            "the triggers take turns",
            "nothing",
        ),
        ComponentSpec(
            "merge",
            "weighted",
            WeightedConfig,
            "yoorec.stages.weighted:Weighted",
            "weighted sum of normalised scores",
            "nothing",
        ),
        ComponentSpec("merge", "rrf", RrfConfig, "yoorec.stages.rrf:Rrf", "reciprocal rank fusion", "nothing"),
        ComponentSpec(
            "merge",
            "quota",
            QuotaConfig,
            "yoorec.stages.quota:Quota",
            "a share of the places for each trigger",
            "nothing",
        ),
        ComponentSpec(
            "ranker",
            "blend",
            BlendConfig,
            "yoorec.stages.blend:Blend",
            "weights over the triggers' scores, given or learned on the rank window",
        ),
        ComponentSpec(
            "exposure",
            "drop_seen",
            DropSeenConfig,
            "yoorec.stages.drop_seen:DropSeen",
            "removes what the user has played",
            "nothing",
        ),
        ComponentSpec(
            "exposure",
            "spread",
            SpreadConfig,
            "yoorec.stages.spread:Spread",
            "keeps items of one author, category, ... apart",
            "nothing",
        ),
        ComponentSpec(
            "exposure",
            "backfill",
            BackfillConfig,
            "yoorec.stages.backfill:Backfill",
            "fills short slates from a trigger",
            "nothing",
        ),
    ]
