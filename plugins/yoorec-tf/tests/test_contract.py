"""The rankers' contract, by the kernels and by TensorFlow."""

from __future__ import annotations

from typing import Any, ClassVar

from yoorec_tf.config import WideDcnConfig, WideDeepConfig
from yoorec_tf.model import WideDcn, WideDeep

from yoorec.components import FitContext, RankSamples
from yoorec.data.log import EventLog
from yoorec.testing.contracts.ranker import RankerContract

SMALL: dict[str, Any] = {"dim": 4, "hidden": (8,), "epochs": 1, "batch": 32, "negatives": 8, "tail": 0.2}


class _Trained(RankerContract):
    """A training starts a process: what is fitted on the contract's own samples is fitted once."""

    _fitted_once: ClassVar[dict[Any, Any]] = {}

    def fitted(
        self, config: Any, log: EventLog, samples: RankSamples | None = None, context: FitContext | None = None
    ) -> Any:
        if samples is not None or context is not None:
            return super().fitted(config, log, samples, context)
        key = (type(config), config.serve)
        if key not in self._fitted_once:
            self._fitted_once[key] = super().fitted(config, log)
        return self._fitted_once[key]


class TestWideDcn(_Trained):
    component = WideDcn
    configs: ClassVar[list[Any]] = [WideDcnConfig(**SMALL, ids="open", table=4096)]


class TestWideDeepInTensorFlow(_Trained):
    component = WideDeep
    configs: ClassVar[list[Any]] = [WideDeepConfig(**SMALL, serve="tensorflow")]
    test_poor_samples = None  # what they make is exported like any other, and the kernels' class has it
