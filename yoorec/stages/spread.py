"""Exposure rule `spread`: neighbours kept apart."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from yoorec.batch import CandidateBatch, RequestBatch
from yoorec.components import ExposureContext
from yoorec.ragged import compiled, item_marks, take_rows
from yoorec.stages.configs import SpreadConfig

if TYPE_CHECKING:
    from yoorec.data.catalogue import Catalogue

__all__ = ["Spread"]


@compiled
def _spread(
    offsets: npt.NDArray[np.int64],
    item: npt.NDArray[np.int32],
    codes: npt.NDArray[np.int32],
    most: int,
    window: int,
    marks: npt.NDArray[np.int64],
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    size = len(offsets) - 1
    out_offsets = np.zeros(size + 1, np.int64)
    rows = np.empty(len(item), np.int64)
    longest = 0
    for b in range(size):
        longest = max(longest, offsets[b + 1] - offsets[b])
    value = np.empty(longest, np.int64)  # of each row of the request, numbered from 0 within the request; -1 none
    following = np.empty(longest, np.int64)  # the next postponed row of the same value
    head = np.empty(longest, np.int64)  # the first postponed row of each value, -1 none
    tail = np.empty(longest, np.int64)
    inside = np.empty(longest, np.int64)  # rows of each value within the window
    count = 0
    for b in range(size):
        start, n = offsets[b], offsets[b + 1] - offsets[b]
        base = marks[0]
        values = 0
        for i in range(n):
            code = codes[item[start + i]]
            value[i] = -1
            if code >= 0:
                if marks[code + 1] < base:
                    marks[code + 1] = base + values
                    head[values] = -1
                    inside[values] = 0
                    values += 1
                value[i] = marks[code + 1] - base
        marks[0] = base + values + 1
        first = count
        walked = 0
        while True:
            taken = -1
            if count - first >= window:
                # Only the value that leaves the window can have become free, and its postponed rows stand
                # before every row not walked yet.
                left = value[rows[count - window] - start]
                if left >= 0:
                    inside[left] -= 1
                    if head[left] >= 0:
                        taken = head[left]
                        head[left] = following[taken]
            while taken < 0 and walked < n:
                i = walked
                walked += 1
                v = value[i]
                if v < 0 or inside[v] < most:
                    taken = i
                elif head[v] < 0:
                    head[v] = tail[v] = i
                    following[i] = -1
                else:
                    following[tail[v]] = i
                    tail[v] = i
                    following[i] = -1
            if taken < 0:
                break
            if value[taken] >= 0:
                inside[value[taken]] += 1
            rows[count] = start + taken
            count += 1
        out_offsets[b + 1] = count
    return rows[:count], out_offsets


class Spread:
    """Any `window` places in a row hold at most `max` items of one value of the column `by`.

    The list is built place by place: each place takes the best item not yet in the list whose value stands
    fewer than `max` times in the `window - 1` places before. An item that does not fit is thus postponed
    until it does. Where nothing that is left fits, the list ends, and what is left is removed, so that
    `backfill` can act. The list never depends on how many of its places are wanted. Items without a value
    clash with none.

    note: what a report should say of the rule, or "".
    """

    def __init__(self, config: SpreadConfig, catalogue: Catalogue) -> None:
        self.note = ""
        if config.optional and config.by not in catalogue.item_columns.column_names:
            self.note = f"left out: no item has the column '{config.by}'"
            self._values = 0
            return
        codes, values = catalogue.item_codes(config.by)
        self._codes = np.array(codes, np.int32)  # a copy: arrow's is read-only, which would compile the kernel anew
        self._values = len(values)
        self._max = config.max
        self._window = config.window

    def apply(self, requests: RequestBatch, ranked: CandidateBatch, context: ExposureContext) -> CandidateBatch:
        """The rows that fit, in their new order."""
        if not self._values:
            return ranked
        rows, offsets = _spread(
            ranked.offsets, ranked.item, self._codes, self._max, self._window, item_marks(self._values)
        )
        return take_rows(ranked, rows, offsets)
