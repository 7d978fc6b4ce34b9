"""Codes: whole numbers that stand for a feature's values, and the places of the one table that codes become.

A code is 0 or above; MISSING and UNKNOWN are below. Serialised codes count the names met in the samples; open ones are
63 bits of a hash of the name, so that no list of names is kept.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from yoorec.features.columns import text_of
from yoorec.ragged import compiled

__all__ = [
    "CONTEXT_CODES",
    "HIGHEST_POSITION",
    "MISSING",
    "NO_CODES",
    "UNKNOWN",
    "Codes",
    "Folded",
    "Hashed",
    "Known",
    "hashed_text",
    "mixed",
    "place_of",
    "salt_of",
]

I64 = npt.NDArray[np.int64]

MISSING, UNKNOWN = -2, -1
HIGHEST_POSITION = 99
"""Positions from there on are one."""
CONTEXT_CODES = {"hour": 24, "weekday": 7, "position": HIGHEST_POSITION + 1}
"""Codes of what of the context is names: whole numbers, which are their own."""
NO_CODES = np.empty((0, 0), np.int64)
"""To be filled where only numbers are read."""


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
        return np.array([code(each, UNKNOWN) if type(each) is str else self._other(each) for each in values], np.int64)

    def _other(self, value: Any) -> int:
        text = text_of(value)
        return MISSING if text is None else self._code.get(text, UNKNOWN)


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


class Folded(Hashed):
    """Codes of any name, folded into so many."""

    def __init__(self, places: int) -> None:
        super().__init__()
        self._places = places

    def encode(self, values: Iterable[Any]) -> I64:
        """int64, a code below the number of places for each value; MISSING for None and NaN."""
        found = super().encode(values)
        return np.where(found < 0, found, found % self._places)


def hashed_text(text: str) -> int:
    """63 bits of a name's BLAKE2b hash."""
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest(), "little") >> 1


def salt_of(feature: str) -> int:
    """What a feature's codes are mixed with before they are folded, so that features don't share places."""
    return hashed_text(f"feature {feature}")


@compiled
def mixed(value: np.uint64) -> np.uint64:
    """SplitMix64's finisher: every bit of the result depends on every bit of the value."""
    value ^= value >> np.uint64(30)
    value *= np.uint64(0xBF58476D1CE4E5B9)
    value ^= value >> np.uint64(27)
    value *= np.uint64(0x94D049BB133111EB)
    return value ^ (value >> np.uint64(31))


@compiled
def place_of(code: np.int64, base: np.int64, salt: np.int64, table: int) -> np.int64:
    """Where a code lies in the table.

    table 0: behind base, MISSING and UNKNOWN in front; else it is folded into so many places from base on, those too.
    """
    if table:
        folded = mixed(np.uint64(code) ^ mixed(np.uint64(salt)))
        return base + np.int64(folded % np.uint64(table))
    return base + np.int64(2) + code
