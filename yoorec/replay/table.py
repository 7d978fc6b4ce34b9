"""The report in a terminal: slates, each trigger alone, what it adds, the slices, the funnel, and the gates."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from rich.console import Console, ConsoleOptions, Group, RenderableType, RenderResult
from rich.measure import Measurement
from rich.table import Table
from rich.text import Text

from yoorec.replay.gates import CONTROL
from yoorec.replay.report import Report, SliceFigures, VariantReport
from yoorec.replay.slices import MIN_CLUSTERS, MIN_REQUESTS
from yoorec.replay.statistics import Interval

__all__ = ["DIMENSIONS", "SOURCE_FIGURES", "better", "first_metric", "render", "sliced_metrics", "too_few"]


DIMENSIONS = {
    "item_age": "age of the item played",
    "user_plays": "plays known of the user before the visit",
    "masked": "what the mask made new",
}
"""What reports call a dimension of slices."""

SOURCE_FIGURES = {
    "recall": "it recalled",
    "unique": "no other recalled",
    "in_slate": "in the slate",
    "slate_unique": "there by it alone",
}
"""What reports call the figures of `SourceFigures`."""


def first_metric(report: Report) -> str:
    """The metric for which there is room: the first NDCG, else the first that a slice has; "" without any."""
    labels = sliced_metrics(report)
    return next((label for label in labels if label.startswith("ndcg@")), labels[0] if labels else "")


def sliced_metrics(report: Report) -> list[str]:
    """Labels of the metrics that slices have: those of single requests, in order."""
    parts = [part for parts in report.control.slices.values() for part in parts.values()]
    return [label for label in report.control.metrics if not parts or label in parts[0].metrics]


def better(difference: Interval, higher_is_better: bool = True) -> int:
    """1 where the whole interval of a difference shows it better, -1 worse, 0 where it shows neither."""
    if difference.low is None or difference.high is None:
        return 0
    sign = 1 if higher_is_better else -1
    if difference.low > 0:
        return sign
    return -sign if difference.high < 0 else 0


def render(report: Report) -> RenderableType:
    """What `yoorec replay` prints; pass it to a rich console."""
    parts: list[RenderableType] = [_heading(report)]
    parts += [_title("Slates, with 95 % intervals"), _slates(report)]
    parts += [_title("Each trigger alone, under the same exposure rules"), _alone(report)]
    if report.control.versus_baseline:
        parts += [_title(f"Each trigger against {report.control.baseline}, both alone, on the same requests")]
        parts += [_versus_baseline(report)]
    parts += [_title("What each trigger adds: share of the truths"), _sources(report)]
    label = first_metric(report)
    for dimension in report.slices if label else ():
        parts += [_title(f"By {DIMENSIONS.get(dimension, dimension)}: {label}"), _slice(report, dimension, label)]
    parts += [_title("Funnel: share of the truths still in the list, and the list's mean length"), _funnel(report)]
    if report.gates:
        parts += [_title("Gates"), _gates(report)]
    parts += [Text(), _footer(report)]
    return Group(*parts)


def _title(text: str) -> Text:
    return Text(f"\n{text}", style="italic")


def _table() -> Table:
    return Table(header_style="bold", box=None, pad_edge=False, padding=(0, 2, 0, 0))


@dataclass(frozen=True, slots=True)
class _Fitting:
    """The wide table where the terminal has room for it, else the narrow one."""

    wide: Table
    narrow: Table

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        roomy = Measurement.get(console, options.update(width=10_000), self.wide).maximum <= options.max_width
        yield self.wide if roomy else self.narrow


def _heading(report: Report) -> Text:
    text = Text(f"{report.scene}", style="bold")
    text.append(
        f"  {report.requests:,} requests of {report.clusters:,} {report.cluster_kind}s after "
        f"{report.cuts['replay'].iso}, truth: {report.truth}, slate {report.slate}, seed {report.seed}",
        style="not bold",
    )
    return text


def _slates(report: Report) -> RenderableType:
    """Control and variants side by side, or under each other, metric by metric, where they don't fit."""
    others = [name for name in report.variants if name != CONTROL]
    wide, narrow = (_table() for _ in range(2))
    for name in ("metric", CONTROL, *(title for each in others for title in (each, "against control"))):
        wide.add_column(name, no_wrap=True)
    for name in ("metric", "", "", "against control"):
        narrow.add_column(name, overflow="fold")
    for label, figure in report.control.metrics.items():
        cells: list[RenderableType] = [label, _span(figure)]
        narrow.add_row(label, CONTROL, _span(figure))
        for name in others:
            variant = report.variants[name]
            difference = variant.versus_control[label]
            verdict = better(difference, label not in report.lower_is_better)
            change = Text(_span(difference, "+"), {1: "green", -1: "red", 0: "dim"}[verdict])
            cells += [_span(variant.metrics[label]), change]
            narrow.add_row("", name, _span(variant.metrics[label]), change)
        wide.add_row(*cells)
    return _Fitting(wide, narrow) if others else wide


def _alone(report: Report) -> Table:
    """Control's triggers, and below each the variants in which it shows other lists."""
    table = _table()
    table.add_column("trigger", no_wrap=True)
    labels = list(report.control.metrics)
    for label in labels:
        table.add_column(label, overflow="fold")
    triggers = dict.fromkeys(name for variant in report.variants.values() for name in variant.triggers)
    for trigger in triggers:
        known = report.control.triggers.get(trigger)
        if known is not None:
            table.add_row(trigger, *(_short(known[label]) for label in labels))
        for name, variant in report.variants.items():
            found = variant.triggers.get(trigger)
            if found is not None and found != known:
                title = f"  {name}" if known is not None else f"{trigger}, {name}"
                table.add_row(title, *(_short(found[label]) for label in labels))
    return table


def _versus_baseline(report: Report) -> Table:
    table = _table()
    labels = list(report.control.metrics)
    table.add_column("trigger", no_wrap=True)
    for label in labels:
        table.add_column(label, overflow="fold")
    for name, differences in report.control.versus_baseline.items():
        table.add_row(name, *(_change(report, label, differences[label]) for label in labels))
    return table


def _sources(report: Report) -> Table:
    """Control's triggers, and below each the variants in which it adds something else."""
    table = _table()
    table.add_column("trigger", no_wrap=True)
    for title in SOURCE_FIGURES.values():
        table.add_column(title, overflow="fold")
    for trigger in dict.fromkeys(name for variant in report.variants.values() for name in variant.sources):
        known = report.control.sources.get(trigger)
        for name, variant in report.variants.items():
            found = variant.sources.get(trigger)
            if found is None or (name != CONTROL and found == known):
                continue
            title = trigger if name == CONTROL else f"  {name}" if known is not None else f"{trigger}, {name}"
            table.add_row(title, *(_short(getattr(found, figure)) for figure in SOURCE_FIGURES))
    return table


def _slice(report: Report, dimension: str, label: str) -> Table:
    """One metric, a slice a column: the slates, each trigger of control alone, and its lead over the baseline."""
    sizes = report.slices[dimension]
    table = _table()
    table.add_column("", no_wrap=True)
    for name in sizes:
        table.add_column(name, overflow="fold")
    table.add_row("requests", *(f"{size.requests:,}" for size in sizes.values()), style="dim")
    table.add_row(f"{report.cluster_kind}s", *(f"{size.clusters:,}" for size in sizes.values()), style="dim")

    def row(title: str, cells: Mapping[str, RenderableType]) -> None:
        table.add_row(title, *(cells.get(name, Text("too few", "dim")) for name in sizes))

    def figures(variant: VariantReport) -> Mapping[str, SliceFigures]:
        return variant.slices.get(dimension, {})

    control = figures(report.control)
    for name, variant in report.variants.items():
        title = "slate" if name == CONTROL else f"slate, {name}"
        row(title, {each: _short(found.metrics[label]) for each, found in figures(variant).items()})
    for trigger in report.control.triggers if control else ():
        row(trigger, {each: _short(found.triggers[trigger][label]) for each, found in control.items()})
    for trigger in report.control.versus_baseline if control else ():
        changes = {each: found.versus_baseline[trigger][label] for each, found in control.items()}
        title = f"{trigger} - {report.control.baseline}"
        row(title, {each: _change(report, label, change) for each, change in changes.items()})
    return table


def too_few(report: Report) -> str:
    """Why a slice may have no figures."""
    return (
        f"too few: a slice needs {MIN_REQUESTS:,} requests of {MIN_CLUSTERS:,} {report.cluster_kind}s, or its interval "
        "says nothing"
    )


def _change(report: Report, label: str, difference: Interval) -> Text:
    verdict = better(difference, label not in report.lower_is_better)
    return Text(_short(difference, "+"), {1: "green", -1: "red", 0: "dim"}[verdict])


def _funnel(report: Report) -> Table:
    table = _table()
    width = 24 if len(report.variants) == 1 else 0  # variants leave no room for bars in a narrow terminal
    table.add_column("stage", no_wrap=True)
    for name in report.variants:
        table.add_column(name, justify="right", overflow="fold")
        table.add_column("items", justify="right", overflow="fold")
        if width:
            table.add_column("", min_width=width)
    stages = list(dict.fromkeys(stage for variant in report.variants.values() for stage in variant.stages))
    order = list(report.control.stages)
    stages.sort(key=lambda stage: order.index(stage) if stage in order else len(order))
    for stage in stages:
        cells: list[RenderableType] = [stage]
        for variant in report.variants.values():
            found = variant.stages.get(stage)
            cells += ["", ""] if found is None else [f"{found.recall.value:.4f}", f"{found.candidates:.1f}"]
            if width:
                cells.append("" if found is None else Text(_bar(found.recall.value, width), "cyan"))
        table.add_row(*cells)
    return table


def _gates(report: Report) -> Table:
    table = _table()
    table.add_column("", no_wrap=True)
    table.add_column("gate", no_wrap=True)
    table.add_column("variant", no_wrap=True)
    table.add_column("reason")
    words = {True: Text("pass", "green"), False: Text("FAIL", "bold red"), None: Text("not judged", "yellow")}
    for gate in report.gates:
        table.add_row(words[gate.passed], gate.gate, gate.variant, gate.reason)
    return table


def _footer(report: Report) -> Text:
    text = Text()
    for name, variant in report.variants.items():
        latency = variant.latency
        alone = "" if latency is None else f"; one at a time p50 {latency.p50_ms:.2f} ms, p99 {latency.p99_ms:.2f} ms"
        text.append(f"{name}: {variant.requests_per_s:,.0f} requests/s{alone}\n", style="dim")
        for key, note in variant.notes.items():
            text.append(f"{name}: {key}: {note}\n", style="yellow")
        moved = [f"{trigger} {psi:.2f}" for trigger, psi in variant.drift.items() if psi is not None]
        if moved:
            text.append(f"{name}: score drift (PSI) since the rank window: {', '.join(moved)}\n", style="dim")
    for table, quality in report.quality.items():
        if quality.bad:
            text.append(f"{table}: {quality.bad:,} of {quality.read:,} rows left out", style="yellow")
            text.append(f", such as {quality.examples[0]}\n" if quality.examples else "\n", style="yellow")
        for note in quality.notes:
            text.append(f"{table}: {note}\n", style="dim")
    if not all(size.enough for sizes in report.slices.values() for size in sizes.values()):
        text.append(f"{too_few(report)}\n", style="dim")
    text.rstrip()
    return text


def _span(figure: Interval, sign: str = "") -> str:
    if figure.low is None or figure.high is None:
        return f"{figure.value:{sign}.4f}"
    return f"{figure.value:{sign}.4f} [{figure.low:{sign}.4f}, {figure.high:{sign}.4f}]"


def _short(figure: Interval, sign: str = "") -> str:
    if figure.low is None or figure.high is None:
        return f"{figure.value:{sign}.4f}"
    return f"{figure.value:{sign}.4f} ±{(figure.high - figure.low) / 2:.4f}"


def _bar(share: float, width: int) -> str:
    eighths = round(min(max(share, 0.0), 1.0) * width * 8)
    return "█" * (eighths // 8) + ("" if eighths % 8 == 0 else " ▏▎▍▌▋▊▉"[eighths % 8])
