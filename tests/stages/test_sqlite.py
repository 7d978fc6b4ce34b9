"""The SQLite profile store: its contract, its bytes, its memory, and what it says of files it can't use."""

from __future__ import annotations

import sqlite3
from dataclasses import replace
from typing import ClassVar

import numpy as np
import pyarrow as pa
import pytest

from yoorec.errors import ArtifactError
from yoorec.stages.attributes import attribute_columns
from yoorec.stages.configs import SqliteConfig
from yoorec.stages.sqlite import SqliteProfiles
from yoorec.testing import worlds
from yoorec.testing.contracts import ProfileContract


class TestSqlite(ProfileContract):
    component = SqliteProfiles
    configs: ClassVar = [SqliteConfig(), SqliteConfig(cache_mb=1)]


@pytest.fixture
def store(small_log, tmp_path):
    found = SqliteProfiles(SqliteConfig(), small_log.catalogue)
    found.build(small_log, tmp_path)
    found.open(tmp_path)
    yield found
    found.close()


def test_the_same_log_gives_the_same_bytes(small_log, tmp_path):
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        SqliteProfiles(SqliteConfig(), small_log.catalogue).build(small_log, tmp_path / name)
    assert (tmp_path / "one/profiles.sqlite").read_bytes() == (tmp_path / "two/profiles.sqlite").read_bytes()
    assert [path.name for path in (tmp_path / "one").iterdir()] == ["profiles.sqlite"]


def test_the_file_holds_what_its_docstring_says(small_log, store, tmp_path):
    plays = small_log.plays()
    file = sqlite3.connect(tmp_path / "profiles.sqlite")
    assert dict(file.execute("SELECT * FROM meta")) == {"format": 1, "users": 40, "items": 60, "plays": len(plays)}
    found = list(file.execute("SELECT user, item, time, weight FROM plays"))
    file.close()
    assert [row[0] for row in found] == np.unique(plays.user).tolist()
    for user, item, time, weight in found:
        own = plays.user == user
        assert np.frombuffer(item, "<i4").tolist() == plays.item[own].tolist()
        assert np.frombuffer(time, "<i8").tolist() == plays.time[own].tolist()
        assert np.frombuffer(weight, "<f4").tolist() == plays.weight[own].tolist()


def test_of_equal_times_the_later_in_the_log_comes_first(small_log, tmp_path):
    rows = small_log.plays().before(int(small_log.time[-1]))
    three = np.flatnonzero(rows.user == rows.user[0])[:3]
    log = replace(
        rows,
        **{
            name: np.array(getattr(rows, name)[three])
            for name in ("user", "item", "event", "weight", "session", "watch_s", "position", "request")
        },
        time=np.full(3, 1000),
        propensity=rows.propensity[three],
        main_item=rows.main_item[three],
    )
    store = SqliteProfiles(SqliteConfig(), log.catalogue)
    store.build(log, tmp_path)
    store.open(tmp_path)
    user = np.full(2, log.user[0])
    view = store.read(user, np.array([1000, 1001]), 2)
    assert view.history.offsets.tolist() == [0, 0, 2]
    assert view.history.item.tolist() == log.item[::-1][:2].tolist()
    assert view.seen.item.tolist() == log.item.tolist()
    store.close()


def test_the_cache_is_bounded_and_forgets_the_least_recently_used(store, small_log):
    users = np.unique(small_log.plays().user)
    when = np.array([small_log.time[-1] + 1])
    store._room = 8000
    for user in users:
        store.read(np.array([user]), when, 5)
        store.read(users[:1], when, 5)
        assert store._held == sum(sum(part.nbytes for part in one) + 512 for one in store._cached.values())
        assert store._held <= 8000
    assert list(store._cached)[-2:] == [users[-1], users[0]]
    assert 2 < len(store._cached) < len(users)


def test_a_user_larger_than_the_cache_is_read_all_the_same(store, small_log):
    store._room = 1
    user, when = small_log.plays().user[:2], np.full(2, small_log.time[-1] + 1)
    assert store.read(user, when, 100).seen.offsets[-1] > 0
    assert len(store._cached) == 1


def test_a_closed_store_says_so(store, small_log):
    store.close()
    with pytest.raises(RuntimeError, match=r"^the profile store is not open$"):
        store.read(small_log.user[:1], small_log.time[:1], 5)


def test_a_missing_file_is_refused_by_name(small_log, tmp_path):
    with pytest.raises(ArtifactError) as caught:
        SqliteProfiles(SqliteConfig(), small_log.catalogue).open(tmp_path / "gone")
    assert str(caught.value) == f"{tmp_path}/gone/profiles.sqlite: can't be opened: unable to open database file"


def test_a_file_of_another_kind_is_refused_by_name(small_log, tmp_path):
    (tmp_path / "profiles.sqlite").write_bytes(b"not a database" * 100)
    with pytest.raises(ArtifactError) as caught:
        SqliteProfiles(SqliteConfig(), small_log.catalogue).open(tmp_path)
    assert str(caught.value) == f"{tmp_path}/profiles.sqlite: is no profile store: file is not a database"


@pytest.mark.parametrize(("users", "items"), [(39, 60), (41, 59)])
def test_a_store_of_a_larger_vocabulary_is_refused(store, tmp_path, users, items):
    other = SqliteProfiles(SqliteConfig(), worlds.small_catalogue(users, items))
    with pytest.raises(ArtifactError) as caught:
        other.open(tmp_path)
    assert str(caught.value) == (
        f"{tmp_path}/profiles.sqlite: was built for format 1, users 40, items 60, "
        f"expected format 1, at most users {users}, items {items}"
    )


def test_a_store_of_another_format_is_refused(small_log, tmp_path):
    store = SqliteProfiles(SqliteConfig(), small_log.catalogue)
    store.build(small_log, tmp_path)
    file = sqlite3.connect(tmp_path / "profiles.sqlite")
    file.execute("UPDATE meta SET value = 2 WHERE key = 'format'")
    file.commit()
    file.close()
    with pytest.raises(ArtifactError, match="was built for format 2, users 40, items 60, expected format 1, at most"):
        store.open(tmp_path)


def test_a_damaged_row_is_refused_by_name(small_log, tmp_path):
    store = SqliteProfiles(SqliteConfig(), small_log.catalogue)
    store.build(small_log, tmp_path)
    user = int(small_log.plays().user[0])
    file = sqlite3.connect(tmp_path / "profiles.sqlite")
    file.execute("UPDATE plays SET time = x'0000000000000000' WHERE user = ?", (user,))
    file.commit()
    file.close()
    store.open(tmp_path)
    with pytest.raises(ArtifactError) as caught:
        store.read(np.array([user], np.int32), small_log.time[:1], 5)
    count = int((small_log.plays().user == user).sum())
    assert str(caught.value) == (
        f"{tmp_path}/profiles.sqlite: user {user} can't be read: {count} items, 1 times and {count} weights"
    )
    store.close()


def test_attributes_keep_their_python_values():
    table = pa.table({"age": pa.array([31, None], pa.int64()), "likes": pa.array([["a", "b"], None])})
    columns = attribute_columns(table)
    assert {name: column.tolist() for name, column in columns.items()} == {
        "age": [31, None, None],
        "likes": [["a", "b"], None, None],
    }
    assert columns["likes"][np.array([-1, 0])].tolist() == [None, ["a", "b"]]
