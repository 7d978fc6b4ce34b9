"""The contract of merges."""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any, ClassVar

import numpy as np
import pytest

from yoorec.batch import CandidateBatch, RequestBatch
from yoorec.components import Kind
from yoorec.data.log import EventLog
from yoorec.testing import worlds
from yoorec.testing.columns import differences, frozen, one_by_one_sizes, slices
from yoorec.testing.contracts.component import ComponentContract

__all__ = ["MergeContract"]

_ALL = 10_000


class MergeContract(ComponentContract):
    """What every merge must hold; inherit, and set `component` and `configs`.

    `sources` names the triggers of the test scenario; a config that names triggers names these.
    """

    kind: ClassVar[Kind] = "merge"
    sources: ClassVar[tuple[str, ...]] = ("hot", "itemcf", "text")

    def log(self) -> EventLog:
        """The log whose catalogue and users the test requests come from."""
        return worlds.small_log()

    def recalled(self, log: EventLog, size: int, sources: tuple[str, ...] | None = None) -> dict[str, CandidateBatch]:
        """Overlapping candidates by trigger for `size` requests, some requests without any."""
        return worlds.small_recalled(log.catalogue, size, sources or self.sources)

    def merge(
        self, config: Any, requests: RequestBatch, recalled: Mapping[str, CandidateBatch], limit: int
    ) -> CandidateBatch:
        """What a fresh component makes of the candidates, checked."""
        merged: CandidateBatch = self.component(config, self.log().catalogue).merge(requests, recalled, limit)
        self.check(merged, requests, recalled, limit)
        return merged

    def check(
        self,
        merged: CandidateBatch,
        requests: RequestBatch,
        recalled: Mapping[str, CandidateBatch],
        limit: int,
    ) -> None:
        """Dtypes, order, uniqueness and limit hold; every source of every row has its score and rank."""
        merged.check()
        assert len(merged) == len(requests)
        assert int(merged.lengths.max(initial=0)) <= limit
        assert merged.sources == tuple(recalled)
        assert merged.source_score is not None
        assert merged.source_rank is not None
        assert merged.merge_score is not None, "merge_score is missing: it is what the ledger shows"
        assert merged.merge_score.tobytes() == merged.score.tobytes()
        for b in range(len(requests)):
            start, stop = merged.offsets[b : b + 2]
            items = merged.item[start:stop]
            for column, (name, candidates) in enumerate(recalled.items()):
                first, last = candidates.offsets[b : b + 2]
                place = {int(item): rank for rank, item in enumerate(candidates.item[first:last])}
                ranks = [place.get(int(item), -1) for item in items]
                assert merged.source_rank[start:stop, column].tolist() == ranks, f"source_rank of {name}, request {b}"
                scores = np.array([candidates.score[first + rank] if rank >= 0 else np.nan for rank in ranks], "f4")
                np.testing.assert_array_equal(merged.source_score[start:stop, column], scores)

    def test_keeps_every_source(self, config: Any) -> None:
        """Each row carries score and rank of every trigger that recalled it."""
        log = self.log()
        merged = self.merge(config, worlds.small_requests(log, 60), self.recalled(log, 60), 25)
        assert merged.source_rank is not None
        assert ((merged.source_rank >= 0).sum(axis=1) > 1).any(), "the test world lacks shared candidates"

    def test_loses_nothing_below_the_limit(self, config: Any) -> None:
        """With room for all, every candidate of every trigger is there once."""
        log = self.log()
        recalled = self.recalled(log, 60)
        merged = self.merge(config, worlds.small_requests(log, 60), recalled, _ALL)
        for b in range(60):
            union = {int(i) for c in recalled.values() for i in c.item[c.offsets[b] : c.offsets[b + 1]]}
            assert sorted(merged.item[merged.offsets[b] : merged.offsets[b + 1]].tolist()) == sorted(union)

    @pytest.mark.parametrize("limit", [1, 2, 5, 13])
    def test_fills_the_limit(self, config: Any, limit: int) -> None:
        """A request with enough candidates gets `limit` of them, one with fewer gets all."""
        log = self.log()
        requests, recalled = worlds.small_requests(log, 60), self.recalled(log, 60)
        merged = self.merge(config, requests, recalled, limit)
        whole = self.merge(config, requests, recalled, _ALL)
        assert merged.lengths.tolist() == np.minimum(whole.lengths, limit).tolist()

    @pytest.mark.parametrize("batch", one_by_one_sizes)
    def test_batch_equals_one_by_one(self, config: Any, batch: int) -> None:
        """The same bits at batch 1, 7 and 1,000."""
        log = self.log()
        rows = np.random.default_rng(5).integers(0, 300, 1000)
        requests = worlds.small_requests(log, 300).take(rows)
        recalled = {name: candidates.take(rows) for name, candidates in self.recalled(log, 300).items()}
        component = self.component(config, log.catalogue)
        whole = component.merge(requests, recalled, 25)
        parts = [
            component.merge(requests.take(some), {name: c.take(some) for name, c in recalled.items()}, 25)
            for some in slices(1000, batch)
        ]
        assert differences(CandidateBatch.join(parts), whole) == []

    def test_a_longer_catalogue(self, config: Any) -> None:
        """Under a catalogue with more items behind, old candidates merge as before; new ones are no error."""
        log = self.log()
        later = replace(log, catalogue=worlds.grown(log.catalogue))
        component = self.component(config, later.catalogue)
        requests, recalled = worlds.small_requests(log, 60), self.recalled(log, 60)
        assert differences(component.merge(requests, recalled, 25), self.merge(config, requests, recalled, 25)) == []
        met, recalled = worlds.meeting(requests, later.catalogue), self.recalled(later, 60)
        whole = component.merge(met, recalled, 25)
        self.check(whole, met, recalled, 25)
        parts = [
            component.merge(met.take(some), {name: found.take(some) for name, found in recalled.items()}, 25)
            for some in slices(60, 1)
        ]
        assert differences(CandidateBatch.join(parts), whole) == []

    def test_a_trigger_is_missing(self, config: Any) -> None:
        """A trigger that was left out has no candidates and breaks nothing, whichever it is."""
        log = self.log()
        requests = worlds.small_requests(log, 20)
        recalled = self.recalled(log, 20)
        for name in self.sources:
            rest = {other: candidates for other, candidates in recalled.items() if other != name}
            self.merge(config, requests, rest, 25)

    def test_no_candidates(self, config: Any) -> None:
        """Triggers that recalled nothing, no triggers at all, and no requests give no rows."""
        log = self.log()
        requests = worlds.small_requests(log, 8)
        empty = {name: CandidateBatch.empty(8) for name in self.sources}
        assert len(self.merge(config, requests, empty, 25).item) == 0
        assert len(self.merge(config, requests, {}, 25).item) == 0
        none = {name: CandidateBatch.empty(0) for name in self.sources}
        assert len(self.merge(config, requests.take(np.empty(0, np.int64)), none, 25)) == 0

    def test_non_finite_scores(self, config: Any) -> None:
        """NaN and infinite scores, last in a trigger's list, neither raise nor break the order."""
        log = self.log()
        recalled = self.recalled(log, 20)
        name = self.sources[0]
        score = recalled[name].score.copy()
        ends = recalled[name].offsets[1:][recalled[name].lengths > 1] - 1
        score[ends[::2]], score[ends[1::2]] = np.nan, -np.inf
        self.merge(
            config,
            worlds.small_requests(log, 20),
            recalled | {name: replace(recalled[name], score=score)},
            25,
        )

    def test_input_is_left_alone(self, config: Any) -> None:
        """Neither requests nor candidates are written to."""
        log = self.log()
        recalled = {name: frozen(candidates) for name, candidates in self.recalled(log, 20).items()}
        self.merge(config, frozen(worlds.small_requests(log, 20)), recalled, 25)

    def test_merges_from_several_threads(self, config: Any) -> None:
        """Threads that merge at the same time get what each would get alone."""
        log = self.log()
        requests, recalled = worlds.small_requests(log, 60), self.recalled(log, 60)
        component = self.component(config, log.catalogue)

        def merge(limit: int) -> CandidateBatch:
            found: CandidateBatch = component.merge(requests, recalled, limit)
            return found

        alone = [merge(limit) for limit in range(1, 17)]
        with ThreadPoolExecutor(4) as threads:
            together = list(threads.map(merge, range(1, 17)))
        for one, other in zip(alone, together, strict=True):
            assert differences(one, other) == []
