"""Reading a table's files through DuckDB: text first, then typed, with every unusable row counted and named."""

from __future__ import annotations

import itertools
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import duckdb
import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from yoorec.data.columns import Check, Column, convert, identifier
from yoorec.data.covers import place_covers
from yoorec.data.files import format_of
from yoorec.data.formats import CsvFile, CsvFormat, JsonFile, ParquetFile, TableFile, value_of
from yoorec.data.tables import BadRow, Quality
from yoorec.errors import DataError, nearest

__all__ = ["EXAMPLES", "connect", "judge", "kinds_of", "read_table"]

EXAMPLES = 5
"""Unusable rows kept as examples, per table."""
_ROW = "yoorec row"
_BAD = "yoorec bad"


@contextmanager
def connect(memory: str = "1GB") -> Iterator[duckdb.DuckDBPyConnection]:
    """A DuckDB that stays in `memory`, spills to a folder of its own, keeps row order and fetches nothing."""
    with tempfile.TemporaryDirectory(prefix="yoorec-") as spill:
        connection = duckdb.connect(
            ":memory:",
            config={
                "memory_limit": memory,
                "temp_directory": spill,
                "preserve_insertion_order": True,
                "autoinstall_known_extensions": False,
                "autoload_known_extensions": False,
            },
        )
        try:
            connection.execute("SET TimeZone = 'UTC'")
            yield connection
        finally:
            connection.close()


def judge(table: str, quality: Quality, max_bad: float) -> None:
    """Raise DataError with the first examples where the share of unusable rows is above `max_bad`."""
    if quality.bad and quality.bad > max_bad * quality.read:
        lines = [f"  {example}" for example in quality.examples]
        if quality.bad > len(lines):
            lines.append(f"  and {quality.bad - len(lines)} more")
        raise DataError(
            f"{table}: {quality.bad} of {quality.read} rows can't be used, "
            f"{quality.bad / quality.read:.2%}; max_bad allows {max_bad:.2%}\n" + "\n".join(lines)
        )


def kinds_of(path: Path) -> dict[str, str]:
    """A file's column names to their DuckDB types, in its order; those of text formats are VARCHAR."""
    with connect() as connection:
        return dict(_open(connection, path, None).kinds)


def read_table(
    table: str,
    files: Sequence[Path],
    columns: Sequence[Column],
    *,
    csv: CsvFormat | None = None,
    max_bad: float = 0.01,
    keep_rest: bool = False,
    unique: str | None = None,
) -> tuple[pa.Table, Quality]:
    """Files of one table, in the order given, under our column names and types.

    columns:   ours that a file may have; an optional one that no file has is left out, else nulls fill the gaps.
    csv:       how delimited text is written; by default a header line and commas (tabs in .tsv).
    keep_rest: keep the files' other columns under their own names, numbers recognised in text.
    unique:    an id column; a row that repeats an id is unusable, the first one is kept.
    Raises DataError for a file that can't be read, a required column that is missing, or a share of unusable rows
    above `max_bad`. Unusable rows below it are left out and counted in the Quality.
    """
    parts: list[pa.Table] = []
    read, bad, examples, notes = 0, 0, list[BadRow](), list[str]()
    seen: set[str] = set()
    for path in files:
        with connect() as connection:
            file = _open(connection, path, csv)
            part, quality, locate = _read_file(connection, file, columns, keep_rest)
            if unique is not None:
                part, repeated = _first_of_each(part, unique, seen, file, columns, locate)
                quality = replace(
                    quality,
                    bad=quality.bad + len(repeated),
                    examples=tuple(sorted((*quality.examples, *repeated[:EXAMPLES]), key=lambda example: example.row)),
                )
            part, refused = _placed(part, columns, path, locate)
        parts.append(part.drop_columns([_ROW]))
        read, bad = read + quality.read, bad + quality.bad
        examples.extend(quality.examples)
        notes.extend(refused)
    quality = Quality(read, bad, tuple(examples[:EXAMPLES]), tuple(notes))
    judge(table, quality, max_bad)
    return _united(parts, columns, keep_rest), quality


def _open(connection: duckdb.DuckDBPyConnection, path: Path, csv: CsvFormat | None) -> TableFile:
    if csv is not None:
        return CsvFile(connection, path, csv)
    kind = format_of(path)
    if kind == "csv":
        tabs = ".tsv" in (suffix.lower() for suffix in path.suffixes)
        return CsvFile(connection, path, CsvFormat(delimiter="\t" if tabs else ","))
    return JsonFile(connection, path) if kind == "jsonl" else ParquetFile(connection, path)


def _read_file(
    connection: duckdb.DuckDBPyConnection, file: TableFile, columns: Sequence[Column], keep_rest: bool
) -> tuple[pa.Table, Quality, Mapping[int, int]]:
    present = _present(file, columns)
    checks: list[Check] = list(file.checks())
    selected: list[str] = []
    for column in present:
        value, more = convert(column, file.raw(column.source), file.kinds[column.source], file.json)
        selected.append(f"{value} AS {identifier(column.name)}")
        checks.extend(more)
    if keep_rest:
        used = {column.source for column in present} | {column.name for column in present}
        rest = [name for name in file.kinds if name not in used]
        selected.extend(f"{file.raw(name)} AS {identifier(name)}" for name in rest)
    cases = " ".join(f"WHEN {check.condition} THEN {code}" for code, check in enumerate(checks, 1))
    verdict = f"CASE {cases} ELSE 0 END" if checks else "0"
    found = file.query(
        f"{', '.join((*selected, f'{verdict} AS {identifier(_BAD)}'))}, {file.row} AS {identifier(_ROW)}"
    )
    verdicts = np.asarray(found[_BAD], np.int16)
    rows = np.asarray(found[_ROW], np.int64) if file.numbered else np.arange(len(verdicts), dtype=np.int64)
    found = found.drop_columns([_BAD, _ROW]).append_column(_ROW, pa.array(rows))
    wrong = np.flatnonzero(verdicts)
    rejected = file.rejected()
    examples: list[BadRow] = []
    if len(wrong):
        raws = " ".join(f"WHEN {code} THEN {check.raw}" for code, check in enumerate(checks, 1))
        first = file.query(f"{verdict} AS bad, CASE {verdict} {raws} END AS raw", f"{verdict} > 0 LIMIT {EXAMPLES}")
        lines = file.lines(rows[wrong[:EXAMPLES]])
        shown = zip(rows[wrong].tolist(), first["bad"].to_pylist(), first["raw"].to_pylist(), strict=False)
        for row, code, raw in itertools.islice(shown, EXAMPLES):
            check = checks[code - 1]
            examples.append(BadRow(str(file.path), lines[row], check.column, value_of(raw), check.reason))
    examples = sorted((*examples, *rejected.examples), key=lambda example: example.row)[:EXAMPLES]
    quality = Quality(len(verdicts) + rejected.bad, len(wrong) + rejected.bad, tuple(examples))
    good = found if not len(wrong) else found.filter(pa.array(verdicts == 0))
    return good, quality, _Lines(file)


class _Lines(dict[int, int]):
    """Line numbers of a file's rows, looked up when asked for."""

    def __init__(self, file: TableFile) -> None:
        super().__init__()
        self._file = file

    def __missing__(self, row: int) -> int:
        self.update(self._file.lines(np.array([row])))
        return self[row]


def _present(file: TableFile, columns: Sequence[Column]) -> list[Column]:
    present = [column for column in columns if column.source in file.kinds]
    for column in columns:
        if column in present or not column.required:
            continue
        if file.json and not file.kinds:
            continue  # a file without a line says nothing about its columns
        close = nearest(column.source, file.kinds)
        ours = "" if column.source == column.name else f" (for {column.name})"
        raise DataError(
            f"{file.path}: no column '{column.source}'{ours}"
            + (f"; nearest: {close}" if close else "")
            + f"; there are: {', '.join(file.kinds) or 'none'}"
        )
    return present


def _first_of_each(
    part: pa.Table,
    unique: str,
    seen: set[str],
    file: TableFile,
    columns: Sequence[Column],
    locate: Mapping[int, int],
) -> tuple[pa.Table, list[BadRow]]:
    if unique not in part.column_names:
        return part, []
    ids: list[str] = part[unique].to_pylist()
    rows: npt.NDArray[np.int64] = np.asarray(part[_ROW], np.int64)
    source = next(column.source for column in columns if column.name == unique)
    kept = np.ones(len(ids), np.bool_)
    repeated: list[BadRow] = []
    for place, name in enumerate(ids):
        if name in seen:
            kept[place] = False
            # Only the first few are shown, and finding a line may mean reading the file again.
            line = locate[int(rows[place])] if len(repeated) < EXAMPLES else 0
            repeated.append(BadRow(str(file.path), line, source, name, "repeats the id of an earlier row"))
        seen.add(name)
    return (part if kept.all() else part.filter(pa.array(kept))), repeated


def _placed(
    part: pa.Table, columns: Sequence[Column], path: Path, locate: Mapping[int, int]
) -> tuple[pa.Table, list[str]]:
    """Paths of covers made absolute; one that leaves the file's folder becomes null, and a note names it."""
    notes: list[str] = []
    for column in columns:
        if column.kind != "cover" or column.name not in part.column_names:
            continue
        values = part[column.name]
        if pa.types.is_binary(values.type):
            continue
        placed, outside = place_covers(values.to_pylist(), path.parent)
        part = part.set_column(part.column_names.index(column.name), column.name, pa.array(placed, pa.string()))
        if outside:
            row, text = locate[int(part[_ROW][outside[0]].as_py())], values[outside[0]].as_py()
            example = BadRow(str(path), row, column.source, value_of(text), "leads out of the folder of its table")
            notes.append(f"{len(outside)} covers can't be used: {example}")
    return part, notes


def _united(parts: list[pa.Table], columns: Iterable[Column], keep_rest: bool) -> pa.Table:
    united = pa.concat_tables(parts, promote_options="permissive") if parts else pa.table({})
    for column in columns:
        if column.required and column.name not in united.column_names:
            kind = pa.int64() if column.kind == "time" else pa.string()
            kind = pa.list_(pa.string()) if column.kind == "items" else kind
            united = united.append_column(column.name, pa.array([], kind))
    if keep_rest:
        ours = {column.name for column in columns}
        for place, name in enumerate(united.column_names):
            if name not in ours and pa.types.is_string(united[name].type):
                united = united.set_column(place, name, _recognised(united[name]))
    return united


def _recognised(text: pa.ChunkedArray) -> pa.ChunkedArray:
    """Text as whole numbers or numbers where every value is one, written as numbers are (so ``02460`` stays text)."""
    text = pc.if_else(pc.equal(text, ""), None, text)
    if text.null_count == len(text):
        return text
    try:
        whole = pc.cast(text, pa.int64())
        if pc.all(pc.equal(pc.cast(whole, pa.string()), text)).as_py():
            return whole
        return text
    except pa.ArrowInvalid:
        pass
    if not pc.all(pc.match_substring_regex(text, r"^-?(0|[1-9]\d*)\.\d+$|^-?(0|[1-9]\d*)$")).as_py():
        return text
    return pc.cast(text, pa.float64())
