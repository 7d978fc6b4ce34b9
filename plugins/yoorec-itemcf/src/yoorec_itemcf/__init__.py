"""ItemCF for yoorec: what the people who played this also played, soon before or after."""

from __future__ import annotations

from collections.abc import Iterable

from yoorec.components import ComponentSpec
from yoorec.hookspecs import hookimpl
from yoorec_itemcf.config import ItemCFConfig

__all__ = ["ItemCFConfig", "yoorec_components", "yoorec_config_packages"]


@hookimpl
def yoorec_components() -> Iterable[ComponentSpec]:
    """Offer the trigger `itemcf`."""
    return [
        ComponentSpec(
            "trigger",
            "itemcf",
            ItemCFConfig,
            "yoorec_itemcf.model:ItemCF",
            "co-play similarity with time-gap decay, active-user damping and row normalisation",
        )
    ]


@hookimpl
def yoorec_config_packages() -> Iterable[str]:
    """Offer `trigger/itemcf.yaml`."""
    return ["yoorec_itemcf.conf"]
