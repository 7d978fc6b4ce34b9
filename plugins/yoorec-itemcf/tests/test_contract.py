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
        ItemCFConfig(half_life=1, max_plays=3, recall_from=1, recency=1.0),
    )
