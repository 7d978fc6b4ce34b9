"""How viewers of the demo world move from video to video, all sessions stepped at once, and what gets logged."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from yoorec.data.sources.world import DAY_MS, FOLLOWERS, Videos, Viewers

__all__ = ["Logged", "Policy", "examined", "walk"]

_SLOT_MS = 6 * 3_600_000
_FOLLOW = np.array([0.4, 0.3, 0.2, 0.1])
_SHARE_FOLLOW, _SHARE_TOPIC, _SHARE_TASTE = 0.3, 0.25, 0.3
"""The logging policy's mixture: what follows this video, its topic, the viewer's taste; the rest is what is popular."""
_LONGEST = 20
_TRIES = 40

Int64 = npt.NDArray[np.int64]
Float64 = npt.NDArray[np.float64]


def examined(positions: int) -> Float64:
    """Chance float64 [positions] that a viewer looks at each position of a slate: the planted position bias."""
    return np.asarray(0.95 * (1.0 + np.arange(positions)) ** -0.7, np.float64)


@dataclass(frozen=True, slots=True)
class Logged:
    """Events in the order they were made, row by row; missing numbers are NaN or -1."""

    user: Int64
    item: Int64
    time: Int64
    event: npt.NDArray[np.int8]
    watch_s: npt.NDArray[np.float32]
    main_item: Int64
    position: Int64
    request: Int64
    propensity: npt.NDArray[np.float32]


class Policy:
    """What the scene showed when the log was made: a mixture whose every probability is known."""

    def __init__(self, videos: Videos, viewers: Viewers, start_ms: int, days: int) -> None:
        self._videos, self._viewers = videos, viewers
        slots = days * DAY_MS // _SLOT_MS
        begins = start_ms + np.arange(slots, dtype=np.int64)[:, None] * _SLOT_MS
        age_days = (begins - videos.published_at) / DAY_MS
        fresh = 1.0 + 4.0 * np.exp(-np.maximum(age_days, 0.0) / 1.5)
        self._out = age_days >= 0  # bool [slots, I]: published when the slot begins
        self._weight = np.where(self._out, videos.popularity * np.exp(0.3 * videos.quality) * fresh, 0.0)
        self._order = np.argsort(videos.topic, kind="stable")
        topics = viewers.taste.shape[1]
        self._bounds = np.searchsorted(videos.topic[self._order], np.arange(topics + 1))
        # One rising sum over all slots, items by topic, so that a draw for any slot and topic is one search.
        self._sum = np.concatenate(([0.0], np.cumsum(self._weight[:, self._order].ravel())))
        edges = np.arange(slots)[:, None] * len(videos) + self._bounds
        self._of_topic = np.diff(self._sum[edges], axis=1)  # float64 [slots, T]
        self._taste_sum = np.cumsum(viewers.taste, axis=1)

    def _follow_share(self, main: Int64, slot: Int64) -> tuple[Int64, Float64]:
        """Followers [A, 4] of the main items and the share of each; 0 where not yet published or no main item."""
        follow = self._videos.follow[main]
        share = np.where(self._out[slot[:, None], follow] & (main >= 0)[:, None], _FOLLOW * _SHARE_FOLLOW, 0.0)
        return follow, share

    def chance(self, user: Int64, main: Int64, slot: Int64, item: Int64) -> Float64:
        """Probability float64 [A, M] that one free draw in each of A contexts gives item [A, M]; 0 for item -1.

        main: -1 where no video is on the page yet; then only taste and popularity draw.
        """
        videos = self._videos
        weight = self._weight[slot[:, None], item]
        topic = videos.topic[item]
        within = weight / self._of_topic[slot[:, None], topic]
        overall = weight / self._of_topic[slot].sum(axis=1, keepdims=True)
        taste = self._viewers.taste[user[:, None], topic]
        follow, share = self._follow_share(main, slot)
        on_page = (main >= 0)[:, None]
        left = np.where(on_page, _SHARE_FOLLOW + _SHARE_TOPIC - share.sum(axis=1, keepdims=True), 0.0)
        found = left * within * (topic == videos.topic[main][:, None])
        for column in range(FOLLOWERS):
            found += share[:, column : column + 1] * (item == follow[:, column : column + 1])
        taste_share = np.where(on_page, _SHARE_TASTE, _SHARE_FOLLOW + _SHARE_TASTE)
        popular_share = 1.0 - np.where(on_page, _SHARE_FOLLOW + _SHARE_TOPIC, _SHARE_FOLLOW) - _SHARE_TASTE
        found += taste_share * taste * within + popular_share * overall
        return np.asarray(np.where(item >= 0, found, 0.0), np.float64)

    def _draw(self, user: Int64, main: Int64, slot: Int64, rng: np.random.Generator) -> Int64:
        size, items = len(user), len(self._videos)
        pick, second, third = rng.random(size), rng.random(size), rng.random(size)
        follow, share = self._follow_share(main, slot)
        on_page = main >= 0
        edge = np.cumsum(share, axis=1)
        column = (pick[:, None] >= edge).sum(axis=1)
        follows = column < FOLLOWERS
        of_topic = on_page & ~follows & (pick < _SHARE_FOLLOW + _SHARE_TOPIC)
        taste_edge = np.where(on_page, _SHARE_FOLLOW + _SHARE_TOPIC + _SHARE_TASTE, _SHARE_FOLLOW + _SHARE_TASTE)
        of_taste = ~follows & ~of_topic & (pick < taste_edge)
        liked = (second[:, None] >= self._taste_sum[user]).sum(axis=1).clip(max=len(self._bounds) - 2)
        topic = np.where(of_topic, self._videos.topic[main], liked)
        whole = ~of_topic & ~of_taste
        low = slot * items + np.where(whole, 0, self._bounds[topic])
        high = slot * items + np.where(whole, items, self._bounds[topic + 1])
        target = self._sum[low] + third * (self._sum[high] - self._sum[low])
        place = (np.searchsorted(self._sum, target, side="right") - 1).clip(low, high - 1)
        drawn = self._order[place - slot * items]
        followed = follow[np.arange(size), column.clip(max=FOLLOWERS - 1)]
        return np.asarray(np.where(follows, followed, drawn), np.int64)

    def draw(
        self, user: Int64, main: Int64, slot: Int64, taken: Int64, rng: np.random.Generator
    ) -> tuple[Int64, Float64]:
        """An item int64 [A] for each context that is not among taken [A, M], and its probability given that.

        -1 where the mixture gave none in forty tries.
        """
        item = np.full(len(user), -1, np.int64)
        open_rows = np.arange(len(user))
        for _ in range(_TRIES):
            found = self._draw(user[open_rows], main[open_rows], slot[open_rows], rng)
            good = ~(taken[open_rows] == found[:, None]).any(axis=1) & self._out[slot[open_rows], found]
            item[open_rows[good]] = found[good]
            open_rows = open_rows[~good]
            if not len(open_rows):
                break
        rest = 1.0 - self.chance(user, main, slot, taken).sum(axis=1)
        chance = self.chance(user, main, slot, item[:, None])[:, 0] / np.maximum(rest, 1e-12)
        return item, np.minimum(chance, 1.0)

    def liking(self, user: Int64, item: Int64) -> Float64:
        """How much above the average a viewer likes a video's topic, float64 in [-2, 2]."""
        share = self._viewers.taste[user, self._videos.topic[item]] * self._viewers.taste.shape[1]
        return np.asarray(np.clip(np.log(share), -2.0, 2.0), np.float64)


def _logistic(value: Float64) -> Float64:
    return 1.0 / (1.0 + np.exp(-value))


def _visits(
    viewers: Viewers, days: int, sessions: float, plays: float, start_ms: int, rng: np.random.Generator
) -> tuple[Int64, Int64, Int64]:
    """Viewer, start (ms) and number of plays of every session; a viewer has at most one session a half day."""
    halves = 2 * days
    eager = np.exp(rng.normal(-0.245, 0.7, len(viewers)))  # mean 1
    count = np.minimum(rng.poisson(sessions * eager), halves)
    evening = np.where(np.arange(halves) % 2 == 1, 2.0, 1.0)
    chosen = np.argsort(rng.exponential(size=(len(viewers), halves)) / evening, axis=1)
    row, place = np.nonzero(np.arange(halves) < count[:, None])
    half = chosen[row, place]
    start = start_ms + half * (DAY_MS // 2) + (rng.random(len(row)) * 8 * 3_600_000).astype(np.int64)
    length = np.minimum(1 + rng.geometric(1.0 / (plays - 1.0), len(row)), _LONGEST)
    return row, start, length


def walk(
    viewers: Viewers,
    videos: Videos,
    *,
    days: int,
    sessions: float,
    plays: float,
    impressions: int,
    start_ms: int,
    seed: int,
) -> Logged:
    """Log the world: impressions (event 0), plays (1) and likes (2).

    A session begins with a play from taste or popularity. Under each video a slate is shown; the viewer looks at
    positions with falling chance and plays the first that attracts (what follows this video, its topic, taste,
    quality), or else finds a video elsewhere, without an impression. Watching and liking follow quality and taste.
    """
    rng = np.random.default_rng(seed).spawn(3)[2]
    policy = Policy(videos, viewers, start_ms, days)
    user, time, length = _visits(viewers, days, sessions, plays, start_ms, rng)
    slot = (time - start_ms) // _SLOT_MS
    none = np.full(len(user), -1, np.int64)
    played = np.full((len(user), _LONGEST), -1, np.int64)
    current, _ = policy.draw(user, none, slot, none[:, None], rng)
    parts: list[dict[str, npt.NDArray[Any]]] = []
    requests = 0

    def log(kind: int, rows: Int64, **columns: npt.NDArray[Any]) -> None:
        parts.append({"event": np.full(len(rows), kind, np.int8), "user": user[rows], **columns})

    rows = np.flatnonzero(current >= 0)
    main, position, request = none, none, none
    for step in range(_LONGEST):
        item = current[rows]
        played[rows, step] = item
        liking = policy.liking(user[rows], item)
        pull = 0.2 + 0.9 * videos.quality[item] + 0.7 * liking + 0.8 * rng.standard_normal(len(rows))
        watch_s = np.maximum(videos.duration_s[item] * _logistic(pull), 1.0).astype(np.float32)
        watch_ms = (watch_s.astype(np.float64) * 1000).astype(np.int64)
        log(
            1,
            rows,
            item=item,
            time=time[rows],
            watch_s=watch_s,
            main_item=main[rows],
            position=position[rows],
            request=request[rows],
        )
        likes = rng.random(len(rows)) < _logistic(-3.0 + 1.2 * videos.quality[item] + 0.8 * liking)
        log(2, rows[likes], item=item[likes], time=time[rows[likes]] + watch_ms[likes])
        shown_at = time[rows] + 400
        time[rows] += watch_ms + 1000 + (rng.random(len(rows)) * 15_000).astype(np.int64)
        goes_on = length[rows] > step + 1
        rows, shown_at = rows[goes_on], shown_at[goes_on]
        if not len(rows):
            break
        slate, chance = _slate(policy, user[rows], current[rows], slot[rows], played[rows], impressions, rng)
        number = requests + np.arange(len(rows), dtype=np.int64)
        requests += len(rows)
        line, place = np.nonzero(slate >= 0)
        log(
            0,
            rows[line],
            item=slate[line, place],
            time=shown_at[line],
            main_item=current[rows[line]],
            position=place,
            request=number[line],
            propensity=chance[line, place].astype(np.float32),
        )
        next_item, taken = _choose(policy, videos, user[rows], current[rows], slate, rng)
        elsewhere = np.flatnonzero(next_item < 0)
        context = rows[elsewhere]
        shown = np.concatenate((played[context], slate[elsewhere]), axis=1)
        next_item[elsewhere], _ = policy.draw(user[context], current[context], slot[context], shown, rng)
        main, position, request = none.copy(), none.copy(), none.copy()
        main[rows] = current[rows]
        position[rows] = taken
        request[rows] = np.where(taken >= 0, number, -1)
        current[rows] = next_item
        rows = rows[next_item >= 0]
    return _joined(parts)


def _slate(
    policy: Policy,
    user: Int64,
    main: Int64,
    slot: Int64,
    played: Int64,
    impressions: int,
    rng: np.random.Generator,
) -> tuple[Int64, Float64]:
    """Slates int64 [A, impressions], position by position without repeats, and each item's chance there."""
    slate = np.full((len(user), impressions), -1, np.int64)
    chance = np.zeros((len(user), impressions))
    for place in range(impressions):
        taken = np.concatenate((played, slate[:, :place]), axis=1)
        slate[:, place], chance[:, place] = policy.draw(user, main, slot, taken, rng)
    return slate, chance


def _choose(
    policy: Policy, videos: Videos, user: Int64, main: Int64, slate: Int64, rng: np.random.Generator
) -> tuple[Int64, Int64]:
    """The item int64 [A] each viewer plays from the slate and its position; -1 and -1 where none attracts."""
    follows = (slate[:, :, None] == videos.follow[main][:, None, :]).any(axis=2)
    same_topic = videos.topic[slate] == videos.topic[main][:, None]
    pull = (
        -1.6
        + 1.8 * follows
        + 0.8 * same_topic
        + 0.5 * policy.liking(user[:, None], slate)
        + 0.3 * videos.quality[slate]
    )
    looked = rng.random(slate.shape) < examined(slate.shape[1])
    plays = looked & (rng.random(slate.shape) < _logistic(pull)) & (slate >= 0)
    some, place = plays.any(axis=1), plays.argmax(axis=1)
    item = np.where(some, slate[np.arange(len(slate)), place], -1)
    return item, np.where(some, place, -1)


def _joined(parts: list[dict[str, npt.NDArray[Any]]]) -> Logged:
    missing: dict[str, tuple[float, Any]] = {
        "watch_s": (np.nan, np.float32),
        "main_item": (-1, np.int64),
        "position": (-1, np.int64),
        "request": (-1, np.int64),
        "propensity": (np.nan, np.float32),
    }
    columns: dict[str, npt.NDArray[Any]] = {}
    for name in ("user", "item", "time", "event", *missing):
        pieces = [part[name] if name in part else np.full(len(part["user"]), *missing[name]) for part in parts]
        columns[name] = np.concatenate(pieces)
    order = np.argsort(columns["time"], kind="stable")
    return Logged(**{name: column[order] for name, column in columns.items()})
