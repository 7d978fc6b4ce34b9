"""Merge `round_robin`: the triggers take turns."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from yoorec.batch import CandidateBatch, RequestBatch
from yoorec.ragged import compiled, take_rows, union_candidates
from yoorec.stages.configs import RoundRobinConfig

if TYPE_CHECKING:
    from yoorec.data.catalogue import Catalogue

__all__ = ["RoundRobin", "in_turn"]


@compiled
def _turns(
    start: npt.NDArray[np.int64], row: npt.NDArray[np.int64], offsets: npt.NDArray[np.int64], limit: int
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    triggers, size = start.shape[0], start.shape[1] - 1
    out_offsets = np.zeros(size + 1, np.int64)
    for b in range(size):
        out_offsets[b + 1] = out_offsets[b] + min(offsets[b + 1] - offsets[b], limit)
    rows = np.empty(out_offsets[size], np.int64)
    taken = np.zeros(offsets[size], np.bool_)
    for b in range(size):
        count, rank = out_offsets[b], 0
        while count < out_offsets[b + 1]:
            for t in range(triggers):
                place = start[t, b] + rank
                if place < start[t, b + 1] and not taken[row[place]] and count < out_offsets[b + 1]:
                    taken[row[place]] = True
                    rows[count] = row[place]
                    count += 1
            rank += 1
    return rows, out_offsets


@compiled
def _falling(offsets: npt.NDArray[np.int64]) -> npt.NDArray[np.float32]:
    score = np.empty(offsets[-1], np.float32)
    for b in range(len(offsets) - 1):
        for i in range(offsets[b], offsets[b + 1]):
            score[i] = offsets[b] - i
    return score


def in_turn(candidates: CandidateBatch, rows: npt.NDArray[np.int64], offsets: npt.NDArray[np.int64]) -> CandidateBatch:
    """The named rows of a union in the order given, scored 0, -1, -2, ... within each request."""
    score = _falling(offsets)
    return replace(take_rows(candidates, rows, offsets), score=score, merge_score=score)


class RoundRobin:
    """First every trigger's best, then every trigger's second, and so on, in the scenario's order.

    Turn (r, t) is trigger t's candidate of rank r; an item already there is passed over, its turn lost. The
    first `limit` distinct items stay; the merge score falls by 1 a place, from 0.
    """

    def __init__(self, config: RoundRobinConfig, catalogue: Catalogue) -> None:
        pass

    def merge(self, requests: RequestBatch, recalled: Mapping[str, CandidateBatch], limit: int) -> CandidateBatch:
        """At most `limit` rows per request, in order of turns, every source kept."""
        union = union_candidates(recalled, len(requests))
        rows, offsets = _turns(union.start, union.row, union.candidates.offsets, limit)
        return in_turn(union.candidates, rows, offsets)
