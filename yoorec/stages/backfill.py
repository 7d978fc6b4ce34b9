"""Exposure rule `backfill`: short slates filled from a trigger."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from yoorec.batch import CandidateBatch, Ragged, RequestBatch
from yoorec.components import ExposureContext
from yoorec.ragged import drop_members
from yoorec.stages.configs import BackfillConfig

if TYPE_CHECKING:
    from yoorec.data.catalogue import Catalogue

__all__ = ["Backfill"]


class Backfill:
    """A request with fewer than `k` rows is filled from the trigger `from`.

    The trigger is asked for 2k candidates, then 4k, 8k, ... until the request holds k rows or the trigger gives no more
    than the time before. What it gives and the request does not hold is put behind the rows that are there, and every
    earlier rule runs again over the longer list. Rows that were there keep their columns. A row put behind them has the
    trigger's score and rank as its only source, NaN for `merge_score` (no merge saw it), and for `score` the lowest
    finite score of the rows that were there (0 without any) less 1 for the first, less 2 for the second, and so on:
    finite, and below theirs. A request that is not short is not touched.
    """

    def __init__(self, config: BackfillConfig, catalogue: Catalogue) -> None:
        self._from = config.from_

    def apply(self, requests: RequestBatch, ranked: CandidateBatch, context: ExposureContext) -> CandidateBatch:
        """The same rows, with others behind them where a request was short."""
        wanting = ranked.lengths < requests.k
        if not wanting.any():
            return ranked
        if self._from not in ranked.sources and ranked.source_score is not None:
            ranked = _with_source(ranked, self._from)
        # One depth for requests that want the same number: how deep a request asks must not depend on its
        # batch.
        for k in np.unique(requests.k[wanting]).tolist():
            short = np.flatnonzero(wanting & (requests.k == k))
            ranked = self._fill(requests, ranked, short, k, context)
        return ranked

    def _fill(
        self,
        requests: RequestBatch,
        ranked: CandidateBatch,
        short: npt.NDArray[np.int64],
        k: int,
        context: ExposureContext,
    ) -> CandidateBatch:
        depth = 2 * k
        place = np.arange(len(ranked))
        parts, stacked = [ranked], len(ranked)
        given_before = np.full(len(short), -1, np.int64)
        while len(short):
            asked, kept = requests.take(short), ranked.take(short)
            found = context.recall(self._from, asked, depth)
            given = found.lengths
            filled = context.earlier(asked, _extended(kept, found, self._from))
            parts.append(filled)
            place[short] = stacked + np.arange(len(short))
            stacked += len(short)
            deeper = (filled.lengths < k) & (given > given_before)
            short, given_before = short[deeper], given[deeper]
            depth *= 2
        return CandidateBatch.join(parts).take(place)


def _with_source(candidates: CandidateBatch, name: str) -> CandidateBatch:
    """The same rows with one more source, which recalled none of them."""
    rows = len(candidates.item)
    assert candidates.source_score is not None and candidates.source_rank is not None
    return replace(
        candidates,
        sources=(*candidates.sources, name),
        source_score=np.column_stack((candidates.source_score, np.full(rows, np.nan, np.float32))),
        source_rank=np.column_stack((candidates.source_rank, np.full(rows, -1, np.int32))),
    )


def _extended(kept: CandidateBatch, found: CandidateBatch, name: str) -> CandidateBatch:
    """Each request's kept rows with what it lacks of `found` behind them, in the columns of `kept`."""
    size = len(kept)
    rank = np.arange(len(found.item), dtype=np.int32) - np.repeat(found.offsets[:-1], found.lengths).astype(np.int32)
    trigger_score = found.score
    if found.source_score is not None and found.source_rank is not None and name in found.sources:
        column = found.sources.index(name)
        trigger_score, rank = found.source_score[:, column], found.source_rank[:, column]
    listed = CandidateBatch(found.offsets, found.item, trigger_score, (name,), trigger_score[:, None], rank[:, None])
    new = drop_members(listed, Ragged(kept.offsets, kept.item), np.full(size, -1, np.int32))
    offsets = kept.offsets + new.offsets
    of_kept = np.repeat(new.offsets[:-1], kept.lengths) + np.arange(len(kept.item))
    of_new = np.repeat(kept.offsets[1:], new.lengths) + np.arange(len(new.item))
    finite = np.where(np.isfinite(kept.score), kept.score, np.inf)
    lowest = np.zeros(size, np.float32)
    some = np.flatnonzero(kept.lengths)
    if len(some):
        lowest[some] = np.minimum.reduceat(finite, kept.offsets[some])
        lowest[np.isinf(lowest)] = 0.0
    step = np.arange(len(new.item)) - np.repeat(new.offsets[:-1], new.lengths) + 1
    rows = int(offsets[-1])
    item, score = np.empty(rows, np.int32), np.empty(rows, np.float32)
    item[of_kept], item[of_new] = kept.item, new.item
    score[of_kept] = kept.score
    score[of_new] = np.repeat(lowest, new.lengths) - step
    extended = CandidateBatch(offsets, item, score, kept.sources)
    if kept.source_score is not None and kept.source_rank is not None:
        source_score = np.full((rows, len(kept.sources)), np.nan, np.float32)
        source_rank = np.full((rows, len(kept.sources)), -1, np.int32)
        source_score[of_kept], source_rank[of_kept] = kept.source_score, kept.source_rank
        column = kept.sources.index(name)
        source_score[of_new, column], source_rank[of_new, column] = new.score, _only(new.source_rank)
        extended = replace(extended, source_score=source_score, source_rank=source_rank)
    if kept.merge_score is not None:
        merge_score = np.full(rows, np.nan, np.float32)
        merge_score[of_kept] = kept.merge_score
        extended = replace(extended, merge_score=merge_score)
    return extended


def _only(ranks: npt.NDArray[np.int32] | None) -> npt.NDArray[np.int32]:
    assert ranks is not None
    return ranks[:, 0]
