"""How much of what triggers list is similar, by what judges marked.

precision@n of a trigger is the mean over queries of the share of similar ones among the first n neighbours that it
lists, of those that somebody judged::

    precision@n = mean over q of  sum of grade(q, j) / number of j,   j judged, among the first n of the list of q
    grade(q, j) = share of the judges of j who call it similar

Queries of which nothing was judged count for nothing. What was not judged is left out, and how far the figure could
move is told: were all of it not similar, and were all of it similar.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
import numpy.typing as npt

from yoorec.neighbors.lists import Neighbors
from yoorec.neighbors.marks import Judge
from yoorec.replay.statistics import Interval, interval, resampled_means

__all__ = ["Agreement", "Judgement", "TriggerFigures", "judge"]

Float64 = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class TriggerFigures:
    """One trigger.

    precision: cutoff to precision@n and its 95 % interval over queries; None where nothing was judged.
    listed, judged: neighbours in its lists, and those of them that somebody judged.
    lowest, highest: precision of the whole lists, were all that nobody judged not similar, and were it similar.
    """

    precision: Mapping[int, Interval | None]
    listed: int
    judged: int
    lowest: float
    highest: float


@dataclass(frozen=True, slots=True)
class Agreement:
    """Two judges on what both judged: how many, the share of equal marks, and Cohen's kappa (Educational and
    Psychological Measurement 20, 1960), None where chance alone would make them agree always."""

    first: str
    second: str
    both: int
    same: float
    kappa: float | None


@dataclass(frozen=True, slots=True)
class Judgement:
    """What came of the marks.

    differences: every trigger but the first to its precision@n less the first's, over the queries of which both have
                 something judged, paired.
    """

    triggers: Mapping[str, TriggerFigures]
    differences: Mapping[str, Mapping[int, Interval | None]]
    agreement: tuple[Agreement, ...]


def judge(neighbors: Neighbors, judges: Sequence[Judge], resamples: int = 2000) -> Judgement:
    """Figures at 1, 5 and the lists' length; intervals from `resamples` resamples of queries, by the lists' seed."""
    cutoffs = sorted({n for n in (1, 5) if n < neighbors.top} | {neighbors.top})
    grades = {name: _grades(neighbors, judges, name) for name in neighbors.triggers}
    shares = {name: {n: _shares(grade[:, :n]) for n in cutoffs} for name, grade in grades.items()}

    def mean(values: Float64) -> Interval | None:
        """Over the queries that have a value."""
        rows = np.flatnonzero(~np.isnan(values))
        if not len(rows):
            return None
        every = np.arange(len(values), dtype=np.int32)
        means = resampled_means([np.nan_to_num(values)], every, resamples, neighbors.seed, rows)
        return interval(float(values[rows].mean()), means[:, 0], len(rows))

    first, *others = neighbors.triggers
    return Judgement(
        {
            name: _figures(neighbors, name, grades[name], {n: mean(shares[name][n]) for n in cutoffs})
            for name in neighbors.triggers
        },
        {name: {n: mean(shares[name][n] - shares[first][n]) for n in cutoffs} for name in others},
        tuple(_agreement(one, two) for one, two in combinations(judges, 2)),
    )


def _grades(neighbors: Neighbors, judges: Sequence[Judge], trigger: str) -> Float64:
    """float64 [Q, N]: the grade of each place of each list, NaN where nobody judged it or the list has ended."""
    grades = np.full((len(neighbors.queries), neighbors.top), np.nan)
    for q, query in enumerate(neighbors.queries):
        for place, each in enumerate(query.lists[trigger]):
            pair = (query.item_id, each.item_id)
            marks = [one.similar[pair] for one in judges if pair in one.similar]
            if marks:
                grades[q, place] = sum(marks) / len(marks)
    return grades


def _shares(grades: Float64) -> Float64:
    """float64 [Q]: the mean of each row's numbers; NaN without any."""
    known = ~np.isnan(grades)
    number = known.sum(axis=1)
    total = np.where(known, grades, 0.0).sum(axis=1)
    return np.where(number > 0, total / np.maximum(number, 1), np.nan)


def _figures(
    neighbors: Neighbors, trigger: str, grades: Float64, precision: Mapping[int, Interval | None]
) -> TriggerFigures:
    length = np.array([len(query.lists[trigger]) for query in neighbors.queries])
    listed = np.arange(neighbors.top) < length[:, None]

    def were(unjudged: float) -> float:
        filled = np.where(listed, np.where(np.isnan(grades), unjudged, grades), np.nan)
        each = _shares(filled)[length > 0]
        return float(each.mean()) if len(each) else unjudged

    return TriggerFigures(precision, int(length.sum()), int((~np.isnan(grades)).sum()), were(0.0), were(1.0))


def _agreement(one: Judge, two: Judge) -> Agreement:
    both = [pair for pair in one.similar if pair in two.similar]
    if not both:
        return Agreement(one.name, two.name, 0, 0.0, None)
    a = np.array([one.similar[pair] for pair in both])
    b = np.array([two.similar[pair] for pair in both])
    same = float((a == b).mean())
    chance = float(a.mean() * b.mean() + (1 - a.mean()) * (1 - b.mean()))
    return Agreement(one.name, two.name, len(both), same, None if chance >= 1.0 else (same - chance) / (1.0 - chance))
