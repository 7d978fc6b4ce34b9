"""Plots as inline SVG text, no library: intervals on one axis, and the funnel. Colours come from the page's CSS."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

from yoorec.replay.statistics import Interval

__all__ = ["Mark", "bars", "intervals", "ticks"]

_WIDTH = 760
_ROW = 24
_GAP = 10
_VALUE = 64


@dataclass(frozen=True, slots=True)
class Mark:
    """One row of a plot. kind: CSS class that colours it. note: shown when pointed at. gap: space above the row."""

    label: str
    figure: Interval
    kind: str = "control"
    note: str = ""
    gap: bool = False


def ticks(low: float, high: float, wanted: int = 5) -> list[float]:
    """Round numbers (1, 2 or 5 times a power of ten apart) that lie in [low, high].

    >>> ticks(0.0, 0.1)
    [0.0, 0.02, 0.04, 0.06, 0.08, 0.1]
    """
    span = high - low
    if not span > 0:
        return [low]
    raw = span / wanted
    power = 10.0 ** math.floor(math.log10(raw))
    step = next(power * factor for factor in (1, 2, 5, 10) if power * factor >= raw * (1 - 1e-9))
    digits = max(0, -math.floor(math.log10(step)))
    first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    return [round(place * step, digits) + 0.0 for place in range(first, last + 1)]


def intervals(title: str, marks: Sequence[Mark], zero: bool = True) -> str:
    """Dots with whiskers, a row each, on one axis; `zero` makes 0 part of it."""
    ends = [end for mark in marks for end in (mark.figure.value, mark.figure.low, mark.figure.high) if end is not None]
    low, high = min(ends, default=0.0), max(ends, default=1.0)
    if zero:
        low, high = min(low, 0.0), max(high, 0.0)
    if high - low < 1e-12:
        high = low + 1.0
    margin = (high - low) * 0.03
    low, high = (low if zero and low == 0 else low - margin), high + margin
    left = _label_width(marks)
    right = _WIDTH - _VALUE

    def x(value: float) -> float:
        return left + (value - low) / (high - low) * (right - left)

    body, y = [], float(_GAP)
    height = _height(marks)
    for tick in ticks(low, high):
        at = x(tick)
        body.append(f'<line class="grid" x1="{at:.1f}" x2="{at:.1f}" y1="0" y2="{height - 20}"/>')
        body.append(f'<text class="tick" x="{at:.1f}" y="{height - 6}" text-anchor="middle">{tick:g}</text>')
    if low < 0 < high:
        body.append(f'<line class="zero" x1="{x(0):.1f}" x2="{x(0):.1f}" y1="0" y2="{height - 20}"/>')
    for mark in marks:
        y += _GAP if mark.gap else 0
        middle = y + _ROW / 2
        body.append(f'<g class="{escape(mark.kind)}"><title>{escape(_told(mark))}</title>')
        body.append(_label(mark.label, left, middle))
        if mark.figure.low is not None and mark.figure.high is not None:
            start, stop = x(mark.figure.low), x(mark.figure.high)
            body.append(f'<line class="span" x1="{start:.1f}" x2="{stop:.1f}" y1="{middle}" y2="{middle}"/>')
        body.append(f'<circle cx="{x(mark.figure.value):.1f}" cy="{middle}" r="4.5"/>')
        body.append(_number(mark.figure.value, middle) + "</g>")
        y += _ROW
    return _svg(title, height, body)


def bars(title: str, marks: Sequence[Mark]) -> str:
    """Horizontal bars of shares in [0, 1], a row each, with whiskers."""
    left, right = _label_width(marks), _WIDTH - _VALUE
    height = _height(marks)
    body, y = [], float(_GAP)
    for tick in (0.0, 0.25, 0.5, 0.75, 1.0):
        at = left + tick * (right - left)
        body.append(f'<line class="grid" x1="{at:.1f}" x2="{at:.1f}" y1="0" y2="{height - 20}"/>')
        body.append(f'<text class="tick" x="{at:.1f}" y="{height - 6}" text-anchor="middle">{tick:g}</text>')
    for mark in marks:
        y += _GAP if mark.gap else 0
        middle, width = y + _ROW / 2, mark.figure.value * (right - left)
        body.append(f'<g class="{escape(mark.kind)}"><title>{escape(_told(mark))}</title>')
        body.append(_label(mark.label, left, middle))
        body.append(f'<rect x="{left}" y="{y + 4}" width="{width:.1f}" height="{_ROW - 8}" rx="2"/>')
        if mark.figure.low is not None and mark.figure.high is not None:
            start, stop = (left + end * (right - left) for end in (mark.figure.low, mark.figure.high))
            body.append(f'<line class="whisker" x1="{start:.1f}" x2="{stop:.1f}" y1="{middle}" y2="{middle}"/>')
        body.append(_number(mark.figure.value, middle) + "</g>")
        y += _ROW
    return _svg(title, height, body)


def _height(marks: Sequence[Mark]) -> int:
    return 2 * _GAP + len(marks) * _ROW + sum(_GAP for mark in marks if mark.gap) + 20


def _label_width(marks: Sequence[Mark]) -> int:
    return min(300, 20 + 7 * max((len(mark.label) for mark in marks), default=0))


def _label(text: str, left: float, middle: float) -> str:
    return f'<text x="{left - 10}" y="{middle + 4}" text-anchor="end">{escape(text)}</text>'


def _number(value: float, middle: float) -> str:
    return f'<text class="number" x="{_WIDTH - 4}" y="{middle + 4}" text-anchor="end">{value:.4f}</text>'


def _told(mark: Mark) -> str:
    figure = mark.figure
    span = "" if figure.low is None else f", 95 % interval {figure.low:.4f} to {figure.high:.4f}"
    return f"{mark.label}: {figure.value:.4f}{span}{', ' + mark.note if mark.note else ''}"


def _svg(title: str, height: int, body: Sequence[str]) -> str:
    return (
        f'<svg viewBox="0 0 {_WIDTH} {height}" role="img" aria-label="{escape(title)}">'
        f"<title>{escape(title)}</title>{''.join(body)}</svg>"
    )
