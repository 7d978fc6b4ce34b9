"""Small worlds: seeded logs and requests that every component test can share."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields, replace

import numpy as np
import pyarrow as pa

from yoorec.batch import CandidateBatch, Plays, Ragged, RequestBatch
from yoorec.components import RankSamples
from yoorec.data.catalogue import Catalogue
from yoorec.data.log import EventLog
from yoorec.data.vocabulary import Vocabulary

__all__ = [
    "DAY_MS",
    "blank_requests",
    "first_play",
    "grown",
    "meeting",
    "small_catalogue",
    "small_log",
    "small_merged",
    "small_recalled",
    "small_requests",
    "small_samples",
    "spoiled_after",
    "twin_log",
    "with_past",
    "without_attributes",
    "without_plays",
]

DAY_MS = 86_400_000
_START_MS = 1_700_000_000_000
_EVENTS = ("impression", "play", "like")


def small_catalogue(users: int = 40, items: int = 60, seed: int = 0) -> Catalogue:
    """Users with gender and age, items with author, category, title and duration; a few values missing."""
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
    """Ten days of impressions, plays and likes; tastes by item group, repeated times and plays."""
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
    """`size` requests after the log's end: users known or not, with and without main item and session."""
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
        column = np.asarray([*log.catalogue.user_columns[name].to_pylist(), None], object)
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


def twin_log(users: int = 40, items: int = 30, events: int = 700, seed: int = 0) -> EventLog:
    """Items come in twins 2i and 2i + 1 with equal columns and equal events, so that scores tie."""
    log = small_log(users, items, events, seed)
    single = log.catalogue
    ids = [f"t{number:04d}" for number in range(2 * items)]
    pairs = np.repeat(np.arange(items), 2)
    catalogue = Catalogue(
        Vocabulary(ids),
        single.users,
        single.item_columns.take(pairs),
        single.user_columns,
        single.published_at[pairs],
    )
    twice = _rows(log, np.repeat(np.arange(len(log)), 2))
    item = (twice.item * 2 + np.tile([0, 1], len(log))).astype(np.int32)
    return replace(twice, item=item, catalogue=catalogue)


def _rows(log: EventLog, rows: np.ndarray) -> EventLog:
    columns = {
        field.name: getattr(log, field.name)[rows]
        for field in fields(log)
        if isinstance(getattr(log, field.name), np.ndarray)
    }
    return replace(log, **columns)


def without_attributes(log: EventLog, columns: bool) -> EventLog:
    """The same events of users of whom nothing is known: their columns hold nothing, or are not even there."""
    known = log.catalogue.user_columns
    names = known.column_names if columns else []
    blank = pa.table({name: pa.nulls(known.num_rows, known.schema.field(name).type) for name in names})
    return replace(log, catalogue=replace(log.catalogue, user_columns=blank, _codes={}))


def with_past(log: EventLog, seed: int = 0) -> EventLog:
    """The same log, of which every other user played up to six items before it began; repeats among them."""
    rng = np.random.default_rng(seed)
    users, items = len(log.catalogue.users), len(log.catalogue.items)
    length = np.where(np.arange(users) % 2, rng.integers(1, 7, users), 0) if items else np.zeros(users, np.int64)
    offsets = np.zeros(users + 1, np.int64)
    np.cumsum(length, out=offsets[1:])
    return replace(log, past=Ragged(offsets, rng.integers(0, max(items, 1), offsets[-1]).astype(np.int32)))


def without_plays(log: EventLog) -> EventLog:
    """The same events with no weight, so that none is a play."""
    return replace(log, weight=np.zeros_like(log.weight))


def first_play(log: EventLog) -> EventLog:
    """A log of nothing but the first play."""
    return _rows(log, np.flatnonzero(log.weight > 0)[:1])


def grown(catalogue: Catalogue, items: int = 3, users: int = 2, known: bool = False) -> Catalogue:
    """The catalogue some time later: `items` more items and `users` more users behind those that were there.

    Nothing is known of them, or, where `known`, of the new items what is known of the last ones before them.
    """

    def longer(columns: pa.Table, more: int) -> pa.Table:
        blank = pa.table({field.name: pa.nulls(more, field.type) for field in columns.schema})
        return pa.concat_tables([columns, columns.slice(len(columns) - more) if known else blank])

    published = np.full(items, catalogue.published_at.max(initial=_START_MS))
    return Catalogue(
        Vocabulary.ordered((*catalogue.items.ids, *(f"new item {number}" for number in range(items)))),
        Vocabulary.ordered((*catalogue.users.ids, *(f"new user {number}" for number in range(users)))),
        longer(catalogue.item_columns, items),
        longer(catalogue.user_columns, users),
        np.concatenate([catalogue.published_at, published]),
    )


def meeting(requests: RequestBatch, catalogue: Catalogue, items: int = 3) -> RequestBatch:
    """The requests with the catalogue's last `items` items in the place of most main items and many plays."""
    first = len(catalogue.items) - items

    def some(item: np.ndarray, every: int) -> np.ndarray:
        place = np.arange(len(item))
        return np.where(place % every == 0, item, first + place % items).astype(np.int32)

    return replace(
        requests,
        item=some(requests.item, 4),
        session=replace(requests.session, item=some(requests.session.item, 2)),
        history=replace(requests.history, item=some(requests.history.item, 2)),
        seen=replace(requests.seen, item=some(requests.seen.item, 2)),
    )


def spoiled_after(log: EventLog, cut: int) -> EventLog:
    """The same log up to `cut` (ms); from there on indices no catalogue holds and weights no log has.

    ``spoiled_after(log, cut).before(cut)`` shows the same events as ``log.before(cut)``, so only a component
    that reaches behind its view can tell them apart.
    """
    late = log.time >= cut

    def spoil(column: np.ndarray, value: float) -> np.ndarray:
        return np.where(late, np.asarray(value, column.dtype), column)

    return replace(
        log,
        user=spoil(log.user, 2**31 - 1),
        item=spoil(log.item, 2**31 - 1),
        weight=spoil(log.weight, 1e9),
        watch_s=spoil(log.watch_s, 1e9),
    )


def blank_requests(catalogue: Catalogue, size: int = 5, k: int = 10, time: int = _START_MS) -> RequestBatch:
    """Requests with nothing to go on: no user, no main item, no session, attributes missing."""
    none = np.full(size, -1, np.int32)
    attributes = {name: np.full(size, None, object) for name in catalogue.user_columns.column_names}
    return RequestBatch(
        none,
        np.full(size, time, np.int64),
        none.copy(),
        np.full(size, k, np.int32),
        Plays.empty(size),
        Plays.empty(size),
        Ragged.empty(size),
        attributes,
    )


def small_recalled(
    catalogue: Catalogue,
    size: int,
    triggers: Sequence[str] = ("hot", "itemcf", "text"),
    limit: int = 20,
    seed: int = 0,
) -> dict[str, CandidateBatch]:
    """Candidates of `size` requests by trigger: shared items, tied scores, every fourth list empty."""
    rng = np.random.default_rng(seed)
    items = len(catalogue.items)
    recalled = {}
    for place, name in enumerate(triggers):
        offsets, rows, scores = [0], [np.empty(0, np.int32)], [np.empty(0, np.float32)]
        for b in range(size):
            wanted = 0 if (b + place) % 4 == 3 else int(rng.integers(0, min(limit, items) + 1))
            item = rng.choice(items, wanted, replace=False).astype(np.int32)
            score = (rng.integers(1, 8, wanted) / np.float32(7) * 10**place).astype(np.float32)
            best = np.lexsort((item, -score))
            rows.append(item[best])
            scores.append(score[best])
            offsets.append(offsets[-1] + wanted)
        recalled[name] = CandidateBatch(np.array(offsets, np.int64), np.concatenate(rows), np.concatenate(scores))
    return recalled


def small_merged(recalled: dict[str, CandidateBatch]) -> CandidateBatch:
    """All candidates of several triggers with their sources, scored 1 / (1 + best rank): a plain merge."""
    names = tuple(recalled)
    size = len(next(iter(recalled.values())))
    offsets, items, scores = [0], [], []
    source_scores: list[list[float]] = []
    source_ranks: list[list[int]] = []
    for b in range(size):
        found: dict[int, dict[str, tuple[float, int]]] = {}
        for name, candidates in recalled.items():
            start, stop = candidates.offsets[b : b + 2]
            for rank, row in enumerate(range(start, stop)):
                found.setdefault(int(candidates.item[row]), {})[name] = (float(candidates.score[row]), rank)
        merge_score = {item: 1 / (1 + min(rank for _, rank in by.values())) for item, by in found.items()}
        for item in sorted(found, key=lambda item: (-merge_score[item], item)):
            items.append(item)
            scores.append(merge_score[item])
            source_scores.append([found[item].get(name, (np.nan, -1))[0] for name in names])
            source_ranks.append([found[item].get(name, (np.nan, -1))[1] for name in names])
        offsets.append(len(items))
    score = np.array(scores, np.float32)
    return CandidateBatch(
        np.array(offsets, np.int64),
        np.array(items, np.int32),
        score,
        names,
        np.array(source_scores, np.float32).reshape(len(items), len(names)),
        np.array(source_ranks, np.int32).reshape(len(items), len(names)),
        score.copy(),
    )


def small_samples(
    log: EventLog, size: int = 80, triggers: Sequence[str] = ("hot", "itemcf", "text"), seed: int = 0
) -> RankSamples:
    """Requests with merged candidates, and labels that follow the first trigger's rank."""
    rng = np.random.default_rng(seed)
    requests = small_requests(log, size, seed)
    merged = small_merged(small_recalled(log.catalogue, size, triggers, seed=seed))
    assert merged.source_rank is not None
    rank = np.where(merged.source_rank[:, 0] >= 0, merged.source_rank[:, 0], 30)
    label = (rng.random(len(rank)) < 0.5 / (1 + rank)).astype(np.float32)
    hits = int(label.sum())
    return RankSamples(requests, merged, label, truths=hits + 5, missed=5)
