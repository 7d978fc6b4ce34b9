"""Counters: what happened to each item by the hour, read as of a request's time."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from yoorec.artifacts.arrays import load_arrays, save_arrays
from yoorec.errors import ArtifactError, nearest
from yoorec.ragged import compiled

if TYPE_CHECKING:
    from yoorec.data.catalogue import Catalogue
    from yoorec.data.log import EventLog

__all__ = ["COMPLETED", "HOUR_MS", "Counters", "Statistic", "durations"]

F32 = npt.NDArray[np.float32]
I32 = npt.NDArray[np.int32]
I64 = npt.NDArray[np.int64]

HOUR_MS = 3_600_000
COMPLETED = 0.9
"""Share of an item's length that a play must reach to count as complete."""
_WATCHED, _COMPLETED = "(watched)", "(completed)"
_STRENGTH = 20.0
"""Trials at the common rate that every rate starts with, so that few events say little."""


class Statistic(NamedTuple):
    """One figure of an item before a request: a count, or a rate where `below` says of what.

    above, below: columns of the counters, -1 for no `below`. hours: how far back, 0 for everything.
    """

    above: int
    below: int
    hours: int


class Counters:
    """Events of each item by the hour.

    events:  names of the C columns: event types, then what the rates need.
    offsets: int64 [I + 1], item i owns hours ``offsets[i]:offsets[i + 1]``.
    hour:    int32 [K], hours since the epoch in which something happened, rising within an item.
    count:   int32 [K + 1, C], what happened up to and with that hour, from the item's first on; row 0 is zeros.

    A request in hour h is told of hours below h, so only of what is strictly earlier.
    """

    def __init__(self, events: Sequence[str], offsets: I64, hour: I32, count: I32) -> None:
        self.events = tuple(events)
        self.offsets, self.hour, self.count = offsets, hour, count

    @classmethod
    def build(cls, log: EventLog) -> Counters:
        """Count a log's events; plays with a known `watch_s` of items with a known length also by completion."""
        items = len(log.catalogue.items)
        hour = log.time // HOUR_MS
        length = durations(log.catalogue)[log.item]
        watched = (log.weight > 0) & np.isfinite(log.watch_s) & (length > 0)
        done = watched & (log.watch_s >= COMPLETED * length)
        order = np.lexsort((hour, log.item))
        item, hour = log.item[order], hour[order]
        first = np.ones(len(item), np.bool_)
        first[1:] = (item[1:] != item[:-1]) | (hour[1:] != hour[:-1])
        starts = np.flatnonzero(first)
        columns = [*(log.event == code for code in range(len(log.events))), watched, done]
        count = np.zeros((len(starts) + 1, len(columns)), np.int32)
        offsets = np.zeros(items + 1, np.int64)
        np.cumsum(np.bincount(item[starts], minlength=items), out=offsets[1:])
        if len(starts):
            for place, column in enumerate(columns):
                total = np.cumsum(np.add.reduceat(column[order].astype(np.int64), starts))
                before = np.append(0, total)[offsets[:-1]]
                count[1:, place] = total - before[item[starts]]
        names = (*log.events, _WATCHED, _COMPLETED)
        return cls(names, offsets, hour[starts].astype(np.int32), count)

    def save(self, folder: Path) -> None:
        """Write the arrays."""
        names = np.array(self.events, dtype=np.str_)
        save_arrays(folder, events=names, offsets=self.offsets, hour=self.hour, count=self.count)

    @classmethod
    def load(cls, folder: Path) -> Counters:
        """Read back what `save` wrote."""
        events, offsets, hour, count = load_arrays(folder, "events", "offsets", "hour", "count")
        if count.shape != (len(hour) + 1, len(events)):
            raise ArtifactError(f"{folder / 'count.npy'}: {count.shape}, expected ({len(hour) + 1}, {len(events)})")
        return cls(events.tolist(), offsets, hour, count)

    def statistic(self, word: str, hours: int) -> Statistic:
        """The statistic that a word behind `stat.` stands for, over the last `hours`, 0 for all.

        Raises ValueError listing what there is.
        """
        types = self.events[:-2]
        if word == "completion":
            return Statistic(len(types) + 1, len(types), hours)
        event = word.removesuffix("_rate")
        shown = "impression" if "impression" in types else None
        if word in types:
            return Statistic(types.index(word), -1, hours)
        if event != word and event in types and shown is not None:
            return Statistic(types.index(event), types.index(shown), hours)
        there = (*types, *(f"{each}_rate" for each in types if shown and each != shown), "completion", "age")
        close = nearest(word, there)
        raise ValueError(
            f"no '{word}' in 'stat'{f'; nearest: {close}' if close else ''}; there are: {', '.join(there)}"
        )

    def read(self, statistics: I32, prior: F32, offsets: I64, item: I32, time: I64, place: I64, found: F32) -> None:
        """Fill rows `place` int64 [F] of float32 [V, N]: a statistic of every candidate's item before its request.

        statistics: int32 [F, 3], as `Statistic`, quickest where those of one window stand together. prior: float32 [F],
        the common rate that rates are drawn to; NaN leaves them as they are. item: int32 [N], of request b in
        ``offsets[b]:offsets[b + 1]``. time: int64 [B], ms. NaN for a rate of nothing; items unknown here count 0.
        """
        _read(self.offsets, self.hour, self.count, statistics, prior, offsets, item, time, place, found)


@compiled
def _read(
    starts: I64,
    hour: I32,
    count: I32,
    statistics: I32,
    prior: F32,
    offsets: I64,
    item: I32,
    time: I64,
    place: I64,
    found: F32,
) -> None:
    items = len(starts) - 1
    for b in range(len(offsets) - 1):
        now = time[b] // HOUR_MS
        for row in range(offsets[b], offsets[b + 1]):
            start = stop = np.int64(0)
            if item[row] < items:
                start, stop = starts[item[row]], starts[item[row] + 1]
            upper = start + np.searchsorted(hour[start:stop], now)
            window, lower = np.int64(0), start
            for f in range(len(statistics)):
                hours = np.int64(statistics[f, 2])
                if hours == 0:
                    lower = start
                elif hours != window:
                    lower = start + np.searchsorted(hour[start:upper], now - hours)
                window = hours
                above, below = statistics[f, 0], statistics[f, 1]
                # Row k + 1 of `count` is the sum up to the k-th hour; an item's own sums start at its first.
                counted = np.float64(count[upper, above]) if upper > start else 0.0
                counted -= np.float64(count[lower, above]) if lower > start else 0.0
                if below < 0:
                    found[place[f], row] = counted
                    continue
                trials = np.float64(count[upper, below]) if upper > start else 0.0
                trials -= np.float64(count[lower, below]) if lower > start else 0.0
                if not np.isnan(prior[f]):
                    found[place[f], row] = (counted + _STRENGTH * prior[f]) / (trials + _STRENGTH)
                else:
                    found[place[f], row] = counted / trials if trials > 0 else np.nan


def durations(catalogue: Catalogue) -> npt.NDArray[np.float64]:
    """Length of each item in seconds, float64 [I], NaN where unknown."""
    columns = catalogue.item_columns
    if "duration_s" not in columns.column_names:
        return np.full(len(catalogue.items), np.nan)
    return np.asarray(pc.fill_null(pc.cast(columns["duration_s"], pa.float64()), np.nan), np.float64)
