from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from yoorec.replay.plots import Mark, bars, intervals, ticks
from yoorec.replay.statistics import Interval


@pytest.mark.parametrize(
    ("low", "high", "expected"),
    [
        (0.0, 0.1, [0.0, 0.02, 0.04, 0.06, 0.08, 0.1]),
        (0.0, 1.0, [0.0, 0.2, 0.4, 0.6, 0.8, 1.0]),
        (-0.013, 0.021, [-0.01, 0.0, 0.01, 0.02]),
        (5.0, 5.0, [5.0]),
    ],
)
def test_ticks_are_round(low: float, high: float, expected: list[float]) -> None:
    assert ticks(low, high) == expected


@given(st.floats(-100, 100), st.floats(1e-6, 100))
def test_ticks_lie_within_and_are_few(low: float, span: float) -> None:
    found = ticks(low, low + span)
    assert 2 <= len(found) <= 7
    assert all(low - 1e-6 * span <= tick <= low + span * (1 + 1e-6) for tick in found)


def _numbers(text: str, pattern: str) -> list[float]:
    return [float(each) for each in re.findall(pattern, text)]


def test_marks_stand_in_order_of_their_values_inside_their_whiskers() -> None:
    marks = [Mark("a", Interval(0.1, 0.08, 0.13)), Mark("b", Interval(0.2, 0.17, 0.21), "v1"), Mark("c", Interval(0.3))]
    text = intervals("ndcg@10", marks)
    centres = _numbers(text, r'<circle cx="([\d.]+)"')
    starts = _numbers(text, r'class="span" x1="([\d.]+)"')
    stops = _numbers(text, r'class="span" x1="[\d.]+" x2="([\d.]+)"')
    assert centres == sorted(centres)
    assert len(starts) == 2  # no whisker without an interval
    for start, centre, stop in zip(starts, centres, stops, strict=False):
        assert start < centre < stop
    # the axis is linear and starts at 0
    zero = _numbers(text, r'class="grid" x1="([\d.]+)"')[0]
    assert centres[1] - zero == pytest.approx(2 * (centres[0] - zero), abs=0.2)


def test_a_line_marks_0_where_values_fall_on_both_sides() -> None:
    both = intervals("difference", [Mark("a", Interval(0.1, -0.1, 0.2))])
    above = intervals("metric", [Mark("a", Interval(0.1, 0.05, 0.2))])
    assert 'class="zero"' in both
    assert 'class="zero"' not in above


def test_a_bar_is_as_long_as_its_share() -> None:
    text = bars("funnel", [Mark("a", Interval(0.25)), Mark("b", Interval(0.5, 0.4, 0.6)), Mark("c", Interval(0.0))])
    widths = _numbers(text, r'<rect [^>]*width="([\d.]+)"')
    assert widths[1] == pytest.approx(2 * widths[0], abs=0.2)
    assert widths[2] == 0.0
    assert text.count('class="whisker"') == 1


def test_labels_are_escaped_and_numbers_told() -> None:
    text = intervals("a < b", [Mark("<b>", Interval(0.5, 0.4, 0.6), note="3 & 4")])
    assert "<b>" not in text
    assert "&lt;b&gt;: 0.5000, 95 % interval 0.4000 to 0.6000, 3 &amp; 4" in text
