"""KuaiRand, as a tiny folder in both kinds of file, and the real one."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import duckdb
import pytest

from yoorec.data.sources.config import KuaiRandConfig
from yoorec.data.sources.kuairand import KuaiRandSource
from yoorec.errors import DataError

LOG = """user_id,video_id,date,time_ms,is_click,is_like,play_time_ms,tab
1,10,20220425,2000,1,1,1500,1
1,11,20220425,1000,0,0,30,1
2,10,20220425,3000,0,1,0,1
1,10,20220425,2000,1,1,1500,1
"""
VIDEOS = """video_id,author_id,video_type,upload_dt,video_duration,tag
10,7,NORMAL,2022-04-10,9000,"3,8"
11,8,AD,2022-04-11,,
"""
USERS = "user_id,user_active_degree,follow_user_num\n1,full_active,5\n2,UNKNOWN,7\n"


def folder(path: Path, kind: str) -> Path:
    path.mkdir()
    texts = {"log_standard_4_22_to_5_08_pure": LOG, "video_features_basic_pure": VIDEOS, "user_features_pure": USERS}
    for name, text in texts.items():
        (path / f"{name}.csv").write_text(text)
        if kind == "parquet":
            duckdb.sql(f"COPY (FROM '{path / name}.csv') TO '{path / name}.parquet'")
            (path / f"{name}.csv").unlink()
    return path


def test_the_history_becomes_the_untimed_past(tmp_path: Path) -> None:
    path = folder(tmp_path / "k", "parquet")
    assert KuaiRandSource(KuaiRandConfig(path)).read().past is None
    history = "(VALUES (1, [10, 12, 10], 5), (3, [11], 6)) t(user_id, watch_seq, last_time_ms)"
    duckdb.sql(f"COPY (FROM {history}) TO '{path / 'user_history_20220408_20220424.parquet'}'")
    source = KuaiRandSource(KuaiRandConfig(path))
    past = source.read().past
    assert past is not None
    assert past.to_pydict() == {"user_id": ["1", "3"], "items": [["10", "12", "10"], ["11"]]}
    assert source.files()[-1].name == "user_history_20220408_20220424.parquet"


@pytest.mark.parametrize("kind", ["csv", "parquet"])
def test_a_row_becomes_an_impression_and_what_followed(tmp_path: Path, kind: str) -> None:
    source = KuaiRandSource(KuaiRandConfig(folder(tmp_path / "k", kind)))
    tables = source.read()
    assert tables.events.to_pydict() == {
        "user_id": ["1", "1", "1", "1", "1", "2", "2"],
        "item_id": ["10", "10", "10", "10", "11", "10", "10"],
        "time": [2000, 2000, 2000, 2000, 1000, 3000, 3000],
        "event": ["impression", "click", "play", "like", "impression", "impression", "like"],
        "watch_s": [None, None, 1.5, None, None, None, None],
    }
    assert tables.items.to_pydict() == {
        "item_id": ["10", "11"],
        "author": ["7", "8"],
        "tags": [["3", "8"], None],
        "category": ["3", None],
        "duration_s": [9.0, None],
        "published_at": [1_649_520_000_000, 1_649_606_400_000],  # midnight in China
        "video_type": ["NORMAL", "AD"],
    }
    assert tables.users.to_pydict() == {
        "user_id": ["1", "2"],
        "user_active_degree": ["full_active", "UNKNOWN"],
        "follow_user_num": [5, 7],
    }
    assert tables.quality["events"].read == 4
    assert tables.quality["events"].notes == ("1 rows repeat the user, video and time of an earlier row; left out",)
    assert len(source.files()) == 3


def test_the_published_archive_keeps_its_files_one_folder_down(tmp_path: Path) -> None:
    folder(tmp_path / "data", "csv")
    assert KuaiRandSource(KuaiRandConfig(tmp_path)).read().events.num_rows == 7


def test_folders_that_can_not_be_read(tmp_path: Path) -> None:
    with pytest.raises(DataError) as caught:
        KuaiRandSource(KuaiRandConfig(tmp_path / "x")).read()
    assert str(caught.value) == f"{tmp_path / 'x'}: there is no such folder"
    (tmp_path / "users.csv").write_text("")
    with pytest.raises(DataError) as caught:
        KuaiRandSource(KuaiRandConfig(tmp_path)).files()
    assert str(caught.value) == f"{tmp_path}: no log_standard_*.csv or .parquet; there is: users.csv"
    (tmp_path / "log_standard_1.csv").write_text(LOG)
    (tmp_path / "log_standard_1.parquet").write_text("")
    with pytest.raises(DataError) as caught:
        KuaiRandSource(KuaiRandConfig(tmp_path)).files()
    assert str(caught.value) == (
        f"{tmp_path}: both log_standard_1.csv and log_standard_1.parquet are there; keep one kind of file"
    )


def test_the_real_set(real: Callable[[str], Path]) -> None:
    tables = KuaiRandSource(KuaiRandConfig(real("kuairand_pure"))).read()
    counts = {each["values"]: each["counts"] for each in tables.events["event"].value_counts().to_pylist()}
    assert tables.quality["events"].read == 228_329
    assert counts["impression"] == 228_329 - 5_885
    assert counts["click"] == counts["play"] > 95_000
    assert (tables.items.num_rows, tables.users.num_rows) == (7_583, 27_285)
    assert tables.past is not None
    assert tables.past.num_rows == 26_469
    assert tables.quality["events"].notes == ("5885 rows repeat the user, video and time of an earlier row; left out",)
