"""Reading under attack: garbage is refused by name, and nothing disappears without being counted."""

from __future__ import annotations

import gzip
import random
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from yoorec.data.columns import Column
from yoorec.data.reading import connect, read_table
from yoorec.errors import DataError

COLUMNS = [Column("id", "id", "id", required=True), Column("n", "n", "amount")]


def write(path: Path, content: bytes) -> Path:
    path.write_bytes(content)
    return path


@pytest.mark.parametrize("name", ["g.csv", "g.jsonl", "g.parquet", "g.csv.gz", "g.tsv"])
@pytest.mark.parametrize("seed", range(4))
def test_binary_garbage_is_refused(tmp_path: Path, name: str, seed: int) -> None:
    path = write(tmp_path / name, random.Random(seed).randbytes(20_000))
    with pytest.raises(DataError, match=r"g\.(csv|jsonl|parquet|tsv)"):
        read_table("t", [path], COLUMNS)


def test_garbage_below_a_good_header_is_refused(tmp_path: Path) -> None:
    path = write(tmp_path / "g.csv", b"id,n\n" + random.Random(1).randbytes(20_000))
    with pytest.raises(DataError, match=r"g\.csv"):
        read_table("t", [path], COLUMNS)


def test_a_truncated_gzip_is_refused(tmp_path: Path) -> None:
    for name in ("a.csv.gz", "a.jsonl.gz"):
        body = b"id,n\n" if "csv" in name else b""
        lines = b"".join(b'{"id": "%d"}\n' % i if "json" in name else b"%d,1\n" % i for i in range(50_000))
        path = write(tmp_path / name, gzip.compress(body + lines)[:-2000])
        with pytest.raises(DataError, match=name):
            read_table("t", [path], COLUMNS)


def test_a_ten_megabyte_field(tmp_path: Path) -> None:
    huge = b"x" * 10_000_000
    path = write(tmp_path / "h.csv", b'id,n\na,1\n"' + huge + b'",2\nb,3\n')
    table, quality = read_table("t", [path], COLUMNS, max_bad=0.5)
    assert table["id"].to_pylist() == ["a", "b"]
    assert (quality.read, quality.bad) == (3, 1)
    assert str(quality.examples[0]) == (f"{path}: row 3: line: '\"{'x' * 59}...' is longer than 2000000 bytes")
    path = write(tmp_path / "h.jsonl", b'{"id": "a"}\n{"id": "' + huge + b'"}\n')
    assert [len(name) for name in read_table("t", [path], COLUMNS)[0]["id"].to_pylist()] == [1, 10_000_000]


def test_a_nul_in_an_id_is_a_bad_row(tmp_path: Path) -> None:
    path = write(tmp_path / "n.csv", b"id,n\na\x00b,1\nc,2\n")
    table, quality = read_table("t", [path], COLUMNS, max_bad=0.5)
    assert table["id"].to_pylist() == ["c"]
    assert str(quality.examples[0]) == f"{path}: row 2: id: 'a\\x00b' holds a NUL character"


def test_an_unclosed_quote_counts_every_line_it_swallows(tmp_path: Path) -> None:
    path = write(tmp_path / "q.csv", b'id,n\na,1\n"b,2\nc,3\nd,4\n')
    table, quality = read_table("t", [path], COLUMNS, max_bad=1.0)
    assert table["id"].to_pylist() == ["a"]
    assert (quality.read, quality.bad) == (4, 3)
    assert str(quality.examples[0]) == f"{path}: row 3: line: '\"b,2\\nc,3\\nd,4' has a quote that is not closed"


def test_text_that_is_not_utf8_is_a_bad_row(tmp_path: Path) -> None:
    path = write(tmp_path / "u.csv", b"id,n\n\xff\xfe,1\nc,2\n")
    table, quality = read_table("t", [path], COLUMNS, max_bad=0.5)
    assert table["id"].to_pylist() == ["c"]
    assert [(bad.row, bad.column, bad.reason) for bad in quality.examples] == [(2, "id", "is not utf-8 text")]


def test_headers_that_can_not_be(tmp_path: Path) -> None:
    path = write(tmp_path / "h.csv", b"id,n,id\n1,2,3\n")
    with pytest.raises(DataError) as caught:
        read_table("t", [path], COLUMNS)
    assert str(caught.value) == f"{path}: row 1: the column 'id' is there twice"
    # SQL takes these for one name; a file does not.
    path = write(tmp_path / "h.csv", b'id,ID,"a ""b"""\n1,2,3\n')
    table, _ = read_table("t", [path], COLUMNS, keep_rest=True)
    assert table.to_pydict() == {"id": ["1"], "ID": [2], 'a "b"': [3]}


def test_file_names_are_no_sql_and_no_pattern(tmp_path: Path) -> None:
    for name in ("it's.csv", "a*b[1]?.csv", "x; DROP TABLE y.csv"):
        assert read_table("t", [write(tmp_path / name, b"id\n1\n")], COLUMNS)[0].num_rows == 1


def test_the_database_stays_bounded_and_offline() -> None:
    with connect("200MB") as connection:
        names = ("memory_limit", "temp_directory", "autoinstall_known_extensions", "TimeZone")
        found = [connection.execute(f"SELECT current_setting('{name}')").fetchone() for name in names]
        spill = Path(found[1][0])  # type: ignore[index]
        assert found[0] == ("190.7 MiB",)
        assert spill.is_dir()
        assert found[2:] == [(False,), ("UTC",)]
    assert not spill.exists()


def test_order_holds_over_many_rows_and_late_bad_ones(tmp_path: Path) -> None:
    size = 300_000
    rows = [f"{number},{number % 7}" for number in range(size)]
    rows[250_000], rows[299_998] = "250000,x", "299998"
    path = write(tmp_path / "m.csv", ("id,n\n" + "\n".join(rows) + "\n").encode())
    table, quality = read_table("t", [path], COLUMNS)
    expected = np.delete(np.arange(size), [250_000, 299_998])
    assert np.array_equal(table["id"].to_numpy().astype(np.int64), expected)
    assert [(bad.row, bad.column) for bad in quality.examples] == [(250_002, "n"), (300_000, "line")]
    assert (quality.read, quality.bad) == (size, 2)


@settings(max_examples=60, deadline=None)
@given(
    st.lists(
        st.tuples(
            st.text(st.characters(codec="utf-8", exclude_characters="\x00"), max_size=8),
            st.one_of(st.just(""), st.floats(allow_nan=False).map(repr), st.sampled_from(["nan", "1e999", "x"])),
        ),
        max_size=12,
    )
)
def test_every_written_row_is_read_or_counted(rows: list[tuple[str, str]]) -> None:
    import csv
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "r.csv"
        with path.open("w", newline="", encoding="utf-8") as out:
            writer = csv.writer(out, quoting=csv.QUOTE_ALL)
            writer.writerow(("id", "n"))
            writer.writerows(rows)
        table, quality = read_table("t", [path], COLUMNS, max_bad=1.0)

    def good(name: str, number: str) -> bool:
        if not name:
            return False
        if not number:
            return True
        try:
            return 0 <= float(number) < float("inf")
        except ValueError:
            return False

    assert table["id"].to_pylist() == [name for name, number in rows if good(name, number)]
    assert quality.read == len(rows)
    assert quality.bad == sum(not good(name, number) for name, number in rows)
