"""Calibration: logits made honest, and a picture of how honest they are."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from yoorec_tf.metrics import Reliability

__all__ = ["calibrated", "reliability_plot"]

F32 = npt.NDArray[np.float32]
F64 = npt.NDArray[np.float64]

_STEPS = 50
_RIDGE = 1e-6


def calibrated(label: F32, logit: F32, weight: F32) -> tuple[float, float]:
    """Scale and shift of logits that foretell labels best: Platt's, by Newton's method on the log-loss.

    The network learned from few of the rows that nothing came of, so its own shift is too high. Where no scale above 0
    does better than none, as without a label of each kind, the scale is 1 and the shift that of the labels' mean.
    """
    x, y, w = (each.astype(np.float64) for each in (logit, label, weight))
    found = _newton(np.stack([x, np.ones_like(x)]), y, w) if 0 < float((y * w).sum()) < float(w.sum()) else None
    if found is not None and found[0] > 0:
        return float(found[0]), float(found[1])
    shift = (
        _newton(np.ones((1, len(x))), y, w, offset=x) if len(x) and 0 < float((y * w).sum()) < float(w.sum()) else None
    )
    return 1.0, float(shift[0]) if shift is not None else 0.0


def _newton(rows: F64, label: F64, weight: F64, offset: F64 | None = None) -> F64 | None:
    """float64 [P]: what makes the log-loss of ``sum_p found[p] rows[p] + offset`` least; None where it runs away."""
    found = np.zeros(len(rows))
    if len(rows) == 2:
        found[0] = 1.0
    base = np.zeros(rows.shape[1]) if offset is None else offset

    def loss(at: F64) -> float:
        z = at @ rows + base
        return float((weight * (np.logaddexp(0, z) - label * z)).sum() / weight.sum() + _RIDGE * (at @ at) / 2)

    now = loss(found)
    for _ in range(_STEPS):
        chance = 1 / (1 + np.exp(-np.clip(found @ rows + base, -700, 700)))
        gradient = rows @ (weight * (chance - label)) / weight.sum() + _RIDGE * found
        bend = (rows * (weight * chance * (1 - chance))) @ rows.T / weight.sum() + _RIDGE * np.eye(len(rows))
        step, length = np.linalg.solve(bend, gradient), 1.0
        while length > 1e-6 and not (after := loss(found - length * step)) <= now:
            length /= 2
        if length <= 1e-6:
            break
        found, gain, now = found - length * step, now - after, after
        if gain < 1e-12:
            break
    return found if np.isfinite(found).all() else None


_SIZE, _EDGE = 320, 44


def reliability_plot(named: Sequence[tuple[str, Reliability]]) -> str:
    """An SVG picture, one panel an objective: what came true over what was foretold, on logarithmic axes."""
    panels = [_panel(place, name, found) for place, (name, found) in enumerate(named)]
    width, height = len(panels) * _SIZE, _SIZE + 24
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}" '
        'font-family="sans-serif" font-size="11"><rect width="100%" height="100%" fill="#fff"/>'
        f"{''.join(panels)}</svg>\n"
    )


def _panel(place: int, name: str, found: Reliability) -> str:
    shown = np.concatenate([found.foretold, found.observed])
    low = np.floor(np.log10(max(float(shown[shown > 0].min(initial=1.0)), 1e-6)))
    left, top, side = place * _SIZE + _EDGE, 28, _SIZE - _EDGE - 12

    def at(chance: float) -> float:
        return side * (1 - np.log10(max(chance, 10**low)) / low) if low < 0 else side * chance

    body = [f'<text x="{left}" y="18" font-weight="bold">{name}: ECE {found.ece:.4f}</text>']
    for power in range(int(low), 1):
        mark = at(10.0**power)
        body.append(
            f'<path d="M{left + mark:.1f} {top}v{side}M{left} {top + side - mark:.1f}h{side}" stroke="#ddd"/>'
            f'<text x="{left + mark:.1f}" y="{top + side + 14}" text-anchor="middle">{10.0**power:g}</text>'
            f'<text x="{left - 6}" y="{top + side - mark + 4:.1f}" text-anchor="end">{10.0**power:g}</text>'
        )
    body.append(f'<path d="M{left} {top + side}l{side} {-side}" stroke="#888" stroke-dasharray="4 3"/>')
    for rows, foretold, observed in zip(found.rows, found.foretold, found.observed, strict=True):
        body.append(
            f'<circle cx="{left + at(float(foretold)):.1f}" cy="{top + side - at(float(observed)):.1f}" r="4" '
            f'fill="#1f6feb"><title>{int(rows):,} rows: foretold {foretold:.4f}, came true {observed:.4f}'
            "</title></circle>"
        )
    body.append(f'<text x="{left + side / 2}" y="{top + side + 28}" text-anchor="middle">foretold</text>')
    return "".join(body)
