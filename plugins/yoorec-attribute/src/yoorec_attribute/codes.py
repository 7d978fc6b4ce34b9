"""Codes of a user column's values: its distinct values, or the bins that its numbers fall into."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Sequence
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from yoorec.errors import DataError
from yoorec.features.columns import text_of

__all__ = ["Bins", "Codes", "Values", "codes_of_users", "distinct"]

Int64 = npt.NDArray[np.int64]


class Codes(Protocol):
    """How the values of one column become codes from 0 on."""

    def __len__(self) -> int:
        """Number of codes."""

    def encode(self, values: Iterable[Any]) -> Int64:
        """int64, a code for each value; -1 where it is missing or unknown."""


class Values:
    """A code for each known value. Values are compared as text, so 3, 3.0 and "3" are one.

    known: the values as text, in the order of their codes.
    """

    def __init__(self, known: Sequence[str]) -> None:
        self.known = list(known)
        self._code: dict[str | None, int] = {value: code for code, value in enumerate(self.known)}

    @classmethod
    def among(cls, values: Iterable[Any]) -> Values:
        """All values there are, sorted as text, so that codes don't depend on the order of the rows."""
        return cls(sorted({text for text in map(text_of, values) if text is not None}))

    def __len__(self) -> int:
        return len(self.known)

    def encode(self, values: Iterable[Any]) -> Int64:
        """int64, a code for each value; -1 where it is missing or not among the known ones."""
        code = self._code.get
        return np.array([code(text_of(value), -1) for value in values], np.int64)


class Bins:
    """A code for each range between rising edges: edge j begins bin j + 1, bin 0 lies below the first."""

    def __init__(self, edges: Sequence[float]) -> None:
        self.edges = list(edges)

    def __len__(self) -> int:
        return len(self.edges) + 1

    def encode(self, values: Iterable[Any]) -> Int64:
        """int64, a code for each value; -1 where it is missing or no number."""
        return np.array([self._bin(value) for value in values], np.int64)

    def check(self, column: str, values: Iterable[Any]) -> None:
        """Raise DataError naming the column and its first value that is neither missing nor a number."""
        for value in values:
            if value is not None and _number(value) is None:
                raise DataError(f"attribute: bins: users: column '{column}': {value!r} is not a number")

    def _bin(self, value: Any) -> int:
        number = _number(value)
        return -1 if number is None or number != number else bisect_right(self.edges, number)


def _number(value: Any) -> float | None:
    try:
        return float(value)
    except (TypeError, ValueError, OverflowError):
        return None


def distinct(table: pa.Table, column: str) -> tuple[list[Any], Int64]:
    """A user column's distinct values, and for each of the U users the place of theirs, int64 [U]; -1 where null.

    Raises DataError where the column holds lists or structures.
    """
    if pa.types.is_nested(table[column].type):
        raise DataError(f"attribute: by: users: column '{column}' holds {table[column].type}; accepted: single values")
    encoded = pc.dictionary_encode(table[column].combine_chunks())
    return encoded.dictionary.to_pylist(), np.asarray(pc.fill_null(encoded.indices, -1), np.int64)


def codes_of_users(codes: Codes, values: list[Any], place: Int64) -> Int64:
    """int64 [U], the code of each user's value, from what `distinct` gave; -1 where missing."""
    return np.append(codes.encode(values), -1)[place]
