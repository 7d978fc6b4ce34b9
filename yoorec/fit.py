"""The staged fit: what to build, in which order, blind to what; and only what changed.

    | ---- triggers learn ---- | -- ranker learns -- | ---- replay ---- |
    t0                      rank_cut             replay_cut            end

1. Triggers learn from events before `rank_cut`; their merged candidates at requests in (rank_cut, replay_cut) become
   the ranker's samples. Skipped where the ranker has nothing to learn.
2. The ranker learns from those samples.
3. Triggers learn again from events before `replay_cut`; these, and the ranker, are what replay and the server use.

A trigger that learns from items alone is fitted once. One whose config names other triggers is fitted after them, and
sees them fitted at the same cut. Triggers that are fitted apart are started first, and the third step together with the
second: what is waited for goes on beside them.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from yoorec.artifacts.manifest import digest
from yoorec.artifacts.release import Release, Slot, Step
from yoorec.artifacts.store import Artifact, Store
from yoorec.assembly import (
    build_part,
    check_inputs,
    check_parts,
    component_inputs,
    file_inputs,
    load_part,
    mask_inputs,
    open_pipeline,
)
from yoorec.code import code_hash
from yoorec.components import FitContext, RankContext, RankSamples
from yoorec.config.scenario import Part, Scenario, TriggerPart
from yoorec.config.walk import references_of
from yoorec.data.catalogue import Catalogue
from yoorec.data.cuts import Cuts, production_cuts, resolve_cuts
from yoorec.data.dataset import Dataset, read_dataset
from yoorec.data.episodes import next_play
from yoorec.data.fingerprint import items_fingerprint
from yoorec.data.outcomes import outcomes_of
from yoorec.data.storage import load_catalogue, save_catalogue
from yoorec.engine import Engine
from yoorec.engine.local import LocalEngine
from yoorec.engine.spark import SparkEngine
from yoorec.errors import ArtifactError, ConfigError, Problem
from yoorec.features.counters import Counters, durations
from yoorec.pipeline import Pipeline
from yoorec.plugins import Plugins
from yoorec.samples import rank_samples

__all__ = ["LastSamples", "fit", "fit_triggers"]

Progress = Callable[..., None]
_KEPT = 1 << 27
"""Samples that are kept for the next ranker: candidates x (triggers + 1) at most, which is 1 GB."""
_START = -(2**62)  # before every event: what a component that learns from items alone is shown


def _silent(done: float, note: str = "") -> None:
    """Report nowhere."""


class _Loaded(Mapping[str, Any]):
    """Fitted triggers by name, each read from its artifact when asked for."""

    def __init__(self, artifacts: Mapping[str, tuple[Part, Artifact]], catalogue: Catalogue) -> None:
        self._artifacts = artifacts
        self._catalogue = catalogue

    def __getitem__(self, name: str) -> Any:
        part, artifact = self._artifacts[name]
        return load_part(part, self._catalogue, artifact)

    def __iter__(self) -> Iterator[str]:
        return iter(self._artifacts)

    def __len__(self) -> int:
        return len(self._artifacts)


@dataclass(slots=True)
class LastSamples:
    """What the last ranker learned from, for the next one that learns from the same: fits of a scenario's variants."""

    key: str = ""
    samples: RankSamples | None = None

    def keep(self, key: str, samples: RankSamples) -> None:
        """Keep them instead of those before, unless they take too much memory."""
        candidates = samples.candidates
        many = len(candidates.item) * (1 + len(candidates.sources)) > _KEPT
        self.key, self.samples = ("", None) if many else (key, samples)


class _EndedError(Exception):
    """Ends a fit whose result nobody waits for any more."""


class _Task(NamedTuple):
    """One artifact to find or make."""

    slot: str
    inputs: Mapping[str, Any]
    cut: int | None
    write: Callable[[Path, FitContext], None]
    upstream: Mapping[str, Any] = {}


class _Fitter:
    """One run of the plan."""

    def __init__(
        self,
        scenario: Scenario,
        plugins: Plugins,
        dataset: Dataset,
        cuts: Cuts,
        progress: Progress,
        clock: Callable[[], float],
        last: LastSamples | None = None,
    ) -> None:
        self.scenario = scenario
        self.plugins = plugins
        self.dataset = dataset
        self.cuts = cuts
        self.progress = progress
        self.clock = clock
        self.last = last
        self.store = Store(scenario.store)
        self.steps: list[Step] = []
        self.threads = scenario.fit.threads or os.cpu_count() or 1
        self._engine: Engine | None = None
        self._engine_lock = threading.Lock()
        self._counters: Artifact | None = None
        self._fitted: dict[tuple[str, int], Artifact] = {}
        self._steps_ahead = 2 + len(scenario.triggers) * 2 + 1
        self._pools: dict[int, ThreadPoolExecutor] = {}
        self._beside: dict[tuple[str, int], Future[tuple[Artifact, Step]]] = {}
        self._awaited: tuple[str, int] | None = None
        self._ended = threading.Event()

    def engine(self) -> Engine:
        """Where kernels run. Made when something must be fitted: what is in the store needs no cluster."""
        with self._engine_lock:
            if self._engine is None:
                settings = self.scenario.fit
                if settings.engine == "spark":
                    self._engine = SparkEngine(settings.spark.master, settings.spark.memory)
                else:
                    self._engine = LocalEngine(self.threads)
            return self._engine

    def close(self) -> None:
        """Let go of the engine, and end what is still fitted beside."""
        self._ended.set()
        for pool in self._pools.values():
            pool.shutdown(cancel_futures=True)
        if self._engine is not None:
            self._engine.close()

    def ensure(
        self,
        slot: str,
        inputs: Mapping[str, Any],
        cut: int | None,
        write: Callable[[Path, FitContext], None],
    ) -> Artifact:
        """The artifact of these inputs: found in the store and verified, or made by `write`, with the fit's notes."""
        return self._take(*self._make(_Task(slot, inputs, cut, write), self._within))

    def _take(self, artifact: Artifact, step: Step) -> Artifact:
        """Note what was done."""
        if step.fitted:
            self.plugins.observe("yoorec_artifact_published", manifest=artifact.manifest)
        self.steps.append(step)
        self.progress(len(self.steps) / self._steps_ahead, step.slot)
        return artifact

    def _within(self, share: float, note: str = "") -> None:
        """Report progress of the step at hand."""
        self.progress((len(self.steps) + min(max(share, 0.0), 1.0)) / self._steps_ahead, note)

    def _make(self, task: _Task, report: Progress) -> tuple[Artifact, Step]:
        """Find or make an artifact; on any thread."""
        slot, inputs = task.slot, task.inputs
        fingerprint = digest(inputs)
        component = str(inputs["component"])
        found = self.store.find(component, fingerprint)
        if found is not None:
            try:
                found.manifest.verify(found.folder)
            except ArtifactError:
                # Never served: the damaged copy is named by `yoorec artifacts verify` and replaced here.
                self.store.discard(found)
                found = None
        fitted = found is None
        if found is None:

            def within(share: float, note: str = "") -> None:
                report(share, f"{slot} {note}".strip())

            within(0.0)
            notes: dict[str, float | int | str] = {}
            context = FitContext(
                self.scenario.seed,
                self.threads,
                within,
                notes.__setitem__,
                self.engine(),
                self.store.cache(component),
                task.upstream,
            )

            def write_noting(folder: Path) -> Mapping[str, Any]:
                task.write(folder, context)
                return notes

            try:
                found = self.store.publish(
                    slot=slot,
                    component=component,
                    fingerprint=fingerprint,
                    cut=task.cut,
                    inputs=inputs,
                    write=write_noting,
                    clock=self.clock,
                )
            except Exception as error:
                error.add_note(f"while fitting {slot} ({component})")
                raise
        manifest = found.manifest
        return found, Step(slot, fitted, manifest.seconds if fitted else 0.0, manifest.bytes, manifest.notes)

    def catalogue(self, **grown: str) -> Artifact:
        catalogue = self.dataset.log.catalogue
        inputs = {
            "component": "data-catalogue",
            "data": self.dataset.fingerprint,
            "code": code_hash("yoorec.data"),
            "mask": mask_inputs(self.scenario),
            **grown,
        }
        return self.ensure("catalogue", inputs, None, lambda folder, _: save_catalogue(folder, catalogue))

    def profile(self) -> Artifact:
        part = self.scenario.profile
        store = build_part(part, self.dataset.log.catalogue)
        inputs = {**component_inputs(part, self.scenario.seed), "data": self.dataset.fingerprint}
        return self.ensure("profile", inputs, None, lambda folder, _: store.build(self.dataset.log, folder))

    def triggers(self, cut: int) -> dict[str, Artifact]:
        """All triggers' artifacts at a cut, by name; those that are fitted apart are waited for last."""
        for part in sorted(self.scenario.triggers, key=lambda part: part.spec.apart):
            self.trigger(part, cut)
        return {part.name: self.trigger(part, cut) for part in self.scenario.triggers}

    def trigger(self, part: TriggerPart, cut: int) -> Artifact:
        """The trigger's artifact at a cut, after those of the triggers it names."""
        key = (part.name, cut)
        if key not in self._fitted:
            beside = self._beside.pop(key, None)
            if beside is None or beside.cancel():  # not begun, so not waited for
                made = self._make(self._task(part, cut), self._within)
            else:
                self._awaited = key
                made = beside.result()
            self._fitted[key] = self._take(*made)
        return self._fitted[key]

    def _start_beside(self, parts: Sequence[TriggerPart], cut: int) -> None:
        """Start a cut's fits that nothing waits for yet: so many at once that this thread has one of the cores."""
        for part in parts:
            if references_of(part.config, "trigger"):
                continue
            if cut not in self._pools:
                self._pools[cut] = ThreadPoolExecutor(max(1, self.threads - 1), "yoorec-fit")
            key = (part.name, cut)
            self._beside[key] = self._pools[cut].submit(self._make, self._task(part, cut), self._report_of(key))

    def _report_of(self, key: tuple[str, int]) -> Progress:
        """Progress of a fit beside others: shown once they wait for it."""

        def report(share: float, note: str = "") -> None:
            if self._ended.is_set():
                raise _EndedError
            if self._awaited == key:
                self._within(share, note)

        return report

    def _task(self, part: TriggerPart, cut: int) -> _Task:
        catalogue = self.dataset.log.catalogue
        below = {name: self.trigger(self._part(name), cut) for name in references_of(part.config, "trigger")}
        learns_events = part.spec.learns == "events"
        inputs = {**component_inputs(part, self.scenario.seed), "files": file_inputs(part)}
        if learns_events:
            inputs |= {"data": self.dataset.fingerprint, "cut": cut}
        else:
            inputs["items"] = items_fingerprint(catalogue, references_of(part.config, "item_column"))
        inputs["upstream"] = {name: artifact.manifest.fingerprint for name, artifact in below.items()}
        fences = [artifact.manifest.cut for artifact in below.values() if artifact.manifest.cut is not None]

        def write(folder: Path, context: FitContext) -> None:
            trigger = build_part(part, catalogue)
            trigger.fit(self.dataset.log.before(cut if learns_events else _START), context)
            trigger.save(folder)

        return _Task(
            f"triggers.{part.name}",
            inputs,
            cut if learns_events else max(fences, default=None),
            write,
            _Loaded({name: (self._part(name), artifact) for name, artifact in below.items()}, catalogue),
        )

    def _part(self, name: str) -> TriggerPart:
        return next(part for part in self.scenario.triggers if part.name == name)

    def counters(self) -> Artifact:
        """Hourly counts of the whole log, which are read as of a request's time as profiles are."""
        inputs = {
            "component": "data-counters",
            "data": self.dataset.fingerprint,
            "code": code_hash("yoorec.features.counters"),
            "mask": mask_inputs(self.scenario),
        }
        self._counters = self.ensure(
            "counters", inputs, None, lambda folder, _: Counters.build(self.dataset.log).save(folder)
        )
        return self._counters

    def _first_cut(self) -> int:
        """The cut that triggers learn at first."""
        part = self.scenario.ranker
        early = part is not None and build_part(part, self.dataset.log.catalogue).needs_fit()
        return self.cuts.rank_cut if early else self.cuts.replay_cut

    def ranker(self, profile: Artifact) -> tuple[Artifact, Mapping[str, Artifact]] | None:
        """The ranker's artifact, and the triggers' at the rank cut that made its samples."""
        part = self.scenario.ranker
        if part is None:
            return None
        inputs = {
            **component_inputs(part, self.scenario.seed),
            "triggers": [trigger.name for trigger in self.scenario.triggers],
        }
        ranker = build_part(part, self.dataset.log.catalogue)
        if not ranker.needs_fit():

            def write_given(folder: Path, context: FitContext) -> None:
                ranker.save(folder)

            return self.ensure("ranker", inputs, None, write_given), {}
        for trigger in self.scenario.triggers:
            if not trigger.spec.apart:
                self.trigger(trigger, self.cuts.rank_cut)
        # From here on this thread waits, or has one core's work.
        later = [trigger for trigger in self.scenario.triggers if trigger.spec.learns == "events"]
        self._start_beside(sorted(later, key=lambda trigger: not trigger.spec.apart), self.cuts.replay_cut)
        early = self.triggers(self.cuts.rank_cut)
        learned_from = {
            "data": self.dataset.fingerprint,
            "cuts": [self.cuts.rank_cut, self.cuts.replay_cut],
            "upstream": [
                [trigger.name, trigger.limit, early[trigger.name].manifest.fingerprint]
                for trigger in self.scenario.triggers
            ],
            "merge": [component_inputs(self.scenario.merge, self.scenario.seed), self.scenario.merge_limit],
            "profile": [profile.manifest.fingerprint, self.scenario.history],
            "requests": self.scenario.fit.rank_requests,
        }
        inputs |= learned_from
        told = {"seed": self.scenario.seed, "slate": self.scenario.slate, "mask": mask_inputs(self.scenario)}
        key = digest({**learned_from, **told})

        counters = self.counters() if hasattr(ranker, "use") else None
        if counters is not None:
            inputs["counters"] = counters.manifest.fingerprint

        def write(folder: Path, context: FitContext) -> None:
            with closing(self._sampled(early, profile)) as pipeline:
                samples = self._samples(pipeline, context, key)
                if counters is not None:
                    ranker.use(RankContext(pipeline.triggers, Counters.load(counters.folder)))
                ranker.fit(samples, context)
            ranker.save(folder)
            recalled = 1.0 - samples.missed / samples.truths if samples.truths else 0.0
            context.note("requests", len(samples.requests))
            context.note("candidates", len(samples.label))
            context.note("positives", int(samples.label.sum()))
            context.note("truths", samples.truths)
            context.note("recall_ceiling", round(recalled, 6))

        return self.ensure("ranker", inputs, self.cuts.replay_cut, write), early

    def _sampled(self, early: Mapping[str, Artifact], profile: Artifact) -> Pipeline:
        """The chain up to the merge, as it stood at the rank cut."""
        return open_pipeline(
            self.scenario,
            self.dataset.log.catalogue,
            self.plugins,
            profile=profile,
            triggers=early,
            ranker=None,
        )

    def _samples(self, pipeline: Pipeline, context: FitContext, key: str) -> RankSamples:
        last = self.last
        if last is not None and last.samples is not None and last.key == key:
            return last.samples
        log = self.dataset.log
        window = next_play(log, self.cuts.rank_cut, self.cuts.replay_cut, "next", self.scenario.history)
        wanted = self.scenario.fit.rank_requests
        if len(window) > wanted:
            chosen = np.random.default_rng(context.seed).choice(len(window), wanted, replace=False)
            window = window.take(np.sort(chosen))
        # What comes of a request is looked at only as far as the ranker may see.
        outcomes = outcomes_of(log.before(self.cuts.replay_cut), window.answer)
        batch = self.scenario.replay.batch
        samples = rank_samples(pipeline, window, batch, context.progress, outcomes, durations(log.catalogue))
        if last is not None:
            last.keep(key, samples)
        return samples

    def release(self, production: bool) -> Release:
        """Carry out the plan."""
        check_parts(self.scenario, self.dataset.log.catalogue)
        slots: dict[str, Slot] = {"catalogue": self.catalogue().slot}
        profile = self.profile()
        slots["profile"] = profile.slot
        self._start_beside([part for part in self.scenario.triggers if part.spec.apart], self._first_cut())
        ranker = self.ranker(profile)
        for name, artifact in self.triggers(self.cuts.replay_cut).items():
            slots[f"triggers.{name}"] = artifact.slot
        if ranker is not None:
            slots["ranker"] = ranker[0].slot
            if self._counters is not None:
                slots["counters"] = self._counters.slot
            for name, artifact in ranker[1].items():
                slots[f"rank_window.{name}"] = artifact.slot
        self.progress(1.0, "")
        return Release(
            scene=self.scenario.scene,
            scenario_hash=self.scenario.hash,
            data=self.dataset.fingerprint,
            rank_cut=self.cuts.rank_cut,
            replay_cut=self.cuts.replay_cut,
            end=self.cuts.end,
            production=production,
            slots=slots,
            created=round(self.clock(), 3),
            steps=tuple(self.steps),
        )

    def grow(self, current: Release) -> Release:
        """The current release with what is new among the items, and with what learns from items alone."""
        opened = {name: self.store.open(slot, name) for name, slot in current.slots.items()}
        old = opened["catalogue"]
        catalogue = load_catalogue(old.folder).grown(self.dataset.log.catalogue)
        self.dataset = replace(self.dataset, log=replace(self.dataset.log, catalogue=catalogue))
        check_parts(self.scenario, catalogue)
        slots = dict(current.slots)
        slots["catalogue"] = self.catalogue(users=current.data, items=items_fingerprint(catalogue, ())).slot
        parts = {part.name: part for part in self.scenario.triggers}
        for name, part in parts.items():
            slot = f"triggers.{name}"
            if slot not in opened:
                raise ArtifactError(f"the release of scene '{current.scene}' holds no {slot}: run `yoorec fit`")
            if part.spec.learns == "events":
                check_inputs(part, self.scenario.seed, opened[slot])
                self._fitted[name, current.replay_cut] = opened[slot]
        for name, part in parts.items():
            slots[f"triggers.{name}"] = self.trigger(part, current.replay_cut).slot
        self.progress(1.0, "")
        return replace(current, slots=slots, created=round(self.clock(), 3), steps=tuple(self.steps))


def fit(
    scenario: Scenario,
    plugins: Plugins,
    dataset: Dataset | None = None,
    *,
    production: bool = False,
    items_only: bool = False,
    publish: bool = True,
    progress: Progress = _silent,
    clock: Callable[[], float] = time.time,
    last: LastSamples | None = None,
) -> Release:
    """Build what the scenario needs and is not there yet.

    dataset:    the scenario's data, where it was read already.
    production: use the newest cuts, so that everything learns from the whole log.
    items_only: keep what the current release learned from events; take in new items and changed item columns, and fit
                what learns from items alone. Items that the data no longer has stay known.
    last:       samples of the fit before this one, used again where a ranker learns from the same; then this one's.
    publish:    make the result the scene's current release; replay and parity leave that to `yoorec fit`.
    Raises DataError, ConfigError (cuts out of order; a masked log for production), ArtifactError (nothing to add items
    to, or a release fitted otherwise) or what a component raises; the current release stays as it is.
    """
    if (production or items_only) and scenario.replay.mask is not None:
        message = "a masked log is for replay; what is fitted for production learns from all of it"
        file = "" if scenario.path is None else str(scenario.path)
        raise ConfigError((Problem(file, "replay.mask", message, "null"),))
    current = Store(scenario.store).current(scenario.scene) if items_only else None
    if items_only and current is None:
        raise ArtifactError(
            f"{scenario.store}: scene '{scenario.scene}' has no release to add items to: run `yoorec fit`"
        )
    if dataset is None:
        dataset = read_dataset(scenario, progress=progress)
    cuts = production_cuts(scenario, dataset) if production else resolve_cuts(scenario, dataset)
    fitter = _Fitter(scenario, plugins, dataset, cuts, progress, clock, last)
    try:
        release = fitter.release(production) if current is None else fitter.grow(current)
    finally:
        fitter.close()
    if publish:
        fitter.store.release(release)
    return release


def fit_triggers(
    scenario: Scenario,
    plugins: Plugins,
    dataset: Dataset,
    names: Sequence[str],
    *,
    progress: Progress = _silent,
    clock: Callable[[], float] = time.time,
) -> Mapping[str, Artifact]:
    """The artifacts of some triggers at the replay cut, by name, each built where it is not there yet; no release.

    Raises what `fit` raises.
    """
    cuts = resolve_cuts(scenario, dataset)
    fitter = _Fitter(scenario, plugins, dataset, cuts, progress, clock)
    parts = {part.name: part for part in scenario.triggers}
    try:
        return {name: fitter.trigger(parts[name], cuts.replay_cut) for name in names}
    finally:
        fitter.close()
