"""The contract of exposure rules."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any, ClassVar

import numpy as np
import pytest

from yoorec.batch import CandidateBatch, RequestBatch
from yoorec.components import ExposureContext, Kind
from yoorec.data.log import EventLog
from yoorec.testing import worlds
from yoorec.testing.columns import differences, frozen, one_by_one_sizes, slices
from yoorec.testing.contracts.component import ComponentContract

__all__ = ["RuleContract"]


class RuleContract(ComponentContract):
    """What every exposure rule must hold; inherit, and set `component` and `configs`.

    `adds`: whether the rule may add rows, as a backfill does.
    `sources` names the triggers of the test scenario; a config that names a trigger names one of these.
    """

    kind: ClassVar[Kind] = "exposure"
    adds: ClassVar[bool] = False
    sources: ClassVar[tuple[str, ...]] = ("hot", "itemcf", "text")

    def log(self) -> EventLog:
        """The log whose catalogue and users the test requests come from."""
        return worlds.small_log()

    def ranked(self, log: EventLog, size: int) -> CandidateBatch:
        """Ranked lists of `size` requests, some of them short or empty."""
        return worlds.small_merged(worlds.small_recalled(log.catalogue, size, self.sources, limit=12, seed=3))

    def context(self, log: EventLog) -> ExposureContext:
        """A chain whose every trigger recalls the items in order, and which has no earlier rule."""
        return ExposureContext(
            _InOrder(len(log.catalogue.items), self.sources), lambda requests, candidates: candidates
        )

    def apply(self, config: Any, log: EventLog, requests: RequestBatch, ranked: CandidateBatch) -> CandidateBatch:
        """What a fresh component makes of the lists, checked."""
        kept: CandidateBatch = self.component(config, log.catalogue).apply(requests, ranked, self.context(log))
        self.check(kept, requests, ranked)
        return kept

    def check(self, kept: CandidateBatch, requests: RequestBatch, ranked: CandidateBatch) -> None:
        """Dtypes and offsets hold, no item stands twice, kept rows have their columns as they were."""
        # The order need not follow the score any more, so only the rest of CandidateBatch.check applies.
        replace(kept, score=np.zeros(len(kept.item), np.float32)).rows(_by_item(kept), kept.offsets).check()
        assert kept.score.dtype == np.float32
        assert len(kept) == len(requests)
        assert kept.sources == ranked.sources
        for b in range(len(requests)):
            start, stop = kept.offsets[b : b + 2]
            first, last = ranked.offsets[b : b + 2]
            place = {int(item): row for row, item in enumerate(ranked.item[first:last], first)}
            rows = [place.get(int(item), -1) for item in kept.item[start:stop]]
            old = [start + i for i, row in enumerate(rows) if row >= 0]
            added = [int(kept.item[start + i]) for i, row in enumerate(rows) if row < 0]
            assert self.adds or not added, f"request {b}: items {added} were not in the list"
            one = np.array([0, len(old)], np.int64)
            same = differences(
                kept.rows(np.array(old, np.int64), one),
                ranked.rows(np.array([row for row in rows if row >= 0], np.int64), one),
            )
            assert not same, f"request {b}: columns of kept rows changed: {same}"

    def test_kept_rows(self, config: Any) -> None:
        """Rows are kept, dropped or moved; nothing else happens to them."""
        log = self.log()
        self.apply(config, log, worlds.small_requests(log, 60), self.ranked(log, 60))

    def test_does_something(self, config: Any) -> None:
        """A rule that leaves every list as it was would pass every other test."""
        log = self.log()
        ranked = self.ranked(log, 60)
        kept = self.apply(config, log, worlds.small_requests(log, 60), ranked)
        assert kept.item.tolist() != ranked.item.tolist()

    @pytest.mark.parametrize("batch", one_by_one_sizes)
    def test_batch_equals_one_by_one(self, config: Any, batch: int) -> None:
        """The same bits at batch 1, 7 and 1,000."""
        log = self.log()
        rows = np.random.default_rng(5).integers(0, 200, 1000)
        requests, ranked = worlds.small_requests(log, 200).take(rows), self.ranked(log, 200).take(rows)
        component, context = self.component(config, log.catalogue), self.context(log)
        whole = component.apply(requests, ranked, context)
        parts = [component.apply(requests.take(some), ranked.take(some), context) for some in slices(1000, batch)]
        assert differences(CandidateBatch.join(parts), whole) == []

    @pytest.mark.parametrize("k", [1, 3, 8])
    def test_a_shorter_slate_is_the_start_of_a_longer(self, config: Any, k: int) -> None:
        """What k = 12 shows first is what a smaller k shows."""
        log = self.log()
        requests, ranked = worlds.small_requests(log, 60), self.ranked(log, 60)
        short = self.apply(config, log, replace(requests, k=np.full(60, k, np.int32)), ranked)
        long = self.apply(config, log, replace(requests, k=np.full(60, 12, np.int32)), ranked)
        for b in range(60):
            one = short.item[short.offsets[b] : short.offsets[b + 1]][:k].tolist()
            assert one == long.item[long.offsets[b] : long.offsets[b + 1]][:k].tolist(), f"request {b}"

    def test_a_longer_catalogue(self, config: Any) -> None:
        """Under a catalogue with more items behind, old lists become what they did before; new items are no error."""
        log = self.log()
        later = replace(log, catalogue=worlds.grown(log.catalogue))
        requests, ranked, context = worlds.small_requests(log, 60), self.ranked(log, 60), self.context(log)
        component = self.component(config, later.catalogue)
        before = self.component(config, log.catalogue).apply(requests, ranked, context)
        assert differences(component.apply(requests, ranked, context), before) == []
        met, ranked, context = worlds.meeting(requests, later.catalogue), self.ranked(later, 60), self.context(later)
        whole = self.apply(config, later, met, ranked)
        parts = [component.apply(met.take(some), ranked.take(some), context) for some in slices(60, 1)]
        assert differences(CandidateBatch.join(parts), whole) == []

    def test_nothing_ranked(self, config: Any) -> None:
        """Empty lists, and no requests at all."""
        log = self.log()
        requests, ranked = worlds.small_requests(log, 9), self.ranked(log, 9)
        empty = ranked.rows(np.empty(0, np.int64), np.zeros(10, np.int64))
        kept = self.apply(config, log, requests, empty)
        assert self.adds or len(kept.item) == 0
        nobody = np.empty(0, np.int64)
        assert len(self.apply(config, log, requests.take(nobody), ranked.take(nobody))) == 0

    def test_one_candidate(self, config: Any) -> None:
        """Lists of one, for users known and unknown."""
        log = self.log()
        ranked = self.ranked(log, 60)
        some = np.flatnonzero(ranked.lengths > 0)
        single = ranked.rows(ranked.offsets[some], np.arange(len(some) + 1))
        self.apply(config, log, worlds.small_requests(log, 60).take(some), single)
        self.apply(config, log, worlds.blank_requests(log.catalogue, len(some)), single)

    def test_input_is_left_alone(self, config: Any) -> None:
        """Neither requests nor lists are written to."""
        log = self.log()
        self.apply(config, log, frozen(worlds.small_requests(log, 60)), frozen(self.ranked(log, 60)))

    def test_applies_from_several_threads(self, config: Any) -> None:
        """Threads that apply the rule at the same time get what each would get alone."""
        log = self.log()
        component, context = self.component(config, log.catalogue), self.context(log)
        requests, ranked = worlds.small_requests(log, 60), self.ranked(log, 60)

        def apply(size: int) -> CandidateBatch:
            some = np.arange(size)
            found: CandidateBatch = component.apply(requests.take(some), ranked.take(some), context)
            return found

        alone = [apply(size) for size in range(20, 36)]
        with ThreadPoolExecutor(4) as threads:
            together = list(threads.map(apply, range(20, 36)))
        for one, other in zip(alone, together, strict=True):
            assert differences(one, other) == []


class _InOrder:
    """A trigger inside a chain: items in index order, in the chain's columns."""

    def __init__(self, items: int, sources: tuple[str, ...]) -> None:
        self._items = items
        self._sources = sources

    def __call__(self, trigger: str, requests: RequestBatch, k: int) -> CandidateBatch:
        size, each = len(requests), min(k, self._items)
        rows = size * each
        item = np.tile(np.arange(each, dtype=np.int32), size)
        score = (-item).astype(np.float32)
        source_score = np.full((rows, len(self._sources)), np.nan, np.float32)
        source_rank = np.full((rows, len(self._sources)), -1, np.int32)
        column = self._sources.index(trigger)
        source_score[:, column], source_rank[:, column] = score, item
        offsets = np.arange(size + 1, dtype=np.int64) * each
        nothing = np.full(rows, np.nan, np.float32)
        return CandidateBatch(offsets, item, score, self._sources, source_score, source_rank, nothing)


def _by_item(kept: CandidateBatch) -> np.ndarray:
    request = np.repeat(np.arange(len(kept)), kept.lengths)
    return np.lexsort((kept.item, request))
