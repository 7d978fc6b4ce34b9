"""Attribute holds the contract of triggers."""

from __future__ import annotations

from yoorec_attribute.config import AttributeConfig
from yoorec_attribute.model import Attribute

from yoorec.testing.contracts import TriggerContract

_AGES = {"age": (18.0, 25.0, 35.0, 50.0)}


class TestAttribute(TriggerContract):
    component = Attribute
    configs = (
        AttributeConfig(by=("gender",)),
        AttributeConfig(by=("gender", "age"), min_users=1, window=None),
        AttributeConfig(by=("age", "gender"), bins=_AGES, prior=1.0, half_life=60_000, min_users=1),
        AttributeConfig(by=("gender", "age"), bins=_AGES, lift=0.5, min_plays=3, keep=7),
        AttributeConfig(by=("gender",), lift=1.0),
        AttributeConfig(by=("region", "gender"), optional=True),
    )
