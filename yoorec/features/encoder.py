"""The encoder: it turns requests and candidates into ids; the same one at fit, in replay and in the server."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from yoorec.batch import CandidateBatch, RequestBatch
from yoorec.features.codes import MISSING, Codes, Hashed, Known
from yoorec.features.columns import text_of
from yoorec.features.declared import Declared, Part, is_absent
from yoorec.features.encoded import Encoded, Layout, Side
from yoorec.features.learned import Learned
from yoorec.features.numbers import Ranges
from yoorec.features.places import HIGHEST_POSITION, PARTS, Places
from yoorec.features.readers import (
    Around,
    RowNumbers,
    item_codes,
    item_lists,
    item_numbers,
    request_lists,
    request_names,
    request_numbers,
)

__all__ = ["Encoder"]

F32 = npt.NDArray[np.float32]
I32 = npt.NDArray[np.int32]
I64 = npt.NDArray[np.int64]


class Encoder:
    """Learned features bound to the data there is. `yoorec.features.learning.learn` makes one from samples.

    A column that is gone, or a trigger, is missing everywhere.
    """

    def __init__(self, learned: Learned, around: Around) -> None:
        self.learned = learned
        self._places = places = Places(learned)
        self._absent = {each.name for each in learned.features if is_absent(each, around.catalogue)}
        self._codes = {each.name: _codes_of(each, learned) for each in learned.features if each.form != "numbers"}
        self._fill = {
            name: _filled(self._codes[name], each) for each in learned.features if (name := each.name) in self._codes
        }
        self._ranges = {side: self._ranges_of(places.numbers[side]) for side in PARTS}
        self._defaults = {side: _defaults(places.numbers[side]) for side in PARTS}
        self._values = {side: _values(places.numbers[side]) for side in PARTS}
        catalogue = around.catalogue
        self._request_names = [
            self._made(each, request_names, _no_codes, catalogue) for each in places.names["request"]
        ]
        self._request_numbers = [
            _no_numbers if each.name in self._absent else request_numbers(each, catalogue)
            for each in places.numbers["request"]
        ]
        self._request_lists = [
            self._made(each, request_lists, _no_lists, catalogue) for each in places.lists["request"]
        ]
        rows = places.numbers["row"]
        prior = np.array([learned.prior.get(each.name, np.nan) for each in rows], np.float32)
        self._row_numbers = RowNumbers(rows, around, prior)
        self._item_codes, self._item = self._items(around)

    @property
    def layout(self) -> Layout:
        """The features by side, and the size of the table that ids are places of."""
        return self._places.layout

    @property
    def items(self) -> Side:
        """The side of all items, the same in everything encoded."""
        return self._item

    def save(self, folder: Path) -> None:
        """Write what was learned."""
        self.learned.save(folder)

    @classmethod
    def load(cls, folder: Path, around: Around) -> Encoder:
        """Read back what `save` wrote, and bind it to the data there is now.

        Raises ArtifactError naming a feature whose column holds something else than it learned from.
        """
        return cls(Learned.load(folder, around.catalogue), around)

    def encode(self, requests: RequestBatch, candidates: CandidateBatch, position: I32 | None = None) -> Encoded:
        """Ids of every candidate; none depends on other requests of the batch.

        position: int32 [N], where candidates were shown, from 0, and -1 for not; all at the first place unless given,
        as it is at serving.
        """
        request_code, value = self._of_requests(requests)
        lists = [read(requests) for read in self._request_lists]
        nobody = np.arange(len(requests), dtype=np.int32)
        request = self._side("request", request_code, request_code, _NONE, _NONE, nobody, nobody, value, lists)
        owner = _owner(candidates)
        code, value = self._of_rows(requests, candidates, owner, position)
        row = self._side("row", code, request_code, self._item_codes, code, owner, candidates.item, value, [])
        return Encoded(candidates.offsets, candidates.item, request, self._item, row)

    def cross_keys(self, requests: RequestBatch, candidates: CandidateBatch) -> I64:
        """int64 [X, N]: every cross' key, from which its codes are learned; below 0 where a part is missing."""
        owner = _owner(candidates)
        request, _ = self._of_requests(requests)
        row, _ = self._of_rows(requests, candidates, owner, None)
        crossing = self._places.crossing
        chosen = np.arange(len(crossing))
        return crossing.codes(chosen, request, self._item_codes, row, owner, candidates.item, seek=False)

    def _items(self, around: Around) -> tuple[I64, Side]:
        """Codes int64 [C, I] of all items, and their side, made once."""
        catalogue, items = around.catalogue, len(around.catalogue.items)
        code = self._unfilled("item", items)
        for place, each in enumerate(self._places.names["item"]):
            code[place] = MISSING
            if each.name not in self._absent:
                code[place] = self._with_default(each, item_codes(each, self._codes[each.name], catalogue))
        number = np.full((len(self._places.numbers["item"]), items), np.nan, np.float32)
        for place, each in enumerate(self._places.numbers["item"]):
            if each.name not in self._absent:
                number[place] = item_numbers(each, catalogue)
        lists = [
            (np.zeros(items + 1, np.int64), _NONE.ravel())
            if each.name in self._absent
            else item_lists(each, self._codes[each.name], catalogue)
            for each in self._places.lists["item"]
        ]
        value = self._cut("item", number, code)
        one = np.arange(items, dtype=np.int32)
        return code, self._side("item", code, _NONE, code, _NONE, one, one, value, lists)

    def _of_requests(self, requests: RequestBatch) -> tuple[I64, F32]:
        """Codes int64 [C, B] and values float32 [B, V] of requests."""
        code = self._unfilled("request", len(requests))
        for place, (each, read) in enumerate(zip(self._places.names["request"], self._request_names, strict=True)):
            code[place] = self._with_default(each, read(requests))
        number = np.empty((len(self._request_numbers), len(requests)), np.float32)
        for place, column in enumerate(self._request_numbers):
            number[place] = column(requests)
        return code, self._cut("request", number, code)

    def _of_rows(
        self, requests: RequestBatch, candidates: CandidateBatch, owner: I32, position: I32 | None
    ) -> tuple[I64, F32]:
        """Codes int64 [C, N] and values float32 [N, V] of candidates."""
        code = self._unfilled("row", len(owner))
        for place, each in enumerate(self._places.names["row"]):
            code[place] = 0
            if each.of.table == "trigger":
                if each.of.trigger in candidates.sources and candidates.source_rank is not None:
                    code[place] = candidates.source_rank[:, candidates.sources.index(each.of.trigger)] >= 0
            elif position is not None:
                code[place] = np.where(position < 0, MISSING, np.minimum(position, HIGHEST_POSITION))
        return code, self._cut("row", self._row_numbers.read(requests, candidates, owner), code)

    def _unfilled(self, side: Part, rows: int) -> I64:
        """int64 [C, rows], for the codes of a side's names and, behind them, of its numbers."""
        return np.empty((len(self._places.names[side]) + len(self._places.numbers[side]), rows), np.int64)

    def _cut(self, side: Part, number: F32, code: I64) -> F32:
        """Fill a side's codes int64 [C, R] by numbers float32 [V, R]; values float32 of those shown, by row."""
        for place, default in self._defaults[side]:
            column = number[place]
            column[np.isnan(column)] = default
        value = self._ranges[side].read(number, code[len(code) - len(number) :])
        shown = self._values[side]
        return value if len(shown) == len(number) else np.ascontiguousarray(value[:, shown])

    def _side(
        self,
        side: Part,
        code: I64,
        request: I64,
        item: I64,
        row: I64,
        owner: I32,
        index: I32,
        value: F32,
        lists: Sequence[tuple[I64, I64]],
    ) -> Side:
        """A side's codes as places of the table, its crosses behind them.

        code: int64 [C, R], the side's own. request, item, row: every side's, for crosses. owner, index: int32 [R],
        the request and the item of each of the side's R rows.
        """
        crosses = self._places.crosses[side]
        crossed = self._places.crossing.codes(crosses, request, item, row, owner, index)
        offsets, many = self._places.of_lists(side, lists)
        return Side(self._places.of_codes(side, code, crossed), value, offsets, many)

    def _made(
        self, feature: Declared, make: Callable[..., Any], none: Callable[..., Any], catalogue: Any
    ) -> Callable[..., Any]:
        """A reader of a request's names or lists; `none` where there is no such column."""
        found: Callable[..., Any] = none
        if feature.name not in self._absent:
            found = make(feature, self._codes[feature.name], catalogue)
        return found

    def _with_default(self, feature: Declared, code: I64) -> I64:
        fill = self._fill[feature.name]
        return code if fill == MISSING else np.where(code == MISSING, fill, code)

    def _ranges_of(self, features: Sequence[Declared]) -> Ranges:
        edges = [self.learned.edges[each.name] for each in features]
        offsets = np.cumsum([0, *(len(each) for each in edges)]).astype(np.int64)
        return Ranges(np.concatenate([np.empty(0, np.float32), *edges]), offsets)


_NONE = np.empty((0, 0), np.int64)


def _owner(candidates: CandidateBatch) -> I32:
    return np.repeat(np.arange(len(candidates), dtype=np.int32), candidates.lengths)


def _defaults(features: Sequence[Declared]) -> list[tuple[int, Any]]:
    """What stands for a missing number, by place."""
    given = [(place, each.feature.default) for place, each in enumerate(features)]
    return [(place, default) for place, default in given if default is not None]


def _values(features: Sequence[Declared]) -> list[int]:
    """Which numbers are features themselves; others are only crossed."""
    return [place for place, each in enumerate(features) if not each.hidden]


def _no_codes(requests: RequestBatch) -> I64:
    return np.full(len(requests), MISSING, np.int64)


def _no_numbers(requests: RequestBatch) -> F32:
    return np.full(len(requests), np.nan, np.float32)


def _no_lists(requests: RequestBatch) -> tuple[I64, I64]:
    return np.zeros(len(requests) + 1, np.int64), np.empty(0, np.int64)


def _codes_of(feature: Declared, learned: Learned) -> Codes:
    """How the feature's names become codes; whole numbers are their own."""
    if feature.of.table in ("context", "trigger"):
        return Known(())
    return Hashed() if learned.ids == "open" else Known(learned.names.get(feature.name, ()))


def _filled(codes: Codes, feature: Declared) -> int:
    """The code that stands for a missing name."""
    default = feature.feature.default
    if default is None:
        return MISSING
    return int(default) if feature.of.table == "context" else int(codes.encode([text_of(default)])[0])
