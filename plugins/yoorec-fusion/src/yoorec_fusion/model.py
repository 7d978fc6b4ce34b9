"""The trigger `fusion`: vectors of behaviour and content side by side, so that one search looks through both."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from yoorec.errors import ConfigError, Problem
from yoorec.vectors.items import ItemVectors
from yoorec.vectors.recall import VectorRecall
from yoorec.vectors.rows import unit_rows
from yoorec_fusion.config import FusionConfig

if TYPE_CHECKING:
    from yoorec.components import FitContext
    from yoorec.data.catalogue import Catalogue
    from yoorec.data.log import EventLog

__all__ = ["Fusion"]

F32 = npt.NDArray[np.float32]

_AT_ONCE = 4096
"""Items whose gaps are filled together, which bounds the memory."""


class Fusion(VectorRecall):
    """A weighted concatenation of the unit vectors v_t of several triggers t::

        v(i)      = (sqrt(w_t) v_t(i) for each t), at unit length
        v(i).v(j) = sum_t w_t cos_t(i, j) / sqrt(W(i) W(j))        W(i): sum of w_t over the triggers that know i

    So weights are shares of the cosine. Where t lacks an item and others know it, v_t(i) = (m, sqrt(1 - m.m)), with m
    the mean of v_t over the `fill` items that t knows and that are nearest to i in what the others know. Known items
    have 0 in that last place: the less the neighbours agree, the less their mean counts. With `fill: 0` v_t(i) is
    zeros. Recalled by `yoorec.vectors.VectorRecall`.
    """

    def __init__(self, config: FusionConfig, catalogue: Catalogue) -> None:
        super().__init__(config, catalogue)
        self.config = config

    def fit(self, log: EventLog, context: FitContext) -> None:
        """Put the vectors together. Raises ConfigError for a trigger that recalls by none."""
        parts: list[F32] = []
        for name, weight in self.config.of.items():
            found = context.upstream[name]
            if not isinstance(found, VectorRecall):
                message = f"the trigger '{name}' recalls by no vectors"
                raise ConfigError((Problem("", f"of.{name}", message, "triggers that recall by vectors"),))
            wide = np.zeros((self._items, found.vectors.vectors.shape[1]), np.float32)
            wide[found.vectors.item] = found.vectors.vectors * np.float32(np.sqrt(weight))
            parts.append(wide)
        known = np.stack([part.any(axis=1) for part in parts])
        item = np.flatnonzero(known.any(axis=0)).astype(np.int32)
        context.note("in all", int(known.all(axis=0).sum()))
        filled = [self._filled(place, parts, known, weight) for place, weight in enumerate(self.config.of.values())]
        self.learn(item, np.concatenate(filled, axis=1)[item], context)

    def _filled(self, place: int, parts: Sequence[F32], known: npt.NDArray[np.bool_], weight: float) -> F32:
        """One trigger's vectors float32 [I, D], with gaps filled [I, D + 1].

        known: bool [T, I], which trigger knows which item. weight: the square of the vectors' length.
        """
        fill, part = self.config.fill, parts[place]
        others = [other for other in range(len(parts)) if other != place]
        elsewhere = known[others].any(axis=0)
        gaps = np.flatnonzero(~known[place] & elsewhere)
        there = np.flatnonzero(known[place] & elsewhere).astype(np.int32)
        if not fill or not len(gaps) or not len(there):
            return part
        beside = np.concatenate([parts[other] for other in others], axis=1)
        vectors = ItemVectors.build(there, beside[there], exact_below=len(there))
        filled = np.concatenate([part, np.zeros((len(part), 1), np.float32)], axis=1)
        for first in range(0, len(gaps), _AT_ONCE):
            some = gaps[first : first + _AT_ONCE]
            offsets, near, _ = vectors.nearest(
                unit_rows(beside[some]),
                np.ones(len(some), np.bool_),
                np.full(len(some), -1, np.int32),
                fill,
                np.zeros(len(some), np.int64),
                np.zeros(len(vectors), np.int64),
            )
            mean = np.add.reduceat(part[near].astype(np.float64), offsets[:-1], axis=0) / np.diff(offsets)[:, None]
            filled[some, :-1] = mean
            filled[some, -1] = np.sqrt(np.maximum(weight - np.einsum("nd,nd->n", mean, mean), 0.0))
        return filled
