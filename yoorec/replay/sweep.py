"""A sweep of replays: one run for each combination of values, and the table that sets them side by side."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.table import Table

if TYPE_CHECKING:
    from collections.abc import Sequence

    from yoorec.config.sweep import SweepJob

__all__ = ["print_sweep", "replay_job"]


def replay_job(scenario: str, overrides: tuple[str, ...], folder: Path, *, requests: int | None = None) -> Any:
    """Replay once, write the reports into `folder`, and return each metric's value and interval of the control."""
    from yoorec.config.compose import load_scenario
    from yoorec.plugins import load_plugins
    from yoorec.replay.replay import replay

    plugins = load_plugins()
    report = replay(load_scenario(scenario, overrides, plugins), plugins, requests=requests)
    report.write(folder)
    return {
        name: {"value": figure.value, "low": figure.low, "high": figure.high}
        for name, figure in report.control.metrics.items()
    }


def print_sweep(jobs: Sequence[SweepJob], console: Console) -> None:
    """One row a run: what it changed, and its metrics with half the width of their intervals; the best in bold."""
    names = list(dict.fromkeys(name for job in jobs for name in job.result or ()))
    table = Table(box=None, pad_edge=False, header_style="bold")
    widest = max(len(each) for job in jobs for each in (*job.changed, "run"))
    table.add_column("run", overflow="fold", min_width=widest)
    for name in names:
        table.add_column(name, justify="right")
    best = {name: max(job.result[name]["value"] for job in jobs if job.result) for name in names}
    for job in jobs:
        label = "\n".join(job.changed) or f"run {job.number}"
        if not job.result:
            continue
        cells = []
        for name in names:
            figure = job.result[name]
            span = "" if figure["low"] is None else f" ±{(figure['high'] - figure['low']) / 2:.4f}"
            text = f"{figure['value']:.4f}{span}"
            cells.append(f"[bold]{text}[/]" if figure["value"] == best[name] else text)
        table.add_row(label, *cells)
    console.print(table)
    for job in jobs:
        if job.error:
            console.print(f"{'  '.join(job.changed)}: {job.error}", style="red", markup=False, soft_wrap=True)
