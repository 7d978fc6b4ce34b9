"""Training: what it learns, when it stops, and that the same comes out wherever it runs."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from yoorec_tdm import processes
from yoorec_tdm.config import TdmConfig
from yoorec_tdm.coplays import coplay_vectors
from yoorec_tdm.model import Tdm
from yoorec_tdm.processes import train_apart
from yoorec_tdm.samples import sequences_of
from yoorec_tdm.training import Learned, _Trainer, train
from yoorec_tdm.tree import Tree, order_by_category, order_by_vectors

from yoorec.components import FitContext
from yoorec.testing import worlds
from yoorec.testing.contracts.component import bytes_of

CONFIG = TdmConfig(dim=6, hidden=(8, 4), windows=(1, 2, 4), epochs=2, batch=64, beam=8, tail=0.1, patience=9)


def given(config: TdmConfig = CONFIG, events: int = 1500) -> tuple[Any, ...]:
    log = worlds.small_log(events=events)
    plays = log.plays()
    sequences = sequences_of(plays.user, plays.session, plays.item, len(log.catalogue.items))
    return sequences, log.catalogue.item_codes("category")[0], config, 3


def silent(share: float, note: str) -> None:
    """Report nowhere."""


def same(left: Learned, right: Learned) -> bool:
    parts = zip((*left.weights, left.shift, left.curve), (*right.weights, right.shift, right.curve), strict=True)
    trees = (left.tree.item.tobytes() == right.tree.item.tobytes()) and len(left.tree) == len(right.tree)
    return trees and all(one.tobytes() == other.tobytes() for one, other in parts)


def test_the_same_comes_out_on_any_threads_in_any_process() -> None:
    told: list[tuple[float, str]] = []
    config = replace(CONFIG, start="coplays", averaging=0.9, arity=3, siblings=0.5, attention="average")
    one = train_apart(*given(config), 1, lambda share, note: told.append((share, note)))
    assert same(train_apart(*given(config), 3, silent), one)
    assert not same(train_apart(*given(config)[:3], 4, 1, silent), one)
    shares = [share for share, _ in told]
    assert shares == sorted(shares)
    assert shares[-1] == 1
    assert told[-1][1].startswith("round 2 of 2, epoch 2: loss 0.")
    assert ", recall@100 " in told[-1][1]


def test_a_fit_trains_apart(apart: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The whole way from a log to files, as scenarios go it, twice to the same bytes."""
    monkeypatch.setenv("TF_CONFIG", "another's")
    log = worlds.small_log()
    for number, threads in enumerate((1, 2)):
        model = Tdm(replace(CONFIG, rounds=1, epochs=1), log.catalogue)
        model.fit(log, FitContext(seed=5, threads=threads))
        (tmp_path / str(number)).mkdir()
        model.save(tmp_path / str(number))
    assert bytes_of(tmp_path / "0") == bytes_of(tmp_path / "1")


def test_two_workers_learn_as_one_with_twice_the_batch() -> None:
    """Every step they see the same plays together and add up their gradients, in another order."""
    config = replace(CONFIG, averaging=0.5)
    alone = train_apart(*given(replace(config, batch=128), 3000), 1, silent)
    together = train_apart(*given(replace(config, workers=2), 3000), 2, silent)
    assert together.curve.shape == alone.curve.shape == (4, 4)
    np.testing.assert_allclose(together.curve[:, 1:3], alone.curve[:, 1:3], rtol=2e-3)
    assert alone.curve[-1, 1] < alone.curve[0, 1] * 0.97
    other = train_apart(*given(config, 3000), 1, silent)
    assert np.abs(other.curve[:, 1] / alone.curve[:, 1] - 1).max() > 5e-3, "half the batch is another curve"


@pytest.mark.parametrize("workers", [1, 2])
def test_a_process_that_fails_ends_the_fit(workers: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """The last of them can't import TensorFlow, and the other does not wait for it."""
    environment = processes._environment

    def broken(addresses: list[str], number: int) -> dict[str, str]:
        found = environment(addresses, number)
        return found | ({"KERAS_BACKEND": "nonsense"} if number == workers - 1 else {})

    monkeypatch.setattr(processes, "_environment", broken)
    with pytest.raises(RuntimeError) as caught:
        train_apart(*given(replace(CONFIG, workers=workers)), 1, silent)
    assert f"tdm: training process {workers} of {workers} ended with 1: " in str(caught.value)
    assert "nonsense" in str(caught.value)


def test_the_first_tree_is_of_categories_and_the_next_of_what_was_learned(monkeypatch: pytest.MonkeyPatch) -> None:
    sequences, code, config, seed = given()
    first = train(sequences, code, replace(config, rounds=1), seed, 1, silent)
    played = np.unique(sequences.item).astype(np.int32)
    order = order_by_category(played, code, np.random.default_rng(seed))
    assert first.tree.item.tolist() == Tree.of_order(order, 2).item.tolist()
    second = train(sequences, code, config, seed, 1, silent)
    vectors = first.weights.vectors[first.tree.leaf_of(len(code))[played]]
    assert second.tree.item.tolist() == Tree.of_order(order_by_vectors(played, vectors, 2), 2).item.tolist()
    assert second.curve[:2].tolist() == first.curve.tolist()
    assert second.curve[:, 0].tolist() == [0, 0, 1, 1]


def test_a_start_of_coplays_gives_the_first_tree_and_its_vectors() -> None:
    sequences, code, config, seed = given(replace(CONFIG, start="coplays", rounds=1))
    trainer = _Trainer(sequences, code, config, seed, 1)
    learned_from = np.setdiff1d(
        np.arange(len(sequences.item)), sequences.target[-int(len(sequences.target) * config.tail) :]
    )
    pairs = sorted({(int(sequences.first[place]), int(sequences.item[place])) for place in learned_from})
    user, item = np.array([who for who, _ in pairs]), np.array([what for _, what in pairs], np.int32)
    vectors = coplay_vectors(user, item, len(code), config.dim, np.random.default_rng(seed))
    played = np.unique(sequences.item).astype(np.int32)
    expected = Tree.of_order(order_by_vectors(played, vectors[played], 2), 2)
    assert trainer.tree.item.tolist() == expected.item.tolist()
    found = trainer.weights().vectors
    assert (found[expected.leaf_of(len(code))[played]] == vectors[played]).all()
    inner = np.flatnonzero(expected.item < 0)
    np.testing.assert_allclose(found[inner], expected.means(found)[inner], atol=1e-6)


def test_the_mean_of_the_weights_is_judged_and_kept_while_training_goes_on() -> None:
    trainer = _Trainer(*given(replace(CONFIG, averaging=0.9)), 1)
    step, expected, met = trainer.step, [], []

    def told(*batch: Any) -> Any:
        loss = step(*batch)
        live = trainer.network.get_weights()
        met.append(live)
        before = expected or live
        expected[:] = [0.9 * mean + 0.1 * now for mean, now in zip(before, live, strict=True)]
        return loss

    for turn in range(2):
        for _ in range(2):
            trainer.step = told
            trainer.epoch(turn, silent)
            trainer.keep()
            for live, last in zip(trainer.network.get_weights(), met[-1], strict=True):
                assert (live == last).all()
        trainer.restore()
        for found, mean, last in zip(trainer.network.get_weights(), expected, met[-1], strict=True):
            np.testing.assert_allclose(found, mean, rtol=1e-4, atol=1e-6)
            assert not np.allclose(found, last, rtol=1e-3, atol=1e-5)
        trainer.rebuild()
        expected.clear()
    assert len(met) > 20


def test_training_stops_in_time_and_keeps_the_best(monkeypatch: pytest.MonkeyPatch) -> None:
    from yoorec_tdm import training

    sequences, code, config, seed = given()
    config = replace(config, rounds=1, epochs=9, patience=2)
    recalls = iter([0.1, 0.3, 0.3, 0.2, 0.9])
    monkeypatch.setattr(training._Trainer, "_judged", lambda self: (0.5, next(recalls)))
    stopped = train(sequences, code, config, seed, 1, silent)
    assert stopped.curve[:, 3].tolist() == [0.1, 0.3, 0.3, 0.2], "two epochs no better than the second"
    recalls = iter([0.1, 0.3])
    short = train(sequences, code, replace(config, epochs=2), seed, 1, silent)
    for one, other in zip(stopped.weights, short.weights, strict=True):
        assert one.tobytes() == other.tobytes()


def test_without_a_tail_all_plays_are_learned_from_for_all_epochs() -> None:
    sequences, code, config, seed = given()
    found = train(sequences, code, replace(config, tail=0.0, rounds=1, epochs=3), seed, 1, silent)
    assert len(found.curve) == 3
    assert np.isnan(found.curve[:, 2:]).all()
    assert (np.diff(found.curve[:, 1]) < 0).all()


@pytest.mark.parametrize("start", ["random", "coplays"])
def test_the_tail_is_the_latest_and_is_not_learned_from(start: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Other plays in the tail change what is told of it, and no weight."""
    sequences, code, config, seed = given(replace(CONFIG, rounds=1, start=start))
    last = sequences.target[-int(len(sequences.target) * config.tail) :]
    other = sequences.item.copy()
    ends = [place for place in last.tolist() if place + 1 == len(other) or sequences.first[place + 1] == place + 1]
    assert ends
    for place in ends:  # the user's last play, so that no history holds it
        unplayed = set(range(len(code))) - set(other[sequences.first[place] : place + 1].tolist())
        other[place] = min(unplayed & set(other.tolist()))
    one = train(sequences, code, config, seed, 1, silent)
    two = train(sequences._replace(item=other), code, config, seed, 1, silent)
    assert one.curve[:, 1].tolist() == two.curve[:, 1].tolist()
    assert one.curve[:, 2].tolist() != two.curve[:, 2].tolist()


def test_an_epoch_learns_from_so_many_plays_of_a_user(monkeypatch: pytest.MonkeyPatch) -> None:
    sequences, code, config, seed = given(replace(CONFIG, rounds=1, epochs=2, per_user=3, batch=16, tail=0.0))
    met: list[list[int]] = []
    batches = _Trainer._batches

    def told(self: Any, places: Any, number: int) -> Any:
        met.append(places.tolist())
        return batches(self, places, number)

    monkeypatch.setattr(_Trainer, "_batches", told)
    train(sequences, code, config, seed, 1, silent)
    there = np.bincount(sequences.first[sequences.target])
    most = int(np.minimum(there, 3).sum())
    for places in met:
        steps = -(-most // 16)
        assert len(set(places)) == len(places) == most // steps * steps > most - steps
        assert set(places) <= set(sequences.target.tolist())
        assert np.bincount(sequences.first[places]).max() == 3
    assert set(met[0]) != set(met[1])


@pytest.mark.parametrize(
    "change",
    [
        {"attention": "average"},
        {"siblings": 1.0},
        {"negatives": 1},
        {"ahead": 4},
        {"per_user": 2},
        {"learning_rate": 1e-4},
        {"start": "coplays"},
    ],
)
def test_keys_of_training_matter(change: dict[str, Any]) -> None:
    sequences, code, config, seed = given(replace(CONFIG, rounds=1, epochs=1))
    plain = train(sequences, code, config, seed, 1, silent)
    changed = train(sequences, code, replace(config, **change), seed, 1, silent)
    assert plain.curve[0, 1] != changed.curve[0, 1]


def test_items_met_only_in_the_tail_are_left_to_be_placed() -> None:
    """They would have a leaf of which nothing is learned: first played after the last play that is learned from."""
    sequences, code, config, seed = given(replace(CONFIG, rounds=1, epochs=1))
    new = len(code)
    last = sequences.target[-1]
    item = sequences.item.copy()
    item[last] = new
    later = sequences._replace(item=item)
    learned = train(later, np.append(code, 0).astype(np.int32), config, seed, 1, silent)
    assert new not in learned.tree.item
    early = item.copy()
    early[sequences.target[0]] = new
    learned = train(later._replace(item=early), np.append(code, 0).astype(np.int32), config, seed, 1, silent)
    assert new in learned.tree.item


def test_tensorflow_stays_out_of_this_process() -> None:
    import subprocess
    import sys

    words = (
        "import sys, yoorec_tdm.model, yoorec_tdm.processes; print('tensorflow' in sys.modules, 'keras' in sys.modules)"
    )
    found = subprocess.run([sys.executable, "-c", words], capture_output=True, text=True, env=_with_path(), check=True)
    assert found.stdout.split() == ["False", "False"]


def _with_path() -> dict[str, str]:
    import sys

    return os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))}


def test_kernels_are_the_same_whatever_else_the_process_did(monkeypatch: pytest.MonkeyPatch) -> None:
    from yoorec_tdm.processes import _environment

    monkeypatch.delenv("TF_ENABLE_ONEDNN_OPTS", raising=False)
    alone = _environment([], 0)
    monkeypatch.setenv("TF_ENABLE_ONEDNN_OPTS", "1")  # as an image trigger does before it imports TensorFlow
    assert _environment([], 0) == alone
