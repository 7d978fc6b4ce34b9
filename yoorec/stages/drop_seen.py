"""Exposure rule `drop_seen`: nothing that the user has played."""

from __future__ import annotations

from typing import TYPE_CHECKING

from yoorec.batch import CandidateBatch, RequestBatch
from yoorec.components import ExposureContext
from yoorec.ragged import drop_members
from yoorec.stages.configs import DropSeenConfig

if TYPE_CHECKING:
    from yoorec.data.catalogue import Catalogue

__all__ = ["DropSeen"]


class DropSeen:
    """Removes the main item and all of `RequestBatch.seen`; the rest keeps its order."""

    def __init__(self, config: DropSeenConfig, catalogue: Catalogue) -> None:
        pass

    def apply(self, requests: RequestBatch, ranked: CandidateBatch, context: ExposureContext) -> CandidateBatch:
        """The rows whose items the user has not played."""
        return drop_members(ranked, requests.seen, requests.item)
