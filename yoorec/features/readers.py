"""Readers of items: what each declared feature finds in the catalogue, before any of it becomes ids."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import numpy.typing as npt

from yoorec.features.codes import MISSING, Codes
from yoorec.features.columns import ItemNames, ItemNumbers, item_column
from yoorec.features.counters import Counters
from yoorec.features.declared import Declared
from yoorec.features.lists import ItemCodes
from yoorec.vectors.items import ItemVectors

if TYPE_CHECKING:
    from yoorec.data.catalogue import Catalogue

__all__ = ["Around", "item_codes", "item_lists", "item_numbers", "side_by_side"]

F32 = npt.NDArray[np.float32]
I64 = npt.NDArray[np.int64]


class Around(NamedTuple):
    """What features may look at beside requests and candidates.

    catalogue: the items' and users' columns. counters: None where nothing counts. vectors: by trigger.
    """

    catalogue: Catalogue
    counters: Counters | None = None
    vectors: Mapping[str, ItemVectors] = {}


def item_codes(feature: Declared, codes: Codes, catalogue: Catalogue) -> I64:
    """Codes int64 [I] of the items' names, for a feature of items or main items."""
    column = item_column(catalogue, feature.of.word, bool(feature.feature.category))
    if not isinstance(column, ItemNames):
        raise TypeError(f"{feature.name}: {feature.of} holds {column.form}")
    return np.append(codes.encode(column.values), MISSING)[column.code]


def item_numbers(feature: Declared, catalogue: Catalogue) -> F32:
    """Numbers float32 [I] of the items, NaN where missing."""
    column = item_column(catalogue, feature.of.word)
    if not isinstance(column, ItemNumbers):
        raise TypeError(f"{feature.name}: {feature.of} holds {column.form}")
    return column.number


def item_lists(feature: Declared, codes: Codes, catalogue: Catalogue) -> tuple[I64, I64]:
    """Offsets int64 [I + 1] and codes int64 of the items' lists."""
    column = item_column(catalogue, feature.of.word, category=feature.of.table != "item")
    found = ItemCodes.of(column)  # type: ignore[arg-type]  # numbers are names here
    return found.offsets, codes.encode(column.values)[found.code]  # type: ignore[union-attr]


def side_by_side(lists: Sequence[tuple[I64, I64]]) -> tuple[I64, I64]:
    """Offsets int64 [R * M + 1] and codes int64: of R rows' M lists, those of a row side by side.

    lists: of each feature, offsets int64 [R + 1] and codes.
    """
    if not lists:
        return np.zeros(1, np.int64), np.empty(0, np.int64)
    length = np.stack([np.diff(own) for own, _ in lists], 1)
    offsets = np.append(0, np.cumsum(length)).astype(np.int64)
    starts = offsets[:-1].reshape(length.shape)
    found = np.empty(offsets[-1], np.int64)
    for m, (own, code) in enumerate(lists):
        found[np.arange(len(code)) + np.repeat(starts[:, m] - own[:-1], length[:, m])] = code
    return offsets, found
