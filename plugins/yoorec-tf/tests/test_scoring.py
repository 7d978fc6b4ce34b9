"""Every way to score gives the same figures, whatever stands around a row."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from yoorec_tf import scoring
from yoorec_tf.config import Shape
from yoorec_tf.export import export
from yoorec_tf.scoring import Scorer, blend
from yoorec_tf.serving import TensorFlowScorer
from yoorec_tf.storage import Batch
from yoorec_tf.weights import Weights

from yoorec.errors import ArtifactError
from yoorec.features.encoded import Encoded, Layout, Side

from .conftest import SHAPES, World, random_weights, world
from .forward import forward


def served(layout: Layout, shape: Shape, weights: Weights, item: Side) -> TensorFlowScorer:
    """The TensorFlow path, as it is served: written and loaded."""
    one, nothing = np.ones(shape.outputs, np.float32), np.zeros(shape.outputs, np.float32)
    with tempfile.TemporaryDirectory() as folder:
        export(Path(folder), layout, shape, weights, item, (1.0,) * shape.outputs, one, nothing)
        return TensorFlowScorer(Path(folder), layout, item)


def close(found: Any, expected: Any) -> None:
    """To 1e-5 of the largest logit."""
    np.testing.assert_allclose(found, expected, atol=1e-5 * float(np.abs(expected).max()), rtol=1e-5)


def inputs(given: World) -> dict[str, Any]:
    """A batch with all items, as the network takes it."""
    item = given.samples.encoded.item
    length = np.diff(item.offsets).astype(np.int32).reshape(len(item), item.lists)
    parts = {"item_id": item.id, "item_value": item.value, "item_length": length, "item_many": item.many}
    return Batch.of(given.samples)._asdict() | parts


def one_by_one(encoded: Encoded, size: int) -> list[Encoded]:
    """The same requests, so many at a time."""
    found = []
    for start in range(0, len(encoded), size):
        requests = np.arange(start, min(start + size, len(encoded)))
        rows = slice(encoded.offsets[requests[0]], encoded.offsets[requests[-1] + 1])
        offsets = encoded.offsets[requests[0] : requests[-1] + 2] - encoded.offsets[requests[0]]
        numbers = np.arange(rows.start, rows.stop)
        request, row = encoded.request.take(requests), encoded.row.take(numbers)
        found.append(Encoded(offsets, encoded.index[rows], request, encoded.item, row))
    return found


def test_all_of_them_agree(shape: Shape) -> None:
    from yoorec_tf.network import Network

    given = world(outputs=shape.outputs)
    layout, encoded = given.layout, given.samples.encoded
    weights = random_weights(layout, shape)
    expected = forward(layout, shape, weights, encoded)
    assert np.ptp(expected) > 1
    network = Network(layout, shape, 1)
    network.adopt(weights)
    close(network(inputs(given)).numpy(), expected)
    close(Scorer.of(weights, layout, encoded.item).score(encoded), expected)
    close(served(layout, shape, weights, encoded.item).score(encoded), expected)
    for one, other in zip(network.learned(), weights, strict=True):
        assert one.shape == other.shape
    assert network.learned().first.tobytes() == weights.first.tobytes()


@pytest.mark.parametrize(
    "sizes", [((1, 0, 0, 0), (1, 0, 0, 0), (1, 0, 0, 0)), ((2, 0, 1, 0), (0, 1, 0, 0), (0, 0, 0, 1))]
)
@pytest.mark.parametrize("name", ["lr", "dnn", "wide_dcn", "full cross"])
def test_layouts_that_lack_something(name: str, sizes: Any) -> None:
    from yoorec_tf.network import Network

    given, shape = world(sizes=sizes), SHAPES[name]
    weights = random_weights(given.layout, shape)
    expected = forward(given.layout, shape, weights, given.samples.encoded)
    network = Network(given.layout, shape, 1)
    network.adopt(weights)
    close(network(inputs(given)).numpy(), expected)
    close(Scorer.of(weights, given.layout, given.samples.encoded.item).score(given.samples.encoded), expected)


def test_what_is_tabled_changes_no_score_but_by_rounding(shape: Shape, monkeypatch: pytest.MonkeyPatch) -> None:
    layout, samples = world(outputs=shape.outputs)
    encoded = samples.encoded
    weights = random_weights(layout, shape)
    expected = Scorer.of(weights, layout, encoded.item).score(encoded)
    everything = np.array([[1], [layout.embedded - 1]], np.int32).repeat(weights.seen.shape[1], 1)
    whole = Scorer.of(weights._replace(seen=everything), layout, encoded.item)
    assert len(whole.tabled) == (everything.shape[1] * (layout.embedded - 1) if shape.dim else 0)
    close(whole.score(encoded), expected)
    monkeypatch.setattr(scoring, "_ITEM_BYTES", 0)
    monkeypatch.setattr(scoring, "_ROW_BYTES", 0)
    bare = Scorer.of(weights, layout, encoded.item)
    assert len(bare.tabled) == len(bare.item_part) == 0
    close(bare.score(encoded), expected)
    monkeypatch.setattr(scoring, "_FOLDED", -1)
    plain = Scorer.of(weights, layout, encoded.item)
    assert plain.layers == 0
    close(plain.score(encoded), expected)


@pytest.mark.parametrize("make", [Scorer.of, None], ids=["compiled", "tensorflow"])
@pytest.mark.parametrize("name", ["lr", "wide_dcn", "full cross", "two objectives"])
def test_no_score_depends_on_its_batch(name: str, make: Callable[..., Any] | None) -> None:
    """Bit for bit; requests and rows are there twice, at other places."""
    shape = SHAPES[name]
    layout, samples = world(requests=100, outputs=shape.outputs)
    repeated = np.tile(np.arange(100), 10)
    encoded = samples.take(repeated).encoded
    weights = random_weights(layout, shape)
    scorer = make(weights, layout, encoded.item) if make else served(layout, shape, weights, encoded.item)
    whole = scorer.score(encoded)
    rows = len(samples.label)
    for turn in range(1, 10):
        assert whole[turn * rows : (turn + 1) * rows].tobytes() == whole[:rows].tobytes()
    single = samples.encoded
    for size in (1, 7):
        parts = [scorer.score(part) for part in one_by_one(single, size)]
        assert np.concatenate(parts).tobytes() == whole[:rows].tobytes()
    if make:  # neither on the other candidates of its request
        keep = np.random.default_rng(0).random(rows) < 0.5
        offsets = np.append(0, np.cumsum(np.bincount(single.owner[keep], minlength=100)))
        fewer = Encoded(offsets, single.index[keep], single.request, single.item, single.row.take(np.flatnonzero(keep)))
        assert scorer.score(fewer).tobytes() == whole[:rows][keep].tobytes()


def test_tensorflow_builds_a_graph_for_each_padded_size_and_no_more() -> None:
    layout, samples = world(requests=40, rows=150)
    shape = SHAPES["wide_deep"]
    encoded = samples.encoded
    scorer = served(layout, shape, random_weights(layout, shape), encoded.item)
    scorer.score(encoded)
    lengths = np.diff(encoded.offsets)
    ends = encoded.row.offsets[encoded.offsets * encoded.row.lists]
    many = np.diff(ends)
    there = lengths > 0

    def padded(count: int) -> int:
        return next(64 << power for power in range(20) if 64 << power >= count)

    expected = {(padded(n), padded(k)) for n, k in zip(lengths[there].tolist(), many[there].tolist(), strict=True)}
    assert scorer.traces == len(expected) > 2
    scorer.score(encoded)
    assert scorer.traces == len(expected)
    scorer.warm(1000)
    assert scorer.traces == len(expected) + 1
    scorer.warm(513)
    assert scorer.traces == len(expected) + 1


def test_nothing_to_score() -> None:
    layout, samples = world()
    for shape in SHAPES.values():
        none = samples.take(np.zeros(0, np.int64)).encoded
        weights = random_weights(layout, shape)
        assert Scorer.of(weights, layout, none.item).score(none).shape == (0, shape.outputs)
    assert served(layout, shape, weights, none.item).score(none).shape == (0, shape.outputs)


def test_other_items() -> None:
    layout, samples = world()
    shape = SHAPES["wide_dcn"]
    weights, encoded = random_weights(layout, shape), samples.encoded
    scorer = Scorer.of(weights, layout, encoded.item)
    more = encoded.item.take(np.append(np.arange(len(encoded.item)), [0, 3]))
    longer = replace(encoded, item=more, index=np.where(encoded.index == 3, 31, encoded.index).astype(np.int32))
    assert scorer.with_items(more).score(longer).tobytes() == scorer.score(encoded).tobytes()
    with pytest.raises(ValueError, match="item: 32 rows, expected 30"):
        scorer.score(longer)


def test_weights_come_back_and_must_fit(tmp_path: Path) -> None:
    layout, _ = world()
    for shape in SHAPES.values():
        weights = random_weights(layout, shape)
        weights.save(tmp_path)
        for one, other in zip(Weights.load(tmp_path, layout, shape), weights, strict=True):
            assert one.dtype == other.dtype and one.tobytes() == other.tobytes()
    with pytest.raises(ArtifactError, match=r"linear\.npy: float32 \(\d+, 2\), expected float32 \(\d+, 2\)"):
        Weights.load(tmp_path, replace(layout, size=layout.size + 1), shape)


def test_blend_is_the_weighted_sum_of_probabilities() -> None:
    logit = np.random.default_rng(0).normal(0, 3, (20, 2)).astype(np.float32)
    expected = 2 / (1 + np.exp(-logit[:, 0].astype(float))) + 0.5 / (1 + np.exp(-logit[:, 1].astype(float)))
    np.testing.assert_allclose(blend(logit, (2.0, 0.5)), expected, rtol=1e-6)
    assert blend(logit[:, :1], (3.0,)).tolist() == logit[:, 0].tolist()


def test_an_exported_model_takes_other_items() -> None:
    layout, samples = world()
    shape = SHAPES["wide_dcn"]
    weights, encoded = random_weights(layout, shape), samples.encoded
    more = encoded.item.take(np.append(np.arange(len(encoded.item)), [0, 3]))
    longer = replace(encoded, item=more, index=np.where(encoded.index == 3, 31, encoded.index).astype(np.int32))
    one, nothing = np.ones(shape.outputs, np.float32), np.zeros(shape.outputs, np.float32)
    with tempfile.TemporaryDirectory() as folder:
        export(Path(folder), layout, shape, weights, encoded.item, (1.0,) * shape.outputs, one, nothing)
        close(TensorFlowScorer(Path(folder), layout, more).score(longer), forward(layout, shape, weights, encoded))
        with pytest.raises(ArtifactError, match="is no SavedModel"):
            TensorFlowScorer(Path(folder) / "variables", layout, more)
