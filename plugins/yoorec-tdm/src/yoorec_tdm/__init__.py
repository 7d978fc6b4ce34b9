"""TDM for yoorec: a tree over the whole library, searched from the top by a deep model of request and node."""

from __future__ import annotations

from collections.abc import Iterable

from yoorec.components import ComponentSpec
from yoorec.hookspecs import hookimpl
from yoorec_tdm.config import TdmConfig

__all__ = ["TdmConfig", "yoorec_components", "yoorec_config_packages"]


@hookimpl
def yoorec_components() -> Iterable[ComponentSpec]:
    """Offer the trigger `tdm`."""
    return [
        ComponentSpec(
            "trigger",
            "tdm",
            TdmConfig,
            "yoorec_tdm.model:Tdm",
            "tree-based deep match: a deep model of request and node searches a tree of all items",
            apart=True,
        )
    ]


@hookimpl
def yoorec_config_packages() -> Iterable[str]:
    """Offer `trigger/tdm.yaml`."""
    return ["yoorec_tdm.conf"]
