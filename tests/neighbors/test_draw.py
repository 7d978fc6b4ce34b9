"""Which items are asked about, and lists against a literal computation."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import numpy as np
import numpy.typing as npt
import pytest

from yoorec.batch import CandidateBatch, RequestBatch
from yoorec.neighbors.draw import Asker, draw_queries
from yoorec.testing.worlds import small_catalogue

ITEMS = 60


def any_item(item: npt.NDArray[np.int32]) -> npt.NDArray[np.bool_]:
    return np.ones(len(item), np.bool_)


class Near:
    """Items by distance from the main item, itself included; nothing for every third one."""

    def __init__(self) -> None:
        self.asked: list[RequestBatch] = []

    def recall(self, requests: RequestBatch, k: int) -> CandidateBatch:
        requests.session.check()
        self.asked.append(requests)
        lists = [literal(main)[:k] if main % 3 else [] for main in requests.item.tolist()]
        offsets = np.cumsum([0, *map(len, lists)]).astype(np.int64)
        flat = np.array([each for some in lists for each in some], np.int32)
        distance = abs(flat - np.repeat(requests.item, np.diff(offsets)))
        return CandidateBatch(offsets, flat, -distance.astype(np.float32))


def literal(main: int) -> list[int]:
    return sorted(range(ITEMS), key=lambda each: (abs(each - main), each))


def test_lists_leave_out_the_item_itself_and_what_is_not_out() -> None:
    catalogue = small_catalogue()
    now = int(catalogue.published_at[0]) + 5
    late = np.isin(np.arange(ITEMS), (11, 21))
    catalogue = replace(catalogue, published_at=np.where(late, now + 1, now))
    near = Near()
    asker = Asker({"near": near}, catalogue, now)  # type: ignore[dict-item]
    found = asker.lists(np.array([10, 9, 20], np.int32), 4)["near"]
    found.check()
    # Five are asked for; of 10 itself and 11 are left out, of 20 itself and 21.
    expected = [[each for each in literal(main)[:5] if each not in (main, 11, 21)][:4] for main in (10, 20)]
    lists = np.split(found.item, found.offsets[1:-1])
    assert [each.tolist() for each in lists] == [expected[0], [], expected[1]]
    assert found.score.tolist() == [-abs(each - main) for main, some in zip((10, 20), expected, strict=True)
                                    for each in some]  # fmt: skip
    assert asker.knows(np.array([10, 9, 20], np.int32)).tolist() == [True, False, True]


def test_a_request_holds_one_play_and_nobody() -> None:
    catalogue = small_catalogue()
    near = Near()
    Asker({"near": near}, catalogue, 7_000).lists(np.array([4, 8], np.int32), 3)  # type: ignore[dict-item]
    (requests,) = near.asked
    requests.check()
    assert requests.user.tolist() == [-1, -1]
    assert requests.time.tolist() == [7_000, 7_000]
    for plays in (requests.session, requests.history):
        assert plays.item.tolist() == [4, 8]
        assert plays.offsets.tolist() == [0, 1, 2]
    assert requests.seen.item.tolist() == [4, 8]
    assert {name: column.tolist() for name, column in requests.columns.items()} == {
        "gender": [None, None],
        "age": [None, None],
    }


def test_half_by_plays_and_half_alike_in_turn() -> None:
    plays = np.arange(ITEMS) % 7
    drawn = draw_queries(plays, np.ones(ITEMS, np.bool_), any_item, 9, seed=3)
    assert [how for _, how in drawn] == ["plays", "uniform"] * 4 + ["plays"]
    assert len({item for item, _ in drawn}) == 9
    assert all(plays[item] > 0 for item, how in drawn if how == "plays")
    assert drawn == draw_queries(plays, np.ones(ITEMS, np.bool_), any_item, 9, seed=3)
    assert drawn != draw_queries(plays, np.ones(ITEMS, np.bool_), any_item, 9, seed=4)


def test_popular_items_are_drawn_in_proportion_and_rare_ones_alike() -> None:
    plays = np.array([0, 1, 2, 3, 4])
    out = np.ones(5, np.bool_)
    first: Counter[int] = Counter()
    second: Counter[int] = Counter()
    for seed in range(4000):
        (one, _), (two, how) = draw_queries(plays, out, any_item, 2, seed)
        assert how == "uniform"
        first[one] += 1
        second[two] += 1
    assert first[0] == 0
    for item in range(1, 5):
        assert first[item] / 4000 == pytest.approx(item / 10, abs=0.03)
    # All alike among the four that are left: P(two) = sum over one of P(one) / 4.
    for item in range(5):
        assert second[item] / 4000 == pytest.approx((1 - item / 10) / 4, abs=0.03)


def test_only_what_may_be_drawn_is_and_the_others_stay_as_they_were() -> None:
    plays = np.arange(ITEMS) + 1
    out = np.arange(ITEMS) != 5

    def odd(item: npt.NDArray[np.int32]) -> npt.NDArray[np.bool_]:
        return item % 2 == 1

    every = [item for item, how in draw_queries(plays, np.ones(ITEMS, np.bool_), any_item, 2 * ITEMS, 0)
             if how == "plays"]  # fmt: skip
    drawn = draw_queries(plays, out, odd, 2 * ITEMS, 0)
    by_plays = [item for item, how in drawn if how == "plays"]
    assert by_plays == [item for item in every if item % 2 and item != 5]
    assert sorted(item for item, _ in drawn) == [item for item in range(ITEMS) if item % 2 and item != 5]


def test_where_nothing_was_played_all_are_drawn_alike() -> None:
    drawn = draw_queries(np.zeros(ITEMS, np.int64), np.ones(ITEMS, np.bool_), any_item, 6, 0)
    assert [how for _, how in drawn] == ["uniform"] * 6
    assert draw_queries(np.zeros(0, np.int64), np.ones(0, np.bool_), any_item, 6, 0) == []


def test_many_items_are_asked_about_in_parts_and_no_more_than_needed() -> None:
    asked: list[int] = []

    def rare(item: npt.NDArray[np.int32]) -> npt.NDArray[np.bool_]:
        asked.append(len(item))
        return item >= 1900

    plays = np.ones(2000, np.int64)
    drawn = draw_queries(plays, np.ones(2000, np.bool_), rare, 10, 0)
    assert len(drawn) == 10
    assert min(item for item, _ in drawn) >= 1900
    assert max(asked) == 512
    assert sum(asked) < 4000
