from __future__ import annotations

import math
import threading

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from yoorec.batch import CandidateBatch, Plays, Ragged
from yoorec.ragged import (
    are_members,
    best_candidates,
    best_first,
    drop_members,
    first_k,
    item_marks,
    lowest_first,
    plays_before,
    sort_keys,
    take_rows,
    top_of_dense,
    union_candidates,
    unite_items,
    unite_plays,
)
from yoorec.ragged.dense import add_product, add_to, copy_to

SCORES = st.sampled_from([-2.5, -1.0, -0.0, 0.0, 0.5, 1.0, 3.0, math.nan, math.inf, -math.inf])
ROWS = st.lists(st.dictionaries(st.integers(0, 12), SCORES, max_size=12).map(lambda d: list(d.items())), max_size=4)
LISTS = st.lists(st.lists(st.integers(0, 9), max_size=6), max_size=4)


def offsets_of(lists):
    return np.cumsum([0, *map(len, lists)]).astype(np.int64)


def flat(lists, dtype):
    return np.array([value for one in lists for value in one], dtype)


def candidates(lists):
    item = flat([[item for item, _ in one] for one in lists], np.int32)
    return CandidateBatch(offsets_of(lists), item, flat([[score for _, score in one] for one in lists], np.float32))


def ragged(lists):
    return Ragged(offsets_of(lists), flat(lists, np.int32))


def split(offsets, *columns):
    """Each request's rows as tuples."""
    parts = [column.tolist() for column in columns]
    return [
        list(zip(*(part[start:stop] for part in parts), strict=True))
        for start, stop in zip(offsets[:-1].tolist(), offsets[1:].tolist(), strict=True)
    ]


def key(row):
    item, score = row
    return (-score if math.isfinite(score) else math.inf, item)


def same(found, wanted):
    return repr(found) == repr(wanted)  # NaN equals NaN, and the sign of zero counts


@given(ROWS, st.integers(0, 13))
def test_best_first_is_a_sort_cut_at_the_limit(lists, limit):
    batch = candidates(lists)
    rows, offsets = best_first(batch.offsets, batch.item, batch.score, limit)
    found = split(offsets, batch.item[rows], batch.score[rows])
    assert same(found, [sorted(one, key=key)[:limit] for one in lists])


def test_best_first_selects_a_few_of_many():
    rng = np.random.default_rng(0)
    item = rng.permutation(5000).astype(np.int32)
    score = rng.integers(0, 50, 5000).astype(np.float32)
    rows, _ = best_first(np.array([0, 5000]), item, score, 70)
    assert rows.tolist() == np.lexsort((item, -score))[:70].tolist()


@given(ROWS, st.data())
def test_first_k_takes_each_requests_own_number(lists, data):
    k = data.draw(st.lists(st.integers(-1, 14), min_size=len(lists), max_size=len(lists)))
    rows, offsets = first_k(offsets_of(lists), np.array(k, np.int32))
    batch = candidates(lists)
    found = split(offsets, batch.item[rows], batch.score[rows])
    assert same(found, [one[: max(n, 0)] for one, n in zip(lists, k, strict=True)])


@given(st.dictionaries(st.integers(0, 12), SCORES, max_size=12), st.integers(1, 13))
def test_top_of_dense_is_a_sort_cut_at_the_limit(scores, limit):
    total = np.full(13, 7.0, np.float32)
    for item, score in scores.items():
        total[item] = score
    touched = np.array(list(scores), np.int32)
    out_item, out_score = np.empty(13, np.int32), np.empty(13, np.float32)
    count = top_of_dense(touched, len(touched), total, limit, np.empty(13, np.uint64), out_item, out_score)
    wanted = sorted(scores.items(), key=key)[:limit]
    assert same(list(zip(out_item[:count].tolist(), out_score[:count].tolist(), strict=True)), wanted)


@pytest.mark.parametrize("limit", [1, 7, 100, 4999, 5000, 6000])
@pytest.mark.parametrize("kind", ["drawn", "rising", "falling", "equal", "few"])
def test_top_of_dense_selects_among_many(kind: str, limit: int) -> None:
    rng = np.random.default_rng(3)
    total = np.arange(5000, dtype=np.float32)
    if kind == "falling":
        total = total[::-1].copy()
    elif kind != "rising":
        total = {"drawn": rng.normal(size=5000), "equal": np.ones(5000), "few": rng.integers(0, 3, 5000)}[kind].astype(
            np.float32
        )
    touched = rng.permutation(5000).astype(np.int32)
    out_item, out_score = np.empty(5000, np.int32), np.empty(5000, np.float32)
    count = top_of_dense(touched, 5000, total, limit, np.empty(5000, np.uint64), out_item, out_score)
    expected = np.lexsort((np.arange(5000), -total))[:limit]
    assert count == len(expected)
    np.testing.assert_array_equal(out_item[:count], expected)
    np.testing.assert_array_equal(out_score[:count], total[expected])


@pytest.mark.parametrize("kind", ["random", "rising", "falling", "same", "organ"])
@pytest.mark.parametrize("count", [0, 1, 2, 3, 50, 1000])
def test_keys_are_sorted_or_the_lowest_selected_and_their_places_go_along(kind: str, count: int) -> None:
    rising = np.arange(count, dtype=np.uint64)
    made = {
        "random": np.random.default_rng(count).integers(0, 2**64 - 1, count, np.uint64),
        "rising": rising,
        "falling": rising[::-1].copy(),
        "same": np.full(count, 7, np.uint64),
        "organ": np.minimum(rising, rising[::-1]),
    }[kind]
    more = np.append(made, np.zeros(2, np.uint64))  # beyond the count: left alone
    keys, places = more.copy(), np.arange(count + 2, dtype=np.int32)
    sort_keys(keys, places, count)
    assert keys[:count].tolist() == sorted(made.tolist())
    assert more[places].tolist() == keys.tolist()
    assert sorted(places.tolist()) == list(range(count + 2))
    for limit in {0, min(1, count), count // 3, count}:
        keys, places = more.copy(), np.arange(count + 2, dtype=np.int32)
        lowest_first(keys, places, count, limit)
        assert sorted(keys[:limit].tolist()) == sorted(made.tolist())[:limit]
        assert more[places].tolist() == keys.tolist()
        assert sorted(places.tolist()) == list(range(count + 2))


@pytest.mark.parametrize(("width", "units"), [(0, 3), (1, 1), (4, 2), (7, 5), (33, 16)])
def test_dense_sums_are_those_of_numpy(width: int, units: int) -> None:
    rng = np.random.default_rng(0)
    out, value = rng.normal(size=units).astype(np.float32), rng.normal(size=width).astype(np.float32)
    matrix = rng.normal(size=(width, units)).astype(np.float32)
    wanted = out + value.astype(np.float64) @ matrix
    add_product(out, value, matrix)
    np.testing.assert_allclose(out, wanted, atol=1e-5)
    other = out.copy()
    add_to(other, out)
    assert other.tolist() == (2 * out).tolist()
    copy_to(other, matrix.ravel() if width else out)
    assert other.tolist() == (matrix.ravel()[:units] if width else out).tolist()


def test_take_rows_takes_every_column():
    batch = CandidateBatch(
        np.array([0, 2, 3]),
        np.array([4, 5, 6], np.int32),
        np.array([3, 2, 1], np.float32),
        ("a", "b"),
        np.arange(6, dtype=np.float32).reshape(3, 2),
        np.arange(6, dtype=np.int32).reshape(3, 2),
        np.array([9, 8, 7], np.float32),
    )
    rows, offsets = np.array([2, 0]), np.array([0, 1, 2])
    found, wanted = take_rows(batch, rows, offsets), batch.rows(rows, offsets)
    for name in ("offsets", "item", "score", "source_score", "source_rank", "merge_score"):
        np.testing.assert_array_equal(getattr(found, name), getattr(wanted, name))
        assert getattr(found, name).dtype == getattr(wanted, name).dtype
    assert found.sources == ("a", "b")
    bare = take_rows(CandidateBatch(batch.offsets, batch.item, batch.score), rows, offsets)
    assert bare.item.tolist() == [6, 4] and bare.source_score is None and bare.merge_score is None


@given(ROWS, st.data())
def test_best_candidates_orders_by_the_new_score(lists, data):
    batch = candidates(lists)
    score = np.array(data.draw(st.lists(SCORES, min_size=len(batch.item), max_size=len(batch.item))), np.float32)
    found = best_candidates(batch, score)
    found.check()
    pairs = split(batch.offsets, batch.item, score)
    assert same(split(found.offsets, found.item, found.score), [sorted(one, key=key) for one in pairs])


@given(st.integers(0, 4), st.integers(0, 3), st.data())
def test_a_union_keeps_every_source_of_every_item(size, triggers, data):
    recalled = {}
    for t in range(triggers):
        one = st.dictionaries(st.integers(0, 12), SCORES, max_size=8).map(lambda d: list(d.items()))
        recalled[f"t{t}"] = candidates(data.draw(st.lists(one, min_size=size, max_size=size)))
    union = union_candidates(recalled, size)
    joined = union.candidates
    assert joined.sources == tuple(recalled)
    assert joined.source_score.dtype == np.float32 and joined.source_rank.dtype == np.int32
    for b in range(size):
        wanted: dict[int, dict[str, tuple[float, int]]] = {}
        for name, one in recalled.items():
            for rank, (item, score) in enumerate(split(one.offsets, one.item, one.score)[b]):
                wanted.setdefault(item, {})[name] = (score, rank)
        start, stop = joined.offsets[b], joined.offsets[b + 1]
        found = {
            item: {
                name: (score, rank)
                for name, score, rank in zip(joined.sources, scores, ranks, strict=True)
                if rank >= 0 or not math.isnan(score)
            }
            for item, scores, ranks in zip(
                joined.item[start:stop].tolist(),
                joined.source_score[start:stop].tolist(),
                joined.source_rank[start:stop].tolist(),
                strict=True,
            )
        }
        assert same(found, wanted)  # the order of first appearance included
        for t, one in enumerate(recalled.values()):
            rows = union.row[union.start[t, b] : union.start[t, b + 1]]
            assert joined.item[rows].tolist() == one.item[one.offsets[b] : one.offsets[b + 1]].tolist()


def test_a_union_refuses_batches_of_different_sizes():
    with pytest.raises(ValueError, match=r"^trigger 'hot' gave 2 requests, expected 3$"):
        union_candidates({"hot": CandidateBatch.empty(2)}, 3)


@given(LISTS, st.data())
def test_unite_items_puts_the_second_behind_the_first(first, data):
    second = data.draw(st.lists(st.lists(st.integers(0, 9), max_size=5), min_size=len(first), max_size=len(first)))
    found = unite_items(ragged(first), ragged(second))
    found.check()
    assert split(found.offsets, found.item) == [[(i,) for i in a + b] for a, b in zip(first, second, strict=True)]


@given(ROWS, st.data())
def test_drop_members_leaves_no_member_and_nothing_else(lists, data):
    size = len(lists)
    members = data.draw(st.lists(st.lists(st.integers(-1, 30), max_size=6), min_size=size, max_size=size))
    one_more = data.draw(st.lists(st.integers(-1, 15), min_size=size, max_size=size))
    args = ragged(members), np.array(one_more, np.int32)
    among = are_members(candidates(lists), *args)
    assert among.tolist() == [
        row[0] in own or row[0] == more for one, own, more in zip(lists, members, one_more, strict=True) for row in one
    ]
    found = drop_members(candidates(lists), *args)
    wanted = [
        [row for row in one if row[0] not in own and row[0] != more]
        for one, own, more in zip(lists, members, one_more, strict=True)
    ]
    assert same(split(found.offsets, found.item, found.score), wanted)
    assert drop_members(found, *args) is found  # twice equals once


PLAY = st.tuples(st.integers(0, 4), st.integers(0, 3), st.sampled_from([0.5, 1.0]))


def plays(lists):
    columns = [flat([[row[c] for row in one] for one in lists], dtype) for c, dtype in enumerate((np.int32, np.int64))]
    return Plays(offsets_of(lists), *columns, flat([[row[2] for row in one] for one in lists], np.float32))


@given(st.lists(st.tuples(st.lists(PLAY, max_size=8), st.lists(PLAY, max_size=8)), max_size=3), st.integers(0, 9))
def test_unite_plays_is_a_union_by_item_and_time(lists, limit):
    newest = [[sorted(side, key=lambda play: -play[1]) for side in pair] for pair in lists]
    found = unite_plays(plays([a for a, _ in newest]), plays([b for _, b in newest]), limit)
    found.check()
    wanted = []
    for session, history in newest:
        once: dict[tuple[int, int], tuple[int, int, float]] = {}
        for play in sorted(session + history, key=lambda play: -play[1]):  # stable: the session's come first
            once.setdefault(play[:2], play)
        wanted.append(list(once.values())[:limit])
    assert split(found.offsets, found.item, found.time, found.weight) == wanted


@given(st.lists(PLAY, max_size=12), st.lists(st.tuples(st.integers(0, 12), st.integers(0, 12), st.integers(0, 4))))
def test_plays_before_sees_strictly_earlier_plays(log, asked):
    log = sorted(log, key=lambda play: play[1])
    asked = [(min(a, b, len(log)), min(max(a, b), len(log)), when) for a, b, when in asked]
    flat_log = plays([log])
    start, stop, when = (np.array([one[c] for one in asked], np.int64) for c in range(3))
    history, seen = plays_before(start, stop, flat_log.item, flat_log.time, flat_log.weight, when, 3)
    history.check()
    seen.check()
    for b, (first, last, time) in enumerate(asked):
        earlier = [play for play in log[first:last] if play[1] < time]
        assert split(history.offsets, history.item, history.time, history.weight)[b] == earlier[::-1][:3]
        assert split(seen.offsets, seen.item)[b] == [(item,) for item, _, _ in earlier]


def test_every_thread_has_marks_of_its_own_and_they_grow():
    small = item_marks(10)
    assert item_marks(5) is small and len(small) > 10 and small[0] > small[1:].max()
    large = item_marks(len(small))
    assert large is not small and len(large) > len(small)
    others = []
    thread = threading.Thread(target=lambda: others.append(item_marks(10)))
    thread.start()
    thread.join()
    assert others[0] is not item_marks(10)
