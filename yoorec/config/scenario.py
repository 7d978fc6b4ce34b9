"""A scenario after validation: what the chain, fit, replay and the server read."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, Literal

from annotated_types import Ge, Gt, Le, MinLen
from pydantic import StringConstraints

from yoorec.components import ComponentSpec, Kind
from yoorec.config.types import Count, Described, Duration, TriggerName, duration_ms

__all__ = [
    "Cut",
    "FitSettings",
    "MaskSettings",
    "Part",
    "ReplaySettings",
    "Scenario",
    "ServeSettings",
    "SparkSettings",
    "TriggerPart",
]

Cut = Annotated[float, Gt(0), Le(1)] | Annotated[str, Described("a date such as 2022-05-01")]
"""A share of the log's plays in time order, or a date such as ``2022-05-01`` or ``2022-05-01T12:00:00`` (UTC)."""


@dataclass(frozen=True, slots=True)
class SparkSettings:
    """Where engine `spark` runs (`fit.spark`)."""

    master: str = "local[*]"
    """Address of the cluster in Spark's words: `local[*]`, `spark://host:7077`, `yarn`."""
    memory: Annotated[str, StringConstraints(pattern=r"^[1-9]\d*[mgt]$"), Described("a size such as 512m or 2g")] = "2g"
    """Of the driver's and of each executor's Java process."""


@dataclass(frozen=True, slots=True)
class FitSettings:
    """How artifacts are built (`fit:`)."""

    rank_cut: Cut = 0.8
    """Triggers that feed the ranker's samples learn before this; the ranker learns from here to `replay.cut`."""
    rank_requests: Count = 20_000
    """Rank-window requests sampled for the ranker, at most."""
    threads: Annotated[int, Ge(0)] = 0
    """Worker threads of a fit; 0 takes every core. Never changes the result."""
    engine: Literal["local", "spark"] = "local"
    """Where kernels over ranges of items run: threads of this process, or Apache Spark. Never changes the result."""
    spark: SparkSettings = SparkSettings()
    """Of engine spark: `master`, its address (`spark://host:7077`, `yarn`), and `memory` of a Java process."""


@dataclass(frozen=True, slots=True)
class MaskSettings:
    """What the log forgets before anything learns from it (`replay.mask`); see `yoorec.data.mask`."""

    items: Annotated[float, Ge(0), Le(1)] = 0.0
    """Share of the items played before `replay.cut` that lose their earlier events and so look new."""
    keep: Duration = duration_ms("24h")
    """Time before `replay.cut` from which events of such an item stay."""
    users: Annotated[float, Ge(0), Le(1)] = 0.0
    """Share of the users with more than `plays` plays before `replay.cut` that lose all but the latest of them."""
    plays: Annotated[int, Ge(0)] = 5
    """Plays before `replay.cut` that such a user keeps, at most."""
    seed: Annotated[int, Ge(0)] = 0
    """Decides which items and users; a larger share takes the same ones and more."""


@dataclass(frozen=True, slots=True)
class ReplaySettings:
    """How logged sessions are replayed (`replay:`)."""

    cut: Cut = 0.9
    """Nothing the replayed chain uses was learned at or after this; requests are strictly later."""
    protocol: Literal["next_play", "given"] = "next_play"
    """next_play: each play that follows another in its session. given: the source's own prefix -> target rows."""
    truth: Literal["next", "rest"] = "next"
    """What counts as right: the next play, or all the rest of the session."""
    metrics: Annotated[tuple[str, ...], MinLen(1)] = (
        "hit_rate@10",
        "ndcg@10",
        "mrr@10",
        "recall@10",
        "coverage@10",
    )
    """Metrics with their cutoff, any number of each."""
    gates: tuple[str, ...] = ()
    """Conditions for launch, such as ``ndcg@10 >= control`` or ``hit_rate@10 >= 0.05``; one that fails exits 3."""
    batch: Count = 1024
    """Requests run together. Never changes a list."""
    threads: Annotated[int, Ge(0)] = 0
    """Worker threads; 0 takes every core. Never changes a list."""
    resamples: Annotated[int, Ge(100)] = 1000
    """Bootstrap resamples (of users, or of sessions under `given`) behind each 95 % interval."""
    slices: bool = True
    """Report every figure by age of the item played, by plays known of the user, and by what `mask` took."""
    baseline: TriggerName | None = None
    """Trigger whose own list every other trigger's is compared with, request by request."""
    mask: MaskSettings | None = None
    """What the log forgets before anything learns from it: a share `items` of the items loses every event older than
    `keep` before the cut, a share `users` of the users all but the latest `plays` plays before it; `seed` draws them.
    `{items: 0.1, keep: 24h, users: 0.2, plays: 5, seed: 0}`; each half may be missing."""


@dataclass(frozen=True, slots=True)
class ServeSettings:
    """How the server listens and what it accepts (`serve:`)."""

    host: str = "127.0.0.1"
    """Address to bind; loopback unless told."""
    port: Annotated[int, Ge(0), Le(65535)] = 8000
    """Port to bind; 0 picks a free one."""
    allow_time: bool = False
    """Accept `time` in a request (parity and tests); otherwise it is refused."""
    deadlines: bool = True
    """Enforce the triggers' timeouts."""
    workers: Count = 2
    """Threads that run the chain."""
    max_batch: Count = 32
    """Waiting requests that one pass of the chain may take together. Never changes a list."""
    max_queue: Count = 1024
    """Requests that may wait; further ones are answered 503."""
    max_body: Count = 65_536
    """Bytes of a request body."""
    max_session: Count = 500
    """Plays in a request's session."""
    max_k: Count = 200
    """Items a request may ask for."""


@dataclass(frozen=True, slots=True)
class Part:
    """One component as a scenario names it.

    kind:   its kind. name: the trigger's name, the rule's id, or the kind. use: the component's name.
    config: the validated config, an instance of ``spec.config``.
    """

    kind: Kind
    name: str
    use: str
    config: Any
    spec: ComponentSpec


@dataclass(frozen=True, slots=True)
class TriggerPart(Part):
    """A trigger with what the chain sets for it."""

    limit: int = 100
    """Candidates a request, at most."""
    timeout_ms: int | None = duration_ms("50ms")
    """The server leaves the trigger out of a request after this; None waits for it."""


@dataclass(frozen=True, slots=True)
class Scenario:
    """One scene's chain, its data, its replay and its server, validated.

    item_files: `texts` and `covers` to the files that add item columns; only those that are set.
    plain: the resolved YAML as plain values, every default filled in; `hash` is taken from it.
    hash:  16 hex digits over everything that decides a list, so neither `serve`, `store` nor run options.
    """

    scene: str
    slate: int
    seed: int
    store: Path
    session_gap_ms: int
    event_weights: Mapping[str, float]
    data: Part
    profile: Part
    history: int
    triggers: tuple[TriggerPart, ...]
    merge: Part
    merge_limit: int
    ranker: Part | None
    exposure: tuple[Part, ...]
    fit: FitSettings
    replay: ReplaySettings
    serve: ServeSettings
    item_files: Mapping[str, tuple[Path, ...]] = field(default_factory=dict)
    variants: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    overrides: tuple[str, ...] = ()
    path: Path | None = None
    plain: Mapping[str, Any] = field(default_factory=dict)
    hash: str = ""

    def parts(self) -> tuple[Part, ...]:
        """Every component of the request path, in stage order."""
        ranker = () if self.ranker is None else (self.ranker,)
        return (self.profile, *self.triggers, self.merge, *ranker, *self.exposure)
