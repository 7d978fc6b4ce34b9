"""Components: the parts a scenario names, one Protocol per kind, and the spec by which a plugin offers one.

Life of a learning component: ``Target(config, catalogue)``, then `fit` and `save` when artifacts are built, or
`load` when they are used; afterwards only its run method (`recall`, `score`, ...) is called, from several threads.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Protocol, cast, get_args

import numpy as np
import numpy.typing as npt

from yoorec.batch import CandidateBatch, Plays, Ragged, RequestBatch
from yoorec.engine import Engine
from yoorec.engine.local import LocalEngine
from yoorec.errors import PluginError

if TYPE_CHECKING:
    from yoorec.data.catalogue import Catalogue
    from yoorec.data.log import EventLog
    from yoorec.data.tables import Tables
    from yoorec.features.counters import Counters

__all__ = [
    "KINDS",
    "CatalogueMetric",
    "ComponentSpec",
    "ExposureContext",
    "ExposureRule",
    "FitContext",
    "Kind",
    "Merge",
    "Metric",
    "PerRequestTrigger",
    "ProfileStore",
    "ProfileView",
    "RankContext",
    "RankSamples",
    "Ranker",
    "Source",
    "Trigger",
]

Kind = Literal["trigger", "merge", "ranker", "exposure", "profile", "source", "metric"]
KINDS: tuple[Kind, ...] = get_args(Kind)


@dataclass(frozen=True, slots=True)
class ComponentSpec:
    """What a plugin offers: a name a scenario may `use`, its config, and where its code is.

    kind, name: the pair is unique across installed plugins.
    config:     a frozen dataclass; pydantic validates a scenario's keys against it, strictly.
    target:     "package.module:Class", imported only when a scenario uses the component.
    summary:    one line for `yoorec plugins` and the generated tables.
    learns:     "events" (fitted per cut), "items" (fitted once, blind to events), "nothing" (never fitted).
    apart:      a trigger's fit mostly waits on processes of its own, and reports progress while it does: it is started
                first, on a thread of its own, and the other fits go on beside it.
    """

    kind: Kind
    name: str
    config: type
    target: str
    summary: str = ""
    learns: Literal["events", "items", "nothing"] = "events"
    apart: bool = False

    def load(self) -> Any:
        """Import the target. Raises PluginError naming what could not be imported."""
        module, _, attribute = self.target.partition(":")
        try:
            return getattr(importlib.import_module(module), attribute)
        except Exception as error:
            kind = "" if isinstance(error, ImportError | AttributeError) else f"{type(error).__name__}: "
            message = f"{self.kind} '{self.name}' can't be loaded from {self.target}: {kind}{error}"
            raise PluginError(message) from error


def _no_progress(done: float, note: str = "") -> None:
    """Report nowhere."""


def _no_note(name: str, value: float | int | str) -> None:
    """Write nowhere."""


@dataclass(frozen=True, slots=True)
class FitContext:
    """What a fit may use besides the log.

    seed:     the scenario's seed; same log and seed, same artifact.
    threads:  worker threads the fit may start; the result must not depend on it.
    progress: call with the share done, 0 to 1, and a short note.
    note:     call with a name and a figure or text worth knowing of this fit, such as a share left out; it goes into
              the artifact's manifest, and `yoorec fit` prints it.
    engine:   where kernels over ranges run (`yoorec.engine`), here or elsewhere; the result must not depend on it.
              Unless given, on `threads` threads of this process.
    cache:    a folder of the component's own that outlives the fit, for what is costly to compute again, such as
              features of images by checksum; may be emptied at any time, and the result must not depend on it. Made
              when first written to. None where nothing is kept.
    upstream: the fitted triggers that the component's config names (fields of type `TriggerName`), by name.
    """

    seed: int = 0
    threads: int = 1
    progress: Callable[..., None] = _no_progress
    note: Callable[[str, float | int | str], None] = _no_note
    engine: Engine = cast(Engine, None)  # noqa: RUF009 (never None once made)
    cache: Path | None = None
    upstream: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        given: Any = self.engine
        if given is None:
            object.__setattr__(self, "engine", LocalEngine(self.threads))


class Trigger(Protocol):
    """One recall mechanism."""

    def __init__(self, config: Any, catalogue: Catalogue) -> None: ...

    def fit(self, log: EventLog, context: FitContext) -> None:
        """Learn from `log`, which ends before the cut. Same log and seed, same model."""

    def save(self, folder: Path) -> None:
        """Write what was learned into an empty folder; no pickle (see `yoorec.artifacts.arrays`)."""

    def load(self, folder: Path) -> None:
        """Read back what `save` wrote."""

    def recall(self, requests: RequestBatch, k: int) -> CandidateBatch:
        """At most k rows per request, best first, ties by item; zero rows is fine, raising is not."""


class PerRequestTrigger:
    """Base for an author who would rather write `recall_one`; slower, since it loops over the requests."""

    def recall_one(self, request: RequestBatch, k: int) -> tuple[Sequence[int], Sequence[float]]:
        """Items and scores for a batch of one request, in any order; `recall` sorts and cuts them."""
        raise NotImplementedError

    def recall(self, requests: RequestBatch, k: int) -> CandidateBatch:
        """At most k rows per request, best first, ties by item."""
        items: list[npt.NDArray[np.int32]] = []
        scores: list[npt.NDArray[np.float32]] = []
        offsets = np.zeros(len(requests) + 1, np.int64)
        for b in range(len(requests)):
            found, given = self.recall_one(requests.take(np.array([b])), k)
            item, score = np.asarray(found, np.int32), np.asarray(given, np.float32)
            key = np.where(np.isfinite(score), score, -np.inf)
            best = np.lexsort((item, -key))[:k]
            items.append(item[best])
            scores.append(score[best])
            offsets[b + 1] = offsets[b] + len(best)
        if not items:
            return CandidateBatch.empty(0)
        return CandidateBatch(offsets, np.concatenate(items), np.concatenate(scores))


class Merge(Protocol):
    """Turns the triggers' candidate sets into one."""

    def __init__(self, config: Any, catalogue: Catalogue) -> None: ...

    def merge(self, requests: RequestBatch, recalled: Mapping[str, CandidateBatch], limit: int) -> CandidateBatch:
        """At most `limit` rows per request with every source kept (`sources`, `source_score`, `source_rank`).

        recalled: trigger name to its candidates for the same B requests, in the scenario's order.
        """


@dataclass(frozen=True, slots=True)
class RankSamples:
    """What a ranker learns from: merged candidates at rank-window requests, and what was then played.

    label: float32 [N], 1 where the request's truth holds the candidate, else 0.
    missed: int, truths that no trigger recalled (the recall ceiling is 1 - missed / truths).
    outcome: by event type float32 [N], 1 where it happened to the candidate then; `completion` too, where the log tells
             of it, NaN for a play of which it is unknown. Empty where samples tell of plays alone, as the rest is None.
    watch_s: float32 [N], seconds watched of what was played; NaN where unknown, and for what was not played.
    shown: bool [N], whether the log has an impression of the candidate there. position: int32 [N], its place, or -1.
    unrecalled: impressions that no trigger recalled, as candidates without sources, of the same requests.
    """

    requests: RequestBatch
    candidates: CandidateBatch
    label: npt.NDArray[np.float32]
    truths: int
    missed: int
    outcome: Mapping[str, npt.NDArray[np.float32]] = field(default_factory=dict)
    watch_s: npt.NDArray[np.float32] | None = None
    shown: npt.NDArray[np.bool_] | None = None
    position: npt.NDArray[np.int32] | None = None
    unrecalled: RankSamples | None = None


@dataclass(frozen=True, slots=True)
class RankContext:
    """What a ranker may look at beside requests and candidates.

    triggers: the fitted triggers, by name: while it learns those that made the samples, afterwards those that serve.
    counters: what happened to each item by the hour, in the whole log, to be read as of a request's time.
    """

    triggers: Mapping[str, Any]
    counters: Counters


class Ranker(Protocol):
    """Scores merged candidates.

    One that has a method `use(context: RankContext)` is given what it may look at, before `fit` and before `load`.
    """

    def __init__(self, config: Any, catalogue: Catalogue) -> None: ...

    def needs_fit(self) -> bool:
        """False where the config already says everything; then no samples are built."""

    def fit(self, samples: RankSamples, context: FitContext) -> None:
        """Learn from the rank window. Same samples and seed, same model."""

    def save(self, folder: Path) -> None:
        """Write what was learned into an empty folder."""

    def load(self, folder: Path) -> None:
        """Read back what `save` wrote."""

    def score(self, requests: RequestBatch, merged: CandidateBatch) -> npt.NDArray[np.float32]:
        """float32 [N], one score per row, higher is better; no score may depend on the batch around it."""


@dataclass(frozen=True, slots=True)
class ExposureContext:
    """What a rule may ask of the chain.

    recall:  (trigger, requests, k) -> that trigger's candidates; none where it was left out of this pass.
    earlier: (requests, candidates) -> the candidates after every rule that stands before this one.
    """

    recall: Callable[[str, RequestBatch, int], CandidateBatch]
    earlier: Callable[[RequestBatch, CandidateBatch], CandidateBatch]


class ExposureRule(Protocol):
    """Filters or reorders the ranked list for product reasons."""

    def __init__(self, config: Any, catalogue: Catalogue) -> None: ...

    def apply(self, requests: RequestBatch, ranked: CandidateBatch, context: ExposureContext) -> CandidateBatch:
        """The kept rows in their new order, columns kept. What is missing was removed by this rule.

        The order need not follow the score any more; an item stands at most once.
        """


@dataclass(frozen=True, slots=True)
class ProfileView:
    """Profiles of B users, each as of its request's time.

    history: latest plays strictly earlier than the time, newest first.
    seen:    every item played strictly earlier.
    columns: user attributes by name, each [B].
    """

    history: Plays
    seen: Ragged
    columns: Mapping[str, npt.NDArray[Any]] = field(default_factory=dict)


class ProfileStore(Protocol):
    """Users' attributes and behaviour, read as of a time."""

    def __init__(self, config: Any, catalogue: Catalogue) -> None: ...

    def build(self, log: EventLog, folder: Path) -> None:
        """Write the whole log's plays into an empty folder; before them those of `log.past`, UNTIMED, weight 1."""

    def open(self, folder: Path) -> None:
        """Read from what `build` wrote; safe to use from several threads afterwards."""

    def read(self, user: npt.NDArray[np.int32], time: npt.NDArray[np.int64], history: int) -> ProfileView:
        """Profiles of users [B] as of times [B]; -1 or an unseen user has an empty one. At most `history` plays."""

    def close(self) -> None:
        """Let go of files."""


class Source(Protocol):
    """Reads logged data into the three tables."""

    def __init__(self, config: Any) -> None: ...

    def files(self) -> Sequence[Path]:
        """Every file the tables come from; their contents make the data fingerprint. Empty for a generated world."""

    def read(self) -> Tables:
        """The three tables. Raises DataError naming file, row, column and value."""


class Metric(Protocol):
    """One quality figure with a cutoff: a mean over requests, vectorised over them."""

    higher_is_better: bool

    def __init__(self, config: Any) -> None: ...

    def per_request(self, hit: npt.NDArray[np.bool_], truths: npt.NDArray[np.int64], k: int) -> npt.NDArray[np.float64]:
        """float64 [B] from hit bool [B, k] (is the slate's p-th item among the truths) and truths int64 [B]."""


class CatalogueMetric(Protocol):
    """One quality figure with a cutoff, of all replayed lists together, such as coverage; it has no interval.

    A component of kind "metric" is either this or a `Metric`; replay tells them apart by their method.
    """

    higher_is_better: bool

    def __init__(self, config: Any) -> None: ...

    def over_catalogue(self, shown: npt.NDArray[np.int64], recommendable: npt.NDArray[np.bool_], k: int) -> float:
        """The figure from shown int64 [I] (requests whose first k held the item) and recommendable bool [I]."""
