"""Scores against the Keras model that is trained, and their bits whatever stands around them."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest
from yoorec_tdm.scoring import readers_of, score_nodes
from yoorec_tdm.weights import Weights

NODES, ITEMS = 40, 25
SHAPES = [
    ((9, 6, 4), (1, 2, 4), "dot"),
    ((8,), (3,), "dot"),
    ((5, 3), (1, 5), "average"),
]


def network_of(hidden: Any, windows: Any, attention: Any) -> tuple[Any, Weights]:
    """A network whose weights are all other than 0, and the same as serving reads it."""
    from yoorec_tdm.network import build_network, weights_of

    network = build_network(NODES, 7, hidden, windows, attention, 3)
    rng = np.random.default_rng(1)
    network.set_weights([rng.normal(size=part.shape, scale=0.6).astype(np.float32) for part in network.get_weights()])
    return network, weights_of(network, windows, hidden, attention)


def asked(windows: Any, size: int = 30) -> tuple[Any, ...]:
    """Requests with and without main items and histories, items without leaves among them, and nodes to score."""
    rng = np.random.default_rng(2)
    leaf = rng.permutation(NODES)[:ITEMS].astype(np.int32)
    main = rng.integers(-1, ITEMS, size).astype(np.int32)
    offsets = np.append(0, np.cumsum(rng.integers(0, sum(windows) + 4, size)))
    history = rng.integers(0, ITEMS, offsets[-1]).astype(np.int32)
    for b in range(0, size, 3):  # every third history begins with the main item, as those of requests do
        if main[b] >= 0 and offsets[b] < offsets[b + 1]:
            history[offsets[b]] = main[b]
    node = rng.integers(1, NODES, (size, 11)).astype(np.int32)
    return leaf, main, offsets, history, node


@pytest.mark.parametrize(("hidden", "windows", "attention"), SHAPES)
def test_scores_equal_those_of_the_keras_model(hidden: Any, windows: Any, attention: Any) -> None:
    network, weights = network_of(hidden, windows, attention)
    leaf, main, offsets, history, node = asked(windows)
    length = sum(windows)
    past, first = np.zeros((len(main), length), np.int32), np.zeros(len(main), np.int32)
    for b in range(len(main)):
        plays = history[offsets[b] : offsets[b + 1]].tolist()
        if main[b] >= 0:
            first[b] = leaf[main[b]]
            plays = plays if plays and plays[0] == main[b] else [int(main[b]), *plays]
        past[b, : len(plays[:length])] = leaf[plays[:length]]
    expected = np.asarray(network([past, first, node]))
    readers = readers_of(weights, main, offsets, history, leaf)
    found = score_nodes(weights, readers, np.arange(len(main) + 1) * 11, node.ravel()).reshape(node.shape)
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-5)
    assert np.abs(expected).max() > 1


def prelu(units: np.ndarray, slope: np.ndarray) -> np.ndarray:
    return np.where(units > 0, units, slope * units)


@pytest.mark.parametrize(("hidden", "windows", "attention"), SHAPES)
def test_scores_equal_the_formula(hidden: Any, windows: Any, attention: Any) -> None:
    """The formula of the README, play by play: the attended means as they are, before any sum is drawn forward."""
    _, weights = network_of(hidden, windows, attention)
    leaf, main, offsets, history, node = asked(windows, 8)
    readers = readers_of(weights, main, offsets, history, leaf)
    found = score_nodes(weights, readers, np.arange(9) * 11, node.ravel()).reshape(node.shape)
    vectors = weights.vectors.astype(np.float64)
    for b in range(8):
        plays = history[offsets[b] : offsets[b + 1]].tolist()
        if main[b] >= 0 and (not plays or plays[0] != main[b]):
            plays = [int(main[b]), *plays]
        slots = [[int(main[b])] if main[b] >= 0 else []]
        for window in windows:
            slots.append(plays[:window])
            plays = plays[window:]
        for number, target in enumerate(node[b]):
            units = vectors[target] @ weights.own + weights.bias
            for w, slot in enumerate(slots):
                own = [vectors[leaf[play]] for play in slot if leaf[play] > 0]
                if own:
                    units = units + np.mean(own, axis=0) @ weights.average[w]
                    if attention == "dot":
                        weighed = np.mean([(play @ vectors[target]) * play for play in own], axis=0)
                        product = np.mean([play @ vectors[target] for play in own])
                        units = units + np.append(weighed, product) @ weights.attend[w]
            units = prelu(units, weights.slope)
            at = 0
            for width, following in itertools.pairwise(hidden):
                matrix = weights.deep[at : at + width * following].reshape(width, following)
                at += width * following
                bias, slope = weights.deep[at : at + following], weights.deep[at + following : at + 2 * following]
                units = prelu(units @ matrix + bias, slope)
                at += 2 * following
            expected = units @ weights.deep[at:-1] + weights.deep[-1]
            assert at + hidden[-1] + 1 == len(weights.deep)
            assert found[b, number] == pytest.approx(expected, rel=1e-4, abs=1e-4)


def test_a_score_is_the_same_bits_among_any_others() -> None:
    _, weights = network_of((9, 6, 4), (1, 2, 4), "dot")
    leaf, main, offsets, history, node = asked((1, 2, 4))
    readers = readers_of(weights, main, offsets, history, leaf)
    whole = score_nodes(weights, readers, np.arange(len(main) + 1) * 11, node.ravel()).reshape(node.shape)
    for b in range(len(main)):
        own = history[offsets[b] : offsets[b + 1]]
        alone = readers_of(weights, main[b : b + 1], np.array([0, len(own)]), own, leaf)
        for number in (0, 4, 10):
            score = score_nodes(weights, alone, np.array([0, 1]), node[b, number : number + 1])
            assert score.tobytes() == whole[b, number : number + 1].tobytes()
        mixed = np.random.default_rng(b).permutation(11)
        score = score_nodes(weights, alone, np.array([0, 11]), node[b, mixed])
        assert score.tobytes() == whole[b, mixed].tobytes()
