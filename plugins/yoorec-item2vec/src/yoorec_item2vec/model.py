"""The trigger `item2vec`: items played in the same places of people's sequences have similar vectors."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from yoorec.vectors.recall import VectorRecall
from yoorec.vectors.skipgram import skip_gram
from yoorec_item2vec.config import Item2vecConfig

if TYPE_CHECKING:
    from yoorec.components import FitContext
    from yoorec.data.catalogue import Catalogue
    from yoorec.data.log import EventLog

__all__ = ["Item2vec", "play_sequences"]


def play_sequences(
    group: npt.NDArray[np.int32], item: npt.NDArray[np.int32]
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int32]]:
    """Sequences of plays given in time order: offsets int64 [S + 1] and items int32 [M].

    group: int32 [N], the session or user of each play; sequences come in the order of its numbers, without empty ones.
    An item played again right after itself stands once: a pair of an item with itself teaches nothing.
    """
    order = np.argsort(group, kind="stable")
    group, item = group[order], item[order]
    first = np.ones(len(group), np.bool_)
    first[1:] = group[1:] != group[:-1]
    kept = first.copy()
    kept[1:] |= item[1:] != item[:-1]
    starts = np.cumsum(kept)[first] - 1
    return np.append(starts, kept.sum()).astype(np.int64), item[kept]


class Item2vec(VectorRecall):
    """Skip-gram with negative sampling over sequences of plays (Barkan and Koenigstein, "Item2Vec: Neural Item
    Embedding for Collaborative Filtering", MLSP 2016), recalled by `yoorec.vectors.VectorRecall`.
    """

    def __init__(self, config: Item2vecConfig, catalogue: Catalogue) -> None:
        super().__init__(config, catalogue)
        self.config = config

    def fit(self, log: EventLog, context: FitContext) -> None:
        """Learn a vector for each item played often enough; the same bits every time with one worker."""
        config, plays = self.config, log.plays()
        offsets, item = play_sequences(plays.session if config.sequences == "session" else plays.user, plays.item)
        known, vectors = skip_gram(
            offsets,
            item,
            self._items,
            dim=config.dim,
            window=config.window,
            negative=config.negative,
            sample=config.sample,
            exponent=config.exponent,
            min_count=config.min_plays,
            epochs=config.epochs,
            alpha=config.alpha,
            seed=context.seed,
            workers=config.workers,
            progress=context.progress,
        )
        self.learn(known, vectors, context)
