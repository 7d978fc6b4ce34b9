"""Text holds the contract of triggers."""

from __future__ import annotations

from yoorec_text.config import TextConfig
from yoorec_text.model import Text

from yoorec.testing.contracts import TriggerContract


class TestText(TriggerContract):
    component = Text
    configs = (
        TextConfig(dim=8, epochs=2),
        TextConfig(field={"title": 1.0, "category": 0.5}, dim=5, min_count=1, weight="sif", common=0, tokens="spaces"),
        TextConfig(field={"title": 1.0, "tags": 2.0}, dim=8, epochs=1, weight="none", exact_below=10, optional=True),
    )
