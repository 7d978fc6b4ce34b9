"""Exposure rules: each against a slow literal version, and what must hold of any list they let through."""

from __future__ import annotations

from dataclasses import replace
from typing import ClassVar

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from yoorec.batch import CandidateBatch, Ragged
from yoorec.components import ExposureContext
from yoorec.errors import DataError
from yoorec.stages.backfill import Backfill
from yoorec.stages.configs import BackfillConfig, DropSeenConfig, SpreadConfig
from yoorec.stages.drop_seen import DropSeen
from yoorec.stages.spread import Spread
from yoorec.testing import worlds
from yoorec.testing.columns import differences
from yoorec.testing.contracts import RuleContract

CATALOGUE = worlds.small_catalogue()
AUTHORS = CATALOGUE.item_columns["author"].to_pylist()
ITEMS = len(AUTHORS)
LISTS = st.lists(st.lists(st.integers(0, ITEMS - 1), unique=True, max_size=25), max_size=3)


def nothing_more(*args):
    raise AssertionError("this rule asks nothing of the chain")


ALONE = ExposureContext(nothing_more, nothing_more)


def ranked_of(lists, sources=("hot", "itemcf")):
    """Lists recalled by the last source alone."""
    offsets = np.cumsum([0, *map(len, lists)]).astype(np.int64)
    item = np.array([i for one in lists for i in one], np.int32)
    score = np.concatenate([np.empty(0), *(np.arange(len(one), 0, -1) / 8 for one in lists)]).astype(np.float32)
    by_source = np.full((len(item), len(sources)), np.nan, np.float32)
    ranks = np.full((len(item), len(sources)), -1, np.int32)
    by_source[:, -1] = score
    ranks[:, -1] = np.concatenate([np.empty(0, int), *(np.arange(len(one)) for one in lists)])
    return CandidateBatch(offsets, item, score, sources, by_source, ranks, score * 2)


def items_of(batch):
    return [part.tolist() for part in np.split(batch.item, batch.offsets[1:-1])] if len(batch) else []


def requests_of(size, k=10, seen=(), item=()):
    requests = worlds.blank_requests(CATALOGUE, size, k)
    if seen:
        flat = np.array([i for one in seen for i in one], np.int32)
        requests = replace(requests, seen=Ragged(np.cumsum([0, *map(len, seen)]).astype(np.int64), flat))
    return replace(requests, item=np.array(item, np.int32)) if item else requests


# -- drop_seen


@given(LISTS, st.data())
def test_drop_seen_lets_nothing_seen_through(lists, data):
    some = st.integers(-1, ITEMS - 1)
    seen = data.draw(st.lists(st.lists(some, max_size=30), min_size=len(lists), max_size=len(lists)))
    main = data.draw(st.lists(some, min_size=len(lists), max_size=len(lists)))
    requests, rule = requests_of(len(lists), 10, seen, main), DropSeen(DropSeenConfig(), CATALOGUE)
    kept = rule.apply(requests, ranked_of(lists), ALONE)
    assert items_of(kept) == [
        [i for i in one if i not in own and i != page] for one, own, page in zip(lists, seen, main, strict=True)
    ]
    assert differences(rule.apply(requests, kept, ALONE), kept) == []


# -- spread

SPREADS = st.builds(SpreadConfig, by=st.just("author"), max=st.integers(1, 3), window=st.integers(1, 6))


def spread_slowly(items, most, window):
    """Place by place, the best item left whose author stands fewer than `most` times in the window before."""
    left, out = list(items), []
    while True:
        near = [AUTHORS[i] for i in out[max(0, len(out) - window + 1) :]]
        fitting = [i for i in left if AUTHORS[i] is None or near.count(AUTHORS[i]) < most]
        if not fitting:
            return out
        out.append(fitting[0])
        left.remove(fitting[0])


def spread(lists, config):
    kept = Spread(config, CATALOGUE).apply(requests_of(len(lists)), ranked_of(lists), ALONE)
    return items_of(kept)


@given(LISTS, SPREADS)
def test_spread_postpones_what_does_not_fit(lists, config):
    assert spread(lists, config) == [spread_slowly(one, config.max, config.window) for one in lists]


@given(LISTS, SPREADS)
def test_no_window_holds_too_many(lists, config):
    for one in spread(lists, config):
        for start in range(len(one)):
            near = [AUTHORS[i] for i in one[start : start + config.window] if AUTHORS[i] is not None]
            assert all(near.count(author) <= config.max for author in near)


@given(LISTS, SPREADS)
def test_spreading_twice_equals_once(lists, config):
    once = spread(lists, config)
    assert spread(once, config) == once


@given(LISTS, SPREADS, st.integers(0, ITEMS - 1))
def test_rows_behind_a_spread_list_leave_its_start_as_it_was(lists, config, more):
    once = spread(lists, config)
    longer = spread([one if more in one else [*one, more] for one in once], config)
    assert [two[: len(one)] for one, two in zip(once, longer, strict=True)] == once


def test_spread_by_hand():
    a, b, none = [i for i, x in enumerate(AUTHORS) if x == "a0"], AUTHORS.index("a1"), AUTHORS.index(None)
    assert spread([[a[0], a[1], a[2], b, none]], SpreadConfig("author", 1, 3)) == [[a[0], b, none, a[1]]]


def test_spread_names_the_nearest_column():
    with pytest.raises(DataError) as caught:
        Spread(SpreadConfig("autor"), CATALOGUE)
    assert str(caught.value) == (
        "items: no column 'autor'; nearest: author; there are: title, author, category, duration_s"
    )


# -- backfill


class Chain:
    """A chain with one deep trigger whose list is `pool`, and the rules given before the backfill."""

    def __init__(self, pool, rules=(), sources=("hot", "itemcf")):
        self.pool, self.rules, self.sources, self.asked = list(pool), rules, sources, []

    def context(self):
        return ExposureContext(self.recall, self.earlier)

    def recall(self, trigger, requests, k):
        assert trigger == "hot"
        self.asked.append((len(requests), k))
        own = self.pool[:k]
        found = ranked_of([own] * len(requests), ("itemcf", "hot"))
        if self.sources is None:
            return CandidateBatch(found.offsets, found.item, found.score)
        return found

    def earlier(self, requests, candidates):
        for rule in self.rules:
            candidates = rule.apply(requests, candidates, ALONE)
        return candidates


def fill(chain, requests, ranked):
    return Backfill(BackfillConfig("hot"), CATALOGUE).apply(requests, ranked, chain.context())


def test_backfill_leaves_requests_alone_that_are_not_short():
    chain, ranked = Chain(range(20)), ranked_of([[1, 2, 3], [4, 5]])
    assert fill(chain, requests_of(2, k=2), ranked) is ranked
    assert chain.asked == []


@pytest.mark.parametrize("sources", [("hot", "itemcf"), None], ids=["chain columns", "bare lists"])
def test_backfill_by_hand(sources):
    ranked = ranked_of([[3, 30], [4, 5, 6], []])
    found = fill(Chain([30, 7, 8, 9, 10, 11, 12], sources=sources), requests_of(3, k=3), ranked)
    assert items_of(found) == [[3, 30, 7, 8, 9, 10, 11], [4, 5, 6], [30, 7, 8, 9, 10, 11]]
    assert found.score.tolist() == [
        0.25,
        0.125,
        -0.875,
        -1.875,
        -2.875,
        -3.875,
        -4.875,
        *ranked.score[2:5],
        *range(-1, -7, -1),
    ]
    assert found.sources == ("hot", "itemcf")
    assert found.source_rank[:, 0].tolist() == [-1, -1, 1, 2, 3, 4, 5, -1, -1, -1, 0, 1, 2, 3, 4, 5]
    assert found.source_rank[:, 1].tolist() == [0, 1, -1, -1, -1, -1, -1, 0, 1, 2, *[-1] * 6]
    np.testing.assert_array_equal(found.source_score[:3, 0], np.array([np.nan, np.nan, 5 / 8], np.float32))
    np.testing.assert_array_equal(found.merge_score[:3], np.array([0.5, 0.25, np.nan], np.float32))


def test_backfill_adds_the_source_that_was_left_out():
    found = fill(Chain([7, 8]), requests_of(2, k=1), ranked_of([[1], []], ("itemcf",)))
    assert found.sources == ("itemcf", "hot")
    assert items_of(found) == [[1], [7, 8]]
    assert found.source_rank.tolist() == [[0, -1], [-1, 0], [-1, 1]]


def test_backfill_asks_deeper_until_the_trigger_has_no_more():
    seen = list(range(30))
    chain = Chain(range(40), [DropSeen(DropSeenConfig(), CATALOGUE)])
    found = fill(chain, requests_of(2, k=5, seen=[seen, []]), ranked_of([[], []]))
    assert items_of(found) == [list(range(30, 40)), list(range(10))]
    assert chain.asked == [(2, 10), (1, 20), (1, 40)]
    empty = Chain(range(12), [DropSeen(DropSeenConfig(), CATALOGUE)])
    assert items_of(fill(empty, requests_of(1, k=5, seen=[seen]), ranked_of([[]]))) == [[]]
    assert empty.asked == [(1, 10), (1, 20), (1, 40)]


def test_backfilled_scores_are_finite_where_the_list_had_none():
    ranked = replace(ranked_of([[1, 2]]), score=np.array([-np.inf, np.nan], np.float32))
    assert fill(Chain([3, 4]), requests_of(1, k=3), ranked).score[2:].tolist() == [-1.0, -2.0]


@st.composite
def short_lists(draw):
    lists = draw(st.lists(st.lists(st.integers(0, ITEMS - 1), unique=True, max_size=8), min_size=1, max_size=4))
    numbers = st.lists(st.integers(1, 12), min_size=len(lists), max_size=len(lists))
    seen = st.lists(st.lists(st.integers(0, ITEMS - 1), max_size=40), min_size=len(lists), max_size=len(lists))
    requests = requests_of(len(lists), 10, draw(seen))
    pool = draw(st.lists(st.integers(0, ITEMS - 1), unique=True, max_size=40))
    return lists, replace(requests, k=np.array(draw(numbers), np.int32)), pool


@given(short_lists())
def test_backfill_respects_the_rules_before_it(world):
    lists, requests, pool = world
    rules = [DropSeen(DropSeenConfig(), CATALOGUE), Spread(SpreadConfig("author", 1, 3), CATALOGUE)]
    kept = ranked_of(lists)
    for rule in rules:
        kept = rule.apply(requests, kept, ALONE)
    found = fill(Chain(pool, rules), requests, kept)
    seen = [set(part.tolist()) for part in np.split(requests.seen.item, requests.seen.offsets[1:-1])]
    for one, before, own, k in zip(items_of(found), items_of(kept), seen, requests.k.tolist(), strict=True):
        assert not own & set(one)
        assert len(set(one)) == len(one)
        assert one[: len(before)] == before
        if len(before) >= k:
            assert one == before
        assert one == spread_slowly(one, 1, 3)
        rest = [i for i in pool if i not in own and i not in before]
        assert len(one) >= min(k, len(spread_slowly([*before, *rest], 1, 3)))
    assert np.isfinite(found.score).all()
    for b in range(len(lists)):
        old, new = (
            kept.score[kept.offsets[b] : kept.offsets[b + 1]],
            found.score[found.offsets[b] : found.offsets[b + 1]],
        )
        assert new[: len(old)].tolist() == old.tolist()
        assert new[len(old) :].max(initial=-np.inf) < old.min(initial=0.0)


@given(short_lists())
def test_backfill_of_one_equals_backfill_of_many(world):
    lists, requests, pool = world
    rules, ranked = [DropSeen(DropSeenConfig(), CATALOGUE)], ranked_of(lists)
    whole = fill(Chain(pool, rules), requests, ranked)
    for b in range(len(lists)):
        one = np.array([b])
        assert differences(fill(Chain(pool, rules), requests.take(one), ranked.take(one)), whole.take(one)) == []


class TestDropSeen(RuleContract):
    component = DropSeen
    configs: ClassVar = [DropSeenConfig()]


class TestSpread(RuleContract):
    component = Spread
    configs: ClassVar = [SpreadConfig("author", 1, 4), SpreadConfig("category"), SpreadConfig("author", 1, 100)]


class TestBackfill(RuleContract):
    component = Backfill
    adds: ClassVar = True
    configs: ClassVar = [BackfillConfig("hot"), BackfillConfig("text")]
