"""What it costs to score a request's candidates: milliseconds alone and among eight callers, by what scores them.

    uv run python tests/benchmarks/ranker_latency.py [--rounds 5] [--all] [overrides of the scenario]

`wide_dcn` with default keys on every feature that the scenario gives, its weights drawn, since time doesn't depend on
them. `encode` makes the ids that all of them read. `compiled` is what serves by default; `TensorFlow` what
`serve: tensorflow` has, which pads; beside it graphs of the exact size, one of them by XLA. `batched` joins whatever
requests wait, up to eight, into one call of the kernel or of a graph of one, two, four or eight, to see whether that
pays. `numpy` is a plain forward pass, and `model.predict` what Keras offers. Callers are threads, each with one
request after the other; all sides in turns; medians over the rounds.

Of the scenario's triggers those whose fit takes long are left out; --all keeps them, which gives more features.
"""

from __future__ import annotations

import os

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # before numpy, which would otherwise bring threads of its own

# isort: split
import argparse
import tempfile
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from queue import Empty, SimpleQueue
from threading import Event, Thread
from typing import Any, NamedTuple

import numpy as np
from graph_features import described
from ranking_world import World, timed, with_seen, world_of
from yoorec_tf.config import WideDcnConfig
from yoorec_tf.export import export
from yoorec_tf.network import Network
from yoorec_tf.runtime import tensorflow
from yoorec_tf.scoring import Scorer
from yoorec_tf.serving import TensorFlowScorer
from yoorec_tf.weights import SIDES, Weights, widths

from yoorec.features.config import FeatureKeys
from yoorec.features.encoded import Encoded, Layout, Side

SIZES = (200, 500)
CALLERS, JOINED = 8, 8
CASES = 15
LONG = ("item2vec", "cover", "tdm")
MORE = (
    *("merge.limit=500", "triggers.title.limit=200", "triggers.graph.limit=200"),
    *("triggers.hot.limit=100", "triggers.segment.limit=100"),
)
"""Overrides by which requests have 500 candidates."""
SHAPE = WideDcnConfig().shape()

Score = Callable[[Encoded], Any]


def joined(parts: list[Encoded]) -> Encoded:
    """Requests of several batches as one batch."""
    if len(parts) == 1:
        return parts[0]

    def side(sides: list[Side]) -> Side:
        length = np.concatenate([np.diff(each.offsets) for each in sides])
        offsets = np.append(0, np.cumsum(length))
        first, second, _, fourth = (np.concatenate(each) for each in zip(*sides, strict=True))
        return Side(first, second, offsets, fourth)

    offsets = np.append(0, np.cumsum(np.concatenate([np.diff(each.offsets) for each in parts])))
    index = np.concatenate([each.index for each in parts])
    request, row = side([each.request for each in parts]), side([each.row for each in parts])
    return Encoded(offsets, index, request, parts[0].item, row)


class Plain:
    """A forward pass in numpy, as one would write it; items described beforehand, as all sides have it."""

    def __init__(self, weights: Weights, layout: Layout, item: Side) -> None:
        self.weights, self.layout = weights, layout
        request, items, _ = widths(layout, SHAPE.dim)
        self.ends = request, request + items
        self.item = self.described("item", item)

    def described(self, name: str, side: Side) -> tuple[np.ndarray, np.ndarray]:
        """x float32 [R, width] and lin float32 [R, O] of a side's rows."""
        weights, columns = self.weights, getattr(self.layout, name)
        at = sum(len(getattr(self.layout, each).value) for each in SIDES[: SIDES.index(name)])
        parts = [weights.vectors[side.id[:, : columns.embedded]].reshape(len(side), -1)]
        lin = weights.linear[side.id].sum(1) + side.value @ weights.slope[at : at + len(columns.value)]
        if side.lists:
            length = np.diff(side.offsets)
            owner = np.repeat(np.arange(len(length)), length)
            share = np.maximum(length, 1).astype(np.float32)[:, None]
            for place, table in enumerate((weights.vectors, weights.linear)):
                means = np.zeros((len(length), table.shape[1]), np.float32)
                np.add.at(means, owner, table[side.many])
                means /= share
                if place:
                    lin += means.reshape(len(side), side.lists, -1).sum(1)
                else:
                    parts.append(means.reshape(len(side), -1))
        return np.concatenate([*parts, side.value], 1), lin

    def score(self, encoded: Encoded) -> np.ndarray:
        """Logits float32 [N, O]."""
        weights, owner, index = self.weights, encoded.owner, encoded.index
        request, request_lin = self.described("request", encoded.request)
        row, row_lin = self.described("row", encoded.row)
        logit = weights.bias + request_lin[owner] + self.item[1][index] + row_lin
        base = np.concatenate([request[owner], self.item[0][index], row], 1)
        units = np.maximum(base @ weights.first + weights.first_bias, 0)
        for matrix, bias in weights.later():
            units = np.maximum(units @ matrix + bias, 0)
        crossed = base
        for down, up, bias in zip(weights.down, weights.up, weights.cross_bias, strict=True):
            crossed = base * (crossed @ down @ up + bias) + crossed
        found: np.ndarray = logit + np.concatenate([crossed, units], 1) @ weights.logit
        return found


class Graph:
    """A graph that scores so many requests with so many candidates in one call, whatever is missing padded.

    Items are described beforehand, as all sides have it.
    """

    def __init__(self, network: Network, item: Side, requests: int, rows: int, many: int, compiled: bool) -> None:
        self._tf = tf = tensorflow(1)
        self._sizes = {"request": requests, "row": rows}
        self._many = requests * many
        lengths = np.diff(item.offsets).astype(np.int32).reshape(len(item), item.lists)
        items = network.describe("item", tf.constant(item.id), tf.constant(item.value), lengths, tf.constant(item.many))
        kept = [tf.Variable(each, trainable=False) for each in items]

        def logits(*given: Any) -> Any:
            request, row, owner, index = given[:4], given[4:8], given[8], given[9]
            found = [tf.gather(each, index) for each in kept]
            requests, rows = network.describe("request", *request), network.describe("row", *row)
            return network.meet(requests, tuple(found), rows, owner, tf.range(self._sizes["row"]))

        layout = network.layout
        specs = []
        for name, size in self._sizes.items():
            columns = getattr(layout, name)
            specs += [tf.TensorSpec((size, len(columns.id)), tf.int32), tf.TensorSpec((size, len(columns.value)))]
            specs += [tf.TensorSpec((size, len(columns.many)), tf.int32)]
            specs += [tf.TensorSpec((self._many if name == "request" else 0,), tf.int32)]
        specs += [tf.TensorSpec((rows,), tf.int32)] * 2
        self._call = tf.function(logits, jit_compile=compiled).get_concrete_function(*specs)

    def score(self, encoded: Encoded) -> np.ndarray:
        """Logits float32 [N, O]."""
        given: list[np.ndarray] = []
        for name, side in (("request", encoded.request), ("row", encoded.row)):
            size = self._sizes[name]
            length = np.diff(side.offsets).astype(np.int32).reshape(len(side), side.lists)
            given += [_padded(each, size) for each in (side.id, side.value, length)]
            given.append(_padded(side.many, self._many if name == "request" else 0))
        given += [_padded(encoded.owner, self._sizes["row"]), _padded(encoded.index, self._sizes["row"])]
        found: np.ndarray = self._call(*map(self._tf.constant, given)).numpy()
        return found[: len(encoded.index)]


class Graphs:
    """Graphs of one, two, four and so many requests; each batch is scored by the smallest that holds it."""

    def __init__(self, network: Network, item: Side, rows: int, many: int, compiled: bool) -> None:
        sizes = [1 << power for power in range(JOINED.bit_length())]
        self._graphs = {size: Graph(network, item, size, size * rows, many, compiled) for size in sizes}

    def score(self, encoded: Encoded) -> np.ndarray:
        """Logits float32 [N, O]."""
        return self._graphs[1 << (len(encoded) - 1).bit_length()].score(encoded)


def _padded(array: np.ndarray, size: int) -> np.ndarray:
    if len(array) == size:
        return array
    found = np.zeros((size, *array.shape[1:]), array.dtype)
    found[: len(array)] = array
    return found


class Asked(NamedTuple):
    """A request that waits, and where its scores come to."""

    encoded: Encoded
    done: Event
    score: list[np.ndarray]


class Batched:
    """Joins the requests that wait into one call, on a thread of its own; nobody waits for others to come."""

    def __init__(self, score: Score) -> None:
        self._score, self._queue = score, SimpleQueue[Asked | None]()
        self._thread = Thread(target=self._work)
        self._thread.start()

    def score(self, encoded: Encoded) -> np.ndarray:
        """Logits float32 [N, O], once they are there."""
        asked = Asked(encoded, Event(), [])
        self._queue.put(asked)
        asked.done.wait()
        return asked.score[0]

    def close(self) -> None:
        """End the thread."""
        self._queue.put(None)
        self._thread.join()

    def _work(self) -> None:
        while (first := self._queue.get()) is not None:
            waiting = [first]
            while len(waiting) < JOINED:
                try:
                    more = self._queue.get_nowait()
                except Empty:
                    break
                if more is None:
                    self._queue.put(None)
                    break
                waiting.append(more)
            whole = self._score(joined([each.encoded for each in waiting]))
            at = 0
            for each in waiting:
                each.score.append(whole[at : at + len(each.encoded.index)])
                at += len(each.encoded.index)
                each.done.set()


def together(
    sides: Mapping[str, Callable[[int], object]], cases: int, rounds: int
) -> dict[str, tuple[np.ndarray, float]]:
    """Seconds of each side's calls among eight callers, and calls a second, the median of the rounds."""
    seconds: dict[str, list[float]] = {name: [] for name in sides}
    rates: dict[str, list[float]] = {name: [] for name in sides}

    def call(work: Callable[[int], object], first: int, took: list[float]) -> None:
        for n in range(cases):
            started = time.perf_counter()
            work((first + n) % cases)
            took.append(time.perf_counter() - started)

    for _ in range(rounds):
        for name, work in sides.items():
            threads = [Thread(target=call, args=(work, n * 3, seconds[name])) for n in range(CALLERS)]
            started = time.perf_counter()
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
            rates[name].append(CALLERS * cases / (time.perf_counter() - started))
    return {name: (np.array(each), float(np.median(rates[name]))) for name, each in seconds.items()}


def measure(world: World, size: int, rounds: int) -> None:
    """Print the table of requests with so many candidates."""
    encoder, layout = world.encoder, world.encoder.layout
    requests, candidates = world.with_candidates(size, 500)
    few = [np.array([b]) for b in range(min(CASES, len(requests)))]
    cases = [(requests.take(one), candidates.take(one)) for one in few]
    encoded = [encoder.encode(*case) for case in cases]
    network = Network(layout, SHAPE, 0)
    weights = with_seen(_drawn(network.learned()), encoder.encode(requests, candidates).row)
    network.adopt(weights)
    scorer, plain = Scorer.of(weights, layout, encoder.items), Plain(weights, layout, encoder.items)
    many = max(len(each.request.many) for each in encoded)
    one = [Graph(network, encoder.items, 1, size, many, compiled) for compiled in (False, True)]
    large = [Graphs(network, encoder.items, size, many, compiled) for compiled in (False, True)]
    tf = tensorflow(1)
    with tempfile.TemporaryDirectory() as folder:
        flat = np.ones(SHAPE.outputs, np.float32), np.zeros(SHAPE.outputs, np.float32)
        export(Path(folder), layout, SHAPE, weights, encoder.items, (1.0,), *flat)
        served = TensorFlowScorer(Path(folder), layout, encoder.items)
    inputs = [described(each) for each in encoded]
    network.compile()

    def predict(n: int) -> np.ndarray:
        found: np.ndarray = network.predict(tf.data.Dataset.from_tensors(inputs[n]), verbose=0)
        return found

    scores: dict[str, Score] = {
        "compiled": scorer.score,
        "TensorFlow": served.score,
        "TensorFlow, exact size": one[0].score,
        "XLA, exact size": one[1].score,
        "numpy": plain.score,
    }
    batching = {
        "compiled, batched": Batched(scorer.score),
        "TensorFlow, batched": Batched(large[0].score),
        "XLA, batched": Batched(large[1].score),
    }
    scores |= {name: each.score for name, each in batching.items()}
    for name, score in scores.items():
        for each in encoded:
            np.testing.assert_allclose(score(each), scorer.score(each), rtol=1e-3, atol=1e-3, err_msg=name)
    for graphs in large:  # each graph once, which XLA compiles at its first call
        for count in range(1, JOINED + 1):
            whole = joined(encoded[:count])
            np.testing.assert_allclose(graphs.score(whole), scorer.score(whole), rtol=1e-3, atol=1e-3)
    np.testing.assert_allclose(predict(0), scorer.score(encoded[0]), rtol=1e-3, atol=1e-3)
    sides: dict[str, Callable[[int], object]] = {"encode": lambda n: encoder.encode(*cases[n])}
    sides |= {name: lambda n, score=score: score(encoded[n]) for name, score in scores.items()}
    sides["encode, compiled"] = lambda n: scorer.score(encoder.encode(*cases[n]))
    alone, many_callers = timed(sides, len(cases), rounds), together(sides, len(cases), rounds)
    slow = {"model.predict": predict}
    alone |= timed(slow, min(len(cases), 5), 2)
    print(f"\n{size} candidates")
    print(f"  {'':<24} {'p50 ms':>8} {'p99 ms':>8}   {CALLERS} callers: {'p50 ms':>7} {'p99 ms':>8} {'requests/s':>11}")
    for name, took in alone.items():
        line = f"  {name:<24} {1e3 * np.median(took):>8.3f} {1e3 * np.percentile(took, 99):>8.3f}"
        if name in many_callers:
            each, rate = many_callers[name]
            line += f" {1e3 * np.median(each):>20.3f} {1e3 * np.percentile(each, 99):>8.3f} {rate:>11,.0f}"
        print(line, flush=True)
    for batched in batching.values():
        batched.close()


def _drawn(weights: Weights) -> Weights:
    """With something in every table, so that sides that differ are told apart."""
    rng = np.random.default_rng(1)
    fresh = {}
    for name in ("linear", "slope", "bias", "first_bias", "cross_bias"):
        fresh[name] = rng.normal(0, 0.05, getattr(weights, name).shape).astype(np.float32)
    fresh["linear"][0] = 0
    return weights._replace(**fresh)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("overrides", nargs="*", help="overrides of the scenario")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--all", action="store_true", help="keep the triggers whose fit takes long")
    given = parser.parse_args()
    tensorflow(1)
    without = () if given.all else LONG
    world = world_of([*MORE, *given.overrides], FeatureKeys(), without)
    layout = world.encoder.layout
    sides = (layout.request, layout.item, layout.row)
    ids, lists = sum(len(side.id) for side in sides), sum(len(side.many) for side in sides)
    print(f"{ids + lists} features, {lists} of them lists; {layout.size:,} ids", flush=True)
    for size in SIZES:
        measure(world, size, given.rounds)


if __name__ == "__main__":
    main()
