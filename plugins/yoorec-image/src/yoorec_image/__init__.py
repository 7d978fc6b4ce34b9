"""The trigger `image` for yoorec: items whose covers look alike."""

from __future__ import annotations

from collections.abc import Iterable

from yoorec.components import ComponentSpec
from yoorec.hookspecs import hookimpl
from yoorec_image.config import ImageConfig

__all__ = ["ImageConfig", "yoorec_components", "yoorec_config_packages"]


@hookimpl
def yoorec_components() -> Iterable[ComponentSpec]:
    """Offer the trigger `image`."""
    return [
        ComponentSpec(
            "trigger",
            "image",
            ImageConfig,
            "yoorec_image.model:Image",
            "nearest covers, by the layer of Inception-v3 before the softmax",
            learns="items",
        )
    ]


@hookimpl
def yoorec_config_packages() -> Iterable[str]:
    """Offer `trigger/image.yaml`."""
    return ["yoorec_image.conf"]
