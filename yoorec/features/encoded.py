"""Encoded: what a batch says in ids, in three sides, so that nothing is repeated for every candidate."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

__all__ = ["Columns", "Encoded", "Layout", "Side"]

F32 = npt.NDArray[np.float32]
I32 = npt.NDArray[np.int32]
I64 = npt.NDArray[np.int64]


class Side(NamedTuple):
    """Features of R requests, items or rows, with S ids, V values and M lists of ids each.

    id:      int32 [R, S], places in the one table of ids, never 0.
    value:   float32 [R, V], numbers brought to -0.5 to 0.5; 0 where missing.
    offsets: int64 [R * M + 1]; list m of row r is ``many[offsets[r * M + m]:offsets[r * M + m + 1]]``.
    many:    int32 [K], places in the same table.
    """

    id: I32
    value: F32
    offsets: I64
    many: I32

    def __len__(self) -> int:
        return len(self.id)

    @property
    def lists(self) -> int:
        """M, the lists of a row; 0 where there are no rows."""
        return (len(self.offsets) - 1) // len(self.id) if len(self.id) else 0

    def take(self, rows: npt.NDArray[Any]) -> Side:
        """The named rows, in the order named."""
        lists = self.lists
        places = (np.asarray(rows, np.int64)[:, None] * lists + np.arange(lists)).ravel()
        start, length = self.offsets[places], self.offsets[places + 1] - self.offsets[places]
        offsets = np.zeros(len(places) + 1, np.int64)
        np.cumsum(length, out=offsets[1:])
        flat = np.arange(offsets[-1]) - np.repeat(offsets[:-1] - start, length)
        return Side(self.id[rows], self.value[rows], offsets, self.many[flat])


class Columns(NamedTuple):
    """Names of one side's features: of its S ids, V values and M lists.

    embedded: how many of the ids, the first ones, a deep network is meant to see; those after them are crosses, whose
              places lie at the end of the table.
    """

    id: tuple[str, ...]
    value: tuple[str, ...]
    many: tuple[str, ...]
    embedded: int


@dataclass(frozen=True, slots=True)
class Layout:
    """Which features there are and how large the table is that all ids are places of.

    request, item, row: each side's columns. A row is a candidate of a request; what it shares with the other
                        candidates stands in `request`, what it shares with other requests in `item`.
    size:               places of the table; 0 means nothing, and no feature has it.
    embedded:           places below which every id of an embedded feature or list lies; crosses lie at or above.
    """

    request: Columns
    item: Columns
    row: Columns
    size: int
    embedded: int


@dataclass(frozen=True, slots=True)
class Encoded:
    """N candidate rows of B requests, by side.

    offsets: int64 [B + 1]; request b owns rows ``offsets[b]:offsets[b + 1]``.
    index:   int32 [N], the row of `item` that describes a candidate.
    request: B rows. row: N rows. item: I rows, the same table for every batch.
    """

    offsets: I64
    index: I32
    request: Side
    item: Side
    row: Side

    def __len__(self) -> int:
        return len(self.offsets) - 1

    @property
    def owner(self) -> I32:
        """int32 [N]: each row's request."""
        return np.repeat(np.arange(len(self), dtype=np.int32), np.diff(self.offsets))
