"""Source `kuairand`: short-video exposures of KuaiRand, CSV as published or Parquet.

Gao et al., "KuaiRand: An Unbiased Sequential Recommendation Dataset with Randomly Exposed Videos", CIKM 2022.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from yoorec.data.columns import Column
from yoorec.data.reading import read_table
from yoorec.data.sources.config import KuaiRandConfig
from yoorec.data.tables import Quality, Tables
from yoorec.errors import DataError

__all__ = ["KuaiRandSource"]

_EVENTS = ("impression", "click", "play", "like")
_LOCAL_MS = 8 * 3_600_000
"""`upload_dt` is a day in China (UTC+8)."""


class KuaiRandSource:
    """Per logged row an impression, then where the row has them a click and a play (is_click) and a like (is_like).

    `watch_s` of the play is play_time_ms / 1000. Rows that repeat a (user, video, time) are left out and noted.
    Where there is a ``user_history_*`` file, its `watch_seq` (what a user watched before the log, in order, without
    times) becomes the users' past.
    """

    def __init__(self, config: KuaiRandConfig) -> None:
        self._config = config

    def files(self) -> Sequence[Path]:
        """The log files, then the feature files and the history."""
        return [path for files in self._found() for path in files]

    def _found(self) -> tuple[list[Path], list[Path], list[Path], list[Path]]:
        path = self._config.path
        if not path.is_dir():
            raise DataError(f"{path}: there is no such folder")
        folder = path / "data" if not list(path.glob("log_standard_*")) and (path / "data").is_dir() else path

        def matching(stem: str) -> list[Path]:
            by_kind = [sorted(folder.glob(f"{stem}*{suffix}")) for suffix in (".csv", ".csv.gz", ".parquet")]
            kinds = [files for files in by_kind if files]
            if len(kinds) > 1:
                raise DataError(
                    f"{folder}: both {kinds[0][0].name} and {kinds[1][0].name} are there; keep one kind of file"
                )
            return kinds[0] if kinds else []

        stems = ("log_standard_", "user_features", "video_features_basic", "user_history_")
        log, users, videos, history = (matching(stem) for stem in stems)
        if not log:
            there = ", ".join(sorted(entry.name for entry in folder.iterdir())) or "nothing"
            raise DataError(f"{folder}: no log_standard_*.csv or .parquet; there is: {there}")
        return log, users, videos, history

    def read(self) -> Tables:
        """The tables. Raises DataError naming file, row, column and value."""
        log, users, videos, history = self._found()
        quality: dict[str, Quality] = {}
        rows, quality["events"] = read_table(
            "events",
            log,
            [
                Column("user_id", "user_id", "id", required=True),
                Column("item_id", "video_id", "id", required=True),
                Column("time", "time_ms", "time", required=True, unit="ms"),
                Column("is_click", "is_click", "whole", required=True),
                Column("is_like", "is_like", "whole", required=True),
                Column("play_time_ms", "play_time_ms", "amount", required=True),
            ],
            max_bad=self._config.max_bad,
        )
        kept = _first_of_each(rows)
        if len(kept) < rows.num_rows:
            note = f"{rows.num_rows - len(kept)} rows repeat the user, video and time of an earlier row; left out"
            quality["events"] = replace(quality["events"], notes=(note,))
            rows = rows.take(pa.array(kept))
        events = _events_of(rows)
        items, user_table = (
            pa.table({"item_id": pa.array([], pa.string())}),
            pa.table({"user_id": pa.array([], pa.string())}),
        )
        if videos:
            items, quality["items"] = read_table(
                "items",
                videos,
                [
                    Column("item_id", "video_id", "id", required=True),
                    Column("author", "author_id", "text", required=True),
                    Column("tags", "tag", "tags", required=True, separator=","),
                    Column("duration_ms", "video_duration", "amount", required=True),
                    Column("uploaded", "upload_dt", "date", unit="iso"),
                ],
                max_bad=self._config.max_bad,
                keep_rest=True,
                unique="item_id",
            )
            items = _items_of(items)
        if users:
            user_table, quality["users"] = read_table(
                "users",
                users,
                [Column("user_id", "user_id", "id", required=True)],
                max_bad=self._config.max_bad,
                keep_rest=True,
                unique="user_id",
            )
        past = None
        if history:
            past, quality["past"] = read_table(
                "past",
                history,
                [
                    Column("user_id", "user_id", "id", required=True),
                    Column("items", "watch_seq", "items", required=True),
                ],
                max_bad=self._config.max_bad,
                unique="user_id",
            )
        return Tables(events, items, user_table, quality=quality, past=past)


def _first_of_each(rows: pa.Table) -> npt.NDArray[np.int64]:
    """Rows int64 that are the first of their (user, video, time), in order."""
    user, item = (
        np.asarray(pc.dictionary_encode(rows[name].combine_chunks()).indices, np.int64)
        for name in ("user_id", "item_id")
    )
    time = np.asarray(rows["time"], np.int64)
    order = np.lexsort((np.arange(len(time)), item, user, time))
    same = (np.diff(user[order]) == 0) & (np.diff(item[order]) == 0) & (np.diff(time[order]) == 0)
    first = np.ones(len(time), np.bool_)
    first[order[1:][same]] = False
    return np.flatnonzero(first)


def _events_of(rows: pa.Table) -> pa.Table:
    """Up to four events a row, in the order impression, click, play, like."""
    click = np.asarray(pc.fill_null(rows["is_click"], 0)) > 0
    like = np.asarray(pc.fill_null(rows["is_like"], 0)) > 0
    happened = np.column_stack((np.ones(rows.num_rows, np.bool_), click, click, like))
    row, kind = np.nonzero(happened)
    watch_s = np.asarray(pc.fill_null(rows["play_time_ms"], np.nan), np.float32)[row] / np.float32(1000)
    watch_s[kind != _EVENTS.index("play")] = np.nan
    taken = rows.select(["user_id", "item_id", "time"]).take(pa.array(row))
    return taken.append_column("event", pc.take(pa.array(_EVENTS, pa.string()), pa.array(kind))).append_column(
        "watch_s", pc.replace_with_mask(pa.array(watch_s), np.isnan(watch_s), pa.scalar(None, pa.float32()))
    )


def _items_of(items: pa.Table) -> pa.Table:
    """Video features under yoorec's names; the category is the first tag."""
    tags = items["tags"].combine_chunks()
    several = pc.fill_null(pc.greater(pc.list_value_length(tags), 0), False)
    first = np.asarray(tags.offsets)[:-1]
    category = pc.take(
        tags.values,
        pa.array(np.where(np.asarray(several), first, 0), mask=~np.asarray(several), type=pa.int64()),
    )
    columns = {
        "item_id": items["item_id"],
        "author": items["author"],
        "tags": tags,
        "category": category,
        "duration_s": pc.cast(pc.divide(items["duration_ms"], pa.scalar(1000, pa.float32())), pa.float32()),
    }
    if "uploaded" in items.column_names:
        columns["published_at"] = pc.subtract(items["uploaded"], _LOCAL_MS)
    used = {"item_id", "author", "tags", "duration_ms", "uploaded"}
    columns |= {name: items[name] for name in items.column_names if name not in used}
    return pa.table(columns)
