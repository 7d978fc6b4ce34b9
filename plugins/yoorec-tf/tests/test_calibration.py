from __future__ import annotations

from xml.etree import ElementTree

import numpy as np
import pytest
from yoorec_tf.calibration import calibrated, reliability_plot
from yoorec_tf.metrics import log_loss, reliability


@pytest.mark.parametrize(("scale", "shift"), [(1.0, 0.0), (0.5, -4.0), (3.0, 2.0)])
def test_planted_scale_and_shift_are_found(scale: float, shift: float) -> None:
    rng = np.random.default_rng(0)
    logit = rng.normal(size=60_000).astype(np.float32) * 2
    label = (rng.random(60_000) < 1 / (1 + np.exp(-(logit * scale + shift)))).astype(np.float32)
    found = calibrated(label, logit, np.ones_like(label))
    np.testing.assert_allclose(found, (scale, shift), atol=0.12)
    near = [(found[0] + a, found[1] + b) for a in (-0.02, 0, 0.02) for b in (-0.02, 0, 0.02)]
    losses = [log_loss(label, (logit * a + b).astype(np.float32)) for a, b in near]
    assert min(losses) == losses[4], "no scale and shift near by is better"


def test_rows_without_weight_say_nothing() -> None:
    rng = np.random.default_rng(1)
    logit = rng.normal(size=5000).astype(np.float32)
    label = (rng.random(5000) < 0.3).astype(np.float32)
    weight = (rng.random(5000) < 0.5).astype(np.float32)
    spoiled = np.where(weight > 0, label, 1 - label).astype(np.float32)
    assert calibrated(label, logit, weight) == calibrated(spoiled, logit, weight)


@pytest.mark.parametrize("label", [0.0, 1.0])
def test_labels_of_one_kind_change_nothing(label: float) -> None:
    logit = np.linspace(-1, 1, 9, dtype=np.float32)
    assert calibrated(np.full(9, label, np.float32), logit, np.ones(9, np.float32)) == (1.0, 0.0)
    assert calibrated(np.empty(0, np.float32), np.empty(0, np.float32), np.empty(0, np.float32)) == (1.0, 0.0)


def test_a_scorer_that_is_upside_down_is_not_turned() -> None:
    """A negative scale would turn the list over; then only the shift is learned."""
    rng = np.random.default_rng(2)
    logit = rng.normal(size=20_000).astype(np.float32)
    label = (rng.random(20_000) < 1 / (1 + np.exp(logit + 2))).astype(np.float32)
    scale, shift = calibrated(label, logit, np.ones_like(label))
    assert scale == 1.0
    chance = 1 / (1 + np.exp(-(logit + shift)))
    assert abs(chance.mean() - label.mean()) < 1e-3


def test_the_picture_shows_every_bin() -> None:
    rng = np.random.default_rng(3)
    chance = rng.random(1000).astype(np.float32) ** 3
    found = reliability((rng.random(1000) < chance).astype(np.float32), chance)
    tree = ElementTree.fromstring(reliability_plot([("play", found), ("like", found)]))
    circles = [each for each in tree.iter() if each.tag.endswith("circle")]
    assert len(circles) == 2 * len(found.rows) == 20
    assert all(float(each.get("cx", "nan")) >= 0 for each in circles)
    nothing = reliability(np.empty(0, np.float32), np.empty(0, np.float32))
    assert ElementTree.fromstring(reliability_plot([("play", nothing)])) is not None
