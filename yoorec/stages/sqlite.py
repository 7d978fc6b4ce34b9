"""Profile store `sqlite`: the whole log's plays in one file, a row a user, read as of each request's time."""

from __future__ import annotations

import sqlite3
import threading
from collections import OrderedDict
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import quote

import numpy as np
import numpy.typing as npt

from yoorec.batch import UNTIMED, Ragged
from yoorec.components import ProfileView
from yoorec.errors import ArtifactError
from yoorec.ragged import plays_before
from yoorec.stages.attributes import attribute_columns
from yoorec.stages.configs import SqliteConfig

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from yoorec.data.catalogue import Catalogue
    from yoorec.data.log import EventLog

__all__ = ["SqliteProfiles"]

_FILE = "profiles.sqlite"
_FORMAT = 1
_ENTRY_BYTES = 512  # what a cached user costs besides the plays themselves


class _History(NamedTuple):
    """One user's plays, oldest first, in the log's order."""

    item: npt.NDArray[np.int32]
    time: npt.NDArray[np.int64]
    weight: npt.NDArray[np.float32]


_NOBODY = _History(np.empty(0, np.int32), np.empty(0, np.int64), np.empty(0, np.float32))


class SqliteProfiles:
    """Users' plays from ``profiles.sqlite``, their attributes from the catalogue.

    Tables: ``plays(user INTEGER PRIMARY KEY, item BLOB, time BLOB, weight BLOB)`` with little-endian int32,
    int64 (ms) and float32, a user's plays in the log's order; ``meta(key TEXT PRIMARY KEY, value INTEGER)``
    with format, users, items and plays. The same log gives the same bytes under the same SQLite.
    """

    def __init__(self, config: SqliteConfig, catalogue: Catalogue) -> None:
        self._catalogue = catalogue
        self._room = config.cache_mb * 1_000_000
        self._lock = threading.Lock()  # guards everything below; kernels run outside it
        self._cached: OrderedDict[int, _History] = OrderedDict()
        self._held = 0
        self._file: sqlite3.Connection | None = None
        self._path = Path(_FILE)
        self._columns: dict[str, npt.NDArray[np.object_]] = {}

    def build(self, log: EventLog, folder: Path) -> None:
        """Write the whole log's plays, and before them the untimed past, into ``folder/profiles.sqlite``."""
        plays = log.plays()
        past = Ragged.empty(len(log.catalogue.users)) if log.past is None else log.past
        owner = np.repeat(np.arange(len(past), dtype=np.int32), np.diff(past.offsets))
        played_by = np.concatenate([owner, plays.user])
        order = np.argsort(played_by, kind="stable")  # so a user's past stands before the plays of the log
        user = played_by[order]
        item = np.concatenate([past.item, plays.item])[order].astype("<i4")
        time = np.concatenate([np.full(len(owner), UNTIMED), plays.time])[order].astype("<i8")
        weight = np.concatenate([np.ones(len(owner), np.float32), plays.weight])[order].astype("<f4")
        users, starts = np.unique(user, return_index=True)
        bounds = [*starts.tolist(), len(user)]

        def rows() -> Iterator[tuple[int, memoryview, memoryview, memoryview]]:
            for who, start, stop in zip(users.tolist(), bounds[:-1], bounds[1:], strict=True):
                yield who, item[start:stop].data, time[start:stop].data, weight[start:stop].data

        meta = {
            "format": _FORMAT,
            "users": len(log.catalogue.users),
            "items": len(log.catalogue.items),
            "plays": len(user),
        }
        file = sqlite3.connect(folder / _FILE, isolation_level=None)
        try:
            # A crash leaves a folder that was never published, so neither journal nor sync is needed.
            file.execute("PRAGMA journal_mode = OFF")
            file.execute("PRAGMA synchronous = OFF")
            file.execute("BEGIN")
            file.execute("CREATE TABLE meta (key TEXT PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID")
            file.execute(
                "CREATE TABLE plays (user INTEGER PRIMARY KEY, item BLOB NOT NULL, "
                "time BLOB NOT NULL, weight BLOB NOT NULL)"
            )
            file.executemany("INSERT INTO meta VALUES (?, ?)", meta.items())
            file.executemany("INSERT INTO plays VALUES (?, ?, ?, ?)", rows())
            file.execute("COMMIT")
        finally:
            file.close()

    def open(self, folder: Path) -> None:
        """Read from what `build` wrote. Raises ArtifactError naming the file where it is something else."""
        path = folder / _FILE
        try:
            file = sqlite3.connect(
                f"file:{quote(str(path.absolute()))}?mode=ro&immutable=1", uri=True, check_same_thread=False
            )
        except sqlite3.Error as error:
            raise ArtifactError(f"{path}: can't be opened: {error}") from error
        try:
            meta = dict(file.execute("SELECT key, value FROM meta"))
        except sqlite3.Error as error:
            file.close()
            raise ArtifactError(f"{path}: is no profile store: {error}") from error
        most = {"users": len(self._catalogue.users), "items": len(self._catalogue.items)}
        # Both may have grown since, at their ends.
        if meta.get("format") != _FORMAT or not all(0 <= meta.get(key, -1) <= most[key] for key in most):
            file.close()
            found = {key: meta.get(key) for key in ("format", *most)}
            raise ArtifactError(
                f"{path}: was built for {_told(found)}, expected format {_FORMAT}, at most {_told(most)}"
            )
        self.close()
        with self._lock:
            self._file, self._path = file, path
            self._columns = attribute_columns(self._catalogue.user_columns)

    def read(self, user: npt.NDArray[np.int32], time: npt.NDArray[np.int64], history: int) -> ProfileView:
        """Profiles of users [B] as of times [B], from plays strictly earlier; of equal times the later in the
        log first.

        Raises ArtifactError where a row of the file can't be read, RuntimeError where the store is not open.
        """
        slots: dict[int, int] = {}
        slot = np.array([slots.setdefault(who, len(slots)) for who in user.tolist()], np.int64)
        with self._lock:
            found = [self._one(who) for who in slots]
            columns = self._columns
        bounds = np.zeros(len(found) + 1, np.int64)
        np.cumsum([len(one.item) for one in found], out=bounds[1:])
        one = _NOBODY if not found else _History(*(np.concatenate(parts) for parts in zip(*found, strict=True)))
        plays, seen = plays_before(bounds[slot], bounds[slot + 1], one.item, one.time, one.weight, time, history)
        return ProfileView(plays, seen, {name: column[user] for name, column in columns.items()})

    def close(self) -> None:
        """Let go of the file and of every cached user."""
        with self._lock:
            if self._file is not None:
                self._file.close()
            self._file = None
            self._cached.clear()
            self._held = 0

    def _one(self, user: int) -> _History:
        cached = self._cached.get(user)
        if cached is not None:
            self._cached.move_to_end(user)
            return cached
        if self._file is None:
            raise RuntimeError("the profile store is not open")
        if user < 0:
            return _NOBODY
        try:
            row = self._file.execute("SELECT item, time, weight FROM plays WHERE user = ?", (user,)).fetchone()
            one = _NOBODY if row is None else _decoded(*row)
        except (sqlite3.Error, ValueError, TypeError) as error:
            raise ArtifactError(f"{self._path}: user {user} can't be read: {error}") from error
        self._cached[user] = one
        self._held += _bytes(one)
        while self._held > self._room and len(self._cached) > 1:
            self._held -= _bytes(self._cached.popitem(last=False)[1])
        return one


def _decoded(item: bytes, time: bytes, weight: bytes) -> _History:
    one = _History(
        np.frombuffer(item, "<i4").astype(np.int32, copy=False),
        np.frombuffer(time, "<i8").astype(np.int64, copy=False),
        np.frombuffer(weight, "<f4").astype(np.float32, copy=False),
    )
    if not len(one.item) == len(one.time) == len(one.weight):
        raise ValueError(f"{len(one.item)} items, {len(one.time)} times and {len(one.weight)} weights")
    return one


def _bytes(one: _History) -> int:
    return one.item.nbytes + one.time.nbytes + one.weight.nbytes + _ENTRY_BYTES


def _told(meta: Mapping[str, int | None]) -> str:
    return ", ".join(f"{key} {value}" for key, value in meta.items())
