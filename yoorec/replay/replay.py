"""Replay: every logged request after the cut through control and each variant, and a report of what came of it."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from yoorec import __version__
from yoorec.config.scenario import Scenario
from yoorec.errors import ConfigError, Problem
from yoorec.plugins import Plugins
from yoorec.replay.gates import CONTROL, Judged, judge, parse_gates
from yoorec.replay.latency import Latency, time_single_requests
from yoorec.replay.leaks import utc
from yoorec.replay.metrics.registry import MetricAt, load_metrics
from yoorec.replay.report import ArtifactNote, Moment, Report, TableQuality, VariantReport
from yoorec.replay.requests import check_comparable, drawn, logged_requests
from yoorec.replay.runner import Measured, measure
from yoorec.replay.slices import slice_requests, slice_sizes
from yoorec.replay.summary import Sample, summarise

if TYPE_CHECKING:
    from yoorec.data.dataset import Dataset
    from yoorec.data.episodes import Episodes
    from yoorec.fit import LastSamples

__all__ = ["replay"]

Progress = Callable[..., None]


def _silent(done: float, note: str = "") -> None:
    """Report nowhere."""


@dataclass(frozen=True, slots=True)
class _Chain:
    """One replayed chain: what was measured, what it used, and what single requests cost."""

    scenario: Scenario
    measured: Measured
    artifacts: Mapping[str, ArtifactNote]
    latency: Latency | None
    notes: Mapping[str, str]


def replay(
    scenario: Scenario,
    plugins: Plugins,
    *,
    progress: Progress = _silent,
    requests: int | None = None,
    clock: Callable[[], float] = time.time,
    dataset: Dataset | None = None,
) -> Report:
    """Fit what is missing, replay control and every variant on the same requests, and judge the gates.

    progress: called with the share done, 0 to 1, and a short note. requests: replay a seeded sample of so many.
    clock: seconds since the epoch, for the report's date. dataset: the scenario's data, where it was read already.
    The scene's current release stays as it is.
    Raises ConfigError for a variant, metric or gate that can't be used, LeakError for a request at or before a cut, and
    what reading, fitting or a component raises.
    """
    from yoorec.data.cuts import resolve_cuts
    from yoorec.data.dataset import read_dataset
    from yoorec.fit import LastSamples

    file = "" if scenario.path is None else str(scenario.path)
    gates = parse_gates(scenario.replay.gates, file)
    wanted = dict.fromkeys([*scenario.replay.metrics, *(gate.metric for gate in gates if gate.metric)])
    metrics = load_metrics(list(wanted), plugins, file)
    scenarios = _variants(scenario, plugins)
    seconds: dict[str, float] = {}
    share = _Share(progress, 1.0 / (1 + 2 * len(scenarios)))
    started = time.perf_counter()
    if dataset is None:
        dataset = read_dataset(scenario, progress=share.next("data"))
    cuts = resolve_cuts(scenario, dataset)
    seconds["data"] = time.perf_counter() - started
    every = logged_requests(scenario, dataset, cuts)
    available = len(every)
    rows = drawn(available, requests, scenario.seed)
    episodes = every.take(rows)
    cluster = episodes.cluster
    chains: dict[str, _Chain] = {}
    last = LastSamples() if len(scenarios) > 1 else None
    for name, each in scenarios.items():
        # The history bounds the session that a request brings along; targets are the same with any.
        same = each.history == scenario.history
        own = episodes if same else logged_requests(each, dataset, cuts).take(rows)
        chains[name] = _run(each, plugins, dataset, own, metrics, name, share, seconds, last)
    started = time.perf_counter()
    slices = slice_requests(scenario, dataset, episodes)
    sizes = slice_sizes(slices, cluster)
    summaries = summarise(
        {name: chain.measured for name, chain in chains.items()},
        [metric.label for metric in metrics],
        Sample(cluster, scenario.replay.resamples, scenario.seed, slices, sizes),
        {name: each.replay.baseline for name, each in scenarios.items()},
    )
    seconds["intervals"] = time.perf_counter() - started
    judged = {
        name: Judged(found.metrics, found.versus_control, chains[name].latency) for name, found in summaries.items()
    }
    variants = {
        name: VariantReport(
            overrides=() if name == CONTROL else tuple(scenario.variants[name]),
            hash=chain.scenario.hash,
            metrics=summaries[name].metrics,
            triggers=summaries[name].triggers,
            stages=summaries[name].stages,
            versus_control=summaries[name].versus_control,
            artifacts=chain.artifacts,
            drift={part.name: chain.measured.drift.get(part.name) for part in chain.scenario.triggers},
            timings_us=chain.measured.timings_us,
            requests_per_s=len(rows) / chain.measured.seconds,
            seconds=chain.measured.seconds,
            latency=chain.latency,
            notes=chain.notes,
            sources=summaries[name].sources,
            baseline=chain.scenario.replay.baseline,
            versus_baseline=summaries[name].versus_baseline,
            slices=summaries[name].slices,
        )
        for name, chain in chains.items()
    }
    progress(1.0, "")
    return Report(
        scene=scenario.scene,
        scenario=scenario.path.name if scenario.path else "",
        hash=scenario.hash,
        seed=scenario.seed,
        protocol=scenario.replay.protocol,
        truth=scenario.replay.truth,
        slate=scenario.slate,
        requests=len(rows),
        available=available,
        clusters=len(np.unique(cluster)),
        cluster_kind="session" if scenario.replay.protocol == "given" else "user",
        resamples=scenario.replay.resamples,
        cuts={
            "rank": _moment(cuts.rank_cut),
            "replay": _moment(cuts.replay_cut),
            "end": _moment(cuts.end),
        },
        data=dataset.fingerprint,
        quality={
            table: TableQuality(found.read, found.bad, tuple(str(row) for row in found.examples), found.notes)
            for table, found in dataset.quality.items()
        },
        variants=variants,
        gates=judge(gates, judged),
        seconds=seconds,
        created=_moment(round(clock() * 1000)),
        yoorec=__version__,
        lower_is_better=tuple(metric.label for metric in metrics if not metric.higher_is_better),
        slices=sizes,
    )


def _variants(scenario: Scenario, plugins: Plugins) -> dict[str, Scenario]:
    """Control, and the scenario again under each variant's overrides."""
    from yoorec.config.compose import load_scenario

    found = {CONTROL: scenario}
    for name in scenario.variants:
        if name == CONTROL or scenario.path is None:
            message = f"'{CONTROL}' is the scenario as it stands" if name == CONTROL else "needs a scenario from a file"
            raise ConfigError((Problem(str(scenario.path or ""), f"variants.{name}", message),))
        found[name] = load_scenario(scenario.path, scenario.overrides, plugins, variant=name)
        check_comparable(scenario, found[name], name)
    return found


def _run(
    scenario: Scenario,
    plugins: Plugins,
    dataset: Dataset,
    episodes: Episodes,
    metrics: tuple[MetricAt, ...],
    name: str,
    share: _Share,
    seconds: dict[str, float],
    last: LastSamples | None,
) -> _Chain:
    from yoorec.artifacts.store import Store
    from yoorec.fit import fit
    from yoorec.scene import Scene

    started = time.perf_counter()
    release = fit(scenario, plugins, dataset, publish=False, progress=share.next(f"{name}: fit"), last=last)
    seconds["fit"] = seconds.get("fit", 0.0) + time.perf_counter() - started
    store = Store(scenario.store)
    artifacts: dict[str, ArtifactNote] = {}
    fences: dict[str, int | None] = {}
    for slot, each in release.slots.items():
        artifact = store.open(each, slot)
        cut = fences[slot] = artifact.manifest.cut
        artifacts[slot] = ArtifactNote(each.component, each.fingerprint, None if cut is None else _moment(cut))
    scene = Scene.open(scenario, release, plugins)
    try:
        scene.warm()
        measured = measure(
            scene.pipeline,
            episodes,
            metrics,
            fences,
            batch=scenario.replay.batch,
            threads=scenario.replay.threads,
            progress=share.next(name),
        )
        started = time.perf_counter()
        latency = time_single_requests(scene.pipeline, episodes, seed=scenario.seed)
    finally:
        scene.close()
    seconds["replay"] = seconds.get("replay", 0.0) + measured.seconds
    seconds["latency"] = seconds.get("latency", 0.0) + time.perf_counter() - started
    return _Chain(scenario, measured, artifacts, latency, scene.pipeline.notes)


class _Share:
    """Deals one progress bar out to the steps of a replay, an equal part each."""

    def __init__(self, progress: Progress, part: float) -> None:
        self._progress = progress
        self._part = part
        self._step = 0

    def next(self, title: str) -> Progress:
        """The progress of the next step."""
        start = self._step * self._part
        self._step += 1

        def report(done: float = 0.0, note: str = "") -> None:
            self._progress(start + min(max(done, 0.0), 1.0) * self._part, f"{title} {note}".strip())

        report()
        return report


def _moment(time_ms: int) -> Moment:
    return Moment(time_ms, utc(time_ms))
