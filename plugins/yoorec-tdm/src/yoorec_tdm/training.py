"""Training: rounds of learning on a tree and building it again, by one process or by several that stay in step."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from yoorec.batch import Plays, Ragged, RequestBatch
from yoorec_tdm.config import TdmConfig
from yoorec_tdm.coplays import coplay_vectors
from yoorec_tdm.index import Index
from yoorec_tdm.samples import Plan, Sequences, draw
from yoorec_tdm.tree import Tree, order_by_category, order_by_vectors
from yoorec_tdm.weights import Weights

__all__ = ["Learned", "requests_at", "train"]

F32 = npt.NDArray[np.float32]
I32 = npt.NDArray[np.int32]
I64 = npt.NDArray[np.int64]

Report = Callable[[float, str], None]
"""Told of the share of the training that is done, and a note."""

_JUDGED = 1000
"""Plays of the tail on which an epoch is judged, at most, evenly spread over it."""
_RECALL_AT = 100
_REPORT_STEPS = 20


class Learned(NamedTuple):
    """A tree of the items that were played, the weights that belong to it, and the shift of each level's scores.

    curve: float64 [epochs, 4], by epoch: round, mean loss of training, and loss and recall@100 on the tail (NaN where
    there is none).
    """

    tree: Tree
    weights: Weights
    shift: F32
    curve: npt.NDArray[np.float64]


def train(
    sequences: Sequences,
    code: I32,
    config: TdmConfig,
    seed: int,
    threads: int,
    report: Report,
) -> Learned:
    """Learn from sequences that hold at least one target. code: int32 [I], each item's category, -1 for none.

    In a process of a cluster (``TF_CONFIG``), that one's part of it; all of them return the same. The result does not
    depend on `threads`, which is looked at only if TensorFlow is not running yet.
    """
    trainer = _Trainer(sequences, code, config, seed, threads)
    for turn in range(config.rounds):
        if turn:
            trainer.rebuild()
        best, waited = -1.0, 0
        for epoch in range(config.epochs):
            recall = trainer.epoch(turn, _within(report, config, turn, epoch))
            if recall > best or not len(trainer.tail):
                best, waited = recall, 0
                trainer.keep()
            else:
                waited += 1
                if waited == config.patience:
                    break
        trainer.restore()
    return trainer.learned()


def _within(report: Report, config: TdmConfig, turn: int, epoch: int) -> Report:
    """Reports of one epoch as a part of all."""

    def within(share: float, note: str) -> None:
        done = turn * config.epochs + epoch + share
        report(
            done / (config.rounds * config.epochs), f"round {turn + 1} of {config.rounds}, epoch {epoch + 1}: {note}"
        )

    return within


class _Trainer:
    """The network, the tree it is trained on, and the plays: those learned from, and the tail that judges."""

    def __init__(self, sequences: Sequences, code: I32, config: TdmConfig, seed: int, threads: int) -> None:
        self._tf = tf = _tensorflow(threads)
        from yoorec_tdm import network

        self._keras = network
        self.sequences, self.config, self.items = sequences, config, len(code)
        self.seed = np.random.default_rng(seed).integers(1 << 63, dtype=np.uint64)
        kept = len(sequences.target) - int(len(sequences.target) * config.tail)
        self.places, tail = np.split(sequences.target, [kept])
        self.played = _met(sequences, self.places)
        self.tail = tail[np.unique(np.linspace(0, len(tail) - 1, min(_JUDGED, len(tail))).astype(np.int64))]
        vectors = self._start(tail, seed) if config.start == "coplays" else None
        if vectors is None:
            order = order_by_category(self.played, code, np.random.default_rng(seed))
        else:
            order = order_by_vectors(self.played, vectors, config.arity)
        self._plant(Tree.of_order(order, config.arity))
        self.requests = requests_at(sequences, self.tail, sum(config.windows))
        self.curve: list[tuple[float, float, float, float]] = []
        cluster = "TF_CONFIG" in os.environ
        self.strategy = tf.distribute.MultiWorkerMirroredStrategy() if cluster else tf.distribute.get_strategy()
        self.workers = self.strategy.num_replicas_in_sync
        most = len(self.places) if config.per_user is None else config.per_user
        turn = _turn(sequences.first[self.places])
        count = int((turn < most).sum())
        # Steps of one size, so that hardly any play is left out of an epoch.
        self.rows = count // -(-count // (config.batch * self.workers))
        with self.strategy.scope():
            self.network = network.build_network(
                len(self.tree), config.dim, config.hidden, config.windows, config.attention, seed
            )
            self.optimizer = network.adam(config.learning_rate, config.averaging, self.network)
        if vectors is not None:
            self._set_leaves(vectors)
        self.step = self._compiled()
        self.kept = self.after_epoch = self.network.get_weights()

    def _plant(self, tree: Tree) -> None:
        self.tree = tree
        self.leaf = tree.leaf_of(self.items)
        self.plan = Plan.of(tree, self.config.negatives, self.config.siblings)

    def _start(self, tail: I64, seed: int) -> F32:
        """Vectors [V, D] of the items played, from what users played together but for the tail."""
        first, item = self.sequences.first, self.sequences.item
        known = np.ones(len(item), np.bool_)
        known[tail] = False
        pairs = np.unique(first[known] * self.items + item[known])
        user, once = pairs // self.items, (pairs % self.items).astype(np.int32)
        return coplay_vectors(user, once, self.items, self.config.dim, np.random.default_rng(seed))[self.played]

    def _set_leaves(self, vectors: F32) -> None:
        """Give the leaves of the items played these vectors [V, D], and each inner node the mean of its leaves'."""
        placed = np.zeros((len(self.tree), self.config.dim), np.float32)
        placed[self.leaf[self.played]] = vectors
        self._keras.set_vectors(self.network, self.tree.means(placed))

    def rebuild(self) -> None:
        """Build the tree again from the leaves' vectors, which they keep; inner nodes begin at the mean of theirs."""
        vectors = self.weights().vectors[self.leaf[self.played]]
        self._plant(Tree.of_order(order_by_vectors(self.played, vectors, self.config.arity), self.config.arity))
        self._set_leaves(vectors)
        for variable in self.optimizer.variables:
            variable.assign(self._keras.zeros_like(variable))
        self.optimizer.learning_rate = self.config.learning_rate

    def epoch(self, turn: int, report: Report) -> float:
        """Learn from plays once, in an order of its own; gives the recall on the tail."""
        number = len(self.curve)
        places = np.random.default_rng([int(self.seed), number]).permutation(self.places)
        if self.config.per_user is not None:
            places = places[_turn(self.sequences.first[places]) < self.config.per_user]
        steps = len(places) // self.rows
        total, done = 0.0, 0
        for done, batch in enumerate(self._batches(places[: steps * self.rows], number), 1):
            total += float(self.step(*batch))
            if done % _REPORT_STEPS == 0:
                report(done / steps, f"loss {total / done:.4f}")
        live = self.network.get_weights()
        self.optimizer.finalize_variable_values(self.network.trainable_variables)
        self.after_epoch = self.network.get_weights()
        loss, recall = self._judged()
        self.network.set_weights(live)
        self.curve.append((turn, total / max(done, 1), loss, recall))
        judged = f", recall@{_RECALL_AT} {recall:.3f}" if len(self.tail) else ""
        report(1.0, f"loss {total / max(done, 1):.4f}{judged}")
        return recall

    def keep(self) -> None:
        self.kept = self.after_epoch

    def restore(self) -> None:
        self.network.set_weights(self.kept)

    def weights(self) -> Weights:
        """The network as serving reads it."""
        config = self.config
        return self._keras.weights_of(self.network, config.windows, config.hidden, config.attention)

    def learned(self) -> Learned:
        return Learned(self.tree, self.weights(), self.plan.shift, np.array(self.curve, np.float64).reshape(-1, 4))

    def _samples(self, places: I64, seed: np.uint64, ahead: int) -> tuple[I32, I32, I32, F32]:
        """History int32 [B, L], main int32 [B], node int32 [B, S] and weight float32 [B, S] of plays at places [B]."""
        size, tree, plan = len(places), self.tree, self.plan
        history, main = np.empty((size, sum(self.config.windows)), np.int32), np.empty(size, np.int32)
        node, weight = np.empty((size, len(plan.level)), np.int32), np.empty((size, len(plan.level)), np.float32)
        shape = (tree.parent, tree.children, tree.level, tree.starts, plan.begins, plan.beside)
        draw(
            seed,
            np.ascontiguousarray(places),
            *self.sequences[:3],
            self.leaf,
            *shape,
            ahead,
            history,
            main,
            node,
            weight,
        )
        return history, main, node, weight

    def _batches(self, places: I64, number: int) -> Any:
        """This process's rows of each step's plays, drawn ahead by tf.data while the step before is learned from."""
        tf, slots = self._tf, len(self.plan.level)
        seed = np.random.default_rng([int(self.seed), number, 1]).integers(1 << 63, dtype=np.uint64)
        shapes = ((None, sum(self.config.windows)), (None,), (None, slots), (None, slots))
        dtypes = (tf.int32, tf.int32, tf.int32, tf.float32)

        def pipeline(context: Any) -> Any:
            def samples() -> Iterator[Any]:
                for start in range(0, len(places), self.rows):
                    own = places[start : start + self.rows][context.input_pipeline_id :: context.num_input_pipelines]
                    yield self._samples(own, seed, self.config.ahead)

            kinds = tuple(tf.TensorSpec(shape, dtype) for shape, dtype in zip(shapes, dtypes, strict=True))
            return tf.data.Dataset.from_generator(samples, output_signature=kinds).prefetch(2)

        return self.strategy.distribute_datasets_from_function(pipeline)

    def _compiled(self) -> Any:
        """One step of all processes together: from their samples to the mean loss."""
        tf, network, optimizer, strategy = self._tf, self.network, self.optimizer, self.strategy
        label = tf.constant(self.plan.label)
        size = float(self.rows * len(self.plan.level))

        def replica(history: Any, main: Any, node: Any, weight: Any) -> Any:
            with tf.GradientTape() as tape:
                logit = network([history, main, node], training=True)
                truth = tf.broadcast_to(label, tf.shape(logit))
                losses = tf.nn.sigmoid_cross_entropy_with_logits(labels=truth, logits=logit)
                loss = tf.reduce_sum(weight * losses) / size
            variables = network.trainable_variables
            gradients = [tf.convert_to_tensor(each) for each in tape.gradient(loss, variables)]
            optimizer.apply_gradients(zip(gradients, variables, strict=True))
            return loss

        def step(*batch: Any) -> Any:
            return strategy.reduce("SUM", strategy.run(replica, args=batch), axis=None)

        return tf.function(step)

    def _judged(self) -> tuple[float, float]:
        """Loss and recall on the tail, NaN without one."""
        from yoorec_tdm.scoring import readers_of, score_nodes
        from yoorec_tdm.search import search

        if not len(self.tail):
            return float("nan"), float("nan")
        weights, requests = self.weights(), self.requests
        _, _, node, weight = self._samples(self.tail, self.seed, 1)
        readers = readers_of(weights, requests.item, requests.history.offsets, requests.history.item, self.leaf)
        logit = score_nodes(weights, readers, np.arange(len(node) + 1) * node.shape[1], node.ravel())
        sign = np.where(np.tile(self.plan.label, len(node)) > 0, -1, 1)
        loss = float((np.logaddexp(0, sign * logit.astype(np.float64)) * weight.ravel()).sum() / weight.size)
        index = Index.of(self.tree, weights, self.plan.shift, np.zeros(self.items, np.int64))
        found = search(index, requests, self.config.beam, _RECALL_AT)
        truth = np.repeat(self.sequences.item[self.tail], np.diff(found.offsets))
        return loss, float((found.item == truth).sum() / len(self.tail))


def _met(sequences: Sequences, places: I64) -> I32:
    """Items that are learned from, rising: targets at the places and what their users played before them. One that was
    met later only would have a leaf and nothing learned of it.
    """
    first, last = sequences.first, np.full(len(sequences.item), -1)
    np.maximum.at(last, first[places], places)
    return np.unique(sequences.item[np.arange(len(first)) <= last[first]]).astype(np.int32)


def _turn(owner: I64) -> I64:
    """int64 [N]: how often each entry's value stands before it."""
    order = np.argsort(owner, kind="stable")
    begins = np.flatnonzero(np.diff(owner[order], prepend=-1))
    turn = np.empty(len(owner), np.int64)
    turn[order] = np.arange(len(owner)) - np.repeat(begins, np.diff(begins, append=len(owner)))
    return turn


def requests_at(sequences: Sequences, places: I64, most: int) -> RequestBatch:
    """What the users at places int64 [B] had played before, as requests right then would bring it; at most so many
    plays in the history, times are 0, and neither users nor k are told.
    """

    def before(first: I64) -> tuple[I64, I64]:
        lengths = places - first
        offsets = np.append(0, np.cumsum(lengths))
        return offsets, np.repeat(places - 1, lengths) - (np.arange(offsets[-1]) - np.repeat(offsets[:-1], lengths))

    size = len(places)
    offsets, rows = before(np.maximum(sequences.first[places], places - most))
    item, time = sequences.item[rows], np.zeros(len(rows), np.int64)
    history = Plays(offsets, item, time, np.ones(len(rows), np.float32))
    seen_offsets, seen = before(sequences.first[places])
    main = np.where(sequences.same[places], sequences.item[places - 1], -1).astype(np.int32)
    none = np.full(size, -1, np.int32)
    zeros = np.zeros(size, np.int64)
    return RequestBatch(none, zeros, main, none, Plays.empty(size), history, Ragged(seen_offsets, sequences.item[seen]))


def _tensorflow(threads: int) -> Any:
    """TensorFlow, every operation on one thread, so that sums never depend on how many there are; several operations
    at a time, unless it is running already.
    """
    # Some processors would leave oneDNN out, and other plugins ask for it: bits must not hang on who came first.
    os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")
    import tensorflow as tf

    try:
        tf.config.threading.set_intra_op_parallelism_threads(1)
        tf.config.threading.set_inter_op_parallelism_threads(threads)
    except RuntimeError:  # its runtime has started
        pass
    return tf
