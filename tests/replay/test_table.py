from __future__ import annotations

import re
from dataclasses import replace

import pytest
from rich.console import Console

from yoorec.replay.report import Report
from yoorec.replay.statistics import Interval
from yoorec.replay.table import better


def _printed(report: Report, colour: bool = False, width: int = 160) -> str:
    console = Console(width=width, force_terminal=colour, color_system="standard" if colour else None, no_color=False)
    with console.capture() as captured:
        report.print(console)
    return captured.get()


def _row(text: str, first: str) -> str:
    return next(line for line in text.splitlines() if line.strip().startswith(first))


def test_every_figure_stands_with_its_interval(small_report: Report) -> None:
    text = _printed(small_report)
    for variant in small_report.variants.values():
        found = variant.metrics["ndcg@10"]
        assert f"{found.value:.4f} [{found.low:.4f}, {found.high:.4f}]" in _row(text, "ndcg@10")
    change = small_report.variants["less <near>"].versus_control["ndcg@10"]
    assert f"{change.value:+.4f} [{change.low:+.4f}, {change.high:+.4f}]" in _row(text, "ndcg@10")
    assert "[" not in _row(text, "coverage@10")


def test_the_funnel_goes_stage_by_stage(small_report: Report) -> None:
    text = _printed(small_report)
    stages = list(small_report.control.stages)
    lines = text.splitlines()
    places = [lines.index(_row(text, stage)) for stage in stages]
    assert places == sorted(places)
    merged = small_report.control.stages["merge"]
    assert f"{merged.recall.value:.4f}" in _row(text, "merge")
    assert f"{merged.candidates:.1f}" in _row(text, "merge")


def test_triggers_gates_and_data_are_told(small_report: Report) -> None:
    text = _printed(small_report)
    alone = small_report.control.triggers["popular"]["hit_rate@5"]
    assert f"{alone.value:.4f} ±" in _row(text, "popular")
    alone = text[text.index("Each trigger alone") : text.index("Funnel")].splitlines()
    assert [line.split("  ")[0] or line.split("  ")[1] for line in alone[2:-1]] == ["popular", "near", "less <near>"]
    assert "ndcg@10 > control" in _row(text, "FAIL")
    assert "events: 2 of 1,500 rows left out, such as events.csv: row 7: time: 'x' is no time" in text
    assert "score drift (PSI) since the rank window: popular 0.03" in text
    assert "control: 12,346 requests/s; one at a time p50 0.50 ms, p99 1.25 ms" in text


def test_a_narrow_terminal_cuts_nothing_off(small_report: Report) -> None:
    wide, narrow = _printed(small_report), _printed(small_report, width=80)
    assert "…" not in narrow
    assert sorted(re.findall(r"[+-]?\d\.\d{4}", narrow)) == sorted(re.findall(r"[+-]?\d\.\d{4}", wide))


def test_without_variants_the_table_is_controls(small_report: Report) -> None:
    alone = replace(small_report, variants={"control": small_report.control}, gates=())
    text = _printed(alone)
    assert "against control" not in text
    assert "Gates" not in text


@pytest.mark.parametrize(("change", "colour"), [(0.1, "32"), (-0.1, "31")])
def test_better_is_green_and_worse_red_in_a_terminal(small_report: Report, change: float, colour: str) -> None:
    shown = Interval(change, change - 0.01, change + 0.01)
    variant = replace(small_report.variants["less <near>"], versus_control={
        **small_report.variants["less <near>"].versus_control, "ndcg@10": shown,
    })  # fmt: skip
    report = replace(small_report, variants={"control": small_report.control, "less <near>": variant})
    coloured = _row(_printed(report, colour=True), "ndcg@10")
    assert re.search(rf"\x1b\[{colour}m{re.escape(f'{change:+.4f}')}", coloured)
    assert "\x1b" not in _printed(report)


@pytest.mark.parametrize(
    ("difference", "verdict"),
    [
        (Interval(0.1, 0.05, 0.15), 1),
        (Interval(-0.1, -0.15, -0.05), -1),
        (Interval(0.1, -0.05, 0.15), 0),
        (Interval(0.1, 0.0, 0.15), 0),
        (Interval(0.1), 0),
    ],
)
def test_only_an_interval_beyond_0_is_better_or_worse(difference: Interval, verdict: int) -> None:
    assert better(difference) == verdict
    assert better(difference, higher_is_better=False) == -verdict
