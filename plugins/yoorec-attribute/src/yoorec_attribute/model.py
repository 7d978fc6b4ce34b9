"""The trigger `attribute`: popularity inside the user's segment, smoothed toward ever coarser ones."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import numpy.typing as npt

from yoorec.artifacts.arrays import load_arrays, save_arrays
from yoorec.batch import CandidateBatch, RequestBatch
from yoorec.ragged import best_first
from yoorec_attribute.codes import Bins, Codes, Values, codes_of_users, distinct
from yoorec_attribute.config import AttributeConfig
from yoorec_attribute.kernels import add_up, hand_out

if TYPE_CHECKING:
    from yoorec.components import FitContext
    from yoorec.data.catalogue import Catalogue
    from yoorec.data.log import EventLog

__all__ = ["Attribute"]

Int32 = npt.NDArray[np.int32]
Int64 = npt.NDArray[np.int64]
Float32 = npt.NDArray[np.float32]
Float64 = npt.NDArray[np.float64]

_TINY = np.finfo(np.float64).tiny
_LEAST_SHARE = 1e-30
"""A share that a lift divides by is taken to be at least this, so that no score leaves the range of float32."""


class _Plays(NamedTuple):
    """The window's plays. user, item: int32 [P]. weight: float64 [P], decayed; the newest play's age is 0."""

    user: Int32
    item: Int32
    weight: Float64


class _Level(NamedTuple):
    """The segments of one depth, numbered from `first` on.

    pair, share:  int64 and float64 [M], segment * I + item of every pair that was played, rising, and p of it.
    offsets, item, listed, score: int64 [S + 1], int64, float64 and float32 [N], the kept lists, their p and score.
    """

    first: int
    pair: Int64
    share: Float64
    offsets: Int64
    item: Int64
    listed: Float64
    score: Float32


class Attribute:
    """Popularity in the user's segment s, one value of each column in `by`::

        p_s(i) = (N_s * q_s(i) + prior * p_parent(i)) / (N_s + prior)        p_everyone(i) = q_everyone(i)
        score(i) = p_s(i) / p_everyone(i)^lift                               (for everyone: p_everyone(i))

    q_s(i): the item's share of the segment's plays, each weighted by its event and 2^(-age / half_life).
    parent: the segment without the last column. N_s: the effective number of people behind q_s, after Kish (Survey
    Sampling, 1965), (sum_u W_u)^2 / sum_u W_u^2, with W_u the decayed weight of user u's plays. It is a Dirichlet
    prior with the coarser segment's shares as its mean, one level at a time (MacKay and Peto, Natural Language
    Engineering 1, 1995; Zhai and Lafferty, SIGIR 2001).

    Segment 0 is everyone; the others follow by depth.
    key:     int64 [S - 1], of segment s + 1: parent * V + code of its last value, rising; V codes a column, at most.
    offsets: int64 [S + 1]. item: int32 [N]. score: float32 [N]. Segment s holds its best items, best first.
    note:    what a report should say of the trigger, or "".
    """

    def __init__(self, config: AttributeConfig, catalogue: Catalogue) -> None:
        self.config = config
        self.catalogue = catalogue
        there = catalogue.user_columns.column_names
        self.by = tuple(column for column in config.by if column in there or not config.optional)
        for column in self.by:
            if column not in there:
                catalogue.user_codes(column)  # says so, with the nearest match
        self.note = _note(config.by, self.by)
        self._codes: list[Codes] = []
        self.key: Int64 = np.empty(0, np.int64)
        self.offsets: Int64 = np.zeros(2, np.int64)
        self.item: Int32 = np.empty(0, np.int32)
        self.score: Float32 = np.empty(0, np.float32)

    def fit(self, log: EventLog, context: FitContext) -> None:
        """Rank the items of every segment. Raises DataError where a column can't make segments or bins."""
        config, users = self.config, len(self.catalogue.users)
        self._codes, codes = self._encoded()
        plays, count = self._recent(log)
        least = config.min_plays or (20 if config.lift > 0 else 1)
        counted = count >= least if self.by else np.zeros(len(count), np.bool_)
        active = np.bincount(plays.user, minlength=users) > 0
        segment = np.where(active, 0, -1)
        levels = [_everyone(plays, count, counted, config.keep)]
        divisor = np.zeros(len(count))
        divisor[levels[0].pair] = levels[0].share
        factor = np.maximum(divisor, _LEAST_SHARE) ** -config.lift
        width, total, keys = self._width(), 1, []
        for code in codes:
            inside = (segment >= 0) & (code >= 0)
            key, place, people = np.unique(
                segment[inside] * width + code[inside], return_inverse=True, return_counts=True
            )
            own = people >= config.min_users
            segment = np.full(users, -1)
            segment[inside] = np.where(own, total + np.cumsum(own) - 1, -1)[place]
            keys.append(key[own])
            levels.append(_level(plays, segment, total, keys[-1] // width, levels[-1], counted, factor, config))
            total += len(keys[-1])
        self.key = np.concatenate([np.empty(0, np.int64), *keys])
        self.item = np.concatenate([level.item for level in levels]).astype(np.int32)
        self.score = np.concatenate([level.score for level in levels])
        lengths = np.concatenate([np.diff(level.offsets) for level in levels])
        self.offsets = np.concatenate([np.zeros(1, np.int64), np.cumsum(lengths)])
        context.note("segments", len(self.key))
        context.note("users_in_finest", round(float((segment >= 0).sum() / max(active.sum(), 1)), 4))

    def save(self, folder: Path) -> None:
        """Write the lists, the segments' keys, and the values that the codes stand for."""
        save_arrays(folder, key=self.key, offsets=self.offsets, item=self.item, score=self.score)
        known = [codes.known if isinstance(codes, Values) else None for codes in self._codes]
        (folder / "values.json").write_text(json.dumps(known), "utf-8")

    def load(self, folder: Path) -> None:
        """Read them back."""
        self.key, self.offsets, self.item, self.score = load_arrays(folder, "key", "offsets", "item", "score")
        known = json.loads((folder / "values.json").read_text("utf-8"))
        self._codes = [
            Bins(self.config.bins[column]) if values is None else Values(values)
            for column, values in zip(self.by, known, strict=True)
        ]

    def recall(self, requests: RequestBatch, k: int) -> CandidateBatch:
        """The k best of each request's segment, its main item left out; fewer where the kept list is shorter."""
        code = np.full((len(requests), len(self.by)), -1, np.int64)
        for column, (name, codes) in enumerate(zip(self.by, self._codes, strict=True)):
            if name in requests.columns:
                code[:, column] = codes.encode(requests.columns[name].tolist())
        return CandidateBatch(
            *hand_out(code, np.array(requests.item), self.key, self._width(), self.offsets, self.item, self.score, k)
        )

    def _encoded(self) -> tuple[list[Codes], list[Int64]]:
        """For each column its codes, and those of the U users."""
        found: list[Codes] = []
        codes = []
        for column in self.by:
            values, place = distinct(self.catalogue.user_columns, column)
            if column in self.config.bins:
                bins = Bins(self.config.bins[column])
                bins.check(column, values)
                found.append(bins)
            else:
                found.append(Values.among(values))
            codes.append(codes_of_users(found[-1], values, place))
        return found, codes

    def _width(self) -> int:
        """Codes of the column that has most of them, so that parent * width + code is one segment's alone."""
        return max([1, *map(len, self._codes)])

    def _recent(self, log: EventLog) -> tuple[_Plays, Int64]:
        """The window's plays, and each item's number of them, int64 [I]."""
        config, plays = self.config, log.plays()
        now = log.cut if log.cut is not None else int(log.time[-1]) if len(log) else 0
        first = 0 if config.window is None else int(np.searchsorted(plays.time, now - config.window))
        user, item, time = plays.user[first:], plays.item[first:], plays.time[first:]
        # Shares don't change where every weight does alike: ages from the newest play can't all sink to 0.
        age = (time[-1:] - time).astype(np.float64)
        weight = plays.weight[first:].astype(np.float64) * np.exp2(-age / config.half_life)
        count = np.bincount(item, minlength=len(self.catalogue.items))
        return _Plays(np.array(user), np.array(item), weight), count


def _note(wanted: tuple[str, ...], there: tuple[str, ...]) -> str:
    missing = [f"'{column}'" for column in wanted if column not in there]
    if not missing:
        return ""
    lacks = f"no user has the column{'s' if len(missing) > 1 else ''} {', '.join(missing)}"
    return f"segments by {', '.join(there)} alone: {lacks}" if there else f"left out: {lacks}"


def _everyone(plays: _Plays, count: Int64, counted: npt.NDArray[np.bool_], keep: int) -> _Level:
    """The level of one segment, everyone: the items played, by share."""
    weight = np.bincount(plays.item, plays.weight, len(count))
    played = np.flatnonzero(count)
    share = weight[played] / max(float(weight.sum()), _TINY)
    listed = np.flatnonzero(counted[played])
    return _Level(0, played, share, *_best(np.array([0, len(listed)]), played[listed], share[listed], None, keep))


def _level(
    plays: _Plays,
    segment: Int64,
    first: int,
    parent: Int64,
    above: _Level,
    counted: npt.NDArray[np.bool_],
    factor: Float64,
    config: AttributeConfig,
) -> _Level:
    """The level below `above`.

    segment: int64 [U], of each user, -1 none. parent: int64 [S], of each segment; numbers from `first` on.
    counted: bool [I], whether an item may be listed. factor: float64 [I], what turns a share into a score.

    The list of a segment holds only items played in it and items of its parent's list: the share of any other is the
    parent's times (1 - trust), so all of the parent's list stands before it.
    """
    size, items = len(parent), len(counted)
    starts, item, weight = add_up(np.maximum(segment - first, -1)[plays.user], plays.item, plays.weight, size, items)
    row = np.repeat(np.arange(size), np.diff(starts))
    pair = (row + first) * items + item
    total = np.bincount(row, weight, size).astype(np.float64)
    trust = _people(plays, segment, first, total)
    trust /= trust + config.prior
    own = weight / np.maximum(total, _TINY)[row]
    coarser = above.share[np.searchsorted(above.pair, parent[row] * items + item)]
    share = trust[row] * own + (1 - trust[row]) * coarser

    heir, inherited = _inherited(above, parent)
    new = ~_among((heir + first) * items + above.item[inherited], pair)
    heir, inherited = heir[new], inherited[new]
    listed = counted[item]
    rows = np.concatenate([row[listed], heir])
    order = np.argsort(rows, kind="stable")
    items_of = np.concatenate([item[listed], above.item[inherited]])[order]
    shares = np.concatenate([share[listed], (1 - trust[heir]) * above.listed[inherited]])[order]
    offsets = np.searchsorted(rows[order], np.arange(size + 1))
    return _Level(first, pair, share, *_best(offsets, items_of, shares, factor, config.keep))


def _people(plays: _Plays, segment: Int64, first: int, total: Float64) -> Float64:
    """float64 [S], the effective number of people of each segment: 1 / sum of squares of their shares of its plays."""
    weight = np.bincount(plays.user, plays.weight, len(segment))
    user = np.flatnonzero(segment >= 0)
    row = segment[user] - first
    part = weight[user] / np.maximum(total, _TINY)[row]
    squares = np.bincount(row, part * part, len(total))
    return np.divide(1.0, squares, out=np.zeros(len(total)), where=squares > 0)


def _inherited(above: _Level, parent: Int64) -> tuple[Int64, Int64]:
    """Every row of the lists of the S segments' parents: whose parent's it is, 0 to S - 1, and the row, both int64."""
    start = above.offsets[parent - above.first]
    length = above.offsets[parent - above.first + 1] - start
    heir = np.repeat(np.arange(len(parent)), length)
    return heir, np.arange(len(heir)) + np.repeat(start - np.cumsum(length) + length, length)


def _among(wanted: Int64, rising: Int64) -> npt.NDArray[np.bool_]:
    """Whether each number is among the rising ones."""
    place = np.searchsorted(rising, wanted)
    found = np.zeros(len(wanted), np.bool_)
    inside = place < len(rising)
    found[inside] = rising[place[inside]] == wanted[inside]
    return found


def _best(
    offsets: Int64, item: Int64, share: Float64, factor: Float64 | None, keep: int
) -> tuple[Int64, Int64, Float64, Float32]:
    """The `keep` best of each segment: offsets, items, shares and scores."""
    score = (share if factor is None else share * factor[item]).astype(np.float32)
    rows, kept = best_first(offsets, item.astype(np.int32), score, keep)
    return kept, item[rows], share[rows], score[rows]
