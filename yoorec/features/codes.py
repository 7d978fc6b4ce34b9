"""Codes: whole numbers that stand for a feature's values, and the places of the one table that codes become.

A code is 0 or above; MISSING and UNKNOWN are below. Serialised codes count the names met in the samples; open ones are
63 bits of a hash of the name, so that no list of names is kept.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple, Protocol

import numpy as np
import numpy.typing as npt

from yoorec.features.columns import text_of
from yoorec.ragged import compiled

__all__ = [
    "MISSING",
    "UNKNOWN",
    "Codes",
    "Crosses",
    "Hashed",
    "Known",
    "hashed_text",
    "placed",
    "placed_lists",
    "salt_of",
]

I32 = npt.NDArray[np.int32]
I64 = npt.NDArray[np.int64]
U64 = npt.NDArray[np.uint64]

MISSING, UNKNOWN = -2, -1


class Codes(Protocol):
    """How the names of one feature become codes."""

    def encode(self, values: Iterable[Any]) -> I64:
        """int64, a code for each value."""


class Known:
    """Codes of the names met often enough, in their order; others are UNKNOWN."""

    def __init__(self, names: Sequence[str]) -> None:
        self.names = list(names)
        self._code: Mapping[str, int] = {name: code for code, name in enumerate(self.names)}

    def encode(self, values: Iterable[Any]) -> I64:
        """int64, a code for each value; MISSING for None and NaN."""
        code = self._code.get
        texts = (value if type(value) is str else text_of(value) for value in values)
        return np.array([MISSING if text is None else code(text, UNKNOWN) for text in texts], np.int64)


class Hashed:
    """Codes of any name. The common ones may be given, so that they are hashed once."""

    def __init__(self, names: Sequence[str] = ()) -> None:
        self._code = {name: hashed_text(name) for name in names}

    def encode(self, values: Iterable[Any]) -> I64:
        """int64, a code for each value; MISSING for None and NaN."""
        found = []
        for value in values:
            text = value if type(value) is str else text_of(value)
            if text is None:
                found.append(MISSING)
                continue
            code = self._code.get(text)
            found.append(hashed_text(text) if code is None else code)
        return np.array(found, np.int64)


def hashed_text(text: str) -> int:
    """63 bits of a name's BLAKE2b hash."""
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest(), "little") >> 1


def salt_of(feature: str) -> int:
    """What a feature's codes are mixed with before they are folded, so that features don't share places."""
    return hashed_text(f"feature {feature}")


@compiled
def _mixed(value: np.uint64) -> np.uint64:
    """SplitMix64's finisher: every bit of the result depends on every bit of the value."""
    value ^= value >> np.uint64(30)
    value *= np.uint64(0xBF58476D1CE4E5B9)
    value ^= value >> np.uint64(27)
    value *= np.uint64(0x94D049BB133111EB)
    return value ^ (value >> np.uint64(31))


@compiled
def _place(code: np.int64, base: np.int64, salt: np.int64, table: int) -> np.int64:
    """Where a code lies in the table; see `placed`."""
    if table:
        mixed = _mixed(np.uint64(code) ^ _mixed(np.uint64(salt)))
        return base + np.int64(mixed % np.uint64(table))
    return base + np.int64(2) + code


@compiled
def _placed(code: I64, shown: I64, crossed: I64, base: I64, salt: I64, table: int) -> I32:
    rows, own, width = code.shape[1], len(shown), len(base)
    found = np.empty((rows, width), np.int32)
    for row in range(rows):
        for f in range(width):
            each = code[shown[f], row] if f < own else crossed[f - own, row]
            found[row, f] = _place(each, base[f], salt[f], table)
    return found


@compiled
def _placed_lists(starts: I64, code: I64, base: I64, salt: I64, table: int) -> tuple[I64, I32]:
    lists, rows = starts.shape[0], starts.shape[1] - 1
    offsets = np.zeros(rows * lists + 1, np.int64)
    found = np.empty(len(code), np.int32)
    count = 0
    for row in range(rows):
        first = np.int64(0)
        for m in range(lists):
            for at in range(first + starts[m, row], first + starts[m, row + 1]):
                found[count] = _place(code[at], base[m], salt[m], table)
                count += 1
            offsets[row * lists + m + 1] = count
            first += starts[m, rows]
    return offsets, found


def placed(code: I64, shown: I64, crossed: I64, base: I64, salt: I64, table: int) -> I32:
    """int32 [R, F]: places of the shown ones of codes int64 [C, R], and of the crossed int64 [F - shown, R].

    base, salt: int64 [F]. table 0: a code lies behind base, MISSING in front; else it is folded into so many places
    from base on, missing ones too.
    """
    return _placed(code, shown, crossed, base, salt, table)


def placed_lists(lists: Sequence[tuple[I64, I64]], base: I64, salt: I64, table: int) -> tuple[I64, I32]:
    """Offsets int64 [R * M + 1] and places int32: of R rows' M lists, those of a row side by side.

    lists: of each feature, offsets int64 [R + 1] and codes. base, salt, table: as for `placed`.
    """
    starts = np.array([start for start, _ in lists])
    return _placed_lists(starts, np.concatenate([codes for _, codes in lists]), base, salt, table)


class Crosses(NamedTuple):
    """Which codes are crossed into which, for X crosses of at most P parts.

    side, column: int32 [X, P], where a part's code stands: 0 request, 1 item, 2 row; side -1 for no further part.
    keys:    int64 [K], serialised: crosses' keys, rising within a cross. offsets: int64 [X + 1] into them; codes are
             counted within a cross. Open crosses have none, and their code is the key.
    """

    side: I32
    column: I32
    keys: I64
    offsets: I64
    hashed: bool

    def __len__(self) -> int:
        return len(self.side)

    def codes(self, chosen: I64, request: I64, item: I64, row: I64, owner: I32, index: I32, seek: bool = True) -> I64:
        """int64 [X', N]: the chosen crosses' codes of N rows; MISSING where a part is missing or unknown.

        request, item, row: int64 codes of [., B], [., I] and [., N]. seek: False gives keys before they are looked up.
        """
        found = np.empty((len(chosen), len(owner)), np.int64)
        if not len(chosen):
            return found
        look = seek and not self.hashed
        _cross(self.side, self.column, self.keys, self.offsets, chosen, request, item, row, owner, index, look, found)
        return found


@compiled
def _cross(
    side: I32,
    column: I32,
    keys: I64,
    offsets: I64,
    chosen: I64,
    request: I64,
    item: I64,
    row: I64,
    owner: I32,
    index: I32,
    seek: bool,
    found: I64,
) -> None:
    for c in range(len(chosen)):
        x = chosen[c]
        for n in range(len(owner)):
            key = np.uint64(0)
            whole = True
            for p in range(side.shape[1]):
                if side[x, p] < 0:
                    break
                if side[x, p] == 0:
                    code = request[column[x, p], owner[n]]
                elif side[x, p] == 1:
                    code = item[column[x, p], index[n]]
                else:
                    code = row[column[x, p], n]
                whole &= code >= 0
                key = _mixed((key ^ np.uint64(code)) + np.uint64(0x9E3779B97F4A7C15))
            if not whole:
                found[c, n] = MISSING
                continue
            code = np.int64(key >> np.uint64(1))
            if seek:
                start, stop = offsets[x], offsets[x + 1]
                place = start + np.searchsorted(keys[start:stop], code)
                code = place - start if place < stop and keys[place] == code else UNKNOWN
            found[c, n] = code
