"""Which listed items are right: candidates against truths, compiled, over ragged rows."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from yoorec.batch import CandidateBatch, Ragged
from yoorec.ragged import compiled

__all__ = ["find_hits", "sort_truths"]

_SCAN = 8
"""Up to this many truths a request are compared one by one; more are searched by halving."""


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
            wanted, there = item[row], False
            if truths <= _SCAN:
                for t in range(first, first + truths):
                    if truth_item[t] == wanted:
                        there = True
                        break
            else:
                low, high = first, first + truths
                while low < high:
                    middle = (low + high) // 2
                    if truth_item[middle] < wanted:
                        low = middle + 1
                    else:
                        high = middle
                there = low < first + truths and truth_item[low] == wanted
            if there:
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
