"""Places: where each feature's codes lie in the one table, and the layout that a model is built by."""

from __future__ import annotations

from collections.abc import Sequence
from typing import get_args

import numpy as np
import numpy.typing as npt

from yoorec.features.codes import Crosses, placed, placed_lists, salt_of
from yoorec.features.declared import Declared, Part
from yoorec.features.encoded import Columns, Layout
from yoorec.features.learned import Learned

__all__ = ["HIGHEST_POSITION", "PARTS", "Places"]

I32 = npt.NDArray[np.int32]
I64 = npt.NDArray[np.int64]

PARTS: tuple[Part, ...] = get_args(Part)
HIGHEST_POSITION = 99
"""Positions from there on are one."""


class Places:
    """The table of ids, and how a side's codes become places of it.

    Serialised, each feature has places of its own: one for missing, one for unknown, then one a code. Open, all names
    and ranges are hashed, each feature with a salt of its own, into one part of the table, and crosses into another.

    names, numbers, lists: each side's features by form; codes of names, then of numbers, are rows of one matrix.
    shown: int64, which of those rows are features themselves; others are only crossed. crosses: int64, by side,
    which of the crosses belong to it.
    """

    def __init__(self, learned: Learned) -> None:
        self.names = {side: _of(learned, side, "names") for side in PARTS}
        self.numbers = {side: _of(learned, side, "numbers") for side in PARTS}
        self.lists = {side: _of(learned, side, "lists") for side in PARTS}
        self._hashed = learned.ids == "open"
        self._table = learned.table
        base: dict[str, int] = {}
        after = 1
        for each in learned.features:
            if not each.hidden:
                base[each.name] = 1 if self._hashed else after
                after += 2 + _count(each, learned)
        embedded = after = 1 + learned.table if self._hashed else after
        for cross, keys in zip(learned.crosses, learned.cross_keys, strict=True):
            base[cross.name] = after
            after += 0 if self._hashed else 2 + len(keys)
        size = embedded + learned.table if self._hashed else after
        self.crosses, self.crossing = self._crossed(learned)
        self.shown: dict[str, I64] = {}
        self._single: dict[str, tuple[I64, I64]] = {}
        self._listed: dict[str, tuple[I64, I64]] = {}
        columns: dict[str, Columns] = {}
        for side in PARTS:
            singles = (*self.names[side], *self.numbers[side])
            self.shown[side] = np.array([n for n, each in enumerate(singles) if not each.hidden], np.int64)
            ids = tuple(each.name for each in singles if not each.hidden)
            crossed = tuple(learned.crosses[x].name for x in self.crosses[side])
            lists = tuple(each.name for each in self.lists[side])
            values = tuple(each.name for each in self.numbers[side] if not each.hidden)
            columns[side] = Columns((*ids, *crossed), values, lists, len(ids))
            self._single[side], self._listed[side] = _lies(columns[side].id, base), _lies(lists, base)
        self.layout = Layout(columns["request"], columns["item"], columns["row"], size, embedded)

    def of_codes(self, side: Part, code: I64, crossed: I64) -> I32:
        """int32 [R, S]: places of those of a side's codes int64 [C, R] that are shown, and then of its crosses'."""
        return placed(code, self.shown[side], crossed, *self._single[side], self._table if self._hashed else 0)

    def of_lists(self, side: Part, lists: Sequence[tuple[I64, I64]]) -> tuple[I64, I32]:
        """Offsets int64 [R * M + 1] and places int32 of a side's M lists, given as offsets int64 [R + 1] and codes."""
        if not lists:
            return np.zeros(1, np.int64), np.empty(0, np.int32)
        return placed_lists(lists, *self._listed[side], self._table if self._hashed else 0)

    def _crossed(self, learned: Learned) -> tuple[dict[str, I64], Crosses]:
        """Which crosses belong to which side, and where their parts' codes stand."""
        place = {
            each.name: (number, column)
            for number, side in enumerate(PARTS)
            for column, each in enumerate((*self.names[side], *self.numbers[side]))
        }
        by_side: dict[str, list[int]] = {side: [] for side in PARTS}
        width = max((len(cross.parts) for cross in learned.crosses), default=1)
        sides = np.full((len(learned.crosses), width), -1, np.int32)
        columns = np.zeros((len(learned.crosses), width), np.int32)
        for x, cross in enumerate(learned.crosses):
            for p, part in enumerate(cross.parts):
                sides[x, p], columns[x, p] = place[part]
            of = {place[part][0] for part in cross.parts}
            by_side[PARTS[of.pop()] if len(of) == 1 else "row"].append(x)
        offsets = np.cumsum([0, *(len(keys) for keys in learned.cross_keys)]).astype(np.int64)
        keys = np.concatenate([np.empty(0, np.int64), *learned.cross_keys])
        found = {side: np.array(chosen, np.int64) for side, chosen in by_side.items()}
        return found, Crosses(sides, columns, keys, offsets, self._hashed)


def _of(learned: Learned, side: Part, form: str) -> list[Declared]:
    return [each for each in learned.features if each.side == side and each.form == form]


def _lies(names: Sequence[str], base: dict[str, int]) -> tuple[I64, I64]:
    """Each feature's first place and its salt, int64 [F]."""
    return np.array([base[name] for name in names], np.int64), np.array([salt_of(name) for name in names], np.int64)


def _count(feature: Declared, learned: Learned) -> int:
    """How many codes a feature has, serialised."""
    if feature.form == "numbers":
        return len(learned.edges[feature.name]) + 1
    if feature.of.table == "context":
        return {"hour": 24, "weekday": 7}.get(feature.of.word, HIGHEST_POSITION + 1)
    if feature.of.table == "trigger":
        return 2
    return len(learned.names.get(feature.name, ()))
