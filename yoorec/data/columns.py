"""Columns of a table: what each must hold, and the SQL that converts a raw value or says what is wrong with it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

__all__ = [
    "EVENT_COLUMNS",
    "ITEM_COLUMNS",
    "USER_COLUMNS",
    "Check",
    "Column",
    "ColumnKind",
    "TimeUnit",
    "convert",
    "identifier",
    "literal",
]

TimeUnit = Literal["s", "ms", "us", "iso"]
"""How a file writes times: seconds, milliseconds or microseconds since the epoch, or ISO 8601 (UTC unless it says)."""

ColumnKind = Literal[
    "id", "text", "code", "number", "amount", "whole", "share", "time", "date", "tags", "items", "cover"
]
"""What a column holds.

id: text that must be there. text: any text. code: text that must be there, renamed through `Column.names`.
number: finite. amount: finite, at least 0. whole: a whole number, at least 0. share: in (0, 1].
time: must be there, see TimeUnit. date: a time that may be missing.
tags: a list, or text with a separator. items: a list of ids, none empty.
cover: an image's bytes, or its path, starting at the folder of the table's file and staying inside it.
"""

EVENT_COLUMNS: dict[str, ColumnKind] = {
    "user_id": "id",
    "item_id": "id",
    "time": "time",
    "event": "code",
    "watch_s": "amount",
    "main_item_id": "text",
    "session_id": "text",
    "position": "whole",
    "request_id": "text",
    "propensity": "share",
}
"""Columns of events and what they hold; no others are read."""

ITEM_COLUMNS: dict[str, ColumnKind] = {
    "item_id": "id",
    "title": "text",
    "tags": "tags",
    "category": "text",
    "author": "text",
    "duration_s": "amount",
    "published_at": "date",
    "cover": "cover",
}
"""Columns of items that have a meaning; any others are kept as they are."""

USER_COLUMNS: dict[str, ColumnKind] = {"user_id": "id"}
"""Columns of users that have a meaning; any others are attributes."""

_FIRST_MS, _LAST_MS = -62_135_596_800_000, 253_402_300_799_999
_SCALE = {"s": 1000.0, "ms": 1.0, "us": 0.001}
_NUMERIC = ("TINYINT", "SMALLINT", "INTEGER", "BIGINT", "HUGEINT", "FLOAT", "DOUBLE", "DECIMAL")
_UNSIGNED = ("UTINYINT", "USMALLINT", "UINTEGER", "UBIGINT", "UHUGEINT")


@dataclass(frozen=True, slots=True)
class Column:
    """One column of ours and where a file keeps it.

    name: ours. source: the file's. required: the file must have it. unit: for times. separator: for tags in text.
    names: for codes, the file's values to ours; empty keeps them.
    """

    name: str
    source: str
    kind: ColumnKind
    required: bool = False
    unit: TimeUnit = "ms"
    separator: str = "|"
    names: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Check:
    """A condition that makes a row unusable: SQL that is true for it, the file's column, its raw text, the reason."""

    condition: str
    column: str
    raw: str
    reason: str


def identifier(name: str) -> str:
    """A name quoted for SQL."""
    return '"' + name.replace('"', '""') + '"'


def literal(text: str) -> str:
    """Text quoted for SQL."""
    return "'" + text.replace("'", "''") + "'"


def _is_number(kind: str) -> bool:
    return kind.startswith((*_NUMERIC, *_UNSIGNED)) and not kind.endswith("]")


def _text(raw: str, kind: str) -> str:
    if kind in ("DOUBLE", "FLOAT"):  # 5.0 in a float column is the id 5
        whole = f"{raw} = trunc({raw}) AND abs({raw}) < 9e15"
        return f"CASE WHEN {whole} THEN CAST(CAST({raw} AS BIGINT) AS VARCHAR) ELSE CAST({raw} AS VARCHAR) END"
    return f"CAST({raw} AS VARCHAR)"


def _number(raw: str, kind: str) -> str:
    return f"CAST({raw} AS DOUBLE)" if _is_number(kind) else f"TRY_CAST({_text(raw, kind)} AS DOUBLE)"


def _convert_time(column: Column, raw: str, kind: str) -> tuple[str, list[Check]]:
    text = _text(raw, kind)
    unit = "ISO 8601" if column.unit == "iso" else column.unit
    if kind.startswith("TIMESTAMP") or kind == "DATE":
        stamp = raw if kind == "TIMESTAMP WITH TIME ZONE" else f"CAST({raw} AS TIMESTAMP)"
        value = f"CASE WHEN isfinite({stamp}) THEN epoch_ms({stamp}) END"
    elif column.unit == "iso":
        stamp = f"TRY_CAST({text} AS TIMESTAMPTZ)" if not _is_number(kind) else "CAST(NULL AS TIMESTAMPTZ)"
        value = f"CASE WHEN isfinite({stamp}) THEN epoch_ms({stamp}) END"
    else:
        number = f"({_number(raw, kind)}) * {_SCALE[column.unit]}"
        number = f"floor({number})" if column.unit == "us" else f"round({number})"
        value = f"CASE WHEN {number} BETWEEN {_FIRST_MS} AND {_LAST_MS} THEN CAST({number} AS BIGINT) END"
    checks = [
        Check(
            f"{text} IS NOT NULL AND ({value}) IS NULL",
            column.source,
            text,
            f"is no time between the years 1 and 9999 in {unit}",
        )
    ]
    if column.kind == "time":
        checks.insert(0, Check(f"{text} IS NULL", column.source, text, "is missing"))
    return value, checks


def _convert_number(column: Column, raw: str, kind: str) -> tuple[str, list[Check]]:
    text, number = _text(raw, kind), _number(raw, kind)

    def check(condition: str, reason: str) -> Check:
        return Check(condition, column.source, text, reason)

    checks = [
        check(f"{text} IS NOT NULL AND {number} IS NULL", "is no number"),
        check(f"NOT isfinite({number})", "is not finite"),
    ]
    if column.kind in ("amount", "whole"):
        checks.append(check(f"{number} < 0", "is negative"))
    if column.kind == "share":
        checks.append(check(f"{number} <= 0 OR {number} > 1", "is no probability in (0, 1]"))
    value = f"TRY_CAST({number} AS FLOAT)"
    if column.kind == "number":
        value = number
    if column.kind == "whole":
        checks.append(check(f"{number} <> trunc({number})", "is no whole number"))
        checks.append(check(f"{number} > 2147483647", "is above 2147483647"))
        value = f"TRY_CAST({number} AS INTEGER)"
    return value, checks


def _convert_list(column: Column, raw: str, kind: str, json: bool) -> tuple[str, list[Check]]:
    text = _text(raw, kind)
    if kind.endswith("[]"):
        values, reason = f"CAST({raw} AS VARCHAR[])", ""
    elif json:
        values = f"CASE WHEN {text} LIKE '[%' THEN TRY_CAST(CAST({text} AS JSON) AS VARCHAR[]) END"
        reason = "is no list"
    else:
        values, reason = "CAST(NULL AS VARCHAR[])", "is no list"
    if column.kind == "items":
        checks = [
            Check(f"{text} IS NULL", column.source, text, "is missing"),
            Check(f"len({values}) = 0", column.source, text, "is an empty list"),
            Check(
                f"list_count({values}) < len({values}) OR list_contains({values}, '')",
                column.source,
                text,
                "holds an empty id",
            ),
        ]
        if reason:
            checks.insert(1, Check(f"({values}) IS NULL", column.source, text, reason))
        return values, checks
    if not kind.endswith("[]"):
        split = f"string_split({text}, {literal(column.separator)})"
        values = f"CASE WHEN {text} LIKE '[%' THEN ({values}) ELSE {split} END" if json else split
    trimmed = f"list_transform({values}, lambda tag: trim(tag))"
    return f"list_filter({trimmed}, lambda tag: tag <> '')", []


def convert(column: Column, raw: str, kind: str, json: bool = False) -> tuple[str, list[Check]]:
    """SQL for a column's value and the checks of its row, most telling first.

    raw: SQL of the value as the file has it. kind: its DuckDB type; text formats give VARCHAR, empty is NULL.
    json: the text came from JSON, so that a list is written as one.
    """
    if column.kind in ("time", "date"):
        return _convert_time(column, raw, kind)
    if column.kind in ("number", "amount", "whole", "share"):
        return _convert_number(column, raw, kind)
    if column.kind in ("tags", "items"):
        return _convert_list(column, raw, kind, json)
    if column.kind == "cover" and kind == "BLOB":
        return f"CASE WHEN octet_length({raw}) > 0 THEN {raw} END", []
    text = _text(raw, kind)
    if column.kind in ("text", "cover"):
        return f"nullif({text}, '')", []
    checks = [Check(f"coalesce({text}, '') = ''", column.source, text, "is missing")]
    if column.kind == "id":
        checks.append(Check(f"contains({text}, chr(0))", column.source, text, "holds a NUL character"))
        return text, checks
    if column.names:
        pairs = " ".join(f"WHEN {literal(theirs)} THEN {literal(ours)}" for theirs, ours in column.names.items())
        accepted = ", ".join(column.names)
        text_of = f"CASE {text} {pairs} END"
        checks.append(Check(f"({text_of}) IS NULL", column.source, text, f"is no event type; accepted: {accepted}"))
        return text_of, checks
    return text, checks
