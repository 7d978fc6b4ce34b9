"""The report of a replay: what ``report.json`` holds, and how it is written.

The dataclasses below are the schema: `report_schema` gives it as JSON Schema, `Report.to_json` the value it describes.
"""

from __future__ import annotations

import json
import os
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import TypeAdapter

from yoorec.replay.gates import CONTROL, GateResult
from yoorec.replay.latency import Latency
from yoorec.replay.statistics import Interval

if TYPE_CHECKING:
    from rich.console import Console

__all__ = [
    "ArtifactNote",
    "Moment",
    "Report",
    "SliceFigures",
    "SliceSize",
    "SourceFigures",
    "StageFigures",
    "TableQuality",
    "VariantReport",
    "report_schema",
    "write_aside",
]

VERSION = 1


@dataclass(frozen=True, slots=True)
class Moment:
    """A time: milliseconds since the epoch, and the same in ISO 8601, UTC."""

    ms: int
    iso: str


@dataclass(frozen=True, slots=True)
class TableQuality:
    """Rows read of one table, rows left out, the first few of those, and notes."""

    read: int
    bad: int
    examples: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class StageFigures:
    """One stage of the funnel.

    recall: mean share of a request's truths that are in the list after the stage. candidates: mean length of the list.
    """

    recall: Interval
    candidates: float


@dataclass(frozen=True, slots=True)
class SourceFigures:
    """What one trigger adds in the chain, as mean shares of a request's truths.

    recall:       that it recalled, at its own limit.
    unique:       that are among the merged candidates with it as their only source.
    in_slate:     that are in the slate with it among their sources.
    slate_unique: that are in the slate with it as their only source.
    """

    recall: Interval
    unique: Interval
    in_slate: Interval
    slate_unique: Interval


@dataclass(frozen=True, slots=True)
class SliceSize:
    """One slice of the requests. clusters: users or sessions behind them. enough: whether it gets figures."""

    requests: int
    clusters: int
    enough: bool


@dataclass(frozen=True, slots=True)
class SliceFigures:
    """The figures of one chain over the requests of one slice, each as in `VariantReport`.

    Its intervals come from resamples of the slice's own clusters. A figure of all lists together, such as coverage,
    has none by slice.
    """

    metrics: Mapping[str, Interval]
    triggers: Mapping[str, Mapping[str, Interval]]
    sources: Mapping[str, SourceFigures]
    versus_control: Mapping[str, Interval]
    versus_baseline: Mapping[str, Mapping[str, Interval]]


@dataclass(frozen=True, slots=True)
class ArtifactNote:
    """One artifact the replayed chain used. cut: it learned before this; null where it learned from no events."""

    component: str
    fingerprint: str
    cut: Moment | None


@dataclass(frozen=True, slots=True)
class VariantReport:
    """The figures of one chain.

    overrides: what makes it differ from control. hash: of its scenario.
    metrics:   label (``ndcg@10``) to the figure of the slate and its 95 % interval.
    triggers:  trigger to the same metrics of its own candidates under the same exposure rules, as if it were alone.
    stages:    in order, ``triggers.<name>`` for each, ``merge``, ``ranker``, ``exposure.<id>`` for each, ``slate``.
    versus_control: label to the difference from control on the same requests, paired; empty for control.
    drift:     trigger to the population stability index of its scores, rank window against replay; null where unknown.
    sources:   trigger to what it adds in the chain.
    baseline:  trigger whose own list the others' are compared with; null where the scenario names none.
    versus_baseline: every other trigger to label to its difference from the baseline's, each alone, paired.
    slices:    dimension to slice to its figures, for the slices that are large enough; see `Report.slices`.
    timings_us: stage to microseconds a request, in batches. latency: single requests.
    notes:     what components say of themselves, by their key, such as a rule that left itself out.
    """

    overrides: tuple[str, ...]
    hash: str
    metrics: Mapping[str, Interval]
    triggers: Mapping[str, Mapping[str, Interval]]
    stages: Mapping[str, StageFigures]
    versus_control: Mapping[str, Interval]
    artifacts: Mapping[str, ArtifactNote]
    drift: Mapping[str, float | None]
    timings_us: Mapping[str, float]
    requests_per_s: float
    seconds: float
    latency: Latency | None = None
    notes: Mapping[str, str] = field(default_factory=dict)
    sources: Mapping[str, SourceFigures] = field(default_factory=dict)
    baseline: str | None = None
    versus_baseline: Mapping[str, Mapping[str, Interval]] = field(default_factory=dict)
    slices: Mapping[str, Mapping[str, SliceFigures]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Report:
    """Everything a replay found.

    scene, scenario, hash: the scene's name, its file's name, and the hash of what decides its lists.
    requests: replayed; of available: in the log. clusters: users or sessions (cluster_kind) drawn by the bootstrap.
    cuts:     rank, replay and end of the log. variants: control first.
    lower_is_better: labels of metrics, where there are such.
    slices:   dimension to slice to its size; one that is not large enough has no figures (`yoorec.replay.slices`).
    """

    scene: str
    scenario: str
    hash: str
    seed: int
    protocol: str
    truth: str
    slate: int
    requests: int
    available: int
    clusters: int
    cluster_kind: str
    resamples: int
    cuts: Mapping[str, Moment]
    data: str
    quality: Mapping[str, TableQuality]
    variants: Mapping[str, VariantReport]
    gates: tuple[GateResult, ...]
    seconds: Mapping[str, float]
    created: Moment
    yoorec: str
    lower_is_better: tuple[str, ...] = ()
    slices: Mapping[str, Mapping[str, SliceSize]] = field(default_factory=dict)
    version: int = field(default=VERSION)

    @property
    def control(self) -> VariantReport:
        """The scenario as it stands."""
        return self.variants[CONTROL]

    @property
    def failed(self) -> tuple[GateResult, ...]:
        """Gates that did not pass; one that had nothing to judge is not among them."""
        return tuple(gate for gate in self.gates if gate.passed is False)

    @property
    def passed(self) -> bool:
        """Whether no gate failed."""
        return not self.failed

    def print(self, console: Console) -> None:
        """Print the tables."""
        from yoorec.replay.table import render

        console.print(render(self))

    def to_json(self) -> dict[str, Any]:
        """The report as plain values, in the order of its fields."""
        plain: dict[str, Any] = _ADAPTER.dump_python(self, mode="json")
        return plain

    @classmethod
    def from_json(cls, plain: Any) -> Report:
        """Read back `to_json`; raises pydantic's ValidationError where the schema is not met."""
        return _ADAPTER.validate_python(plain)

    def write(self, folder: Path) -> tuple[Path, ...]:
        """Write ``report.json`` and ``report.html``, each aside and then renamed; gives their paths."""
        from yoorec.replay.page import page

        folder.mkdir(parents=True, exist_ok=True)
        text = json.dumps(self.to_json(), indent=2, ensure_ascii=False, allow_nan=False) + "\n"
        return (
            write_aside(folder / "report.json", text),
            write_aside(folder / "report.html", page(self)),
        )


_ADAPTER = TypeAdapter(Report)


def report_schema() -> dict[str, Any]:
    """The JSON Schema of ``report.json``."""
    return _ADAPTER.json_schema(mode="serialization")


def write_aside(path: Path, text: str) -> Path:
    """Write a text file beside its place and rename it there, so that no reader meets half of it."""
    aside = path.with_name(f".{path.name}-{secrets.token_hex(4)}")
    try:
        with aside.open("w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        aside.replace(path)
    finally:
        aside.unlink(missing_ok=True)
    return path
