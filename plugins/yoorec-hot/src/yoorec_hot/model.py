"""The trigger `hot`: one list for everyone, the best items by decayed plays times a quality bound."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from yoorec.artifacts.arrays import load_arrays, save_arrays
from yoorec.batch import CandidateBatch, RequestBatch
from yoorec.errors import DataError
from yoorec_hot.config import HotConfig

if TYPE_CHECKING:
    from yoorec.components import FitContext
    from yoorec.data.catalogue import Catalogue
    from yoorec.data.log import EventLog

__all__ = ["Hot", "wilson_lower"]

Float64 = npt.NDArray[np.float64]


def wilson_lower(good: Float64, trials: Float64, z: float) -> Float64:
    """Lower end of Wilson's score interval for a rate of `good` in `trials`; 0 where nothing was tried.

    With p = good / n: (p + z^2/2n - z sqrt(p (1 - p)/n + z^2/4n^2)) / (1 + z^2/n). Wilson, Journal of the American
    Statistical Association 22, 1927. `good` and `trials` need not be whole.

    >>> wilson_lower(np.array([8.0]), np.array([10.0]), 1.96).round(4)
    array([0.4902])
    """
    n = np.maximum(trials, np.finfo(np.float64).tiny)
    p = np.clip(good / n, 0.0, 1.0)
    # Both sides multiplied by n, so that no trials divide by nothing.
    centre = n * p + z * z / 2
    spread = z * np.sqrt(n * p * (1 - p) + z * z / 4)
    bound = np.clip((centre - spread) / (n + z * z), 0.0, 1.0)
    return np.where(trials > 0, bound, 0.0)


class Hot:
    """Hot items::

        score(i) = sum over plays of i: weight * 2^(-age / half_life)  *  max(floor, bound(i))

    age: up to the log's cut (the last event's time where it has none). weight: the event type's. bound: Wilson's
    lower bound of the item's completion or like rate among its plays in the window. A product rather than a threshold
    alone: it estimates, on the safe side, the decayed plays *that were worth it*, and has no cliff at which an item
    vanishes; a few lucky plays don't lift an item, since its bound is low until more plays confirm it.

    item: int32 [N], every item that qualifies, best first, ties by item. score: float32 [N].
    """

    def __init__(self, config: HotConfig, catalogue: Catalogue) -> None:
        self.config = config
        self.catalogue = catalogue
        self.item: npt.NDArray[np.int32] = np.empty(0, np.int32)
        self.score: npt.NDArray[np.float32] = np.empty(0, np.float32)
        self._place: npt.NDArray[np.int64] = np.empty(0, np.int64)
        self._index()

    def fit(self, log: EventLog, context: FitContext) -> None:
        """Score every item played in the window. Raises DataError where the quality asked for can't be known."""
        config, items = self.config, len(self.catalogue.items)
        kind = self._quality(log)
        now = log.cut if log.cut is not None else int(log.time[-1]) if len(log) else 0
        start = 0 if config.window is None else now - config.window
        plays = log.plays()
        recent = slice(int(np.searchsorted(plays.time, start)), len(plays))
        item, age = plays.item[recent], (now - plays.time[recent]).astype(np.float64)
        decayed = np.bincount(item, plays.weight[recent] * np.exp2(-age / config.half_life), items)
        count = np.bincount(item, minlength=items).astype(np.float64)
        bound = np.ones(items)
        if kind == "completion":
            bound = self._bound(*self._completions(item, plays.watch_s[recent]), count)
        elif kind == "like":
            liked = log.of("like")
            likes = np.bincount(liked.item[np.searchsorted(liked.time, start) :], minlength=items)
            bound = self._bound(np.minimum(likes, count), count, count)
        score = (decayed * np.maximum(bound, config.floor)).astype(np.float32)
        found = np.flatnonzero((count >= config.min_plays) & (bound >= config.at_least))
        order = found[np.lexsort((found, -score[found]))]
        self.item, self.score = order.astype(np.int32), score[order]
        self._index()

    def save(self, folder: Path) -> None:
        """Write the list."""
        save_arrays(folder, item=self.item, score=self.score)

    def load(self, folder: Path) -> None:
        """Read the list back."""
        self.item, self.score = load_arrays(folder, "item", "score")
        self._index()

    def recall(self, requests: RequestBatch, k: int) -> CandidateBatch:
        """The k best for every request, its main item left out."""
        size, listed = len(requests), len(self.item)
        own = self._place[requests.item]  # -1, no main item, finds the last place, which stands for "not listed"
        width = min(k, listed)
        places = np.arange(width) + (np.arange(width) >= own[:, None])
        if k < listed:
            offsets, flat = np.arange(size + 1) * width, places.ravel()
        else:  # everything there is: a listed main item makes the list one shorter
            offsets = np.zeros(size + 1, np.int64)
            np.cumsum(listed - (own < listed), out=offsets[1:])
            flat = places[places < listed]
        return CandidateBatch(offsets, self.item[flat], self.score[flat])

    def _index(self) -> None:
        """Each item's place in the list, and `len(list)` for the others and for none."""
        self._place = np.full(len(self.catalogue.items) + 1, len(self.item), np.int64)
        self._place[self.item] = np.arange(len(self.item))

    def _quality(self, log: EventLog) -> str:
        """What the log lets us know: completion, like or none."""
        wanted = self.config.quality
        watched = len(log) > 0 and bool(np.isfinite(log.watch_s).any())
        completion = watched and bool((self._durations() > 0).any())
        liked = "like" in log.events
        if wanted == "auto":
            return "completion" if completion else "like" if liked else "none"
        if wanted == "completion" and len(log.plays()) and not completion:
            raise DataError(
                "hot: quality: completion needs watch_s in the events and duration_s in the items; "
                f"{'no item has duration_s' if watched else 'no event has watch_s'}; accepted here: auto, none"
            )
        if wanted == "like" and not liked:
            raise DataError(
                "hot: quality: like needs events of type 'like'; "
                f"there are: {', '.join(log.events) or 'none'}; accepted here: auto, none"
            )
        return wanted

    def _durations(self) -> Float64:
        """Seconds of each item, float64 [I], NaN where unknown."""
        columns = self.catalogue.item_columns
        if "duration_s" not in columns.column_names:
            return np.full(len(self.catalogue.items), np.nan)
        seconds = pc.fill_null(pc.cast(columns["duration_s"], pa.float64()), np.nan)
        return np.asarray(seconds, np.float64)

    def _completions(self, item: npt.NDArray[np.int32], watch_s: npt.NDArray[np.float32]) -> tuple[Float64, Float64]:
        """Completed plays, and plays of which that is known, by item."""
        items, duration = len(self.catalogue.items), self._durations()[item]
        known = np.isfinite(watch_s) & (duration > 0)
        done = known & (watch_s >= self.config.completed * duration)
        return (
            np.bincount(item[done], minlength=items).astype(np.float64),
            np.bincount(item[known], minlength=items).astype(np.float64),
        )

    def _bound(self, good: Float64, trials: Float64, plays: Float64) -> Float64:
        """Wilson's bound; an item of which nothing is known is taken to be received like the average one.

        Its plays then count as trials at the pooled rate: it is neither favoured over items that were tried, nor sunk
        for a missing duration.
        """
        pooled = float(good.sum() / trials.sum()) if trials.sum() else 0.0
        unknown = trials == 0
        return wilson_lower(np.where(unknown, pooled * plays, good), np.where(unknown, plays, trials), self.config.z)
