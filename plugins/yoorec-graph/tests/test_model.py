"""Weighing against literal sums, what the fit hands on, and the trigger in a scenario."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import replace
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from yoorec_graph.config import GraphConfig
from yoorec_graph.edges import Edges, rows_of
from yoorec_graph.model import Graph
from yoorec_graph.tame import clusters_of, weighed

from yoorec.components import FitContext
from yoorec.data.log import EventLog
from yoorec.errors import DataError
from yoorec.testing import worlds

ITEMS = 7
HOUR_MS = 3_600_000
QUICK = GraphConfig(dim=8, walks=3, length=10)


def edges_of(pairs: dict[tuple[int, int], float], items: int = ITEMS) -> Edges:
    source, target = np.array(list(pairs), np.int32).reshape(-1, 2).T
    weight = np.array(list(pairs.values()), np.float32)
    return rows_of(np.ascontiguousarray(source), np.ascontiguousarray(target), weight, items)


def as_dict(edges: Edges) -> dict[tuple[int, int], float]:
    source = np.repeat(np.arange(len(edges.offsets) - 1), np.diff(edges.offsets))
    return dict(zip(zip(source.tolist(), edges.target.tolist(), strict=True), edges.weight.tolist(), strict=True))


@given(
    pairs=st.dictionaries(
        st.tuples(st.integers(0, ITEMS - 1), st.integers(0, ITEMS - 1)), st.sampled_from([0.5, 1.0, 3.0]), max_size=30
    ),
    cluster=st.lists(st.integers(-1, 2), min_size=ITEMS, max_size=ITEMS),
    plays=st.lists(st.integers(0, 50), min_size=ITEMS, max_size=ITEMS),
    damp=st.sampled_from([0.0, 0.5, 1.0, 2.0]),
    sharpen=st.sampled_from([0.5, 1.0, 2.0]),
)
@settings(deadline=None, max_examples=200)
def test_weights_equal_literal_sums(
    pairs: dict[tuple[int, int], float], cluster: list[int], plays: list[int], damp: float, sharpen: float
) -> None:
    found = weighed(edges_of(pairs), np.array(cluster, np.int32), np.array(plays), damp, sharpen)
    sharp = {pair: count**sharpen for pair, count in pairs.items()}
    expected = {}
    for (i, j), weight in sharp.items():
        if cluster[j] < 0:
            expected[i, j] = weight
            continue
        mates = [k for (source, k) in sharp if source == i and cluster[k] == cluster[j]]
        pull = {k: sharp[i, k] * max(plays[k], 1) ** -damp for k in mates}
        expected[i, j] = sum(sharp[i, k] for k in mates) * pull[j] / sum(pull.values())
    assert as_dict(found) == {pair: pytest.approx(weight, rel=1e-5) for pair, weight in expected.items()}


def test_a_hot_item_hands_over_inside_its_cluster_only() -> None:
    pairs = {(0, 1): 8.0, (0, 2): 2.0, (0, 3): 5.0}
    plays = np.array([1, 100, 25, 1, 0, 0, 0])
    cluster = np.array([0, 1, 1, 2, 2, 2, 2], np.int32)
    # Into cluster 1 go 10; 8 / 100 against 2 / 25 is half and half.
    assert as_dict(weighed(edges_of(pairs), cluster, plays, 1.0, 1.0)) == {(0, 1): 5.0, (0, 2): 5.0, (0, 3): 5.0}
    assert as_dict(weighed(edges_of(pairs), cluster, plays, 0.0, 1.0)) == pytest.approx(pairs)


def test_clusters_gather_what_points_the_same_way() -> None:
    rng = np.random.default_rng(0)
    centre = np.eye(3)[np.arange(60) % 3]
    vectors = ((centre + 0.05 * rng.normal(size=(60, 3))) * rng.uniform(0.1, 5, (60, 1))).astype(np.float32)
    item = np.arange(60, dtype=np.int32) * 2
    found = clusters_of(item, vectors, 130, 3, 5)
    assert (found[1::2] == -1).all() and (found[120:] == -1).all()
    groups = found[item].reshape(20, 3)
    assert (groups == groups[0]).all() and sorted(groups[0].tolist()) == [0, 1, 2]
    assert clusters_of(item, vectors, 130, 3, 5).tobytes() == found.tobytes()
    assert set(clusters_of(item[:2], vectors[:2], 130, 20, 5).tolist()) == {-1, 0, 1}
    assert (clusters_of(item[:0], vectors[:0], 9, 20, 5) == -1).all()


def noted(log: EventLog, config: GraphConfig) -> dict[str, Any]:
    notes: dict[str, Any] = {}
    Graph(config, log.catalogue).fit(log, FitContext(seed=1, note=notes.__setitem__))
    return notes


def newest_of(log: EventLog, item: int, age_ms: int) -> EventLog:
    """The log with one item published `age_ms` before its cut, the others long ago."""
    end = int(log.time[-1]) + 1
    published = np.zeros(len(log.catalogue.items), np.int64)
    published[item] = end - age_ms
    return replace(log, cut=end, catalogue=replace(log.catalogue, published_at=published))


def test_only_new_items_are_linked_and_only_within_the_time() -> None:
    log = newest_of(worlds.small_log(), 3, 20 * HOUR_MS)
    config = replace(QUICK, recent_link=3 * HOUR_MS, new_for=24 * HOUR_MS)
    plays, pairs = log.plays(), 0
    rows: dict[int, list[tuple[int, int]]] = defaultdict(list)
    for user, item, time in zip(plays.user.tolist(), plays.item.tolist(), plays.time.tolist(), strict=True):
        for other, earlier in rows[user]:
            pairs += time - earlier <= 3 * HOUR_MS and item != other and 3 in (item, other)
        rows[user].append((item, time))
    found = noted(log, config)
    assert found["links of new items"] == 2 * pairs > 0
    apart = noted(log, replace(config, recent_link=None))
    assert apart["edges"] < found["edges"] and "links of new items" not in apart
    assert noted(log, replace(config, new_for=10 * HOUR_MS))["links of new items"] == 0


def test_neighbours_of_two_worlds_stay_apart() -> None:
    """Sessions play either the first or the second half of the items: so do the vectors."""
    log = worlds.small_log(users=60, items=20, events=6000)
    half = (log.session % 2).astype(np.int32)
    log = replace(log, item=(log.item % 10 + 10 * half).astype(np.int32))
    model = Graph(replace(QUICK, walks=100, sample=0.0, recent_link=None), log.catalogue)
    model.fit(log, FitContext(seed=1))
    requests = worlds.small_requests(log, 20).take(np.zeros(20, np.int64))
    requests = replace(requests, item=np.arange(20, dtype=np.int32), history=type(requests.history).empty(20))
    found = model.recall(requests, 9)
    assert found.lengths.tolist() == [9] * 20
    assert (found.item.reshape(20, 9) // 10 == np.arange(20)[:, None] // 10).mean() > 0.95


@pytest.mark.parametrize("tame", ["category", "all", "vectors", None])
def test_every_way_of_taming_learns_other_vectors(tame: str | None) -> None:
    log = worlds.small_log()
    model, plain = Graph(replace(QUICK, tame=tame), log.catalogue), Graph(replace(QUICK, damp=0.0), log.catalogue)
    model.fit(log, FitContext(seed=1))
    plain.fit(log, FitContext(seed=1))
    requests = worlds.small_requests(log, 30)
    same = model.recall(requests, 10).item.tolist() == plain.recall(requests, 10).item.tolist()
    assert same == (tame is None)


def test_taming_by_a_column_that_is_not_there() -> None:
    log = worlds.small_log()
    log = replace(log, catalogue=replace(log.catalogue, item_columns=pa.table({"title": ["a"] * 60}), _codes={}))
    with pytest.raises(DataError) as caught:
        Graph(replace(QUICK, tame="titles"), log.catalogue).fit(log, FitContext())
    assert str(caught.value) == "items: no column 'titles'; nearest: title; there are: title"


def test_progress_rises_to_the_end() -> None:
    log, told = worlds.small_log(), []
    context = FitContext(seed=1, progress=lambda done, note="": told.append((done, note)))
    Graph(QUICK, log.catalogue).fit(log, context)
    shares = [done for done, _ in told]
    assert shares == sorted(shares) and shares[-1] == pytest.approx(1.0)
    assert {note for _, note in told} >= {"walks", "skip-gram pass 1 of 1"}


def test_a_scenario_uses_it_by_name(yoorec_project: Any) -> None:
    project = yoorec_project(triggers={"graph": {"use": "graph", "dim": 8, "tame": "category", "new_for": "2d"}})
    report = project.replay()
    assert report["requests"] > 0
    assert report["variants"]["control"]["metrics"]["hit_rate@10"]["value"] > 0


def test_rarely_played_items_are_left_out_unless_new() -> None:
    log = newest_of(worlds.small_log(), 3, 20 * HOUR_MS)
    count = np.bincount(log.plays().item, minlength=60)
    often = set(np.flatnonzero(count >= count[3] + 1).tolist())
    config = replace(QUICK, min_plays=int(count[3]) + 1, sample=0.0)
    assert 0 < len(often) < (count > 0).sum() - 1
    assert noted(log, config)["vectors"] == len(often | {3})
    assert noted(log, replace(config, recent_link=None))["vectors"] == len(often)
