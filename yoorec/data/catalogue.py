"""The catalogue: the vocabularies and the item and user columns aligned with them."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from yoorec.data.vocabulary import Vocabulary
from yoorec.errors import DataError, nearest

__all__ = ["Catalogue"]


@dataclass(frozen=True, slots=True)
class Catalogue:
    """What is known of items and users without looking at a request.

    item_columns: row i belongs to item index i; columns beside the id. user_columns likewise.
    published_at: int64 [I], ms; an item is recommendable only from then on.
    """

    items: Vocabulary
    users: Vocabulary
    item_columns: pa.Table
    user_columns: pa.Table
    published_at: npt.NDArray[np.int64]
    _codes: dict[tuple[str, str], tuple[npt.NDArray[np.int32], list[str]]] = field(default_factory=dict)

    def grown(self, newer: Catalogue) -> Catalogue:
        """With the items of a newer catalogue behind those that are there, and its columns of items.

        Items keep their indices; one that the newer no longer knows keeps what is known of it, but for bytes. Users
        stay as they are.
        """
        items = self.items.grown(newer.items.ids)
        place = newer.items.encode(items.ids)
        gone = np.flatnonzero(place < 0)
        rows = pa.array(np.where(place < 0, len(newer.items) + np.arange(len(items)), place))
        columns = {}
        for name in newer.item_columns.column_names:
            values = newer.item_columns[name]
            old = pa.nulls(len(self.items), values.type)
            there = self.item_columns.schema.field(name).type if name in self.item_columns.column_names else None
            if there == values.type and not pa.types.is_binary(there):
                old = self.item_columns[name].combine_chunks()
            # Row I + i stands for what the older catalogue knows of item i.
            columns[name] = pc.take(pa.chunked_array([*values.chunks, old], values.type), rows)
        published_at = np.where(place < 0, 0, newer.published_at[place])
        published_at[gone] = self.published_at[gone]
        return Catalogue(items, self.users, pa.table(columns), self.user_columns, published_at)

    def item_column(self, column: str) -> pa.ChunkedArray:
        """An item column, row i for item index i. Raises DataError, naming the nearest, where no item has a value."""
        found = self._column("items", self.item_columns, column)
        if found.null_count == len(found):
            filled = [
                name for name in self.item_columns.column_names if self.item_columns[name].null_count < len(found)
            ]
            raise DataError(f"items: no item has a value of '{column}'; there are: {', '.join(filled) or 'none'}")
        return found

    def item_codes(self, column: str) -> tuple[npt.NDArray[np.int32], list[str]]:
        """Codes int32 [I] of a scalar item column and the values they stand for; -1 where missing.

        Values are sorted as text, so codes don't depend on row order. Raises DataError naming the nearest column.
        """
        return self._encoded("items", self.item_columns, column)

    def user_codes(self, column: str) -> tuple[npt.NDArray[np.int32], list[str]]:
        """Codes int32 [U] of a scalar user column and the values they stand for; -1 where missing."""
        return self._encoded("users", self.user_columns, column)

    def _encoded(self, table: str, columns: pa.Table, column: str) -> tuple[npt.NDArray[np.int32], list[str]]:
        key = (table, column)
        if key not in self._codes:
            text = pc.cast(self._column(table, columns, column), pa.string()).combine_chunks()
            values = sorted(value for value in pc.unique(text).to_pylist() if value is not None)
            codes = pc.index_in(text, value_set=pa.array(values, pa.string()))
            self._codes[key] = (np.asarray(pc.fill_null(codes, -1), np.int32), values)
        return self._codes[key]

    @staticmethod
    def _column(table: str, columns: pa.Table, column: str) -> pa.ChunkedArray:
        if column not in columns.column_names:
            close = nearest(column, columns.column_names)
            hint = f"; nearest: {close}" if close else ""
            raise DataError(
                f"{table}: no column '{column}'{hint}; there are: {', '.join(columns.column_names) or 'none'}"
            )
        return columns[column]
