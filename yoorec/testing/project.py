"""A project for tests: a scenario with its data in a folder of its own, to be replayed and asked."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from omegaconf import OmegaConf

from yoorec.testing import worlds

if TYPE_CHECKING:
    from yoorec.data.log import EventLog
    from yoorec.replay.report import Report
    from yoorec.scene import Scene

__all__ = ["Project", "write_project", "write_tables"]


@dataclass(frozen=True, slots=True)
class Project:
    """A scenario on disk.

    path: the scenario's YAML file; its data and its artifacts stand beside it.
    """

    path: Path

    @property
    def folder(self) -> Path:
        """The folder that holds everything."""
        return self.path.parent

    def scene(self, *overrides: str) -> Scene:
        """The scene, fitted where it has no release yet; close it after use."""
        import yoorec

        return yoorec.load(self.path, overrides)

    def replay(self, *overrides: str, requests: int | None = None) -> dict[str, Any]:
        """What replay writes to report.json, as plain values."""
        from yoorec.config.compose import load_scenario
        from yoorec.plugins import load_plugins
        from yoorec.replay.replay import replay

        plugins = load_plugins()
        report: Report = replay(load_scenario(self.path, overrides, plugins), plugins, requests=requests)
        folder = self.folder / "report"
        report.write(folder)
        found: dict[str, Any] = json.loads((folder / "report.json").read_text(encoding="utf-8"))
        return found

    def recommend(self, *overrides: str, **request: Any) -> dict[str, Any]:
        """The answer to one request, given as `Scene.recommend` takes it: ``recommend(item_id="i07")``."""
        scene = self.scene(*overrides)
        try:
            return scene.recommend(**request)
        finally:
            scene.close()


def write_tables(folder: Path, log: EventLog) -> dict[str, str]:
    """Write a log and its catalogue as Parquet; returns the file of each table, by the table's name."""
    catalogue = log.catalogue
    events = {
        "user_id": catalogue.users.decode(log.user),
        "item_id": catalogue.items.decode(log.item),
        "time": log.time,
        "event": [log.events[code] for code in log.event.tolist()],
        "session_id": [str(number) for number in log.session.tolist()],
        "watch_s": pa.array(log.watch_s, from_pandas=True),
    }
    tables = {
        "events": pa.table(events),
        "items": catalogue.item_columns.add_column(0, "item_id", [list(catalogue.items.ids)]),
        "users": catalogue.user_columns.add_column(0, "user_id", [list(catalogue.users.ids)]),
    }
    for name, table in tables.items():
        pq.write_table(table, folder / f"{name}.parquet")
    return {name: f"{name}.parquet" for name in tables}


def write_project(folder: Path, log: EventLog | None = None, **sections: Any) -> Project:
    """Write a log's tables and a scenario over them into `folder`.

    log:      `small_log` where none is given.
    sections: what the scenario says besides its data, section by section, such as
              ``triggers={"hot": {"use": "hot"}}``; a mapping in place of a whole default section replaces it.
    """
    folder.mkdir(parents=True, exist_ok=True)
    log = worlds.small_log() if log is None else log
    scenario: dict[str, Any] = {
        "defaults": ["yoorec/base", "_self_"],
        "scene": "small",
        "store": ".yoorec",
        "data": {"use": "tables", **write_tables(folder, log)},
        "merge": {"use": "round_robin"},
        **{name: _plain(value) for name, value in sections.items()},
    }
    path = folder / "scenario.yaml"
    path.write_text(OmegaConf.to_yaml(OmegaConf.create(scenario)), encoding="utf-8")
    return Project(path)


def _plain(value: Any) -> Any:
    """Values that YAML can hold: paths, dates and numpy numbers become plain ones."""
    if isinstance(value, Mapping):
        return {str(key): _plain(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(each) for each in value]
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat()
    return str(value) if isinstance(value, Path) else value
