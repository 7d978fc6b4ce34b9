"""The contract of rankers."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt
import pytest

from yoorec.batch import CandidateBatch, RequestBatch
from yoorec.components import FitContext, Kind, RankSamples
from yoorec.data.log import EventLog
from yoorec.testing import worlds
from yoorec.testing.columns import frozen, one_by_one_sizes, slices
from yoorec.testing.contracts.component import ComponentContract, bytes_of, check_saved

__all__ = ["RankerContract"]


class RankerContract(ComponentContract):
    """What every ranker must hold; inherit, and set `component` and `configs`.

    `sources` names the triggers of the test scenario; a config that names triggers names these.
    """

    kind: ClassVar[Kind] = "ranker"
    sources: ClassVar[tuple[str, ...]] = ("hot", "itemcf", "text")

    def log(self) -> EventLog:
        """The log whose catalogue and users the test requests come from."""
        return worlds.small_log()

    def samples(self, log: EventLog) -> RankSamples:
        """What to learn from."""
        return worlds.small_samples(log, 120, self.sources)

    def merged(self, log: EventLog, size: int = 60) -> CandidateBatch:
        """Merged candidates to score."""
        return worlds.small_merged(worlds.small_recalled(log.catalogue, size, self.sources, seed=3))

    def fitted(
        self,
        config: Any,
        log: EventLog,
        samples: RankSamples | None = None,
        context: FitContext | None = None,
    ) -> Any:
        """A fresh component, fitted where it says that it needs to be."""
        component = self.component(config, log.catalogue)
        if component.needs_fit():
            component.fit(samples or self.samples(log), context or FitContext(seed=1))
        return component

    def score(self, component: Any, requests: RequestBatch, merged: CandidateBatch) -> npt.NDArray[np.float32]:
        """The component's scores, one finite float32 per row."""
        found: npt.NDArray[np.float32] = component.score(requests, merged)
        assert found.dtype == np.float32
        assert found.shape == merged.item.shape
        assert np.isfinite(found).all(), "a ranker's scores are finite"
        return found

    def test_scores_tell_candidates_apart(self, config: Any) -> None:
        """A ranker that gives every row one score would pass every other test."""
        log = self.log()
        merged = self.merged(log)
        assert len(np.unique(self.score(self.fitted(config, log), worlds.small_requests(log, 60), merged))) > 1

    @pytest.mark.parametrize("batch", one_by_one_sizes)
    def test_batch_equals_one_by_one(self, config: Any, batch: int) -> None:
        """The same bits at batch 1, 7 and 1,000."""
        log = self.log()
        rows = np.random.default_rng(5).integers(0, 200, 1000)
        requests, merged = worlds.small_requests(log, 200).take(rows), self.merged(log, 200).take(rows)
        component = self.fitted(config, log)
        whole = self.score(component, requests, merged)
        parts = [self.score(component, requests.take(some), merged.take(some)) for some in slices(len(requests), batch)]
        unlike = np.flatnonzero(np.concatenate(parts).view(np.uint32) != whole.view(np.uint32))
        assert not len(unlike), (
            f"{len(unlike)} of {len(whole)} scores differ at batches of {batch}, first at {unlike[0]}"
        )

    def test_a_trigger_is_missing(self, config: Any) -> None:
        """A trigger that was left out counts as one that recalled nothing, bit for bit."""
        log = self.log()
        requests = worlds.small_requests(log, 60)
        component = self.fitted(config, log)
        for place in range(len(self.sources)):
            absent, silent = _without(self.merged(log), place)
            one, other = self.score(component, requests, absent), self.score(component, requests, silent)
            assert one.tobytes() == other.tobytes(), f"without {self.sources[place]}"

    def test_nothing_to_score(self, config: Any) -> None:
        """No candidates and no requests give no scores."""
        log = self.log()
        component = self.fitted(config, log)
        merged, requests = self.merged(log), worlds.small_requests(log, 60)
        none = merged.rows(np.empty(0, np.int64), np.zeros(61, np.int64))
        assert len(self.score(component, requests, none)) == 0
        nobody = np.empty(0, np.int64)
        assert len(self.score(component, requests.take(nobody), merged.take(nobody))) == 0

    def test_blank_requests(self, config: Any) -> None:
        """Candidates of requests with no user, item, session or attributes are scored."""
        log = self.log()
        blank = worlds.blank_requests(log.catalogue, 60, time=int(log.time[-1]) + 1)
        self.score(self.fitted(config, log), blank, self.merged(log))

    def test_input_is_left_alone(self, config: Any) -> None:
        """Neither samples nor requests nor candidates are written to."""
        log = self.log()
        samples = frozen(self.samples(log))
        component = self.fitted(config, log, samples)
        self.score(component, frozen(worlds.small_requests(log, 60)), frozen(self.merged(log)))

    def test_scores_from_several_threads(self, config: Any) -> None:
        """Threads that score at the same time get what each would get alone."""
        log = self.log()
        component = self.fitted(config, log)
        requests, merged = worlds.small_requests(log, 60), self.merged(log)
        runs = [np.arange(size) for size in range(20, 36)]

        def score(rows: npt.NDArray[np.int64]) -> bytes:
            return self.score(component, requests.take(rows), merged.take(rows)).tobytes()

        alone = [score(rows) for rows in runs]
        with ThreadPoolExecutor(4) as threads:
            assert list(threads.map(score, runs)) == alone

    # -- fit

    def test_round_trip(self, config: Any, tmp_path: Path) -> None:
        """A fresh object that loads what was saved scores the same bits."""
        log = self.log()
        component = self._fitted_or_skip(config, log)
        self._saved(component, tmp_path / "first")
        fresh = self.component(config, log.catalogue)
        fresh.load(tmp_path / "first")
        requests, merged = worlds.small_requests(log, 60), self.merged(log)
        assert self.score(fresh, requests, merged).tobytes() == self.score(component, requests, merged).tobytes()

    def test_a_longer_catalogue(self, config: Any, tmp_path: Path) -> None:
        """What was learned under a catalogue scores under one with more items behind, the old candidates as before."""
        log = self.log()
        later = replace(log, catalogue=worlds.grown(log.catalogue))
        component, fresh = self.fitted(config, log), self.component(config, later.catalogue)
        if component.needs_fit():
            self._saved(component, tmp_path / "artifact")
            fresh.load(tmp_path / "artifact")
        requests, merged = worlds.small_requests(log, 60), self.merged(log)
        assert self.score(fresh, requests, merged).tobytes() == self.score(component, requests, merged).tobytes()
        met, merged = worlds.meeting(requests, later.catalogue), self.merged(later)
        whole = self.score(fresh, met, merged)
        parts = [self.score(fresh, met.take(some), merged.take(some)) for some in slices(60, 1)]
        assert np.concatenate(parts).tobytes() == whole.tobytes(), "scores of new items depend on the batch"

    def test_two_fits_give_the_same_bytes(self, config: Any, tmp_path: Path) -> None:
        """Same samples and seed, same artifact, on one thread or three."""
        log = self.log()
        first = self._saved(self._fitted_or_skip(config, log), tmp_path / "first")
        again = self._saved(self.fitted(config, log), tmp_path / "again")
        three = self._saved(self.fitted(config, log, context=FitContext(seed=1, threads=3)), tmp_path / "three")
        assert first == again
        assert first == three

    @pytest.mark.parametrize("world", ["no positives", "all positive", "one request", "no rows"])
    def test_poor_samples(self, config: Any, world: str, tmp_path: Path) -> None:
        """Samples that teach nothing make a ranker that loads and gives finite scores."""
        log = self.log()
        self._fitted_or_skip(config, log)
        component = self.fitted(config, log, _poor(self.samples(log), world))
        self._saved(component, tmp_path / "artifact")
        fresh = self.component(config, log.catalogue)
        fresh.load(tmp_path / "artifact")
        self.score(fresh, worlds.small_requests(log, 60), self.merged(log))

    def _saved(self, component: Any, folder: Path) -> dict[str, bytes]:
        folder.mkdir()
        component.save(folder)
        check_saved(folder)
        return bytes_of(folder)

    def _fitted_or_skip(self, config: Any, log: EventLog) -> Any:
        if not self.component(config, log.catalogue).needs_fit():
            pytest.skip("this config needs no fit")
        return self.fitted(config, log)


def _without(merged: CandidateBatch, place: int) -> tuple[CandidateBatch, CandidateBatch]:
    """The candidates without one trigger's column, and with the column empty."""
    assert merged.source_score is not None
    assert merged.source_rank is not None
    kept = [column for column in range(len(merged.sources)) if column != place]
    score, rank = merged.source_score.copy(), merged.source_rank.copy()
    score[:, place], rank[:, place] = np.nan, -1
    names = tuple(merged.sources[column] for column in kept)
    absent = replace(merged, sources=names, source_score=score[:, kept].copy(), source_rank=rank[:, kept].copy())
    return absent, replace(merged, source_score=score, source_rank=rank)


def _poor(samples: RankSamples, world: str) -> RankSamples:
    if world == "no positives":
        return replace(samples, label=np.zeros_like(samples.label), missed=samples.truths)
    if world == "all positive":
        return replace(samples, label=np.ones_like(samples.label), truths=len(samples.label), missed=0)
    kept = np.flatnonzero(samples.candidates.lengths > 0)[:1] if world == "one request" else np.empty(0, np.int64)
    candidates = samples.candidates.take(kept)
    label = np.zeros(len(candidates.item), np.float32)
    label[:1] = 1
    return RankSamples(samples.requests.take(kept), candidates, label, truths=len(kept), missed=0)
