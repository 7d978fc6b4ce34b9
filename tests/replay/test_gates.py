from __future__ import annotations

import pytest

from yoorec.errors import ConfigError
from yoorec.replay.gates import Gate, GateResult, Judged, judge, parse_gate, parse_gates
from yoorec.replay.latency import Latency
from yoorec.replay.statistics import Interval


def _judge(text: str, difference: Interval, value: Interval | None = None) -> GateResult:
    """One gate on ndcg@10 for the variant `new`."""
    control = Judged({"ndcg@10": Interval(0.1, 0.09, 0.11)}, {})
    new = Judged({"ndcg@10": value or Interval(0.1, 0.09, 0.11)}, {"ndcg@10": difference})
    (found,) = judge([parse_gate(text)], {"control": control, "new": new})
    assert found.variant == "new"
    assert found.gate == text
    return found


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("ndcg@10 >= control", Gate("ndcg@10 >= control", "ndcg@10", ">=", None)),
        (" hit_rate@5>0.05 ", Gate(" hit_rate@5>0.05 ", "hit_rate@5", ">", 0.05)),
        ("p99_ms <= 50", Gate("p99_ms <= 50", "p99_ms", "<=", 50.0)),
        ("mrr@10 < -1e-3", Gate("mrr@10 < -1e-3", "mrr@10", "<", -0.001)),
    ],
)
def test_a_gate_is_a_figure_an_operator_and_a_bound(text: str, expected: Gate) -> None:
    assert parse_gate(text) == expected


def test_a_latency_needs_no_metric() -> None:
    assert parse_gate("p99_ms <= 50").metric is None
    assert parse_gate("mrr@20 > control").metric == "mrr@20"


def test_every_gate_that_is_none_is_named_at_once() -> None:
    accepted = "METRIC@K or p50_ms, p90_ms, p99_ms; one of >= > <= <; control or a number: ndcg@10 >= control"
    texts = ["ndcg@10 >= control", "ndcg@10 == 1", "ndcg > 0.1", "mrr@10 >= contrl", "mrr@10 < nan"]
    with pytest.raises(ConfigError) as caught:
        parse_gates(texts, "home.yaml")
    messages = [
        "'ndcg@10 == 1' is not a gate",
        "'ndcg' is not a metric with its cutoff, such as ndcg@10",
        "'mrr@10 >= contrl' compares with 'contrl', which is neither control nor a number",
        "'mrr@10 < nan' compares with 'nan', which no figure can be judged by",
    ]
    assert str(caught.value) == "\n".join(
        f"home.yaml: replay.gates: {message}\n  accepted: {accepted}" for message in messages
    )


@pytest.mark.parametrize(
    ("op", "difference", "passed"),
    [
        (">=", Interval(0.01, 0.002, 0.02), True),
        (">=", Interval(0.01, -0.002, 0.02), True),
        (">=", Interval(0.0, 0.0, 0.0), True),
        (">=", Interval(-0.001, -0.01, 0.01), False),
        (">=", Interval(-0.02, -0.03, -0.01), False),
        (">=", Interval(0.001, -0.03, -0.01), False),
        (">", Interval(0.01, 0.002, 0.02), True),
        (">", Interval(0.01, 0.0, 0.02), False),
        (">", Interval(0.01, -0.002, 0.02), False),
        (">", Interval(0.0, 0.0, 0.0), False),
        ("<=", Interval(-0.01, -0.02, 0.01), True),
        ("<=", Interval(0.01, -0.02, 0.02), False),
        ("<", Interval(-0.01, -0.02, -0.001), True),
        ("<", Interval(-0.01, -0.02, 0.01), False),
        (">=", Interval(0.0), True),
        (">", Interval(0.0), False),
        (">", Interval(0.1), True),
    ],
)
def test_the_rule_against_control(op: str, difference: Interval, passed: bool) -> None:
    found = _judge(f"ndcg@10 {op} control", difference)
    assert found.passed is passed
    assert (found.value, found.low, found.high, found.bound) == (difference.value, difference.low, difference.high, 0.0)


@pytest.mark.parametrize(
    ("op", "value", "passed"),
    [
        (">=", Interval(0.05, 0.04, 0.06), True),
        (">=", Interval(0.049, 0.04, 0.06), False),
        (">", Interval(0.06, 0.051, 0.07), True),
        (">", Interval(0.06, 0.049, 0.07), False),
        ("<=", Interval(0.05, 0.04, 0.06), True),
        ("<", Interval(0.04, 0.03, 0.05), False),
    ],
)
def test_the_rule_against_a_number(op: str, value: Interval, passed: bool) -> None:
    found = _judge(f"ndcg@10 {op} 0.05", Interval(0.0), value)
    assert found.passed is passed
    assert found.bound == 0.05


@pytest.mark.parametrize(
    ("text", "difference", "reason"),
    [
        (
            "ndcg@10 >= control",
            Interval(0.01, -0.002, 0.02),
            "difference +0.01 is at least 0, 95 % interval [-0.002, +0.02]",
        ),
        (
            "ndcg@10 >= control",
            Interval(-0.02, -0.03, -0.01),
            "difference -0.02 is not at least 0, 95 % interval [-0.03, -0.01] wholly on the wrong side of control",
        ),
        (
            "ndcg@10 > control",
            Interval(0.01, -0.002, 0.02),
            "the 95 % interval [-0.002, +0.02] of the difference does not lie wholly above 0",
        ),
        ("ndcg@10 <= control", Interval(0.25), "difference +0.25 is not at most 0, judged without an interval"),
    ],
)
def test_the_reason_says_what_was_compared(text: str, difference: Interval, reason: str) -> None:
    assert _judge(text, difference).reason == reason


def test_a_number_judges_control_where_it_stands_alone() -> None:
    control = Judged({"ndcg@10": Interval(0.1, 0.09, 0.11)}, {})
    number, relative = judge([parse_gate("ndcg@10 >= 0.05"), parse_gate("ndcg@10 > control")], {"control": control})
    assert (number.variant, number.passed) == ("control", True)
    assert (relative.variant, relative.passed, relative.value) == ("control", None, None)
    assert relative.reason == "there is no variant to compare with control"


def test_each_variant_is_judged() -> None:
    variants = {
        "control": Judged({"mrr@5": Interval(0.2)}, {}),
        "a": Judged({"mrr@5": Interval(0.3)}, {"mrr@5": Interval(0.1)}),
        "b": Judged({"mrr@5": Interval(0.1)}, {"mrr@5": Interval(-0.1)}),
    }
    found = judge([parse_gate("mrr@5 > control")], variants)
    assert [(each.variant, each.passed) for each in found] == [("a", True), ("b", False)]


def test_latency_is_judged_without_an_interval() -> None:
    variants = {
        "control": Judged({}, {}, Latency(500, 1.0, 2.0, 10.0)),
        "slow": Judged({}, {}, Latency(500, 2.0, 4.0, 60.0)),
        "untimed": Judged({}, {}, None),
    }
    absolute = judge([parse_gate("p99_ms <= 50")], variants)
    assert [(each.variant, each.passed, each.value) for each in absolute] == [
        ("slow", False, 60.0),
        ("untimed", None, None),
    ]
    relative = judge([parse_gate("p50_ms <= control")], variants)
    assert [(each.variant, each.passed, each.value) for each in relative] == [
        ("slow", False, 1.0),
        ("untimed", None, None),
    ]
