"""From request by request to figures with intervals: one chain's, and its difference from control."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from yoorec.replay.report import SliceFigures, SliceSize, SourceFigures, StageFigures
from yoorec.replay.runner import FINAL, Measured
from yoorec.replay.slices import Slices
from yoorec.replay.statistics import Interval, interval, resampled_means

__all__ = ["Sample", "Summary", "summarise"]

Float64 = npt.NDArray[np.float64]
_Key = tuple[str, str, str]
"""Which figure: ("list", list's name, metric), ("source", trigger, figure) or ("stage", stage, "")."""


@dataclass(frozen=True, slots=True)
class Summary:
    """The figures of one chain; see `yoorec.replay.report.VariantReport` for what each is."""

    metrics: Mapping[str, Interval]
    triggers: Mapping[str, Mapping[str, Interval]]
    sources: Mapping[str, SourceFigures]
    stages: Mapping[str, StageFigures]
    versus_control: Mapping[str, Interval]
    versus_baseline: Mapping[str, Mapping[str, Interval]]
    slices: Mapping[str, Mapping[str, SliceFigures]]


@dataclass(frozen=True, slots=True)
class Sample:
    """The requests behind the figures, and how they are resampled.

    cluster: int32 [R], the user or session of each request. slices, sizes: those in which figures are wanted as well.
    """

    cluster: npt.NDArray[np.int32]
    resamples: int
    seed: int
    slices: Slices = field(default_factory=dict)
    sizes: Mapping[str, Mapping[str, SliceSize]] = field(default_factory=dict)


def summarise(
    chains: Mapping[str, Measured],
    labels: Sequence[str],
    sample: Sample,
    baselines: Mapping[str, str | None] | None = None,
) -> dict[str, Summary]:
    """The summary of each chain, in the order given; the first is control.

    labels:    of the metrics, in the order wanted.
    baselines: chain to the trigger that its others are compared with.
    Every chain is resampled alike, so a difference is taken resample by resample: what makes a user easy or hard
    for all chains, or for all triggers, cancels out.
    """
    found: dict[str, Summary] = {}
    control: dict[tuple[str, str], _Part] = {}
    for name, measured in chains.items():
        baseline = (baselines or {}).get(name)
        whole = _Part(measured, sample)
        figures = whole.figures(labels, control.get(_WHOLE), baseline)
        parts = {_WHOLE: whole}
        slices: dict[str, dict[str, SliceFigures]] = {dimension: {} for dimension in sample.slices}
        for dimension, members in sample.slices.items():
            for each, member in members.items():
                if sample.sizes[dimension][each].enough:
                    part = parts[dimension, each] = _Part(measured, sample, np.flatnonzero(member))
                    slices[dimension][each] = part.figures(labels, control.get((dimension, each)), baseline)
        found[name] = Summary(
            figures.metrics,
            figures.triggers,
            figures.sources,
            {
                stage: StageFigures(whole.interval(("stage", stage, "")), measured.candidates[stage])
                for stage in measured.stages
            },
            figures.versus_control,
            figures.versus_baseline,
            slices,
        )
        control = control or parts
    return found


_WHOLE = ("", "")
"""Stands for all requests where slices go by their dimension and name."""


class _Part:
    """One chain over some of the requests: its figures over these themselves, and over each resample of them."""

    def __init__(self, measured: Measured, sample: Sample, rows: npt.NDArray[np.int64] | None = None) -> None:
        self._measured = measured
        self._whole = rows is None
        columns = _columns(measured)
        cluster = sample.cluster if rows is None else sample.cluster[rows]
        self._clusters = len(np.unique(cluster))
        self._value = {
            key: float(column.mean() if rows is None else column[rows].mean()) for key, column in columns.items()
        }
        means = resampled_means(list(columns.values()), sample.cluster, sample.resamples, sample.seed, rows)
        self._means = {key: means[:, place] for place, key in enumerate(columns)}

    def interval(self, key: _Key) -> Interval:
        """A figure."""
        return interval(self._value[key], self._means[key], self._clusters)

    def figures(self, labels: Sequence[str], control: _Part | None, baseline: str | None) -> SliceFigures:
        """Every figure of these requests; paired with control's, and with those of the trigger `baseline` alone."""
        triggers = self._measured.triggers
        others = [name for name in triggers if baseline in triggers and name != baseline]
        return SliceFigures(
            self._list(FINAL, labels),
            {name: self._list(name, labels) for name in triggers},
            {
                name: SourceFigures(
                    recall=self.interval(("stage", f"triggers.{name}", "")),
                    **{figure: self.interval(("source", name, figure)) for figure in figures},
                )
                for name, figures in self._measured.sources.items()
            },
            {} if control is None else self._against(FINAL, labels, control, FINAL),
            {name: self._against(name, labels, self, str(baseline)) for name in others},
        )

    def _list(self, name: str, labels: Sequence[str]) -> dict[str, Interval]:
        found: dict[str, Interval] = {}
        for label in labels:
            key, overall = ("list", name, label), self._overall(name)
            if key in self._value:
                found[label] = self.interval(key)
            elif label in overall:
                found[label] = Interval(overall[label])
        return found

    def _against(self, name: str, labels: Sequence[str], other: _Part, rival: str) -> dict[str, Interval]:
        """Paired differences of list `name` from list `rival` of the same requests in `other`."""
        found: dict[str, Interval] = {}
        for label in labels:
            key, against = ("list", name, label), ("list", rival, label)
            if key in self._value:
                change = self._value[key] - other._value[against]
                found[label] = interval(change, self._means[key] - other._means[against], self._clusters)
            elif label in self._overall(name):
                found[label] = Interval(self._overall(name)[label] - other._overall(rival)[label])
        return found

    def _overall(self, name: str) -> Mapping[str, float]:
        """Figures of all of a list's answers together; they can't be had for a part of the requests."""
        if not self._whole:
            return {}
        return (self._measured.slate if name == FINAL else self._measured.triggers[name]).overall


def _columns(measured: Measured) -> dict[_Key, Float64]:
    columns: dict[_Key, Float64] = {}
    for name, figures in ((FINAL, measured.slate), *measured.triggers.items()):
        for label, column in figures.per_request.items():
            columns["list", name, label] = column
    for name, credited in measured.sources.items():
        for figure, column in credited.items():
            columns["source", name, figure] = column
    for stage, column in measured.stages.items():
        columns["stage", stage, ""] = column
    return columns
