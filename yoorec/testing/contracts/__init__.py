"""Contracts: what every component must hold, as pytest classes to inherit.

class TestItemCF(TriggerContract):
    component = ItemCF
    configs = [ItemCFConfig(), ItemCFConfig(neighbors=1)]
"""

from yoorec.testing.contracts.component import ComponentContract
from yoorec.testing.contracts.merge import MergeContract
from yoorec.testing.contracts.profile import ProfileContract
from yoorec.testing.contracts.ranker import RankerContract
from yoorec.testing.contracts.rule import RuleContract
from yoorec.testing.contracts.trigger import TriggerContract

__all__ = [
    "ComponentContract",
    "ExposureContract",
    "MergeContract",
    "ProfileContract",
    "RankerContract",
    "RuleContract",
    "TriggerContract",
]

ExposureContract = RuleContract
"""The rule contract under its kind's name."""
