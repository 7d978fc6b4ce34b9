"""The trigger contract passes a sound trigger and catches each way of being unsound."""

from __future__ import annotations

import json
import pickle
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest

from yoorec.artifacts.arrays import load_arrays, save_arrays
from yoorec.batch import CandidateBatch, RequestBatch
from yoorec.components import ComponentSpec, FitContext, PerRequestTrigger
from yoorec.data.catalogue import Catalogue
from yoorec.data.log import EventLog
from yoorec.testing.contracts import TriggerContract


@dataclass(frozen=True, slots=True)
class PopularConfig:
    floor: int = 0


class Popular(PerRequestTrigger):
    """Most played items."""

    def __init__(self, config: PopularConfig, catalogue: Catalogue) -> None:
        self.config, self.catalogue = config, catalogue

    def fit(self, log: EventLog, context: FitContext) -> None:
        self.plays = np.bincount(log.plays().item, minlength=len(self.catalogue.items)).astype(np.int64)

    def save(self, folder: Path) -> None:
        save_arrays(folder, plays=self.plays)

    def load(self, folder: Path) -> None:
        (self.plays,) = load_arrays(folder, "plays")

    def recall_one(self, request: RequestBatch, k: int) -> tuple[Any, Any]:
        items = np.flatnonzero(self.plays > self.config.floor)
        return items, self.plays[items]


class PopularContract(TriggerContract):
    component = Popular
    configs: ClassVar = [PopularConfig(), PopularConfig(floor=3)]

    def spec(self) -> ComponentSpec:
        return ComponentSpec("trigger", "popular", PopularConfig, f"{__name__}:Popular", "most played")


class TestPopular(PopularContract):
    def test_is_found_by_its_entry_point(self) -> None:
        """A class of a test module has no entry point; `test_unregistered` below covers the search."""
        assert TriggerContract.kind == "trigger"


def _contract(**methods: Any) -> TriggerContract:
    """The contract of a `Popular` with other methods."""
    changed = type("Changed", (Popular,), methods)
    return type("Contract", (PopularContract,), {"component": changed})()


def test_a_score_that_depends_on_its_batch_is_caught() -> None:
    def recall(self: Popular, requests: RequestBatch, k: int) -> CandidateBatch:
        found = Popular.recall(self, requests, k)
        return found.with_score(found.score + np.float32(len(requests)))

    contract = _contract(recall=recall)
    with pytest.raises(AssertionError, match="batches of 7 differ from one of 1,000"):
        contract.test_batch_equals_one_by_one(PopularConfig(), "plain", 7)
    contract.test_batch_equals_one_by_one(PopularConfig(), "plain", 1000)


def test_ties_in_no_order_are_caught() -> None:
    def recall(self: Popular, requests: RequestBatch, k: int) -> CandidateBatch:
        best = np.argsort(-self.plays[::-1], kind="stable")[:k]
        item = (len(self.plays) - 1 - best).astype(np.int32)
        score = self.plays[item].astype(np.float32)
        offsets = np.arange(len(requests) + 1, dtype=np.int64) * len(item)
        return CandidateBatch(offsets, np.tile(item, len(requests)), np.tile(score, len(requests)))

    with pytest.raises(ValueError, match="CandidateBatch must be best first within a request, ties by item"):
        _contract(recall=recall).test_batch_equals_one_by_one(PopularConfig(), "twins", 1000)


def test_raising_on_a_blank_request_is_caught() -> None:
    def recall(self: Popular, requests: RequestBatch, k: int) -> CandidateBatch:
        if (requests.item < 0).all():
            raise KeyError(-1)
        return Popular.recall(self, requests, k)

    with pytest.raises(KeyError, match="-1"):
        _contract(recall=recall).test_nothing_to_recall_from(PopularConfig())


def test_more_than_k_is_caught() -> None:
    def recall(self: Popular, requests: RequestBatch, k: int) -> CandidateBatch:
        return Popular.recall(self, requests, k + 1)

    with pytest.raises(AssertionError):
        _contract(recall=recall).test_any_k(PopularConfig(), 0)


def test_recalling_nothing_is_caught() -> None:
    def recall_one(self: Popular, request: RequestBatch, k: int) -> tuple[Any, Any]:
        return [], []

    with pytest.raises(AssertionError, match="no candidate for any of the requests"):
        _contract(recall_one=recall_one).test_finds_something(PopularConfig())


def test_writing_to_the_log_is_caught() -> None:
    def fit(self: Popular, log: EventLog, context: FitContext) -> None:
        log.item[0] = 0
        Popular.fit(self, log, context)

    with pytest.raises(ValueError, match="read-only"):
        _contract(fit=fit).test_input_is_left_alone(PopularConfig())


def test_writing_to_the_requests_is_caught() -> None:
    def recall(self: Popular, requests: RequestBatch, k: int) -> CandidateBatch:
        requests.history.weight[:] = 1
        return Popular.recall(self, requests, k)

    with pytest.raises(ValueError, match="read-only"):
        _contract(recall=recall).test_input_is_left_alone(PopularConfig())


def test_adding_to_an_earlier_fit_is_caught(tmp_path: Path) -> None:
    def fit(self: Popular, log: EventLog, context: FitContext) -> None:
        before = getattr(self, "plays", 0)
        Popular.fit(self, log, context)
        self.plays = self.plays + before

    with pytest.raises(AssertionError, match=r"these files differ: plays\.npy"):
        _contract(fit=fit).test_refit_forgets(PopularConfig(), tmp_path)


def test_an_unseeded_fit_is_caught(tmp_path: Path) -> None:
    def fit(self: Popular, log: EventLog, context: FitContext) -> None:
        Popular.fit(self, log, context)
        self.plays = self.plays + np.random.default_rng().integers(0, 2**40)

    with pytest.raises(AssertionError, match=r"these files differ: plays\.npy"):
        _contract(fit=fit).test_two_fits_give_the_same_bytes(PopularConfig(), tmp_path)


def test_a_result_that_follows_the_thread_count_is_caught(tmp_path: Path) -> None:
    def fit(self: Popular, log: EventLog, context: FitContext) -> None:
        Popular.fit(self, log, context)
        self.plays = self.plays * context.threads

    with pytest.raises(AssertionError, match=r"these files differ: plays\.npy"):
        _contract(fit=fit).test_threads_do_not_change_the_artifact(PopularConfig(), tmp_path)


def test_reaching_behind_the_cut_is_caught(tmp_path: Path) -> None:
    def fit(self: Popular, log: EventLog, context: FitContext) -> None:
        Popular.fit(self, log, context)
        whole = log.item if log.item.base is None else log.item.base
        self.plays = self.plays + int(whole.max())

    with pytest.raises(AssertionError, match=r"these files differ: plays\.npy"):
        _contract(fit=fit).test_learns_nothing_at_or_after_the_cut(PopularConfig(), tmp_path)


@pytest.mark.parametrize(
    ("name", "write", "message"),
    [
        ("plays.pkl", lambda path: path.write_bytes(b"x"), r"plays\.pkl is a pickle"),
        ("plays.bin", lambda path: path.write_bytes(pickle.dumps([1])), r"plays\.bin starts like a pickle"),
        (
            "plays.npy",
            lambda path: np.save(path, np.array([{}], object), allow_pickle=True),
            r"plays\.npy holds Python objects",
        ),
        (
            "plays.npz",
            lambda path: np.savez(path, plays=np.array([{}], object)),
            r"plays\.npz holds Python objects",
        ),
    ],
)
def test_pickles_are_caught(name: str, write: Any, message: str, tmp_path: Path) -> None:
    def save(self: Popular, folder: Path) -> None:
        write(folder / name)

    with pytest.raises((AssertionError, pytest.fail.Exception), match=message):
        _contract(save=save).test_round_trip(PopularConfig(), tmp_path)


def test_a_lossy_round_trip_is_caught(tmp_path: Path) -> None:
    def save(self: Popular, folder: Path) -> None:
        save_arrays(folder, plays=self.plays // 2)

    with pytest.raises(AssertionError):
        _contract(save=save).test_round_trip(PopularConfig(), tmp_path)


def test_a_load_that_keeps_the_old_model_is_caught(tmp_path: Path) -> None:
    def load(self: Popular, folder: Path) -> None:
        if not hasattr(self, "plays"):
            Popular.load(self, folder)

    contract = _contract(load=load)
    contract.test_round_trip(PopularConfig(), tmp_path)
    with pytest.raises(AssertionError):
        contract.test_load_replaces(PopularConfig(), tmp_path)


@pytest.mark.parametrize("known", [False, True])
def test_indexing_past_what_was_learned_is_caught(known: bool, tmp_path: Path) -> None:
    def recall_one(self: Popular, request: RequestBatch, k: int) -> tuple[Any, Any]:
        more = int(self.plays[request.item[0]]) if request.item[0] >= 0 else 0
        items, plays = Popular.recall_one(self, request, k)
        return items, plays + more

    with pytest.raises(IndexError, match=r"index 6. is out of bounds for axis 0 with size 60"):
        _contract(recall_one=recall_one).test_a_longer_catalogue(PopularConfig(), known, tmp_path)


def test_old_lists_that_follow_the_catalogue_are_caught(tmp_path: Path) -> None:
    def recall_one(self: Popular, request: RequestBatch, k: int) -> tuple[Any, Any]:
        items, plays = Popular.recall_one(self, request, k)
        return items, plays / len(self.catalogue.items)

    with pytest.raises(AssertionError, match=r"requests without new items differ: \['score"):
        _contract(recall_one=recall_one).test_a_longer_catalogue(PopularConfig(), False, tmp_path)


def test_new_items_that_follow_the_batch_are_caught(tmp_path: Path) -> None:
    def recall(self: Popular, requests: RequestBatch, k: int) -> CandidateBatch:
        found = Popular.recall(self, requests, k)
        return found if requests.item.max(initial=-1) < 60 else found.with_score(found.score * len(requests))

    with pytest.raises(AssertionError, match="requests with new items differ at batches of 1: "):
        _contract(recall=recall).test_a_longer_catalogue(PopularConfig(), False, tmp_path)


def test_shared_scratch_is_caught() -> None:
    def recall(self: Popular, requests: RequestBatch, k: int) -> CandidateBatch:
        self.size = len(requests)
        time.sleep(0.01)  # another thread's turn, however busy the machine
        found = Popular.recall(self, requests, k)
        assert self.size == len(requests)
        return found

    with pytest.raises(AssertionError):
        _contract(recall=recall).test_recalls_from_several_threads(PopularConfig())


def test_a_false_claim_to_learn_from_items_alone_is_caught(tmp_path: Path) -> None:
    contract = _contract()
    contract.spec = lambda: ComponentSpec(  # type: ignore[method-assign]
        "trigger", "popular", PopularConfig, "here:Popular", "most played", learns="items"
    )
    with pytest.raises(AssertionError, match=r"these files differ: plays\.npy"):
        contract.test_items_alone(PopularConfig(), tmp_path)


def test_unregistered() -> None:
    class Contract(TriggerContract):
        component = Popular
        configs: ClassVar = [PopularConfig()]

    with pytest.raises(pytest.fail.Exception) as failed:
        Contract().spec()
    assert f"no installed plugin offers a trigger whose target is {__name__}:Popular" in str(failed.value)
    assert "Is the package installed, and does it have an entry point in group 'yoorec'?" in str(failed.value)


def test_a_mutable_config_is_caught() -> None:
    @dataclass
    class Loose:
        floor: int = 0

    contract = _contract()
    contract.spec = lambda: ComponentSpec("trigger", "popular", Loose, "here:Popular")  # type: ignore[method-assign]
    with pytest.raises(AssertionError, match="Loose is not frozen"):
        contract.test_config_is_a_frozen_dataclass(Loose())


def test_a_contract_without_component_says_what_is_missing() -> None:
    class Contract(TriggerContract):
        configs: ClassVar = [PopularConfig()]

    with pytest.raises(pytest.UsageError, match="Contract must set `component`: class attributes of the contract"):
        Contract().pytest_generate_tests(None)  # type: ignore[arg-type]


def test_json_is_no_pickle(tmp_path: Path) -> None:
    def save(self: Popular, folder: Path) -> None:
        Popular.save(self, folder)
        (folder / "meta.json").write_text(json.dumps({"floor": 0}))

    _contract(save=save).test_round_trip(PopularConfig(), tmp_path)
