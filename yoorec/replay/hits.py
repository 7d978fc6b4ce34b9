"""Which listed items are right, and who recalled them: candidates against truths, compiled, over ragged rows."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from yoorec.batch import CandidateBatch, Ragged
from yoorec.ragged import compiled

__all__ = ["Credit", "credit", "find_hits", "sort_truths"]

_SCAN = 8
"""Up to this many truths a request are compared one by one; more are searched by halving."""


@compiled
def _is_truth(item: np.int32, truth_item: npt.NDArray[np.int32], first: int, truths: int) -> bool:
    if truths <= _SCAN:
        found = False
        for t in range(first, first + truths):
            found |= truth_item[t] == item
        return found
    low, high = first, first + truths
    while low < high:
        middle = (low + high) // 2
        if truth_item[middle] < item:
            low = middle + 1
        else:
            high = middle
    return low < first + truths and truth_item[low] == item


@compiled
def _find(
    offsets: npt.NDArray[np.int64],
    item: npt.NDArray[np.int32],
    truth_offsets: npt.NDArray[np.int64],
    truth_item: npt.NDArray[np.int32],
    hit: npt.NDArray[np.bool_],
    found: npt.NDArray[np.int64],
) -> None:
    width = hit.shape[1]
    for b in range(len(offsets) - 1):
        first, truths = truth_offsets[b], truth_offsets[b + 1] - truth_offsets[b]
        start, count = offsets[b], 0
        for row in range(start, offsets[b + 1]):
            if count == truths:  # items and truths are distinct: nothing is left to find
                break
            if _is_truth(item[row], truth_item, first, truths):
                count += 1
                if row - start < width:
                    hit[b, row - start] = True
        found[b] = count


def sort_truths(truth: Ragged) -> Ragged:
    """The same truths, each request's in rising order, as `find_hits` needs them."""
    request = np.repeat(np.arange(len(truth)), np.diff(truth.offsets))
    return Ragged(truth.offsets, truth.item[np.lexsort((truth.item, request))])


def find_hits(
    candidates: CandidateBatch, truth: Ragged, width: int
) -> tuple[npt.NDArray[np.bool_], npt.NDArray[np.int64]]:
    """Where the truths of B requests stand in their lists.

    truth: distinct items of each request, rising (see `sort_truths`); width: places to mark.
    Returns hit bool [B, width], whether the item at a place is a truth, and found int64 [B], truths in the whole list.
    """
    if len(candidates) != len(truth):
        raise ValueError(f"there are candidates of {len(candidates)} requests, but truths of {len(truth)}")
    hit = np.zeros((len(truth), width), np.bool_)
    found = np.zeros(len(truth), np.int64)
    _find(candidates.offsets, candidates.item, truth.offsets, truth.item, hit, found)
    return hit, found


@dataclass(frozen=True, slots=True)
class Credit:
    """Who recalled the truths that a list holds.

    any:  int64 [T, B], truths of each request that source t is among the sources of.
    only: int64 [T, B], those of which it is the only one.
    """

    any: npt.NDArray[np.int64]
    only: npt.NDArray[np.int64]


@compiled
def _credit(
    offsets: npt.NDArray[np.int64],
    item: npt.NDArray[np.int32],
    source_rank: npt.NDArray[np.int32],
    truth_offsets: npt.NDArray[np.int64],
    truth_item: npt.NDArray[np.int32],
    among: npt.NDArray[np.int64],
    only: npt.NDArray[np.int64],
) -> None:
    for b in range(len(offsets) - 1):
        first, truths = truth_offsets[b], truth_offsets[b + 1] - truth_offsets[b]
        count = 0
        for row in range(offsets[b], offsets[b + 1]):
            if count == truths:
                break
            if _is_truth(item[row], truth_item, first, truths):
                count += 1
                sources, last = 0, 0
                for t in range(source_rank.shape[1]):
                    if source_rank[row, t] >= 0:
                        among[t, b] += 1
                        sources += 1
                        last = t
                if sources == 1:
                    only[last, b] += 1


def credit(candidates: CandidateBatch, truth: Ragged) -> Credit:
    """Count the truths of B requests in their lists by source, in the order of ``candidates.sources``.

    truth: distinct items of each request, rising (see `sort_truths`). Raises ValueError for candidates that were not
    merged, since those know no sources.
    """
    if len(candidates) != len(truth):
        raise ValueError(f"there are candidates of {len(candidates)} requests, but truths of {len(truth)}")
    if candidates.source_rank is None:
        raise ValueError("the candidates know no sources: they were not merged, or a stage lost their source_rank")
    shape = (len(candidates.sources), len(truth))
    found = Credit(np.zeros(shape, np.int64), np.zeros(shape, np.int64))
    _credit(
        candidates.offsets,
        candidates.item,
        candidates.source_rank,
        truth.offsets,
        truth.item,
        found.any,
        found.only,
    )
    return found
