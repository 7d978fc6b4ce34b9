"""Hot holds the contract of triggers."""

from __future__ import annotations

from yoorec_hot.config import HotConfig
from yoorec_hot.model import Hot

from yoorec.testing.contracts import TriggerContract


class TestHot(TriggerContract):
    component = Hot
    configs = (
        HotConfig(),
        HotConfig(quality="none", window=None),
        HotConfig(quality="like", half_life=60_000),
        HotConfig(quality="completion", at_least=0.05, min_plays=2),
    )
