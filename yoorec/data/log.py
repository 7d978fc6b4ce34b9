"""The event log: every logged event as numpy columns, in time order."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from yoorec.batch import Ragged
from yoorec.data.catalogue import Catalogue

__all__ = ["EventLog", "Given"]


@dataclass(frozen=True, slots=True)
class EventLog:
    """N events in the log's order: by time, rows of one time in the order of the source.

    user, item: int32 [N]. time: int64 [N], ms. event: int8 [N], index into `events`.
    weight:  float32 [N], the event type's weight; an event with a weight above 0 is a play.
    session: int32 [N]; numbers rise with the session's first event.
    watch_s: float32 [N], NaN where unknown. position: int32 [N], -1. request: int32 [N], -1.
    propensity: float32 [N], NaN. main_item: int32 [N], -1.
    cut:     every event is strictly earlier than this (ms); None for the whole log.
    past:    what each user played before the log began, by user index, oldest first, without times; None where the
             log tells nothing of it. Profiles hold it; it is no part of the events.
    """

    user: npt.NDArray[np.int32]
    item: npt.NDArray[np.int32]
    time: npt.NDArray[np.int64]
    event: npt.NDArray[np.int8]
    weight: npt.NDArray[np.float32]
    session: npt.NDArray[np.int32]
    watch_s: npt.NDArray[np.float32]
    position: npt.NDArray[np.int32]
    request: npt.NDArray[np.int32]
    propensity: npt.NDArray[np.float32]
    main_item: npt.NDArray[np.int32]
    events: tuple[str, ...]
    catalogue: Catalogue
    cut: int | None = None
    past: Ragged | None = None

    def __len__(self) -> int:
        return len(self.user)

    def before(self, cut: int) -> EventLog:
        """Events strictly earlier than `cut` (ms): a view, nothing is copied."""
        stop = int(np.searchsorted(self.time, cut, side="left"))
        return self._slice(slice(0, stop), cut if self.cut is None else min(cut, self.cut))

    def rows(self, rows: slice | npt.NDArray[np.int64]) -> EventLog:
        """The named rows, which must keep the log's order."""
        return self._slice(rows, self.cut)

    def plays(self) -> EventLog:
        """Only events whose weight is above 0, in the log's order."""
        rows = np.flatnonzero(self.weight > 0)
        return self if len(rows) == len(self) else self.rows(rows)

    def of(self, event: str) -> EventLog:
        """Only events of one type; empty where the log has none."""
        code = self.events.index(event) if event in self.events else -1
        return self.rows(np.flatnonzero(self.event == code))

    def _slice(self, rows: slice | npt.NDArray[np.int64], cut: int | None) -> EventLog:
        return EventLog(
            self.user[rows],
            self.item[rows],
            self.time[rows],
            self.event[rows],
            self.weight[rows],
            self.session[rows],
            self.watch_s[rows],
            self.position[rows],
            self.request[rows],
            self.propensity[rows],
            self.main_item[rows],
            self.events,
            self.catalogue,
            cut,
            self.past,
        )


@dataclass(frozen=True, slots=True)
class Given:
    """Pre-split requests of session data: row r's prefix is ``item[offsets[r]:offsets[r + 1]]``, oldest first.

    offsets: int64 [R + 1]. item: int32 [N], -1 for an id the vocabulary lacks. target: int32 [R], likewise.
    The vocabulary holds the ids of the test rows too, so an item no train session has is an index no one learned.
    """

    offsets: npt.NDArray[np.int64]
    item: npt.NDArray[np.int32]
    target: npt.NDArray[np.int32]
