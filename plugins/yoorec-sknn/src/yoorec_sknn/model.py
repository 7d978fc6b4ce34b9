"""The trigger `sknn`: finds the recent sessions most like the request's, and lets their items vote."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from yoorec.artifacts.arrays import load_arrays, save_arrays
from yoorec.batch import CandidateBatch, RequestBatch
from yoorec_sknn.config import SknnConfig
from yoorec_sknn.recall import Index, Scratch, Weights, recall

if TYPE_CHECKING:
    from yoorec.components import FitContext
    from yoorec.data.catalogue import Catalogue
    from yoorec.data.log import EventLog

__all__ = ["Sknn"]


class _PerThread(threading.local):
    """One thread's scratch, and the index that it fits."""

    def __init__(self) -> None:
        self.index: Index | None = None
        self.scratch: Scratch | None = None

    def of(self, index: Index, recall_from: int) -> Scratch:
        if self.scratch is None or self.index is not index:
            self.index, self.scratch = index, _scratch_of(index, recall_from)
        return self.scratch


class Sknn:
    """Session nearest neighbours, aware of sequence and time::

        w(i)     = recency^p * rarity(i)          p: plays since i was last played in the request's history
        sim(s)   = fresh(s) * sum of w(i) over the items i that s and the history share
        score(j) = sum over the most similar s: sim(s) * sum over the places q at which s holds j of vote(s, q)
        vote(s, q) = sum over the places y of s that hold an item i of the history:
                     w(i) * (forward^(q - y - 1) if y < q, backward^(y - q) if y > q, same if y = q)

        rarity(i) = log(1 + S / n_i)^rarity       S: sessions; n_i: sessions that hold i
        fresh(s)  = 2^(-age / half_life)          age of s's last play when the latest session ended

    An item looks only at the `sample` latest sessions that hold it; of all sessions found so, exactly the `neighbors`
    most similar vote, of equally similar ones the later.

    The three weights are those of STAN (Garg et al., SIGIR 2019), the bounded index of recent sessions and rarity that
    of VMIS-kNN (Kersbergen et al., SIGMOD 2022). STAN measures distance from the last common item alone; here each
    common item counts, at its own weight.
    """

    def __init__(self, config: SknnConfig, catalogue: Catalogue) -> None:
        self.config = config
        self.items = len(catalogue.items)
        self.index = Index.of(
            np.zeros(1, np.int64),
            np.empty(0, np.int32),
            np.zeros(self.items + 1, np.int64),
            np.empty(0, np.int32),
            np.ones(self.items, np.float32),
            np.empty(0, np.float32),
        )
        self._weights = Weights(
            float(config.recency),
            float(config.forward),
            float(config.backward),
            float(config.same),
            float(config.repeat),
        )
        self._scratch = _PerThread()

    def fit(self, log: EventLog, context: FitContext) -> None:
        """Index the log's sessions of at least two plays."""
        from yoorec_sknn.index import sessions_by_item  # serving does without loading it

        config, plays = self.config, log.plays()
        offsets, item, end, item_offsets, session, holders = sessions_by_item(
            np.ascontiguousarray(plays.session, np.int32),
            np.ascontiguousarray(plays.item, np.int32),
            np.ascontiguousarray(plays.time, np.int64),
            int(plays.session.max(initial=-1)) + 1,
            self.items,
            config.sample,
            config.max_plays,
        )
        rarity = np.log1p(len(end) / np.maximum(holders, 1)) ** config.rarity
        fresh = np.empty(0) if config.half_life is None else np.exp2((end - end.max(initial=0)) / config.half_life)
        self.index = Index.of(offsets, item, item_offsets, session, rarity.astype(np.float32), fresh.astype(np.float32))
        context.note("sessions", len(end))
        context.note("index_mb", round(sum(column.nbytes for column in self.index) / 1e6, 1))

    def save(self, folder: Path) -> None:
        """Write the index."""
        save_arrays(folder, **self.index._asdict())

    def load(self, folder: Path) -> None:
        """Read the index back; items that the catalogue got since then stand in no session."""
        index = Index(*load_arrays(folder, *Index._fields))
        new = (0, self.items - len(index.rarity))
        longer = index._replace(
            item_offsets=np.pad(index.item_offsets, new, "edge"), rarity=np.pad(index.rarity, new, constant_values=1)
        )
        self.index = Index.of(*longer)

    def recall(self, requests: RequestBatch, k: int) -> CandidateBatch:
        """The k items that the neighbours of the request's history vote for most.

        The main item itself is recalled only under `repeat`; other items of the history are recalled (whether they are
        shown again is an exposure rule's business). Unknown items find nothing but keep their place.
        """
        index, config, history = self.index, self.config, requests.history
        if not len(index.session):
            return CandidateBatch.empty(len(requests))
        return CandidateBatch(
            *recall(
                np.ascontiguousarray(requests.item),
                np.ascontiguousarray(history.offsets),
                np.ascontiguousarray(history.item),
                index,
                k,
                config.neighbors,
                config.recall_from,
                self._weights,
                self._scratch.of(index, config.recall_from),
            )
        )


def _scratch_of(index: Index, recall_from: int) -> Scratch:
    """Scratch for requests of at most `recall_from` items."""
    items, sessions = len(index.rarity), len(index.offsets) - 1
    met = min(recall_from * int(np.diff(index.item_offsets).max(initial=0)), sessions)
    return Scratch(
        weight=np.zeros(items, np.float32),
        similar=np.zeros(sessions, np.float32),
        near=np.empty(met + 1, np.int32),
        near_keys=np.empty(met + 1, np.uint64),
        vote=np.empty(int(np.diff(index.offsets).max(initial=0)), np.float32),
        total=np.zeros(items, np.float32),
        touched=np.empty(items + 1, np.int32),
        keys=np.empty(items, np.uint64),
    )
