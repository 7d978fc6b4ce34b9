"""Text vectors for yoorec: items whose titles, tags or descriptions mean much the same."""

from __future__ import annotations

from collections.abc import Iterable

from yoorec.components import ComponentSpec
from yoorec.hookspecs import hookimpl
from yoorec_text.config import TextConfig

__all__ = ["TextConfig", "yoorec_components", "yoorec_config_packages"]


@hookimpl
def yoorec_components() -> Iterable[ComponentSpec]:
    """Offer the trigger `text`."""
    return [
        ComponentSpec(
            "trigger",
            "text",
            TextConfig,
            "yoorec_text.model:Text",
            "nearest by title, tags or other texts, with word vectors of its own or public ones",
            learns="items",
        )
    ]


@hookimpl
def yoorec_config_packages() -> Iterable[str]:
    """Offer `trigger/text.yaml`."""
    return ["yoorec_text.conf"]
