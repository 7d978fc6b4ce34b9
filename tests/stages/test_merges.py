"""The four merges against slow literal versions of what their docstrings say."""

from __future__ import annotations

import math
from fractions import Fraction
from typing import ClassVar

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from yoorec.batch import CandidateBatch
from yoorec.stages.configs import QuotaConfig, RoundRobinConfig, RrfConfig, WeightedConfig
from yoorec.stages.quota import Quota, quotas
from yoorec.stages.round_robin import RoundRobin
from yoorec.stages.rrf import Rrf
from yoorec.stages.weighted import Weighted
from yoorec.testing import worlds
from yoorec.testing.contracts import MergeContract

CATALOGUE = worlds.small_catalogue()
NAMES = ("hot", "itemcf", "text", "graph")
SCORES = st.sampled_from([-2.5, -1.0, -0.0, 0.0, 0.3, 0.5, 1.0, 3.0, math.nan, -math.inf])


def order(row):
    item, score = row
    return (-score if math.isfinite(score) else math.inf, item)


def batch_of(lists):
    offsets = np.cumsum([0, *map(len, lists)]).astype(np.int64)
    rows = [row for one in lists for row in one]
    item, score = np.array([row[0] for row in rows], np.int32), np.array([row[1] for row in rows], np.float32)
    return CandidateBatch(offsets, item, score)


@st.composite
def recalls(draw):
    """Plain lists [(item, score), ...] by trigger and request, best first, and the number of requests."""
    size = draw(st.integers(0, 3))
    one = st.dictionaries(st.integers(0, 11), SCORES, max_size=9).map(lambda d: sorted(d.items(), key=order))
    names = draw(st.lists(st.sampled_from(NAMES), unique=True, max_size=4))
    return {name: draw(st.lists(one, min_size=size, max_size=size)) for name in names}, size


def merged(component, lists, size, limit):
    requests = worlds.blank_requests(CATALOGUE, size)
    found = component.merge(requests, {name: batch_of(one) for name, one in lists.items()}, limit)
    found.check()
    check_sources(found, lists)
    return [
        list(zip(found.item[start:stop].tolist(), found.score[start:stop].tolist(), strict=True))
        for start, stop in zip(found.offsets[:-1].tolist(), found.offsets[1:].tolist(), strict=True)
    ]


def check_sources(found, lists):
    """Merges keep every source: each row has score and rank of every trigger that recalled it, NaN and -1 else."""
    assert found.sources == tuple(lists)
    assert found.merge_score.tobytes() == found.score.tobytes()
    for b, (start, stop) in enumerate(zip(found.offsets[:-1], found.offsets[1:], strict=True)):
        for row in range(start, stop):
            for t, one in enumerate(lists.values()):
                known = {item: (rank, score) for rank, (item, score) in enumerate(one[b])}
                rank, score = known.get(int(found.item[row]), (-1, math.nan))
                assert found.source_rank[row, t] == rank
                np.testing.assert_equal(found.source_score[row, t], np.float32(score))


def by_score(scores, limit):
    rows = [(item, float(np.float32(score))) for item, score in scores.items()]
    return sorted(rows, key=order)[:limit]


@given(recalls(), st.integers(1, 14))
def test_round_robin_takes_turns(world, limit):
    lists, size = world
    wanted = []
    for b in range(size):
        taken: list[int] = []
        for rank in range(12):
            for one in lists.values():
                if rank < len(one[b]) and one[b][rank][0] not in taken:
                    taken.append(one[b][rank][0])
        wanted.append([(item, float(-place)) for place, item in enumerate(taken[:limit])])
    assert merged(RoundRobin(RoundRobinConfig(), CATALOGUE), lists, size, limit) == wanted


@given(
    recalls(),
    st.integers(1, 14),
    st.dictionaries(st.sampled_from(NAMES), st.sampled_from([0.0, 0.1, 2.0])),
    st.sampled_from(["max", "rank"]),
)
def test_weighted_sums_normalised_scores(world, limit, weights, normalize):
    lists, size = world
    wanted = []
    for b in range(size):
        totals: dict[int, float] = {}
        for name, one in lists.items():
            finite = [float(np.float32(score)) for _, score in one[b] if math.isfinite(score)]
            best = max(finite, default=0.0)
            for rank, (item, score) in enumerate(one[b]):
                if normalize == "rank" or best <= 0:
                    value = (len(one[b]) - rank) / len(one[b])
                else:
                    value = max(float(np.float32(score)), 0.0) / best if math.isfinite(score) else 0.0
                totals[item] = totals.get(item, 0.0) + weights.get(name, 1.0) * value
        wanted.append(by_score(totals, limit))
    assert merged(Weighted(WeightedConfig(weights, normalize), CATALOGUE), lists, size, limit) == wanted


@given(recalls(), st.integers(1, 14), st.sampled_from([0.0, 1.0, 60.0]))
def test_rrf_sums_reciprocal_ranks(world, limit, constant):
    lists, size = world
    wanted = []
    for b in range(size):
        totals: dict[int, float] = {}
        for one in lists.values():
            for rank, (item, _) in enumerate(one[b], 1):  # ranks from 1, as the paper counts them
                totals[item] = totals.get(item, 0.0) + 1 / (constant + rank)
        wanted.append(by_score(totals, limit))
    assert merged(Rrf(RrfConfig(constant), CATALOGUE), lists, size, limit) == wanted


def shares_at_most_one(names):
    """Shares in hundredths, by trigger."""
    return st.dictionaries(st.sampled_from(names), st.integers(1, 60), max_size=3).filter(
        lambda s: sum(s.values()) <= 100
    )


@given(recalls(), st.integers(1, 14), shares_at_most_one(NAMES))
def test_quota_reserves_places_and_frees_those_not_filled(world, limit, hundredths):
    lists, size = world
    share = {name: value / 100 for name, value in hundredths.items()}
    quota = dict(zip(lists, quotas(tuple(lists), tuple(share.items()), limit), strict=True))
    wanted = []
    for b in range(size):
        taken: list[int] = []
        given_by = dict.fromkeys(lists, 0)

        def best(name, b=b, taken=taken):
            return next((item for item, _ in lists[name][b] if item not in taken), None)

        while len(taken) < limit:
            ready = [name for name in lists if given_by[name] < quota[name] and best(name) is not None]
            if not ready:
                break
            turn = min(ready, key=lambda name: Fraction(given_by[name] + 1, quota[name]))
            taken.append(best(turn))
            given_by[turn] += 1
        while len(taken) < limit and any(best(name) is not None for name in lists):
            for name in lists:
                if len(taken) < limit and best(name) is not None:
                    taken.append(best(name))
        wanted.append([(item, float(-place)) for place, item in enumerate(taken)])
    assert merged(Quota(QuotaConfig(share), CATALOGUE), lists, size, limit) == wanted


@given(st.lists(st.sampled_from(NAMES), unique=True, max_size=4), shares_at_most_one(NAMES), st.integers(1, 500))
def test_quotas_are_exact(names, hundredths, limit):
    found = quotas(tuple(names), tuple((name, value / 100) for name, value in hundredths.items()), limit)
    unnamed = [name for name in names if name not in hundredths]
    rest = 100 - sum(hundredths.values())
    exact = [
        Fraction(hundredths[name] * limit, 100) if name in hundredths else Fraction(rest * limit, 100 * len(unnamed))
        for name in names
    ]
    assert sum(found) == math.floor(sum(exact, Fraction(0)))
    assert all(abs(places - share) < 1 for places, share in zip(found, exact, strict=True))


def test_quotas_by_hand():
    assert quotas(("itemcf", "tdm"), (("itemcf", 0.29), ("tdm", 0.71)), 100) == (29, 71)  # 0.29 * 100 < 29 in floats
    assert quotas(("a", "b", "c"), (), 10) == (4, 3, 3)
    assert quotas(("a", "b"), (("a", 0.25),), 10) == (3, 7)  # 2.5 and 7.5 tie: the earlier trigger
    assert quotas(("a",), (("a", 0.5), ("gone", 0.5)), 10) == (5,)
    assert quotas(("a", "b"), (("b", 1.0),), 7) == (0, 7)


def test_quota_keeps_to_the_shares_from_the_first_place_on():
    lists = {name: [[(100 * t + i, -float(i)) for i in range(20)]] for t, name in enumerate(("a", "b"))}
    items = [item for item, _ in merged(Quota(QuotaConfig({"a": 0.75}), CATALOGUE), lists, 1, 20)[0]]
    assert [sum(item < 100 for item in items[:n]) for n in (4, 8, 12, 16, 20)] == [3, 6, 9, 12, 15]


def test_shares_above_one_are_refused():
    with pytest.raises(ValueError, match=r"^shares add up to 1\.1, accepted: at most 1$"):
        QuotaConfig({"a": 0.7, "b": 0.4})
    assert sum(QuotaConfig(dict.fromkeys("abcdefghij", 0.1)).share.values()) != 1.0  # ten tenths are exactly 1
    with pytest.raises(ValidationError) as caught:
        TypeAdapter(QuotaConfig).validate_python({"share": {"a": 0.7, "b": 0.4}})
    assert [(error["loc"], error["msg"]) for error in caught.value.errors()] == [
        ((), "Value error, shares add up to 1.1, accepted: at most 1")
    ]


class TestRoundRobin(MergeContract):
    component = RoundRobin
    configs: ClassVar = [RoundRobinConfig()]


class TestWeighted(MergeContract):
    component = Weighted
    configs: ClassVar = [
        WeightedConfig(),
        WeightedConfig({"hot": 0.2, "text": 0.0}),
        WeightedConfig({"itemcf": 3.0}, normalize="rank"),
    ]


class TestRrf(MergeContract):
    component = Rrf
    configs: ClassVar = [RrfConfig(), RrfConfig(constant=0.0)]


class TestQuota(MergeContract):
    component = Quota
    configs: ClassVar = [
        QuotaConfig(),
        QuotaConfig({"itemcf": 0.4, "text": 0.2}),
        QuotaConfig({"hot": 0.01, "itemcf": 0.5, "text": 0.49}),
    ]
