"""The pipeline: a scenario made runnable. Profile, triggers, merge, ranker, exposure rules; always in batches.

Replay passes thousands of requests, the server the one or few that wait; both run this code, and no list depends on the
batch it was made in.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from yoorec.batch import Arrivals, CandidateBatch, Ragged, RequestBatch
from yoorec.bulkhead import Bulkhead
from yoorec.components import ExposureContext, ExposureRule, Merge, ProfileStore, Ranker, Trigger
from yoorec.config.scenario import Scenario
from yoorec.data.catalogue import Catalogue
from yoorec.guard import BULKHEAD_THREADS, Guard
from yoorec.plugins import Plugins
from yoorec.ragged import best_candidates, first_k, take_rows, unite_items, unite_plays

__all__ = ["Pipeline", "Result", "StageError"]


class StageError(Exception):
    """A stage after the triggers failed, or a trigger broke its contract; names stage and component."""

    def __init__(self, stage: str, message: str) -> None:
        super().__init__(stage, message)
        self.stage = stage
        self.message = message

    def __str__(self) -> str:
        return f"{self.stage}: {self.message}"


@dataclass(frozen=True, slots=True)
class Result:
    """What one pass of the chain made of B requests, stage by stage.

    requests: with their profiles. recalled: candidates by trigger, in the scenario's order; one that was left out is
    absent and named in `degraded`. merged, ranked: after those stages. exposed: after each rule, by its id.
    slates: the first k of the last stage. timings_ms: wall time of each stage for the whole batch.
    """

    requests: RequestBatch
    recalled: Mapping[str, CandidateBatch]
    merged: CandidateBatch
    ranked: CandidateBatch
    exposed: tuple[tuple[str, CandidateBatch], ...]
    slates: CandidateBatch
    degraded: tuple[str, ...] = ()
    timings_ms: Mapping[str, float] = field(default_factory=dict)


class Pipeline:
    """The stages of one scenario, loaded.

    run: safe to call from several threads at once. notes: what components want a report to say, by their key.
    """

    def __init__(
        self,
        scenario: Scenario,
        catalogue: Catalogue,
        plugins: Plugins,
        *,
        profile: ProfileStore,
        triggers: Mapping[str, Trigger],
        merge: Merge,
        ranker: Ranker | None,
        rules: Sequence[tuple[str, ExposureRule]],
        notes: Mapping[str, str] | None = None,
    ) -> None:
        self.scenario = scenario
        self.catalogue = catalogue
        self.plugins = plugins
        self._profile = profile
        self._triggers = dict(triggers)
        self._parts = {part.name: part for part in scenario.triggers if part.name in self._triggers}
        self._merge = merge
        self._ranker = ranker
        self._rules = tuple(rules)
        self.notes = dict(notes or {})
        self._bulkheads = {name: Bulkhead(name, BULKHEAD_THREADS) for name in self._parts}
        # Items that come out later than the log's start are few; a request after all of them skips the filter.
        self._last_published = int(catalogue.published_at.max(initial=np.iinfo(np.int64).min))
        self._observed = bool(plugins.hook.yoorec_after_stage.get_hookimpls())
        self._watched = bool(plugins.hook.yoorec_after_request.get_hookimpls())

    @property
    def rules(self) -> tuple[tuple[str, ExposureRule], ...]:
        """The exposure rules by id, in order."""
        return self._rules

    @property
    def triggers(self) -> Mapping[str, Trigger]:
        """The triggers by name."""
        return self._triggers

    @property
    def ranker(self) -> Ranker | None:
        """What scores merged candidates again, if anything does."""
        return self._ranker

    @property
    def has_ranker(self) -> bool:
        """Whether merged candidates are scored again."""
        return self._ranker is not None

    def close(self) -> None:
        """Let go of threads and files."""
        for bulkhead in self._bulkheads.values():
            bulkhead.close()
        self._profile.close()

    def run(self, arrivals: Arrivals, *, deadlines: bool = False, tolerant: bool = False) -> Result:
        """Answer B requests.

        deadlines: leave a trigger out that outruns its timeout. tolerant: leave a trigger out that raises; otherwise
        its error is raised, as is any error of a later stage (StageError).
        """
        clock = _Clock()
        requests = self.enter(arrivals)
        clock.lap("profile")
        guard = Guard(self.recall, self._parts, self._bulkheads, deadlines, tolerant)
        recalled: dict[str, CandidateBatch] = {}
        for name, (candidates, elapsed_ms) in guard.ask_all(requests).items():
            recalled[name] = candidates
            clock.set(f"triggers.{name}", elapsed_ms)
            self._report(f"triggers.{name}", requests, candidates, elapsed_ms)
        clock.skip()
        merged = self.merge(requests, recalled)
        self._report("merge", requests, merged, clock.lap("merge"))
        ranked = self._rank(requests, merged)
        if self._ranker is not None:
            self._report("ranker", requests, ranked, clock.lap("ranker"))
        exposed = self._expose(requests, ranked, guard, clock)
        slates = _first(exposed[-1][1] if exposed else ranked, requests.k)
        timings = clock.done()
        if self._watched:
            self.plugins.observe(
                "yoorec_after_request",
                scene=self.scenario.scene,
                requests=requests,
                slates=slates,
                degraded=guard.degraded,
                elapsed_ms=timings["total"],
            )
        return Result(requests, recalled, merged, ranked, exposed, slates, guard.degraded, timings)

    def enter(self, arrivals: Arrivals) -> RequestBatch:
        """Join the session with the profile as of the request's time."""
        try:
            view = self._profile.read(arrivals.user, arrivals.time, self.scenario.history)
        except Exception as error:
            raise StageError(f"profile '{self.scenario.profile.use}'", _told(error)) from error
        session = arrivals.session
        return RequestBatch(
            arrivals.user,
            arrivals.time,
            arrivals.item,
            arrivals.k,
            session,
            unite_plays(session, view.history, self.scenario.history),
            unite_items(Ragged(session.offsets, session.item), view.seen),
            view.columns,
        )

    def recall(self, name: str, requests: RequestBatch, k: int) -> CandidateBatch:
        """Ask one trigger for at most k candidates a request; items not yet published are left out."""
        found = self._triggers[name].recall(requests, k)
        if len(found.offsets) != len(requests) + 1 or found.item.dtype != np.int32 or found.score.dtype != np.float32:
            raise StageError(
                f"triggers.{name}",
                f"gave {len(found.offsets) - 1} requests of {found.item.dtype} items and {found.score.dtype} scores, "
                f"expected {len(requests)} of int32 and float32",
            )
        if len(requests) and int(found.lengths.max(initial=0)) > k:
            raise StageError(f"triggers.{name}", f"gave {int(found.lengths.max())} candidates, asked for {k}")
        if len(requests) and int(requests.time.min()) < self._last_published:
            found = self._published(requests, found)
        return found

    def _published(self, requests: RequestBatch, found: CandidateBatch) -> CandidateBatch:
        out = self.catalogue.published_at[found.item] <= np.repeat(requests.time, found.lengths)
        if out.all():
            return found
        kept = np.zeros(len(out) + 1, np.int64)
        np.cumsum(out, out=kept[1:])
        return found.rows(np.flatnonzero(out), kept[found.offsets])

    def merge(self, requests: RequestBatch, recalled: Mapping[str, CandidateBatch]) -> CandidateBatch:
        """One candidate set out of the triggers' sets."""
        try:
            return self._merge.merge(requests, recalled, self.scenario.merge_limit)
        except Exception as error:
            raise StageError(f"merge '{self.scenario.merge.use}'", _told(error)) from error

    def _rank(self, requests: RequestBatch, merged: CandidateBatch) -> CandidateBatch:
        if self._ranker is None or self.scenario.ranker is None:
            return merged
        try:
            score = self._ranker.score(requests, merged)
            return best_candidates(merged, score)
        except Exception as error:
            raise StageError(f"ranker '{self.scenario.ranker.use}'", _told(error)) from error

    def _expose(
        self, requests: RequestBatch, ranked: CandidateBatch, guard: Guard, clock: _Clock
    ) -> tuple[tuple[str, CandidateBatch], ...]:
        """The list after each exposure rule, by the rule's id."""
        exposed: list[tuple[str, CandidateBatch]] = []
        kept = ranked
        for place, (name, rule) in enumerate(self._rules):
            kept = self._apply(place, name, rule, requests, kept, guard)
            exposed.append((name, kept))
            self._report(f"exposure.{name}", requests, kept, clock.lap(f"exposure.{name}"))
        return tuple(exposed)

    def _apply(
        self, place: int, name: str, rule: ExposureRule, requests: RequestBatch, kept: CandidateBatch, guard: Guard
    ) -> CandidateBatch:
        def earlier(some: RequestBatch, candidates: CandidateBatch) -> CandidateBatch:
            for before, (other, each) in enumerate(self._rules[:place]):
                candidates = self._apply(before, other, each, some, candidates, guard)
            return candidates

        try:
            return rule.apply(requests, kept, ExposureContext(guard.ask_again, earlier))
        except StageError:
            raise
        except Exception as error:
            raise StageError(f"exposure.{name}", _told(error)) from error

    def _report(self, stage: str, requests: RequestBatch, candidates: CandidateBatch, elapsed_ms: float) -> None:
        if self._observed:
            self.plugins.observe(
                "yoorec_after_stage",
                scene=self.scenario.scene,
                stage=stage,
                requests=requests,
                candidates=candidates,
                elapsed_ms=elapsed_ms,
            )


class _Clock:
    """Wall time of each stage of one pass, in ms."""

    __slots__ = ("_last", "_start", "_times")

    def __init__(self) -> None:
        self._start = self._last = time.perf_counter()
        self._times: dict[str, float] = {}

    def lap(self, stage: str) -> float:
        now = time.perf_counter()
        elapsed = self._times[stage] = (now - self._last) * 1000
        self._last = now
        return elapsed

    def set(self, stage: str, elapsed_ms: float) -> None:
        self._times[stage] = elapsed_ms

    def skip(self) -> None:
        self._last = time.perf_counter()

    def done(self) -> dict[str, float]:
        self._times["total"] = (time.perf_counter() - self._start) * 1000
        return self._times


def _first(candidates: CandidateBatch, k: npt.NDArray[np.int32]) -> CandidateBatch:
    rows, offsets = first_k(candidates.offsets, k)
    return take_rows(candidates, rows, offsets)


def _told(error: Exception) -> str:
    return f"{type(error).__name__}: {error}"
