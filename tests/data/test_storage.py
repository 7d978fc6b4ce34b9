"""Catalogues: round trips, what serving imports, and files that are damaged."""

from __future__ import annotations

import hashlib
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from yoorec.data.catalogue import Catalogue
from yoorec.data.storage import load_catalogue, save_catalogue
from yoorec.data.vocabulary import Vocabulary
from yoorec.errors import ArtifactError
from yoorec.testing.worlds import small_log


def same(one: Catalogue, two: Catalogue) -> bool:
    return (
        one.items.ids == two.items.ids
        and one.users.ids == two.users.ids
        and one.item_columns.equals(two.item_columns)
        and one.user_columns.equals(two.user_columns)
        and np.array_equal(one.published_at, two.published_at)
    )


def test_a_catalogue_comes_back(tmp_path: Path) -> None:
    catalogue = small_log().catalogue
    save_catalogue(tmp_path, catalogue)
    found = load_catalogue(tmp_path)
    assert same(found, catalogue)
    assert found.published_at.flags.writeable


def test_columns_of_any_name_and_none_at_all_come_back(tmp_path: Path) -> None:
    lists = pa.table({"id": [1, None], "published_at": ["x", None], "tags": [["a"], None], "nul\x00": [b"\xff", None]})
    catalogue = Catalogue(Vocabulary(["é", "b"]), Vocabulary([]), lists, pa.table({}), np.array([1, -5], np.int64))
    save_catalogue(tmp_path, catalogue)
    sums = pa.array([hashlib.sha256(b"\xff").digest(), None], pa.binary())
    digested = replace(catalogue, item_columns=lists.set_column(3, "nul\x00", sums))
    assert same(load_catalogue(tmp_path), digested), "bytes are for fitting; their checksums stand in their place"


def test_a_catalogue_that_grew_keeps_its_order(tmp_path: Path) -> None:
    columns = pa.table({"title": ["B", "M"]})
    catalogue = Catalogue(Vocabulary(["b", "m"]), Vocabulary(["u"]), columns, pa.table({}), np.array([5, 6], np.int64))
    newer = Catalogue(
        Vocabulary(["a", "m", "z"]),
        Vocabulary(["other"]),
        pa.table({"title": ["new a", "new m", None], "cover": pa.array([b"1", None, b"2"], pa.binary())}),
        pa.table({}),
        np.array([7, 8, 9], np.int64),
    )
    grown = catalogue.grown(newer)
    assert grown.items.ids == ("b", "m", "a", "z")
    assert [grown.items.index(name) for name in ("b", "m", "a", "z", "?")] == [0, 1, 2, 3, -1]
    assert grown.item_columns.to_pydict() == {
        "title": ["B", "new m", "new a", None],
        "cover": [None, None, b"1", b"2"],
    }
    assert grown.published_at.tolist() == [5, 8, 7, 9]
    assert grown.users is catalogue.users
    save_catalogue(tmp_path, grown)
    assert load_catalogue(tmp_path).items.ids == grown.items.ids


def test_loading_imports_no_database(tmp_path: Path) -> None:
    save_catalogue(tmp_path, small_log().catalogue)
    code = (
        "import sys; from pathlib import Path; from yoorec.data.storage import load_catalogue; "
        f"load_catalogue(Path({str(tmp_path)!r})); print([m for m in ('duckdb', 'numba', 'PIL') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


@pytest.mark.parametrize("name", ["items.arrow", "item_columns.arrow", "users.arrow", "user_columns.arrow"])
def test_a_damaged_catalogue_names_its_file(tmp_path: Path, name: str) -> None:
    save_catalogue(tmp_path, small_log().catalogue)
    (tmp_path / name).write_bytes((tmp_path / name).read_bytes()[:40])
    with pytest.raises(ArtifactError, match=f"^{tmp_path / name}: can't be read as an Arrow file: "):
        load_catalogue(tmp_path)
    (tmp_path / name).unlink()
    with pytest.raises(ArtifactError, match=f"^{tmp_path / name}: can't be read as an Arrow file: "):
        load_catalogue(tmp_path)


def test_another_table_is_no_catalogue(tmp_path: Path) -> None:
    save_catalogue(tmp_path, small_log().catalogue)
    (tmp_path / "item_columns.arrow").replace(tmp_path / "items.arrow")
    with pytest.raises(ArtifactError, match=r"items\.arrow: has no column 'id'; there are: title, author"):
        load_catalogue(tmp_path)
