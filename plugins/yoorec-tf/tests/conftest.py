"""Layouts and encoded samples drawn at random, what every test begins with, and TensorFlow told to be quiet."""

from __future__ import annotations

import os
from typing import Any, NamedTuple

import numpy as np
import pytest
from yoorec_tf.config import DnnConfig, LrConfig, Shape, WideDcnConfig, WideDeepConfig
from yoorec_tf.storage import TrainingSet
from yoorec_tf.weights import Weights

from yoorec.features.encoded import Columns, Encoded, Layout, Side

os.environ |= {"KERAS_BACKEND": "tensorflow", "CUDA_VISIBLE_DEVICES": "-1", "TF_CPP_MIN_LOG_LEVEL": "2"}
os.environ["OPENBLAS_NUM_THREADS"] = "1"

SMALL = {"dim": 5, "hidden": (7, 6)}
SHAPES: dict[str, Shape] = {
    "lr": LrConfig().shape(),
    "dnn": DnnConfig(**SMALL).shape(),
    "wide_deep": WideDeepConfig(**SMALL).shape(),
    "wide_dcn": WideDcnConfig(**SMALL, cross_rank=3).shape(),
    "three cross layers": WideDcnConfig(**SMALL, cross_rank=4, cross_layers=3).shape(),
    "full cross": WideDcnConfig(**SMALL, cross_rank=None).shape(),
    "high rank": WideDcnConfig(**SMALL, cross_rank=40).shape(),
    "two objectives": WideDcnConfig(
        dim=4, hidden=(6,), cross_rank=2, cross_layers=1, objectives={"play": 1.0, "like": 0.5}
    ).shape(),
}


class World(NamedTuple):
    """A layout and samples of it, in which what is played follows from a few ids, values and lists."""

    layout: Layout
    samples: TrainingSet


def columns(name: str, ids: int, values: int, lists: int, crosses: int) -> Columns:
    return Columns(
        tuple(f"{name}_id{number}" for number in range(ids + crosses)),
        tuple(f"{name}_value{number}" for number in range(values)),
        tuple(f"{name}_list{number}" for number in range(lists)),
        ids,
    )


def world(
    requests: int = 60,
    items: int = 30,
    rows: int = 8,
    outputs: int = 1,
    seed: int = 0,
    sizes: tuple[tuple[int, int, int, int], ...] = ((3, 2, 2, 1), (2, 1, 1, 0), (3, 2, 1, 2)),
    places: int = 12,
) -> World:
    """sizes: of each side, its embedded ids, values, lists and crosses. rows: of a request, at most; some have none."""
    draw = np.random.default_rng(seed)
    sides = [columns(name, *size) for name, size in zip(("request", "item", "row"), sizes, strict=True)]
    slots = sum(size[0] + size[2] for size in sizes)
    embedded = 1 + slots * places
    crosses = sum(size[3] for size in sizes)
    layout = Layout(*sides, embedded + crosses * places, embedded)
    truth = draw.normal(0, 1.0, layout.size)
    first, cross = 1, embedded
    length = draw.integers(0, rows + 1, requests)
    length[:3] = np.array([0, min(1, rows), rows])[:requests]
    count = int(length.sum())
    found: list[Side] = []
    pull: list[Any] = []
    for size, many in zip(sizes, (requests, items, count), strict=True):
        ids = np.empty((many, size[0] + size[3]), np.int32)
        for slot in range(size[0] + size[3]):
            start = first if slot < size[0] else cross
            ids[:, slot] = start + draw.integers(0, places, many)
            first, cross = (first + places, cross) if slot < size[0] else (first, cross + places)
        value = draw.uniform(-0.5, 0.5, (many, size[1])).astype(np.float32)
        lengths = draw.integers(0, 4, many * size[2])
        offsets = np.append(0, np.cumsum(lengths)).astype(np.int64)
        start = first + np.tile(np.arange(size[2]), many) * places
        listed = (np.repeat(start, lengths) + draw.integers(0, places, offsets[-1])).astype(np.int32)
        first += places * size[2]
        found.append(Side(ids, value, offsets, listed))
        pull.append(truth[ids].sum(1) + value.sum(1) * 2)
    index = draw.integers(0, items, count).astype(np.int32)
    owner = np.repeat(np.arange(requests), length)
    encoded = Encoded(np.append(0, np.cumsum(length)), index, *found)
    logit = pull[0][owner] * 0.1 + pull[1][index] + pull[2] - 1
    chance = 1 / (1 + np.exp(-logit))
    label = (draw.random((count, outputs)) < chance[:, None]).astype(np.float32)
    weight = draw.uniform(0.5, 1.5, (count, outputs)).astype(np.float32)
    return World(layout, TrainingSet(encoded, label, weight))


def random_weights(layout: Layout, shape: Shape, seed: int = 0, spread: float = 0.4) -> Weights:
    """Weights of which none is zero by chance, and tables for only some of the places that occur."""
    draw = np.random.default_rng(seed)
    learned = Weights.none(layout, shape)
    arrays = {
        name: draw.normal(0, spread, array.shape).astype(np.float32)
        for name, array in learned._asdict().items()
        if name not in ("hidden", "seen")
    }
    for name in ("vectors", "linear"):
        arrays[name][:1] = 0
    low = draw.integers(1, layout.embedded, learned.seen.shape[1]).astype(np.int32)
    return learned._replace(**arrays, seen=np.stack([low, np.minimum(low + 40, layout.embedded - 1).astype(np.int32)]))


@pytest.fixture(params=SHAPES)
def shape(request: pytest.FixtureRequest) -> Shape:
    """Every network, one after the other."""
    return SHAPES[request.param]
