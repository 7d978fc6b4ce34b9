"""Hot for yoorec: what is played most now, weighted by how well it is received."""

from __future__ import annotations

from collections.abc import Iterable

from yoorec.components import ComponentSpec
from yoorec.hookspecs import hookimpl
from yoorec_hot.config import HotConfig

__all__ = ["HotConfig", "yoorec_components", "yoorec_config_packages"]


@hookimpl
def yoorec_components() -> Iterable[ComponentSpec]:
    """Offer the trigger `hot`."""
    return [
        ComponentSpec(
            "trigger",
            "hot",
            HotConfig,
            "yoorec_hot.model:Hot",
            "decayed plays times a lower bound of completion or like rate; the same list for everyone",
        )
    ]


@hookimpl
def yoorec_config_packages() -> Iterable[str]:
    """Offer `trigger/hot.yaml`."""
    return ["yoorec_hot.conf"]
