"""Training: epochs over the samples, by one process or several in step, and on from where it was killed."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from yoorec.features.encoded import Encoded, Layout, Side
from yoorec_tf.config import LearnConfig, Shape
from yoorec_tf.metrics import auc, gauc, log_loss, ndcg
from yoorec_tf.runtime import tensorflow
from yoorec_tf.storage import Batch, Samples, TrainingSet, batches, join
from yoorec_tf.weights import Weights

__all__ = ["CURVE", "Learned", "train"]

I32 = npt.NDArray[np.int32]

Report = Callable[[float, str], None]
"""Told of the share of the training that is done, and a note."""

CURVE = ("loss", "auc", "gauc", "log_loss", "ndcg@10")
"""Columns of a curve: the mean loss of training, and figures on the tail, each the mean over the objectives."""

_JUDGED = 5000
"""Requests of the tail on which an epoch is judged, at most, evenly spread over it."""
_LISTS = 0.01
"""Share of them that must have both a positive and a negative row to be judged by order."""
_NDCG_AT = 10
_REPORT_STEPS = 20
_AVERAGED = 8
"""Points of an epoch, evenly spread, whose weights are averaged; all of its steps where it has fewer."""


class Learned(NamedTuple):
    """The weights of the best epoch. curve: float64 [epochs, 5], see `CURVE`; NaN where there is nothing to judge."""

    weights: Weights
    curve: npt.NDArray[np.float64]


def train(
    samples: Samples,
    item: Side,
    layout: Layout,
    shape: Shape,
    config: LearnConfig,
    seed: int,
    threads: int,
    report: Report,
    checkpoints: Path | None = None,
    events: Path | None = None,
) -> Learned:
    """Learn from at least one request.

    samples:     labels of as many objectives as the shape has outputs. item: the side of all items.
    checkpoints: folder for this very training's checkpoints: one that was killed goes on from the last of them, and
                 ends with the same bits as if it had not been.
    events:      folder for the curve as TensorBoard reads it.

    In a process of a cluster (``TF_CONFIG``), that one's part of it; all of them return the same. The result does not
    depend on `threads`, which is looked at only if TensorFlow is not running yet.
    """
    trainer = _Trainer(samples, item, layout, shape, config, seed, threads, checkpoints, events)
    trainer.restore()
    while trainer.epoch < config.epochs and trainer.waited < config.patience:
        trainer.learn(report)
    return trainer.learned()


class _Trainer:
    """The network, how far it has come, and the requests: those learned from, and the tail that judges."""

    def __init__(
        self,
        samples: Samples,
        item: Side,
        layout: Layout,
        shape: Shape,
        config: LearnConfig,
        seed: int,
        threads: int,
        checkpoints: Path | None,
        events: Path | None,
    ) -> None:
        self._tf = tf = tensorflow(threads)
        from yoorec_tf.network import Network, adam

        self.config, self.shape, self.layout, self.item, self.seed = config, shape, layout, item, seed
        task = json.loads(os.environ.get("TF_CONFIG", "{}")).get("task")
        self.worker: int = task["index"] if task else 0
        self.strategy = tf.distribute.MultiWorkerMirroredStrategy() if task else tf.distribute.get_strategy()
        self.workers: int = self.strategy.num_replicas_in_sync
        self.samples = samples
        self.count = len(samples) - int(len(samples) * config.tail)
        # Steps of one size, so that hardly any request is left out of an epoch.
        self.steps = -(-self.count // (config.batch * self.workers))
        self.rows = self.count // self.steps
        self.seen, self.scale = self._surveyed()
        self.tail = _tail(samples, self.count, item)
        with self.strategy.scope():
            self.network = Network(layout, shape, seed)
            self.optimizer = adam(config.learning_rate, self.network)
        self.step_of = self._compiled()
        self.epoch, self.step, self.waited, self.best = 0, 0, 0, float("-inf")
        self.total = 0.0
        self.curve: list[list[float]] = []
        self.variables = [each.value for each in (*self.network.variables, *self.optimizer.variables)]
        self.kept = self.network.get_weights()
        self.mean = [np.zeros_like(each) for each in self.kept]
        self.folder = checkpoints
        self.writer = tf.summary.create_file_writer(str(events)) if events and not self.worker else None

    def _surveyed(self) -> tuple[I32, float]:
        """Least and greatest place of each embedded id and list of the row side, and what a step's loss is divided by
        for each of its requests: their mean weight, or, judged as lists, the share of them with a positive.
        """
        size, lists = self.layout.row.embedded, len(self.layout.row.many)
        low = np.full(size + lists, np.iinfo(np.int32).max, np.int32)
        high = np.zeros(size + lists, np.int32)
        total = 0.0
        for number in range(-(-self.count // self.samples.block)):
            found = self.samples.read(number)
            found = found.take(np.arange(min(len(found), self.count - number * self.samples.block)))
            row = found.encoded.row
            of = np.repeat(np.tile(np.arange(size, size + lists), len(row)), np.diff(row.offsets))
            for slot, places in ((np.arange(size), row.id[:, :size]), (of, row.many)):
                np.minimum.at(low, np.broadcast_to(slot, places.shape), places)
                np.maximum.at(high, np.broadcast_to(slot, places.shape), places)
            if self.config.loss == "softmax":
                hits = np.bincount(found.encoded.owner, (found.label * found.weight).max(1) > 0, len(found))
                total += float((hits > 0).sum())
            else:
                total += float(found.weight.sum(dtype=np.float64))
        return np.stack([np.minimum(low, high + 1), high]), max(total, 1.0) / self.count

    def learn(self, report: Report) -> None:
        """Go on to the end of the epoch, judge it, and keep it if it is the best."""
        config, tf = self.config, self._tf
        place = f"epoch {self.epoch + 1} of {config.epochs}"
        for batch in self._batches():
            self.total += float(self.step_of(self._randomness(), *batch))
            self.step += 1
            self._average()
            if self.step % _REPORT_STEPS == 0:
                share = (self.epoch + self.step / self.steps) / config.epochs
                report(share, f"{place}: loss {self.total / self.step:.4f}")
            if self.step % config.checkpoint == 0 and self.step < self.steps:
                self.save()
        own = self.network.get_weights()
        self.network.set_weights(self.mean)
        figures = [self.total / self.steps, *self._judged()]
        self.curve.append(figures)
        if self.writer is not None:
            # Written without TensorBoard's own help, which may not be installed.
            plugin = tf.compat.v1.SummaryMetadata.PluginData(plugin_name="scalars")
            kind = tf.compat.v1.SummaryMetadata(plugin_data=plugin)
            with self.writer.as_default():
                for name, figure in zip(CURVE, figures, strict=True):
                    tf.summary.write(name, tf.constant(figure, tf.float32), step=self.epoch + 1, metadata=kind)
            self.writer.flush()
        self._keep(figures)
        self.network.set_weights(own)
        self.epoch, self.step, self.total = self.epoch + 1, 0, 0.0
        self.save()
        told = [f"{name} {figure:.4f}" for name, figure in zip(CURVE, figures, strict=True) if figure == figure]
        report(self.epoch / config.epochs, f"{place}: {', '.join(told)}")

    def _average(self) -> None:
        """Take this step's weights into the mean of the epoch's, at some of its steps.

        Izmailov et al., "Averaging Weights Leads to Wider Optima and Better Generalization", UAI 2018.
        """
        points = min(_AVERAGED, self.steps)
        count = self.step * points // self.steps
        if count == (self.step - 1) * points // self.steps:
            return
        # Into new arrays: TensorFlow may look on at those it was given, and `kept` may be among them.
        own = self.network.get_weights()
        pairs = zip(self.mean, own, strict=True)
        self.mean = [mean + (new - mean) / np.float32(count) for mean, new in pairs] if count > 1 else own

    def _keep(self, figures: list[float]) -> None:
        """Keep the weights if the tail says they are the best so far: by ndcg where it has lists to order, else by AUC.

        Not by log-loss, which calibration mends afterwards.
        """
        judged = figures[1] if np.isnan(figures[4]) else figures[4]
        if judged > self.best or np.isnan(judged):
            self.best, self.waited = judged, 0
            self.kept = self.network.get_weights()
        else:
            self.waited += 1

    def learned(self) -> Learned:
        self.network.set_weights(self.kept)
        curve = np.array(self.curve, np.float64).reshape(-1, len(CURVE))
        return Learned(self._weights(), curve)

    def _weights(self) -> Weights:
        weights: Weights = self.network.learned()
        return weights._replace(seen=self.seen)

    def _randomness(self) -> Any:
        """int32 [2]: the seed of this step's dropout in this process."""
        drawn = np.random.default_rng([self.seed, 2, self.epoch, self.step, self.worker])
        return self._tf.constant(drawn.integers(1 << 31, size=2), self._tf.int32)

    def _batches(self) -> Any:
        """This process's part of the steps that are left of the epoch, read ahead by tf.data."""
        tf = self._tf
        seed, first = (self.seed, 1, self.epoch), self.step

        def drawn() -> Iterator[Batch]:
            yield from batches(self.samples, self.count, self.rows, seed, self.worker, self.workers, first)

        kinds = tuple(self._kinds())
        return tf.data.Dataset.from_generator(lambda: map(tuple, drawn()), output_signature=kinds).prefetch(2)

    def _kinds(self) -> list[Any]:
        tf, request, row, outputs = self._tf, self.layout.request, self.layout.row, self.shape.outputs

        def side(columns: Any) -> list[Any]:
            ids = tf.TensorSpec((None, len(columns.id)), tf.int32)
            value = tf.TensorSpec((None, len(columns.value)), tf.float32)
            length = tf.TensorSpec((None, len(columns.many)), tf.int32)
            return [ids, value, length, tf.TensorSpec((None,), tf.int32)]

        place, number = tf.TensorSpec((None,), tf.int32), tf.TensorSpec((None, outputs), tf.float32)
        return [place, place, *side(request), *side(row), number, number]

    def _compiled(self) -> Any:
        """One step of all processes together: from their batches to the mean loss."""
        tf, network, optimizer, strategy, config = self._tf, self.network, self.optimizer, self.strategy, self.config
        listwise, size = config.loss == "softmax", self.rows * self.scale
        item_id, item_value = tf.constant(self.item.id), tf.constant(self.item.value)
        item_many = tf.RaggedTensor.from_row_splits(tf.constant(self.item.many), self.item.offsets)
        lists = len(self.layout.item.many)
        tables = [each for each in network.trainable_variables if each.name in ("vectors", "linear")]

        def losses(logit: Any, batch: Batch) -> Any:
            if not listwise:
                return tf.reduce_sum(
                    batch.weight * tf.nn.sigmoid_cross_entropy_with_logits(labels=batch.label, logits=logit)
                )
            count = tf.shape(batch.request_id)[0]
            wanted = batch.label * batch.weight

            def summed(value: Any) -> Any:
                return tf.math.unsorted_segment_sum(value, batch.owner, count)

            most = tf.gather(tf.math.unsorted_segment_max(logit, batch.owner, count), batch.owner)
            shifted = logit - tf.stop_gradient(most)
            whole, hits = tf.gather(tf.math.log(summed(tf.exp(shifted))), batch.owner), summed(wanted)
            share = wanted / tf.gather(tf.where(hits > 0, hits, 1.0), batch.owner)
            return -tf.reduce_sum(share * (shifted - whole))

        def replica(seed: Any, *columns: Any) -> Any:
            batch = Batch(*columns)
            # Each item of the batch is described once, however many requests it stands in.
            there, index = tf.unique(batch.item)
            places = tf.reshape(there[:, None] * lists + tf.range(lists), (-1,))
            many = tf.gather(item_many, places)
            inputs = batch._asdict() | {
                "item": index,
                "item_id": tf.gather(item_id, there),
                "item_value": tf.gather(item_value, there),
                "item_length": tf.reshape(tf.cast(many.row_lengths(), tf.int32), (-1, lists)),
                "item_many": many.flat_values,
            }
            with tf.GradientTape() as tape:
                logit = network(inputs, seed=seed, dropout=config.dropout)
                loss = losses(logit, batch) / size
                whole = loss
                if config.l2:
                    whole += config.l2 / self.workers * sum(tf.reduce_sum(tf.square(each.value)) for each in tables)
            variables = network.trainable_variables
            gradients = [tf.convert_to_tensor(each) for each in tape.gradient(whole, variables)]
            optimizer.apply_gradients(zip(gradients, variables, strict=True))
            return loss

        def step(*given: Any) -> Any:
            return strategy.reduce("SUM", strategy.run(replica, args=given), axis=None)

        return tf.function(step, input_signature=[tf.TensorSpec((2,), tf.int32), *self._kinds()])

    def _judged(self) -> list[float]:
        """The curve's figures on the tail's rows of any weight, by the serving kernel; NaN for nothing to judge."""
        from yoorec_tf.scoring import Scorer

        tail = self.tail
        if not len(tail):
            return [float("nan")] * (len(CURVE) - 1)
        score = Scorer.of(self._weights(), self.layout, self.item).score(tail.encoded)
        figures = np.empty((self.shape.outputs, len(CURVE) - 1))
        for o in range(self.shape.outputs):
            known = tail.weight[:, o] > 0
            label, logit, weight = tail.label[known, o], score[known, o], tail.weight[known, o]
            offsets = np.append(0, np.cumsum(known))[tail.encoded.offsets]
            gains = ndcg(offsets, label, logit, _NDCG_AT)
            there = ~np.isnan(gains)
            order = float(gains[there].mean()) if there.any() and there.mean() >= _LISTS else float("nan")
            loss = log_loss(label, logit, weight) if self.config.loss == "logistic" else float("nan")
            figures[o] = auc(label, logit), gauc(offsets, label, logit), loss, order
        there = ~np.isnan(figures)
        total, count = np.where(there, figures, 0.0).sum(0), there.sum(0)
        found: list[float] = np.where(count, total / np.maximum(count, 1), np.nan).tolist()
        return found

    def save(self) -> None:
        """Write a checkpoint, being the first worker; all of them hold the same."""
        if self.folder is None or self.worker:
            return
        state = [self.epoch, self.step, self.waited, self.best, self.total, self.curve]
        values = [each.numpy() for each in self.variables]
        checkpoint = self._checkpoint(values, self.kept, self.mean, json.dumps(state))
        self._manager(checkpoint).save(checkpoint_number=self.epoch * (self.steps + 1) + self.step)

    def restore(self) -> None:
        """Go back to the last checkpoint, if there is one."""
        tf = self._tf
        if self.folder is None or (last := tf.train.latest_checkpoint(str(self.folder))) is None:
            return
        values = [each.numpy() for each in self.variables]
        checkpoint = self._checkpoint(values, self.kept, self.mean, "")
        checkpoint.restore(last).assert_consumed()
        for variable, found in zip(self.variables, checkpoint.variables, strict=True):
            variable.assign(found)
        self.kept, self.mean = ([each.numpy() for each in some] for some in (checkpoint.kept, checkpoint.mean))
        state = json.loads(checkpoint.state.numpy())
        self.epoch, self.step, self.waited, self.best, self.total, self.curve = state

    def _checkpoint(self, values: list[Any], kept: list[Any], mean: list[Any], state: str) -> Any:
        """Copies of the network's and the optimizer's variables, the best weights, the epoch's mean ones, and how far
        training has come.

        Copies, since variables that a cluster mirrors can only be written by all of its processes together.
        """
        tf = self._tf
        copies, best, means = ([tf.Variable(each) for each in some] for some in (values, kept, mean))
        return tf.train.Checkpoint(variables=copies, kept=best, mean=means, state=tf.Variable(state))

    def _manager(self, checkpoint: Any) -> Any:
        return self._tf.train.CheckpointManager(checkpoint, str(self.folder), max_to_keep=2)


def _tail(samples: Samples, count: int, item: Side) -> TrainingSet:
    """Of the requests from `count` on, those that judge."""
    places = np.arange(count, len(samples))
    places = places[np.unique(np.linspace(0, len(places) - 1, min(_JUDGED, len(places))).astype(np.int64))]
    parts = [samples.read(0).take(places[:0])]
    for number in np.unique(places // samples.block).tolist():
        parts.append(samples.read(number).take(places[places // samples.block == number] - number * samples.block))
    found = join(parts)
    encoded = found.encoded
    whole = Encoded(encoded.offsets, encoded.index, encoded.request, item, encoded.row)
    return TrainingSet(whole, found.label, found.weight)
