from __future__ import annotations

import re
from dataclasses import replace
from html.parser import HTMLParser

from yoorec.replay.page import page
from yoorec.replay.report import Report
from yoorec.replay.statistics import Interval


class _Strict(HTMLParser):
    """Counts tags, and fails where they don't close in order."""

    empty = frozenset({"meta", "line", "circle", "rect"})

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.seen: dict[str, int] = {}
        self.text: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen[tag] = self.seen.get(tag, 0) + 1
        if tag not in self.empty:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen[tag] = self.seen.get(tag, 0) + 1

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text.append(data)


def _read(report: Report) -> _Strict:
    parser = _Strict()
    parser.feed(page(report))
    parser.close()
    assert parser.open == []
    return parser


def test_the_page_is_well_formed_and_needs_nothing_else(small_report: Report) -> None:
    found = _read(small_report)
    text = page(small_report)
    assert "script" not in found.seen
    assert "link" not in found.seen
    assert "img" not in found.seen
    assert not re.search(r"https?:|url\(|@import|src=", text)
    # one plot a metric, the differences, the funnel
    assert found.seen["svg"] == len(small_report.control.metrics) + 2


def test_names_are_escaped(small_report: Report) -> None:
    assert "less <near>" not in page(small_report)
    assert "less <near>" in "".join(_read(small_report).text)


def test_the_page_tells_the_figures_the_gates_and_the_ground(small_report: Report) -> None:
    text = " ".join("".join(_read(small_report).text).split())
    control = small_report.control.metrics["ndcg@10"]
    assert f"{control.value:.4f} [{control.low:.4f}, {control.high:.4f}]" in text
    assert small_report.gates[0].reason in text
    assert "events: 1,500 rows read, 2 left out." in text
    assert "trigger-near" in text
    assert "triggers.near.limit=3 ~exposure.backfill" in text
    assert f"{small_report.requests} requests" in text


def test_slices_and_what_triggers_add_are_told_in_full(small_report: Report) -> None:
    found = _read(small_report)
    text = " ".join(" ".join(found.text).split())
    control = small_report.control
    shown = [*_intervals(control.sources["near"].recall), *_intervals(control.sources["near"].slate_unique)]
    assert "Difference from popular alone on the same requests" in text
    shown += _intervals(control.versus_baseline["near"]["hit_rate@5"], "+")
    figures = 0
    for dimension in ("item_age", "user_plays"):
        for name, size in small_report.slices[dimension].items():
            assert f"{size.requests:,}" in text
            for variant in small_report.variants.values():
                part = variant.slices[dimension].get(name)
                if part is None:
                    continue
                figures += 1
                for label in ("hit_rate@5", "ndcg@10"):
                    shown += _intervals(part.metrics[label]) + _intervals(part.triggers["near"][label])
                    shown += _intervals(part.versus_baseline["near"][label], "+")
                    if part.versus_control:
                        shown += _intervals(part.versus_control[label], "+")
                shown += _intervals(part.sources["popular"].unique) + _intervals(part.sources["near"].in_slate)
    assert figures > 2
    for each in shown:
        assert each in text, each
    assert "too few: a slice needs 1,000 requests of 200 users, or its interval says nothing." in text
    # Of each dimension a table to unfold for every metric of requests and every figure of sources.
    assert found.seen["details"] == found.seen["summary"] == 2 * (2 + 4)
    assert page(small_report).count("<details open>") == 2
    assert "<details" not in page(replace(small_report, slices={}))


def _intervals(figure: Interval, sign: str = "") -> list[str]:
    span = f" [{figure.low:{sign}.4f}, {figure.high:{sign}.4f}]" if figure.low is not None else ""
    return [f"{figure.value:{sign}.4f}{span}"]


def test_without_variants_there_are_no_differences(small_report: Report) -> None:
    alone = replace(small_report, variants={"control": small_report.control}, gates=())
    assert _read(alone).seen["svg"] == len(small_report.control.metrics) + 1
