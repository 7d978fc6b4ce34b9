"""Item2vec for yoorec: vectors of items from the sequences in which they are played."""

from __future__ import annotations

from collections.abc import Iterable

from yoorec.components import ComponentSpec
from yoorec.hookspecs import hookimpl
from yoorec_item2vec.config import Item2vecConfig

__all__ = ["Item2vecConfig", "yoorec_components", "yoorec_config_packages"]


@hookimpl
def yoorec_components() -> Iterable[ComponentSpec]:
    """Offer the trigger `item2vec`."""
    return [
        ComponentSpec(
            "trigger",
            "item2vec",
            Item2vecConfig,
            "yoorec_item2vec.model:Item2vec",
            "nearest vectors, learned by skip-gram over play sequences",
        )
    ]


@hookimpl
def yoorec_config_packages() -> Iterable[str]:
    """Offer `trigger/item2vec.yaml`."""
    return ["yoorec_item2vec.conf"]
