"""`data.texts` and `data.covers`: item columns joined from files beside the source."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from yoorec.config.scenario import Scenario
from yoorec.data.dataset import Dataset, read_dataset
from yoorec.data.fingerprint import items_fingerprint
from yoorec.data.sources.config import TablesConfig
from yoorec.errors import DataError


@pytest.fixture
def read(tmp_path: Path, scenario: Callable[..., Scenario]) -> Callable[..., Dataset]:
    """Read a small log of items a, b and c with the files of `texts` and `covers`."""
    (tmp_path / "events.csv").write_text("user_id,item_id,time\nu,a,1\nu,b,2\nu,c,3\n")
    (tmp_path / "items.csv").write_text("item_id,title,year\na,A,1999\nb,,2000\nd,D,\n")

    def make(**files: Any) -> Dataset:
        config = TablesConfig(events=tmp_path / "events.csv", items=tmp_path / "items.csv")
        paths = {key: (value,) if isinstance(value, Path) else value for key, value in files.items()}
        return read_dataset(scenario("tables", config, item_files=paths))

    return make


def rows(dataset: Dataset) -> dict[str, dict[str, Any]]:
    catalogue = dataset.log.catalogue
    return dict(zip(catalogue.items.ids, catalogue.item_columns.to_pylist(), strict=True))


def parquet(path: Path, **columns: Any) -> Path:
    pq.write_table(pa.table(columns), path)
    return path


def test_texts_add_columns_and_fill_gaps(read: Callable[..., Dataset], tmp_path: Path) -> None:
    texts = parquet(
        tmp_path / "texts.parquet",
        plot=["of c", "of a", "of nobody"],
        item_id=["c", "a", "x"],
        title=["C", None, "X"],
        tags=["t|s", None, None],
        year=pa.array([1, 2, 3], pa.int16()),
    )
    found = read(texts=texts)
    assert rows(found) == {
        "a": {"title": "A", "year": 2, "tags": None, "plot": "of a"},
        "b": {"title": None, "year": 2000, "tags": None, "plot": None},
        "c": {"title": "C", "year": 1, "tags": ["t", "s"], "plot": "of c"},
        "d": {"title": "D", "year": None, "tags": None, "plot": None},
    }
    assert found.quality["texts"].notes == ("1 rows are of items that neither items nor events know, such as x",)


def test_the_first_column_is_the_id_where_none_is_called_so(read: Callable[..., Dataset], tmp_path: Path) -> None:
    path = tmp_path / "texts.csv"
    path.write_text("movie,plot\nb,of b\n")
    assert rows(read(texts=path))["b"] == {"title": None, "year": 2000, "plot": "of b"}


def test_covers_as_bytes_or_paths(read: Callable[..., Dataset], tmp_path: Path) -> None:
    held = parquet(tmp_path / "held.parquet", movie=["a", "b"], width=[1, 2], jpeg=[b"image", b""])
    covers = {name: row["cover"] for name, row in rows(read(covers=held)).items()}
    assert covers == {"a": b"image", "b": None, "c": None, "d": None}
    (tmp_path / "sub").mkdir()
    named = tmp_path / "sub/covers.csv"
    named.write_text("item_id,cover\na,a.jpg\nb,../b.jpg\nc,/etc/passwd\n")
    found = read(covers=named)
    covers = {name: row["cover"] for name, row in rows(found).items()}
    assert covers == {"a": str((tmp_path / "sub/a.jpg").resolve()), "b": None, "c": None, "d": None}
    assert found.quality["covers"].notes == (
        f"2 covers can't be used: {named}: row 3: cover: '../b.jpg' leads out of the folder of its table",
    )


def test_several_files_are_one_table(read: Callable[..., Dataset], tmp_path: Path) -> None:
    one = parquet(tmp_path / "one.parquet", item_id=["a"], plot=["of a"])
    two = parquet(tmp_path / "two.parquet", item_id=["a", "b"], plot=["again", "of b"])
    with pytest.raises(DataError, match=r"two.parquet: row 1: item_id: 'a' repeats the id of an earlier row"):
        read(texts=(one, two))
    parquet(two, item_id=["b"], plot=["of b"])
    assert {name: row["plot"] for name, row in rows(read(texts=(one, two))).items()}["b"] == "of b"


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        ({"item_id": ["a"], "plot": ["p"]}, "no column 'cover' and no column of bytes; there are: item_id, plot"),
        (
            {"item_id": ["a"], "x": [b"1"], "y": [b"2"]},
            "no column 'cover' and 2 columns of bytes (x, y); there are: item_id, x, y",
        ),
    ],
)
def test_covers_that_can_not_be_told(
    read: Callable[..., Dataset], tmp_path: Path, columns: dict[str, Any], message: str
) -> None:
    path = parquet(tmp_path / "covers.parquet", **columns)
    with pytest.raises(DataError) as caught:
        read(covers=path)
    assert str(caught.value) == f"{path}: {message}"


def test_a_column_of_another_type_is_refused(read: Callable[..., Dataset], tmp_path: Path) -> None:
    path = parquet(tmp_path / "texts.parquet", item_id=["a"], year=["nineteen"])
    with pytest.raises(DataError) as caught:
        read(texts=path)
    assert str(caught.value) == "texts: year: holds string, where the source's items hold int64"


def test_fingerprints_follow_the_files(read: Callable[..., Dataset], tmp_path: Path) -> None:
    plain = read()
    texts = parquet(tmp_path / "texts.parquet", item_id=["a"], plot=["of a"])
    one = read(texts=texts)
    parquet(texts, item_id=["a"], plot=["of another"])
    two = read(texts=texts)
    assert len({plain.fingerprint, one.fingerprint, two.fingerprint}) == 3


def test_an_items_fingerprint_looks_at_what_it_is_told(read: Callable[..., Dataset], tmp_path: Path) -> None:
    texts = parquet(tmp_path / "texts.parquet", item_id=["a"], plot=["of a"])
    one = read(texts=texts).log.catalogue
    parquet(texts, item_id=["a"], plot=["of another"])
    two = read(texts=texts).log.catalogue
    assert items_fingerprint(one, ["title"]) == items_fingerprint(two, ["title"])
    assert items_fingerprint(one, ["plot"]) != items_fingerprint(two, ["plot"])
    assert items_fingerprint(one, []) != items_fingerprint(two, [])


def test_a_changed_cover_file_changes_it(read: Callable[..., Dataset], tmp_path: Path) -> None:
    (tmp_path / "covers.csv").write_text("item_id,cover\na,a.jpg\n")
    found = [items_fingerprint(read(covers=tmp_path / "covers.csv").log.catalogue, ["cover"])]
    for content in (b"one", b"another"):
        (tmp_path / "a.jpg").write_bytes(content)
        found.append(items_fingerprint(read(covers=tmp_path / "covers.csv").log.catalogue, ["cover"]))
    assert len(set(found)) == 3
