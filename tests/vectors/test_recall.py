"""Recall by vectors: a request's own vector, against a literal computation."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from yoorec.batch import Plays, Ragged, RequestBatch
from yoorec.components import FitContext
from yoorec.testing import worlds
from yoorec.vectors.config import VectorRecallConfig
from yoorec.vectors.recall import VectorRecall

ITEMS = 12
CATALOGUE = worlds.small_catalogue(items=ITEMS)
NOW = 2 * 10**12


def request_of(main: int, history: list[int]) -> RequestBatch:
    size = len(history)
    plays = Plays(np.array([0, size]), np.array(history, np.int32), np.arange(size, 0, -1), np.ones(size, np.float32))
    return RequestBatch(
        np.array([-1], np.int32),
        np.array([NOW]),
        np.array([main], np.int32),
        np.array([10], np.int32),
        Plays.empty(1),
        plays,
        Ragged.empty(1),
    )


def learned(config: VectorRecallConfig, known: list[int], seed: int = 0) -> VectorRecall:
    recall = VectorRecall(config, CATALOGUE)
    vectors = np.random.default_rng(seed).standard_normal((len(known), 5))
    recall.learn(np.array(known, np.int32), vectors, FitContext())
    return recall


def slow_scores(recall: VectorRecall, config: VectorRecallConfig, main: int, history: list[int]) -> dict[int, float]:
    vector = {
        int(item): row.astype(float) for item, row in zip(recall.vectors.item, recall.vectors.vectors, strict=True)
    }
    plays = history if main < 0 or history[:1] == [main] else [main, *history]
    query = sum(
        (
            config.recency**place * vector[item]
            for place, item in enumerate(plays[: config.recall_from])
            if item in vector
        ),
        np.zeros(5),
    )
    length = float(np.sqrt(np.sum(query * query)))
    if length == 0:
        return {}
    return {item: float(np.dot(query / length, row)) for item, row in vector.items() if item != main}


@given(
    main=st.integers(-1, ITEMS - 1),
    history=st.lists(st.integers(-1, ITEMS - 1), max_size=8),
    known=st.sets(st.integers(0, ITEMS - 1), max_size=ITEMS),
    k=st.integers(0, ITEMS + 1),
    recall_from=st.sampled_from([1, 3, 20]),
    recency=st.sampled_from([1.0, 0.8]),
)
def test_scores_are_cosines_with_the_recency_weighted_sum(
    main: int, history: list[int], known: set[int], k: int, recall_from: int, recency: float
) -> None:
    config = VectorRecallConfig(recall_from=recall_from, recency=recency)
    recall = learned(config, sorted(known))
    expected = slow_scores(recall, config, main, history)
    found = recall.recall(request_of(main, history), k)
    found.check()
    scores = dict(zip(found.item.tolist(), found.score.tolist(), strict=True))
    assert len(scores) == min(k, len(expected))
    assert scores == {item: pytest.approx(expected[item], abs=1e-5) for item in scores}
    left_out = [score for item, score in expected.items() if item not in scores]
    assert not scores or min(scores.values()) >= max(left_out, default=-2.0) - 1e-5


def test_a_request_without_a_known_play_finds_nothing() -> None:
    recall = learned(VectorRecallConfig(), [1, 2, 3])
    assert recall.recall(request_of(5, [6, 7]), 10).item.tolist() == []
    assert sorted(recall.recall(request_of(5, [6, 2]), 10).item.tolist()) == [1, 2, 3]


@pytest.mark.parametrize("exact_below", [100, 1])
def test_what_is_not_yet_published_takes_no_place(exact_below: int) -> None:
    published_at = np.array([NOW + place % 3 - 1 for place in range(ITEMS)])
    recall = VectorRecall(VectorRecallConfig(exact_below=exact_below), replace(CATALOGUE, published_at=published_at))
    recall.learn(np.arange(ITEMS, dtype=np.int32), np.random.default_rng(1).standard_normal((ITEMS, 5)), FitContext())
    found = recall.recall(request_of(0, []), 4)
    assert len(found.item) == 4
    assert (published_at[found.item] <= NOW).all()
    assert sorted(recall.recall(request_of(0, []), ITEMS).item.tolist()) == [1, 3, 4, 6, 7, 9, 10]


def test_what_a_fit_notes() -> None:
    notes: dict[str, object] = {}
    recall = VectorRecall(VectorRecallConfig(), CATALOGUE)
    recall.learn(np.array([3, 1], np.int32), np.eye(2), FitContext(note=notes.__setitem__))
    assert notes == {"vectors": 2, "index": "exact", "index_recall@100": 1.0}
