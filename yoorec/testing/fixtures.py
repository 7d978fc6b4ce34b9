"""The pytest plugin of the author's kit: `small_log`, `small_requests` and `yoorec_project`.

Every pytest run of an environment with yoorec loads this module, so only the fixtures import what is heavy.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from yoorec.batch import RequestBatch
    from yoorec.data.log import EventLog
    from yoorec.testing.project import Project

__all__ = ["small_log", "small_requests", "yoorec_project"]

pytest.register_assert_rewrite("yoorec.testing.contracts")


@pytest.fixture
def small_log() -> EventLog:
    """A seeded log of 1,500 events: 40 users, 60 items, ten days."""
    from yoorec.testing import worlds

    return worlds.small_log()


@pytest.fixture
def small_requests(small_log: EventLog) -> RequestBatch:
    """Fifty requests after `small_log`: known and unknown users, with and without main item and session."""
    from yoorec.testing import worlds

    return worlds.small_requests(small_log)


@pytest.fixture
def yoorec_project(tmp_path: Path) -> Callable[..., Project]:
    """Write a scenario and its data to a temporary folder: ``yoorec_project(triggers={"hot": {}})``."""
    from yoorec.testing.project import write_project

    def write(**sections: Any) -> Project:
        return write_project(tmp_path, **sections)

    return write
