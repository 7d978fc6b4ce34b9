"""The trigger `tdm`: a tree over the library, searched from the top by a deep model of request and node."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from yoorec.artifacts.arrays import load_arrays, save_arrays
from yoorec.batch import CandidateBatch, RequestBatch
from yoorec.errors import ArtifactError, PluginError
from yoorec.vectors.items import ItemVectors
from yoorec.vectors.recall import VectorRecall
from yoorec_tdm.config import TdmConfig
from yoorec_tdm.index import Index
from yoorec_tdm.tree import Tree
from yoorec_tdm.weights import Weights

if TYPE_CHECKING:
    from yoorec.components import FitContext
    from yoorec.data.catalogue import Catalogue
    from yoorec.data.log import EventLog
    from yoorec_tdm.search import Found

__all__ = ["Tdm"]

I32 = npt.NDArray[np.int32]

_CATEGORY = TdmConfig().category


def _ready() -> None:
    """Import the kernels of a recall: not where they are first needed, since a request would wait for compilation, nor
    with this module, since training, which goes on beside other triggers' fits, would.
    """
    import yoorec_tdm.search  # noqa: F401


class Tdm:
    """Tree-based deep match (Zhu et al., "Learning Tree-based Deep Model for Recommender Systems", KDD 2018).

    index: the tree, whose leaves are the items of the catalogue, and the model that scores a request and a node;
           without plays to learn from the tree has no leaves.
    """

    def __init__(self, config: TdmConfig, catalogue: Catalogue) -> None:
        self.config = config
        self._items = items = len(catalogue.items)
        self._since = np.ascontiguousarray(catalogue.published_at)
        self._code = np.full(items, -1, np.int32)
        # A column that was named must be there; the default one need not.
        named = config.category != _CATEGORY or _CATEGORY in catalogue.item_columns.column_names
        if config.category is not None and named:
            self._code = np.ascontiguousarray(catalogue.item_codes(config.category)[0])
        self._take(Tree.of_order(np.empty(0, np.int32), config.arity), Weights.none(), np.zeros(1, np.float32))

    def fit(self, log: EventLog, context: FitContext) -> None:
        """Train tree and model on the plays; items that were never played are then placed beside others."""
        from yoorec_tdm.processes import train_apart
        from yoorec_tdm.samples import sequences_of

        content, plays = self._content_of(context), log.plays()
        sequences = sequences_of(plays.user, plays.session, plays.item, self._items)
        self._take(Tree.of_order(np.empty(0, np.int32), self.config.arity), Weights.none(), np.zeros(1, np.float32))
        count = len(sequences.target)
        context.note("plays_learned_from", count - int(count * self.config.tail))
        if not len(sequences.target):
            return
        learned = train_apart(sequences, self._code, self.config, context.seed, context.threads, context.progress)
        _ready()
        self._take(learned.tree, learned.weights, learned.shift)
        placed = self._place(content)
        recall = learned.curve[:, 3]
        context.note("epochs", len(learned.curve))
        if not np.isnan(recall).all():
            last = learned.curve[:, 0] == learned.curve[-1, 0]
            context.note("recall@100_on_tail", round(float(recall[last].max()), 4))
        context.note("levels", self.index.tree.depth)
        context.note("items_placed", placed)

    def save(self, folder: Path) -> None:
        """Write tree, weights and shifts as arrays."""
        self.index.tree.save(folder)
        self.index.weights.save(folder)
        save_arrays(folder, shift=self.index.shift)

    def load(self, folder: Path) -> None:
        """Read them back, and place items that the catalogue has won since."""
        _ready()
        tree = Tree.load(folder)
        (shift,) = load_arrays(folder, "shift")
        if shift.shape != (tree.depth + 1,):
            raise ArtifactError(f"{folder / 'shift.npy'}: {shift.shape}, expected ({tree.depth + 1},)")
        self._take(tree, Weights.load(folder, len(tree)), shift)
        self._place(None)

    def recall(self, requests: RequestBatch, k: int) -> CandidateBatch:
        """At most k items a request, none of them played by it before; the score is a logit, `search` says which."""
        found = self.search(requests, self.config.beam, k)
        return CandidateBatch(found.offsets, found.item, found.score)

    def search(self, requests: RequestBatch, beam: int, k: int) -> Found:
        """The same with a beam of one's own; one as wide as the tree has nodes scores every leaf."""
        from yoorec_tdm.search import search

        return search(self.index, requests, beam, k)

    def _take(self, tree: Tree, weights: Weights, shift: npt.NDArray[np.float32]) -> None:
        self.index = Index.of(tree, weights, shift, self._since)

    def _content_of(self, context: FitContext) -> ItemVectors | None:
        """Vectors of the trigger that `content` names."""
        if self.config.content is None:
            return None
        upstream = context.upstream[self.config.content]
        if not isinstance(upstream, VectorRecall):
            named = f"tdm: content: '{self.config.content}' has no vectors of items"
            raise PluginError(f"{named}, accepted: a trigger that recalls by vectors")
        return upstream.vectors

    def _place(self, content: ItemVectors | None) -> int:
        """Give items without a leaf one, where category or content says where it belongs, with the mean vector of the
        leaves there; gives their number.
        """
        tree, weights, leaf = self.index.tree, self.index.weights, self.index.leaf
        new = np.flatnonzero(leaf == 0).astype(np.int32)
        beside = np.full(len(new), -1, np.int32)
        if content is not None:
            there = leaf[content.item] > 0
            placed = ItemVectors.build(content.item[there], content.vectors[there], exact_below=len(content))
            known = np.flatnonzero(np.isin(new, content.item)) if len(placed) else np.empty(0, np.int64)
            query = np.ascontiguousarray(content.vectors[np.searchsorted(content.item, new[known])])
            none, zero = np.full(len(known), -1, np.int32), np.zeros(len(known), np.int64)
            every, since = np.ones(len(known), np.bool_), np.zeros(len(placed), np.int64)
            _, beside[known], _ = placed.nearest(query, every, none, 1, zero, since)
        under = tree.places(new, self._code, beside)
        new, under = new[under >= 0], under[under >= 0]
        if len(new):
            grown, was = tree.grown(new, under)
            means = tree.means(weights.vectors)
            vectors = np.concatenate((weights.vectors, means[under]))[was]
            self._take(grown, weights._replace(vectors=vectors), self.index.shift)
        return len(new)
