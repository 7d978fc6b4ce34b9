"""Joins: triggers' candidates into one set, lists one behind the other, rows without the members of a list."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from yoorec.batch import CandidateBatch, Ragged
from yoorec.ragged.compiled import compiled, item_marks
from yoorec.ragged.order import take_rows

__all__ = ["Union", "are_members", "drop_members", "union_candidates", "unite_items"]


@compiled
def _highest(item: npt.NDArray[np.int32]) -> int:
    highest = -1
    for i in range(len(item)):
        highest = max(highest, item[i])
    return highest


@dataclass(frozen=True, slots=True)
class Union:
    """T triggers' candidates as distinct items, and where each trigger's own rows went.

    candidates: N distinct rows in order of first appearance (trigger by trigger, best first); score is 0
                throughout.
    start:      int64 [T, B + 1], trigger t's row of rank r for request b is ``start[t, b] + r``.
    row:        int64 [M], for each of the M rows that `start` counts, its row in `candidates`.
    """

    candidates: CandidateBatch
    start: npt.NDArray[np.int64]
    row: npt.NDArray[np.int64]


@compiled
def _union(
    start: npt.NDArray[np.int64],
    item: npt.NDArray[np.int32],
    score: npt.NDArray[np.float32],
    marks: npt.NDArray[np.int64],
) -> tuple[
    npt.NDArray[np.int64],
    npt.NDArray[np.int32],
    npt.NDArray[np.float32],
    npt.NDArray[np.int32],
    npt.NDArray[np.int64],
]:
    triggers, size = start.shape[0], start.shape[1] - 1
    offsets = np.zeros(size + 1, np.int64)
    out_item = np.empty(len(item), np.int32)
    out_score = np.empty((len(item), triggers), np.float32)
    out_rank = np.empty((len(item), triggers), np.int32)
    out_row = np.empty(len(item), np.int64)
    count = 0
    for b in range(size):
        base = marks[0]
        for t in range(triggers):
            for i in range(start[t, b], start[t, b + 1]):
                mark = marks[item[i] + 1]
                if mark >= base:
                    row = offsets[b] + mark - base
                else:
                    row = count
                    count += 1
                    marks[item[i] + 1] = base + row - offsets[b]
                    out_item[row] = item[i]
                    for other in range(triggers):
                        out_score[row, other] = np.nan
                        out_rank[row, other] = -1
                if out_rank[row, t] < 0:
                    out_score[row, t] = score[i]
                    out_rank[row, t] = i - start[t, b]
                out_row[i] = row
        offsets[b + 1] = count
        marks[0] = base + (count - offsets[b])
    return offsets, out_item[:count], out_score[:count], out_rank[:count], out_row


def union_candidates(recalled: Mapping[str, CandidateBatch], size: int) -> Union:
    """The distinct items of T triggers per request, with every trigger's score and rank.

    recalled: trigger name to its candidates for the same `size` requests; the names become `sources`, in
              their order.
    An item that no trigger recalled is not there; where trigger t did not recall a row, its source_score is
    NaN and its source_rank -1.
    """
    start = np.zeros((len(recalled), size + 1), np.int64)
    items, scores, first = [], [], 0
    for t, (name, candidates) in enumerate(recalled.items()):
        if len(candidates.offsets) != size + 1:
            raise ValueError(f"trigger '{name}' gave {len(candidates)} requests, expected {size}")
        np.add(candidates.offsets, first, out=start[t])
        first += len(candidates.item)
        items.append(candidates.item)
        scores.append(candidates.score)
    item = np.concatenate(items) if items else np.empty(0, np.int32)
    score = np.concatenate(scores) if scores else np.empty(0, np.float32)
    offsets, joined, by_source, ranks, row = _union(start, item, score, item_marks(_highest(item) + 1))
    nothing = np.zeros(len(joined), np.float32)
    return Union(CandidateBatch(offsets, joined, nothing, tuple(recalled), by_source, ranks), start, row)


@compiled
def _unite_items(
    first_offsets: npt.NDArray[np.int64],
    first: npt.NDArray[np.int32],
    second_offsets: npt.NDArray[np.int64],
    second: npt.NDArray[np.int32],
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int32]]:
    offsets = first_offsets + second_offsets
    item = np.empty(offsets[-1], np.int32)
    for b in range(len(offsets) - 1):
        place = offsets[b]
        for i in range(first_offsets[b], first_offsets[b + 1]):
            item[place] = first[i]
            place += 1
        for i in range(second_offsets[b], second_offsets[b + 1]):
            item[place] = second[i]
            place += 1
    return offsets, item


def unite_items(first: Ragged, second: Ragged) -> Ragged:
    """For each request the first list with the second behind it; repeats stay."""
    return Ragged(*_unite_items(first.offsets, first.item, second.offsets, second.item))


@compiled
def _are_members(
    offsets: npt.NDArray[np.int64],
    item: npt.NDArray[np.int32],
    member_offsets: npt.NDArray[np.int64],
    member: npt.NDArray[np.int32],
    one_more: npt.NDArray[np.int32],
    marks: npt.NDArray[np.int64],
) -> npt.NDArray[np.bool_]:
    out = np.empty(len(item), np.bool_)
    last = len(marks) - 1
    for b in range(len(offsets) - 1):
        base = marks[0]
        for i in range(member_offsets[b], member_offsets[b + 1]):
            if 0 <= member[i] < last:
                marks[member[i] + 1] = base
        if 0 <= one_more[b] < last:
            marks[one_more[b] + 1] = base
        for i in range(offsets[b], offsets[b + 1]):
            out[i] = marks[item[i] + 1] >= base
        marks[0] = base + 1
    return out


def are_members(candidates: CandidateBatch, members: Ragged, one_more: npt.NDArray[np.int32]) -> npt.NDArray[np.bool_]:
    """bool [N]: whether a row's item is in its request's list of `members`, or is its item `one_more` int32 [B].

    Members may repeat; -1 stands for none.
    """
    # Members beyond the highest candidate can't be among the candidates and need no mark.
    marks = item_marks(_highest(candidates.item) + 1)
    return _are_members(candidates.offsets, candidates.item, members.offsets, members.item, one_more, marks)


@compiled
def _others(
    offsets: npt.NDArray[np.int64], dropped: npt.NDArray[np.bool_]
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    out_offsets = np.zeros(len(offsets), np.int64)
    rows = np.empty(len(dropped), np.int64)
    count = 0
    for b in range(len(offsets) - 1):
        for i in range(offsets[b], offsets[b + 1]):
            if not dropped[i]:
                rows[count] = i
                count += 1
        out_offsets[b + 1] = count
    return rows[:count], out_offsets


def drop_members(candidates: CandidateBatch, members: Ragged, one_more: npt.NDArray[np.int32]) -> CandidateBatch:
    """The candidates that `are_members` does not name, in their order; where nothing goes, the batch itself."""
    rows, offsets = _others(candidates.offsets, are_members(candidates, members, one_more))
    return candidates if len(rows) == len(candidates.item) else take_rows(candidates, rows, offsets)
