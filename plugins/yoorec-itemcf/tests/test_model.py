"""ItemCF against a slow literal computation: dicts and loops over every pair of plays."""

from __future__ import annotations

import json
import math
from collections import defaultdict
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from yoorec_itemcf import ItemCFConfig
from yoorec_itemcf.model import ItemCF
from yoorec_itemcf.similar import FARTHEST

from yoorec.batch import Plays, Ragged, RequestBatch
from yoorec.components import FitContext
from yoorec.config.compose import load_scenario
from yoorec.data.catalogue import Catalogue
from yoorec.data.dataset import read_dataset
from yoorec.data.log import EventLog
from yoorec.data.vocabulary import Vocabulary
from yoorec.plugins import load_plugins

HOUR_MS = 3_600_000
Row = tuple[int, int, int, float]
"""user, item, time in ms, event weight"""


def log_of(rows: list[Row], users: int = 5, items: int = 8) -> EventLog:
    rows = sorted(rows, key=lambda row: row[2])
    size = len(rows)
    none = np.full(size, -1, np.int32)
    catalogue = Catalogue(
        Vocabulary(f"i{number}" for number in range(items)),
        Vocabulary(f"u{number}" for number in range(users)),
        pa.table({"title": pa.array([""] * items, pa.string())}),
        pa.table({"age": pa.array([0] * users, pa.int64())}),
        np.zeros(items, np.int64),
    )
    return EventLog(
        np.array([row[0] for row in rows], np.int32),
        np.array([row[1] for row in rows], np.int32),
        np.array([row[2] for row in rows], np.int64),
        np.zeros(size, np.int8),
        np.array([row[3] for row in rows], np.float32),
        np.zeros(size, np.int32),
        np.full(size, np.nan, np.float32),
        none,
        none,
        np.full(size, np.nan, np.float32),
        none,
        ("play",),
        catalogue,
    )


def slow_similarities(log: EventLog, config: ItemCFConfig) -> dict[int, dict[int, float]]:
    """Every similarity above 0 in double precision, before the cut to `neighbors`."""
    latest: dict[int, dict[int, int]] = defaultdict(dict)  # user -> item -> time, the newest play last
    for n in range(len(log)):
        if log.weight[n] > 0:
            row = latest[int(log.user[n])]
            row.pop(int(log.item[n]), None)
            row[int(log.item[n])] = int(log.time[n])
    if config.max_plays is not None:
        latest = {user: dict(list(row.items())[-config.max_plays :]) for user, row in latest.items()}
    players: dict[int, int] = defaultdict(int)
    for row in latest.values():
        for item in row:
            players[item] += 1
    found: dict[int, dict[int, float]] = defaultdict(lambda: defaultdict(float))
    support: dict[tuple[int, int], int] = defaultdict(int)
    for row in latest.values():
        damp = 1 / math.log(1 + len(row)) if config.damp_users else 1.0
        order = {item: place for place, item in enumerate(row)}  # the log's, where times tie too
        for i, time_i in row.items():
            for j, time_j in row.items():
                gap = abs(time_i - time_j)
                halvings = 0.0 if config.half_life is None else gap / config.half_life
                share = 1.0 if order[j] > order[i] else config.backward
                near_enough = halvings <= FARTHEST and (config.window is None or gap <= config.window)
                if i != j and near_enough and share > 0:
                    found[i][j] += share * 2**-halvings * damp / math.sqrt(players[i] * players[j])
                    support[i, j] += 1
    for i, row in list(found.items()):
        found[i] = {j: score for j, score in row.items() if support[i, j] >= config.min_support}
    if config.normalize:
        for row in found.values():
            highest = max(row.values(), default=1.0)
            for j in row:
                row[j] /= highest
    return found


def fitted(log: EventLog, config: ItemCFConfig, threads: int = 1) -> ItemCF:
    model = ItemCF(config, log.catalogue)
    model.fit(log, FitContext(threads=threads))
    return model


def near(model: ItemCF, item: int) -> dict[int, float]:
    rows = slice(model.offsets[item], model.offsets[item + 1])
    return dict(zip(model.near_item[rows].tolist(), model.near_score[rows].tolist(), strict=True))


rows_of_a_log = st.lists(
    st.tuples(
        st.integers(0, 4),
        st.integers(0, 7),
        st.one_of(st.integers(0, 4), st.integers(0, 90)).map(lambda hours: 1_700_000_000_000 + hours * HOUR_MS),
        st.sampled_from([1.0, 1.0, 1.0, 2.0, 0.0]),
    ),
    max_size=60,
)
configs = st.builds(
    ItemCFConfig,
    neighbors=st.sampled_from([1, 3, 50]),
    # Of whole hours, 1 in 90 to 90 in 1: within a segment, over several, and beyond the farthest pair (0.7 h).
    half_life=st.sampled_from([None, 7 * HOUR_MS // 10, 3 * HOUR_MS, 100 * HOUR_MS]),
    damp_users=st.booleans(),
    normalize=st.booleans(),
    max_plays=st.sampled_from([None, 1, 3, 100]),
    window=st.sampled_from([None, 1, HOUR_MS, 20 * HOUR_MS]),
    backward=st.sampled_from([1.0, 0.5, 0.0]),
    min_support=st.sampled_from([1, 1, 2, 3]),
)


@given(rows=rows_of_a_log, config=configs)
@settings(deadline=None, max_examples=300)
def test_similarities_equal_a_slow_literal_computation(rows: list[Row], config: ItemCFConfig) -> None:
    log = log_of(rows)
    expected = slow_similarities(log, config)
    model = fitted(log, config)
    for item in range(8):
        found, wanted = near(model, item), expected.get(item, {})
        assert len(found) == min(config.neighbors, len(wanted))
        assert found == {j: pytest.approx(wanted[j], rel=1e-5) for j in found}
        left_out = [score for j, score in wanted.items() if j not in found]
        assert not found or min(found.values()) >= max(left_out, default=0.0) * (1 - 1e-5)


def test_two_people_by_hand() -> None:
    # u0 plays i0 and i1 two hours apart; u1 plays i0, i1 at once, and i2 an hour later.
    log = log_of(
        [
            (0, 0, 0, 1.0),
            (0, 1, 2 * HOUR_MS, 1.0),
            (1, 0, 5 * HOUR_MS, 1.0),
            (1, 1, 5 * HOUR_MS, 1.0),
            (1, 2, 6 * HOUR_MS, 1.0),
        ]
    )
    config = ItemCFConfig(half_life=HOUR_MS, normalize=False)
    first = (1 / 4 / math.log(3) + 1 / math.log(4)) / math.sqrt(2 * 2)
    second = 1 / 2 / math.log(4) / math.sqrt(2 * 1)
    assert near(fitted(log, config), 0) == {1: pytest.approx(first, rel=1e-6), 2: pytest.approx(second, rel=1e-6)}
    normal = near(fitted(log, replace(config, normalize=True)), 0)
    assert normal == {1: 1.0, 2: pytest.approx(second / first, rel=1e-6)}


def test_of_repeated_plays_the_latest_counts() -> None:
    rows = [(0, 0, 0, 1.0), (0, 1, 0, 1.0), (0, 0, 3 * HOUR_MS, 1.0)]
    model = fitted(log_of(rows), ItemCFConfig(half_life=HOUR_MS, damp_users=False, normalize=False))
    assert near(model, 0) == {1: 0.125}


def test_a_pair_beyond_a_hundred_half_lives_counts_nothing() -> None:
    config = ItemCFConfig(half_life=1000, damp_users=False, normalize=False)
    near_enough, too_far = [(0, 0, 0, 1.0), (0, 1, 100_000, 1.0)], [(0, 0, 0, 1.0), (0, 1, 100_001, 1.0)]
    assert near(fitted(log_of(near_enough), config), 0) == {1: pytest.approx(2.0**-100)}
    assert near(fitted(log_of(too_far), config), 0) == {}
    assert near(fitted(log_of(too_far), config), 1) == {}


def test_what_was_played_before_counts_its_backward_share() -> None:
    # i0, then i1 an hour later, then i2 at that same moment: the log's order says that i1 came first.
    log = log_of([(0, 0, 0, 1.0), (0, 1, HOUR_MS, 1.0), (0, 2, HOUR_MS, 1.0)])
    config = ItemCFConfig(half_life=HOUR_MS, backward=0.25, damp_users=False, normalize=False)
    model = fitted(log, config)
    assert [near(model, item) for item in range(3)] == [{1: 0.5, 2: 0.5}, {2: 1.0, 0: 0.125}, {1: 0.25, 0: 0.125}]
    model = fitted(log, replace(config, backward=0.0))
    assert [near(model, item) for item in range(3)] == [{1: 0.5, 2: 0.5}, {2: 1.0}, {}]
    faint = fitted(log, replace(config, backward=1e-300))
    assert [near(faint, item) for item in range(3)] == [{1: 0.5, 2: 0.5}, {2: 1.0}, {}]


def test_plays_further_apart_than_the_window_are_no_pair() -> None:
    log = log_of([(0, 0, 0, 1.0), (0, 1, 1000, 1.0), (0, 2, 2001, 1.0)])
    model = fitted(log, ItemCFConfig(half_life=None, window=1000, damp_users=False, normalize=False))
    assert [near(model, item) for item in range(3)] == [{1: 1.0}, {0: 1.0}, {}]


def test_pairs_of_too_few_users_are_left_out() -> None:
    log = log_of([(user, item, 0, 1.0) for user, items in ((0, (0, 1, 2)), (1, (0, 1))) for item in items])
    config = ItemCFConfig(min_support=2, damp_users=False, normalize=False)
    model = fitted(log, config)
    assert [near(model, item) for item in range(3)] == [{1: 1.0}, {0: 1.0}, {}]
    # What the window leaves out supports nothing, nor does what came before where only what followed counts.
    later = log_of([(0, 0, 0, 1.0), (0, 1, 5, 1.0), (1, 1, 0, 1.0), (1, 0, 5, 1.0), (2, 0, 0, 1.0), (2, 1, 9000, 1.0)])
    assert near(fitted(later, config), 0) != {}
    assert near(fitted(later, replace(config, backward=0.0)), 0) != {}
    assert near(fitted(later, replace(config, backward=0.0, window=1000)), 0) == {}
    assert near(fitted(later, replace(config, min_support=3, window=1000)), 0) == {}


def test_half_life_and_window_count_steps_where_data_has_order_but_no_times(tmp_path: Path) -> None:
    sessions = [["a", "b", "c", "d", "e"], ["c", "a"], ["b", "d", "b", "a", "c", "e", "f"]]
    (tmp_path / "train.jsonl").write_text("".join(json.dumps({"items": items}) + "\n" for items in sessions))
    text = "defaults: [yoorec/base]\nscene: steps\ndata: {use: sessions, train: train.jsonl}\n"
    (tmp_path / "steps.yaml").write_text(f"{text}triggers: {{itemcf: {{use: itemcf}}}}\n")
    keys = ["triggers.itemcf.half_life=3ms", "triggers.itemcf.window=4ms"]
    scenario = load_scenario(tmp_path / "steps.yaml", keys, load_plugins())
    log = read_dataset(scenario).log
    config = scenario.triggers[0].config
    model = fitted(log, config)
    expected: dict[str, dict[str, float]] = defaultdict(lambda: defaultdict(float))
    for items in sessions:
        place = {item: step for step, item in enumerate(items)}  # the latest of each
        for i in place:
            for j in place:
                steps = abs(place[i] - place[j])
                if i != j and steps <= 4:
                    players = [sum(one in each for each in sessions) for one in (i, j)]
                    expected[i][j] += 2 ** (-steps / 3) / math.log(1 + len(place)) / math.sqrt(math.prod(players))
    names = log.catalogue.items
    for i, row in expected.items():
        highest = max(row.values())
        assert near(model, names.index(i)) == {
            names.index(j): pytest.approx(score / highest, rel=1e-5) for j, score in row.items()
        }


def zipf_log(events: int = 30_000, users: int = 300, items: int = 400) -> EventLog:
    rng = np.random.default_rng(3)
    item = np.minimum(rng.zipf(1.3, events) - 1, items - 1)
    time = rng.integers(0, 10 * 24, events) * HOUR_MS
    rows = zip(rng.integers(0, users, events).tolist(), item.tolist(), time.tolist(), strict=True)
    return log_of([(user, item, time, 1.0) for user, item, time in rows], users, items)


@pytest.mark.parametrize("half_life", [None, HOUR_MS // 10, 6 * HOUR_MS])
@pytest.mark.parametrize(
    "limits", [{}, {"backward": 0.5}, {"backward": 0.0, "min_support": 2}, {"window": 9 * HOUR_MS, "min_support": 3}]
)
def test_a_larger_log_with_dense_and_sparse_items(half_life: int | None, limits: dict[str, Any]) -> None:
    log, config = zipf_log(6000, 100, 300), ItemCFConfig(half_life=half_life, neighbors=300, **limits)
    expected, model = slow_similarities(log, config), fitted(log, config)
    for item in range(300):
        wanted = {j: pytest.approx(score, rel=1e-5) for j, score in expected.get(item, {}).items()}
        assert near(model, item) == wanted


@pytest.mark.parametrize("limits", [{}, {"backward": 0.5, "window": 12 * HOUR_MS, "min_support": 2}])
def test_no_bit_depends_on_the_threads(limits: dict[str, Any]) -> None:
    log = zipf_log()
    config = ItemCFConfig(neighbors=20, half_life=HOUR_MS, **limits)
    one, many = fitted(log, config, 1), fitted(log, config, 5)
    assert len(one.near_item) > 2500
    for name in ("offsets", "near_item", "near_score"):
        assert getattr(one, name).tobytes() == getattr(many, name).tobytes()


def request_of(main: int, history: list[int]) -> RequestBatch:
    one = np.array([main], np.int32)
    size = len(history)
    return RequestBatch(
        np.array([-1], np.int32),
        np.array([10**13]),
        one,
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


def slow_recall(model: ItemCF, main: int, history: list[int]) -> dict[int, float]:
    if main >= 0 and history[:1] != [main]:
        history = [main, *history]
    scores: dict[int, float] = defaultdict(float)
    for place, item in enumerate(history[: model.config.recall_from]):
        if item >= 0:
            for other, score in near(model, item).items():
                scores[other] += model.config.recency**place * score
    if not model.config.recall_main:
        scores.pop(main, None)
    return scores


@given(
    rows=rows_of_a_log,
    main=st.integers(-1, 7),
    history=st.lists(st.integers(-1, 7), max_size=8),
    k=st.integers(0, 9),
    recall_from=st.sampled_from([1, 3, 20]),
    recency=st.sampled_from([1.0, 0.8]),
    recall_main=st.booleans(),
)
@settings(deadline=None, max_examples=300)
def test_recall_equals_a_slow_literal_computation(
    rows: list[Row], main: int, history: list[int], k: int, **keys: Any
) -> None:
    log = log_of(rows)
    model = fitted(log, ItemCFConfig(half_life=9 * HOUR_MS, **keys))
    expected = slow_recall(model, main, history)
    found = model.recall(request_of(main, history), k)
    found.check()
    assert len(found.item) == min(k, len(expected))
    scores = dict(zip(found.item.tolist(), found.score.tolist(), strict=True))
    assert scores == {item: pytest.approx(expected[item], rel=1e-5) for item in scores}
    left_out = [score for item, score in expected.items() if item not in scores]
    assert not scores or min(scores.values()) >= max(left_out, default=0.0) * (1 - 1e-5)


def test_the_main_item_recalls_where_the_history_is_empty_and_is_never_recalled_itself() -> None:
    log = log_of([(0, 0, 0, 1.0), (0, 1, 0, 1.0), (0, 2, 0, 1.0)])
    model = fitted(log, ItemCFConfig())
    assert model.recall(request_of(0, []), 10).item.tolist() == [1, 2]
    assert model.recall(request_of(0, [0, 1]), 10).item.tolist() == [2, 1]
    assert model.recall(request_of(-1, []), 10).item.tolist() == []
    again = ItemCF(replace(model.config, recall_main=True), log.catalogue)
    again.offsets, again.near_item, again.near_score = model.offsets, model.near_item, model.near_score
    assert sorted(again.recall(request_of(0, [0, 1]), 10).item.tolist()) == [0, 1, 2]
    assert again.recall(request_of(0, []), 10).item.tolist() == [1, 2]


def test_a_model_without_neighbours_saves_and_loads(tmp_path: Path) -> None:
    for users, items in ((0, 0), (1, 1), (3, 4)):
        log = log_of([], users, items)
        folder = tmp_path / str(items)
        folder.mkdir()
        fitted(log, ItemCFConfig()).save(folder)
        model = ItemCF(ItemCFConfig(), log.catalogue)
        model.load(folder)
        assert model.offsets.tolist() == [0] * (items + 1)
        assert len(model.recall(request_of(-1, []), 5).item) == 0
