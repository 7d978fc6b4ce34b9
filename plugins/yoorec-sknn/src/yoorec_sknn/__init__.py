"""Session nearest neighbours for yoorec: what came next in the sessions most like this one."""

from __future__ import annotations

from collections.abc import Iterable

from yoorec.components import ComponentSpec
from yoorec.hookspecs import hookimpl
from yoorec_sknn.config import SknnConfig

__all__ = ["SknnConfig", "yoorec_components", "yoorec_config_packages"]


@hookimpl
def yoorec_components() -> Iterable[ComponentSpec]:
    """Offer the trigger `sknn`."""
    return [
        ComponentSpec(
            "trigger",
            "sknn",
            SknnConfig,
            "yoorec_sknn.model:Sknn",
            "what came next in the recent sessions most like this one; aware of order and recency",
        )
    ]


@hookimpl
def yoorec_config_packages() -> Iterable[str]:
    """Offer `trigger/sknn.yaml`."""
    return ["yoorec_sknn.conf"]
