"""What came of the marks, in a terminal."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from yoorec.neighbors.lists import Neighbors
from yoorec.neighbors.marks import Judge
from yoorec.neighbors.precision import Judgement
from yoorec.replay.statistics import Interval
from yoorec.replay.table import better

__all__ = ["render"]


def render(neighbors: Neighbors, judges: Sequence[Judge], found: Judgement) -> RenderableType:
    """What `yoorec judged` prints; pass it to a rich console."""
    heading = Text(neighbors.scene, style="bold")
    heading.append(
        f"  {len(neighbors.queries)} items, at most {neighbors.top} neighbours each; judged by "
        f"{', '.join(judge.name for judge in judges)}\n",
        style="not bold",
    )
    parts: list[RenderableType] = [heading, _precision(found)]
    if found.agreement:
        parts += [Text("\nJudges, on what both judged", style="italic"), _agreement(found)]
    parts += [Text(), _footer(neighbors, found)]
    return Group(*parts)


def _table(*columns: str) -> Table:
    table = Table(header_style="bold", box=None, pad_edge=False, padding=(0, 2, 0, 0))
    for name in columns:
        table.add_column(name, overflow="fold")
    return table


def _precision(found: Judgement) -> Table:
    """A row for each cutoff and trigger; beside it the difference from the first trigger."""
    first, *others = found.triggers
    table = _table("", "", "", *([f"against {first}"] if others else []))
    styles = {1: "green", -1: "red", 0: "dim"}
    for n in found.triggers[first].precision:
        for name, figures in found.triggers.items():
            cells: list[RenderableType] = [f"precision@{n}" if name == first else "", name, _span(figures.precision[n])]
            if name != first:
                difference = found.differences[name][n]
                style = "dim" if difference is None else styles[better(difference)]
                cells.append(Text(_span(difference, "+"), style))
            table.add_row(*cells)
    return table


def _agreement(found: Judgement) -> Table:
    table = _table("", "judged", "alike", "kappa")
    for each in found.agreement:
        same = f"{each.same:.4f}" if each.both else "-"
        kappa = "-" if each.kappa is None else f"{each.kappa:.4f}"
        table.add_row(f"{each.first}, {each.second}", f"{each.both:,}", same, kappa)
    return table


def _footer(neighbors: Neighbors, found: Judgement) -> Text:
    text = Text(style="dim")
    for name, figures in found.triggers.items():
        text.append(f"{name}: {figures.judged:,} of {figures.listed:,} judged")
        if figures.judged < figures.listed:
            text.append(
                f"; with the others precision@{neighbors.top} lies in [{figures.lowest:.4f}, {figures.highest:.4f}]"
            )
        text.append("\n")
    text.append("95 % intervals over items")
    return text


def _span(figure: Interval | None, sign: str = "") -> str:
    if figure is None:
        return "-"
    if figure.low is None or figure.high is None:
        return f"{figure.value:{sign}.4f}"
    return f"{figure.value:{sign}.4f} [{figure.low:{sign}.4f}, {figure.high:{sign}.4f}]"
