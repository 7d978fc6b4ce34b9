"""Image holds the contract of triggers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from yoorec_image.config import ImageConfig
from yoorec_image.model import Image

from yoorec.data.log import EventLog
from yoorec.testing import worlds
from yoorec.testing.contracts import TriggerContract


class TestImage(TriggerContract):
    """`optional`, because one of the small worlds has no item, and so none with a cover."""

    component = Image
    configs = (
        ImageConfig(weights="random", layer="mixed0", size=32, batch=8, optional=True),
        ImageConfig(weights="random", layer="mixed1", size=40, pixels="unit", batch=5, optional=True, exact_below=10),
    )

    @pytest.fixture(autouse=True)
    def _covers(self, drawn: Callable[..., bytes], with_covers: Callable[..., EventLog]) -> None:
        self._drawn, self._with_covers = drawn, with_covers

    def _covered(self, log: EventLog) -> EventLog:
        """Covers by title, which twins share; a few are missing, one is broken, some items have the same."""
        covers: list[Any] = []
        for title in log.catalogue.item_columns["title"].to_pylist():
            number = int(title.split()[-1])
            covers.append(None if number % 13 == 12 else b"broken" if number == 7 else self._drawn(number % 50))
        return self._with_covers(log, covers)

    def log(self) -> EventLog:
        return self._covered(worlds.small_log())

    def twin_log(self) -> EventLog:
        return self._covered(worlds.twin_log())

    def small_world(self, world: str) -> EventLog:
        log = super().small_world(world)
        return log if "cover" in log.catalogue.item_columns.column_names else self._covered(log)
