"""The metrics a scenario asks for: ``ndcg@10`` taken apart, found among the plugins and loaded."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from yoorec.components import CatalogueMetric, Metric
from yoorec.errors import ConfigError, PluginError, Problem
from yoorec.plugins import Plugins

__all__ = ["MetricAt", "load_metrics", "parse_metric"]

_METRIC = re.compile(r"([a-z][a-z0-9_]*)@([1-9][0-9]*)")


@dataclass(frozen=True, slots=True)
class MetricAt:
    """A metric at its cutoff.

    label: as the scenario writes it, ``ndcg@10``. per_request, over_catalogue: exactly one of them is set.
    """

    label: str
    name: str
    k: int
    per_request: Metric | None = None
    over_catalogue: CatalogueMetric | None = None

    @property
    def higher_is_better(self) -> bool:
        """Whether a larger figure is a better one."""
        metric = self.per_request or self.over_catalogue
        return metric is None or metric.higher_is_better


def parse_metric(text: str) -> tuple[str, int]:
    """Name and cutoff of a metric.

    >>> parse_metric("ndcg@10")
    ('ndcg', 10)

    Raises ValueError where the text is something else.
    """
    match = _METRIC.fullmatch(text)
    if match is None:
        raise ValueError(f"{text!r} is not a metric with its cutoff, such as ndcg@10")
    return match[1], int(match[2])


def load_metrics(labels: Sequence[str], plugins: Plugins, file: str = "") -> tuple[MetricAt, ...]:
    """Load the metrics named, in order, each once. Raises ConfigError with every label that can't be used.

    file: the scenario's, for the error.
    """
    found: dict[str, MetricAt] = {}
    problems: list[Problem] = []
    for label in labels:
        try:
            name, k = parse_metric(label)
        except ValueError as error:
            problems.append(Problem(file, "replay.metrics", str(error), ", ".join(_accepted(plugins))))
            continue
        offer = plugins.get("metric", name)
        if offer is None:
            problems.append(
                Problem(
                    file,
                    "replay.metrics",
                    f"{label!r} names no known metric",
                    ", ".join(_accepted(plugins)),
                    plugins.nearest("metric", name),
                    plugins.missing("metric", name),
                )
            )
            continue
        metric = offer.spec.load()(offer.spec.config())
        if hasattr(metric, "over_catalogue"):
            found[label] = MetricAt(label, name, k, over_catalogue=metric)
        elif hasattr(metric, "per_request"):
            found[label] = MetricAt(label, name, k, per_request=metric)
        else:
            raise PluginError(f"{offer.plugin}: metric '{name}' has neither per_request nor over_catalogue")
    if problems:
        raise ConfigError(tuple(problems))
    return tuple(found.values())


def _accepted(plugins: Plugins) -> list[str]:
    return [f"{name}@K" for name in plugins.names("metric")]
