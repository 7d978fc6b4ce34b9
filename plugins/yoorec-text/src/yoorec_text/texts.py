"""The words of every item's texts, as flat columns."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from yoorec.errors import DataError
from yoorec_text.tokens import Tokenise

__all__ = ["Texts", "check_texts", "read_texts"]

I32 = npt.NDArray[np.int32]
I64 = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Texts:
    """Words of I items in F fields, field by field within an item.

    words:    the W distinct ones, in the order in which they are met.
    offsets:  int64 [I * F + 1]; the words of item i in field f are ``word[offsets[i * F + f]:offsets[i * F + f + 1]]``.
    word:     int32 [N], places in `words`.
    fields:   F.
    too_long: int64, rising: items with a text that was too long to be read.
    """

    words: list[str]
    offsets: I64
    word: I32
    fields: int
    too_long: I64

    @property
    def sentences(self) -> I64:
        """Offsets int64 [I + 1] of each item's words, those of all its fields."""
        return self.offsets[:: self.fields]

    def count(self) -> tuple[I64, I64]:
        """For each word int64 [W]: how often it stands anywhere, and in how many items."""
        size = len(self.words)
        item = np.repeat(np.arange(len(self.sentences) - 1), np.diff(self.sentences))
        pair = np.unique(item * max(size, 1) + self.word)
        return np.bincount(self.word, minlength=size), np.bincount(pair % max(size, 1), minlength=size)


def check_texts(name: str, column: pa.ChunkedArray) -> None:
    """Raise DataError where an item column holds neither texts nor lists of texts."""
    kind = column.type
    inner = kind.value_type if pa.types.is_list(kind) or pa.types.is_large_list(kind) else kind
    if not _is_text(inner):
        raise DataError(f"text: field: items: column '{name}' holds {kind}; accepted: texts or lists of texts")


def read_texts(columns: Sequence[pa.ChunkedArray], tokenise: Tokenise, max_chars: int) -> Texts:
    """The words of each item's value in each of F columns, which have a row for every item."""
    place: dict[str, int] = {}
    groups, words, refused = [], [], [np.empty(0, np.int64)]
    items, fields = len(columns[0]) if columns else 0, max(len(columns), 1)
    for field, column in enumerate(columns):
        item, values = _values(column)
        chars = np.bincount(item, np.asarray(pc.fill_null(pc.utf8_length(values), 0), np.int64), minlength=items)
        pieces = np.bincount(item, minlength=items)
        kept = chars + np.maximum(pieces - 1, 0) <= max_chars
        refused.append(np.flatnonzero(~kept))
        read = kept[item]
        group, word = [], []
        for row, text in zip(item[read].tolist(), _texts(values.filter(pa.array(read))), strict=True):
            for token in tokenise(text):
                group.append(row)
                word.append(place.setdefault(token, len(place)))
        groups.append(np.array(group, np.int64) * fields + field)
        words.append(np.array(word, np.int32))
    where = np.concatenate([np.empty(0, np.int64), *groups])
    order = np.argsort(where, kind="stable")
    offsets = np.zeros(items * fields + 1, np.int64)
    np.cumsum(np.bincount(where, minlength=items * fields), out=offsets[1:])
    return Texts(
        list(place),
        offsets,
        np.concatenate([np.empty(0, np.int32), *words])[order],
        fields,
        np.unique(np.concatenate(refused)),
    )


def _is_text(kind: pa.DataType) -> bool:
    inner = kind.value_type if pa.types.is_dictionary(kind) else kind
    return bool(pa.types.is_string(inner) or pa.types.is_large_string(inner) or pa.types.is_string_view(inner))


def _values(column: pa.ChunkedArray) -> tuple[I64, pa.Array]:
    """Single texts, and the item int64 [N] that each belongs to, rising."""
    if pa.types.is_list(column.type) or pa.types.is_large_list(column.type):
        lists = column.cast(pa.large_list(pa.large_string())).combine_chunks()
        return np.asarray(pc.list_parent_indices(lists), np.int64), pc.list_flatten(lists)
    return np.arange(len(column)), column.cast(pa.large_string()).combine_chunks()


def _texts(values: pa.Array) -> Iterator[str]:
    for text in values.to_pylist():
        yield text or ""
