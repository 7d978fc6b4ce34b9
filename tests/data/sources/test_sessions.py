"""Pre-split session data: list order is time, every train session a user, test rows as given."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from yoorec.data.sources.config import SessionsConfig
from yoorec.data.sources.sessions import SessionsSource
from yoorec.errors import DataError

TRAIN = [[5, 3], [7], [3, 3, 9]]
TEST = [([5, 7, 8], 9), ([5, 7], 8)]


def write(folder: Path, kind: str) -> SessionsConfig:
    train, test = folder / f"train.{kind}", folder / f"test.{kind}"
    rows = [{"prefix": prefix, "target": target} for prefix, target in TEST]
    if kind == "parquet":
        pq.write_table(pa.table({"items": pa.array(TRAIN, pa.list_(pa.int32()))}), train)
        pq.write_table(pa.Table.from_pylist(rows), test)
    else:
        train.write_text("".join(json.dumps({"items": items}) + "\n" for items in TRAIN))
        test.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return SessionsConfig(train, test)


@pytest.mark.parametrize("kind", ["parquet", "jsonl"])
def test_order_is_time_and_a_session_is_a_user(tmp_path: Path, kind: str) -> None:
    source = SessionsSource(write(tmp_path, kind))
    tables = source.read()
    users = ["s0", "s0", "s1", "s2", "s2", "s2"]
    assert tables.events.to_pydict() == {
        "user_id": users,
        "item_id": ["5", "3", "7", "3", "3", "9"],
        "time": [0, 1, 2, 3, 4, 5],
        "event": ["play"] * 6,
        "session_id": users,
    }
    assert tables.given is not None
    assert tables.given.to_pydict() == {"prefix": [["5", "7", "8"], ["5", "7"]], "target": ["9", "8"]}
    assert tables.items.to_pydict() == {"item_id": ["5", "3", "7", "9"]}
    assert tables.users.to_pydict() == {"user_id": ["s0", "s1", "s2"]}
    assert [path.name for path in source.files()] == [f"train.{kind}", f"test.{kind}"]


def test_without_test_rows_there_is_nothing_given(tmp_path: Path) -> None:
    config = write(tmp_path, "jsonl")
    assert SessionsSource(SessionsConfig(config.train)).read().given is None


def test_bad_sessions_are_named(tmp_path: Path) -> None:
    path = tmp_path / "train.jsonl"
    lines = ['{"items": [1, 2]}', '{"items": []}', '{"items": [1, null]}', '{"items": "x"}', '{"items": null}', "{}"]
    path.write_text("\n".join(lines))
    tables = SessionsSource(SessionsConfig(path, max_bad=1.0)).read()
    assert tables.events["item_id"].to_pylist() == ["1", "2"]
    assert [str(bad) for bad in tables.quality["events"].examples] == [
        f"{path}: row 2: items: '[]' is an empty list",
        f"{path}: row 3: items: '[1,null]' holds an empty id",
        f"{path}: row 4: items: 'x' is no list",
        f"{path}: row 5: items: '' is missing",
        f"{path}: row 6: items: '' is missing",
    ]
    with pytest.raises(DataError, match="events: 5 of 6 rows can't be used"):
        SessionsSource(SessionsConfig(path)).read()


@pytest.mark.parametrize(
    ("name", "sessions", "tests"),
    [("diginetica", 186_670, 60_858), ("yoochoose1_64", 116_167, 55_898)],
)
def test_the_real_sets(real: Callable[[str], Path], name: str, sessions: int, tests: int) -> None:
    train, test = real(f"sessions/{name}_train_sessions.parquet"), real(f"sessions/{name}_test.parquet")
    began = time.perf_counter()
    tables = SessionsSource(SessionsConfig(train, test)).read()
    assert time.perf_counter() - began < 10
    assert (tables.users.num_rows, tables.given.num_rows) == (sessions, tests)  # type: ignore[union-attr]
    assert tables.quality["events"].bad == tables.quality["given"].bad == 0
