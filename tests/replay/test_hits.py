from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from yoorec.batch import CandidateBatch, Ragged
from yoorec.replay.hits import credit, find_hits, sort_truths


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


def test_credit_by_hand() -> None:
    """Items 3 and 9 are right; a and b recalled 3, b alone 9, and nobody's 5 is wrong."""
    listed = replace(
        candidates([[5, 3, 9]]),
        sources=("a", "b"),
        source_rank=np.array([[-1, -1], [0, 4], [-1, 0]], np.int32),
    )
    found = credit(listed, ragged([[3, 9, 20]]))
    assert found.any.tolist() == [[1], [2]]
    assert found.only.tolist() == [[0], [1]]


_recalled = st.lists(
    st.tuples(st.integers(0, 25), st.sets(st.integers(0, 2))), unique_by=lambda row: row[0], max_size=20
)


@given(st.lists(st.tuples(_recalled, _distinct), max_size=5))
def test_credit_equals_a_literal_count(requests: list[tuple[list[tuple[int, set[int]]], list[int]]]) -> None:
    listed = candidates([[item for item, _ in rows] for rows, _ in requests])
    by = [sources for rows, _ in requests for _, sources in rows]
    rank = np.array([[7 if t in sources else -1 for t in range(3)] for sources in by], np.int32).reshape(-1, 3)
    merged = replace(listed, sources=("a", "b", "c"), source_rank=rank)
    found = credit(merged, sort_truths(ragged([truths for _, truths in requests])))
    assert found.any.shape == found.only.shape == (3, len(requests))
    for b, (rows, truths) in enumerate(requests):
        for t in range(3):
            assert found.any[t, b] == sum(t in sources for item, sources in rows if item in truths)
            assert found.only[t, b] == sum(sources == {t} for item, sources in rows if item in truths)


def test_credit_needs_sources_and_the_same_requests() -> None:
    with pytest.raises(ValueError, match=r"^the candidates know no sources: they were not merged"):
        credit(candidates([[1]]), ragged([[1]]))
    with pytest.raises(ValueError, match=r"^there are candidates of 1 requests, but truths of 2$"):
        credit(candidates([[1]]), ragged([[1], [2]]))
