"""Sknn holds the contract of triggers."""

from __future__ import annotations

from yoorec_sknn.config import SknnConfig
from yoorec_sknn.model import Sknn

from yoorec.testing.contracts import TriggerContract

DAY_MS = 86_400_000


class TestSknn(TriggerContract):
    component = Sknn
    configs = (
        SknnConfig(),
        SknnConfig(neighbors=1, sample=1, recall_from=1),
        SknnConfig(neighbors=5, rarity=0.0, half_life=DAY_MS, forward=1.0, backward=0.0, recency=1.0, max_plays=2),
        SknnConfig(half_life=60_000, repeat=1.0, same=0.5, rarity=4.0),
    )
