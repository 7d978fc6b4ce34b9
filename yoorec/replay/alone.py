"""A trigger alone: its own candidates under the scenario's exposure rules, as if it were the whole chain."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from yoorec.batch import CandidateBatch, RequestBatch
from yoorec.components import ExposureContext, ExposureRule

__all__ = ["Alone"]


@dataclass(frozen=True, slots=True)
class Alone:
    """Shows what a slate would be if one trigger filled it.

    The trigger's list runs, in its own order, through the scenario's rules, since a list that may show what the slate
    must not (seen items, say) can't be compared with it. A rule that would recall gets nothing, so that no backfill
    mixes another trigger in.
    """

    rules: Sequence[tuple[str, ExposureRule]]

    def expose(self, name: str, requests: RequestBatch, candidates: CandidateBatch) -> CandidateBatch:
        """What the rules leave of the candidates of trigger `name`; the only source they know is that trigger."""
        if not self.rules:
            return candidates
        rank = np.arange(len(candidates.item)) - np.repeat(candidates.offsets[:-1], candidates.lengths)
        kept = CandidateBatch(
            candidates.offsets,
            candidates.item,
            candidates.score,
            (name,),
            candidates.score[:, None],
            rank.astype(np.int32)[:, None],
            candidates.score,
        )
        return self._apply(len(self.rules), name, requests, kept)

    def _apply(self, stop: int, name: str, requests: RequestBatch, kept: CandidateBatch) -> CandidateBatch:
        for place, (_, rule) in enumerate(self.rules[:stop]):

            def earlier(some: RequestBatch, candidates: CandidateBatch, place: int = place) -> CandidateBatch:
                return self._apply(place, name, some, candidates)

            def nothing(trigger: str, some: RequestBatch, k: int) -> CandidateBatch:
                none = np.empty((0, 1), np.float32)
                return CandidateBatch(
                    np.zeros(len(some) + 1, np.int64),
                    np.empty(0, np.int32),
                    np.empty(0, np.float32),
                    (name,),
                    none,
                    none.astype(np.int32),
                    np.empty(0, np.float32),
                )

            kept = rule.apply(requests, kept, ExposureContext(nothing, earlier))
        return kept
