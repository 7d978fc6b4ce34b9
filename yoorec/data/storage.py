"""Catalogues on disk as Arrow files, so that serving parses nothing.

A column of bytes (covers) is for fitting alone: its values' SHA-256 stand in their place, so that they still tell what
is missing and what is the same.
"""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from yoorec.data.catalogue import Catalogue
from yoorec.data.vocabulary import Vocabulary
from yoorec.errors import ArtifactError

__all__ = ["load_catalogue", "save_catalogue"]


def save_catalogue(folder: Path, catalogue: Catalogue) -> None:
    """Write items.arrow, users.arrow and their columns into a folder that exists."""
    items = pa.table(
        {"id": pa.array(catalogue.items.ids, pa.string()), "published_at": pa.array(catalogue.published_at)}
    )
    _write(folder / "items.arrow", items)
    _write(folder / "item_columns.arrow", _digested(catalogue.item_columns))
    _write(folder / "users.arrow", pa.table({"id": pa.array(catalogue.users.ids, pa.string())}))
    _write(folder / "user_columns.arrow", _digested(catalogue.user_columns))


def load_catalogue(folder: Path) -> Catalogue:
    """Read back what `save_catalogue` wrote. Raises ArtifactError naming a file that can't be read."""
    items = _read(folder / "items.arrow", "id", "published_at")
    users = _read(folder / "users.arrow", "id")
    return Catalogue(
        Vocabulary.ordered(items["id"].to_pylist()),
        Vocabulary.ordered(users["id"].to_pylist()),
        _read(folder / "item_columns.arrow"),
        _read(folder / "user_columns.arrow"),
        _array(items["published_at"], np.int64),
    )


def _digested(columns: pa.Table) -> pa.Table:
    for place, field in enumerate(columns.schema):
        if pa.types.is_binary(field.type) or pa.types.is_large_binary(field.type):
            sums = (value and hashlib.sha256(value).digest() for value in columns[place].to_pylist())
            columns = columns.set_column(place, field.name, pa.array(sums, pa.binary()))
    return columns


def _write(path: Path, table: pa.Table) -> None:
    with pa.OSFile(str(path), "wb") as out, pa.ipc.new_file(out, table.schema) as writer:
        writer.write_table(table)


def _read(path: Path, *columns: str) -> pa.Table:
    try:
        with pa.OSFile(str(path), "rb") as opened, pa.ipc.open_file(opened) as reader:
            table = reader.read_all()
    except (OSError, pa.ArrowInvalid) as error:
        raise ArtifactError(f"{path}: can't be read as an Arrow file: {error}") from error
    for name in columns:
        if name not in table.column_names:
            raise ArtifactError(f"{path}: has no column '{name}'; there are: {', '.join(table.column_names)}")
    return table


def _array(column: pa.ChunkedArray, kind: Any) -> npt.NDArray[Any]:
    """A copy: arrays over Arrow's memory are read-only, which compiled kernels take for another type."""
    copied: npt.NDArray[Any] = column.to_numpy().astype(kind, copy=True)
    return copied
