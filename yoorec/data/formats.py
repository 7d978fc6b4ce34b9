"""The three kinds of table file, each as a thing to query: its columns, raw values, rows and rejected rows."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from dataclasses import dataclass, field
from io import TextIOWrapper
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from yoorec.data.columns import Check, identifier, literal
from yoorec.data.files import open_bytes
from yoorec.data.tables import BadRow
from yoorec.errors import DataError

__all__ = ["CsvFile", "CsvFormat", "JsonFile", "ParquetFile", "Rejected", "TableFile", "value_of"]

_SHOWN = 60
_CHUNK = 32 << 20
_LONGEST_LINE = 64 << 20
_HEADER = 1 << 20


def value_of(raw: str | None) -> str:
    """A raw value as an error shows it: at most 60 characters."""
    text = "" if raw is None else raw
    return text if len(text) <= _SHOWN else text[:_SHOWN] + "..."


def _escaped(path: Path) -> str:
    """A path in which DuckDB sees no pattern."""
    return "".join(f"[{letter}]" if letter in "*?[" else letter for letter in str(path))


def _first_line(error: Exception) -> str:
    return str(error).strip().partition("\n")[0]


@dataclass(frozen=True, slots=True)
class CsvFormat:
    """How delimited text is written.

    names: the columns where the file has no header line. quote: empty where nothing is quoted.
    """

    delimiter: str = ","
    quote: str = '"'
    encoding: str = "utf-8"
    names: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Rejected:
    """Rows that could not even be split into columns."""

    bad: int = 0
    examples: tuple[BadRow, ...] = ()


@dataclass
class TableFile:
    """A file opened for queries.

    kinds: its column names to DuckDB types. json: values may be lists written as JSON.
    row: SQL of a row's place. numbered: that place is to be used; else rows count from 0 as they come.
    """

    connection: duckdb.DuckDBPyConnection
    path: Path
    kinds: dict[str, str] = field(default_factory=dict)
    json: bool = False
    row: str = "0"
    numbered: bool = False
    kind = "a table"

    def raw(self, name: str) -> str:
        """SQL of the value of one of the file's columns."""
        return identifier(name)

    def checks(self) -> list[Check]:
        """Checks of a whole row, before those of its columns."""
        return []

    def query(self, selected: str, where: str = "true") -> pa.Table:
        """Select from the file, rows in its order."""
        try:
            return self._select(selected, where)
        except duckdb.Error as error:
            raise self.unreadable(error) from error

    def _select(self, selected: str, where: str) -> pa.Table:
        raise NotImplementedError

    def rejected(self) -> Rejected:
        """Rows the last query could not split into columns."""
        return Rejected()

    def lines(self, rows: npt.NDArray[np.int64]) -> dict[int, int]:
        """Where rows stand, counted from 1: the line in text, the row in Parquet."""
        return {int(row): int(row) + 1 for row in rows}

    def unreadable(self, error: Exception) -> DataError:
        """What to raise where the whole file is beyond reading."""
        return DataError(f"{self.path}: can't be read as {self.kind}: {_first_line(error)}")


class ParquetFile(TableFile):
    """A Parquet file; types are its own."""

    kind = "Parquet"

    def __init__(self, connection: duckdb.DuckDBPyConnection, path: Path) -> None:
        super().__init__(connection, path)
        self._from = f"read_parquet({literal(_escaped(path))})"
        try:
            described = connection.execute(f"DESCRIBE SELECT * FROM {self._from}").fetchall()
        except duckdb.Error as error:
            raise self.unreadable(error) from error
        self.kinds = {name: str(kind) for name, kind, *_ in described}

    def _select(self, selected: str, where: str) -> pa.Table:
        return self.connection.sql(f"SELECT {selected} FROM {self._from} WHERE {where}").to_arrow_table()


class CsvFile(TableFile):
    """Delimited text, every column read as text; empty is NULL."""

    kind = "CSV"

    def __init__(self, connection: duckdb.DuckDBPyConnection, path: Path, layout: CsvFormat) -> None:
        super().__init__(connection, path)
        self._layout = layout
        names = layout.names or self._header()
        self.kinds = dict.fromkeys(names, "VARCHAR")
        self._places = {name: place for place, name in enumerate(names)}
        # Columns go by number, since a header may hold names that SQL takes for one another.
        columns = ", ".join(f"'c{place}': 'VARCHAR'" for place in range(len(names)))
        self._options = (
            f"auto_detect=false, header={'false' if layout.names else 'true'}, delim={literal(layout.delimiter)}, "
            f"quote={literal(layout.quote)}, escape={literal(layout.quote)}, nullstr='', "
            f"encoding={literal(layout.encoding)}, columns={{{columns}}}"
        )
        self._rejects: list[tuple[int, str, str, str]] | None = None

    def raw(self, name: str) -> str:
        return f"c{self._places[name]}"

    def _header(self) -> list[str]:
        with open_bytes(self.path) as opened:
            start = opened.read(_HEADER)
        if not start.removeprefix(b"\xef\xbb\xbf").strip():
            raise DataError(f"{self.path}: is empty; its first line must name the columns")
        try:
            # The block may end inside a character; a header never reaches that far.
            text = start.decode(self._layout.encoding, "strict" if len(start) < _HEADER else "ignore")
        except UnicodeDecodeError:
            first = start.splitlines()[0]
            try:
                text = first.decode(self._layout.encoding)
            except UnicodeDecodeError as error:
                raise DataError(f"{self.path}: row 1: the column names are not {self._layout.encoding} text") from error
        text = text.removeprefix("\ufeff")
        try:
            names = next(csv.reader(text.splitlines(keepends=True), delimiter=self._layout.delimiter))
        except (csv.Error, StopIteration) as error:
            raise DataError(f"{self.path}: row 1: the column names can't be read: {error}") from error
        names = [name.strip() for name in names]
        for name in names:
            if names.count(name) > 1:
                raise DataError(f"{self.path}: row 1: the column '{name}' is there twice")
        return names

    def _select(self, selected: str, where: str) -> pa.Table:
        for table in ("reject_errors", "reject_scans"):
            self.connection.execute(f"DROP TABLE IF EXISTS {table}")
        source = f"read_csv({literal(_escaped(self.path))}, {self._options}, store_rejects=true, rejects_limit=0)"
        found = self.connection.sql(f"SELECT {selected} FROM {source} WHERE {where}").to_arrow_table()
        if self._rejects is None:
            self._rejects = self.connection.execute(
                "SELECT line, first(error_type ORDER BY column_idx), "
                "first(coalesce(csv_line, '') ORDER BY column_idx), "
                "first(coalesce(column_name, '') ORDER BY column_idx) FROM reject_errors GROUP BY line ORDER BY line"
            ).fetchall()
        return found

    def rejected(self) -> Rejected:
        rejects = self._rejects or []
        if not rejects:
            return Rejected()
        lines = self._lines_of({number for number, *_ in rejects[:8]}, by_number=True)
        examples = []
        bad = 0
        names = list(self.kinds)
        for number, kind, text, column in rejects:
            swallowed = text.strip("\r\n").count("\n") if kind in ("UNQUOTED VALUE", "LINE SIZE OVER MAXIMUM") else 0
            bad += 1 + swallowed
            if number in lines:
                place = column.removeprefix("c")
                named = names[int(place)] if kind == "INVALID ENCODING" and place.isdigit() else "line"
                reason = self._reason(kind)
                examples.append(BadRow(str(self.path), lines[number], named, value_of(text.strip("\r\n")), reason))
        return Rejected(bad, tuple(examples))

    def _reason(self, kind: str) -> str:
        reasons = {
            "MISSING COLUMNS": f"has fewer than {len(self.kinds)} columns",
            "TOO MANY COLUMNS": f"has more than {len(self.kinds)} columns",
            "UNQUOTED VALUE": "has a quote that is not closed",
            "LINE SIZE OVER MAXIMUM": "is longer than 2000000 bytes",
            "INVALID ENCODING": f"is not {self._layout.encoding} text",
        }
        return reasons.get(kind, kind.lower())

    def lines(self, rows: npt.NDArray[np.int64]) -> dict[int, int]:
        return self._lines_of({int(row) for row in rows}, by_number=False)

    def _lines_of(self, wanted: set[int], by_number: bool) -> dict[int, int]:
        """Lines of records, by DuckDB's record number or by their place among the records it accepted."""
        rejects = {number for number, *_ in self._rejects or []}
        found: dict[int, int] = {}
        accepted = -1 if self._layout.names else -2  # the header is no row
        for number, (line, blank) in enumerate(self._records(), 1):
            if number not in rejects and not (blank and len(self.kinds) > 1):
                accepted += 1
            elif not by_number:
                continue
            key = number if by_number else accepted
            if key in wanted:
                found.setdefault(key, line)
                if len(found) == len(wanted):
                    break
        return {key: found.get(key, key if by_number else key + 1) for key in wanted}

    def _records(self) -> Iterator[tuple[int, bool]]:
        limit = csv.field_size_limit(1 << 30)
        try:
            with open_bytes(self.path) as opened:
                text = TextIOWrapper(opened, self._layout.encoding, "replace", newline="")
                if len(self._layout.delimiter) > 1 or not self._layout.quote:
                    for number, line in enumerate(text, 1):
                        yield number, not line.strip("\r\n")
                    return
                reader = csv.reader(text, delimiter=self._layout.delimiter)
                before = 0
                for record in reader:
                    yield before + 1, not record
                    before = reader.line_num
        except csv.Error:
            return
        finally:
            csv.field_size_limit(limit)


class JsonFile(TableFile):
    """JSON lines: one object a line, blank lines passed over."""

    kind = "JSON lines"

    def __init__(self, connection: duckdb.DuckDBPyConnection, path: Path) -> None:
        super().__init__(connection, path, json=True, row="row", numbered=True)
        keys: dict[str, None] = {}
        for _ in self._chunks():
            found = connection.execute(
                "SELECT key FROM (SELECT unnest(json_keys(line)) AS key, row FROM chunk "
                "WHERE json_valid(line) AND json_type(line) = 'OBJECT') GROUP BY key ORDER BY min(row), key"
            ).fetchall()
            keys.update(dict.fromkeys(name for (name,) in found))
        self.kinds = dict.fromkeys(keys, "VARCHAR")
        self._places = {name: place for place, name in enumerate(self.kinds, 1)}

    def raw(self, name: str) -> str:
        return f"nullif(fields[{self._places[name]}], '')"

    def checks(self) -> list[Check]:
        return [Check("NOT is_object", "line", "line", "is no JSON object")]

    def _select(self, selected: str, where: str) -> pa.Table:
        paths = ", ".join(literal("/" + name.replace("~", "~0").replace("/", "~1")) for name in self.kinds)
        extracted = f"json_extract_string(line, [{paths}])" if self.kinds else "CAST([] AS VARCHAR[])"
        source = (
            f"(SELECT row, line, is_object, CASE WHEN is_object THEN {extracted} END AS fields FROM "
            "(SELECT *, coalesce(CASE WHEN json_valid(line) THEN json_type(line) = 'OBJECT' END, false) AS is_object "
            "FROM chunk))"
        )
        parts = [
            self.connection.sql(f"SELECT {selected} FROM {source} WHERE {where}").to_arrow_table()
            for _ in self._chunks()
        ]
        return pa.concat_tables(parts)

    def lines(self, rows: npt.NDArray[np.int64]) -> dict[int, int]:
        return {int(row): int(row) for row in rows}

    def _chunks(self) -> Iterator[None]:
        """Register the file piece by piece as table `chunk` (row, line); at least one piece, maybe empty."""
        for chunk in self._pieces():
            self.connection.register("chunk", chunk)
            yield
            self.connection.unregister("chunk")

    def _pieces(self) -> Iterator[pa.Table]:
        done, rest, pieces = 0, b"", 0
        with open_bytes(self.path) as opened:
            while True:
                block = opened.read(_CHUNK)
                text = rest + block
                end = text.rfind(b"\n") + 1 if block else len(text)
                rest = text[end:]
                if len(rest) > _LONGEST_LINE:
                    raise DataError(f"{self.path}: row {done + 1}: the line is longer than {_LONGEST_LINE} bytes")
                if end or (not block and not pieces):
                    piece, count = _lines_table(text[:end].removeprefix(b"\xef\xbb\xbf" if not done else b""), done)
                    done, pieces = done + count, pieces + 1
                    yield piece
                if not block:
                    return


def _lines_table(text: bytes, before: int) -> tuple[pa.Table, int]:
    """Lines as a table (row int64 from `before` + 1, line string) without blank ones, and how many lines there were."""
    if text and not text.endswith(b"\n"):
        text += b"\n"
    ends = np.flatnonzero(np.frombuffer(text, np.uint8) == 10)
    offsets = np.zeros(len(ends) + 1, np.int32)
    offsets[1:] = ends + 1
    binary: Any = pa.Array.from_buffers(
        pa.binary(), len(ends), [None, pa.py_buffer(offsets.tobytes()), pa.py_buffer(text)]
    )
    try:
        lines = pc.cast(binary, pa.string())
    except pa.ArrowInvalid:  # a line that is not UTF-8 stays a bad line of its own
        lines = pa.array(
            [line.decode("utf-8", "replace") if _is_text(line) else "\ufffd" for line in binary.to_pylist()]
        )
    lines = pc.utf8_trim_whitespace(lines)
    table = pa.table({"row": np.arange(before + 1, before + 1 + len(ends)), "line": lines})
    return table.filter(pc.not_equal(table["line"], "")), len(ends)


def _is_text(line: bytes) -> bool:
    try:
        line.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True
