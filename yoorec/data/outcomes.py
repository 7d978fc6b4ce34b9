"""Outcomes: what was shown around logged requests, and what came of it."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from numba import njit

from yoorec.data.log import EventLog

__all__ = ["IMPRESSION", "Outcomes", "outcomes_of"]

F32 = npt.NDArray[np.float32]
I32 = npt.NDArray[np.int32]
I64 = npt.NDArray[np.int64]

IMPRESSION = "impression"
"""The event type that says an item was shown."""


class Outcomes(NamedTuple):
    """Of R requests, each answered by a play: the impressions before it, and the events around it.

    shown_offsets: int64 [R + 1]; shown_item, shown_position: int32 [S], -1 for a position the log lacks. Impressions
                   that the session holds between the play before and the answer, the main item's left out; an item at
                   most once a request, where it was shown last.
    acted_offsets: int64 [R + 1]; acted_item: int32 [A], acted_event: int8 [A], index into `events`. All other events
                   between the play before and the play after; those on the main item only where it is the answer too.
    watch_s:       float32 [R], seconds watched of the answer, NaN where unknown.
    """

    shown_offsets: I64
    shown_item: I32
    shown_position: I32
    acted_offsets: I64
    acted_item: I32
    acted_event: npt.NDArray[np.int8]
    watch_s: F32
    events: tuple[str, ...]


def outcomes_of(log: EventLog, answer: I64) -> Outcomes:
    """The outcomes of requests that were answered by these plays, rows of the log int64 [R]."""
    order = np.argsort(log.session, kind="stable")
    place = np.empty(len(order), np.int64)
    place[order] = np.arange(len(order))
    code = log.events.index(IMPRESSION) if IMPRESSION in log.events else -1
    found = _around(
        place[answer], log.session[order], log.item[order], log.event[order], log.position[order],
        log.weight[order] > 0, code,
    )  # fmt: skip
    return Outcomes(*found, log.watch_s[answer], log.events)


@njit(cache=True, nogil=True)
def _span(p: int, session: I32, played: npt.NDArray[np.bool_]) -> tuple[int, int]:
    """Rows first:last of a play's session between the play before and the play after it."""
    first = p
    while first > 0 and session[first - 1] == session[p] and not played[first - 1]:
        first -= 1
    last = p + 1
    while last < len(session) and session[last] == session[p] and not played[last]:
        last += 1
    return first, last


@njit(cache=True, nogil=True)
def _around(
    answer: I64,
    session: I32,
    item: I32,
    event: npt.NDArray[np.int8],
    position: I32,
    played: npt.NDArray[np.bool_],
    impression: int,
) -> tuple[I64, I32, I32, I64, I32, npt.NDArray[np.int8]]:
    size = len(answer)
    room_shown, room_acted = 0, 0
    for r in range(size):
        first, last = _span(answer[r], session, played)
        room_shown += answer[r] - first
        room_acted += last - first
    shown_offsets, acted_offsets = np.zeros(size + 1, np.int64), np.zeros(size + 1, np.int64)
    shown_item, shown_position = np.empty(room_shown, np.int32), np.empty(room_shown, np.int32)
    acted_item, acted_event = np.empty(room_acted, np.int32), np.empty(room_acted, np.int8)
    shown, acted = 0, 0
    for r in range(size):
        p = answer[r]
        first, last = _span(p, session, played)
        main = item[first - 1] if first > 0 and session[first - 1] == session[p] else -1
        begin = shown
        for row in range(first, last):
            if event[row] != impression:
                if item[row] != main or (row >= p and item[p] == main):
                    acted_item[acted], acted_event[acted] = item[row], event[row]
                    acted += 1
                continue
            if row > p or item[row] == main:
                continue
            place = shown
            for before in range(begin, shown):
                if shown_item[before] == item[row]:
                    place = before
            shown_item[place], shown_position[place] = item[row], position[row]
            shown += place == shown
        shown_offsets[r + 1], acted_offsets[r + 1] = shown, acted
    return (
        shown_offsets,
        shown_item[:shown].copy(),
        shown_position[:shown].copy(),
        acted_offsets,
        acted_item[:acted].copy(),
        acted_event[:acted].copy(),
    )
