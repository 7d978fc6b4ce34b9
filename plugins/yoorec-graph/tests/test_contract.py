"""Graph holds the contract of triggers."""

from __future__ import annotations

from yoorec_graph.config import GraphConfig
from yoorec_graph.model import Graph

from yoorec.testing.contracts import TriggerContract

DAY_MS = 86_400_000


class TestGraph(TriggerContract):
    component = Graph
    configs = (
        GraphConfig(dim=8, walks=2, length=10),
        # In the small world every item is as old as the log.
        GraphConfig(dim=8, walks=2, length=10, tame="category", new_for=30 * DAY_MS, link_weight=0.5, exact_below=10),
        GraphConfig(dim=5, walks=1, length=8, p=0.5, q=2.0, recent_link=None, tame="all", sharpen=1.0, epochs=2),
        GraphConfig(dim=4, walks=1, length=5, tame=None, window=2, negative=2, sample=0.0, recall_from=1),
    )
