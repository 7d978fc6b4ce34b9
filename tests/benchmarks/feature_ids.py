"""Feature ids made outside the TensorFlow graph against a graph that does the feature work itself, ratios in one run.

    uv run python tests/benchmarks/feature_ids.py [--rounds 10] [--requests 1024] [overrides of the scenario]

A candidate's features: attributes of the user, the main item and the candidate, four lists of the history and the
candidate's tags, the triggers' scores, ranks and presence, and five crosses. Ours are ids from the compiled encoder.
A graph makes the same from raw strings and numbers: by hand (hash tables, one comparison for all ranges, tables of
pairs; the very ids of the encoder, which is checked), by Keras' preprocessing layers, and by tf.feature_column, which
still runs in a graph and a session of TensorFlow 1. What it reads lies ready as tensors, is strings that must become
tensors, or is tf.Examples. "flat": every candidate carries all features, its request's too, as examples usually do;
"shared": the request's columns are there once, as ours are. Above all of them stands the same network, `wide_dcn` with
default keys; ours describes each item once, which ids allow: for all requests of a server, for a batch in training.

inference: a request with 200 candidates. training: steps of 256 requests with 20 candidates each, an epoch a round.
reading: rows of the training's samples from each form of file. One thread an operation everywhere; all sides warm and
in turns; medians. Ratios are from the quickest to the slowest of the graphs, and a target holds if the quickest does.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from graph_features import ByHand, ByKeras, FeatureColumns, Raw, RawReader, described, examples_of, parsed
from ranking_world import World, timed, with_seen, world_of
from yoorec_tf.config import WideDcnConfig
from yoorec_tf.export import export
from yoorec_tf.network import Network, adam
from yoorec_tf.runtime import tensorflow
from yoorec_tf.scoring import Scorer
from yoorec_tf.serving import TensorFlowScorer
from yoorec_tf.storage import (
    Batch,
    Memory,
    ParquetSamples,
    Samples,
    TFRecordSamples,
    TrainingSet,
    batches,
    read_csv,
    write_csv,
    write_parquet,
    write_tfrecord,
)
from yoorec_tf.weights import Weights

from yoorec.batch import CandidateBatch, RequestBatch
from yoorec.features.config import Feature, FeatureKeys
from yoorec.features.encoded import Encoded, Layout, Side

CANDIDATES, ROWS, STEP = 200, 20, 256
"""Candidates of a request served; of one learned from; requests of a step."""
CASES = 20
"""Requests served, in turns."""
WITHOUT = ("sknn", "item2vec", "graph", "title", "cover", "tdm")
CROSSES = {
    "user_gender_x_category": ("user.gender", "item.category"),
    "user_age_band_x_category": ("user.age_band", "item.category"),
    "user_region_x_category": ("user.region", "item.category"),
    "main_category_x_category": ("main.category", "item.category"),
    "user_age_band_x_age": ("user.age_band", "stat.age"),
}
SINGLE = (
    *("user.gender", "user.age_band", "user.region", "main.id", "main.category", "main.author", "main.duration_s"),
    *("context.hour", "context.weekday", "context.gap", "context.session", "context.history"),
    *("history.id", "history.tags", "history.category", "history.author"),
    *("item.id", "item.category", "item.author", "item.duration_s", "item.tags"),
    *("stat.age", "trigger.score", "trigger.rank", "trigger.presence", "merge.score", "merge.rank"),
)
"""Features whose raw values a request can carry; what must be counted or compared is left out."""
KEYS = FeatureKeys(
    {name.replace(".", "_"): Feature(name) for name in SINGLE} | {name: Feature(of) for name, of in CROSSES.items()}
)
SHAPE = WideDcnConfig().shape()
FEATURE_WORK, INFERENCE, TRAINING = 10.0, 3.0, 2.0
"""Targets: how many times faster ours is."""


class Strings(NamedTuple):
    """A request as it comes in: outside ids. known: the rest of it, which is no text."""

    main: str
    history: list[str]
    candidates: list[str]
    known: tuple[RequestBatch, CandidateBatch]


class Case(NamedTuple):
    """One request with its candidates, in every form that a side reads; raw by form."""

    strings: Strings
    encoded: Encoded
    ids: dict[str, Any]
    raw: dict[str, Raw]
    tensors: dict[str, dict[str, Any]]
    examples: dict[str, tuple[np.ndarray, np.ndarray]]


def check(encoded: Encoded, raw: Raw, hand: ByHand, keras: ByKeras, layout: Layout) -> None:
    """Both kinds of graph mean what the encoder means: by hand bit for bit, by Keras but for hashed crosses."""
    ids = described(encoded)
    for graph in (hand, keras):
        found = {name: np.asarray(value) for name, value in graph(_tensors(raw._asdict())).items()}
        for name, expected in ids.items():
            own = layout.row.embedded if name == "row_id" and graph is keras else None
            if name.endswith("value"):
                np.testing.assert_allclose(found[name], expected, atol=1e-6, err_msg=name)
            else:
                np.testing.assert_array_equal(found[name][..., :own], expected[..., :own], name)
        if graph is keras:
            for x in range(len(layout.row.id) - layout.row.embedded):
                column = layout.row.embedded + x
                ours, theirs = ids["row_id"][:, column], found["row_id"][:, column]
                known = ours >= hand.first[layout.row.id[column]] + 2
                pairs = {*zip(ours[known].tolist(), theirs[known].tolist(), strict=True)}
                assert len(pairs) == len(np.unique(ours[known])), f"{layout.row.id[column]}: an id has two bins"
                assert len(np.unique(theirs[known])) >= 0.99 * len(pairs), f"{layout.row.id[column]}: bins are shared"


def _tensors(arrays: Mapping[str, np.ndarray]) -> dict[str, Any]:
    import tensorflow as tf

    return {name: tf.constant(array) for name, array in arrays.items()}


# -- inference


def cases_of(world: World, reader: RawReader) -> list[Case]:
    """Requests with 200 candidates each."""
    items = world.catalogue.items
    requests, candidates = world.with_candidates(CANDIDATES, CASES)
    found = []
    for b in range(len(requests)):
        one, few = requests.take(np.array([b])), candidates.take(np.array([b]))
        encoded, shared = world.encoder.encode(one, few), reader.read(one, few)
        strings = Strings(items.ids[one.item[0]], items.decode(one.history.item), items.decode(few.item), (one, few))
        raw = {"shared": shared, "flat": shared.flat()}
        tensors = {form: _tensors(each._asdict()) for form, each in raw.items()}
        examples = {form: examples_of(each, reader.places) for form, each in raw.items()}
        found.append(Case(strings, encoded, _tensors(described(encoded)), raw, tensors, examples))
    return found


def indexed(world: World, strings: Strings) -> tuple[RequestBatch, CandidateBatch]:
    """A request's outside ids as indices."""
    items, (requests, candidates) = world.catalogue.items, strings.known
    main, history = items.encode([strings.main]), items.encode(strings.history)
    requests = replace(requests, item=main, history=replace(requests.history, item=history))
    return requests, replace(candidates, item=items.encode(strings.candidates))


def concrete(tf: Any, call: Callable[[Any], Any], like: Mapping[str, np.ndarray]) -> Any:
    """A graph that is never traced again: sizes are those of the arrays given, but for lists, which may be any."""
    specs = {}
    for name, array in like.items():
        size = (None, *array.shape[1:]) if name.endswith(("lists", "many")) else array.shape
        specs[name] = tf.TensorSpec(size, tf.string if array.dtype == object else array.dtype, name)
    return tf.function(lambda **given: call(given)).get_concrete_function(**specs)


def served(weights: Weights, layout: Layout, items: Side) -> TensorFlowScorer:
    """The network as TensorFlow serves it."""
    with tempfile.TemporaryDirectory() as folder:
        plain = np.ones(SHAPE.outputs, np.float32), np.zeros(SHAPE.outputs, np.float32)
        export(Path(folder), layout, SHAPE, weights, items, (1.0,), *plain)
        return TensorFlowScorer(Path(folder), layout, items)


def inference(world: World, reader: RawReader, rounds: int) -> dict[str, np.ndarray]:
    """Seconds of each side, by case and round."""
    tf = tensorflow(1)
    encoder, layout, places = world.encoder, world.encoder.layout, reader.places
    cases = cases_of(world, reader)
    hand, keras = ByHand(encoder), ByKeras(encoder)
    for case in cases:
        check(case.encoded, case.raw["shared"], hand, keras, layout)
    network, by_keras = Network(layout, SHAPE, 0), Network(keras.layout, SHAPE, 0)
    weights = with_seen(network.learned(), encoder.encode(*world.with_candidates(CANDIDATES, 500)).row)
    scorer = Scorer.of(weights, layout, encoder.items)
    columns = FeatureColumns(encoder, SHAPE, weights, 0.002)
    in_graph = served(weights, layout, encoder.items)
    on_ids = concrete(tf, network, described(cases[0].encoded))

    def encode_and(score: Callable[[Encoded], Any]) -> Callable[[int], Any]:
        return lambda n: score(encoder.encode(*indexed(world, cases[n].strings)))

    sides: dict[str, Callable[[int], Any]] = {
        "work: ours": lambda n: encoder.encode(*cases[n].strings.known),
        "work: ours, users and items looked up": lambda n: encoder.encode(*indexed(world, cases[n].strings)),
        "rest: ours, compiled kernel": lambda n: scorer.score(cases[n].encoded),
        "rest: ours, TensorFlow": lambda n: in_graph.score(cases[n].encoded),
        "rest: network on ids that lie ready": lambda n: on_ids(**cases[n].ids).numpy(),
        "step: ours, compiled kernel": encode_and(scorer.score),
        "step: ours, TensorFlow": encode_and(in_graph.score),
    }
    same = list(sides)[-4:]
    for form in ("shared", "flat"):
        raw = cases[0].raw[form]._asdict()
        context, rows = cases[0].examples[form]
        serialised = {"context": context, "rows": rows, "owner": raw["owner"]}

        def parse(given: Any) -> Any:
            return parsed(**given, places=places)

        def told(given: Any, form: str = form) -> dict[str, Any]:
            return dict(zip(("context", "rows"), map(tf.constant, given.examples[form]), strict=True)) | {
                "owner": given.tensors[form]["owner"]
            }

        def tensors(given: Any, form: str = form) -> dict[str, Any]:
            found: dict[str, Any] = given.tensors[form]
            return found

        def strings(given: Any, form: str = form) -> dict[str, Any]:
            return _tensors(given.raw[form]._asdict())

        def run(call: Any, read: Callable[[Case], Any], n: int) -> Any:
            return call(**read(cases[n]))

        def scored(call: Any, read: Callable[[Case], Any], n: int) -> Any:
            return call(**read(cases[n])).numpy()

        work = {"by hand": hand, "Keras layers": keras}
        whole = {
            "by hand": concrete(tf, lambda given: network(hand(given)), raw),
            "Keras layers": concrete(tf, lambda given: by_keras(keras(given)), raw),
        }
        of_examples = concrete(tf, lambda given: network(hand(parse(given))), serialised)
        for name, call in work.items():
            sides[f"work: {form}, {name}"] = partial(run, concrete(tf, call, raw), tensors)
        sides[f"work: {form}, feature_column"] = lambda n, form=form: columns.features(*cases[n].raw[form])
        sides[f"work: {form}, parsing tf.Examples"] = partial(run, concrete(tf, parse, serialised), told)
        for name, call in whole.items():
            sides[f"step: {form}, {name}, tensors"] = partial(scored, call, tensors)
            sides[f"step: {form}, {name}, strings"] = partial(scored, call, strings)
        sides[f"step: {form}, feature_column, strings"] = lambda n, form=form: columns.score(*cases[n].raw[form])
        sides[f"step: {form}, by hand, tf.Examples"] = partial(scored, of_examples, told)
        same += [name for name in sides if name.startswith(f"step: {form}, by hand")]
    for name in same:
        for n, case in enumerate(cases):
            np.testing.assert_allclose(sides[name](n), scorer.score(case.encoded), atol=1e-4, err_msg=name)
    return timed(sides, len(cases), rounds)


# -- training


class Learning(NamedTuple):
    """What is learned from: requests with few candidates each, in files, and raw by form and step."""

    requests: RequestBatch
    candidates: CandidateBatch
    samples: TrainingSet
    folder: Path
    raw: dict[str, list[Raw]]
    examples: dict[str, list[tuple[np.ndarray, np.ndarray]]]


def learning_of(world: World, reader: RawReader, size: int, folder: Path) -> Learning:
    """Some requests with 20 candidates each, drawn, in whole steps."""
    whole = world.samples
    places = np.flatnonzero(whole.candidates.lengths >= ROWS)[: size // STEP * STEP]
    places = places[: len(places) // STEP * STEP]
    rng = np.random.default_rng(0)
    start, length = whole.candidates.offsets[places], whole.candidates.lengths[places]
    drawn = [np.sort(rng.choice(int(count), ROWS, replace=False)) for count in length]
    rows = np.concatenate([first + each for first, each in zip(start, drawn, strict=True)])
    requests = whole.requests.take(places)
    candidates = whole.candidates.rows(rows, np.arange(len(places) + 1, dtype=np.int64) * ROWS)
    label = whole.label[rows][:, None]
    samples = TrainingSet(world.encoder.encode(requests, candidates), label, np.ones_like(label))
    (folder / "parquet").mkdir()
    (folder / "tfrecord").mkdir()
    write_parquet(folder / "parquet", Memory(samples))
    write_tfrecord(folder / "tfrecord", Memory(samples))
    write_csv(folder / "samples.csv", samples, world.encoder.layout)
    steps = [np.arange(at, at + STEP) for at in range(0, len(places), STEP)]
    shared = [reader.read(requests.take(some), candidates.take(some)) for some in steps]
    raw = {"shared": shared, "flat": [each.flat() for each in shared]}
    examples = {form: [examples_of(each, reader.places) for each in parts] for form, parts in raw.items()}
    return Learning(requests, candidates, samples, folder, raw, examples)


def step_of(tf: Any, network: Network, inputs_of: Callable[[Any], Any], like: Mapping[str, np.ndarray]) -> Any:
    """A step of Adam from what `inputs_of` makes the network's inputs of, and labels, never traced again."""
    optimizer = adam(0.002, network)
    specs = {
        name: tf.TensorSpec((None, *array.shape[1:]), tf.string if array.dtype == object else array.dtype)
        for name, array in like.items()
    }

    @tf.function(input_signature=[specs, tf.TensorSpec((None, SHAPE.outputs), tf.float32)])  # type: ignore[untyped-decorator]
    def step(given: Any, label: Any) -> Any:
        inputs = inputs_of(given)
        with tf.GradientTape() as tape:
            logit = network(inputs)
            loss = tf.reduce_mean(tf.nn.sigmoid_cross_entropy_with_logits(labels=label, logits=logit))
        variables = network.trainable_variables
        gradients = [tf.convert_to_tensor(each) for each in tape.gradient(loss, variables)]
        optimizer.apply_gradients(zip(gradients, variables, strict=True))
        return loss

    return step


def with_items(tf: Any, item: Side) -> Callable[[Any], Any]:
    """Adds to a batch of ids those of its items, each once."""
    ids, value, lists = tf.constant(item.id), tf.constant(item.value), item.lists
    ragged = tf.RaggedTensor.from_row_splits(tf.constant(item.many), item.offsets)

    def added(given: Any) -> Any:
        there, index = tf.unique(given["item"])
        many = tf.gather(ragged, tf.reshape(there[:, None] * lists + tf.range(lists), (-1,)))
        length = tf.reshape(tf.cast(many.row_lengths(), tf.int32), (-1, lists))
        found = {"item_id": tf.gather(ids, there), "item_value": tf.gather(value, there), "item_length": length}
        return given | found | {"item": index, "item_many": many.flat_values}

    return added


def training(world: World, reader: RawReader, data: Learning, rounds: int) -> dict[str, np.ndarray]:
    """Seconds of an epoch of each side, by round."""
    tf = tensorflow(1)
    encoder, layout, places = world.encoder, world.encoder.layout, reader.places
    hand, keras = ByHand(encoder), ByKeras(encoder)
    size, own = len(data.requests), np.split(data.samples.label, len(data.requests) // STEP)
    labels = [tf.constant(each) for each in own]
    columns = FeatureColumns(encoder, SHAPE, Network(layout, SHAPE, 0).learned(), 0.002)
    sources = {
        "Parquet": ParquetSamples(data.folder / "parquet"),
        "TFRecord": TFRecordSamples(data.folder / "tfrecord"),
    }
    like = Batch.of(data.samples)._asdict()
    of_ids = step_of(tf, Network(layout, SHAPE, 0), with_items(tf, encoder.items), _without_label(like)[0])
    ready = [_tensors(described(encoder.encode(*each))) for each in stepwise(data)]
    on_ids = step_of(tf, Network(layout, SHAPE, 0), lambda given: given, _like(ready[0]))

    def read(source: Samples) -> Iterable[tuple[dict[str, np.ndarray], np.ndarray]]:
        return (_without_label(batch._asdict()) for batch in batches(source, size, STEP, (0,)))

    def drain(source: Iterable[Any]) -> None:
        for _ in source:
            pass

    def epoch(step: Any, source: Iterable[Any]) -> None:
        for given, label in source:
            loss = step(given, label)
        float(loss)

    def in_loop(source: Samples) -> None:
        epoch(of_ids, ((_tensors(given), tf.constant(label)) for given, label in read(source)))

    def in_dataset(source: Samples) -> None:
        kinds = tuple(tf.nest.map_structure(lambda each: _spec(tf, each), part) for part in _without_label(like))
        epoch(of_ids, tf.data.Dataset.from_generator(partial(read, source), output_signature=kinds).prefetch(2))

    sides: dict[str, Callable[[int], Any]] = {}
    for name, source in sources.items():
        sides[f"work: ours, {name}"] = lambda _, source=source: drain(batches(source, size, STEP, (0,)))
        sides[f"step: ours, {name}"] = lambda _, source=source: in_loop(source)
        sides[f"step: ours, {name}, tf.data"] = lambda _, source=source: in_dataset(source)
    sides["once: our encoder"] = lambda _: drain(encoder.encode(*each) for each in stepwise(data))
    sides["rest: network on ids that lie ready"] = lambda _: epoch(on_ids, zip(ready, labels, strict=True))
    for form, raw in data.raw.items():
        tensors = [_tensors(each._asdict()) for each in raw]
        texts = [tuple(map(tf.constant, each)) for each in data.examples[form]]
        owner = tf.constant(raw[0].owner)

        def parse(context: Any, rows: Any, owner: Any = owner) -> Any:
            return parsed(context, rows, owner, places)

        for name, graph in (("by hand", hand), ("Keras layers", keras)):
            step = step_of(tf, Network(graph.layout, SHAPE, 0), graph, _like(tensors[0]))
            work = tf.function(graph, input_signature=[{name: _spec(tf, each) for name, each in tensors[0].items()}])
            sides[f"work: {form}, {name}"] = partial(lambda work, tensors, _: drain(map(work, tensors)), work, tensors)
            sides[f"step: {form}, {name}"] = partial(
                lambda step, tensors, _: epoch(step, zip(tensors, labels, strict=True)), step, tensors
            )
        ahead = step_of(tf, Network(layout, SHAPE, 0), lambda given: given, _like(hand(tensors[0])))
        ours = _ahead(tf, hand, tensors, labels)
        sides[f"step: {form}, by hand, tf.data"] = partial(lambda step, source, _: epoch(step, source), ahead, ours)
        sides[f"work: {form}, feature_column"] = partial(lambda raw, _: drain(columns.features(*x) for x in raw), raw)
        sides[f"step: {form}, feature_column"] = partial(
            lambda raw, _: drain(columns.train(*x, y) for x, y in zip(raw, own, strict=True)), raw
        )
        parsing = tf.function(parse)
        sides[f"work: {form}, parsing tf.Examples"] = partial(
            lambda parsing, texts, _: drain(parsing(*each) for each in texts), parsing, texts
        )
        inside = step_of(
            tf, Network(layout, SHAPE, 0), lambda given, parse=parse: hand(parse(**given)), _like(_texts(texts[0]))
        )
        sides[f"step: {form}, by hand, tf.Examples"] = partial(
            lambda step, texts, _: epoch(step, zip(map(_texts, texts), labels, strict=True)), inside, texts
        )
    return timed(sides, 1, rounds)


def _ahead(tf: Any, call: Callable[[Any], Any], parts: list[Any], labels: list[Any]) -> Any:
    """A dataset that does the feature work ahead of the steps."""
    whole = None
    for given, label in zip(parts, labels, strict=True):
        one = tf.data.Dataset.from_tensors((given, label))
        whole = one if whole is None else whole.concatenate(one)
    assert whole is not None
    return whole.map(lambda given, label: (call(given), label)).prefetch(2)


def _without_label(batch: Mapping[str, np.ndarray]) -> tuple[dict[str, np.ndarray], np.ndarray]:
    return {name: each for name, each in batch.items() if name not in ("label", "weight")}, batch["label"]


def _texts(pair: tuple[Any, Any]) -> dict[str, Any]:
    return {"context": pair[0], "rows": pair[1]}


def stepwise(data: Learning) -> Iterable[tuple[RequestBatch, CandidateBatch]]:
    """Requests and candidates of each step."""
    for at in range(0, len(data.requests), STEP):
        some = np.arange(at, at + STEP)
        yield data.requests.take(some), data.candidates.take(some)


def _like(tensors: Mapping[str, Any]) -> dict[str, np.ndarray]:
    return {name: each.numpy() for name, each in tensors.items()}


def _spec(tf: Any, each: Any) -> Any:
    return tf.TensorSpec((None, *each.shape[1:]), each.dtype)


# -- reading


def reading(world: World, reader: RawReader, data: Learning, rounds: int) -> dict[str, np.ndarray]:
    """Seconds in which all rows are read from each form of file."""
    tf = tensorflow(1)
    layout, size = world.encoder.layout, len(data.samples.label)
    records = str(data.folder / "raw.tfrecord")
    with tf.io.TFRecordWriter(records) as file:
        for context, rows in data.examples["shared"]:
            for b, text in enumerate(context):
                file.write(text)
                for row in rows[b * ROWS : (b + 1) * ROWS]:
                    file.write(row)
    owner = tf.constant(data.raw["shared"][0].owner)

    def split(lines: Any) -> Any:
        whole = tf.reshape(lines, (STEP, 1 + ROWS))
        return parsed(whole[:, 0], tf.reshape(whole[:, 1:], (-1,)), owner, reader.places)

    def whole(source: Samples) -> None:
        rows = sum(len(source.read(number).label) for number in range(-(-len(source) // source.block)))
        assert rows == size

    def lines() -> None:
        last = layout.row.id[-1]
        assert sum(len(each[last]) for each in read_csv(data.folder / "samples.csv", layout, STEP * ROWS)) == size

    def raw() -> None:
        found = tf.data.TFRecordDataset(records).batch(STEP * (1 + ROWS)).map(split)
        assert sum(len(each["owner"]) for each in found) == size

    return timed(
        {
            "ids, Parquet": lambda _: whole(ParquetSamples(data.folder / "parquet")),
            "ids, TFRecord": lambda _: whole(TFRecordSamples(data.folder / "tfrecord")),
            "ids, CSV": lambda _: lines(),
            "raw, tf.Examples": lambda _: raw(),
        },
        1,
        rounds,
    )


# -- the tables


def ratio_line(what: str, ours: float, theirs: Mapping[str, float], target: float) -> None:
    """How many times faster ours is than the quickest and the slowest of theirs, and whether the target holds."""
    least, most = min(theirs, key=theirs.__getitem__), max(theirs, key=theirs.__getitem__)
    low, high = theirs[least] / ours, theirs[most] / ours
    told = "holds" if low >= target else "holds only against the slowest" if high >= target else "does not hold"
    print(f"  {what:<34} {low:>5.1f}x ({least}) to {high:.1f}x ({most}); target {target:g}x {told}")


def print_inference(seconds: Mapping[str, np.ndarray]) -> None:
    """Milliseconds a request, and ratios."""
    print(f"\nOne request, {CANDIDATES} candidates: ms")
    print(f"  {'':<42} {'p50':>7} {'p99':>7}")
    for name, each in seconds.items():
        print(f"  {name:<42} {1e3 * np.median(each):>7.3f} {1e3 * np.percentile(each, 99):>7.3f}")
    p50 = {name: float(np.median(each)) for name, each in seconds.items()}
    for form in ("shared", "flat"):
        works, steps = _theirs(p50, "work", form, "parsing"), _theirs(p50, "step", form, "tensors")
        ratio_line(f"{form}: feature work", p50["work: ours"], works, FEATURE_WORK)
        looked_up = p50["work: ours, users and items looked up"]
        ratio_line(f"{form}: the same, looked up", looked_up, works, FEATURE_WORK)
        ratio_line(f"{form}: step, our compiled kernel", p50["step: ours, compiled kernel"], steps, INFERENCE)
        ratio_line(f"{form}: step, ours by TensorFlow", p50["step: ours, TensorFlow"], steps, INFERENCE)


def print_training(seconds: Mapping[str, np.ndarray], rows: int) -> None:
    """Examples a second, and ratios."""
    print(f"\nTraining, {rows:,} examples an epoch: thousands of examples/s, microseconds an example")
    took = {name: float(np.median(each)) for name, each in seconds.items()}
    for name, each in took.items():
        print(f"  {name:<42} {rows / each / 1e3:>9,.0f} {1e6 * each / rows:>7.2f}")
    for form in ("shared", "flat"):
        works = _theirs(took, "work", form, "parsing")
        steps = _theirs(took, "step", form, "tf.data")
        # A graph is given the better of its features in the model and in tf.data.
        steps["by hand"] = min(steps["by hand"], took[f"step: {form}, by hand, tf.data"])
        ratio_line(f"{form}: feature work, Parquet", took["work: ours, Parquet"], works, FEATURE_WORK)
        ratio_line(f"{form}: feature work, TFRecord", took["work: ours, TFRecord"], works, FEATURE_WORK)
        ratio_line(f"{form}: step, Parquet", took["step: ours, Parquet"], steps, TRAINING)


def _theirs(took: Mapping[str, float], what: str, form: str, but: str) -> dict[str, float]:
    """The graphs' figures by their names alone."""
    start = f"{what}: {form}, "
    return {name[len(start) :]: each for name, each in took.items() if name.startswith(start) and but not in name}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("overrides", nargs="*", help="overrides of the scenario")
    parser.add_argument("--rounds", type=int, default=10, help="rounds of requests; a third as many of epochs")
    parser.add_argument("--requests", type=int, default=1024, help="requests of an epoch")
    given = parser.parse_args()
    tensorflow(1)
    world = world_of(given.overrides, KEYS, WITHOUT)
    reader = RawReader(world.encoder, world.around)
    layout = world.encoder.layout
    sides = (layout.request, layout.item, layout.row)
    ids, lists = sum(len(side.id) for side in sides), sum(len(side.many) for side in sides)
    crosses = sum(len(side.id) - side.embedded for side in sides)
    print(f"{ids + lists} features, {lists} of them lists and {crosses} crosses; {layout.size:,} ids", flush=True)
    print_inference(inference(world, reader, given.rounds))
    with tempfile.TemporaryDirectory() as aside:
        data = learning_of(world, reader, given.requests, Path(aside))
        rows = len(data.samples.label)
        print_training(training(world, reader, data, max(given.rounds // 3, 1)), rows)
        print(f"\nReading {rows:,} rows: thousands of rows/s")
        for name, each in reading(world, reader, data, max(given.rounds // 3, 1)).items():
            print(f"  {name:<42} {rows / float(np.median(each)) / 1e3:>9,.0f}")


if __name__ == "__main__":
    main()
