"""Columns of items and users as features read them: names, numbers, or lists of names."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from yoorec.errors import DataError, nearest

if TYPE_CHECKING:
    from yoorec.data.catalogue import Catalogue

__all__ = ["Form", "ItemLists", "ItemNames", "ItemNumbers", "item_column", "numbers_of", "text_of", "user_form"]

F32 = npt.NDArray[np.float32]
I32 = npt.NDArray[np.int32]
I64 = npt.NDArray[np.int64]

Form = Literal["names", "numbers", "lists"]


@dataclass(frozen=True, slots=True)
class ItemNames:
    """One name an item. code: int32 [I], -1 where missing. values: the names as text, sorted."""

    code: I32
    values: list[str]
    form: Form = "names"


@dataclass(frozen=True, slots=True)
class ItemNumbers:
    """One number an item. number: float32 [I], NaN where missing."""

    number: F32
    form: Form = "numbers"


@dataclass(frozen=True, slots=True)
class ItemLists:
    """Several names an item. offsets: int64 [I + 1]. code: int32 [K]. values: the names as text, sorted."""

    offsets: I64
    code: I32
    values: list[str]
    form: Form = "lists"


def item_column(catalogue: Catalogue, column: str, category: bool = False) -> ItemNames | ItemNumbers | ItemLists:
    """An item column, `id` for the items' own ids. category: take numbers as names.

    Raises DataError, naming the nearest, where no item has a value, or where the values are of no use.
    """
    if column == "id":
        ids = catalogue.items.ids
        return ItemNames(np.arange(len(ids), dtype=np.int32), list(ids))
    found = catalogue.item_column(column)
    form = _form("items", column, found.type)
    if form == "lists":
        lists = found.combine_chunks()
        lengths = np.asarray(pc.fill_null(pc.list_value_length(lists), 0), np.int64)
        offsets = np.zeros(len(lengths) + 1, np.int64)
        np.cumsum(lengths, out=offsets[1:])
        text = pc.cast(pc.list_flatten(lists), pa.string())
        values = sorted(value for value in pc.unique(text).to_pylist() if value is not None)
        code = np.asarray(pc.fill_null(pc.index_in(text, value_set=pa.array(values, pa.string())), -1), np.int32)
        kept = code >= 0
        before = np.append(0, np.cumsum(kept))
        return ItemLists(before[offsets].astype(np.int64), code[kept], values)
    if form == "numbers" and not category:
        return ItemNumbers(
            np.asarray(pc.fill_null(pc.cast(found, pa.float64()), np.nan), np.float64).astype(np.float32)
        )
    return ItemNames(*catalogue.item_codes(column))


def user_form(catalogue: Catalogue, column: str, category: bool = False) -> Form:
    """What a user column holds. Raises DataError, naming the nearest, where there is no such column."""
    if column == "id":
        return "names"
    columns = catalogue.user_columns
    if column not in columns.column_names:
        close = nearest(column, columns.column_names)
        there = ", ".join(("id", *columns.column_names))
        raise DataError(f"users: no column '{column}'{f'; nearest: {close}' if close else ''}; there are: {there}")
    form = _form("users", column, columns.schema.field(column).type)
    return "names" if category and form == "numbers" else form


def _form(table: str, column: str, kind: pa.DataType) -> Form:
    if pa.types.is_dictionary(kind):
        kind = kind.value_type
    if pa.types.is_list(kind) or pa.types.is_large_list(kind):
        return "lists"
    if pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_decimal(kind):
        return "numbers"
    if pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_boolean(kind):
        return "names"
    raise DataError(f"{table}: column '{column}' holds {kind}; features take names, numbers and lists of names")


def text_of(value: Any) -> str | None:
    """A user's value as a name, None where missing; 3, 3.0 and "3" are one."""
    if type(value) is str:
        return value
    if value is None or value != value:
        return None
    if isinstance(value, bool | np.bool_):
        return str(value).lower()
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return str(value)


def numbers_of(values: Iterable[Any]) -> F32:
    """float32: users' values as numbers, NaN where missing or none."""
    return np.array([_number(value) for value in values], np.float32)


def _number(value: Any) -> float:
    try:
        return np.nan if value is None else float(value)
    except (TypeError, ValueError, OverflowError):
        return np.nan
