"""Small worlds: seeded logs and requests that every component test can share."""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from yoorec.batch import Plays, Ragged, RequestBatch
from yoorec.data.catalogue import Catalogue
from yoorec.data.log import EventLog
from yoorec.data.vocabulary import Vocabulary

__all__ = ["DAY_MS", "small_catalogue", "small_log", "small_requests"]

DAY_MS = 86_400_000
_START_MS = 1_700_000_000_000
_EVENTS = ("impression", "play", "like")


def small_catalogue(users: int = 40, items: int = 60, seed: int = 0) -> Catalogue:
    """Users u00.. with gender and age, items i00.. with author, category, title and duration; a few values missing."""
    rng = np.random.default_rng(seed)
    item_ids = [f"i{number:0{len(str(items))}d}" for number in range(items)]
    user_ids = [f"u{number:0{len(str(users))}d}" for number in range(users)]
    authors = [None if number % 17 == 16 else f"a{number % 7}" for number in range(items)]
    return Catalogue(
        Vocabulary(item_ids),
        Vocabulary(user_ids),
        pa.table(
            {
                "title": [f"title {number % 11} {number}" for number in range(items)],
                "author": pa.array(authors, pa.string()),
                "category": [f"c{number % 5}" for number in range(items)],
                "duration_s": pa.array(rng.integers(20, 300, items), pa.float32()),
            }
        ),
        pa.table(
            {
                "gender": pa.array([None if u % 13 == 12 else "fm"[u % 2] for u in range(users)], pa.string()),
                "age": pa.array(rng.integers(10, 70, users), pa.int64()),
            }
        ),
        np.full(items, _START_MS, np.int64),
    )


def small_log(users: int = 40, items: int = 60, events: int = 1500, seed: int = 0) -> EventLog:
    """Ten days of impressions, plays and likes with tastes by item group, repeated times and repeated plays."""
    rng = np.random.default_rng(seed)
    catalogue = small_catalogue(users, items, seed)
    user = np.sort(rng.integers(0, users, events)) if users else np.empty(0, np.int64)
    group = (user * 3 + rng.integers(0, 2, events)) % 5
    popular = np.minimum(rng.geometric(0.15, events) - 1, max(items // 5 - 1, 0))
    item = np.minimum(popular * 5 + group, items - 1)
    time = _START_MS + (rng.random(events) * 10 * DAY_MS).astype(np.int64) // 60_000 * 60_000
    event = rng.choice(3, events, p=(0.2, 0.7, 0.1)).astype(np.int8)
    order = np.argsort(time, kind="stable")
    user, item, time, event = user[order], item[order], time[order], event[order]
    weight = np.where(event == 1, 1.0, 0.0).astype(np.float32)
    duration = np.asarray(catalogue.item_columns["duration_s"], np.float32)
    watch = (rng.random(events) * 1.2).clip(max=1.0).astype(np.float32) * duration[item]
    half_day = time // (DAY_MS // 2) * users + user
    _, first, inverse = np.unique(half_day, return_index=True, return_inverse=True)
    session = np.argsort(np.argsort(first)).astype(np.int32)[inverse]
    none = np.full(events, -1, np.int32)
    return EventLog(
        user.astype(np.int32),
        item.astype(np.int32),
        time,
        event,
        weight,
        session,
        np.where(event == 1, watch, np.nan).astype(np.float32),
        none,
        none,
        np.full(events, np.nan, np.float32),
        none,
        _EVENTS,
        catalogue,
    )


def small_requests(log: EventLog, size: int = 50, seed: int = 0, k: int = 10, history: int = 20) -> RequestBatch:
    """`size` requests after the log's end: known users, unknown users, with and without main item and session."""
    rng = np.random.default_rng(seed)
    plays = log.plays()
    now = int(log.time[-1]) + 60_000 if len(log) else _START_MS
    users = len(log.catalogue.users)
    user = rng.integers(-1, users, size).astype(np.int32)
    item, time = np.full(size, -1, np.int32), np.full(size, now, np.int64)
    sessions: list[np.ndarray] = []
    histories: list[np.ndarray] = []
    seen: list[np.ndarray] = []
    for b in range(size):
        own = np.flatnonzero(plays.user == user[b])[::-1]
        length = 0 if b % 5 == 4 else int(rng.integers(0, 4))
        sessions.append(own[:length])
        histories.append(own[:history])
        seen.append(own)
        if len(own) and b % 5 != 4:
            item[b] = plays.item[own[0]]
    names = log.catalogue.user_columns.column_names
    attributes = {}
    for name in names:
        column = np.asarray(log.catalogue.user_columns[name].to_pylist() + [None], object)
        attributes[name] = column[user]

    def lists(parts: list[np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
        offsets = np.zeros(size + 1, np.int64)
        np.cumsum([len(part) for part in parts], out=offsets[1:])
        return offsets, np.concatenate(parts) if parts else np.empty(0, np.int64)

    def as_plays(parts: list[np.ndarray]) -> Plays:
        offsets, rows = lists(parts)
        return Plays(offsets, plays.item[rows], plays.time[rows], plays.weight[rows])

    seen_offsets, seen_rows = lists(seen)
    return RequestBatch(
        user,
        time,
        item,
        np.full(size, k, np.int32),
        as_plays(sessions),
        as_plays(histories),
        Ragged(seen_offsets, plays.item[seen_rows]),
        attributes,
    )
