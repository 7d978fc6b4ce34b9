"""Attribute for yoorec: what is popular among people like the user, by gender, age, region or any other attribute."""

from __future__ import annotations

from collections.abc import Iterable

from yoorec.components import ComponentSpec
from yoorec.hookspecs import hookimpl
from yoorec_attribute.config import AttributeConfig

__all__ = ["AttributeConfig", "yoorec_components", "yoorec_config_packages"]


@hookimpl
def yoorec_components() -> Iterable[ComponentSpec]:
    """Offer the trigger `attribute`."""
    return [
        ComponentSpec(
            "trigger",
            "attribute",
            AttributeConfig,
            "yoorec_attribute.model:Attribute",
            "decayed popularity in the user's segment, smoothed toward coarser ones",
        )
    ]


@hookimpl
def yoorec_config_packages() -> Iterable[str]:
    """Offer `trigger/attribute.yaml`."""
    return ["yoorec_attribute.conf"]
