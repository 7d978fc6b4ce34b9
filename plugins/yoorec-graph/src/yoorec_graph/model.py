"""The trigger `graph`: vectors of items from random walks over the graph of what is played after what."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from yoorec.vectors.recall import VectorRecall
from yoorec_graph.config import GraphConfig

if TYPE_CHECKING:
    from yoorec.components import FitContext
    from yoorec.data.catalogue import Catalogue
    from yoorec.data.log import EventLog
    from yoorec_graph.edges import Edges

__all__ = ["Graph"]

_RANGES = 16
"""Ranges of walks a thread gets, on average."""
_RANGE_STEPS = 1 << 24
"""Steps of a range, at most: 64 MB."""
_QUICKER, _QUICK_DIM = 3, 32
"""The first pass, which only makes clusters: its share of the walks, and numbers of its vectors."""
_QUICK_SHARE, _WALKS_SHARE = 0.2, 0.1
"""Of a fit's time, the first pass; and of a pass' time, its walks."""


class Graph(VectorRecall):
    """Network embedding: DeepWalk (Perozzi et al., KDD 2014) over a directed, weighted item graph (Wang et al., KDD
    2018), with node2vec's p and q (Grover and Leskovec, KDD 2016), recalled by `yoorec.vectors`.
    """

    def __init__(self, config: GraphConfig, catalogue: Catalogue) -> None:
        super().__init__(config, catalogue)
        self.config = config
        self.catalogue = catalogue

    def fit(self, log: EventLog, context: FitContext) -> None:
        """Make the graph, walk it, learn. With one worker the same log and seed give the same bits.

        Raises DataError where `tame` names a column that the items lack.
        """
        # Only a fit needs the kernels; serving does without loading them.
        from yoorec_graph.tame import weighed

        config = self.config
        seeds = np.random.default_rng(context.seed).integers(1 << 31, size=5).tolist()
        plays = log.plays()
        now = plays.cut if plays.cut is not None else int(plays.time.max(initial=0))
        # New items are let in, whatever their plays, since links place them.
        new = self.catalogue.published_at > now - config.new_for
        new &= config.recent_link is not None
        count = np.bincount(plays.item, minlength=len(self.catalogue.items))
        plays = plays.rows(np.flatnonzero((count >= config.min_plays)[plays.item] | new[plays.item]))
        edges = self._edges(plays, new, context)
        cluster = self._clusters(edges, count, seeds[2:], context)
        edges = weighed(edges, cluster, count, config.damp, config.sharpen)
        begun = _QUICK_SHARE if config.tame == "vectors" else 0.0
        known, vectors = self._vectors(edges, config.walks, config.dim, seeds[:2], context, (begun, 1.0))
        self.learn(known, vectors, context)

    def _edges(self, plays: EventLog, new: npt.NDArray[np.bool_], context: FitContext) -> Edges:
        """The item graph of plays, and links of new items."""
        from yoorec_graph.edges import next_plays, recent_pairs, rows_of

        config = self.config
        source, target = next_plays(plays.session, plays.item)
        weight = np.ones(len(source), np.float32)
        if config.recent_link is not None:
            linked, other = recent_pairs(
                np.ascontiguousarray(plays.user),
                np.ascontiguousarray(plays.item),
                np.ascontiguousarray(plays.time),
                new,
                len(self.catalogue.users),
                config.recent_link,
                config.link_plays,
            )
            context.note("links of new items", len(linked))
            source, target = np.concatenate([source, linked]), np.concatenate([target, other])
            weight = np.concatenate([weight, np.full(len(linked), config.link_weight, np.float32)])
        edges = rows_of(source, target, weight, len(self.catalogue.items))
        context.note("edges", len(edges.target))
        return edges

    def _clusters(
        self, edges: Edges, plays: npt.NDArray[np.int64], seeds: list[int], context: FitContext
    ) -> npt.NDArray[np.int32]:
        """Clusters int32 [I] for taming, -1 for an item in none."""
        from yoorec_graph.tame import clusters_of, weighed

        config, items = self.config, len(self.catalogue.items)
        if config.tame is None:
            return np.full(items, -1, np.int32)
        one = np.zeros(items, np.int32)
        if config.tame == "all":
            return one
        if config.tame != "vectors":
            return self.catalogue.item_codes(config.tame)[0]
        # Tamed as one cluster: otherwise the quick pass would put hot items together for being hot.
        quick = weighed(edges, one, plays, config.damp, config.sharpen)
        walks, dim = -(-config.walks // _QUICKER), min(config.dim, _QUICK_DIM)
        known, vectors = self._vectors(quick, walks, dim, seeds[:2], context, (0.0, _QUICK_SHARE))
        return clusters_of(known, vectors, items, config.clusters, seeds[2])

    def _vectors(
        self, edges: Edges, walks: int, dim: int, seeds: list[int], context: FitContext, share: tuple[float, float]
    ) -> tuple[npt.NDArray[np.int32], npt.NDArray[np.float32]]:
        """Walk and learn: items int32 [V] and vectors float32 [V, dim]. `share`: from where to where of the fit."""
        from yoorec.vectors.skipgram import skip_gram
        from yoorec_graph.walks import paths_of

        config = self.config
        begin, end = share

        def told(done: float, note: str) -> None:
            context.progress(begin + (end - begin) * done, note)

        nodes = np.flatnonzero(np.diff(edges.offsets)).astype(np.int32)
        rng = np.random.default_rng(seeds[0])
        # Each round starts from the items in another order, as they are learned from in the order of the walks.
        rounds = [rng.permutation(nodes) for _ in range(walks)]
        start = np.concatenate(rounds)
        ranges = max(_RANGES * context.engine.workers, -(-len(start) * config.length // _RANGE_STEPS))
        found = context.engine.map_ranges(
            "yoorec_graph.walks:walk_range",
            np.unique(np.linspace(0, len(start), ranges + 1).astype(np.int64)),
            {**paths_of(edges, second=not config.p == config.q == 1.0)._asdict(), "start": start},
            {"nodes": len(nodes), "length": config.length, "seed": seeds[0], "p": config.p, "q": config.q},
            lambda done: told(done * _WALKS_SHARE, "walks"),
        )
        item = np.concatenate([np.empty(0, np.int32), *(part[0] for part in found)])
        offsets = np.zeros(len(start) + 1, np.int64)
        offsets[1:] = np.cumsum(np.concatenate([np.empty(0, np.int32), *(part[1] for part in found)]))
        del found
        return skip_gram(
            offsets,
            item,
            len(self.catalogue.items),
            dim=dim,
            window=config.window,
            negative=config.negative,
            sample=config.sample,
            exponent=config.exponent,
            epochs=config.epochs,
            alpha=config.alpha,
            seed=seeds[1],
            workers=config.workers,
            progress=lambda done, note: told(_WALKS_SHARE + (1 - _WALKS_SHARE) * done, note),
        )
