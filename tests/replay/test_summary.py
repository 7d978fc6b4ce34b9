from __future__ import annotations

import numpy as np
import pytest

from yoorec.replay.runner import ListFigures, Measured
from yoorec.replay.statistics import Interval, interval, resampled_means
from yoorec.replay.summary import summarise

RNG = np.random.default_rng(0)
CLUSTER = np.repeat(np.arange(20, dtype=np.int32), 3)


def _measured(shift: float, triggers: tuple[str, ...] = ("hot", "slate")) -> Measured:
    def figures(seed: int) -> ListFigures:
        values = np.random.default_rng(seed).random(60) + shift
        return ListFigures({"ndcg@10": values}, {"coverage@10": 0.25 + shift})

    return Measured(
        figures(1),
        {name: figures(2 + place) for place, name in enumerate(triggers)},
        {"triggers.hot": np.ones(60), "slate": np.random.default_rng(9).random(60)},
        {"triggers.hot": 50.0, "slate": 10.0},
    )


def test_figures_are_means_with_intervals_of_the_bootstrap() -> None:
    measured = _measured(0.0)
    (found,) = summarise({"control": measured}, ["coverage@10", "ndcg@10"], CLUSTER, 100, 5).values()
    column = measured.slate.per_request["ndcg@10"]
    expected = interval(float(column.mean()), resampled_means([column], CLUSTER, 100, 5)[:, 0], 20)
    assert list(found.metrics) == ["coverage@10", "ndcg@10"]
    assert found.metrics["ndcg@10"].value == expected.value
    assert found.metrics["ndcg@10"].low == pytest.approx(expected.low)
    assert found.metrics["ndcg@10"].high == pytest.approx(expected.high)
    assert found.metrics["coverage@10"] == Interval(0.25)
    assert found.versus_control == {}


def test_a_trigger_may_be_called_slate() -> None:
    measured = _measured(0.0)
    (found,) = summarise({"control": measured}, ["ndcg@10"], CLUSTER, 100, 5).values()
    alone = float(measured.triggers["slate"].per_request["ndcg@10"].mean())
    assert found.triggers["slate"]["ndcg@10"].value == alone != found.metrics["ndcg@10"].value


def test_stages_keep_their_order_recall_and_length() -> None:
    (found,) = summarise({"control": _measured(0.0)}, ["ndcg@10"], CLUSTER, 100, 5).values()
    assert list(found.stages) == ["triggers.hot", "slate"]
    assert found.stages["triggers.hot"].recall == Interval(1.0, 1.0, 1.0)
    assert found.stages["slate"].candidates == 10.0


def test_a_difference_is_paired() -> None:
    """What shifts every request by the same differs from control by just that, whoever is drawn."""
    found = summarise(
        {"control": _measured(0.0), "more": _measured(0.125)}, ["ndcg@10", "coverage@10"], CLUSTER, 100, 5
    )
    change = found["more"].versus_control["ndcg@10"]
    assert (change.value, change.low, change.high) == pytest.approx((0.125, 0.125, 0.125))
    assert found["more"].versus_control["coverage@10"] == Interval(0.125)
    assert found["control"].versus_control == {}


def test_a_chain_with_other_triggers_is_compared_all_the_same() -> None:
    chains = {"control": _measured(0.0), "wider": _measured(0.0, ("hot", "slate", "text"))}
    found = summarise(chains, ["ndcg@10"], CLUSTER, 100, 5)
    assert list(found["wider"].triggers) == ["hot", "slate", "text"]
    assert found["wider"].versus_control["ndcg@10"] == Interval(0.0, 0.0, 0.0)
