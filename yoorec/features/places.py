"""Places: where each feature's codes lie in the one table, and the layout that a model is built by."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple, get_args

import numpy as np
import numpy.typing as npt

from yoorec.features.codes import CONTEXT_CODES, MISSING, Codes, Folded, Hashed, Known, place_of, salt_of
from yoorec.features.columns import text_of
from yoorec.features.crosses import Crosses, cross_keys, seek
from yoorec.features.declared import Declared, Part
from yoorec.features.encoded import Columns, Layout, Side
from yoorec.features.learned import Learned
from yoorec.features.numbers import cut
from yoorec.ragged import compiled

__all__ = ["PARTS", "Places"]

F32 = npt.NDArray[np.float32]
I32 = npt.NDArray[np.int32]
I64 = npt.NDArray[np.int64]

PARTS: tuple[Part, ...] = get_args(Part)


class _Form(NamedTuple):
    """How a side's codes and numbers become its places and values.

    default: int64 [C], what stands for a missing name; other: float32 [V], for a missing number, or NaN.
    edges, starts: of the numbers' ranges, see `cut`. column: int64 [V], a number's among the values, -1 for none.
    alone: how many of the codes are features themselves.
    lies: int64 [F, 3], of each code that is a feature itself, and then of each of the side's crosses: which code or
    cross it is, its first place, its salt. listed: int64 [M, 2], first place and salt of the lists.
    """

    default: I64
    other: F32
    edges: F32
    starts: I64
    column: I64
    alone: int
    lies: I64
    listed: I64


class Places:
    """The table of ids, and how a side's codes become places of it.

    Serialised, each feature has places of its own: one for missing, one for unknown, then one a code. Open, all names
    and ranges are hashed, each feature with a salt of its own, into one part of the table, and crosses into another.

    names, numbers, lists: each side's features by form; codes of names, then of numbers, are rows of one matrix.
    codes: how the names of a feature become codes. crossing: the crosses.
    """

    def __init__(self, learned: Learned) -> None:
        self.names = {side: _of(learned, side, "names") for side in PARTS}
        self.numbers = {side: _of(learned, side, "numbers") for side in PARTS}
        self.lists = {side: _of(learned, side, "lists") for side in PARTS}
        self.codes = {each.name: _codes_of(each, learned) for each in learned.features if each.form != "numbers"}
        hashed = learned.ids == "open"
        self._table = learned.table if hashed else 0
        base: dict[str, int] = {}
        after = 1
        for each in learned.features:
            if not each.hidden:
                base[each.name] = 1 if hashed else after
                after += 2 + _count(each, learned)
        embedded = after = 1 + learned.table if hashed else after
        for cross, keys in zip(learned.crosses, learned.cross_keys, strict=True):
            base[cross.name] = after
            after += 0 if hashed else 2 + len(keys)
        size = embedded + learned.table if hashed else after
        crosses, self.crossing = self._crossed(learned)
        self._forms: dict[str, _Form] = {}
        columns: dict[str, Columns] = {}
        for side in PARTS:
            singles = (*self.names[side], *self.numbers[side])
            shown = [n for n, each in enumerate(singles) if not each.hidden]
            ids = tuple(singles[n].name for n in shown)
            crossed = tuple(learned.crosses[x].name for x in crosses[side])
            lists = tuple(each.name for each in self.lists[side])
            values = tuple(each.name for each in self.numbers[side] if not each.hidden)
            columns[side] = Columns((*ids, *crossed), values, lists, len(ids))
            edges = [learned.edges[each.name] for each in self.numbers[side]]
            self._forms[side] = _Form(
                np.array([_default(self.codes[each.name], each) for each in self.names[side]], np.int64),
                np.array([_other(each) for each in self.numbers[side]], np.float32),
                np.concatenate([np.empty(0, np.float32), *edges]),
                np.cumsum([0, *map(len, edges)]).astype(np.int64),
                np.array([values.index(e.name) if not e.hidden else -1 for e in self.numbers[side]], np.int64),
                len(shown),
                _lies([*shown, *crosses[side]], columns[side].id, base),
                _lies(range(len(lists)), lists, base)[:, 1:].copy(),
            )
        self.layout = Layout(columns["request"], columns["item"], columns["row"], size, embedded)

    def room(self, side: Part, rows: int) -> I64:
        """int64 [C, rows], for the codes of a side's names, which come first, and of its numbers."""
        return np.empty((len(self.names[side]) + len(self.numbers[side]), rows), np.int64)

    def side(
        self,
        side: Part,
        code: I64,
        number: F32,
        lists: tuple[I64, I64],
        request: I64,
        item: I64,
        owned: I64,
        index: I32,
    ) -> Side:
        """A side's names, numbers and lists as places of the table, its crosses behind them.

        code: int64 [C, R], the side's own, its names filled in; those of numbers are filled here, and defaults.
        number: float32 [V, R]. lists: offsets int64 [R * M + 1] and codes, those of a row side by side.
        request, item: int64, those sides' codes, for crosses. owned: int64 [B + 1], request b has rows
        ``owned[b]:owned[b + 1]``. index: int32 [R], the item of each row.
        """
        offsets, each = lists
        form, crossing = self._forms[side], self.crossing
        ids, values, many = _filled(
            *form, self._table, code, number, offsets, each, *crossing, request, item, owned, index
        )
        return Side(ids, values, offsets, many)

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
        found = {side: np.array(chosen, np.int64) for side, chosen in by_side.items()}
        return found, Crosses.of(sides, columns, learned.cross_keys, learned.ids == "open")


@compiled
def _place(code: I64, base: np.int64, salt: np.int64, table: int, found: I32) -> None:
    """Fill int32 [R] by the places of codes int64 [R]."""
    if table:
        for row in range(len(code)):
            found[row] = place_of(code[row], base, salt, table)
    else:
        for row in range(len(code)):
            found[row] = place_of(code[row], base, salt, 0)


@compiled
def _filled(
    default: I64,
    other: F32,
    edges: F32,
    starts: I64,
    column: I64,
    alone: int,
    lies: I64,
    listed: I64,
    table: int,
    code: I64,
    number: F32,
    offsets: I64,
    each: I64,
    side: I32,
    part: I32,
    slots: I64,
    slot: I64,
    slot_code: I64,
    request: I64,
    item: I64,
    owned: I64,
    index: I32,
) -> tuple[I32, F32, I32]:
    rows, names, lists = code.shape[1], len(default), len(listed)
    for f in range(names):
        if default[f] != MISSING:
            for row in range(rows):
                if code[f, row] == MISSING:
                    code[f, row] = default[f]
    values = 0
    for v in range(len(other)):
        values += column[v] >= 0
        if not np.isnan(other[v]):
            for row in range(rows):
                if np.isnan(number[v, row]):
                    number[v, row] = other[v]
    value = np.empty((rows, values), np.float32)
    cut(edges, starts, number, code[names:], column, value)
    found = np.empty((rows, len(lies)), np.int32)
    crossed = np.empty(rows, np.int64)
    for f in range(len(lies)):
        n, base, salt = lies[f]
        if f < alone:
            _place(code[n], base, salt, table, found[:, f])
        else:
            cross_keys(side, part, n, request, item, code, owned, index, crossed)
            seek(slots, slot, slot_code, n, crossed)
            _place(crossed, base, salt, table, found[:, f])
    many = np.empty(len(each), np.int32)
    for place in range(len(offsets) - 1 if lists else 0):
        m = place % lists
        for at in range(offsets[place], offsets[place + 1]):
            many[at] = place_of(each[at], listed[m, 0], listed[m, 1], table)
    return found, value, many


def _of(learned: Learned, side: Part, form: str) -> list[Declared]:
    return [each for each in learned.features if each.side == side and each.form == form]


def _lies(chosen: Iterable[int], names: Sequence[str], base: Mapping[str, int]) -> I64:
    """int64 [F, 3]: what is chosen, and its feature's first place and salt."""
    found = [(n, base[name], salt_of(name)) for n, name in zip(chosen, names, strict=True)]
    return np.array(found, np.int64).reshape(-1, 3)


def _count(feature: Declared, learned: Learned) -> int:
    """How many codes a feature has, serialised."""
    if feature.form == "numbers":
        return len(learned.edges[feature.name]) + 1
    if feature.of.table == "context":
        return CONTEXT_CODES[feature.of.word]
    if feature.of.table == "trigger":
        return 2
    return feature.feature.hash or len(learned.names.get(feature.name, ()))


def _codes_of(feature: Declared, learned: Learned) -> Codes:
    """How the feature's names become codes; whole numbers are their own."""
    if feature.of.table in ("context", "trigger"):
        return Known(())
    if learned.ids == "open":
        return Hashed()
    return Folded(feature.feature.hash) if feature.feature.hash else Known(learned.names.get(feature.name, ()))


def _default(codes: Codes, feature: Declared) -> int:
    """The code that stands for a missing name."""
    default = feature.feature.default
    if default is None:
        return MISSING
    return int(default) if feature.of.table == "context" else int(codes.encode([text_of(default)])[0])


def _other(feature: Declared) -> float:
    """What stands for a missing number."""
    default = feature.feature.default
    return float("nan") if default is None else float(default)
