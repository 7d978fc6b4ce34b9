"""The profile contract passes a sound store and catches each way of being unsound."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest

from yoorec.artifacts.arrays import load_arrays, save_arrays
from yoorec.batch import UNTIMED, Plays, Ragged
from yoorec.components import ComponentSpec, ProfileView
from yoorec.data.catalogue import Catalogue
from yoorec.data.log import EventLog
from yoorec.testing.contracts import ProfileContract


@dataclass(frozen=True, slots=True)
class FilesConfig:
    pass


class Files:
    """Plays in arrays, searched anew for each request."""

    late = 0
    """Milliseconds beyond the request's time that it sees, for the mutant below."""
    before_all = UNTIMED
    """The time it gives to what was played before the log."""

    def __init__(self, config: FilesConfig, catalogue: Catalogue) -> None:
        self.catalogue = catalogue

    def build(self, log: EventLog, folder: Path) -> None:
        plays = log.plays()
        past = log.past or Ragged.empty(len(log.catalogue.users))
        owner = np.repeat(np.arange(len(past)), np.diff(past.offsets))
        save_arrays(
            folder,
            user=np.concatenate([owner, plays.user]),
            item=np.concatenate([past.item, plays.item]),
            time=np.concatenate([np.full(len(owner), self.before_all), plays.time]),
            weight=np.concatenate([np.ones(len(owner), np.float32), plays.weight]),
        )

    def open(self, folder: Path) -> None:
        self.user, self.item, self.time, self.weight = load_arrays(folder, "user", "item", "time", "weight")

    def read(self, user: Any, time: Any, history: int) -> ProfileView:
        rows = [
            np.flatnonzero((self.user == user[b]) & (self.time < time[b] + self.late))[::-1] for b in range(len(user))
        ]
        latest = [own[:history] for own in rows]
        one, other = _flat(latest), _flat(rows)
        columns = {}
        for name in self.catalogue.user_columns.column_names:
            values = np.array([*self.catalogue.user_columns[name].to_pylist(), None], object)
            columns[name] = values[user]
        return ProfileView(
            Plays(_offsets(latest), self.item[one], self.time[one], self.weight[one]),
            Ragged(_offsets(rows), self.item[other]),
            columns,
        )

    def close(self) -> None:
        pass


def _flat(rows: list[Any]) -> Any:
    return np.concatenate([*rows, np.empty(0, np.int64)]).astype(np.int64)


def _offsets(rows: list[Any]) -> Any:
    return np.concatenate([[0], np.cumsum([len(own) for own in rows])]).astype(np.int64)


class FilesContract(ProfileContract):
    component = Files
    configs: ClassVar = [FilesConfig()]

    def spec(self) -> ComponentSpec:
        return ComponentSpec("profile", "files", FilesConfig, f"{__name__}:Files", "plays in arrays")


class TestFiles(FilesContract):
    def test_is_found_by_its_entry_point(self) -> None:
        """A class of a test module has no entry point."""
        assert ProfileContract.kind == "profile"


def _contract(**changes: Any) -> ProfileContract:
    return type("Contract", (FilesContract,), {"component": type("Changed", (Files,), changes)})()


def test_reading_the_moment_itself_is_caught(tmp_path: Path) -> None:
    with pytest.raises(AssertionError, match="request"):
        _contract(late=1).test_reads_as_of_the_time(FilesConfig(), tmp_path)


def test_refusing_a_longer_catalogue_is_caught(tmp_path: Path) -> None:
    def build(self: Files, log: EventLog, folder: Path) -> None:
        Files.build(self, log, folder)
        save_arrays(folder, items=np.array(len(self.catalogue.items)))

    def open_(self: Files, folder: Path) -> None:
        Files.open(self, folder)
        (items,) = load_arrays(folder, "items")
        assert int(items) == len(self.catalogue.items), "another catalogue"

    with pytest.raises(AssertionError, match="another catalogue"):
        _contract(build=build, open=open_).test_a_longer_catalogue(FilesConfig(), tmp_path)


def test_oldest_first_is_caught(tmp_path: Path) -> None:
    def read(self: Files, user: Any, time: Any, history: int) -> ProfileView:
        view = Files.read(self, user, time, history)
        return replace(view, history=replace(view.history, time=view.history.time[::-1]))

    with pytest.raises((AssertionError, ValueError)):
        _contract(read=read).test_reads_as_of_the_time(FilesConfig(), tmp_path)


def test_a_short_memory_of_seen_items_is_caught(tmp_path: Path) -> None:
    def read(self: Files, user: Any, time: Any, history: int) -> ProfileView:
        view = Files.read(self, user, time, history)
        return replace(view, seen=Ragged(view.history.offsets, view.history.item))

    with pytest.raises(AssertionError, match="request"):
        _contract(read=read).test_reads_as_of_the_time(FilesConfig(), tmp_path)


def test_an_invented_time_of_the_past_is_caught(tmp_path: Path) -> None:
    with pytest.raises(AssertionError):
        _contract(before_all=0).test_the_untimed_past_is_older_than_every_play(FilesConfig(), tmp_path)


def test_a_missing_attribute_is_caught(tmp_path: Path) -> None:
    def read(self: Files, user: Any, time: Any, history: int) -> ProfileView:
        return replace(Files.read(self, user, time, history), columns={})

    with pytest.raises(AssertionError):
        _contract(read=read).test_attributes(FilesConfig(), tmp_path)
