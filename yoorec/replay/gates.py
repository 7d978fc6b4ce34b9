"""Gates: the conditions for launch that a scenario sets, judged on a replay's figures.

A gate is ``FIGURE OPERATOR BOUND``: a metric with its cutoff or a latency (``p50_ms``, ``p90_ms``, ``p99_ms``); one of
``>= > <= <``; and ``control`` or a number. Each is judged for every variant, or for control itself where there is no
variant and the bound is a number. Against ``control`` the judged figure is the paired difference and the bound is 0.

- ``>=`` and ``<=`` hold where the figure itself meets the bound and its 95 % interval does not lie wholly on the wrong
  side: *not worse, as far as we see*. A variant that changes nothing passes.
- ``>`` and ``<`` hold where the whole 95 % interval lies beyond the bound: *shown to be better*. A variant that
  changes nothing fails, and so does one whose gain can't be told from chance.

A figure without an interval (coverage, latency) is judged by itself alone.
"""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from yoorec.errors import ConfigError, Problem
from yoorec.replay.latency import Latency
from yoorec.replay.metrics.registry import parse_metric
from yoorec.replay.statistics import Interval

__all__ = ["CONTROL", "LATENCIES", "Gate", "GateResult", "Judged", "judge", "parse_gate", "parse_gates"]

CONTROL = "control"
LATENCIES = ("p50_ms", "p90_ms", "p99_ms")
_ACCEPTED = "METRIC@K or p50_ms, p90_ms, p99_ms; one of >= > <= <; control or a number: ndcg@10 >= control"

_GATE = re.compile(r"\s*(?P<figure>[a-z][a-z0-9_]*(?:@\d+)?)\s*(?P<op>>=|<=|>|<)\s*(?P<bound>\S+)\s*")
_COMPARE: Mapping[str, Callable[[float, float], bool]] = {
    ">=": operator.ge,
    "<=": operator.le,
    ">": operator.gt,
    "<": operator.lt,
}
_WORDS = {">=": "at least", "<=": "at most", ">": "above", "<": "below"}


@dataclass(frozen=True, slots=True)
class Gate:
    """One condition. bound: None stands for control."""

    text: str
    figure: str
    op: Literal[">=", "<=", ">", "<"]
    bound: float | None

    @property
    def metric(self) -> str | None:
        """The metric it needs, such as ``ndcg@10``; None for a latency."""
        return None if self.figure in LATENCIES else self.figure


@dataclass(frozen=True, slots=True)
class GateResult:
    """What came of a gate for one variant.

    passed: None where there was nothing to judge. value: the figure judged, a paired difference where the bound is
    control. low, high: its 95 % interval. bound: what it was compared with.
    """

    gate: str
    variant: str
    passed: bool | None
    value: float | None
    low: float | None
    high: float | None
    bound: float
    reason: str


@dataclass(frozen=True, slots=True)
class Judged:
    """The figures of one variant that gates may ask for; versus_control is empty for control itself."""

    metrics: Mapping[str, Interval]
    versus_control: Mapping[str, Interval]
    latency: Latency | None = None


def parse_gate(text: str) -> Gate:
    """Take a gate apart. Raises ValueError saying what is accepted.

    >>> parse_gate("ndcg@10 >= control")
    Gate(text='ndcg@10 >= control', figure='ndcg@10', op='>=', bound=None)
    """
    match = _GATE.fullmatch(text)
    if match is None:
        raise ValueError(f"{text!r} is not a gate")
    figure, op, limit = match["figure"], match["op"], match["bound"]
    if figure not in LATENCIES:
        parse_metric(figure)
    bound = None
    if limit != CONTROL:
        try:
            bound = float(limit)
        except ValueError:
            raise ValueError(f"{text!r} compares with {limit!r}, which is neither control nor a number") from None
        if bound != bound or bound in (float("inf"), float("-inf")):
            raise ValueError(f"{text!r} compares with {limit!r}, which no figure can be judged by")
    return Gate(text, figure, op, bound)  # type: ignore[arg-type]


def parse_gates(texts: Sequence[str], file: str = "") -> tuple[Gate, ...]:
    """Take every gate apart. Raises ConfigError with all that can't be; `file` is the scenario's, for the error."""
    gates: list[Gate] = []
    problems: list[Problem] = []
    for text in texts:
        try:
            gates.append(parse_gate(text))
        except ValueError as error:
            problems.append(Problem(file, "replay.gates", str(error), _ACCEPTED))
    if problems:
        raise ConfigError(tuple(problems))
    return tuple(gates)


def judge(gates: Sequence[Gate], variants: Mapping[str, Judged]) -> tuple[GateResult, ...]:
    """Judge every gate for every variant; control itself is judged against numbers where it stands alone."""
    others = [name for name in variants if name != CONTROL]
    found: list[GateResult] = []
    for gate in gates:
        if not others and gate.bound is None:
            found.append(
                GateResult(
                    gate.text, CONTROL, None, None, None, None, 0.0, "there is no variant to compare with control"
                )
            )
            continue
        found.extend(_judge(gate, name, variants) for name in others or [CONTROL])
    return tuple(found)


def _judge(gate: Gate, name: str, variants: Mapping[str, Judged]) -> GateResult:
    bound = 0.0 if gate.bound is None else gate.bound
    found = _figure(gate, variants[name], variants[CONTROL])
    if found is None:
        return GateResult(gate.text, name, None, None, None, None, bound, "no request was timed")
    against = "control" if gate.bound is None else f"{bound:g}"
    what, sign = ("difference", "+") if gate.bound is None else ("value", "")
    words, compare = _WORDS[gate.op], _COMPARE[gate.op]
    low, high = found.low, found.high
    if low is None or high is None:
        passed = compare(found.value, bound)
        reason = (
            f"{what} {found.value:{sign}.4g} is {'' if passed else 'not '}{words} {bound:g}, judged without an interval"
        )
        return GateResult(gate.text, name, passed, found.value, low, high, bound, reason)
    upward = gate.op in (">=", ">")
    span = f"95 % interval [{low:{sign}.4g}, {high:{sign}.4g}]"
    if gate.op in (">", "<"):
        passed = compare(low if upward else high, bound)
        reason = f"the {span} of the {what} {'lies' if passed else 'does not lie'} wholly {words} {bound:g}"
    else:
        met = compare(found.value, bound)
        contradicted = not compare(high if upward else low, bound)
        passed = met and not contradicted
        reason = f"{what} {found.value:{sign}.4g} is {'' if met else 'not '}{words} {bound:g}, {span}"
        if contradicted:
            reason += f" wholly on the wrong side of {against}"
    return GateResult(gate.text, name, passed, found.value, low, high, bound, reason)


def _figure(gate: Gate, variant: Judged, control: Judged) -> Interval | None:
    if gate.metric is not None:
        return (variant.versus_control if gate.bound is None else variant.metrics)[gate.metric]
    if variant.latency is None:
        return None
    value = float(getattr(variant.latency, gate.figure))
    if gate.bound is not None:
        return Interval(value)
    return None if control.latency is None else Interval(value - float(getattr(control.latency, gate.figure)))
