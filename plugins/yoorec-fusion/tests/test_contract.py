"""Fusion holds the contract of triggers."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from yoorec_fusion.config import FusionConfig
from yoorec_fusion.model import Fusion

from yoorec.components import FitContext
from yoorec.data.log import EventLog
from yoorec.testing.contracts import TriggerContract
from yoorec.vectors.config import VectorRecallConfig
from yoorec.vectors.recall import VectorRecall


def given(log: EventLog, dim: int, every: int, seed: int) -> VectorRecall:
    """A trigger with seeded vectors of every so many items; twins share theirs."""
    trigger = VectorRecall(VectorRecallConfig(), log.catalogue)
    item = np.arange(0, len(log.catalogue.items), every, dtype=np.int32)
    vectors = np.random.default_rng(seed).standard_normal((len(log.catalogue.items), dim))
    trigger.learn(item, vectors[item // 2 * 2], FitContext())
    return trigger


class TestFusion(TriggerContract):
    component = Fusion
    configs = (
        FusionConfig(of={"behaviour": 1.0, "content": 0.5}),
        FusionConfig(of={"content": 2.0}, recall_from=1),
        FusionConfig(of={"behaviour": 1.0, "content": 1.0}, fill=0),
        FusionConfig(of={"behaviour": 0.1, "content": 1.0}, exact_below=10),
    )

    def context(self, log: EventLog, threads: int = 1) -> FitContext:
        return replace(
            super().context(log, threads),
            upstream={"behaviour": given(log, 8, 3, 1), "content": given(log, 5, 1, 2)},
        )
