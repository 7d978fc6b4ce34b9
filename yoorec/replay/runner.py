"""The runner: logged requests through a pipeline, in batches on several threads, measured at every stage."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from yoorec.batch import CandidateBatch, Ragged
from yoorec.data.catalogue import Catalogue
from yoorec.replay.alone import Alone
from yoorec.replay.hits import credit, find_hits, sort_truths
from yoorec.replay.leaks import refuse_leaks
from yoorec.replay.metrics.registry import MetricAt

if TYPE_CHECKING:
    from yoorec.data.episodes import Episodes
    from yoorec.pipeline import Pipeline, Result

__all__ = ["FINAL", "SLATE", "ListFigures", "Measured", "cores", "measure"]

Float64 = npt.NDArray[np.float64]

SLATE = "slate"
"""The last stage's name."""

_DRIFT_REQUESTS = 2_000
"""Evenly spaced requests whose scores are compared with the rank window's."""

_SOURCE_FIGURES = ("unique", "in_slate", "slate_unique")

FINAL = ""
"""Stands for the final list where others go by their trigger's name; no trigger is called that."""


@dataclass(frozen=True, slots=True)
class ListFigures:
    """Metrics of one list a request: the slate, or what one trigger alone would show.

    per_request: metric label to float64 [R]. overall: label to one figure over all lists together.
    """

    per_request: Mapping[str, Float64]
    overall: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class Measured:
    """What the replay of one chain gave.

    slate, triggers: metrics of the final list, and of each trigger alone. A cutoff beyond the slate's length is taken
    on the last stage's whole list.
    stages:     stage name, in order, to float64 [R]: the share of a request's truths still in the list there.
    candidates: stage name to the mean number of items in the list there.
    sources:    trigger to float64 [R] each: the share of a request's truths that it alone recalled among the merged
    candidates (`unique`), that stand in the slate with it among their sources (`in_slate`), and with no other source
    (`slate_unique`).
    drift:      trigger to the stability index of its scores against the rank window, where the ranker kept those.
    timings_us: stage name to microseconds a request, wall time of the threads added up.
    seconds:    wall time of the whole run, measuring included.
    """

    slate: ListFigures
    triggers: Mapping[str, ListFigures]
    stages: Mapping[str, Float64]
    candidates: Mapping[str, float]
    sources: Mapping[str, Mapping[str, Float64]] = field(default_factory=dict)
    drift: Mapping[str, float] = field(default_factory=dict)
    timings_us: Mapping[str, float] = field(default_factory=dict)
    seconds: float = 0.0


def cores(threads: int) -> int:
    """The number of worker threads that a setting stands for: itself, or every core this process may use for 0."""
    if threads:
        return threads
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def measure(
    pipeline: Pipeline,
    episodes: Episodes,
    metrics: Sequence[MetricAt],
    cuts: Mapping[str, int | None],
    *,
    batch: int,
    threads: int = 0,
    progress: Callable[..., None] | None = None,
) -> Measured:
    """Run every request and measure its lists.

    cuts: artifact to the time (ms) before which it learned; a request at or before one is refused (LeakError).
    batch: requests run together; threads: worker threads, 0 for every core. Neither changes a figure.
    progress: called with the share done, 0 to 1, and a note.
    """
    if not len(episodes):
        raise ValueError("there are no requests to replay")
    refuse_leaks(episodes.time, cuts)
    started = time.perf_counter()
    run = _Run(pipeline, episodes, metrics)
    edges = [*range(0, len(episodes), batch), len(episodes)]
    done = 0
    for rows, counts in _dealt(run, list(pairwise(edges)), cores(threads)):
        run.add(counts)
        done += rows
        if progress is not None:
            progress(done / len(episodes), f"{done:,} of {len(episodes):,} requests")
    return run.measured(time.perf_counter() - started)


@dataclass(frozen=True, slots=True)
class _Counts:
    """What one batch adds up: stage to rows and to ms, and (list, cutoff) to the items shown."""

    rows: dict[str, int]
    timings_ms: Mapping[str, float]
    shown: dict[tuple[str, int], npt.NDArray[np.int32]]
    merged: CandidateBatch | None = None


def _dealt(run: _Run, ranges: Sequence[tuple[int, int]], threads: int) -> Iterator[tuple[int, _Counts]]:
    """Batches run on a pool, their results in order; no more of them in flight than keeps the pool busy."""
    if threads == 1 or len(ranges) == 1:
        for start, stop in ranges:
            yield stop - start, run.batch(start, stop)
        return
    with ThreadPoolExecutor(threads, thread_name_prefix="yoorec-replay") as pool:
        waiting: list[tuple[int, Future[_Counts]]] = []
        try:
            for start, stop in ranges:
                waiting.append((stop - start, pool.submit(run.batch, start, stop)))
                if len(waiting) > 2 * threads:
                    rows, first = waiting.pop(0)
                    yield rows, first.result()
            for rows, each in waiting:
                yield rows, each.result()
        finally:
            for _, each in waiting:
                each.cancel()


class _Run:
    """One replay under way: each batch writes its own rows of the columns, so batches need no order."""

    def __init__(self, pipeline: Pipeline, episodes: Episodes, metrics: Sequence[MetricAt]) -> None:
        self._pipeline = pipeline
        self._episodes = episodes
        self._k = pipeline.scenario.slate
        self._each = [metric for metric in metrics if metric.per_request is not None]
        self._overall = [metric for metric in metrics if metric.over_catalogue is not None]
        self._cutoffs = sorted({metric.k for metric in self._overall})
        self._width = max((metric.k for metric in self._each), default=0)
        self._alone = Alone(pipeline.rules)
        self._truth = sort_truths(episodes.truth)
        self._columns: dict[tuple[str, str], Float64] = {}
        self._stages: dict[str, Float64] = {}
        names = [part.name for part in pipeline.scenario.triggers]
        for name in (FINAL, *names):
            for metric in self._each:
                self._columns[name, metric.label] = np.zeros(len(episodes))
        for stage in _stage_names(pipeline):
            self._stages[stage] = np.zeros(len(episodes))
        self._triggers = names
        self._sources = {name: {figure: np.zeros(len(episodes)) for figure in _SOURCE_FIGURES} for name in names}
        self._drift: Callable[[CandidateBatch], Mapping[str, float]] | None = getattr(pipeline.ranker, "drift", None)
        self._stride = 1 + (len(episodes) - 1) // _DRIFT_REQUESTS
        self._merged: list[CandidateBatch] = []
        self._rows = dict.fromkeys(self._stages, 0)
        self._timings_ms: dict[str, float] = {}
        items = len(pipeline.catalogue.items)
        self._shown = {(name, k): np.zeros(items, np.int64) for name in (FINAL, *names) for k in self._cutoffs}

    def batch(self, start: int, stop: int) -> _Counts:
        """Run and measure requests [start, stop); called on a worker thread."""
        episodes = self._episodes.take(np.arange(start, stop))
        truth = self._truth.take(np.arange(start, stop))
        result = self._pipeline.run(episodes.arrivals(self._k))
        truths = np.diff(truth.offsets)
        sampled = np.arange(-start % self._stride, stop - start, self._stride) if self._drift is not None else None
        merged = None if sampled is None else result.merged.take(sampled)
        counts = _Counts({}, result.timings_ms, {}, merged)
        rows = slice(start, stop)
        for stage, candidates in _stages_of(result, self._pipeline.has_ranker):
            _, found = find_hits(candidates, truth, 0)
            self._stages[stage][rows] = found / np.maximum(truths, 1)
            counts.rows[stage] = len(candidates.item)
        self._credit(result, truth, truths, rows)
        final = result.exposed[-1][1] if result.exposed else result.ranked
        self._lists(FINAL, final, truth, truths, rows, counts)
        for name in self._triggers:
            shown = self._alone.expose(name, result.requests, result.recalled[name])
            self._lists(name, shown, truth, truths, rows, counts)
        return counts

    def _credit(self, result: Result, truth: Ragged, truths: npt.NDArray[np.int64], rows: slice) -> None:
        merged, slate = credit(result.merged, truth), credit(result.slates, truth)
        counted = (
            ("unique", result.merged, merged.only),
            ("in_slate", result.slates, slate.any),
            ("slate_unique", result.slates, slate.only),
        )
        for figure, candidates, counts in counted:
            for place, name in enumerate(candidates.sources):
                self._sources[name][figure][rows] = counts[place] / np.maximum(truths, 1)

    def _lists(
        self,
        name: str,
        candidates: CandidateBatch,
        truth: Ragged,
        truths: npt.NDArray[np.int64],
        rows: slice,
        counts: _Counts,
    ) -> None:
        hit, _ = find_hits(candidates, truth, self._width)
        for metric in self._each:
            assert metric.per_request is not None
            self._columns[name, metric.label][rows] = metric.per_request.per_request(
                hit[:, : metric.k], truths, metric.k
            )
        place = np.arange(len(candidates.item)) - np.repeat(candidates.offsets[:-1], candidates.lengths)
        for k in self._cutoffs:
            counts.shown[name, k] = candidates.item[place < k]

    def add(self, counts: _Counts) -> None:
        """Add up what a finished batch counted; called in the batches' order."""
        for stage, rows in counts.rows.items():
            self._rows[stage] += rows
        for stage, elapsed_ms in counts.timings_ms.items():
            self._timings_ms[stage] = self._timings_ms.get(stage, 0.0) + elapsed_ms
        for key, items in counts.shown.items():
            np.add.at(self._shown[key], items, 1)
        if counts.merged is not None:
            self._merged.append(counts.merged)

    def measured(self, seconds: float) -> Measured:
        """The figures, after the last batch."""
        size = len(self._episodes)
        recommendable = _recommendable(self._pipeline.catalogue, self._episodes.time)
        lists = {}
        for name in (FINAL, *self._triggers):
            overall = {}
            for metric in self._overall:
                assert metric.over_catalogue is not None
                overall[metric.label] = metric.over_catalogue.over_catalogue(
                    self._shown[name, metric.k], recommendable, metric.k
                )
            each = {metric.label: self._columns[name, metric.label] for metric in self._each}
            lists[name] = ListFigures(each, overall)
        return Measured(
            lists[FINAL],
            {name: lists[name] for name in self._triggers},
            self._stages,
            {stage: rows / size for stage, rows in self._rows.items()},
            self._sources,
            self._drift(CandidateBatch.join(self._merged)) if self._drift is not None and self._merged else {},
            {stage: 1000 * elapsed_ms / size for stage, elapsed_ms in self._timings_ms.items()},
            seconds,
        )


def _stage_names(pipeline: Pipeline) -> list[str]:
    """Every stage whose list is measured, in order."""
    scenario = pipeline.scenario
    ranker = ["ranker"] if pipeline.has_ranker else []
    return [
        *(f"triggers.{part.name}" for part in scenario.triggers),
        "merge",
        *ranker,
        *(f"exposure.{part.name}" for part in scenario.exposure),
        SLATE,
    ]


def _stages_of(result: Result, ranked: bool) -> Iterator[tuple[str, CandidateBatch]]:
    for name, candidates in result.recalled.items():
        yield f"triggers.{name}", candidates
    yield "merge", result.merged
    if ranked:
        yield "ranker", result.ranked
    for name, candidates in result.exposed:
        yield f"exposure.{name}", candidates
    yield SLATE, result.slates


def _recommendable(catalogue: Catalogue, time_ms: npt.NDArray[np.int64]) -> npt.NDArray[np.bool_]:
    """bool [I]: published by the time of the last request."""
    return np.asarray(catalogue.published_at <= time_ms.max(), np.bool_)
