from __future__ import annotations

import re
from dataclasses import replace

import pytest
from rich.console import Console

from yoorec.replay.report import Report
from yoorec.replay.statistics import Interval
from yoorec.replay.table import better, first_metric, sliced_metrics


def _printed(report: Report, colour: bool = False, width: int = 160) -> str:
    console = Console(width=width, force_terminal=colour, color_system="standard" if colour else None, no_color=False)
    with console.capture() as captured:
        report.print(console)
    return captured.get()


def _row(text: str, first: str) -> str:
    return next(line for line in text.splitlines() if line.strip().startswith(first))


def _block(text: str, title: str) -> str:
    """A table with its title, up to the blank line before the next."""
    start = text.index(title)
    return text[start : text.index("\n\n", start) + 1] + "\n"


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
    text = text[text.index("Funnel") :]
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
    alone = _block(text, "Each trigger alone").splitlines()
    assert [line.split("  ")[0] or line.split("  ")[1] for line in alone[2:-1]] == ["popular", "near", "less <near>"]
    assert "ndcg@10 > control" in _row(text, "FAIL")
    assert "events: 2 of 1,500 rows left out, such as events.csv: row 7: time: 'x' is no time" in text
    assert "score drift (PSI) since the rank window: popular 0.03" in text
    assert "control: 12,346 requests/s; one at a time p50 0.50 ms, p99 1.25 ms" in text


def test_what_triggers_add_stands_beside_what_they_recall(small_report: Report) -> None:
    block = _block(_printed(small_report), "What each trigger adds")
    for trigger in ("popular", "near"):
        found = small_report.control.sources[trigger]
        shown = [found.recall, found.unique, found.in_slate, found.slate_unique]
        cells = re.findall(r"(\S+) ±(\S+)", _row(block, trigger))
        assert cells == [(f"{each.value:.4f}", f"{(each.high - each.low) / 2:.4f}") for each in shown]
    assert "no other recalled" in block and "there by it alone" in block
    assert "less <near>" in block  # which adds something else


def test_the_lead_over_the_baseline_is_told(small_report: Report) -> None:
    block = _block(_printed(small_report), "Each trigger against popular, both alone")
    change = small_report.control.versus_baseline["near"]["ndcg@10"]
    assert f"{change.value:+.4f} ±" in _row(block, "near")
    variants = {name: replace(each, versus_baseline={}) for name, each in small_report.variants.items()}
    assert "Each trigger against" not in _printed(replace(small_report, variants=variants))


@pytest.mark.parametrize(
    ("dimension", "title"),
    [("item_age", "By age of the item played"), ("user_plays", "By plays known of the user before the visit")],
)
def test_slices_stand_side_by_side(small_report: Report, dimension: str, title: str) -> None:
    block = _block(_printed(small_report), f"{title}: ndcg@10")
    sizes = small_report.slices[dimension]
    assert re.split(r"\s{2,}", block.splitlines()[1].strip()) == list(sizes)
    assert re.findall(r"[\d,]+", _row(block, "requests")) == [f"{each.requests:,}" for each in sizes.values()]
    assert re.findall(r"[\d,]+", _row(block, "users")) == [f"{each.clusters:,}" for each in sizes.values()]
    for name, size in sizes.items():
        figures = small_report.control.slices[dimension].get(name)
        assert (figures is not None) == size.enough
        if figures is not None:
            assert f"{figures.metrics['ndcg@10'].value:.4f} ±" in _row(block, "slate")
            assert f"{figures.triggers['near']['ndcg@10'].value:.4f} ±" in _row(block, "near ")
            assert f"{figures.versus_baseline['near']['ndcg@10'].value:+.4f} ±" in _row(block, "near - popular")
            other = small_report.variants["less <near>"].slices[dimension][name]
            assert f"{other.metrics['ndcg@10'].value:.4f} ±" in _row(block, "slate, less <near>")
    few = sum(not size.enough for size in sizes.values())
    assert _row(block, "slate").count("too few") == _row(block, "near ").count("too few") == few


def test_why_a_slice_has_no_figures_is_told_once(small_report: Report) -> None:
    told = "too few: a slice needs 1,000 requests of 200 users, or its interval says nothing"
    assert _printed(small_report).count(told) == 1
    few = {name: replace(size, enough=False) for name, size in small_report.slices["item_age"].items()}
    none = replace(
        small_report,
        slices={"item_age": few},
        variants={name: replace(each, slices={"item_age": {}}) for name, each in small_report.variants.items()},
    )
    block = _block(_printed(none), "By age of the item played")
    assert [line.split("  ")[0] for line in block.splitlines()[2:] if line] == [
        "requests",
        "users",
        "slate",
        "slate, less <near>",
    ]
    enough = {name: replace(size, enough=True) for name, size in small_report.slices["item_age"].items()}
    assert told not in _printed(replace(small_report, slices={"item_age": enough}))
    assert "By " not in _printed(replace(small_report, slices={}))


def test_the_metric_of_slices_is_the_first_ndcg_or_the_first_there_is(small_report: Report) -> None:
    assert (first_metric(small_report), sliced_metrics(small_report)) == ("ndcg@10", ["hit_rate@5", "ndcg@10"])
    control = small_report.control
    metrics = {label: figure for label, figure in control.metrics.items() if label != "ndcg@10"}
    plain = replace(small_report, variants={"control": replace(control, metrics=metrics)})
    assert first_metric(plain) == "hit_rate@5"
    assert first_metric(replace(small_report, variants={"control": replace(control, metrics={})})) == ""


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
