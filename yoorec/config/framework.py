"""Keys that belong to the framework, whatever component stands behind `use`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated

from annotated_types import Ge, Gt

from yoorec.components import Kind
from yoorec.config.scenario import FitSettings, ReplaySettings, ServeSettings
from yoorec.config.types import Count, DataPath, Duration, NonNegative

__all__ = [
    "COMPONENTS",
    "KIND_WORDS",
    "LATENCIES",
    "SECTIONS",
    "SETTINGS",
    "TOP_KEYS",
    "ComponentKeys",
    "ExposureKeys",
    "MergeKeys",
    "ProfileKeys",
    "SceneKeys",
    "SourceKeys",
    "TriggerKeys",
    "owned_by_framework",
]


@dataclass(frozen=True, slots=True)
class SceneKeys:
    """At the top of a scenario."""

    scene: str
    """Name of the scene: letters, digits, `_` and `-`; the server's address of it, and its folder in the store."""
    slate: Count
    """Items of a list, unless a request asks for another number."""
    seed: Annotated[int, Ge(0)]
    """Same data, scenario and seed, same artifacts and lists."""
    store: DataPath
    """Folder of artifacts and releases."""
    session_gap: Annotated[Duration, Gt(0)]
    """A pause this long starts a new session, where the log has no sessions of its own."""
    event_weights: Mapping[str, NonNegative]
    """Event types that count as plays, with their weight; 0, or not named: no play."""


@dataclass(frozen=True, slots=True)
class TriggerKeys:
    """Of every trigger."""

    use: str
    """The trigger's component."""
    limit: Count = 100
    """Candidates a request, at most."""
    timeout: Annotated[Duration, Gt(0)] | None = 50
    """The server leaves the trigger out of a request after this; null waits for it. Off in replay."""


@dataclass(frozen=True, slots=True)
class MergeKeys:
    """Of every merge."""

    use: str
    """The merge's component."""
    limit: Count = 400
    """Candidates a request after merging, at most."""


@dataclass(frozen=True, slots=True)
class ExposureKeys:
    """Of every exposure rule."""

    use: str
    """The rule's component."""
    id: str | None = None
    """What overrides call the rule: `exposure.<id>`; its `use`, if not set, then `<use>_2` and so on."""


@dataclass(frozen=True, slots=True)
class ProfileKeys:
    """Of every profile store."""

    use: str
    """The store's component."""
    history: Annotated[int, Ge(0)] = 50
    """Plays of a user that a request carries, the latest ones, this session's included."""


@dataclass(frozen=True, slots=True)
class SourceKeys:
    """Of every data source."""

    use: str
    """The source's component."""
    texts: DataPath | tuple[DataPath, ...] | None = None
    """Files with further item columns, such as a plot: rows by `item_id` or, failing that, the first column. A value
    there counts before the source's own; `published_at` is in ms since the epoch."""
    covers: DataPath | tuple[DataPath, ...] | None = None
    """Files with the item column `cover`, or else one column of bytes: rows as in `texts`, images as bytes (Parquet) or
    as paths that start at the file's folder and stay in it."""


@dataclass(frozen=True, slots=True)
class ComponentKeys:
    """Of the ranker."""

    use: str
    """The component."""


COMPONENTS: dict[tuple[str, ...], Kind] = {
    ("data",): "source",
    ("profile",): "profile",
    ("merge",): "merge",
    ("ranker",): "ranker",
}
"""Keys that hold one component, and its kind; `triggers` and `exposure` hold several."""

SECTIONS: dict[Kind, type] = {
    "source": SourceKeys,
    "profile": ProfileKeys,
    "trigger": TriggerKeys,
    "merge": MergeKeys,
    "ranker": ComponentKeys,
    "exposure": ExposureKeys,
}
"""The framework's keys by kind of component."""

KIND_WORDS: dict[Kind, str] = {"source": "data source", "profile": "profile store", "exposure": "exposure rule"}
"""What messages call a kind, where its own name says too little."""

SETTINGS: dict[str, type] = {"fit": FitSettings, "replay": ReplaySettings, "serve": ServeSettings}
"""Keys that hold settings, all with defaults."""

TOP_KEYS: tuple[str, ...] = (
    *("scene", "slate", "seed", "store", "session_gap", "event_weights"),
    *("data", "profile", "triggers", "merge", "ranker", "exposure"),
    *("variants", "fit", "replay", "serve"),
)
"""Every key at the top of a scenario, in the order shown; `defaults` is Hydra's and goes in composing."""

LATENCIES = ("p50_ms", "p90_ms", "p99_ms")
"""Figures that a gate may ask for beside metrics."""

_KEPT = {
    "triggers": {"use", "limit", "timeout"},
    "merge": {"use", "limit"},
    "exposure": {"use", "id"},
    "profile": {"use", "history"},
}


def owned_by_framework(section: str, key: str) -> bool:
    """Whether a component's key outlives a change of `use`."""
    return key in _KEPT.get(section, {"use"})
