"""Tdm holds the contract of triggers."""

from __future__ import annotations

from yoorec_tdm.config import TdmConfig
from yoorec_tdm.model import Tdm

from yoorec.testing.contracts import TriggerContract


class TestTdm(TriggerContract):
    component = Tdm
    configs = (
        TdmConfig(dim=6, hidden=(8, 4), epochs=1, batch=64, beam=8),
        TdmConfig(
            arity=3,
            category=None,
            rounds=1,
            dim=5,
            hidden=(7,),
            windows=(2, 3),
            attention="average",
            epochs=2,
            tail=0.0,
            siblings=0.5,
            ahead=3,
            per_user=5,
        ),
    )
