"""The config of the built-in metrics: none has an option beyond its cutoff, which stands in its name."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["MetricConfig"]


@dataclass(frozen=True, slots=True)
class MetricConfig:
    """Nothing to set: ``ndcg@10`` says it all."""
