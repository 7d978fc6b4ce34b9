"""The trigger `itemcf`: learns which items are played soon before or after each other, by the same people."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from yoorec.artifacts.arrays import load_arrays, save_arrays
from yoorec.batch import CandidateBatch, RequestBatch
from yoorec_itemcf.config import ItemCFConfig
from yoorec_itemcf.recall import recall

if TYPE_CHECKING:
    from yoorec.components import FitContext
    from yoorec.data.catalogue import Catalogue
    from yoorec.data.log import EventLog

__all__ = ["ItemCF"]

_RANGES = 16
"""Ranges of items a worker gets, on average: enough that none waits long for another's last."""

_FAINT = 2.0**-40
"""A backward share up to this counts as 0, so that no pair's value is lost to underflow."""


class _Scratch(threading.local):
    """What a recall adds up in, kept per thread; its totals are all 0 between calls."""

    def __init__(self) -> None:
        self.total = np.zeros(0, np.float32)
        self.touched = np.empty(0, np.int32)
        self.keys = np.empty(0, np.uint64)

    def of(self, items: int) -> _Scratch:
        if len(self.total) != items:
            self.total = np.zeros(items, np.float32)
            self.touched = np.empty(items + 1, np.int32)
            self.keys = np.empty(items, np.uint64)
        return self


class ItemCF:
    """Item-to-item collaborative filtering on co-plays.

    With u ranging over the users who played both, t_ui the time of u's latest play of i, n_u the items u played and
    w_i the users who played i::

        sim(i, j) = sum_u decay(|t_ui - t_uj|) * share(u, i, j) * damp(n_u) / sqrt(w_i * w_j)
        decay(gap) = 2^(-gap / half_life)      damp(n) = 1 / log(1 + n)

    share is 1 where u played j after i, and `backward` where before, by the log's order. Pairs further apart than
    `window`, or of fewer than `min_support` users, are left out.

    Each row is then divided by its maximum, and its `neighbors` best are kept. The cosine is that of Sarwar et al.,
    WWW 2001; rows are normalised after Karypis, CIKM 2001; the damping carries Breese et al.'s inverse user frequency
    (UAI 1998) over to users; the decay is that of Ding and Li, CIKM 2005, taken between the plays of a pair.

    offsets: int64 [I + 1]. near_item: int32 [N]. near_score: float32 [N]. Row i holds item i's similar items, best
    first.
    """

    def __init__(self, config: ItemCFConfig, catalogue: Catalogue) -> None:
        self.config = config
        self.items = len(catalogue.items)
        self.users = len(catalogue.users)
        self.offsets: npt.NDArray[np.int64] = np.zeros(self.items + 1, np.int64)
        self.near_item: npt.NDArray[np.int32] = np.empty(0, np.int32)
        self.near_score: npt.NDArray[np.float32] = np.empty(0, np.float32)
        self._scratch = _Scratch()

    def fit(self, log: EventLog, context: FitContext) -> None:
        """Learn from the log's plays. Neither threads nor ranges change a bit of the result."""
        # Only a fit needs these kernels; serving does without loading them.
        from yoorec_itemcf.rows import by_item, by_user

        config = self.config
        plays = log.plays()
        most = len(plays) if config.max_plays is None else config.max_plays
        rows, reach = by_user(
            np.ascontiguousarray(plays.user, np.int32),
            np.ascontiguousarray(plays.item, np.int32),
            np.ascontiguousarray(plays.time, np.int64),
            self.users,
            self.items,
            most,
            float(config.half_life or 0),
            config.damp_users,
            config.window or 0,
        )
        places = by_item(rows, reach)
        parts = context.engine.map_ranges(
            "yoorec_itemcf.similar:similar_range",
            _deal(places.cost, _RANGES * context.engine.workers),
            {**rows._asdict(), **places._asdict(), "reach": reach},
            {
                "neighbors": config.neighbors,
                "normalize": config.normalize,
                "backward": config.backward if config.backward > _FAINT else 0.0,
                "min_support": config.min_support,
            },
            lambda done: context.progress(done, "similar items"),
        )
        del rows, places, reach  # room for joining the ranges
        self.offsets = np.zeros(self.items + 1, np.int64)
        self.offsets[1:] = np.cumsum(np.concatenate([np.empty(0, np.int64), *(part[0] for part in parts)]))
        self.near_item = np.concatenate([np.empty(0, np.int32), *(part[1] for part in parts)])
        self.near_score = np.concatenate([np.empty(0, np.float32), *(part[2] for part in parts)])

    def save(self, folder: Path) -> None:
        """Write the three arrays."""
        save_arrays(folder, offsets=self.offsets, near_item=self.near_item, near_score=self.near_score)

    def load(self, folder: Path) -> None:
        """Read the three arrays back; items that the catalogue got since then have nothing similar."""
        offsets, self.near_item, self.near_score = load_arrays(folder, "offsets", "near_item", "near_score")
        self.offsets = np.pad(offsets, (0, self.items + 1 - len(offsets)), "edge")

    def recall(self, requests: RequestBatch, k: int) -> CandidateBatch:
        """score(j) = sum over the last `recall_from` plays p of recency^p * sim(play p, j), p = 0 the main item.

        The main item itself is not recalled unless `recall_main`; other items of the history may be (whether they are
        shown again is an exposure rule's business). Unknown items recall nothing but keep their place.
        """
        if not len(self.near_item):
            return CandidateBatch.empty(len(requests))
        history, scratch = requests.history, self._scratch.of(len(self.offsets) - 1)
        return CandidateBatch(
            *recall(
                np.ascontiguousarray(requests.item),
                np.ascontiguousarray(history.offsets),
                np.ascontiguousarray(history.item),
                self.offsets,
                self.near_item,
                self.near_score,
                k,
                self.config.recall_from,
                self.config.recency,
                self.config.recall_main,
                scratch.total,
                scratch.touched,
                scratch.keys,
            )
        )


def _deal(cost: npt.NDArray[np.int64], ranges: int) -> npt.NDArray[np.int64]:
    """Bounds of item ranges of about equal cost, the first 0, the last I, no range empty."""
    if not len(cost):
        return np.zeros(1, np.int64)
    ends = np.cumsum(cost + 1)
    inner = np.searchsorted(ends, np.arange(1, ranges) * (ends[-1] / ranges), side="left") + 1
    return np.unique(np.concatenate([[0], np.minimum(inner, len(cost)), [len(cost)]])).astype(np.int64)
