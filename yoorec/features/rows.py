"""Readers of candidates: what each declared feature finds in them, of all their numbers at once."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from yoorec.batch import CandidateBatch, RequestBatch
from yoorec.features.codes import HIGHEST_POSITION, MISSING
from yoorec.features.columns import item_column
from yoorec.features.counters import HOUR_MS, Statistic
from yoorec.features.declared import Declared, is_absent
from yoorec.features.lists import ItemCodes, Likeness
from yoorec.features.readers import Around
from yoorec.ragged import are_members, compiled
from yoorec.stages.normalise import normalised_rows

__all__ = ["RowValues", "Standing", "some_of"]

F32 = npt.NDArray[np.float32]
I32 = npt.NDArray[np.int32]
I64 = npt.NDArray[np.int64]

_DAY_MS = 24 * HOUR_MS
_POSITION, _PRESENCE, _AGE, _MERGE_SCORE, _MERGE_RANK, _SCORE, _RANK, _SHARE = range(8)
"""What one kernel reads, codes first: where a candidate was shown, whether a trigger recalled it; days since it came
out, what the merge made of it, what a trigger says of it."""


class Standing(NamedTuple):
    """How candidates stand among all of their requests', of which they are some.

    place: int32 [N], in the merged list. share: float32 [N, T], each trigger's normalised score.
    """

    place: I32
    share: F32


def some_of(candidates: CandidateBatch, rows: I64) -> tuple[CandidateBatch, Standing]:
    """The candidates at rows int64 [K], which rise, and how they stand among all."""
    offsets, score, rank = candidates.offsets, candidates.source_score, candidates.source_rank
    few = candidates.rows(rows, np.searchsorted(rows, offsets).astype(np.int64))
    place = (rows - np.repeat(offsets[:-1], few.lengths)).astype(np.int32)
    share = _NO_SCORE
    if score is not None and rank is not None:
        share = normalised_rows(offsets, score, rank, False)[rows]
    return few, Standing(place, share)


class RowValues:
    """Reads the names of candidates as codes, and their numbers.

    names: C features. numbers: V features. prior: float32 [V], the numbers' common rates, or NaN.
    """

    def __init__(self, names: Sequence[Declared], numbers: Sequence[Declared], around: Around, prior: F32) -> None:
        self._count = len(numbers)
        self._catalogue = around.catalogue
        self._counters = around.counters
        self._seen: list[int] = []
        self._vectors: list[tuple[int, I32, F32]] = []
        told: list[tuple[int, int, str]] = []
        statistics: list[tuple[int, Statistic]] = []
        alike: list[tuple[int, bool, ItemCodes]] = []
        for place, each in enumerate(names):
            told.append((place, _PRESENCE if each.of.table == "trigger" else _POSITION, each.of.trigger))
        for place, each in enumerate(numbers):
            table, word = each.of.table, each.of.word
            if table == "stat":
                if word == "age":
                    told.append((place, _AGE, ""))
                elif around.counters is not None:
                    hours = -(-(each.feature.window or 0) // HOUR_MS)
                    statistics.append((place, around.counters.statistic(word, hours)))
            elif table == "merge":
                told.append((place, _MERGE_SCORE if word == "score" else _MERGE_RANK, ""))
            elif table == "trigger":
                told.append((place, {"score": _SCORE, "rank": _RANK, "share": _SHARE}[word], each.of.trigger))
            elif table == "similar":
                if word in around.vectors:
                    vectors = around.vectors[word]
                    row_of = np.full(len(around.catalogue.items), -1, np.int32)
                    row_of[vectors.item] = np.arange(len(vectors), dtype=np.int32)
                    self._vectors.append((place, row_of, vectors.vectors))
            elif word == "seen":
                self._seen.append(place)
            elif not is_absent(each, around.catalogue):
                column = item_column(around.catalogue, word, category=True)
                alike.append((place, table == "match", ItemCodes.of(column)))  # type: ignore[arg-type]
        self._alike = Likeness(alike)
        # Statistics of one window stand together: the kernel looks a window's start up once.
        statistics.sort(key=lambda each: each[1].hours)
        self._statistics = np.array([each for _, each in statistics], np.int32).reshape(-1, 3)
        self._counted = np.array([place for place, _ in statistics], np.int64)
        self._prior = prior[self._counted]
        self._spec = np.array([(place, what) for place, what, _ in told], np.int64).reshape(-1, 2)
        self._triggers = tuple(trigger for *_, trigger in told)
        self._shares = any(what == _SHARE for _, what, _ in told)

    def read(
        self,
        requests: RequestBatch,
        candidates: CandidateBatch,
        code: I64,
        position: I32 | None = None,
        standing: Standing | None = None,
    ) -> F32:
        """Numbers float32 [V, N], NaN where missing; the first C rows of int64 [at least C, N] are filled by codes.

        position: int32 [N], see `Encoder.encode`. standing: where these are some of their requests', see `some_of`.
        """
        found = np.full((self._count, len(candidates.item)), np.nan, np.float32)
        if len(self._spec):
            self._read_told(requests, candidates, position, standing, code, found)
        for place in self._seen:
            found[place] = are_members(candidates, requests.seen, requests.item)
        if self._counters is not None and len(self._counted):
            asked = (candidates.offsets, candidates.item, requests.time)
            self._counters.read(self._statistics, self._prior, *asked, self._counted, found)
        self._alike.read(requests, candidates, found)
        for place, row_of, vectors in self._vectors:
            _cosines(row_of, vectors, requests.item, candidates.offsets, candidates.item, found[place])
        return found

    def _read_told(
        self,
        requests: RequestBatch,
        candidates: CandidateBatch,
        position: I32 | None,
        standing: Standing | None,
        code: I64,
        found: F32,
    ) -> None:
        score, rank, merged = candidates.source_score, candidates.source_rank, candidates.merge_score
        there = score is not None and rank is not None
        column = _columns(self._triggers, candidates.sources if there else ())
        score, rank = _NO_SCORE if score is None else score, _NO_RANK if rank is None else rank
        if standing is not None:
            place, share = standing
        else:
            place = _NO_RANK[0]
            share = normalised_rows(candidates.offsets, score, rank, False) if self._shares and there else score
        merged, position = _NO_SCORE[0] if merged is None else merged, _NO_RANK[0] if position is None else position
        asked = (candidates.offsets, candidates.item, requests.time, self._catalogue.published_at)
        _read(self._spec, column, *asked, position, merged, place, score, rank, share, code, found)


@lru_cache(maxsize=256)
def _columns(triggers: tuple[str, ...], sources: tuple[str, ...]) -> I64:
    """int64 [F]: each trigger's column among the sources of candidates, -1 for none."""
    return np.array([sources.index(name) if name in sources else -1 for name in triggers], np.int64)


_NO_SCORE, _NO_RANK = np.empty((1, 0), np.float32), np.empty((1, 0), np.int32)


@compiled
def _read(
    spec: I64,
    column: I64,
    offsets: I64,
    item: I32,
    time: I64,
    published: I64,
    position: I32,
    merged: F32,
    listed: I32,
    score: F32,
    rank: I32,
    share: F32,
    code: I64,
    found: F32,
) -> None:
    """Fill rows of codes int64 [C, N] and of numbers float32 [V, N].

    spec: int64 [F, 2], which row, and what it is told. column: int64 [F], of which trigger, -1 for none. listed: int32
    [N], places in the merged list, or [0] where that is the rows' order.
    """
    for f in range(len(spec)):
        place, what = spec[f]
        at = column[f]
        if what == _POSITION:
            for row in range(len(item)):
                shown = int(position[row]) if len(position) else 0
                code[place, row] = MISSING if shown < 0 else min(shown, HIGHEST_POSITION)
        elif what == _PRESENCE:
            for row in range(len(item)):
                code[place, row] = rank[row, at] >= 0 if at >= 0 else 0
        elif what >= _SCORE:
            for row in range(len(item) if at >= 0 else 0):
                if what == _SCORE:
                    found[place, row] = score[row, at]
                elif what == _SHARE:
                    found[place, row] = share[row, at]
                elif rank[row, at] >= 0:
                    found[place, row] = rank[row, at]
        elif what == _AGE or len(merged):
            for b in range(len(offsets) - 1):
                for row in range(offsets[b], offsets[b + 1]):
                    if what == _MERGE_SCORE:
                        found[place, row] = merged[row]
                    elif what == _MERGE_RANK:
                        # Without a score of the merge's, a row is from elsewhere, and has no place in its list.
                        if not np.isnan(merged[row]):
                            found[place, row] = listed[row] if len(listed) else row - offsets[b]
                    elif item[row] < len(published):
                        found[place, row] = (time[b] - published[item[row]]) / _DAY_MS


@compiled
def _dot(left: F32, right: F32) -> np.float32:
    """Four sums side by side, in a fixed order."""
    a = b = c = e = np.float32(0.0)
    width, d = len(left), 0
    while d + 4 <= width:
        a += left[d] * right[d]
        b += left[d + 1] * right[d + 1]
        c += left[d + 2] * right[d + 2]
        e += left[d + 3] * right[d + 3]
        d += 4
    while d < width:
        a += left[d] * right[d]
        d += 1
    return (a + b) + (c + e)


@compiled
def _cosines(row_of: I32, vectors: F32, main: I32, offsets: I64, item: I32, found: F32) -> None:
    """The dot product, in a fixed order, of the unit vectors of main item and candidate; NaN where either has none."""
    items = len(row_of)
    for b in range(len(offsets) - 1):
        own = row_of[main[b]] if 0 <= main[b] < items else -1
        for row in range(offsets[b], offsets[b + 1]):
            other = row_of[item[row]] if item[row] < items else -1
            if own < 0 or other < 0:
                found[row] = np.nan
                continue
            found[row] = _dot(vectors[own], vectors[other])
