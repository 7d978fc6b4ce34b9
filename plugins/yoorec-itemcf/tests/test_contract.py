"""ItemCF holds the contract of triggers."""

from __future__ import annotations

from yoorec_itemcf.config import ItemCFConfig
from yoorec_itemcf.model import ItemCF

from yoorec.testing.contracts import TriggerContract


class TestItemCF(TriggerContract):
    component = ItemCF
    configs = (
        ItemCFConfig(),
        ItemCFConfig(neighbors=1),
        ItemCFConfig(half_life=None, damp_users=False, normalize=False, max_plays=None),
        ItemCFConfig(half_life=None, window=3 * 86_400_000, backward=0.5, min_support=2),
        ItemCFConfig(half_life=1, max_plays=3, recall_from=2, recency=1.0, recall_main=True),
    )
