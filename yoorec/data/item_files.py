"""Further item columns from files beside the source: `data.texts` and `data.covers`, keyed by item id."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from yoorec.data.columns import ITEM_COLUMNS, Column
from yoorec.data.files import expand
from yoorec.data.reading import kinds_of, read_table
from yoorec.data.tables import Quality, Tables
from yoorec.errors import DataError

__all__ = ["join_items", "read_item_files"]

_KEY = "item_id"
_SHOWN = 3


def read_item_files(key: str, paths: Sequence[Path]) -> tuple[pa.Table, Quality]:
    """The files of `texts` or `covers`, with the account of their rows.

    A row is found by the column `item_id` or, failing that, the file's first one. Of `texts` every other column is
    taken, of `covers` the column `cover` or, failing that, the only one of bytes.
    Raises DataError where that says nothing, or for files that `read_table` refuses.
    """
    files = expand(paths)
    kinds = kinds_of(files[0])
    if not kinds:
        raise DataError(f"{files[0]}: has no columns")
    named = _KEY if _KEY in kinds else next(iter(kinds))
    columns = [Column(_KEY, named, "id", required=True)]
    if key == "covers":
        columns.append(Column("cover", _cover_of(files[0], kinds), "cover", required=True))
    else:
        columns += [Column(name, name, kind) for name, kind in ITEM_COLUMNS.items() if name not in (_KEY, named)]
    return read_table(key, files, columns, keep_rest=key == "texts", unique=_KEY)


def _cover_of(path: Path, kinds: Mapping[str, str]) -> str:
    if "cover" in kinds:
        return "cover"
    held = [name for name, kind in kinds.items() if kind == "BLOB"]
    if len(held) != 1:
        bytes_of = f"{len(held)} columns of bytes ({', '.join(held)})" if held else "no column of bytes"
        raise DataError(f"{path}: no column 'cover' and {bytes_of}; there are: {', '.join(kinds)}")
    return held[0]


def join_items(tables: Tables, key: str, joined: pa.Table, quality: Quality) -> Tables:
    """Tables whose items have the columns of `joined` too.

    Where both have a column and an item, the joined value counts unless it is null. Rows of items that neither items
    nor events know are left out, and a note says how many.
    Raises DataError for a column that is of another type here and there.
    """
    items = tables.items
    known = pa.chunked_array([*items[_KEY].cast(pa.string()).chunks, *tables.events[_KEY].cast(pa.string()).chunks])
    ids = pc.unique(known).drop_null()
    there = pc.is_in(joined[_KEY], value_set=ids)
    strangers = joined.filter(pc.invert(there))
    if strangers.num_rows:
        some = ", ".join(strangers[_KEY].slice(0, _SHOWN).to_pylist())
        note = f"{strangers.num_rows} rows are of items that neither items nor events know, such as {some}"
        quality = replace(quality, notes=(*quality.notes, note))
    old = pc.index_in(ids, value_set=items[_KEY].cast(pa.string()))
    new = pc.index_in(ids, value_set=joined[_KEY])
    columns = {_KEY: ids}
    for name in items.column_names:
        if name != _KEY:
            columns[name] = pc.take(items[name], old)
    for name in joined.column_names:
        if name == _KEY:
            continue
        values = pc.take(joined[name], new)
        before = columns.get(name)
        if before is None or before.null_count == len(before):
            columns[name] = values
            continue
        if _is_number(before.type) and _is_number(values.type):
            whole = pa.types.is_integer(before.type) and pa.types.is_integer(values.type)
            before, values = (each.cast(pa.int64() if whole else pa.float64()) for each in (before, values))
        if before.type != values.type:
            raise DataError(f"{key}: {name}: holds {values.type}, where the source's items hold {before.type}")
        columns[name] = pc.coalesce(values, before)
    return replace(tables, items=pa.table(columns), quality={**tables.quality, key: quality})


def _is_number(kind: pa.DataType) -> bool:
    return bool(pa.types.is_integer(kind) or pa.types.is_floating(kind))
