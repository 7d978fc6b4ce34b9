"""Learning: names, ranges and crosses of features, taken from a ranker's samples."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import numpy.typing as npt

from yoorec.batch import CandidateBatch, RequestBatch
from yoorec.features.codes import NO_CODES
from yoorec.features.columns import ItemNumbers, item_column, text_of
from yoorec.features.config import FeatureKeys
from yoorec.features.declared import Declared, declare
from yoorec.features.encoder import Encoder
from yoorec.features.learned import Learned
from yoorec.features.lists import ItemCodes
from yoorec.features.numbers import learned_edges
from yoorec.features.readers import Around, item_numbers
from yoorec.features.requests import RequestValues
from yoorec.features.rows import RowValues, some_of

if TYPE_CHECKING:
    from yoorec.components import RankSamples

__all__ = ["learn"]

F32 = npt.NDArray[np.float32]
I32 = npt.NDArray[np.int32]
I64 = npt.NDArray[np.int64]

_BUCKETS = 16
_MIN_COUNT = 2
_LEARNED_FROM = 4000
"""Requests, evenly spread over the samples, from whose candidates ranges and crosses are learned, at most; more where
they have few candidates, up to `_LEARNED_ROWS` in all."""
_LEARNED_ROWS = 400_000
_TOGETHER = 50
"""Requests read at once, which bounds the memory."""
_RANK_EDGES = (1, 2, 3, 4, 5, 7, 10, 14, 20, 30, 45, 70, 100, 150, 220)
"""Ranges of places in a list: first ones apart, later ones together."""


def learn(
    keys: FeatureKeys, samples: RankSamples, around: Around, rows: npt.NDArray[np.bool_] | None = None
) -> Encoder:
    """Judge the declared features, learn from samples, and bind what was learned to the data.

    rows: bool [N], the candidates that will be learned from, all unless given: names, ranges, crosses and common rates
          are taken from these.

    Raises DataError naming a feature that asks for what there is not.
    """
    features, crosses = declare(
        keys, around.catalogue, samples.candidates.sources, tuple(around.vectors), around.counters
    )
    names = {} if keys.ids == "open" else _learned_names(features, samples, around, rows)
    some = _Rows.of(samples, rows)
    edges, prior = _learned_edges(features, some, around)
    blank = tuple(np.empty(0, np.int64) for _ in crosses)
    learned = Learned(keys.ids, keys.table, tuple(features), tuple(crosses), names, edges, prior, blank)
    encoder = Encoder(learned, around)
    if not crosses or keys.ids == "open":
        return encoder
    least = [cross.feature.min_count or _MIN_COUNT for cross in crosses]
    return Encoder(replace(learned, cross_keys=_learned_crosses(encoder, least, some)), around)


class _Rows(NamedTuple):
    """Candidates that are learned from: of requests with all of their candidates, row int64 [K], rising.

    played: bool [K], whether the row was played.
    """

    requests: RequestBatch
    candidates: CandidateBatch
    row: I64
    played: npt.NDArray[np.bool_]

    @classmethod
    def of(cls, samples: RankSamples, rows: npt.NDArray[np.bool_] | None) -> _Rows:
        """Those of some requests, evenly spread over the samples."""
        size, offsets = len(samples.requests), samples.candidates.offsets
        count = len(samples.label) if rows is None else int(rows.sum())
        wanted = max(_LEARNED_FROM, _LEARNED_ROWS * size // max(count, 1))
        places = np.unique(np.linspace(0, max(size - 1, 0), min(size, wanted)).astype(np.int64))[:size]
        there = np.zeros(size, np.bool_)
        there[places] = True
        inside = np.repeat(there, np.diff(offsets))
        chosen = inside if rows is None else inside & rows
        return cls(
            samples.requests.take(places),
            samples.candidates.take(places),
            np.flatnonzero(chosen[inside]),
            samples.label[chosen] > 0,
        )

    @property
    def item(self) -> I32:
        """int32 [K]: the candidates themselves."""
        return self.candidates.item[self.row]

    def batches(self) -> Iterator[tuple[RequestBatch, CandidateBatch, I64]]:
        """Some requests at a time, with their candidates, and which of these are wanted."""
        offsets = self.candidates.offsets
        for start in range(0, max(len(self.requests), 1), _TOGETHER):
            some = np.arange(start, min(start + _TOGETHER, len(self.requests)))
            ends = offsets[[start, some[-1] + 1 if len(some) else start]]
            first, last = np.searchsorted(self.row, ends)
            yield self.requests.take(some), self.candidates.take(some), self.row[first:last] - ends[0]


def _read(numbers: RowValues, rows: _Rows) -> F32:
    found = []
    for requests, candidates, wanted in rows.batches():
        few, standing = some_of(candidates, wanted)
        found.append(numbers.read(requests, few, NO_CODES, None, standing))
    return np.concatenate(found, axis=1)


def _learned_crosses(encoder: Encoder, least: Sequence[int], rows: _Rows) -> tuple[I64, ...]:
    """Keys of each cross that rows have so often at least, rising."""
    count: list[tuple[I64, I64]] = [(np.empty(0, np.int64), np.empty(0, np.int64)) for _ in least]
    for batch in rows.batches():
        keys = encoder.cross_keys(*batch)
        for x, (known, times) in enumerate(count):
            found, more = np.unique(keys[x][keys[x] >= 0], return_counts=True)
            merged, place = np.unique(np.concatenate((known, found)), return_inverse=True)
            total = np.bincount(place, np.concatenate((times, more)), len(merged)).astype(np.int64)
            count[x] = (merged, total)
    return tuple(known[times >= bound] for (known, times), bound in zip(count, least, strict=True))


def _learned_names(
    features: Sequence[Declared], samples: RankSamples, around: Around, rows: npt.NDArray[np.bool_] | None
) -> dict[str, list[str]]:
    """Names met often enough, sorted as text."""
    requests, met = samples.requests, samples.candidates.item
    items = len(around.catalogue.items)
    shown = np.bincount(met if rows is None else met[rows], minlength=items)
    if samples.unrecalled is not None:  # which are learned from too
        shown += np.bincount(samples.unrecalled.candidates.item, minlength=items)
    main = np.bincount(requests.item[requests.item >= 0], minlength=items)
    found: dict[str, list[str]] = {}
    for each in features:
        table, word = each.of.table, each.of.word
        if each.form == "numbers" or table in ("context", "trigger") or each.feature.hash:
            continue
        if table == "user" and word != "id":
            values = requests.columns.get(word)
            listed = [] if values is None else values.tolist()
            if each.form == "lists":
                listed = [one for some in listed if some is not None for one in some]
            count = Counter(text for text in map(text_of, listed) if text is not None)
            found[each.name] = _kept(list(count), list(count.values()), each)
            continue
        if table == "user":
            times = np.bincount(requests.user[requests.user >= 0], minlength=len(around.catalogue.users))
            found[each.name] = _kept(around.catalogue.users.ids, times, each)
            continue
        column = item_column(around.catalogue, word, bool(each.feature.category) or table not in ("item", "main"))
        weights = shown if table == "item" else main
        if table in ("history", "session"):
            plays = requests.history if table == "history" else requests.session
            weights = np.bincount(plays.item[plays.item >= 0], minlength=items)
        if isinstance(column, ItemNumbers):
            continue
        codes = ItemCodes.of(column)
        times = np.bincount(codes.code, np.repeat(weights, np.diff(codes.offsets)), codes.size)
        found[each.name] = _kept(column.values, times, each)
    return found


def _kept(names: Sequence[str], times: npt.ArrayLike, feature: Declared) -> list[str]:
    """Names met often enough, sorted as text; where they are too many, those met most often, ties by name."""
    times = np.asarray(times, np.int64)
    places = np.flatnonzero(times >= (feature.feature.min_count or _MIN_COUNT)).tolist()
    found = sorted(places, key=lambda place: (-times[place], names[place]))[: feature.feature.vocabulary]
    return sorted(names[place] for place in found)


def _learned_edges(
    features: Sequence[Declared], samples: _Rows, around: Around
) -> tuple[dict[str, F32], dict[str, float]]:
    """Edges of each number's ranges, and the common rate of each rate.

    Half of a number's ranges hold as many rows each, the other half as many rows that were played: what is played
    stands where rows are few, such as at the top of a trigger's list.
    """
    edges: dict[str, F32] = {}
    prior: dict[str, float] = {}
    items = len(around.catalogue.items)
    rows = [each for each in features if each.side == "row" and each.form == "numbers"]
    unknown = np.full(len(rows), np.nan, np.float32)
    read = _read(RowValues((), rows, around, unknown), samples)
    for place, each in enumerate(rows):
        if each.of.table == "stat" and (each.of.word == "completion" or each.of.word.endswith("_rate")):
            finite = read[place][np.isfinite(read[place])]
            prior[each.name] = float(finite.mean(dtype=np.float64)) if len(finite) else 0.0
    rates = [place for place, each in enumerate(rows) if each.name in prior]
    if rates:
        some = [rows[place] for place in rates]
        common = np.array([prior[each.name] for each in some], np.float32)
        read[rates] = _read(RowValues((), some, around, common), samples)
    for place, each in enumerate(rows):
        edges[each.name] = _edges_of(each, read[place], read[place][samples.played])
    shown = np.bincount(samples.item, minlength=items) > 0
    for each in features:
        if each.form != "numbers" or each.side == "row":
            continue
        if each.side == "item":
            number = item_numbers(each, around.catalogue)
            edges[each.name] = _edges_of(each, number[shown], number[samples.item[samples.played]])
        else:
            number = RequestValues((), (), [each], around.catalogue).read(samples.requests, NO_CODES)[0]
            edges[each.name] = _edges_of(each, number, np.empty(0, np.float32))
    return edges, prior


def _edges_of(feature: Declared, number: F32, played: F32) -> F32:
    given, buckets = feature.feature.edges, feature.feature.buckets
    if given is not None:
        return np.array(given, np.float32)
    if feature.of.word == "rank" and buckets is None:
        return np.array(_RANK_EDGES, np.float32)
    buckets = buckets or _BUCKETS
    if feature.feature.default is not None:
        default = np.float32(feature.feature.default)
        number, played = (np.where(np.isnan(each), default, each) for each in (number, played))
    if not np.isfinite(played).any():
        return learned_edges(number, buckets)
    every, some = learned_edges(number, buckets - buckets // 2), learned_edges(played, buckets // 2 + 1)
    return np.unique(np.concatenate((every, some)))
