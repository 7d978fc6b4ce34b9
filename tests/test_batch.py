"""Batches: slicing against plain lists, and the words with which broken columns are refused."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from yoorec.batch import Arrivals, CandidateBatch, Plays, Ragged, RequestBatch
from yoorec.components import PerRequestTrigger
from yoorec.testing.columns import differences
from yoorec.testing.worlds import small_log, small_merged, small_recalled, small_requests

LISTS = st.lists(st.lists(st.integers(0, 50), max_size=6), max_size=8)


def _ragged(lists: list[list[int]]) -> Ragged:
    offsets = np.concatenate([[0], np.cumsum([len(each) for each in lists])]).astype(np.int64)
    return Ragged(offsets, np.array([item for each in lists for item in each], np.int32))


def _lists(ragged: Any) -> list[list[int]]:
    return [ragged.item[a:b].tolist() for a, b in zip(ragged.offsets[:-1], ragged.offsets[1:], strict=True)]


@given(LISTS, st.data())
def test_take_picks_requests_in_the_order_named(lists: list[list[int]], data: st.DataObject) -> None:
    wanted = data.draw(st.lists(st.integers(0, len(lists) - 1), max_size=10)) if lists else []
    taken = _ragged(lists).take(np.array(wanted, np.int64))
    taken.check()
    assert _lists(taken) == [lists[number] for number in wanted]


@given(st.lists(LISTS, min_size=1, max_size=4))
def test_join_puts_batches_one_after_the_other(parts: list[list[list[int]]]) -> None:
    joined = Ragged.join([_ragged(part) for part in parts])
    joined.check()
    assert _lists(joined) == [each for part in parts for each in part]


def test_join_undoes_take() -> None:
    log = small_log()
    requests = small_requests(log, 30)
    merged = small_merged(small_recalled(log.catalogue, 30))
    for batch in (requests, requests.session, requests.seen, merged):
        halves = [batch.take(np.arange(13)), batch.take(np.arange(13, 30))]
        assert differences(type(batch).join(halves), batch) == []


def test_take_keeps_every_column_of_a_request() -> None:
    requests = small_requests(small_log(), 30)
    one = requests.take(np.array([17]))
    one.check()
    assert len(one) == 1
    assert (one.user[0], one.time[0], one.item[0], one.k[0]) == (
        requests.user[17],
        requests.time[17],
        requests.item[17],
        requests.k[17],
    )
    assert {name: column[0] for name, column in one.columns.items()} == {
        name: column[17] for name, column in requests.columns.items()
    }


def test_take_of_arrivals() -> None:
    requests = small_requests(small_log(), 9)
    arrivals = Arrivals(requests.user, requests.time, requests.item, requests.k, requests.session)
    turned = arrivals.take(np.arange(9)[::-1])
    assert len(turned) == 9
    assert turned.user.tolist() == requests.user[::-1].tolist()
    assert _lists(turned.session) == _lists(requests.session)[::-1]


def test_empty_batches_are_sound() -> None:
    for kind in (Ragged, Plays, CandidateBatch):
        for size in (0, 3):
            empty = kind.empty(size)
            empty.check()
            assert len(empty) == size


def _candidates() -> CandidateBatch:
    """Two requests: items 4 and 2, then item 4."""
    return CandidateBatch(np.array([0, 2, 3]), np.array([4, 2, 4], np.int32), np.array([3, 1, 2], np.float32))


def test_a_sound_batch_passes() -> None:
    _candidates().check()
    assert _candidates().lengths.tolist() == [2, 1]


def test_nan_and_infinities_stand_last_and_tie() -> None:
    score = np.array([1, np.nan, np.inf], np.float32)
    CandidateBatch(np.array([0, 3]), np.array([5, 1, 2], np.int32), score).check()
    with pytest.raises(ValueError, match="best first"):
        CandidateBatch(np.array([0, 3]), np.array([5, 1, 2], np.int32), score[::-1]).check()
    with pytest.raises(ValueError, match="best first"):
        CandidateBatch(np.array([0, 3]), np.array([5, 2, 1], np.int32), score).check()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"offsets": np.array([0, 2, 3], np.int32)},
            "CandidateBatch.offsets must be int64 [B + 1], found int32 (3,)",
        ),
        ({"offsets": np.empty(0, np.int64)}, "CandidateBatch.offsets must be int64 [B + 1], found int64 (0,)"),
        ({"offsets": np.array([1, 2, 3])}, "CandidateBatch.offsets must start at 0, never fall, and end at 3"),
        ({"offsets": np.array([0, 2, 2])}, "CandidateBatch.offsets must start at 0, never fall, and end at 3"),
        ({"offsets": np.array([0, 4, 3])}, "CandidateBatch.offsets must start at 0, never fall, and end at 3"),
        ({"item": np.array([4, 2, 4])}, "CandidateBatch.item must be int32 (3,), found int64 (3,)"),
        ({"score": np.array([3.0, 1, 2])}, "CandidateBatch.score must be float32 (3,), found float64 (3,)"),
        ({"score": np.ones(2, np.float32)}, "CandidateBatch.score must be float32 (3,), found float32 (2,)"),
        (
            {"item": np.array([4, -1, 4], np.int32)},
            "CandidateBatch.item must be a vocabulary index, found a negative one",
        ),
        ({"item": np.array([4, 4, 4], np.int32)}, "CandidateBatch holds an item twice in one request"),
        (
            {"score": np.array([1, 3, 2], np.float32)},
            "CandidateBatch must be best first within a request, ties by item",
        ),
        (
            {"score": np.array([3, 3, 2], np.float32)},
            "CandidateBatch must be best first within a request, ties by item",
        ),
        (
            {"sources": ("hot",), "source_score": np.ones((3, 2), np.float32)},
            "CandidateBatch.source_score must be float32 (3, 1), found float32 (3, 2)",
        ),
        (
            {"sources": ("hot",), "source_rank": np.ones((3, 1), np.int64)},
            "CandidateBatch.source_rank must be int32 (3, 1), found int64 (3, 1)",
        ),
    ],
)
def test_broken_candidates_are_refused_in_words(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError) as refused:
        replace(_candidates(), **changes).check()
    assert str(refused.value) == message


def _plays() -> Plays:
    return Plays(np.array([0, 2, 3]), np.array([4, 2, 4], np.int32), np.array([30, 20, 90]), np.ones(3, np.float32))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"time": np.array([20, 30, 90])}, "Plays.time must be newest first within a request"),
        ({"time": np.array([30, 20, 90], np.int32)}, "Plays.time must be int64 (3,), found int32 (3,)"),
        ({"weight": np.ones(3)}, "Plays.weight must be float32 (3,), found float64 (3,)"),
        ({"offsets": np.array([0, 3, 3])}, "Plays.time must be newest first within a request"),
    ],
)
def test_broken_plays_are_refused_in_words(changes: dict[str, Any], message: str) -> None:
    _plays().check()
    with pytest.raises(ValueError) as refused:
        replace(_plays(), **changes).check()
    assert str(refused.value) == message


def test_empty_requests_between_plays_are_no_break_in_order() -> None:
    plays = replace(_plays(), offsets=np.array([0, 0, 2, 2, 3, 3]))
    plays.check()
    assert _lists(plays) == [[], [4, 2], [], [4], []]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"user": np.zeros(4, np.int64)}, "RequestBatch.user must be int32 (4,), found int64 (4,)"),
        ({"time": np.zeros(3, np.int64)}, "RequestBatch.time must be int64 (4,), found int64 (3,)"),
        ({"k": np.zeros(4)}, "RequestBatch.k must be int32 (4,), found float64 (4,)"),
        ({"seen": Ragged.empty(3)}, "RequestBatch.seen holds 3 requests, expected 4"),
        ({"columns": {"age": np.zeros(2)}}, "RequestBatch.columns['age'] holds 2 rows, expected 4"),
    ],
)
def test_broken_requests_are_refused_in_words(changes: dict[str, Any], message: str) -> None:
    requests = small_requests(small_log(), 4)
    requests.check()
    with pytest.raises(ValueError) as refused:
        replace(requests, **changes).check()
    assert str(refused.value) == message


def test_rows_keep_every_column() -> None:
    merged = small_merged(small_recalled(small_log().catalogue, 5))
    rows = np.array([0, 2])
    kept = merged.rows(rows, np.array([0, 2]))
    assert kept.item.tolist() == merged.item[rows].tolist()
    assert merged.source_score is not None
    assert merged.merge_score is not None
    np.testing.assert_array_equal(kept.source_score, merged.source_score[rows])
    np.testing.assert_array_equal(kept.merge_score, merged.merge_score[rows])
    assert kept.sources == merged.sources


class _Given(PerRequestTrigger):
    """Recalls what it was given, whatever is asked."""

    def __init__(self, items: list[int], scores: list[float]) -> None:
        self.given = items, scores

    def recall_one(self, request: RequestBatch, k: int) -> tuple[list[int], list[float]]:
        return self.given


@given(
    st.lists(st.integers(0, 99), unique=True, max_size=12),
    st.data(),
    st.integers(0, 15),
)
def test_a_per_request_trigger_is_sorted_and_cut(items: list[int], data: st.DataObject, k: int) -> None:
    values = st.sampled_from([0.0, -0.0, 1.0, 2.5, float("nan"), float("inf"), float("-inf")])
    scores = data.draw(st.lists(values, min_size=len(items), max_size=len(items)))
    found = _Given(items, scores).recall(small_requests(small_log(events=60), 3), k)
    found.check()
    pairs = sorted(
        zip(items, scores, strict=True),
        key=lambda pair: (-pair[1] if np.isfinite(pair[1]) else np.inf, pair[0]),
    )
    expected = [item for item, _ in pairs][:k]
    assert _lists(found) == [expected] * 3
