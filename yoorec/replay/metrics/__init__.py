"""The metrics that ship with the core, one a file; offered like any plugin's, imported when a scenario asks."""

from __future__ import annotations

from yoorec.components import ComponentSpec
from yoorec.hookspecs import hookimpl
from yoorec.replay.metrics.config import MetricConfig

__all__ = ["yoorec_components"]

_METRICS = {
    "hit_rate": ("HitRate", "share of requests with at least one truth among the first k"),
    "ndcg": ("NDCG", "discounted gain of the truths among the first k over the best possible one"),
    "mrr": ("MRR", "1 / place of the first truth among the first k, else 0"),
    "recall": ("Recall", "share of a request's truths among its first k"),
    "precision": ("Precision", "share of the k places that hold a truth"),
    "coverage": ("Coverage", "share of the recommendable items that some request's first k holds; no interval"),
}


@hookimpl
def yoorec_components() -> list[ComponentSpec]:
    """Offer the built-in metrics."""
    return [
        ComponentSpec("metric", name, MetricConfig, f"yoorec.replay.metrics.{name}:{target}", summary, learns="nothing")
        for name, (target, summary) in _METRICS.items()
    ]
