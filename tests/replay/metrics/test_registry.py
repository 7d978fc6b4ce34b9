from __future__ import annotations

from dataclasses import dataclass
from types import SimpleNamespace

import pytest

from yoorec.errors import ConfigError, PluginError
from yoorec.plugins import Plugin, load_plugins
from yoorec.replay.metrics.ndcg import NDCG
from yoorec.replay.metrics.registry import load_metrics, parse_metric

PLUGINS = load_plugins()


@pytest.mark.parametrize(("text", "expected"), [("ndcg@10", ("ndcg", 10)), ("hit_rate@1", ("hit_rate", 1))])
def test_a_metric_is_a_name_and_a_cutoff(text: str, expected: tuple[str, int]) -> None:
    assert parse_metric(text) == expected


@pytest.mark.parametrize("text", ["ndcg", "ndcg@", "ndcg@0", "ndcg@-1", "@10", "ndcg@10 ", "NDCG@10", "ndcg@1.5", ""])
def test_anything_else_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="is not a metric with its cutoff, such as ndcg@10"):
        parse_metric(text)


def test_metrics_are_loaded_in_order_and_once() -> None:
    found = load_metrics(["ndcg@10", "coverage@5", "ndcg@20", "ndcg@10"], PLUGINS)
    assert [(metric.label, metric.name, metric.k) for metric in found] == [
        ("ndcg@10", "ndcg", 10),
        ("coverage@5", "coverage", 5),
        ("ndcg@20", "ndcg", 20),
    ]
    assert isinstance(found[0].per_request, NDCG)
    assert found[0].over_catalogue is None
    assert found[1].per_request is None
    assert all(metric.higher_is_better for metric in found)


def test_every_unusable_metric_is_named_at_once() -> None:
    with pytest.raises(ConfigError) as caught:
        load_metrics(["ndgc@10", "ndcg", "mrr@10"], PLUGINS, "home.yaml")
    accepted = ", ".join(f"{name}@K" for name in PLUGINS.names("metric"))
    assert str(caught.value) == (
        "home.yaml: replay.metrics: 'ndgc@10' names no known metric\n"
        "  nearest:  ndcg\n"
        f"  accepted: {accepted}\n"
        "home.yaml: replay.metrics: 'ndcg' is not a metric with its cutoff, such as ndcg@10\n"
        f"  accepted: {accepted}"
    )


@dataclass(frozen=True)
class Options:
    """Nothing to set."""


class Formless:
    """A metric that measures in no known way."""

    def __init__(self, config: Options) -> None:
        pass


def test_a_metric_of_neither_form_is_refused_naming_its_plugin() -> None:
    spec = SimpleNamespace(load=lambda: Formless, config=Options)
    strange = Plugin("strange", "yoorec-strange", "1.2", "strange")
    plugins = SimpleNamespace(get=lambda kind, name: SimpleNamespace(spec=spec, plugin=strange))
    with pytest.raises(PluginError) as caught:
        load_metrics(["formless@1"], plugins)  # type: ignore[arg-type]
    assert str(caught.value) == "yoorec-strange 1.2: metric 'formless' has neither per_request nor over_catalogue"
