"""Source `tables`: a user's own files, with column mapping."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import pyarrow as pa

from yoorec.data.columns import EVENT_COLUMNS, ITEM_COLUMNS, USER_COLUMNS, Column
from yoorec.data.files import expand
from yoorec.data.reading import read_table
from yoorec.data.sources.config import TablesConfig
from yoorec.data.tables import Quality, Tables
from yoorec.errors import DataError, nearest

__all__ = ["TablesSource"]

_REQUIRED = {"events": ("user_id", "item_id", "time"), "items": ("item_id",), "users": ("user_id",)}
_KNOWN = {"events": EVENT_COLUMNS, "items": ITEM_COLUMNS, "users": USER_COLUMNS}


class TablesSource:
    """Events, and items and users where there are any, from files of any of the three kinds."""

    def __init__(self, config: TablesConfig) -> None:
        self._config = config
        for table, columns in config.columns.items():
            if table not in _KNOWN:
                close = nearest(table, _KNOWN)
                raise DataError(
                    f"data.columns: '{table}' is no table"
                    + (f"; nearest: {close}" if close else "")
                    + f"; accepted: {', '.join(_KNOWN)}"
                )
            if table == "events":
                for name in columns:
                    if name not in EVENT_COLUMNS:
                        close = nearest(name, EVENT_COLUMNS)
                        raise DataError(
                            f"data.columns.events: '{name}' is no column of events"
                            + (f"; nearest: {close}" if close else "")
                            + f"; accepted: {', '.join(EVENT_COLUMNS)}"
                        )

    def files(self) -> Sequence[Path]:
        """Every file named, patterns expanded."""
        given = (self._config.events, self._config.items, self._config.users)
        return [path for paths in given if paths is not None for path in expand(paths)]

    def read(self) -> Tables:
        """The tables. Raises DataError naming file, row, column and value."""
        config = self._config
        quality: dict[str, Quality] = {}
        events, quality["events"] = read_table(
            "events", expand(config.events), self._columns("events"), max_bad=config.max_bad
        )
        if "event" not in events.column_names:
            events = events.append_column("event", pa.repeat(pa.scalar(config.event, pa.string()), events.num_rows))
        found: dict[str, pa.Table] = {}
        for table, paths, key in (
            ("items", config.items, "item_id"),
            ("users", config.users, "user_id"),
        ):
            if paths is None:
                found[table] = pa.table({key: pa.array([], pa.string())})
                continue
            found[table], quality[table] = read_table(
                table,
                expand(paths),
                self._columns(table),
                max_bad=config.max_bad,
                keep_rest=True,
                unique=key,
            )
        return Tables(events, found["items"], found["users"], quality=quality)

    def _columns(self, table: str) -> list[Column]:
        config = self._config
        mapped: Mapping[str, str] = config.columns.get(table, {})
        known = _KNOWN[table]
        unit = config.time_unit if table == "events" else config.published_unit or config.time_unit
        columns = [
            Column(
                name,
                mapped.get(name, name),
                kind,
                required=name in _REQUIRED[table] or name in mapped,
                unit=unit,
                separator=config.tags_separator,
                names=config.event_types if name == "event" else {},
            )
            for name, kind in known.items()
        ]
        others = [(name, source) for name, source in mapped.items() if name not in known]
        return [*columns, *(Column(name, source, "text", required=True) for name, source in others)]
