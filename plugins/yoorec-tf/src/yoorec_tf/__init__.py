"""Rankers for yoorec on feature ids, trained by TensorFlow: logistic regression, deep, wide and deep, wide and DCN."""

from __future__ import annotations

from collections.abc import Iterable

from yoorec.components import ComponentSpec
from yoorec.hookspecs import hookimpl
from yoorec_tf.config import DnnConfig, LrConfig, WideDcnConfig, WideDeepConfig

__all__ = ["DnnConfig", "LrConfig", "WideDcnConfig", "WideDeepConfig", "yoorec_components", "yoorec_config_packages"]


@hookimpl
def yoorec_components() -> Iterable[ComponentSpec]:
    """Offer the rankers `lr`, `dnn`, `wide_deep` and `wide_dcn`."""
    return [
        ComponentSpec(
            "ranker", "lr", LrConfig, "yoorec_tf.model:Lr", "logistic regression: one weight a feature id, crosses too"
        ),
        ComponentSpec(
            "ranker", "dnn", DnnConfig, "yoorec_tf.model:Dnn", "a deep network on vectors of the feature ids"
        ),
        ComponentSpec(
            "ranker",
            "wide_deep",
            WideDeepConfig,
            "yoorec_tf.model:WideDeep",
            "wide and deep: the sum of lr and dnn, learned together",
        ),
        ComponentSpec(
            "ranker",
            "wide_dcn",
            WideDcnConfig,
            "yoorec_tf.model:WideDcn",
            "wide and deep with cross layers (DCN-v2) beside the deep ones",
        ),
    ]


@hookimpl
def yoorec_config_packages() -> Iterable[str]:
    """Offer `ranker/lr.yaml`, `ranker/dnn.yaml`, `ranker/wide_deep.yaml` and `ranker/wide_dcn.yaml`."""
    return ["yoorec_tf.conf"]
