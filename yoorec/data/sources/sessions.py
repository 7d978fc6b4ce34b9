"""Source `sessions`: pre-split session data as the session-based papers use it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from yoorec.data.columns import Column
from yoorec.data.files import expand
from yoorec.data.reading import read_table
from yoorec.data.sources.config import SessionsConfig
from yoorec.data.tables import Quality, Tables

__all__ = ["SessionsSource"]


class SessionsSource:
    """Train sessions as events, test rows as `given`.

    Session n (from 0) is the only session of user ``s<n>``. Time is the running number of the event over the file, in
    ms, since the data has order and no times: within a session events are 1 ms apart.
    """

    def __init__(self, config: SessionsConfig) -> None:
        self._config = config

    def files(self) -> Sequence[Path]:
        """The train file and, where there is one, the test file."""
        test = self._config.test
        return [*expand(self._config.train), *(expand(test) if test is not None else ())]

    def read(self) -> Tables:
        """The tables. Raises DataError naming file, row, column and value."""
        config = self._config
        quality: dict[str, Quality] = {}
        train, quality["events"] = read_table(
            "events",
            expand(config.train),
            [Column("items", "items", "items", required=True)],
            max_bad=config.max_bad,
        )
        lists = train["items"].combine_chunks()
        names = pc.binary_join_element_wise("s", pc.cast(pa.array(np.arange(len(lists))), pa.string()), "")
        user = pc.take(names, pc.list_parent_indices(lists))
        item = pc.cast(pc.list_flatten(lists), pa.string())
        events = pa.table(
            {
                "user_id": user,
                "item_id": item,
                "time": pa.array(np.arange(len(item), dtype=np.int64)),
                "event": pa.repeat(pa.scalar("play", pa.string()), len(item)),
                "session_id": user,
            }
        )
        given = None
        if config.test is not None:
            given, quality["given"] = read_table(
                "given",
                expand(config.test),
                [
                    Column("prefix", "prefix", "items", required=True),
                    Column("target", "target", "id", required=True),
                ],
                max_bad=config.max_bad,
            )
        items = pa.table({"item_id": pc.unique(item)})
        return Tables(events, items, pa.table({"user_id": names}), given, quality)
