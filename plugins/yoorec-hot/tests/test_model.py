"""Hot against a slow literal computation, and Wilson's bound against figures worked by hand."""

from __future__ import annotations

import math
from collections import defaultdict
from dataclasses import replace

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from yoorec_hot import HotConfig
from yoorec_hot.model import Hot, wilson_lower

from yoorec.batch import Plays, Ragged, RequestBatch
from yoorec.components import FitContext
from yoorec.data.catalogue import Catalogue
from yoorec.data.log import EventLog
from yoorec.data.vocabulary import Vocabulary
from yoorec.errors import DataError

HOUR_MS = 3_600_000
START_MS = 1_700_000_000_000
ITEMS = 6
Row = tuple[int, int, str, float | None]
"""item, hours since the start, event, seconds watched"""


def log_of(
    rows: list[Row],
    durations: list[float | None] | None = None,
    events: tuple[str, ...] = ("impression", "play", "like"),
    cut: int | None = None,
) -> EventLog:
    rows = sorted(rows, key=lambda row: row[1])
    size = len(rows)
    none, unknown = np.full(size, -1, np.int32), np.full(size, np.nan, np.float32)
    columns = {"title": pa.array([""] * ITEMS, pa.string())}
    if durations is not None:
        columns["duration_s"] = pa.array(durations, pa.float32())
    catalogue = Catalogue(
        Vocabulary(f"i{number}" for number in range(ITEMS)),
        Vocabulary(["u"]),
        pa.table(columns),
        pa.table({"age": [0]}),
        np.zeros(ITEMS, np.int64),
    )
    return EventLog(
        np.zeros(size, np.int32),
        np.array([row[0] for row in rows], np.int32),
        np.array([START_MS + row[1] * HOUR_MS for row in rows], np.int64),
        np.array([events.index(row[2]) for row in rows], np.int8),
        np.array([1.0 if row[2] == "play" else 0.0 for row in rows], np.float32),
        np.zeros(size, np.int32),
        np.array([math.nan if row[3] is None else row[3] for row in rows], np.float32),
        none,
        none,
        unknown,
        none,
        events,
        catalogue,
        cut,
    )


def slow_wilson(good: float, trials: float, z: float) -> float:
    if trials == 0:
        return 0.0
    p = good / trials
    spread = z * math.sqrt(p * (1 - p) / trials + z * z / (4 * trials * trials))
    return max(0.0, (p + z * z / (2 * trials) - spread) / (1 + z * z / trials))


def slow_scores(rows: list[Row], durations: list[float | None], config: HotConfig, now: int) -> dict[int, float]:
    plays: dict[int, int] = defaultdict(int)
    decayed: dict[int, float] = defaultdict(float)
    known: dict[int, int] = defaultdict(int)
    done: dict[int, int] = defaultdict(int)
    likes: dict[int, int] = defaultdict(int)
    for item, hours, event, watched in rows:
        age = now - (START_MS + hours * HOUR_MS)
        if config.window is not None and age > config.window:
            continue
        if event == "like":
            likes[item] += 1
        if event != "play":
            continue
        plays[item] += 1
        decayed[item] += 2 ** (-age / config.half_life)
        duration = durations[item]
        if watched is not None and duration is not None:
            known[item] += 1
            done[item] += watched >= config.completed * duration
    quality = config.quality
    if quality == "auto":
        everywhere = any(watched is not None for *_, watched in rows)
        quality = "completion" if everywhere and any(each is not None for each in durations) else "like"
    scores = {}
    for item, count in plays.items():
        if quality == "like":
            bound = slow_wilson(min(likes[item], count), count, config.z)
        elif quality == "none":
            bound = 1.0
        elif known[item]:
            bound = slow_wilson(done[item], known[item], config.z)
        else:
            pooled = sum(done.values()) / sum(known.values()) if sum(known.values()) else 0.0
            bound = slow_wilson(pooled * count, count, config.z)
        if count >= config.min_plays and bound >= config.at_least:
            scores[item] = decayed[item] * max(bound, config.floor)
    return scores


def fitted(log: EventLog, config: HotConfig) -> Hot:
    model = Hot(config, log.catalogue)
    model.fit(log, FitContext())
    return model


def requests_of(*main: int) -> RequestBatch:
    size = len(main)
    none = np.full(size, -1, np.int32)
    return RequestBatch(
        none,
        np.full(size, START_MS),
        np.array(main, np.int32),
        np.full(size, 10, np.int32),
        Plays.empty(size),
        Plays.empty(size),
        Ragged.empty(size),
    )


@given(
    rows=st.lists(
        st.tuples(
            st.integers(0, ITEMS - 1),
            st.one_of(st.integers(0, 3), st.integers(0, 100)),
            st.sampled_from(["play", "play", "play", "like", "impression"]),
            st.one_of(st.none(), st.integers(0, 100).map(float)),
        ),
        max_size=50,
    ),
    durations=st.lists(st.one_of(st.none(), st.sampled_from([20.0, 50.0])), min_size=ITEMS, max_size=ITEMS),
    cut=st.sampled_from([None, 101, 150]),
    quality=st.sampled_from(["auto", "like", "none"]),
    z=st.sampled_from([0.0, 1.0, 1.96]),
    window=st.sampled_from([None, 30 * HOUR_MS]),
    min_plays=st.sampled_from([1, 3]),
    # No bound of so few plays comes out at just this.
    at_least=st.sampled_from([0.0, 0.2345]),
)
@settings(deadline=None, max_examples=300)
def test_scores_equal_a_slow_literal_computation(
    rows: list[Row], durations: list[float | None], cut: int | None, **keys: object
) -> None:
    end = None if cut is None else START_MS + cut * HOUR_MS
    log = log_of(rows, durations, cut=end)
    config = replace(HotConfig(half_life=10 * HOUR_MS), **keys)
    now = end or (int(log.time[-1]) if len(log) else 0)
    expected = slow_scores(rows, durations, config, now)
    model = fitted(log, config)
    assert dict(zip(model.item.tolist(), model.score.tolist(), strict=True)) == {
        item: pytest.approx(score, rel=1e-5) for item, score in expected.items()
    }
    order = list(zip((-model.score).tolist(), model.item.tolist(), strict=True))
    assert order == sorted(order)


def test_wilson_by_hand() -> None:
    # 8 of 10 at z = 2: (0.8 + 0.2 - 2 * sqrt(0.016 + 0.01)) / 1.4; 1 of 1: (1 + 2 - 2 * 1) / 5; 0 of 5: 0.
    found = wilson_lower(np.array([8.0, 1.0, 0.0, 0.0]), np.array([10.0, 1.0, 5.0, 0.0]), 2.0)
    assert found == pytest.approx([(1 - 2 * math.sqrt(0.026)) / 1.4, 0.2, 0.0, 0.0], abs=1e-12)
    # Newcombe, Statistics in Medicine 17, 1998, table I: 81 of 263 lie in 0.2553 to 0.3662 at 95 %.
    assert wilson_lower(np.array([81.0]), np.array([263.0]), 1.959964) == pytest.approx([0.2553], abs=5e-5)
    assert wilson_lower(np.array([3.0, 0.0]), np.array([4.0, 0.0]), 0.0) == pytest.approx([0.75, 0.0])


def test_completed_items_stand_before_equally_played_ones_and_doubt_counts_against() -> None:
    rows: list[Row] = [(0, 0, "play", 10.0)] * 20 + [(1, 0, "play", 90.0)] * 20
    rows += [(2, 0, "play", 90.0)] * 10 + [(2, 0, "play", 10.0)] * 10 + [(3, 0, "play", 90.0)]
    model = fitted(log_of(rows, [100.0] * ITEMS), HotConfig())
    assert model.item.tolist() == [1, 2, 3, 0]
    assert model.score[0] == pytest.approx(20 * slow_wilson(20, 20, 1.96))
    assert model.score[3] == pytest.approx(20 * 0.01), "the floor"
    dropped = fitted(log_of(rows, [100.0] * ITEMS), HotConfig(at_least=0.25))
    assert dropped.item.tolist() == [1, 2]


def test_auto_takes_what_the_log_has() -> None:
    rows: list[Row] = [(0, 0, "play", 90.0), (1, 0, "play", 10.0), (1, 0, "like", None)]
    unwatched = [(item, hours, event, None) for item, hours, event, _ in rows]
    plain = ("play",)
    assert fitted(log_of(rows, [100.0] * ITEMS), HotConfig()).item.tolist() == [0, 1]
    assert fitted(log_of(rows), HotConfig()).item.tolist() == [1, 0]
    assert fitted(log_of(unwatched, [100.0] * ITEMS), HotConfig()).item.tolist() == [1, 0]
    neither = fitted(log_of(unwatched[:2], events=plain), HotConfig())
    assert neither.score.tolist() == [1.0, 1.0]


def test_the_quality_asked_for_must_be_known() -> None:
    rows: list[Row] = [(0, 0, "play", None)]
    with pytest.raises(DataError) as caught:
        fitted(log_of(rows, [100.0] * ITEMS), HotConfig(quality="completion"))
    assert str(caught.value) == (
        "hot: quality: completion needs watch_s in the events and duration_s in the items; "
        "no event has watch_s; accepted here: auto, none"
    )
    with pytest.raises(DataError) as caught:
        fitted(log_of([(0, 0, "play", 5.0)]), HotConfig(quality="completion"))
    assert str(caught.value) == (
        "hot: quality: completion needs watch_s in the events and duration_s in the items; "
        "no item has duration_s; accepted here: auto, none"
    )
    with pytest.raises(DataError) as caught:
        fitted(log_of(rows, events=("impression", "play")), HotConfig(quality="like"))
    assert str(caught.value) == (
        "hot: quality: like needs events of type 'like'; there are: impression, play; accepted here: auto, none"
    )


def test_the_main_item_is_left_out_and_the_list_goes_as_deep_as_asked() -> None:
    rows: list[Row] = [(item, 0, "play", None) for item in (4, 4, 4, 2, 2, 5)]
    model = fitted(log_of(rows), HotConfig(quality="none"))
    mains = [-1, 4, 5, 0]
    for k, expected in (
        (0, [[], [], [], []]),
        (1, [[4], [2], [4], [4]]),
        (2, [[4, 2], [2, 5], [4, 2], [4, 2]]),
        (3, [[4, 2, 5], [2, 5], [4, 2], [4, 2, 5]]),
        (9, [[4, 2, 5], [2, 5], [4, 2], [4, 2, 5]]),
    ):
        found = model.recall(requests_of(*mains), k)
        found.check()
        lists = [found.item[a:b].tolist() for a, b in zip(found.offsets[:-1], found.offsets[1:], strict=True)]
        assert lists == expected
