"""From request by request to figures with intervals: one chain's, and its difference from control."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from yoorec.replay.report import StageFigures
from yoorec.replay.runner import FINAL, ListFigures, Measured
from yoorec.replay.statistics import Interval, interval, resampled_means

__all__ = ["Summary", "summarise"]

Float64 = npt.NDArray[np.float64]
_Key = tuple[str, str, str]
"""Which figure: ("list", list's name, metric) or ("stage", stage, "")."""


@dataclass(frozen=True, slots=True)
class Summary:
    """The figures of one chain; see `yoorec.replay.report.VariantReport` for what each is."""

    metrics: Mapping[str, Interval]
    triggers: Mapping[str, Mapping[str, Interval]]
    stages: Mapping[str, StageFigures]
    versus_control: Mapping[str, Interval]


@dataclass(frozen=True, slots=True)
class _Resampled:
    """Figures of one chain by key: over the requests themselves, and over each resample."""

    value: Mapping[_Key, float]
    means: Mapping[_Key, Float64]


def summarise(
    chains: Mapping[str, Measured],
    labels: Sequence[str],
    cluster: npt.NDArray[np.int32],
    resamples: int,
    seed: int,
) -> dict[str, Summary]:
    """The summary of each chain, in the order given; the first is control.

    labels:  of the metrics, in the order wanted. cluster: int32 [R], the user or session of each request.
    Every chain is resampled alike, so a difference is taken resample by resample: what makes a user easy or hard
    for all chains cancels out.
    """
    clusters = len(np.unique(cluster))
    found: dict[str, Summary] = {}
    control: _Resampled | None = None
    first: Measured | None = None
    for name, measured in chains.items():
        columns = _columns(measured)
        means = resampled_means(list(columns.values()), cluster, resamples, seed)
        own = _Resampled(
            {key: float(column.mean()) for key, column in columns.items()},
            {key: means[:, place] for place, key in enumerate(columns)},
        )
        versus: dict[str, Interval] = {}
        if control is not None and first is not None:
            for label in labels:
                key = ("list", FINAL, label)
                if key in own.value and key in control.value:
                    change = own.value[key] - control.value[key]
                    versus[label] = interval(change, own.means[key] - control.means[key], clusters)
                else:
                    versus[label] = Interval(measured.slate.overall[label] - first.slate.overall[label])
        found[name] = Summary(
            _list(FINAL, measured.slate, labels, own, clusters),
            {trigger: _list(trigger, figures, labels, own, clusters) for trigger, figures in measured.triggers.items()},
            {
                stage: StageFigures(
                    interval(own.value["stage", stage, ""], own.means["stage", stage, ""], clusters),
                    measured.candidates[stage],
                )
                for stage in measured.stages
            },
            versus,
        )
        if control is None:
            control, first = own, measured
    return found


def _columns(measured: Measured) -> dict[_Key, Float64]:
    columns: dict[_Key, Float64] = {}
    for name, figures in ((FINAL, measured.slate), *measured.triggers.items()):
        for label, column in figures.per_request.items():
            columns["list", name, label] = column
    for stage, column in measured.stages.items():
        columns["stage", stage, ""] = column
    return columns


def _list(
    name: str, figures: ListFigures, labels: Sequence[str], own: _Resampled, clusters: int
) -> dict[str, Interval]:
    found: dict[str, Interval] = {}
    for label in labels:
        if label in figures.overall:
            found[label] = Interval(figures.overall[label])
        else:
            key = ("list", name, label)
            found[label] = interval(own.value[key], own.means[key], clusters)
    return found
