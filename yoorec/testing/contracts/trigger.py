"""The contract of triggers."""

from __future__ import annotations

import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest

from yoorec.batch import CandidateBatch, Plays, RequestBatch
from yoorec.components import FitContext, Kind
from yoorec.data.log import EventLog
from yoorec.errors import DataError
from yoorec.testing import worlds
from yoorec.testing.columns import differences, frozen, one_by_one_sizes, slices
from yoorec.testing.contracts.component import ComponentContract, bytes_of, check_saved

__all__ = ["TriggerContract"]

_LIMIT = 20


class TriggerContract(ComponentContract):
    """What every trigger must hold; inherit, and set `component` and `configs`.

    Override `log` where the component needs columns that `yoorec.testing.worlds.small_log` lacks.
    """

    kind: ClassVar[Kind] = "trigger"

    def log(self) -> EventLog:
        """The log to learn from: a few hundred to a few thousand events."""
        return worlds.small_log()

    def twin_log(self) -> EventLog:
        """A log whose items come in pairs that can't be told apart, so that scores tie."""
        return worlds.twin_log()

    def small_world(self, world: str) -> EventLog:
        """A log too small to learn from: no events, no plays, no recent ones, one item, one user, ..."""
        if world == "no events":
            log = self.log()
            return log.before(int(log.time[0]))
        if world == "no plays":
            return worlds.without_plays(self.log())
        if world == "no recent plays":
            log = self.log()
            return log.before(int(log.time[-1]) + 400 * worlds.DAY_MS)
        if world == "one event":
            return worlds.first_play(self.log())
        if world == "one item":
            return worlds.small_log(users=5, items=1, events=20)
        if world == "one user":
            return worlds.small_log(users=1, items=8, events=20)
        return worlds.small_log(users=0, items=0, events=0)

    def requests(self, log: EventLog, size: int = 60) -> RequestBatch:
        """Requests after the log's end; repeated ones among them."""
        some = worlds.small_requests(log, max(size * 2 // 3, 1))
        return some.take(np.arange(size) % len(some))

    def context(self, log: EventLog, threads: int = 1) -> FitContext:
        """What a fit on `log` is given. Override where the component needs more, such as the triggers it is made of."""
        return FitContext(seed=1, threads=threads)

    def fitted(self, config: Any, log: EventLog, threads: int = 1) -> Any:
        """A fresh component that has learned from `log`."""
        component = self.component(config, log.catalogue)
        if self.spec().learns != "nothing":
            component.fit(log, self.context(log, threads))
        return component

    def saved(self, component: Any, folder: Path) -> dict[str, bytes]:
        """What the component saves into `folder`, by file."""
        folder.mkdir()
        component.save(folder)
        check_saved(folder)
        return bytes_of(folder)

    def check(self, found: CandidateBatch, requests: RequestBatch, k: int, log: EventLog) -> None:
        """Dtypes, offsets, order, uniqueness, at most k rows a request, only items of the catalogue."""
        found.check()
        assert len(found) == len(requests)
        assert found.sources == ()
        assert int(found.lengths.max(initial=0)) <= k
        assert int(found.item.max(initial=-1)) < len(log.catalogue.items)

    # -- recall

    def test_finds_something(self, config: Any) -> None:
        """A trigger that never recalls anything would pass every other test."""
        log = self.log()
        requests = self.requests(log)
        found = self.fitted(config, log).recall(requests, _LIMIT)
        self.check(found, requests, _LIMIT, log)
        assert len(found.item), "no candidate for any of the requests"

    @pytest.mark.parametrize("batch", one_by_one_sizes)
    @pytest.mark.parametrize("world", ["plain", "twins"])
    def test_batch_equals_one_by_one(self, config: Any, world: str, batch: int) -> None:
        """The same bits at batch 1, 7 and 1,000, with repeated requests and tied scores."""
        log = self.log() if world == "plain" else self.twin_log()
        requests = self.requests(log, 1000)
        component = self.fitted(config, log)
        shuffled = np.random.default_rng(5).permutation(len(requests))
        whole = component.recall(requests.take(shuffled), _LIMIT)
        self.check(whole, requests, _LIMIT, log)
        parts = [component.recall(requests.take(rows), _LIMIT) for rows in slices(len(requests), batch)]
        found = differences(CandidateBatch.join(parts).take(shuffled), whole)
        assert not found, f"batches of {batch} differ from one of 1,000: {found}"

    def test_no_requests(self, config: Any) -> None:
        """A batch of none gives a batch of none."""
        log = self.log()
        requests = self.requests(log).take(np.empty(0, np.int64))
        self.check(self.fitted(config, log).recall(requests, _LIMIT), requests, _LIMIT, log)

    def test_nothing_to_recall_from(self, config: Any) -> None:
        """Unknown user, no main item, empty session: any list is fine, raising is not."""
        log = self.log()
        requests = worlds.blank_requests(log.catalogue, time=int(log.time[-1]) + 1)
        self.check(self.fitted(config, log).recall(requests, _LIMIT), requests, _LIMIT, log)

    def test_items_never_played(self, config: Any) -> None:
        """A main item and a session of which the log knows no play: any list is fine, raising is not."""
        log = self.log()
        rows = np.flatnonzero(log.item % 3 != 0)
        component = self.fitted(config, log.rows(rows))
        requests = self.requests(log)
        unplayed = (np.arange(len(requests)) * 3 % max(len(log.catalogue.items) - 2, 1) // 3 * 3).astype(np.int32)
        session = Plays(
            np.arange(len(requests) + 1, dtype=np.int64),
            unplayed,
            requests.time - 1,
            np.ones(len(requests), np.float32),
        )
        cold = replace(requests, item=unplayed, session=session, history=session)
        found = component.recall(cold, _LIMIT)
        self.check(found, cold, _LIMIT, log)
        alone = component.recall(cold.take(np.array([1])), _LIMIT)
        assert differences(alone, found.take(np.array([1]))) == []

    @pytest.mark.parametrize("columns", [True, False], ids=["empty columns", "no columns"])
    def test_users_without_attributes(self, config: Any, columns: bool) -> None:
        """Users of whom nothing is known are served; a component that needs a column may refuse with a DataError
        that names it, but only where the table has no such column.
        """
        log = worlds.without_attributes(self.log(), columns)
        requests = self.requests(log)
        try:
            component = self.fitted(config, log)
        except DataError as error:
            assert not columns, f"the columns are there, though empty: {error}"
            assert any(repr(name) in str(error) for name in self.log().catalogue.user_columns.column_names), str(error)
            return
        self.check(component.recall(requests, _LIMIT), requests, _LIMIT, log)

    @pytest.mark.parametrize("k", [0, 1, 100_000])
    def test_any_k(self, config: Any, k: int) -> None:
        """k = 0 gives no rows, k beyond the catalogue at most the catalogue."""
        log = self.log()
        requests = self.requests(log)
        found = self.fitted(config, log).recall(requests, k)
        self.check(found, requests, k, log)
        assert int(found.lengths.max()) <= len(log.catalogue.items)

    def test_later_requests(self, config: Any) -> None:
        """A month after the last event recall still works, and still depends on no batch."""
        log = self.log()
        now = self.requests(log)
        later = replace(now, time=now.time + 30 * worlds.DAY_MS)
        component = self.fitted(config, log)
        whole = component.recall(later, _LIMIT)
        self.check(whole, later, _LIMIT, log)
        mixed = component.recall(_interleaved(now, later), _LIMIT).take(np.arange(1, 2 * len(now), 2))
        assert differences(mixed, whole) == []

    def test_recalls_from_several_threads(self, config: Any) -> None:
        """Threads that recall at the same time get what each would get alone."""
        log = self.log()
        component = self.fitted(config, log)
        runs = [self.requests(log, size) for size in range(20, 36)]
        alone = [component.recall(requests, _LIMIT) for requests in runs]
        interval = sys.getswitchinterval()
        sys.setswitchinterval(1e-5)  # short turns, so that recalls of a few milliseconds meet each other
        try:
            with ThreadPoolExecutor(4) as threads:
                together = list(threads.map(lambda requests: component.recall(requests, _LIMIT), runs))
        finally:
            sys.setswitchinterval(interval)
        for one, other in zip(alone, together, strict=True):
            assert differences(one, other) == []

    def test_input_is_left_alone(self, config: Any) -> None:
        """Neither the log nor the requests are written to."""
        log = frozen(self.log())
        requests = frozen(self.requests(log))
        self.check(self.fitted(config, log).recall(requests, _LIMIT), requests, _LIMIT, log)

    # -- fit

    @pytest.mark.parametrize(
        "world", ["no events", "no plays", "no recent plays", "one item", "one user", "one event", "no catalogue"]
    )
    def test_small_worlds(self, config: Any, world: str, tmp_path: Path) -> None:
        """A log too small to learn from makes a component that loads and gives few candidates or none."""
        log = self.small_world(world)
        component = self.fitted(config, log)
        requests = (
            worlds.small_requests(log, 9) if len(log.catalogue.users) else worlds.blank_requests(log.catalogue, 9)
        )
        found = component.recall(requests, _LIMIT)
        self.check(found, requests, _LIMIT, log)
        if self.spec().learns == "nothing":
            return
        self.saved(component, tmp_path / "artifact")
        fresh = self.component(config, log.catalogue)
        fresh.load(tmp_path / "artifact")
        assert differences(fresh.recall(requests, _LIMIT), found) == []

    def test_round_trip(self, config: Any, tmp_path: Path) -> None:
        """A fresh object that loads what was saved recalls the same bits; loading changes no file."""
        self._needs_fit()
        log = self.log()
        requests = self.requests(log)
        component = self.fitted(config, log)
        before = self.saved(component, tmp_path / "first")
        fresh = self.component(config, log.catalogue)
        fresh.load(tmp_path / "first")
        assert differences(fresh.recall(requests, _LIMIT), component.recall(requests, _LIMIT)) == []
        assert bytes_of(tmp_path / "first") == before, "load changed the saved files"

    @pytest.mark.parametrize("known", [False, True], ids=["unknown items", "known items"])
    def test_a_longer_catalogue(self, config: Any, known: bool, tmp_path: Path) -> None:
        """What was learned under a catalogue serves under one with more items behind: new ones are no error, and where
        nothing is known of them, requests that don't hold them get the same bits as before.
        """
        self._needs_fit()
        log = self.log()
        requests = self.requests(log, 210)
        component = self.fitted(config, log)
        self.saved(component, tmp_path / "artifact")
        later = replace(log, catalogue=worlds.grown(log.catalogue, known=known))
        fresh = self.component(config, later.catalogue)
        fresh.load(tmp_path / "artifact")
        if not known:
            found = differences(fresh.recall(requests, _LIMIT), component.recall(requests, _LIMIT))
            assert not found, f"requests without new items differ: {found}"
        met = worlds.meeting(requests, later.catalogue)
        whole = fresh.recall(met, _LIMIT)
        self.check(whole, met, _LIMIT, later)
        for batch in one_by_one_sizes:
            parts = [fresh.recall(met.take(rows), _LIMIT) for rows in slices(len(met), batch)]
            found = differences(CandidateBatch.join(parts), whole)
            assert not found, f"requests with new items differ at batches of {batch}: {found}"
        self.check(fresh.recall(met, 100_000), met, 100_000, later)

    def test_two_fits_give_the_same_bytes(self, config: Any, tmp_path: Path) -> None:
        """Same log and seed, same artifact."""
        self._needs_fit()
        first = self.saved(self.fitted(config, self.log()), tmp_path / "first")
        second = self.saved(self.fitted(config, self.log()), tmp_path / "second")
        _check_same_files(first, second)

    def test_threads_do_not_change_the_artifact(self, config: Any, tmp_path: Path) -> None:
        """One worker thread or three, same artifact."""
        self._needs_fit()
        log = self.log()
        one = self.saved(self.fitted(config, log, threads=1), tmp_path / "one")
        three = self.saved(self.fitted(config, log, threads=3), tmp_path / "three")
        _check_same_files(one, three)

    def test_refit_forgets(self, config: Any, tmp_path: Path) -> None:
        """An object fitted on one log and then on another is as if fitted on the other alone."""
        self._needs_fit()
        log = self.log()
        middle = log.before(int(log.time[len(log) // 2]))
        component = self.fitted(config, log)
        component.fit(middle, self.context(middle))
        _check_same_files(
            self.saved(component, tmp_path / "again"),
            self.saved(self.fitted(config, middle), tmp_path / "fresh"),
        )

    def test_load_replaces(self, config: Any, tmp_path: Path) -> None:
        """An object that loads again answers from what it loaded last."""
        self._needs_fit()
        log = self.log()
        middle = log.before(int(log.time[len(log) // 2]))
        requests = self.requests(log)
        early, late = self.fitted(config, middle), self.fitted(config, log)
        self.saved(early, tmp_path / "early")
        expected = early.recall(requests, _LIMIT)
        late.recall(requests, _LIMIT)
        late.load(tmp_path / "early")
        assert differences(late.recall(requests, _LIMIT), expected) == []

    def test_learns_nothing_at_or_after_the_cut(self, config: Any, tmp_path: Path) -> None:
        """Events at or after the cut leave no trace in the artifact, whatever they hold."""
        self._needs_fit()
        log = self.log()
        cut = int(log.time[len(log) * 3 // 4])
        clean = self.saved(self.fitted(config, log.before(cut)), tmp_path / "clean")
        spoiled = self.saved(self.fitted(config, worlds.spoiled_after(log, cut).before(cut)), tmp_path / "spoiled")
        _check_same_files(clean, spoiled)

    def test_items_alone(self, config: Any, tmp_path: Path) -> None:
        """A component that says it learns from items alone gives the same artifact for any events."""
        if self.spec().learns != "items":
            pytest.skip(f"learns from {self.spec().learns}")
        log = self.log()
        some = self.saved(self.fitted(config, log), tmp_path / "some")
        none = self.saved(self.fitted(config, log.before(int(log.time[0]))), tmp_path / "none")
        _check_same_files(some, none)

    def _needs_fit(self) -> None:
        if self.spec().learns == "nothing":
            pytest.skip("learns nothing")


def _interleaved(first: RequestBatch, second: RequestBatch) -> RequestBatch:
    """Requests of `first`, each followed by its like of `second`; the two differ in nothing but time."""
    pairs = first.take(np.repeat(np.arange(len(first)), 2))
    return replace(pairs, time=np.stack([first.time, second.time], axis=1).ravel())


def _check_same_files(first: dict[str, bytes], second: dict[str, bytes]) -> None:
    assert sorted(first) == sorted(second), "other files"
    unlike = [name for name in first if first[name] != second[name]]
    assert not unlike, f"these files differ: {', '.join(unlike)}"
