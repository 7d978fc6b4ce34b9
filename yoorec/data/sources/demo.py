"""Source `demo`: the demo world, a seeded log in which every kind of trigger has something to find."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from yoorec.data.sources.config import DemoConfig
from yoorec.data.sources.walk import Logged, walk
from yoorec.data.sources.world import AGE_BANDS, GENDERS, REGIONS, TOPICS, Videos, Viewers, plant
from yoorec.data.tables import Quality, Tables
from yoorec.errors import DataError

__all__ = ["DemoSource"]

_EVENTS = ("impression", "play", "like")


class DemoSource:
    """Generates the three tables. Same config, same tables, bit for bit.

    Planted: tastes that follow gender, age band and region; topics and themes in title, tags, category, author and
    cover; specific followers of each video; Zipf popularity; newer videos shown more; position bias in what is
    looked at; and the exact chance of each impression, given those above it, as `propensity`. The log names no
    sessions: they are an hour or two apart at least, so any usual gap cuts them right.
    """

    def __init__(self, config: DemoConfig) -> None:
        self._config = config
        try:
            start = datetime.fromisoformat(config.start)
        except ValueError:
            raise DataError(f"data.start: '{config.start}' is no date; accepted: a date such as 2024-01-01") from None
        self._start_ms = round((start if start.tzinfo else start.replace(tzinfo=UTC)).timestamp() * 1000)

    def files(self) -> Sequence[Path]:
        """None: the world is generated."""
        return ()

    def read(self) -> Tables:
        """The tables; covers are drawn on the way where the config asks for them."""
        config = self._config
        viewers, videos = plant(config.users, config.items, config.days, self._start_ms, config.seed)
        logged = walk(
            viewers,
            videos,
            days=config.days,
            sessions=config.sessions,
            plays=config.plays,
            impressions=config.impressions,
            start_ms=self._start_ms,
            seed=config.seed,
        )
        user_ids, item_ids = _ids("u", len(viewers)), _ids("v", len(videos))
        events = _events_of(logged, user_ids, item_ids)
        items = self._items(videos, item_ids)
        users = _users_of(viewers, user_ids)
        quality = {
            "events": Quality(events.num_rows),
            "items": Quality(items.num_rows),
            "users": Quality(users.num_rows),
        }
        return Tables(events, items, users, quality=quality)

    def _items(self, videos: Videos, item_ids: pa.Array) -> pa.Table:
        columns = {
            "item_id": item_ids,
            "title": pa.array(videos.titles, pa.string()),
            "tags": pa.array(videos.tags, pa.list_(pa.string())),
            "category": _named(tuple(TOPICS), videos.topic),
            "author": pa.array([f"a{number:03d}" for number in videos.author.tolist()], pa.string()),
            "duration_s": pa.array(videos.duration_s),
            "published_at": pa.array(videos.published_at),
        }
        if self._config.draw:
            from yoorec.data.sources.drawing import draw_covers  # only a world with covers needs Pillow

            drawn = draw_covers(videos.topic.tolist(), videos.theme.tolist(), self._config.seed)
            folder = self._config.folder
            if folder is None:
                columns["cover"] = pa.array(list(drawn), pa.binary())
            else:
                folder.mkdir(parents=True, exist_ok=True)
                paths = [folder / f"{name}.png" for name in item_ids.to_pylist()]
                for path, image in zip(paths, drawn, strict=True):
                    path.write_bytes(image)
                columns["cover"] = pa.array([str(path) for path in paths], pa.string())
        return pa.table(columns)


def _ids(letter: str, size: int) -> pa.Array:
    width = len(str(size - 1))
    return pa.array([f"{letter}{number:0{width}d}" for number in range(size)], pa.string())


def _named(names: tuple[str, ...], codes: npt.NDArray[np.integer]) -> pa.Array:
    return pc.take(pa.array(names, pa.string()), pa.array(codes))


def _users_of(viewers: Viewers, user_ids: pa.Array) -> pa.Table:
    return pa.table(
        {
            "user_id": user_ids,
            "gender": _named(GENDERS, viewers.gender),
            "age_band": _named(AGE_BANDS, viewers.age_band),
            "region": _named(REGIONS, viewers.region),
        }
    )


def _events_of(logged: Logged, user_ids: pa.Array, item_ids: pa.Array) -> pa.Table:
    request = pa.array(logged.request, mask=logged.request < 0)
    return pa.table(
        {
            "user_id": pc.take(user_ids, pa.array(logged.user)),
            "item_id": pc.take(item_ids, pa.array(logged.item)),
            "time": pa.array(logged.time),
            "event": _named(_EVENTS, logged.event),
            "watch_s": pa.array(logged.watch_s, mask=np.isnan(logged.watch_s)),
            "main_item_id": pc.take(item_ids, pa.array(logged.main_item, mask=logged.main_item < 0)),
            "position": pa.array(logged.position.astype(np.int32), mask=logged.position < 0),
            "request_id": pc.binary_join_element_wise("r", pc.cast(request, pa.string()), ""),
            "propensity": pa.array(logged.propensity, mask=np.isnan(logged.propensity)),
        }
    )
