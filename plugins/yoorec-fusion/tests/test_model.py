"""Fusion: its scores against a literal sum of cosines, and what it needs of the triggers it is made of."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from yoorec_fusion.config import FusionConfig
from yoorec_fusion.model import Fusion

from yoorec.components import FitContext
from yoorec.errors import ConfigError
from yoorec.testing import worlds
from yoorec.vectors.config import VectorRecallConfig
from yoorec.vectors.recall import VectorRecall

LOG = worlds.small_log()
ITEMS = len(LOG.catalogue.items)
RNG = np.random.default_rng(4)
BEHAVIOUR = {i: RNG.standard_normal(6) for i in range(ITEMS) if i % 3}
CONTENT = {i: RNG.standard_normal(4) for i in range(ITEMS) if i % 5}


Vectors = dict[int, npt.NDArray[np.float64]]


def trigger(vectors: Vectors) -> VectorRecall:
    found = VectorRecall(VectorRecallConfig(), LOG.catalogue)
    found.learn(np.array(list(vectors), np.int32), np.array(list(vectors.values())), FitContext())
    return found


def cosine(vectors: Vectors, i: int, j: int) -> float:
    if i not in vectors or j not in vectors:
        return 0.0
    a, b = vectors[i], vectors[j]
    return float(a @ b / math.sqrt(float(a @ a) * float(b @ b)))


def fused(of: dict[str, float], fill: int = 0) -> tuple[Fusion, dict[str, Any]]:
    notes: dict[str, Any] = {}
    model = Fusion(FusionConfig(of=of, fill=fill, recall_from=1), LOG.catalogue)
    upstream = {"behaviour": trigger(BEHAVIOUR), "content": trigger(CONTENT)}
    model.fit(LOG, FitContext(note=notes.__setitem__, upstream=upstream))
    return model, notes


def filled(one: Vectors, other: Vectors, fill: int) -> Vectors:
    """`one` with gaps filled by the mean of its unit vectors of the items nearest in `other`; what the mean lacks in
    length goes into a number of its own, which is 0 of the items that `one` knows.
    """
    unit = {i: v / np.sqrt(v @ v) for i, v in one.items()}
    found = {i: np.append(v, 0.0) for i, v in unit.items()}
    for i in set(other) - set(one):
        near = sorted((j for j in one if j in other), key=lambda j: (-cosine(other, i, j), j))[:fill]
        if near:
            mean = sum((unit[j] for j in near), np.zeros(len(unit[near[0]]))) / len(near)
            found[i] = np.append(mean, math.sqrt(max(1 - mean @ mean, 0.0)))
    return found


@pytest.mark.parametrize("fill", [0, 1, 5])
@pytest.mark.parametrize("weights", [(1.0, 0.5), (0.2, 3.0)])
def test_scores_are_weighted_cosines(weights: tuple[float, float], fill: int) -> None:
    model, notes = fused({"behaviour": weights[0], "content": weights[1]}, fill)
    requests = worlds.small_requests(LOG, 80)
    requests = requests.take(np.flatnonzero(requests.item >= 0))
    found = model.recall(requests, ITEMS)
    lists = {}
    for b in range(len(requests)):
        rows = slice(found.offsets[b], found.offsets[b + 1])
        lists[int(requests.item[b])] = dict(zip(found.item[rows].tolist(), found.score[rows].tolist(), strict=True))
    sides = ((weights[0], filled(BEHAVIOUR, CONTENT, fill)), (weights[1], filled(CONTENT, BEHAVIOUR, fill)))

    def weight(item: int) -> float:
        return sum(w for w, vectors in sides if item in vectors)

    assert len(lists) > 10
    for main, scores in lists.items():
        expected = {
            j: sum(w * cosine(vectors, main, j) for w, vectors in sides) / math.sqrt(weight(main) * weight(j))
            for j in range(ITEMS)
            if j != main and weight(main) and weight(j)
        }
        assert scores == pytest.approx(expected, abs=2e-6)
    assert notes["in all"] == sum(i in BEHAVIOUR and i in CONTENT for i in range(ITEMS))
    assert notes["vectors"] == sum(weight(i) > 0 for i in range(ITEMS))


def test_an_item_known_by_content_alone_is_found() -> None:
    model, _ = fused({"behaviour": 1.0, "content": 1.0})
    alone = {i for i in CONTENT if i not in BEHAVIOUR}
    requests = worlds.small_requests(LOG, 80)
    assert alone & set(model.recall(requests, 20).item.tolist())


def test_a_trigger_without_vectors_is_refused() -> None:
    model = Fusion(FusionConfig(of={"hot": 1.0}), LOG.catalogue)
    with pytest.raises(ConfigError) as caught:
        model.fit(LOG, FitContext(upstream={"hot": object()}))
    assert str(caught.value) == (
        "of.hot: the trigger 'hot' recalls by no vectors\n  accepted: triggers that recall by vectors"
    )


def test_a_circle_of_triggers_is_refused(yoorec_project: Any) -> None:
    circle = {"a": {"use": "fusion", "of": {"b": 1.0}}, "b": {"use": "fusion", "of": {"a": 1.0, "c": 1.0}}}
    with pytest.raises(ConfigError) as caught:
        yoorec_project(triggers={**circle, "c": {"use": "item2vec"}}).replay()
    assert "triggers.a: it would be made of itself: a -> b -> a" in str(caught.value)
    with pytest.raises(ConfigError, match=r"triggers.a.of.d: 'd' names no trigger of this scenario"):
        yoorec_project(triggers={"a": {"use": "fusion", "of": {"d": 1.0}}, "c": {"use": "item2vec"}}).replay()


def test_in_a_scenario(yoorec_project: Any) -> None:
    """Behind the triggers it names, at their cuts; replayed and served."""
    project = yoorec_project(
        triggers={
            "fused": {"use": "fusion", "of": {"vectors": 1.0, "walks": 0.5}},
            "vectors": {"use": "item2vec", "dim": 8, "epochs": 2},
            "walks": {"use": "graph", "dim": 8},
        }
    )
    report = project.replay()["variants"]["control"]
    assert report["triggers"]["fused"]["hit_rate@10"]["value"] > 0
    assert report["artifacts"]["triggers.fused"]["cut"] == report["artifacts"]["triggers.vectors"]["cut"]
    assert project.recommend(item_id="i07", k=3)["items"]
