"""Item2vec holds the contract of triggers."""

from __future__ import annotations

from yoorec_item2vec.config import Item2vecConfig
from yoorec_item2vec.model import Item2vec

from yoorec.testing.contracts import TriggerContract


class TestItem2vec(TriggerContract):
    component = Item2vec
    configs = (
        Item2vecConfig(dim=8, epochs=2),
        Item2vecConfig(sequences="user", dim=5, window=2, negative=2, exponent=-0.5, sample=0.0, min_plays=3),
        Item2vecConfig(dim=8, epochs=1, exact_below=10, recall_from=1),
    )
