"""The encoder: it turns requests and candidates into ids; the same one at fit, in replay and in the server."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt

from yoorec.batch import CandidateBatch, RequestBatch
from yoorec.features.codes import MISSING
from yoorec.features.declared import is_absent
from yoorec.features.encoded import Encoded, Layout, Side
from yoorec.features.learned import Learned
from yoorec.features.places import Places
from yoorec.features.readers import Around, item_codes, item_lists, item_numbers, side_by_side
from yoorec.features.requests import RequestLists, RequestValues
from yoorec.features.rows import RowValues, some_of

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
        catalogue = around.catalogue
        names, lists, codes = places.names["request"], places.lists["request"], places.codes
        own = [codes[each.name] for each in names]
        self._requests = RequestValues(names, own, places.numbers["request"], catalogue)
        self._request_lists = RequestLists(lists, [codes[each.name] for each in lists], catalogue)
        rows = places.numbers["row"]
        prior = np.array([learned.prior.get(each.name, np.nan) for each in rows], np.float32)
        self._rows = RowValues(places.names["row"], rows, around, prior)
        self._item, self._item_codes = self._items(around)

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

    def encode(
        self,
        requests: RequestBatch,
        candidates: CandidateBatch,
        position: I32 | None = None,
        rows: I64 | None = None,
    ) -> Encoded:
        """Ids of every candidate; none depends on other requests of the batch.

        position: int32 [N], where candidates were shown, from 0, and -1 for not; all at the first place unless given,
        as it is at serving.
        rows:     int64 [K], rising: only these candidates, encoded as they are among all.
        """
        request, asked = self._of_requests(requests)
        few, row, _ = self._of_rows(requests, candidates, asked, position, rows)
        return Encoded(few.offsets, few.item, request, self._item, row)

    def cross_keys(self, requests: RequestBatch, candidates: CandidateBatch, rows: I64 | None = None) -> I64:
        """int64 [X, N]: every cross' key, from which its codes are learned; below 0 where a part is missing.

        rows: see `encode`.
        """
        _, asked = self._of_requests(requests)
        few, _, code = self._of_rows(requests, candidates, asked, None, rows)
        return self._places.crossing.keys(asked, self._item_codes, code, few.offsets, few.item)

    def _items(self, around: Around) -> tuple[Side, I64]:
        """The side of all items, made once, and their codes int64 [C, I]."""
        places, catalogue, items = self._places, around.catalogue, len(around.catalogue.items)
        code = places.room("item", items)
        number = np.full((len(places.numbers["item"]), items), np.nan, np.float32)
        absent = {each.name for each in self.learned.features if is_absent(each, catalogue)}
        for place, each in enumerate(places.names["item"]):
            code[place] = MISSING
            if each.name not in absent:
                code[place] = item_codes(each, places.codes[each.name], catalogue)
        for place, each in enumerate(places.numbers["item"]):
            if each.name not in absent:
                number[place] = item_numbers(each, catalogue)
        none = np.zeros(items + 1, np.int64), np.empty(0, np.int64)
        lists = [
            none if each.name in absent else item_lists(each, places.codes[each.name], catalogue)
            for each in places.lists["item"]
        ]
        one = np.arange(items, dtype=np.int32)
        return places.side("item", code, number, side_by_side(lists), code, code, np.arange(len(one) + 1), one), code

    def _of_requests(self, requests: RequestBatch) -> tuple[Side, I64]:
        """The side of requests, and their codes int64 [C, B]."""
        code = self._places.room("request", len(requests))
        number, lists = self._requests.read(requests, code), self._request_lists.read(requests)
        one = np.arange(len(requests), dtype=np.int32)
        return self._places.side("request", code, number, lists, code, code, np.arange(len(one) + 1), one), code

    def _of_rows(
        self, requests: RequestBatch, candidates: CandidateBatch, asked: I64, position: I32 | None, rows: I64 | None
    ) -> tuple[CandidateBatch, Side, I64]:
        """The candidates wanted, their side, and their codes int64 [C, N]. asked: those of the requests."""
        few, standing = (candidates, None) if rows is None else some_of(candidates, rows)
        if rows is not None and position is not None:
            position = position[rows]
        code = self._places.room("row", len(few.item))
        number = self._rows.read(requests, few, code, position, standing)
        side = self._places.side("row", code, number, _NO_LISTS, asked, self._item_codes, few.offsets, few.item)
        return few, side, code


_NO_LISTS = np.zeros(1, np.int64), np.empty(0, np.int64)
