"""Checks beyond types: metrics and gates that can be judged, cuts that follow one another."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING

from yoorec.config.framework import LATENCIES
from yoorec.config.scenario import FitSettings, ReplaySettings
from yoorec.config.strict_yaml import KeyPath

if TYPE_CHECKING:
    from yoorec.config.context import Context

__all__ = ["check_cuts", "check_figures", "check_order"]

_METRIC = re.compile(r"([a-z][a-z0-9_]*)@([1-9][0-9]*)")
_GATE = re.compile(r"\s*([a-z][a-z0-9_]*(?:@[0-9]+)?)\s*(>=|<=|>|<)\s*(\S+)\s*")
_GATE_FORM = "METRIC@K or p50_ms, p90_ms, p99_ms; one of >= > <= <; control or a number: ndcg@10 >= control"


def check_figures(replay: ReplaySettings, context: Context) -> None:
    """Every metric is installed and carries its cutoff; every gate can be read and asks for such a figure."""
    for place, metric in enumerate(replay.metrics):
        _check_metric(metric, ("replay", "metrics", str(place)), context)
    for place, gate in enumerate(replay.gates):
        where = ("replay", "gates", str(place))
        match = _GATE.fullmatch(gate)
        if match is None:
            context.report(where, f"'{gate}' is not a gate", _GATE_FORM)
            continue
        figure, _, bound = match.groups()
        if figure not in LATENCIES:
            _check_metric(figure, where, context, beside=LATENCIES)
        if bound != "control" and not _is_number(bound):
            context.report(where, f"'{gate}' compares with '{bound}'", _GATE_FORM)


def check_order(named: Mapping[str, Sequence[str]], context: Context) -> None:
    """No trigger is made of itself, nor through others. named: each trigger's name to those that its config names."""
    done: set[str] = set()

    def follow(name: str, above: tuple[str, ...]) -> None:
        if name in above:
            circle = " -> ".join((*above[above.index(name) :], name))
            context.report(
                ("triggers", name), f"it would be made of itself: {circle}", "triggers that are made before it"
            )
        elif name not in done:
            for other in named.get(name, ()):
                follow(other, (*above, name))
        done.add(name)

    for name in named:
        follow(name, ())


def _is_number(text: str) -> bool:
    try:
        return math.isfinite(float(text))
    except ValueError:
        return False


def _check_metric(text: str, where: KeyPath, context: Context, beside: tuple[str, ...] = ()) -> None:
    names = context.plugins.names("metric")
    accepted = ", ".join((*(f"{name}@K" for name in names), *beside))
    name, at, cutoff = text.partition("@")
    if name not in names:
        close = context.plugins.nearest("metric", name)
        suffix = f"@{cutoff}" if at and cutoff else "@10"
        message = f"no metric '{name}' is installed"
        hint = context.plugins.missing("metric", name)
        context.report(where, message, accepted, f"{close}{suffix}" if close else None, hint)
    elif _METRIC.fullmatch(text) is None:
        found = f"the cutoff '{cutoff}' is no whole number above 0" if at else "carries no cutoff"
        context.report(where, f"'{text}': {found}" if at else f"'{text}' {found}", accepted, f"{name}@10")


def check_cuts(fit: FitSettings, replay: ReplaySettings, context: Context) -> None:
    """Cuts given as text are dates; two shares follow one another (dates are compared when the log is read)."""
    for where, cut in ((("fit", "rank_cut"), fit.rank_cut), (("replay", "cut"), replay.cut)):
        if isinstance(cut, str):
            try:
                datetime.fromisoformat(cut)
            except ValueError:
                context.report(
                    where, f"'{cut}' is no date", "a share of plays such as 0.9, or a date such as 2022-05-01T12:00:00"
                )
    if replay.protocol == "given" or isinstance(fit.rank_cut, str) or isinstance(replay.cut, str):
        return
    if fit.rank_cut >= replay.cut:
        context.report(
            ("fit", "rank_cut"),
            f"{fit.rank_cut} is not before replay.cut, {replay.cut}",
            "a share below replay.cut",
        )
