"""Graph for yoorec: vectors of items from random walks over what is played after what."""

from __future__ import annotations

from collections.abc import Iterable

from yoorec.components import ComponentSpec
from yoorec.hookspecs import hookimpl
from yoorec_graph.config import GraphConfig

__all__ = ["GraphConfig", "yoorec_components", "yoorec_config_packages"]


@hookimpl
def yoorec_components() -> Iterable[ComponentSpec]:
    """Offer the trigger `graph`."""
    return [
        ComponentSpec(
            "trigger",
            "graph",
            GraphConfig,
            "yoorec_graph.model:Graph",
            "nearest vectors, learned from random walks over a graph of what is played after what",
        )
    ]


@hookimpl
def yoorec_config_packages() -> Iterable[str]:
    """Offer `trigger/graph.yaml`."""
    return ["yoorec_graph.conf"]
