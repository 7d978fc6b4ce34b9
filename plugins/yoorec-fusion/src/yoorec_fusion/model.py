"""The trigger `fusion`: vectors of behaviour and content side by side, so that one search looks through both."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from yoorec.errors import ConfigError, Problem
from yoorec.vectors.recall import VectorRecall
from yoorec_fusion.config import FusionConfig

if TYPE_CHECKING:
    from yoorec.components import FitContext
    from yoorec.data.catalogue import Catalogue
    from yoorec.data.log import EventLog

__all__ = ["Fusion"]


class Fusion(VectorRecall):
    """A weighted concatenation of the unit vectors v_t of several triggers t, zeros where t has none for an item::

        v(i)     = (sqrt(w_t) v_t(i) for each t), at unit length
        v(i).v(j) = sum_t w_t cos_t(i, j) / sqrt(W(i) W(j))        W(i): sum of w_t over the triggers that know i

    So weights are shares of the cosine, and an item that only content knows is found by its content, a little behind
    items as near in everything. Recalled by `yoorec.vectors.VectorRecall`.
    """

    def __init__(self, config: FusionConfig, catalogue: Catalogue) -> None:
        super().__init__(config, catalogue)
        self.config = config

    def fit(self, log: EventLog, context: FitContext) -> None:
        """Put the vectors together. Raises ConfigError for a trigger that recalls by none."""
        parts = []
        known = np.zeros(self._items, np.int64)
        for name, weight in self.config.of.items():
            found = context.upstream[name]
            if not isinstance(found, VectorRecall):
                message = f"the trigger '{name}' recalls by no vectors"
                raise ConfigError((Problem("", f"of.{name}", message, "triggers that recall by vectors"),))
            wide = np.zeros((self._items, found.vectors.vectors.shape[1]), np.float32)
            wide[found.vectors.item] = found.vectors.vectors * np.float32(np.sqrt(weight))
            known[found.vectors.item] += 1
            parts.append(wide)
        item = np.flatnonzero(known).astype(np.int32)
        context.note("in all", int((known == len(parts)).sum()))
        self.learn(item, np.concatenate(parts, axis=1)[item], context)
