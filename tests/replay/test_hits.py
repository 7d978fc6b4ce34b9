from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from yoorec.batch import CandidateBatch, Ragged
from yoorec.replay.hits import find_hits, sort_truths


def ragged(lists: list[list[int]]) -> Ragged:
    offsets = np.zeros(len(lists) + 1, np.int64)
    np.cumsum([len(each) for each in lists], out=offsets[1:])
    return Ragged(offsets, np.array([item for each in lists for item in each], np.int32))


def candidates(lists: list[list[int]]) -> CandidateBatch:
    flat = ragged(lists)
    return CandidateBatch(flat.offsets, flat.item, -np.arange(len(flat.item), dtype=np.float32))


def test_hits_are_marked_at_their_places() -> None:
    hit, found = find_hits(candidates([[5, 3, 9], [], [1, 2]]), ragged([[3, 9], [4], [7]]), 2)
    assert hit.tolist() == [[False, True], [False, False], [False, False]]
    assert found.tolist() == [2, 0, 0]


_distinct = st.lists(st.integers(0, 25), unique=True, max_size=20)


@given(st.lists(st.tuples(_distinct, st.lists(st.integers(-1, 25), unique=True, max_size=20)), max_size=5))
def test_hits_equal_a_literal_search(requests: list[tuple[list[int], list[int]]]) -> None:
    """Few truths are scanned, many are searched: both as `in` would."""
    listed, truths = [each for each, _ in requests], [each for _, each in requests]
    for width in (0, 3, 30):
        hit, found = find_hits(candidates(listed), sort_truths(ragged(truths)), width)
        assert hit.shape == (len(requests), width)
        for b, (items, right) in enumerate(requests):
            expected = [place < len(items) and items[place] in right for place in range(width)]
            assert hit[b].tolist() == expected
            assert found[b] == len(set(items) & set(right))


def test_truths_are_sorted_within_their_request() -> None:
    found = sort_truths(ragged([[9, 2, 5], [], [1, -1]]))
    assert found.offsets.tolist() == [0, 3, 3, 5]
    assert found.item.tolist() == [2, 5, 9, -1, 1]


def test_lists_and_truths_of_different_requests_are_refused() -> None:
    with pytest.raises(ValueError, match=r"^there are candidates of 1 requests, but truths of 2$"):
        find_hits(candidates([[1]]), ragged([[1], [2]]), 1)
