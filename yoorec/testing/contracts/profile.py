"""The contract of profile stores."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest

from yoorec.batch import UNTIMED
from yoorec.components import Kind, ProfileView
from yoorec.data.log import EventLog
from yoorec.testing import worlds
from yoorec.testing.columns import columns_of, one_by_one_sizes, slices
from yoorec.testing.contracts.component import ComponentContract, check_saved

__all__ = ["ProfileContract"]

_HISTORY = 8


class ProfileContract(ComponentContract):
    """What every profile store must hold; inherit, and set `component` and `configs`."""

    kind: ClassVar[Kind] = "profile"

    def log(self) -> EventLog:
        """The log to build from."""
        return worlds.small_log()

    @contextmanager
    def opened(self, config: Any, log: EventLog, folder: Path) -> Iterator[Any]:
        """A store of the whole log, built by one object and opened by another."""
        folder.mkdir()
        self.component(config, log.catalogue).build(log, folder)
        check_saved(folder)
        store = self.component(config, log.catalogue)
        store.open(folder)
        try:
            yield store
        finally:
            store.close()

    def asked(self, log: EventLog, size: int = 80) -> tuple[np.ndarray, np.ndarray]:
        """Users, unknown ones among them, and times: before, within, at events of the log, and after it."""
        rng = np.random.default_rng(2)
        user = rng.integers(-1, len(log.catalogue.users), size).astype(np.int32)
        time = rng.choice(log.time, size)
        plays = log.plays()
        rows = rng.integers(0, len(plays), size // 2)
        user[: size // 2], time[: size // 2] = plays.user[rows], plays.time[rows]
        time[::7] += 1
        time[:2] = log.time[0], log.time[-1] + 1
        return user, time.astype(np.int64)

    def test_reads_as_of_the_time(self, config: Any, tmp_path: Path) -> None:
        """History and seen items are those strictly earlier, newest first, against a slow count."""
        log = self.log()
        user, time = self.asked(log)
        plays = log.plays()
        with self.opened(config, log, tmp_path / "profile") as store:
            view: ProfileView = store.read(user, time, _HISTORY)
        view.history.check()
        view.seen.check()
        assert len(view.history) == len(view.seen) == len(user)
        for b in range(len(user)):
            earlier = np.flatnonzero((plays.user == user[b]) & (plays.time < time[b]) & (user[b] >= 0))
            start, stop = view.history.offsets[b : b + 2]
            assert stop - start <= _HISTORY
            expected = np.unique(np.stack([-plays.time[earlier], plays.item[earlier]]), axis=1)[0]
            assert (-view.history.time[start:stop]).tolist() in (
                np.sort(-plays.time[earlier])[:_HISTORY].tolist(),
                expected[:_HISTORY].tolist(),
            ), f"request {b}: plays of one item at one time may stand once or as often as logged"
            known = set(zip(plays.item[earlier].tolist(), plays.time[earlier].tolist(), strict=True))
            found = set(
                zip(
                    view.history.item[start:stop].tolist(),
                    view.history.time[start:stop].tolist(),
                    strict=True,
                )
            )
            assert found <= known, f"request {b}"
            seen = view.seen.item[view.seen.offsets[b] : view.seen.offsets[b + 1]]
            assert set(seen.tolist()) == set(plays.item[earlier].tolist()), f"request {b}"

    def test_the_untimed_past_is_older_than_every_play(self, config: Any, tmp_path: Path) -> None:
        """What `log.past` holds comes after the last play, newest first, UNTIMED, and counts as seen at any time."""
        log = worlds.with_past(self.log())
        past, plays = log.past, log.plays()
        assert past is not None
        user = np.arange(-1, len(log.catalogue.users), dtype=np.int32)
        before, after = (np.full(len(user), when, np.int64) for when in (log.time[0] - 1, log.time[-1] + 1))
        with self.opened(config, log, tmp_path / "profile") as store:
            early, late = store.read(user, before, 1000), store.read(user, after, 1000)
        for b, who in enumerate(user.tolist()):
            own = past.item[past.offsets[who] : past.offsets[who + 1]].tolist() if who >= 0 else []
            start, stop = early.history.offsets[b : b + 2]
            found = early.history.item[start:stop].tolist()
            # A play that is known twice at one time may stand once: of the untimed ones, the newest.
            assert found in (own[::-1], list(dict.fromkeys(own[::-1]))), f"user {who}"
            assert (early.history.time[start:stop] == UNTIMED).all()
            assert set(early.seen.item[early.seen.offsets[b] : early.seen.offsets[b + 1]].tolist()) == set(own)
            start, stop = late.history.offsets[b : b + 2]
            timed = int((late.history.time[start:stop] != UNTIMED).sum())
            assert timed > 0 or not (plays.user == who).any()
            assert late.history.item[start + timed : stop].tolist() == found, f"user {who}"

    def test_attributes(self, config: Any, tmp_path: Path) -> None:
        """Every user column of the catalogue is there; None or NaN where missing or the user is unknown."""
        log = self.log()
        user, time = self.asked(log)
        with self.opened(config, log, tmp_path / "profile") as store:
            view: ProfileView = store.read(user, time, _HISTORY)
        assert sorted(view.columns) == sorted(log.catalogue.user_columns.column_names)
        for name, column in view.columns.items():
            values = log.catalogue.user_columns[name].to_pylist()
            expected = [None if number < 0 else values[number] for number in user.tolist()]
            found = [None if value is None or value != value else value for value in column.tolist()]
            assert found == expected, name

    @pytest.mark.parametrize("batch", one_by_one_sizes)
    def test_batch_equals_one_by_one(self, config: Any, batch: int, tmp_path: Path) -> None:
        """The same bits at batch 1, 7 and 1,000."""
        log = self.log()
        user, time = self.asked(log, 1000)
        with self.opened(config, log, tmp_path / "profile") as store:
            whole = _rows(store.read(user, time, _HISTORY))
            parts = [_rows(store.read(user[some], time[some], _HISTORY)) for some in slices(1000, batch)]
        assert [row for part in parts for row in part] == whole

    def test_a_longer_catalogue(self, config: Any, tmp_path: Path) -> None:
        """A store opens under a catalogue with more items and users behind: old users read as before, new ones are
        empty.
        """
        log = self.log()
        later = worlds.grown(log.catalogue)
        user, time = self.asked(log)
        with self.opened(config, log, tmp_path / "profile") as store:
            before = _rows(store.read(user, time, _HISTORY))
        store = self.component(config, later)
        store.open(tmp_path / "profile")
        try:
            assert _rows(store.read(user, time, _HISTORY)) == before
            new = np.arange(len(log.catalogue.users), len(later.users), dtype=np.int32)
            view: ProfileView = store.read(new, np.full(len(new), time.max()), _HISTORY)
        finally:
            store.close()
        assert len(view.history.item) == len(view.seen.item) == 0
        for name, column in view.columns.items():
            assert all(value is None or value != value for value in column.tolist()), name

    def test_empty(self, config: Any, tmp_path: Path) -> None:
        """No events, no plays, and no requests."""
        log = self.log()
        user, time = self.asked(log)
        for name, small in {
            "events": log.before(int(log.time[0])),
            "plays": worlds.without_plays(log),
        }.items():
            with self.opened(config, small, tmp_path / name) as store:
                view: ProfileView = store.read(user, time, _HISTORY)
                assert len(view.history.item) == len(view.seen.item) == 0
        with self.opened(config, log, tmp_path / "profile") as store:
            assert len(store.read(user[:0], time[:0], _HISTORY).history) == 0

    def test_reads_from_several_threads(self, config: Any, tmp_path: Path) -> None:
        """Threads that read at the same time get what each would get alone."""
        log = self.log()
        user, time = self.asked(log)
        with self.opened(config, log, tmp_path / "profile") as store:

            def read(size: int) -> list[list[bytes]]:
                return _rows(store.read(user[:size], time[:size], _HISTORY))

            alone = [read(size) for size in range(20, 36)]
            with ThreadPoolExecutor(4) as threads:
                assert list(threads.map(read, range(20, 36))) == alone


def _rows(view: ProfileView) -> list[list[bytes]]:
    """Each request's part of a view, as bytes."""
    rows = []
    for b in range(len(view.history)):
        one = np.array([b])
        parts = {**columns_of(view.history.take(one)), **columns_of(view.seen.take(one))}
        attributes = [repr(view.columns[name][b]).encode() for name in sorted(view.columns)]
        rows.append([column.tobytes() for column in parts.values()] + attributes)
    return rows
