"""Sknn against a slow literal computation: dicts, and loops over every session and every pair of its places."""

from __future__ import annotations

import math
from collections import defaultdict
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from yoorec_sknn import SknnConfig
from yoorec_sknn.model import Sknn

from yoorec.batch import Plays, Ragged, RequestBatch
from yoorec.components import FitContext
from yoorec.data.catalogue import Catalogue
from yoorec.data.log import EventLog
from yoorec.data.vocabulary import Vocabulary

HOUR_MS = 3_600_000
ITEMS = 8
Row = tuple[int, int, int, float]
"""session, item, hours since the start, event weight"""


def log_of(rows: list[Row], items: int = ITEMS) -> EventLog:
    rows = sorted(rows, key=lambda row: row[2])
    size = len(rows)
    none = np.full(size, -1, np.int32)
    catalogue = Catalogue(
        Vocabulary(f"i{number}" for number in range(items)),
        Vocabulary(["u0"]),
        pa.table({"title": pa.array([""] * items, pa.string())}),
        pa.table({"age": pa.array([0], pa.int64())}),
        np.zeros(items, np.int64),
    )
    return EventLog(
        np.zeros(size, np.int32),
        np.array([row[1] for row in rows], np.int32),
        np.array([row[2] * HOUR_MS for row in rows], np.int64),
        np.zeros(size, np.int8),
        np.array([row[3] for row in rows], np.float32),
        np.array([row[0] for row in rows], np.int32),
        np.full(size, np.nan, np.float32),
        none,
        none,
        np.full(size, np.nan, np.float32),
        none,
        ("play",),
        catalogue,
    )


def sessions_of(*lists: list[int]) -> EventLog:
    """A log of whole sessions, one an hour, the last one the latest."""
    return log_of([(number, item, number, 1.0) for number, items in enumerate(lists) for item in items])


def slow_sessions(log: EventLog, config: SknnConfig) -> list[tuple[list[int], int]]:
    """Items and end of each session that counts, the last to end first."""
    rows: dict[int, list[int]] = defaultdict(list)
    for row in range(len(log)):
        if log.weight[row] > 0:
            rows[int(log.session[row])].append(row)
    kept = sorted((each for each in rows.values() if len(each) > 1), key=lambda each: -each[-1])
    return [([int(log.item[row]) for row in each][-config.max_plays :], int(log.time[each[-1]])) for each in kept]


def slow_recall(log: EventLog, config: SknnConfig, main: int, history: list[int]) -> dict[int, float]:
    """Every score above 0, in double precision."""
    sessions = slow_sessions(log, config)
    if main >= 0 and history[:1] != [main]:
        history = [main, *history]
    weight: dict[int, float] = {}
    looked_at: set[tuple[int, int]] = set()
    for p, i in enumerate(history[: config.recall_from]):
        holders = [s for s, (items, _) in enumerate(sessions) if i in items]
        if i >= 0 and i not in weight:
            rarity = math.log(1 + len(sessions) / len(holders)) if holders else 1.0
            weight[i] = config.recency**p * rarity**config.rarity
            looked_at |= {(s, i) for s in holders[: config.sample]}
    similar: dict[int, float] = {}
    for s, (items, end) in enumerate(sessions):
        age = sessions[0][1] - end
        fresh = 1.0 if config.half_life is None else 2 ** (-age / config.half_life)
        shared = sum(weight[i] for i in set(items) if (s, i) in looked_at)
        if shared > 0:
            similar[s] = fresh * shared
    neighbors = sorted(similar, key=lambda s: (-similar[s], s))[: config.neighbors]
    scores: dict[int, float] = defaultdict(float)
    for s in neighbors:
        items = sessions[s][0]
        for q, j in enumerate(items):
            for y, i in enumerate(items):
                if y < q:
                    vote = config.forward ** (q - y - 1)
                elif y > q:
                    vote = config.backward ** (y - q)
                else:
                    vote = config.same
                scores[j] += similar[s] * weight.get(i, 0.0) * vote
    if main in scores:
        scores[main] *= config.repeat
    return {j: score for j, score in scores.items() if score > 0}


def fitted(log: EventLog, config: SknnConfig) -> Sknn:
    model = Sknn(config, log.catalogue)
    model.fit(log, FitContext())
    return model


def request_of(main: int, history: list[int]) -> RequestBatch:
    size = len(history)
    return RequestBatch(
        np.array([-1], np.int32),
        np.array([10**13]),
        np.array([main], np.int32),
        np.array([10], np.int32),
        Plays.empty(1),
        Plays(
            np.array([0, size]),
            np.array(history, np.int32),
            np.arange(size, 0, -1) * 1000,
            np.ones(size, np.float32),
        ),
        Ragged.empty(1),
    )


def recalled(model: Sknn, main: int, history: list[int], k: int = 100) -> dict[int, float]:
    found = model.recall(request_of(main, history), k)
    found.check()
    return dict(zip(found.item.tolist(), found.score.tolist(), strict=True))


def check(log: EventLog, config: SknnConfig, main: int, history: list[int], k: int, rel: float) -> None:
    expected = slow_recall(log, config, main, history)
    found = recalled(fitted(log, config), main, history, k)
    assert len(found) == min(k, len(expected))
    assert found == {item: pytest.approx(expected[item], rel=rel) for item in found}
    left_out = [score for item, score in expected.items() if item not in found]
    assert not found or min(found.values()) >= max(left_out, default=0.0) * (1 - rel)


rows_of_a_log = st.lists(
    st.tuples(
        st.integers(0, 12),
        st.integers(0, ITEMS - 1),
        st.one_of(st.integers(0, 2), st.integers(0, 60)),
        st.sampled_from([1.0, 1.0, 1.0, 1.0, 0.0]),
    ),
    max_size=60,
)
histories = st.lists(st.integers(-1, ITEMS - 1), max_size=6)
mains = st.integers(-1, ITEMS - 1)


@given(
    rows=rows_of_a_log,
    main=mains,
    history=histories,
    k=st.integers(0, ITEMS + 1),
    config=st.builds(
        SknnConfig,
        sample=st.sampled_from([1, 3, 100]),
        recall_from=st.sampled_from([1, 3, 20]),
        recency=st.sampled_from([1.0, 0.8]),
        rarity=st.sampled_from([0.0, 1.0, 2.5]),
        half_life=st.sampled_from([None, 5 * HOUR_MS]),
        forward=st.sampled_from([1.0, 0.9, 0.3]),
        backward=st.sampled_from([1.0, 0.7, 0.0]),
        same=st.sampled_from([0.0, 0.3]),
        repeat=st.sampled_from([0.0, 0.6, 1.0]),
        max_plays=st.sampled_from([2, 3, 100]),
    ),
)
@settings(deadline=None, max_examples=300)
def test_scores_equal_a_slow_literal_computation(
    rows: list[Row], main: int, history: list[int], k: int, config: SknnConfig
) -> None:
    check(log_of(rows), config, main, history, k, 1e-4)


@given(
    # Every similarity is a sum of few powers of two, exact in float32 and float64 alike: ties tie in both.
    rows=st.lists(
        st.tuples(st.integers(0, 12), st.integers(0, ITEMS - 1), st.integers(0, 3), st.just(1.0)), max_size=60
    ),
    main=mains,
    history=histories,
    config=st.builds(
        SknnConfig,
        neighbors=st.integers(1, 6),
        sample=st.sampled_from([1, 2, 100]),
        recency=st.sampled_from([1.0, 0.5]),
        rarity=st.just(0.0),
        half_life=st.sampled_from([None, HOUR_MS]),
        forward=st.just(0.9),
        repeat=st.just(1.0),
    ),
)
@settings(deadline=None, max_examples=300)
def test_exactly_the_most_similar_sessions_vote(
    rows: list[Row], main: int, history: list[int], config: SknnConfig
) -> None:
    check(log_of(rows), config, main, history, 100, 1e-5)


def test_many_ties_go_to_the_later_sessions() -> None:
    rng = np.random.default_rng(2)
    lists = [[0, int(item)] for item in rng.integers(1, 400, 3000)]
    rows = [(number, item, number, 1.0) for number, items in enumerate(lists) for item in items]
    log = log_of(rows, 400)
    for neighbors in (1, 7, 1000, 2999, 3000):
        config = SknnConfig(neighbors=neighbors, sample=5000, rarity=0.0)
        counts = np.bincount([each[1] for each in lists[-neighbors:]], minlength=400)
        assert recalled(fitted(log, config), 0, [], 400) == {
            item: float(count) for item, count in enumerate(counts) if count
        }


def test_three_sessions_by_hand() -> None:
    log = sessions_of([1, 2, 3], [0, 2], [2, 1, 4, 3])
    config = SknnConfig(rarity=0.0, recency=0.5, forward=0.5, backward=0.25)
    # The history: 2, and 1 before it. Similarities: session 0 and session 2 1.5, session 1 1.
    assert recalled(fitted(log, config), 2, [2, 1]) == {
        3: 1.5 * (1 + 0.5 * 0.5) + 1.5 * (0.25 + 0.5 * 0.5),
        4: 1.5 * (0.5 + 0.5 * 1),
        0: 1.0 * 0.25,
        1: 1.5 * 0.25 + 1.5 * 1,
    }
    alone = replace(config, neighbors=1)
    assert set(recalled(fitted(log, alone), 2, [2, 1])) == {1, 4, 3}, "of the two equals the later"


def test_rare_items_find_their_sessions_first() -> None:
    log = sessions_of([0, 1], [0, 2], [0, 3], [4, 5])
    scores = recalled(fitted(log, SknnConfig(recency=1.0)), -1, [0, 4])
    assert scores[5] == pytest.approx(math.log(1 + 4) ** 2)
    assert scores[1] == pytest.approx(math.log(1 + 4 / 3) ** 2)


def test_the_main_item_stands_in_front_and_comes_back_only_under_repeat() -> None:
    log = sessions_of([0, 1, 0], [0, 0, 2])
    plain = SknnConfig(rarity=0.0)
    model = fitted(log, plain)
    assert recalled(model, 0, []) == recalled(model, 0, [0])
    assert set(recalled(model, 0, [])) == {1, 2}
    again = recalled(fitted(log, replace(plain, repeat=0.5)), 0, [])
    whole = recalled(fitted(log, replace(plain, repeat=1.0)), 0, [])
    assert again[0] == pytest.approx(whole[0] / 2)
    assert {1: again[1], 2: again[2]} == {1: whole[1], 2: whole[2]}
    assert 0 in recalled(model, 1, [1, 0]), "items of the history other than the main one may be recalled"


def test_a_session_of_one_play_is_no_session() -> None:
    model = fitted(sessions_of([0], [0, 1], [0], [0, 0]), SknnConfig(neighbors=1, sample=1))
    assert model.index.item.tolist() == [0, 0, 0, 1]
    assert model.index.offsets.tolist() == [0, 2, 4]
    assert recalled(model, 0, []) == {}, "the one neighbour, the latest, holds nothing else"


def test_the_latest_sessions_are_those_that_ended_last() -> None:
    # Session 0 begins first and ends last.
    log = log_of([(0, 0, 0, 1.0), (1, 0, 1, 1.0), (1, 1, 2, 1.0), (0, 2, 3, 1.0)])
    assert set(recalled(fitted(log, SknnConfig(sample=1)), 0, [])) == {2}


def test_long_sessions_keep_their_latest_plays() -> None:
    model = fitted(sessions_of([0, 1, 2, 3, 4]), SknnConfig(max_plays=2))
    assert model.index.item.tolist() == [3, 4]
    assert recalled(model, 0, []) == {}
    assert set(recalled(model, 3, [])) == {4}


def test_old_sessions_fade_and_end() -> None:
    log = log_of([(0, 0, 0, 1.0), (0, 1, 0, 1.0), (1, 0, 2, 1.0), (1, 2, 2, 1.0)])
    config = SknnConfig(rarity=0.0, half_life=HOUR_MS)
    assert recalled(fitted(log, config), 0, []) == {2: 1.0, 1: 0.25}
    # 7,200,000 half-lives are no number above 0 any more: no neighbour, and nothing that is not finite.
    assert recalled(fitted(log, replace(config, half_life=1)), 0, []) == {2: 1.0}


def test_what_was_never_played_finds_nothing_and_keeps_its_place() -> None:
    log = sessions_of([0, 1])
    model = fitted(log, SknnConfig(rarity=0.0, recency=0.5))
    assert recalled(model, 7, []) == {}
    assert recalled(model, 7, [7, -1, 0]) == {1: 0.25 * 0.25}
    assert recalled(model, -1, []) == {}


def test_earlier_visits_recall_where_the_session_is_short() -> None:
    log = sessions_of([0, 1], [2, 3])
    model = fitted(log, SknnConfig())
    request = request_of(0, [0, 2])
    session = Plays(np.array([0, 1]), np.array([0], np.int32), np.array([2000]), np.ones(1, np.float32))
    assert set(model.recall(replace(request, session=session), 10).item.tolist()) == {1, 3}


def test_fit_says_what_it_indexed() -> None:
    noted: dict[str, Any] = {}
    log = sessions_of([0, 1], [2], [2, 3])
    Sknn(SknnConfig(), log.catalogue).fit(log, FitContext(note=noted.__setitem__))
    assert noted == {"sessions": 2, "index_mb": 0.0}


def test_a_random_log_at_the_defaults_and_in_a_batch() -> None:
    rng = np.random.default_rng(7)
    item = np.minimum(rng.zipf(1.4, 4000) - 1, 99)
    rows = [
        (int(number), int(each), row // 5, 1.0)
        for row, (number, each) in enumerate(zip(np.arange(4000) // 5 + rng.integers(0, 3, 4000), item, strict=True))
    ]
    log = log_of(rows, 100)
    config = SknnConfig(neighbors=5000, half_life=100 * HOUR_MS)
    model = fitted(log, config)
    requests = [(int(each[0]), each.tolist()) for each in rng.integers(0, 100, (12, 4))]
    batch = RequestBatch.join([request_of(*each) for each in requests])
    found = model.recall(batch, 1000)
    for (start, stop), request in zip(pairwise(found.offsets.tolist()), requests, strict=True):
        scores = dict(zip(found.item[start:stop].tolist(), found.score[start:stop].tolist(), strict=True))
        expected = slow_recall(log, config, *request)
        assert scores == {each: pytest.approx(score, rel=1e-4) for each, score in expected.items()}


def test_an_empty_model_saves_and_loads(tmp_path: Path) -> None:
    for items in (0, 1, 4):
        log = log_of([], items)
        folder = tmp_path / str(items)
        folder.mkdir()
        fitted(log, SknnConfig()).save(folder)
        model = Sknn(SknnConfig(), log.catalogue)
        model.load(folder)
        assert model.index.item_offsets.tolist() == [0] * (items + 1)
        assert len(model.recall(request_of(-1, []), 5).item) == 0


def test_a_scenario_uses_it_by_name(yoorec_project: Any) -> None:
    project = yoorec_project(triggers={"near": {"use": "sknn", "half_life": "3d"}})
    assert project.replay()["variants"]["control"]["metrics"]["hit_rate@10"]["value"] > 0
