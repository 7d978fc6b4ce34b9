"""Episodes: logged requests with what was then played, for replay and for the ranker's samples."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import numpy.typing as npt
from numba import njit

from yoorec.batch import Arrivals, Plays, Ragged
from yoorec.data.log import EventLog, Given
from yoorec.errors import DataError

if TYPE_CHECKING:
    from yoorec.data.dataset import Dataset

__all__ = ["Episodes", "given_episodes", "given_span", "next_play"]

Int32 = npt.NDArray[np.int32]
Int64 = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Episodes:
    """R logged requests and what was then played, in time order.

    user:    int32 [R], -1 where there is none. time: int64 [R], ms, the target's time.
    start:   int64 [R], ms, when the visit began: the time of its session's first play.
    item:    int32 [R], the main item: the play before the target; -1 where unknown.
    session: plays of the session before the target, newest first, main item included.
    truth:   the target, or the distinct items of the rest of the session; -1 stands for one that can't be hit.
    cluster: int32 [R], what resampling draws: the user, or the session under protocol `given`.
    answer:  int64 [R], the target's row in the log; -1 under protocol `given`.
    """

    user: Int32
    time: Int64
    start: Int64
    item: Int32
    session: Plays
    truth: Ragged
    cluster: Int32
    answer: Int64

    def __len__(self) -> int:
        return len(self.user)

    def take(self, rows: npt.NDArray[Any]) -> Episodes:
        """The named requests, in the order named."""
        return Episodes(
            self.user[rows],
            self.time[rows],
            self.start[rows],
            self.item[rows],
            self.session.take(rows),
            self.truth.take(rows),
            self.cluster[rows],
            self.answer[rows],
        )

    def arrivals(self, k: int) -> Arrivals:
        """The requests as they came in, each wanting `k` items."""
        return Arrivals(self.user, self.time, self.item, np.full(len(self), k, np.int32), self.session)


def _link(session: Int32, sessions: int) -> tuple[Int64, Int64]:
    """The play before and the play after each play in its session, -1 where there is none."""
    before = np.full(len(session), -1, np.int64)
    after = np.full(len(session), -1, np.int64)
    last = np.full(sessions, -1, np.int64)
    for row in range(len(session)):
        s = session[row]
        before[row] = last[s]
        if last[s] >= 0:
            after[last[s]] = row
        last[s] = row
    return before, after


def _walk_back(targets: Int64, before: Int64, limit: int) -> tuple[Int64, Int64]:
    """Plays before each target, newest first, at most `limit` of them."""
    offsets = np.zeros(len(targets) + 1, np.int64)
    for r in range(len(targets)):
        row, count = before[targets[r]], 0
        while row >= 0 and count < limit:
            count += 1
            row = before[row]
        offsets[r + 1] = offsets[r] + count
    rows = np.empty(offsets[-1], np.int64)
    for r in range(len(targets)):
        row = before[targets[r]]
        for place in range(offsets[r], offsets[r + 1]):
            rows[place] = row
            row = before[row]
    return offsets, rows


def _walk_on(targets: Int64, after: Int64, item: Int32, time: Int64, end: int, items: int) -> tuple[Int64, Int32]:
    """Distinct items from each target to its session's end, in order, plays at or after `end` left out."""
    stamp = np.full(items, -1, np.int64)
    offsets = np.zeros(len(targets) + 1, np.int64)
    for r in range(len(targets)):
        row, count = targets[r], 0
        while row >= 0 and time[row] < end:
            if stamp[item[row]] != r:
                stamp[item[row]] = r
                count += 1
            row = after[row]
        offsets[r + 1] = offsets[r] + count
    found = np.empty(offsets[-1], np.int32)
    stamp[:] = -1
    for r in range(len(targets)):
        row, place = targets[r], offsets[r]
        while row >= 0 and time[row] < end:
            if stamp[item[row]] != r:
                stamp[item[row]] = r
                found[place] = item[row]
                place += 1
            row = after[row]
    return offsets, found


def _same_session(offsets: Int64, item: Int32, target: Int32) -> Int32:
    """Session numbers of test rows: row r goes on from r - 1 where that prefix less its last item is r's own."""
    cluster = np.zeros(len(target), np.int32)
    number = -1
    for r in range(len(target)):
        start, stop = offsets[r], offsets[r + 1]
        same = r > 0
        if same:
            earlier, earlier_stop = offsets[r - 1], offsets[r]
            same = earlier_stop - earlier == stop - start + 1 and item[earlier_stop - 1] == target[r]
            place = 0
            while same and place < stop - start:
                same = item[earlier + place] == item[start + place]
                place += 1
        if not same:
            number += 1
        cluster[r] = number
    return cluster


_compiled = njit(cache=True, nogil=True)
_link_compiled, _walk_back_compiled = _compiled(_link), _compiled(_walk_back)
_walk_on_compiled, _same_session_compiled = _compiled(_walk_on), _compiled(_same_session)


def next_play(log: EventLog, start: int, end: int | None, truth: Literal["next", "rest"], session: int) -> Episodes:
    """Each play that follows another in its session, as a request for what was played.

    start, end: ms; targets lie strictly between the two (no upper bound where `end` is None).
    truth:      "next" is the target alone; "rest" the distinct items played from the target on, in order, as far as
                the session goes on before `end`: nothing is taken from beyond a window.
    session:    latest plays before the target that the request brings along, at most; the main item is the first.
    Order is the log's: plays of one time follow one another as they stand there.
    """
    plays = log.plays()
    sessions = int(plays.session.max(initial=-1)) + 1
    before, after = _link_compiled(plays.session, sessions)
    began = np.zeros(sessions, np.int64)
    began[plays.session[::-1]] = plays.time[::-1]
    fence = np.iinfo(np.int64).max if end is None else end
    targets = np.flatnonzero((before >= 0) & (plays.time > start) & (plays.time < fence))
    offsets, rows = _walk_back_compiled(targets, before, session)
    if truth == "next":
        answer = Ragged(np.arange(len(targets) + 1, dtype=np.int64), plays.item[targets])
    else:
        items = int(plays.item.max(initial=-1)) + 1
        answer = Ragged(*_walk_on_compiled(targets, after, plays.item, plays.time, fence, items))
    user = plays.user[targets]
    return Episodes(
        user,
        plays.time[targets],
        began[plays.session[targets]],
        plays.item[before[targets]],
        Plays(offsets, plays.item[rows], plays.time[rows], plays.weight[rows]),
        answer,
        user,
        np.flatnonzero(log.weight > 0)[targets],
    )


def given_span(given: Given, last: int) -> tuple[int, int]:
    """Times (ms) of the first and the last request of pre-split rows, in a log whose last event is at `last`.

    The rows have no times of their own. Row r comes at ``last + 2 + longest prefix + r``, its prefix 1 ms apart just
    before it: after the log and its end at ``last + 1``, and in the order of the file.
    """
    longest = int(np.diff(given.offsets).max(initial=0))
    first = last + 2 + longest
    return first, first + max(len(given.target) - 1, 0)


def given_episodes(dataset: Dataset, session: int) -> Episodes:
    """The source's own prefix -> target rows as requests after the log's end.

    session: latest items of a prefix that the request brings along, at most. Ids that the vocabulary lacks are left
    out of the session; as a target such an id stays as -1, which no slate can hold. Users are unknown (-1).
    Rows that shorten the previous row's prefix by its last item, which is then their target, are one cluster.
    Raises DataError where the source gave no such rows.
    """
    given = dataset.given
    if given is None or not len(given.target):
        raise DataError("replay.protocol: 'given' needs test rows (prefix and target), and the data has none")
    size = len(given.target)
    first, _ = given_span(given, dataset.timeline.last)
    time = first + np.arange(size, dtype=np.int64)
    lengths = np.diff(given.offsets)
    row = np.repeat(np.arange(size), lengths)
    age = np.repeat(given.offsets[1:], lengths) - np.arange(len(given.item))  # 1 for the newest
    kept = (age <= session) & (given.item >= 0)
    place = np.flatnonzero(kept)
    order = place[np.lexsort((age[place], row[place]))]
    offsets = np.zeros(size + 1, np.int64)
    np.cumsum(np.bincount(row[order], minlength=size), out=offsets[1:])
    main = np.full(size, -1, np.int32)
    some = lengths > 0
    main[some] = given.item[given.offsets[1:][some] - 1]
    plays = Plays(offsets, given.item[order], time[row[order]] - age[order], np.ones(len(order), np.float32))
    cluster: Int32 = _same_session_compiled(given.offsets, given.item, given.target)
    return Episodes(
        np.full(size, -1, np.int32),
        time,
        time - lengths,
        main,
        plays,
        Ragged(np.arange(size + 1, dtype=np.int64), given.target),
        cluster,
        np.full(size, -1, np.int64),
    )
