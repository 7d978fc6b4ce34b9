"""Tables to dataset: order, ids, sessions, publishing times, given rows, refusals, fingerprint."""

from __future__ import annotations

import shutil
import time as clock
from collections.abc import Callable
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from yoorec.config.scenario import Scenario
from yoorec.data.dataset import build, encode, read_dataset
from yoorec.data.sources.config import DemoConfig, MovieLensConfig, SessionsConfig, TablesConfig
from yoorec.data.tables import Tables
from yoorec.data.vocabulary import Vocabulary
from yoorec.errors import DataError

Make = Callable[..., Scenario]


def tables(events: dict[str, list[Any]], items: dict[str, Any] | None = None, **more: Any) -> Tables:
    return Tables(
        pa.table(events),
        pa.table(items or {"item_id": pa.array([], pa.string())}),
        more.pop("users", pa.table({"user_id": pa.array([], pa.string())})),
        **more,
    )


EVENTS: dict[str, list[Any]] = {
    "user_id": ["u2", "u1", "u1", "u2", "u1"],
    "item_id": ["b", "a", "c", "a", "b"],
    "time": [50, 10, 10, 20, 90],
    "event": ["play", "play", "like", "play", "impression"],
}
WEIGHTS = {"play": 1.0, "like": 0.5}


def test_the_past_stands_by_user_and_brings_its_own_ids() -> None:
    past = pa.table({"user_id": ["u2", "u9", "u2"], "items": [["b", "z", "b"], ["a"], ["c"]]})
    log = build(tables(EVENTS, past=past), 30, WEIGHTS).log
    assert log.catalogue.users.ids == ("u1", "u2", "u9")
    assert "z" in log.catalogue.items.ids
    assert log.past is not None
    lists = [log.catalogue.items.decode(log.past.take(np.array([user])).item) for user in range(3)]
    assert lists == [[], ["b", "z", "b"], ["a"]]
    assert log.before(30).plays().past is log.past
    assert build(tables(EVENTS), 30, WEIGHTS).log.past is None


def test_the_log_is_in_time_order_and_ties_keep_the_sources() -> None:
    dataset = build(tables(EVENTS), 30, WEIGHTS)
    log = dataset.log
    assert log.time.tolist() == [10, 10, 20, 50, 90]
    assert log.catalogue.items.decode(log.item) == ["a", "c", "a", "b", "b"]
    assert log.catalogue.users.decode(log.user) == ["u1", "u1", "u2", "u2", "u1"]
    assert log.events == ("impression", "like", "play")
    assert [log.events[code] for code in log.event] == ["play", "like", "play", "play", "impression"]
    assert log.weight.tolist() == [1.0, 0.5, 1.0, 1.0, 0.0]
    assert log.session.tolist() == [0, 0, 1, 1, 2]
    assert log.cut is None
    dtypes = {name: getattr(log, name).dtype.str for name in ("user", "item", "time", "event", "weight", "session")}
    assert dtypes == {
        "user": "<i4",
        "item": "<i4",
        "time": "<i8",
        "event": "|i1",
        "weight": "<f4",
        "session": "<i4",
    }


def test_missing_columns_are_filled_and_present_ones_kept() -> None:
    log = build(tables(EVENTS), 30, WEIGHTS).log
    for each in fields(log):  # compiled kernels take a read-only array for another type
        value = getattr(log, each.name)
        assert not isinstance(value, np.ndarray) or (value.flags.writeable and value.flags.c_contiguous), each.name
    assert np.isnan(log.watch_s).all() and np.isnan(log.propensity).all()
    assert log.position.tolist() == log.request.tolist() == log.main_item.tolist() == [-1] * 5
    more = EVENTS | {
        "watch_s": pa.array([1.5, None, None, 2.0, None], pa.float32()),
        "position": pa.array([None, 0, 1, 2, None], pa.int32()),
        "request_id": ["r2", None, "r1", "r1", None],
        "propensity": pa.array([0.5, None, 0.25, None, None], pa.float32()),
        "main_item_id": ["a", None, "nowhere", "b", "c"],
        "session_id": [None, "x", "x", None, None],
    }
    log = build(tables(more), 30, WEIGHTS).log
    assert log.watch_s.flags.writeable and log.position.flags.writeable
    assert np.nan_to_num(log.watch_s, nan=-1).tolist() == [-1, -1, 2.0, 1.5, -1]
    assert log.position.tolist() == [0, 1, 2, -1, -1]
    assert log.request.tolist() == [-1, 1, 1, 0, -1]  # in order of first appearance in the source
    assert np.nan_to_num(log.propensity, nan=-1).tolist() == [-1, 0.25, -1, 0.5, -1]
    assert log.main_item.tolist() == [-1, -1, 1, 0, 2]
    assert log.session.tolist() == [0, 0, 1, 1, 2]


def test_columns_are_aligned_with_the_vocabulary() -> None:
    items = {"item_id": ["z", "b"], "title": ["Z", "B"], "tags": [["t"], []], "duration_s": [1.0, 2.0]}
    users = pa.table({"user_id": ["u2", "u9"], "age": [20, 90]})
    catalogue = build(tables(EVENTS, items, users=users), 30, WEIGHTS).log.catalogue
    assert catalogue.items.ids == ("a", "b", "c", "z")
    assert catalogue.item_columns.to_pydict() == {
        "title": [None, "B", None, "Z"],
        "tags": [None, [], None, ["t"]],
        "duration_s": [None, 2.0, None, 1.0],
    }
    assert catalogue.users.ids == ("u1", "u2", "u9")
    assert catalogue.user_columns.to_pydict() == {"age": [None, 20, 90]}
    codes, values = catalogue.user_codes("age")
    assert (codes.tolist(), values) == ([-1, 0, 1], ["20", "90"])


def test_an_item_exists_from_its_first_event_or_its_date() -> None:
    dataset = build(tables(EVENTS, {"item_id": ["z"]}), 30, WEIGHTS)
    assert dataset.log.catalogue.published_at.tolist() == [10, 50, 10, 91]  # z: known, yet new to the log
    items = {"item_id": ["a", "b", "c", "z"], "published_at": pa.array([5, 60, None, 70], pa.int64())}
    dataset = build(tables(EVENTS, items), 30, WEIGHTS)
    assert dataset.log.catalogue.published_at.tolist() == [5, 50, 10, 70]
    assert dataset.quality["items"].notes == (
        "1 items have events before their published_at; they count as published from the first",
    )


def test_given_rows_share_the_vocabulary() -> None:
    given = pa.table({"prefix": [["a", "q"], ["c"]], "target": ["b", "new"]})
    dataset = build(tables(EVENTS, given=given), 30, WEIGHTS)
    assert dataset.given is not None
    assert dataset.log.catalogue.items.ids == ("a", "b", "c", "new", "q")
    assert dataset.given.offsets.tolist() == [0, 2, 3]
    assert dataset.given.item.tolist() == [0, 4, 2]
    assert dataset.given.target.tolist() == [1, 3]
    assert dataset.log.catalogue.published_at.tolist() == [10, 50, 10, 91, 91]


def test_encoding_is_the_vocabularys() -> None:
    names = ["b", None, "zz", "a", "b"]
    vocabulary = Vocabulary(["a", "b"])
    for column in (pa.array(names), pa.chunked_array([names[:2], names[2:]]), pa.array(names).dictionary_encode()):
        found = encode(column, vocabulary)
        assert found.dtype == np.int32
        assert found.tolist() == vocabulary.encode(names).tolist() == [1, -1, -1, 0, 1]
    assert encode(pa.array([], pa.string()), vocabulary).tolist() == []


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"time": None}, "data: events: no column 'time'; there are: user_id, item_id, event"),
        ({"time": [1.0] * 5}, "data: events: time: is double; accepted: int64 (ms)"),
        ({"user_id": [1] * 5}, "data: events: user_id: is int64; accepted: string"),
        ({"item_id": ["a", None, "b", None, "c"]}, "data: events: item_id: 2 values are missing"),
        (
            {"event": ["click"] * 4 + ["view"]},
            "data: events: no event is a play; the log holds: click (4), view (1); event_weights above 0: play, like",
        ),
        (
            {name: pa.table(EVENTS)[name].slice(0, 0) for name in EVENTS},
            "data: events: no rows",
        ),
    ],
)
def test_tables_that_can_not_be_used(change: dict[str, Any], message: str) -> None:
    events = {name: column for name, column in (EVENTS | change).items() if column is not None}
    with pytest.raises(DataError) as caught:
        build(tables(events), 30, WEIGHTS)
    assert str(caught.value) == message


def test_a_source_is_run_and_progress_told(scenario: Make, tmp_path: Path) -> None:
    path = tmp_path / "e.csv"
    path.write_text("user_id,item_id,time\nu,a,1000\nu,b,5000\n")
    told: list[tuple[float, str]] = []
    made = scenario("tables", TablesConfig(path), session_gap_ms=3000)
    dataset = read_dataset(made, lambda done, note="": told.append((done, note)))
    assert dataset.log.session.tolist() == [0, 1]
    assert [done for done, _ in told] == sorted(done for done, _ in told) and told[-1][0] == 1.0
    assert dataset.quality["events"].read == 2


def test_the_fingerprint_changes_with_all_that_matters_and_nothing_else(scenario: Make, tmp_path: Path) -> None:
    (tmp_path / "one").mkdir()
    path = tmp_path / "one" / "e.csv"
    path.write_text("user_id,item_id,time\nu,a,1000\n")
    base = scenario("tables", TablesConfig(path))
    first = read_dataset(base).fingerprint
    assert len(first) == 32 and int(first, 16) >= 0
    shutil.copytree(tmp_path / "one", tmp_path / "two")
    moved = scenario("tables", TablesConfig(tmp_path / "two" / "e.csv"), rank_cut=0.5, slate=7)
    assert read_dataset(moved).fingerprint == first
    others = [
        replace(base, session_gap_ms=5),
        replace(base, event_weights={"play": 2.0}),
        scenario("tables", TablesConfig(path, time_unit="s")),
    ]
    prints = {read_dataset(other).fingerprint for other in others}
    path.write_text("user_id,item_id,time\nu,a,1001\n")
    prints.add(read_dataset(base).fingerprint)
    assert len(prints) == 4 and first not in prints
    seeds = {
        read_dataset(scenario("demo", DemoConfig(users=20, items=100, days=2, seed=seed))).fingerprint
        for seed in (1, 1, 2)
    }
    assert len(seeds) == 2


def test_the_real_million_becomes_a_dataset(scenario: Make, real: Callable[[str], Path]) -> None:
    made = scenario("movielens", MovieLensConfig(real("movielens_1m/ml-1m.zip")))
    began = clock.perf_counter()
    dataset = read_dataset(made)
    assert clock.perf_counter() - began < 10
    log = dataset.log
    assert (len(log), len(log.catalogue.users), len(log.catalogue.items)) == (1_000_209, 6_040, 3_883)
    assert bool((np.diff(log.time) >= 0).all())
    assert int((log.catalogue.published_at > log.time[-1]).sum()) == 3_883 - 3_706  # never rated


def test_real_sessions_become_a_dataset(scenario: Make, real: Callable[[str], Path]) -> None:
    config = SessionsConfig(
        real("sessions/yoochoose1_64_train_sessions.parquet"), real("sessions/yoochoose1_64_test.parquet")
    )
    dataset = read_dataset(scenario("sessions", config))
    assert dataset.given is not None and len(dataset.given.target) == 55_898
    assert int(dataset.log.session.max()) + 1 == 116_167
    assert bool((np.diff(dataset.log.session) >= 0).all())  # one after another, never interleaved
    assert dataset.given.item.min() >= 0 and dataset.given.target.min() >= 0


def test_millions_of_events_in_seconds() -> None:
    rng = np.random.default_rng(0)
    size = 2_000_000
    user, item = rng.integers(0, 50_000, size), rng.integers(0, 20_000, size)
    events = pa.table(
        {
            "user_id": pa.array(user).cast(pa.string()),
            "item_id": pa.array(item).cast(pa.string()),
            "time": rng.integers(0, 10**9, size),
            "event": pa.repeat(pa.scalar("play"), size),
        }
    )
    began = clock.perf_counter()
    none = {"user_id": pa.array([], pa.string())}, {"item_id": pa.array([], pa.string())}
    log = build(Tables(events, pa.table(none[1]), pa.table(none[0])), 1000, {"play": 1.0}).log
    assert clock.perf_counter() - began < 10
    order = np.argsort(np.asarray(events["time"]), kind="stable")
    assert log.catalogue.items.decode(log.item[:100]) == [str(each) for each in item[order[:100]]]
