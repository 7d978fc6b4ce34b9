"""The report in a terminal: slates, each trigger alone, the funnel, and the gates."""

from __future__ import annotations

from rich import box
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from yoorec.replay.gates import CONTROL
from yoorec.replay.report import Report
from yoorec.replay.statistics import Interval

__all__ = ["better", "render"]


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
    parts: list[RenderableType] = [_heading(report), _slates(report), _alone(report), _funnel(report)]
    if report.gates:
        parts.append(_gates(report))
    parts.append(_footer(report))
    return Group(*parts)


def _table(title: str) -> Table:
    return Table(title=title, title_justify="left", title_style="bold", box=box.SIMPLE_HEAD, pad_edge=False)


def _heading(report: Report) -> Text:
    text = Text(f"{report.scene}", style="bold")
    text.append(
        f"  {report.requests:,} requests of {report.clusters:,} {report.cluster_kind}s after "
        f"{report.cuts['replay'].iso}, truth: {report.truth}, slate {report.slate}, seed {report.seed}",
        style="not bold",
    )
    return text


def _slates(report: Report) -> Table:
    table = _table("Slates, with 95 % intervals")
    table.add_column("metric", no_wrap=True)
    table.add_column(CONTROL, justify="right", no_wrap=True)
    others = [name for name in report.variants if name != CONTROL]
    for name in others:
        table.add_column(name, justify="right", no_wrap=True)
        table.add_column("against control", justify="right", no_wrap=True)
    for label, figure in report.control.metrics.items():
        cells: list[RenderableType] = [label, _span(figure)]
        for name in others:
            variant = report.variants[name]
            difference = variant.versus_control[label]
            verdict = better(difference, label not in report.lower_is_better)
            style = {1: "green", -1: "red", 0: "dim"}[verdict]
            cells += [_span(variant.metrics[label]), Text(_change(difference), style=style)]
        table.add_row(*cells)
    return table


def _alone(report: Report) -> Table:
    table = _table("Each trigger alone, under the same exposure rules")
    table.add_column("trigger", no_wrap=True)
    labels = list(report.control.metrics)
    for label in labels:
        table.add_column(label, justify="right", no_wrap=True)
    for name, variant in report.variants.items():
        for trigger, metrics in variant.triggers.items():
            if name != CONTROL and report.control.triggers.get(trigger) == metrics:
                continue
            title = trigger if name == CONTROL else f"{trigger} ({name})"
            table.add_row(title, *(_short(metrics[label]) for label in labels))
    return table


def _funnel(report: Report) -> Table:
    table = _table("Funnel: share of the truths still in the list, and its mean length")
    table.add_column("stage", no_wrap=True)
    for name in report.variants:
        table.add_column(name, justify="right", no_wrap=True)
        table.add_column("items", justify="right", no_wrap=True)
        table.add_column("", no_wrap=True)
    stages = list(dict.fromkeys(stage for variant in report.variants.values() for stage in variant.stages))
    order = list(report.control.stages)
    stages.sort(key=lambda stage: order.index(stage) if stage in order else len(order))
    for stage in stages:
        cells: list[RenderableType] = [stage]
        for variant in report.variants.values():
            found = variant.stages.get(stage)
            if found is None:
                cells += ["", "", ""]
                continue
            cells += [f"{found.recall.value:.4f}", f"{found.candidates:.1f}", Text(_bar(found.recall.value), "cyan")]
        table.add_row(*cells)
    return table


def _gates(report: Report) -> Table:
    table = _table("Gates")
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
        moved = [f"{trigger} {psi:.2f}" for trigger, psi in variant.drift.items() if psi is not None]
        if moved:
            text.append(f"{name}: score drift (PSI) since the rank window: {', '.join(moved)}\n", style="dim")
    for table, quality in report.quality.items():
        if quality.bad:
            text.append(f"{table}: {quality.bad:,} of {quality.read:,} rows left out", style="yellow")
            text.append(f", such as {quality.examples[0]}\n" if quality.examples else "\n", style="yellow")
        for note in quality.notes:
            text.append(f"{table}: {note}\n", style="dim")
    text.rstrip()
    return text


def _span(figure: Interval) -> str:
    if figure.low is None or figure.high is None:
        return f"{figure.value:.4f} {'':17}"
    return f"{figure.value:.4f} [{figure.low:.4f}, {figure.high:.4f}]"


def _short(figure: Interval) -> str:
    if figure.low is None or figure.high is None:
        return f"{figure.value:.4f}"
    return f"{figure.value:.4f} ±{(figure.high - figure.low) / 2:.4f}"


def _change(difference: Interval) -> str:
    if difference.low is None or difference.high is None:
        return f"{difference.value:+.4f} {'':19}"
    return f"{difference.value:+.4f} [{difference.low:+.4f}, {difference.high:+.4f}]"


def _bar(share: float, width: int = 16) -> str:
    eighths = round(min(max(share, 0.0), 1.0) * width * 8)
    return "█" * (eighths // 8) + ("" if eighths % 8 == 0 else " ▏▎▍▌▋▊▉"[eighths % 8])
