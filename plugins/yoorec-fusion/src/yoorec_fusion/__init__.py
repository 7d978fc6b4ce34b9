"""Fusion for yoorec: the vectors of several triggers as one, searched once."""

from __future__ import annotations

from collections.abc import Iterable

from yoorec.components import ComponentSpec
from yoorec.hookspecs import hookimpl
from yoorec_fusion.config import FusionConfig

__all__ = ["FusionConfig", "yoorec_components", "yoorec_config_packages"]


@hookimpl
def yoorec_components() -> Iterable[ComponentSpec]:
    """Offer the trigger `fusion`."""
    return [
        ComponentSpec(
            "trigger",
            "fusion",
            FusionConfig,
            "yoorec_fusion.model:Fusion",
            "nearest vectors, put together from those of several triggers",
            learns="items",
        )
    ]


@hookimpl
def yoorec_config_packages() -> Iterable[str]:
    """Offer `trigger/fusion.yaml`."""
    return ["yoorec_fusion.conf"]
