from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from yoorec.data.episodes import next_play
from yoorec.data.log import EventLog
from yoorec.data.outcomes import outcomes_of
from yoorec.testing.worlds import small_log


def by_hand(log: EventLog, answer: int) -> tuple[dict[int, int], list[tuple[int, int]]]:
    """Impressions and their positions, and the other events, around one play."""
    session = [n for n in range(len(log)) if log.session[n] == log.session[answer]]
    at = session.index(answer)
    plays = [n for n, row in enumerate(session) if log.weight[row] > 0]
    before = max((n for n in plays if n < at), default=-1)
    after = min((n for n in plays if n > at), default=len(session))
    main = log.item[session[before]] if before >= 0 else -1
    shown: dict[int, int] = {}
    acted = []
    for n in range(before + 1, after):
        row = session[n]
        if log.item[row] == main and not (log.item[answer] == main and n >= at):
            continue
        if log.events[log.event[row]] == "impression":
            if n < at:
                shown[int(log.item[row])] = int(log.position[row])
        else:
            acted.append((int(log.item[row]), int(log.event[row])))
    return shown, acted


@pytest.fixture(scope="module")
def log() -> EventLog:
    found = small_log(users=8, events=1200)
    return replace(found, position=np.where(found.event == 0, np.arange(1200) % 10, -1).astype(np.int32))


def test_outcomes_are_those_found_by_hand(log: EventLog) -> None:
    window = next_play(log, int(log.time[300]), int(log.time[-1]), "next", 20)
    assert (log.item[window.answer] == window.truth.item).all()
    found = outcomes_of(log, window.answer)
    shows, acts = 0, 0
    for r in range(len(window)):
        shown, acted = by_hand(log, int(window.answer[r]))
        rows = slice(int(found.shown_offsets[r]), int(found.shown_offsets[r + 1]))
        given = zip(found.shown_item[rows].tolist(), found.shown_position[rows].tolist(), strict=True)
        assert dict(given) == shown
        assert rows.stop - rows.start == len(shown)
        rows = slice(int(found.acted_offsets[r]), int(found.acted_offsets[r + 1]))
        assert list(zip(found.acted_item[rows].tolist(), found.acted_event[rows].tolist(), strict=True)) == acted
        shows, acts = shows + len(shown), acts + len(acted)
    assert shows > 50
    assert acts > len(window)
    assert found.watch_s.tolist() == log.watch_s[window.answer].tolist()


def test_nothing_is_taken_from_behind_the_cut(log: EventLog) -> None:
    fewer = 0
    for cut in np.unique(log.time[-200:]).tolist():
        window = next_play(log, int(log.time[300]), cut, "next", 20)
        early, late = outcomes_of(log.before(cut), window.answer), outcomes_of(log, window.answer)
        fewer += len(early.acted_item) < len(late.acted_item)
        assert np.array_equal(early.shown_item, late.shown_item)
    assert fewer, "some cut falls between a play and what came of it"


def test_a_log_without_impressions_shows_none(log: EventLog) -> None:
    plays = log.plays()
    window = next_play(plays, int(plays.time[100]), None, "next", 20)
    found = outcomes_of(replace(plays, events=("other", "play", "like")), window.answer)
    assert len(found.shown_item) == 0
    assert found.shown_offsets.tolist() == [0] * (len(window) + 1)
