"""The mask: known items made new and known users made strangers, to see who serves them.

What is new to a real log is rare, and it differs from the rest in more than being new. A mask takes ordinary items and
users and lets the log forget them up to the replay cut, before anything learns from it:

- **Items.** Of the items with a play before the cut a share loses every event earlier than ``cut - keep``; what is
  later stays, and an event that names such an item as its main item loses the name alike. The item is published at its
  first remaining event, be that after the cut; one without any is published at the log's end.
- **Users.** Of the users with more than `plays` plays before the cut a share keeps at most the latest `plays` of them
  (of those that the items' mask left) and loses every other event before the cut, impressions and likes included. What
  a user does after the cut is not looked at in drawing them.

The columns of items and users stay, except `published_at`: a title or an age is known of new ones as well. Plays from
before the log began (`EventLog.past`) have no times and count as older than every event: masked items leave them, and
masked users keep of them what their later plays leave room for.

Each item and user draws a number by its place in the sorted vocabulary, and the lowest are taken: the share is exact
(half a one rounds up), and a larger share takes the same ones and more.

Requests stay what they were. The cuts are those of the whole log, and requests are taken from the visits as they were
logged: what a session brought along before the cut it still brings along, since a client knows its own session. Under
protocol `given` the cut lies after the last train event, so `keep` reaches back from the log's end, in the log's own
times (source `sessions` numbers its events: there ``10s`` are the last 10,000 events), and the times of the requests
stay those of the whole log; its requests have no users, so users can't be masked.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from yoorec.batch import Ragged
from yoorec.data.catalogue import Catalogue
from yoorec.data.cuts import resolve_cuts
from yoorec.data.log import EventLog
from yoorec.errors import ConfigError, Problem

if TYPE_CHECKING:
    from yoorec.config.scenario import MaskSettings, Scenario
    from yoorec.data.dataset import Dataset

__all__ = ["Masked", "Timeline", "mask_dataset", "mask_log"]

Bool = npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Timeline:
    """When things happened in a whole log: all that cuts and the times of pre-split requests need of it.

    plays: int64 [P], ms, rising. sessions: int64 [S], ms, when each began, by its number. last: ms, the last event.
    """

    plays: npt.NDArray[np.int64]
    sessions: npt.NDArray[np.int64]
    last: int

    @classmethod
    def of(cls, log: EventLog) -> Timeline:
        """The timeline of a log; one without events ends at 0."""
        # Sessions are numbered by their first event, so each begins where the highest number so far rises.
        first = np.flatnonzero(np.diff(np.maximum.accumulate(log.session), prepend=np.int32(-1)))
        return cls(log.time[log.weight > 0], log.time[first], int(log.time[-1]) if len(log) else 0)


@dataclass(frozen=True, slots=True)
class Masked:
    """What a mask did.

    items:    bool [I], those that were made new. users: bool [U], those that lost plays.
    plays:    plays before the cut that such a user kept, at most.
    timeline: of the log as it was.
    visits:   plays of the sessions that reach the cut or later, as they were logged: requests are taken from these.
    """

    items: Bool
    users: Bool
    plays: int
    timeline: Timeline
    visits: EventLog


def mask_dataset(scenario: Scenario, dataset: Dataset) -> Dataset:
    """The dataset as `replay.mask` leaves it; the same where the scenario sets none.

    Raises ConfigError for masked users under protocol `given`, and what resolving the cuts raises.
    """
    settings = scenario.replay.mask
    if settings is None:
        return dataset
    if settings.users and scenario.replay.protocol == "given":
        file = "" if scenario.path is None else str(scenario.path)
        message = f"{settings.users} of the users can't be masked: requests of protocol 'given' have no users"
        raise ConfigError((Problem(file, "replay.mask.users", message, "0"),))
    whole = dataset.log
    cut = resolve_cuts(scenario, dataset).replay_cut
    log, items, users = mask_log(whole, cut, settings)
    reaching = np.zeros(int(whole.session.max(initial=-1)) + 1, np.bool_)
    reaching[whole.session[whole.time >= cut]] = True
    visits = whole.rows(np.flatnonzero(reaching[whole.session] & (whole.weight > 0)))
    masked = Masked(items, users, settings.plays, Timeline.of(whole), visits)
    quality = dict(dataset.quality)
    if "events" in quality:
        done = [f"{int(items.sum()):,} items look new"] if settings.items else []
        done += [f"{int(users.sum()):,} users keep {settings.plays:,} plays at most"] if settings.users else []
        note = f"replay.mask takes {len(whole) - len(log):,} of {len(whole):,} events"
        notes = (*quality["events"].notes, ": ".join([note, *([", ".join(done)] if done else [])]))
        quality["events"] = replace(quality["events"], notes=notes)
    return replace(dataset, log=log, quality=quality, masked=masked)


def mask_log(log: EventLog, cut: int, settings: MaskSettings) -> tuple[EventLog, Bool, Bool]:
    """The log without what the mask takes, and which items bool [I] and users bool [U] were masked.

    cut: ms. The masked log's catalogue publishes the masked items anew, in an item column `published_at` as well.
    """
    early = log.time < cut
    play = log.weight > 0
    before = early & play
    item_draw, user_draw = np.random.default_rng(settings.seed).spawn(2)
    catalogue = log.catalogue
    played = np.bincount(log.item[before], minlength=len(catalogue.items)) > 0
    plays = np.bincount(log.user[before], minlength=len(catalogue.users))
    known = (plays if log.past is None else plays + np.diff(log.past.offsets)) > settings.plays
    items = _drawn(played, settings.items, item_draw)
    users = _drawn(known, settings.users, user_draw)
    forgotten = log.time < cut - settings.keep
    kept = ~(forgotten & items[log.item])
    stranger = users[log.user]
    latest = _latest(log.user, np.flatnonzero(before & kept & stranger), settings.plays)
    own = ~(early & stranger)
    own[latest] = True
    kept &= own
    main_item = np.where(forgotten & (log.main_item >= 0) & items[log.main_item], np.int32(-1), log.main_item)
    found = replace(log, main_item=main_item).rows(np.flatnonzero(kept))
    if log.past is not None:
        room = settings.plays - np.bincount(log.user[latest], minlength=len(catalogue.users))
        found = replace(found, past=_past(log.past, items, np.where(users, room, len(log.past.item))))
    found = replace(found, session=_renumbered(found.session))
    end = int(log.time[-1]) + 1 if len(log) else 0
    return replace(found, catalogue=_published(catalogue, found, items, end)), items, users


def _drawn(eligible: Bool, share: float, rng: np.random.Generator) -> Bool:
    """Which are taken: the share of the eligible ones that drew the lowest numbers."""
    lots = rng.random(len(eligible))
    candidates = np.flatnonzero(eligible)
    wanted = int(np.floor(share * len(candidates) + 0.5))
    taken = np.zeros(len(eligible), np.bool_)
    taken[candidates[np.argsort(lots[candidates], kind="stable")[:wanted]]] = True
    return taken


def _latest(user: npt.NDArray[np.int32], rows: npt.NDArray[np.int64], plays: int) -> npt.NDArray[np.int64]:
    """Of the rows, in the log's order, the last `plays` of each user."""
    order = rows[np.argsort(user[rows], kind="stable")]
    owner = user[order]
    stop = np.searchsorted(owner, owner, side="right")
    return order[stop - np.arange(len(order)) <= plays]


def _past(past: Ragged, items: Bool, room: npt.NDArray[np.int64]) -> Ragged:
    """What users played before the log, without the masked items, and of each user the last `room` [U] plays."""
    user = np.repeat(np.arange(len(past), dtype=np.int32), np.diff(past.offsets))
    left = np.flatnonzero(~items[past.item])
    offsets = np.zeros(len(past) + 1, np.int64)
    np.cumsum(np.bincount(user[left], minlength=len(past)), out=offsets[1:])
    kept = left[offsets[user[left] + 1] - np.arange(len(left)) <= room[user[left]]]
    np.cumsum(np.bincount(user[kept], minlength=len(past)), out=offsets[1:])
    return Ragged(offsets, past.item[kept])


def _renumbered(session: npt.NDArray[np.int32]) -> npt.NDArray[np.int32]:
    """Session numbers that rise with the session's first remaining event, none left out."""
    _, first, place = np.unique(session, return_index=True, return_inverse=True)
    number = np.empty(len(first), np.int32)
    number[np.argsort(first)] = np.arange(len(first), dtype=np.int32)
    return number[place]


def _published(catalogue: Catalogue, log: EventLog, items: Bool, end: int) -> Catalogue:
    """The catalogue in which masked items exist from their first remaining event, or from `end` (ms) without one."""
    first = np.full(len(catalogue.items), end, np.int64)
    first[log.item[::-1]] = log.time[::-1]
    published = np.where(items, first, catalogue.published_at)
    columns = catalogue.item_columns
    if "published_at" in columns.column_names:
        place = columns.column_names.index("published_at")
        kind = columns.schema.field(place).type
        told = pc.if_else(pa.array(items), pa.array(first).cast(kind), columns.column(place))
        columns = columns.set_column(place, "published_at", told)
    return replace(catalogue, item_columns=columns, published_at=published, _codes={})
