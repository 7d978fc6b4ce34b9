from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from yoorec.replay.report import SliceFigures, SliceSize
from yoorec.replay.runner import ListFigures, Measured
from yoorec.replay.slices import slice_sizes
from yoorec.replay.statistics import Interval, interval, resampled_means
from yoorec.replay.summary import Sample, summarise

CLUSTER = np.repeat(np.arange(20, dtype=np.int32), 3)
SAMPLE = Sample(CLUSTER, 100, 5)


def _measured(shift: float, triggers: tuple[str, ...] = ("hot", "slate")) -> Measured:
    def figures(seed: int) -> ListFigures:
        values = np.random.default_rng(seed).random(60) + shift
        return ListFigures({"ndcg@10": values}, {"coverage@10": 0.25 + shift})

    return Measured(
        figures(1),
        {name: figures(2 + place) for place, name in enumerate(triggers)},
        {
            **{f"triggers.{name}": np.full(60, 0.5 + 0.25 * place) for place, name in enumerate(triggers)},
            "slate": np.random.default_rng(9).random(60),
        },
        {**{f"triggers.{name}": 50.0 for name in triggers}, "slate": 10.0},
        {name: dict.fromkeys(("unique", "in_slate", "slate_unique"), np.arange(60) / 60) for name in triggers},
    )


def test_figures_are_means_with_intervals_of_the_bootstrap() -> None:
    measured = _measured(0.0)
    (found,) = summarise({"control": measured}, ["coverage@10", "ndcg@10"], SAMPLE).values()
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
    (found,) = summarise({"control": measured}, ["ndcg@10"], SAMPLE).values()
    alone = float(measured.triggers["slate"].per_request["ndcg@10"].mean())
    assert found.triggers["slate"]["ndcg@10"].value == alone != found.metrics["ndcg@10"].value


def test_stages_keep_their_order_recall_and_length() -> None:
    (found,) = summarise({"control": _measured(0.0)}, ["ndcg@10"], SAMPLE).values()
    assert list(found.stages) == ["triggers.hot", "triggers.slate", "slate"]
    assert found.stages["triggers.hot"].recall == Interval(0.5, 0.5, 0.5)
    assert found.stages["slate"].candidates == 10.0


def test_a_difference_is_paired() -> None:
    """What shifts every request by the same differs from control by just that, whoever is drawn."""
    found = summarise({"control": _measured(0.0), "more": _measured(0.125)}, ["ndcg@10", "coverage@10"], SAMPLE)
    change = found["more"].versus_control["ndcg@10"]
    assert (change.value, change.low, change.high) == pytest.approx((0.125, 0.125, 0.125))
    assert found["more"].versus_control["coverage@10"] == Interval(0.125)
    assert found["control"].versus_control == {}


def test_a_chain_with_other_triggers_is_compared_all_the_same() -> None:
    chains = {"control": _measured(0.0), "wider": _measured(0.0, ("hot", "slate", "text"))}
    found = summarise(chains, ["ndcg@10"], SAMPLE)
    assert list(found["wider"].triggers) == ["hot", "slate", "text"]
    assert found["wider"].versus_control["ndcg@10"] == Interval(0.0, 0.0, 0.0)


def test_sources_are_means_with_intervals_and_recall_is_the_funnels() -> None:
    (found,) = summarise({"control": _measured(0.0)}, ["ndcg@10"], SAMPLE).values()
    assert list(found.sources) == ["hot", "slate"]
    assert found.sources["hot"].recall == found.stages["triggers.hot"].recall
    column = np.arange(60) / 60
    expected = interval(float(column.mean()), resampled_means([column], CLUSTER, 100, 5)[:, 0], 20)
    for figure in ("unique", "in_slate", "slate_unique"):
        found_figure = getattr(found.sources["slate"], figure)
        assert found_figure.value == expected.value
        assert (found_figure.low, found_figure.high) == pytest.approx((expected.low, expected.high))


def test_a_difference_from_the_baseline_is_paired() -> None:
    measured = _measured(0.0, ("hot", "more", "other"))
    base = measured.triggers["hot"]
    shifted = {label: column + 0.125 for label, column in base.per_request.items()}
    triggers = {**measured.triggers, "more": ListFigures(shifted, {"coverage@10": 0.5})}
    measured = replace(measured, triggers=triggers)
    (found,) = summarise({"control": measured}, ["ndcg@10", "coverage@10"], SAMPLE, {"control": "hot"}).values()
    assert list(found.versus_baseline) == ["more", "other"]
    change = found.versus_baseline["more"]["ndcg@10"]
    assert (change.value, change.low, change.high) == pytest.approx((0.125, 0.125, 0.125))
    assert found.versus_baseline["more"]["coverage@10"] == Interval(0.25)
    difference = measured.triggers["other"].per_request["ndcg@10"] - base.per_request["ndcg@10"]
    expected = interval(float(difference.mean()), resampled_means([difference], CLUSTER, 100, 5)[:, 0], 20)
    other = found.versus_baseline["other"]["ndcg@10"]
    assert (other.value, other.low, other.high) == pytest.approx((expected.value, expected.low, expected.high))
    for baseline in (None, "none of these"):
        (found,) = summarise({"control": measured}, ["ndcg@10"], SAMPLE, {"control": baseline}).values()
        assert found.versus_baseline == {}


def _sliced(enough: bool = True) -> Sample:
    """Two slices that share users and make up all requests, and one of a single user."""
    first = np.arange(60) % 3 == 0
    slices = {"age": {"new": first, "old": ~first}, "who": {"one": CLUSTER == 7}}
    sizes = {
        dimension: {name: replace(size, enough=enough) for name, size in each.items()}
        for dimension, each in slice_sizes(slices, CLUSTER).items()
    }
    return replace(SAMPLE, slices=slices, sizes=sizes)


def test_figures_of_a_slice_are_those_of_a_replay_of_its_requests_alone() -> None:
    sample = _sliced()
    chains = {"control": _measured(0.0), "more": _measured(0.125)}
    baselines = {"control": "hot", "more": "slate"}
    found = summarise(chains, ["ndcg@10", "coverage@10"], sample, baselines)
    for dimension, members in sample.slices.items():
        for name, member in members.items():
            rows = np.flatnonzero(member)

            def only(measured: Measured, rows: np.ndarray = rows) -> Measured:
                def part(listed: ListFigures) -> ListFigures:
                    return ListFigures({label: each[rows] for label, each in listed.per_request.items()}, {})

                return replace(
                    measured,
                    slate=part(measured.slate),
                    triggers={trigger: part(each) for trigger, each in measured.triggers.items()},
                    stages={stage: each[rows] for stage, each in measured.stages.items()},
                    sources={
                        trigger: {figure: column[rows] for figure, column in each.items()}
                        for trigger, each in measured.sources.items()
                    },
                )

            alone = summarise(
                {chain: only(measured) for chain, measured in chains.items()},
                ["ndcg@10"],
                Sample(CLUSTER[rows], 100, 5),
                baselines,
            )
            for chain, expected in alone.items():
                figures = found[chain].slices[dimension][name]
                assert list(figures.metrics) == ["ndcg@10"]  # coverage of a part of the lists can't be had
                assert figures.metrics == expected.metrics
                assert figures.triggers == expected.triggers
                assert figures.sources == expected.sources
                assert figures.versus_control == expected.versus_control
                assert figures.versus_baseline == expected.versus_baseline
    assert list(found["more"].slices["age"]["new"].versus_baseline) == ["hot"]
    assert found["control"].slices["who"]["one"].metrics["ndcg@10"].low is None  # one user has no interval


def test_all_requests_are_the_weighted_mean_of_slices_that_make_them_up() -> None:
    sample = _sliced()
    (found,) = summarise({"control": _measured(0.0)}, ["ndcg@10"], sample, {"control": "hot"}).values()
    weights = {name: size.requests / 60 for name, size in sample.sizes["age"].items()}
    assert sum(weights.values()) == 1

    def mean(of: Callable[[SliceFigures], Interval]) -> float:
        return sum(weight * of(found.slices["age"][name]).value for name, weight in weights.items())

    assert mean(lambda part: part.metrics["ndcg@10"]) == pytest.approx(found.metrics["ndcg@10"].value)
    assert mean(lambda part: part.triggers["hot"]["ndcg@10"]) == pytest.approx(found.triggers["hot"]["ndcg@10"].value)
    assert mean(lambda part: part.sources["hot"].unique) == pytest.approx(found.sources["hot"].unique.value)
    assert mean(lambda part: part.versus_baseline["slate"]["ndcg@10"]) == pytest.approx(
        found.versus_baseline["slate"]["ndcg@10"].value
    )


def test_slices_that_are_too_small_get_no_figures() -> None:
    (found,) = summarise({"control": _measured(0.0)}, ["ndcg@10"], _sliced(enough=False)).values()
    assert found.slices == {"age": {}, "who": {}}
    assert _sliced(enough=False).sizes["who"]["one"] == SliceSize(3, 1, False)
