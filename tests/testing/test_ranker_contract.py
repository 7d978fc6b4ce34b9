"""The ranker contract passes a sound ranker and catches each way of being unsound."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest

from yoorec.artifacts.arrays import load_arrays, save_arrays
from yoorec.batch import CandidateBatch, RequestBatch
from yoorec.components import ComponentSpec, FitContext, RankSamples
from yoorec.data.catalogue import Catalogue
from yoorec.testing.contracts import RankerContract


@dataclass(frozen=True, slots=True)
class RateConfig:
    learned: bool = True


class Rate:
    """How often candidates at a trigger's rank were right, the best trigger's word taken."""

    def __init__(self, config: RateConfig, catalogue: Catalogue) -> None:
        self.config = config
        self.rate = (1 / np.arange(1, 65)).astype(np.float32)

    def needs_fit(self) -> bool:
        return self.config.learned

    def fit(self, samples: RankSamples, context: FitContext) -> None:
        rank = self._rank(samples.candidates)
        shown = np.bincount(rank, minlength=64)[:64]
        right = np.bincount(rank, samples.label, 64)[:64]
        self.rate = ((right + 1) / (shown + 2)).astype(np.float32)

    def save(self, folder: Path) -> None:
        save_arrays(folder, rate=self.rate)

    def load(self, folder: Path) -> None:
        (self.rate,) = load_arrays(folder, "rate")

    def score(self, requests: RequestBatch, merged: CandidateBatch) -> Any:
        return self.rate[self._rank(merged)]

    def _rank(self, merged: CandidateBatch) -> Any:
        assert merged.source_rank is not None
        rank = np.where(merged.source_rank < 0, 63, merged.source_rank)
        return np.minimum(rank.min(axis=1, initial=63), 63)


class RateContract(RankerContract):
    component = Rate
    configs: ClassVar = [RateConfig(), RateConfig(learned=False)]

    def spec(self) -> ComponentSpec:
        return ComponentSpec("ranker", "rate", RateConfig, f"{__name__}:Rate", "rate by rank")


class TestRate(RateContract):
    def test_is_found_by_its_entry_point(self) -> None:
        """A class of a test module has no entry point."""
        assert RankerContract.kind == "ranker"


def _contract(**methods: Any) -> RankerContract:
    return type("Contract", (RateContract,), {"component": type("Changed", (Rate,), methods)})()


def test_a_score_that_depends_on_its_batch_is_caught() -> None:
    def score(self: Rate, requests: RequestBatch, merged: CandidateBatch) -> Any:
        return Rate.score(self, requests, merged) / np.float32(len(merged))

    with pytest.raises(AssertionError, match="scores differ at batches of 7, first at 0"):
        _contract(score=score).test_batch_equals_one_by_one(RateConfig(), 7)


def test_double_precision_is_caught() -> None:
    def score(self: Rate, requests: RequestBatch, merged: CandidateBatch) -> Any:
        return Rate.score(self, requests, merged).astype(np.float64)

    with pytest.raises(AssertionError, match="float64"):
        _contract(score=score).test_blank_requests(RateConfig())


def test_a_score_that_is_no_number_is_caught() -> None:
    def score(self: Rate, requests: RequestBatch, merged: CandidateBatch) -> Any:
        return merged.source_score[:, 0] if merged.source_score is not None else None

    with pytest.raises(AssertionError, match="a ranker's scores are finite"):
        _contract(score=score).test_scores_tell_candidates_apart(RateConfig())


def test_one_score_for_all_is_caught() -> None:
    def score(self: Rate, requests: RequestBatch, merged: CandidateBatch) -> Any:
        return np.ones(len(merged.item), np.float32)

    with pytest.raises(AssertionError):
        _contract(score=score).test_scores_tell_candidates_apart(RateConfig())


def test_reading_sources_by_place_is_caught() -> None:
    def score(self: Rate, requests: RequestBatch, merged: CandidateBatch) -> Any:
        assert merged.source_rank is not None
        return np.maximum(merged.source_rank[:, 0], -1).astype(np.float32)

    with pytest.raises(AssertionError, match="without hot"):
        _contract(score=score).test_a_trigger_is_missing(RateConfig())


def test_dividing_by_no_positives_is_caught(tmp_path: Path) -> None:
    def fit(self: Rate, samples: RankSamples, context: FitContext) -> None:
        with np.errstate(invalid="ignore"):
            self.rate = self.rate * np.float32(samples.label.sum()) / np.float32(samples.label.sum())

    contract = _contract(fit=fit)
    (tmp_path / "sound").mkdir()
    contract.test_poor_samples(RateConfig(), "all positive", tmp_path / "sound")
    with pytest.raises(AssertionError, match="a ranker's scores are finite"):
        contract.test_poor_samples(RateConfig(), "no positives", tmp_path)


def test_an_unseeded_fit_is_caught(tmp_path: Path) -> None:
    def fit(self: Rate, samples: RankSamples, context: FitContext) -> None:
        self.rate = np.random.default_rng().random(64).astype(np.float32)

    with pytest.raises(AssertionError):
        _contract(fit=fit).test_two_fits_give_the_same_bytes(RateConfig(), tmp_path)


def test_indexing_past_what_was_learned_is_caught(tmp_path: Path) -> None:
    def fit(self: Rate, samples: RankSamples, context: FitContext) -> None:
        self.rate = np.linspace(0, 1, 60, dtype=np.float32)

    def score(self: Rate, requests: RequestBatch, merged: CandidateBatch) -> Any:
        return self.rate[merged.item]

    with pytest.raises(IndexError, match=r"index 6. is out of bounds for axis 0 with size 60"):
        _contract(fit=fit, score=score).test_a_longer_catalogue(RateConfig(), tmp_path)


def test_a_lossy_round_trip_is_caught(tmp_path: Path) -> None:
    def save(self: Rate, folder: Path) -> None:
        save_arrays(folder, rate=self.rate.astype(np.float16).astype(np.float32))

    with pytest.raises(AssertionError):
        _contract(save=save).test_round_trip(RateConfig(), tmp_path)
