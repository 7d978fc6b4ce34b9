"""Which items are asked about, and what each trigger says is near them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import chain, zip_longest

import numpy as np
import numpy.typing as npt

from yoorec.batch import CandidateBatch, Plays, Ragged, RequestBatch
from yoorec.components import Trigger
from yoorec.data.catalogue import Catalogue
from yoorec.neighbors.lists import Drawn
from yoorec.ragged import first_k, take_rows

__all__ = ["Asker", "draw_queries"]

Int32 = npt.NDArray[np.int32]

_ASKED_AT_ONCE = 512


@dataclass(frozen=True, slots=True)
class Asker:
    """Asks triggers for the neighbours of items.

    time: ms, of every request: the end of the log.
    """

    triggers: Mapping[str, Trigger]
    catalogue: Catalogue
    time: int

    def requests(self, item: Int32, k: int) -> RequestBatch:
        """A request for each item [B]: it is the main item and all that was ever played, by a user of whom nothing is
        known."""
        size = len(item)
        offsets = np.arange(size + 1, dtype=np.int64)
        time = np.full(size, self.time, np.int64)
        play = Plays(offsets, item, time, np.ones(size, np.float32))
        return RequestBatch(
            np.full(size, -1, np.int32),
            time,
            item,
            np.full(size, k, np.int32),
            play,
            play,
            Ragged(offsets, item),
            {name: np.full(size, None, object) for name in self.catalogue.user_columns.column_names},
        )

    def lists(self, item: Int32, top: int) -> dict[str, CandidateBatch]:
        """By trigger, at most `top` neighbours of each item [B], best first: out by now, and not the item itself."""
        # One more than wanted: some triggers recall the main item too.
        requests = self.requests(item, top + 1)
        found = {}
        for name, trigger in self.triggers.items():
            recalled = trigger.recall(requests, top + 1)
            fine = recalled.item != np.repeat(item, recalled.lengths)
            fine &= self.catalogue.published_at[recalled.item] <= self.time
            kept = np.zeros(len(fine) + 1, np.int64)
            np.cumsum(fine, out=kept[1:])
            others = recalled.rows(np.flatnonzero(fine), kept[recalled.offsets])
            found[name] = take_rows(others, *first_k(others.offsets, np.full(len(item), top, np.int32)))
        return found

    def knows(self, item: Int32) -> npt.NDArray[np.bool_]:
        """bool [B]: whether every trigger has a neighbour of the item."""
        fine = np.ones(len(item), np.bool_)
        for found in self.lists(item, 1).values():
            fine &= found.lengths > 0
        return fine


def draw_queries(
    plays: npt.NDArray[np.int64],
    out: npt.NDArray[np.bool_],
    knows: Callable[[Int32], npt.NDArray[np.bool_]],
    wanted: int,
    seed: int,
) -> list[tuple[int, Drawn]]:
    """At most `wanted` distinct items, popular and rare: half drawn by plays, the others with all alike, in turn.

    plays: int64 [I]. out: bool [I], only such items are drawn. knows: tells of items [B] which of them may be drawn.
    Where too few items were played, more are drawn with all alike.
    Without replacement, by exponential clocks (Efraimidis and Spirakis, Information Processing Letters 97, 2006), so
    that leaving out what may not be drawn leaves the draw of the others as it was.
    """
    rng = np.random.default_rng(seed)
    clock = rng.exponential(size=len(plays))
    uniform = rng.permutation(len(plays)).astype(np.int32)
    played = np.flatnonzero((plays > 0) & out)
    by_plays = played[np.argsort(clock[played] / plays[played], kind="stable")].astype(np.int32)
    first = _first(by_plays, knows, (wanted + 1) // 2)
    rest = uniform[out[uniform] & ~np.isin(uniform, first)]
    second = _first(rest, knows, wanted - len(first))
    turns = zip_longest(((each, "plays") for each in first), ((each, "uniform") for each in second))
    return [each for each in chain.from_iterable(turns) if each is not None]  # type: ignore[misc]


def _first(order: Int32, knows: Callable[[Int32], npt.NDArray[np.bool_]], wanted: int) -> list[int]:
    found: list[int] = []
    for start in range(0, len(order), _ASKED_AT_ONCE):
        if len(found) >= wanted:
            break
        some = order[start : start + _ASKED_AT_ONCE]
        found += some[knows(some)].tolist()
    return found[:wanted]
