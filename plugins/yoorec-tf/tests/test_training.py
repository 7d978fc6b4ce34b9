"""Training: what it learns, when it stops, that the same comes out wherever it runs, and that a kill costs little."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from yoorec_tf import processes
from yoorec_tf.config import DnnConfig, LrConfig, WideDcnConfig
from yoorec_tf.metrics import auc, gauc, log_loss, ndcg
from yoorec_tf.processes import train_apart, trainers
from yoorec_tf.scoring import Scorer
from yoorec_tf.storage import Memory, TrainingSet
from yoorec_tf.training import CURVE, Learned, _Trainer, train

from yoorec.features.encoded import Side

from .conftest import World, world

CONFIG = WideDcnConfig(
    loss="logistic",
    dim=4,
    hidden=(8,),
    cross_rank=3,
    epochs=2,
    batch=16,
    learning_rate=0.02,
    tail=0.2,
    patience=9,
    dropout=0.1,
    l2=1e-5,
)
GIVEN = world(requests=400, items=40, rows=8)


def silent(share: float, note: str) -> None:
    """Report nowhere."""


def here(config: Any = CONFIG, given: World = GIVEN, seed: int = 3, **more: Any) -> Learned:
    samples = given.samples
    return train(Memory(samples), samples.encoded.item, given.layout, config.shape(), config, seed, 1, silent, **more)


def apart(config: Any = CONFIG, given: World = GIVEN, threads: int = 1, report: Any = silent, **more: Any) -> Learned:
    with trainers(config, threads) as crew:
        return train_apart(crew, config, given.samples, given.layout, config.shape(), 3, report, **more)


def same(left: Learned, right: Learned) -> bool:
    pairs = zip((*left.weights, left.curve), (*right.weights, right.curve), strict=True)
    return all(one.tobytes() == other.tobytes() for one, other in pairs)


@pytest.fixture(scope="module")
def plain() -> Learned:
    """What CONFIG learns."""
    return here()


class KilledError(Exception):
    """What ends a training in the middle."""


def killed(config: Any, folder: Path, after: float) -> None:
    """Train until so much is done. The processes end by SIGKILL: an exception leaves them no other end."""

    def stop(share: float, note: str) -> None:
        if share > after:
            raise KilledError

    with pytest.raises(KilledError):
        apart(config, report=stop, checkpoints=folder)
    (own,) = folder.iterdir()
    assert list(own.glob("ckpt-*.index"))


def test_a_training_that_was_killed_goes_on_to_the_same_bits(tmp_path: Path) -> None:
    """Those of one in this process, that was never killed, on other threads, from other files."""
    config = replace(CONFIG, checkpoint=3, batch=8, samples="tfrecord")
    killed(config, tmp_path, 0.7)
    told: list[tuple[float, str]] = []
    resumed = apart(config, threads=2, report=lambda *each: told.append(each), checkpoints=tmp_path)
    assert not list(tmp_path.iterdir())
    shares = [share for share, _ in told]
    assert shares == sorted(shares)
    assert shares[0] > 0.7, "only the steps after the last checkpoint are gone through again"
    assert shares[-1] == 1
    assert told[-1][1].startswith("epoch 2 of 2: loss 0.")
    assert ", ndcg@10 0." in told[-1][1]
    assert same(resumed, here(config))
    assert not same(resumed, here(config, seed=4))


def test_two_workers_learn_as_one_with_twice_the_batch_even_if_killed(tmp_path: Path) -> None:
    """Every step they see the same requests together and add up their gradients, in another order."""
    config = replace(CONFIG, dropout=0.0, batch=8)
    alone = here(config)
    together = replace(config, workers=2, batch=4, checkpoint=3)
    killed(together, tmp_path, 0.2)
    found = apart(together, threads=2, checkpoints=tmp_path)
    assert found.curve.shape == alone.curve.shape == (2, len(CURVE))
    np.testing.assert_allclose(found.curve, alone.curve, rtol=2e-3)
    np.testing.assert_allclose(found.weights.vectors, alone.weights.vectors, atol=2e-3)
    other = here(replace(config, batch=4))
    assert np.abs(other.curve[:, 0] / alone.curve[:, 0] - 1).max() > 5e-3, "half the batch is another curve"


def test_weights_are_the_mean_of_eight_points_of_the_best_epoch(monkeypatch: pytest.MonkeyPatch) -> None:
    from yoorec_tf.training import _Trainer

    met: list[list[Any]] = []
    average = _Trainer._average

    def noting(self: Any) -> None:
        met.append(self.network.get_weights())
        average(self)

    monkeypatch.setattr(_Trainer, "_average", noting)
    config = replace(CONFIG, batch=20, epochs=1)
    found = here(config)
    assert len(met) == 16  # 320 requests, 20 a step: every second step is one of eight
    vectors = next(place for place, each in enumerate(met[0]) if each.shape == found.weights.vectors.shape)
    mean = np.mean([each[vectors] for each in met[1::2]], 0, np.float64)
    np.testing.assert_allclose(found.weights.vectors, mean, atol=1e-6)
    assert np.abs(met[-1][vectors] - mean).max() > 1e-3


def test_checkpoints_of_another_training_are_not_taken_up(tmp_path: Path) -> None:
    samples, shape = GIVEN.samples, CONFIG.shape()
    made = processes._fingerprint(samples, GIVEN.layout, shape, {"epochs": 1}, 3)
    assert made == processes._fingerprint(samples, GIVEN.layout, shape, {"epochs": 1}, 3)
    encoded = samples.encoded
    row = Side(*encoded.row[:3], encoded.row.many[::-1])
    for others in (
        (replace(samples, label=1 - samples.label), GIVEN.layout, shape, {"epochs": 1}, 3),
        (replace(samples, encoded=replace(encoded, row=row)), GIVEN.layout, shape, {"epochs": 1}, 3),
        (samples, GIVEN.layout, replace(shape, rank=2), {"epochs": 1}, 3),
        (samples, GIVEN.layout, shape, {"epochs": 2}, 3),
        (samples, GIVEN.layout, shape, {"epochs": 1}, 4),
    ):
        assert processes._fingerprint(*others) != made
    processes._own(tmp_path, "another")
    assert processes._own(tmp_path, made) == tmp_path / made
    assert [each.name for each in tmp_path.iterdir()] == [made]


def test_a_process_that_fails_ends_the_fit(monkeypatch: pytest.MonkeyPatch) -> None:
    """One of two can't import TensorFlow, and the other does not wait for it."""
    environment = processes._environment

    def broken(addresses: list[str], number: int) -> dict[str, str]:
        return environment(addresses, number) | ({"KERAS_BACKEND": "nonsense"} if number else {})

    monkeypatch.setattr(processes, "_environment", broken)
    with pytest.raises(RuntimeError) as caught:
        apart(replace(CONFIG, workers=2))
    assert "tf: training process 2 of 2 ended with 1: " in str(caught.value)
    assert "nonsense" in str(caught.value)


def test_the_curve_is_of_the_tail_and_tensorboard_has_it(tmp_path: Path, plain: Learned) -> None:
    import tensorflow as tf

    config = replace(CONFIG, epochs=1)
    learned = here(config, events=tmp_path)
    tail = GIVEN.samples.take(np.arange(320, 400))
    score = Scorer.of(learned.weights, GIVEN.layout, tail.encoded.item).score(tail.encoded)[:, 0]
    label, offsets = tail.label[:, 0], tail.encoded.offsets
    gains = ndcg(offsets, label, score, 10)
    expected = [auc(label, score), gauc(offsets, label, score), log_loss(label, score, tail.weight[:, 0])]
    expected.append(float(np.nanmean(gains)))
    np.testing.assert_allclose(learned.curve[0, 1:], expected, rtol=1e-12)
    (path,) = tmp_path.iterdir()
    found = {}
    for record in tf.data.TFRecordDataset(str(path)):
        for value in tf.compat.v1.Event.FromString(record.numpy()).summary.value:
            assert value.metadata.plugin_data.plugin_name == "scalars"
            found[value.tag] = float(tf.make_ndarray(value.tensor))
    assert found == pytest.approx(dict(zip(CURVE, learned.curve[0].tolist(), strict=True)), rel=1e-6)


def test_it_learns_what_is_there(plain: Learned) -> None:
    """The planted world can be told with an AUC of about 0.9; chance gives 0.5."""
    other = here(LrConfig(epochs=3, batch=16, learning_rate=0.05, tail=0.2, loss="softmax"))
    for learned in (plain, other):
        assert learned.curve[-1, CURVE.index("gauc")] > 0.8
        assert learned.curve[-1, 0] < learned.curve[0, 0]


def scripted(monkeypatch: pytest.MonkeyPatch, aucs: list[float], gains: list[float]) -> None:
    figures = iter(zip(aucs, gains, strict=True))

    def judged(self: Any) -> list[float]:
        found, gain = next(figures)
        return [found, 0.5, 0.5, gain]

    monkeypatch.setattr(_Trainer, "_judged", judged)


def test_training_stops_in_time_and_keeps_the_best(monkeypatch: pytest.MonkeyPatch) -> None:
    config = LrConfig(epochs=9, patience=2, batch=64, tail=0.2)
    scripted(monkeypatch, [0.5] * 5, [0.1, 0.3, 0.3, 0.2, 0.9])
    stopped = here(config)
    assert stopped.curve[:, 4].tolist() == [0.1, 0.3, 0.3, 0.2], "two epochs no better than the second"
    scripted(monkeypatch, [0.5] * 2, [0.1, 0.3])
    short = here(replace(config, epochs=2))
    assert all(one.tobytes() == other.tobytes() for one, other in zip(stopped.weights, short.weights, strict=True))
    scripted(monkeypatch, [0.5, 0.7, 0.6, 0.4], [float("nan")] * 4)
    by_auc = here(config)
    assert by_auc.curve[:, 1].tolist() == [0.5, 0.7, 0.6, 0.4], "without lists to order, the AUC judges"


def test_a_tail_of_single_rows_has_no_order_but_an_auc() -> None:
    learned = here(LrConfig(epochs=1, batch=64, tail=0.2, loss="logistic"), world(requests=300, rows=1))
    assert np.isnan(learned.curve[0, 4])
    assert np.isfinite(learned.curve[0, [1, 3]]).all()


def test_without_a_tail_all_is_learned_from_for_all_epochs() -> None:
    learned = here(LrConfig(batch=16, tail=0.0, epochs=3, patience=1))
    assert len(learned.curve) == 3
    assert np.isnan(learned.curve[:, 1:]).all()
    assert (np.diff(learned.curve[:, 0]) < 0).all()


def test_the_tail_is_the_latest_and_is_not_learned_from(plain: Learned) -> None:
    samples, first = GIVEN.samples, int(GIVEN.samples.encoded.offsets[320])
    label = samples.label.copy()
    label[first:] = 1 - label[first:]
    changed = here(given=World(GIVEN.layout, replace(samples, label=label)))
    assert changed.curve[:, 0].tolist() == plain.curve[:, 0].tolist()
    assert changed.curve[:, 1].tolist() != plain.curve[:, 1].tolist()


def slow_losses(samples: TrainingSet, logit: Any, loss: str) -> float:
    """The mean loss of requests one by one, as a step has it, times the requests."""
    total = 0.0
    offsets = samples.encoded.offsets
    for b in range(len(samples)):
        rows = slice(offsets[b], offsets[b + 1])
        y, w, x = samples.label[rows, 0], samples.weight[rows, 0], logit[rows, 0].astype(float)
        if loss == "logistic":
            total += float((w * (np.logaddexp(0, x) - y * x)).sum())
        elif (y * w).sum() > 0:
            total -= float((y * w / (y * w).sum() * (x - np.log(np.exp(x).sum()))).sum())
    return total


@pytest.mark.parametrize("loss", ["logistic", "softmax"])
def test_the_loss_is_the_mean_of_what_the_keys_say(loss: str) -> None:
    """One step on all requests: its loss is that of the weights it began with."""
    config = DnnConfig(dim=4, hidden=(8,), epochs=1, batch=400, tail=0.0, loss=loss)
    samples = GIVEN.samples
    trainer = _Trainer(Memory(samples), samples.encoded.item, GIVEN.layout, config.shape(), config, 5, 1, None, None)
    before = Scorer.of(trainer._weights(), GIVEN.layout, samples.encoded.item).score(samples.encoded)
    learned = here(config, seed=5)
    hits = np.bincount(samples.encoded.owner, samples.label[:, 0], 400) > 0
    unit = float(samples.weight.sum()) if loss == "logistic" else float(hits.sum())
    assert learned.curve[0, 0] == pytest.approx(slow_losses(samples, before, loss) / unit, rel=1e-5)


def test_place_0_stays_zero_and_the_tables_cover_what_was_seen(plain: Learned) -> None:
    assert not plain.weights.vectors[0].any() and not plain.weights.linear[0].any()
    row = GIVEN.samples.take(np.arange(320)).encoded.row
    low, high = plain.weights.seen
    assert low.tolist() == [*row.id[:, :3].min(0).tolist(), row.many.min()]
    assert high.tolist() == [*row.id[:, :3].max(0).tolist(), row.many.max()]


def test_dropout_and_l2() -> None:
    base = DnnConfig(dim=4, hidden=(8,), epochs=1, batch=16, learning_rate=0.01)
    plain, thinned, drawn = (here(each).weights for each in (base, replace(base, dropout=0.5), replace(base, l2=0.1)))
    assert thinned.logit.tobytes() != plain.logit.tobytes()
    assert np.abs(drawn.vectors).mean() < np.abs(plain.vectors).mean() / 2


def test_each_objective_learns_its_own_label() -> None:
    layout, samples = world(requests=300, outputs=1)
    label = np.hstack([samples.label, 1 - samples.label])
    both = TrainingSet(samples.encoded, label, np.ones_like(label))
    config = LrConfig(objectives={"play": 1.0, "leave": 1.0}, epochs=3, batch=16, learning_rate=0.05)
    learned = here(config, World(layout, both))
    score = Scorer.of(learned.weights, layout, samples.encoded.item).score(samples.encoded)
    assert auc(label[:, 0], score[:, 0]) > 0.85
    assert auc(label[:, 1], score[:, 1]) > 0.85


def test_fewer_requests_than_a_batch() -> None:
    given = world(requests=5)
    assert len(here(DnnConfig(dim=2, hidden=(3,), epochs=1), given).curve) == 1


def test_kernels_are_the_same_whatever_else_the_process_did(monkeypatch: pytest.MonkeyPatch) -> None:
    from yoorec_tf.processes import _environment

    monkeypatch.delenv("TF_ENABLE_ONEDNN_OPTS", raising=False)
    alone = _environment([], 0)
    monkeypatch.setenv("TF_ENABLE_ONEDNN_OPTS", "1")  # as an image trigger does before it imports TensorFlow
    assert _environment([], 0) == alone
