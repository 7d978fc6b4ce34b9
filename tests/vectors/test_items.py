"""Search among item vectors: exact and through cells, against a slow double-precision ranking."""

from __future__ import annotations

import itertools
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from yoorec.errors import ArtifactError
from yoorec.vectors.cells import Cells
from yoorec.vectors.items import ItemVectors
from yoorec.vectors.rows import unit_rows

F32 = npt.NDArray[np.float32]


def clustered(rows: int, width: int, seed: int = 0, twins: int = 0) -> F32:
    """Unit vectors around a few centres; the first `twins` rows are equal."""
    rng = np.random.default_rng(seed)
    centre = rng.standard_normal((max(rows // 40, 1), width))
    vectors = centre[rng.integers(0, len(centre), rows)] + 0.4 * rng.standard_normal((rows, width))
    vectors[:twins] = vectors[0]
    return unit_rows(vectors)


def slow_nearest(found: ItemVectors, query: F32, left_out: int, out: set[int]) -> list[tuple[float, int]]:
    """(score, item) of the rows that are out but one, in double precision, best first, ties by item."""
    score = found.vectors.astype(np.float64) @ query.astype(np.float64)
    rows = [(float(score[row]), int(found.item[row])) for row in range(len(found)) if row != left_out and row in out]
    return sorted(rows, key=lambda row: (-row[0], row[1]))


def asked(
    found: ItemVectors,
    query: F32,
    left_out: list[int],
    k: int,
    time: list[int] | None = None,
    since: npt.NDArray[np.int64] | None = None,
) -> list[list[tuple[float, int]]]:
    offsets, item, score = found.nearest(
        query,
        np.ones(len(query), np.bool_),
        np.array(left_out, np.int32),
        k,
        np.array(time or [0] * len(query), np.int64),
        np.zeros(len(found), np.int64) if since is None else since,
    )
    return [list(zip(score[a:b].tolist(), item[a:b].tolist(), strict=True)) for a, b in itertools.pairwise(offsets)]


@given(
    rows=st.integers(1, 60),
    width=st.integers(1, 9),
    k=st.integers(0, 70),
    seed=st.integers(0, 99),
    twins=st.integers(0, 20),
)
def test_the_exact_search_finds_what_a_slow_one_finds(rows: int, width: int, k: int, seed: int, twins: int) -> None:
    rng = np.random.default_rng(seed)
    item = np.sort(rng.choice(1000, rows, replace=False)).astype(np.int32)
    found = ItemVectors.build(item, clustered(rows, width, seed, min(twins, rows)))
    query, left_out = clustered(5, width, seed + 1), rng.integers(-1, rows, 5).tolist()
    since, time = rng.integers(0, 5, rows), rng.integers(0, 5, 5).tolist()
    lists = asked(found, query, left_out, k, time, since)
    for own, vector, without, now in zip(lists, query, left_out, time, strict=True):
        expected = slow_nearest(found, vector, without, {row for row in range(rows) if since[row] <= now})
        assert len(own) == min(k, len(expected))
        assert [score for score, _ in own] == pytest.approx([score for score, _ in expected[:k]], abs=1e-6)
        exact = {item: score for score, item in expected}
        assert all(exact[item] == pytest.approx(score, abs=1e-6) for score, item in own)
        assert own == sorted(own, key=lambda row: (-row[0], row[1]))


def test_equal_vectors_come_in_the_order_of_their_items() -> None:
    found = ItemVectors.build(np.array([9, 2, 5, 7], np.int32), np.ones((4, 3), np.float32))
    query = unit_rows(np.ones((1, 3)))
    assert [item for _, item in asked(found, query, [-1], 3)[0]] == [2, 5, 7]
    assert [item for _, item in asked(found, query, [1], 3)[0]] == [2, 7, 9]


def test_vectors_that_point_nowhere_are_left_out() -> None:
    vectors = np.array([[1, 0], [0, 0], [np.nan, 1], [0, np.inf], [0, 2]], np.float32)
    found = ItemVectors.build(np.arange(5, dtype=np.int32), vectors)
    assert found.item.tolist() == [0, 4]
    assert found.vectors.tolist() == [[1, 0], [0, 1]]


# -- cells


@pytest.fixture(scope="module")
def many() -> tuple[ItemVectors, ItemVectors]:
    """The same 3,000 vectors searched exactly and through cells, the first 300 of them equal."""
    pytest.importorskip("faiss")
    vectors = clustered(3000, 24, 5, twins=300)
    item = np.arange(3000, dtype=np.int32) * 2
    return ItemVectors.build(item, vectors), ItemVectors.build(item, vectors, exact_below=100, index_recall=0.95)


def test_cells_find_the_share_they_were_built_for(many: tuple[ItemVectors, ItemVectors]) -> None:
    exact, celled = many
    assert celled.cells is not None
    assert 0.95 <= celled.cells.recall <= 1.0
    query = clustered(200, 24, 6)
    left_out = [-1] * len(query)
    hits = [
        len({item for _, item in one} & {item for _, item in other}) / 50
        for one, other in zip(asked(exact, query, left_out, 50), asked(celled, query, left_out, 50), strict=True)
    ]
    assert np.mean(hits) > 0.85  # strange vectors; on its own ones it was built for 0.95
    assert celled.cells.probes < 200


def through_all_cells(celled: ItemVectors) -> ItemVectors:
    every = ItemVectors(celled.item, celled.vectors, Cells.build(celled.vectors, 1.0, 0))
    assert every.cells is not None
    every.cells.probes = every.cells.index.nprobe = every.cells.index.nlist
    return every


def test_through_all_cells_the_answer_is_the_exact_one(many: tuple[ItemVectors, ItemVectors]) -> None:
    """Bits and ties too: 300 equal vectors are more than any first look fetches."""
    exact, celled = many
    every = through_all_cells(celled)
    query = np.concatenate([exact.vectors[:3], clustered(20, 24, 7)])
    left_out = [0, 1, -1, *([-1] * 20)]
    for one, other in zip(asked(exact, query, left_out, 40), asked(every, query, left_out, 40), strict=True):
        assert [item for _, item in one] == [item for _, item in other]
        assert [score for score, _ in one] == pytest.approx([score for score, _ in other], abs=1e-6)


def test_no_bit_depends_on_the_batch(many: tuple[ItemVectors, ItemVectors]) -> None:
    query = np.concatenate([many[0].vectors[:50], clustered(300, 24, 8)])
    for found in many:
        left_out = [*range(50), *([-1] * 300)]
        whole = asked(found, query, left_out, 60)
        single = [asked(found, query[b : b + 1], left_out[b : b + 1], 60)[0] for b in range(0, 350, 7)]
        assert single == whole[::7]


def test_cells_look_further_where_most_is_not_out_yet(many: tuple[ItemVectors, ItemVectors]) -> None:
    exact, celled = many
    every = through_all_cells(celled)
    since = np.where(np.arange(3000) % 50 == 7, 0, 10)
    query, time = clustered(12, 24, 9), [5, 15, -5] * 4
    lists = asked(every, query, [-1] * 12, 40, time, since)
    assert [len(each) for each in lists] == [40, 40, 0] * 4
    for one, other in zip(asked(exact, query, [-1] * 12, 40, time, since), lists, strict=True):
        assert [item for _, item in one] == [item for _, item in other]
    assert asked(celled, query[:1], [-1], 40, time[:1], since) == asked(celled, query, [-1] * 12, 40, time, since)[:1]


@pytest.mark.parametrize("k", [0, 1, 5000])
def test_any_k(many: tuple[ItemVectors, ItemVectors], k: int) -> None:
    exact, celled = many
    query = exact.vectors[:2]
    assert [len(rows) for rows in asked(exact, query, [0, -1], k)] == [min(k, 2999), min(k, 3000)]
    assert all(len(rows) <= k for rows in asked(celled, query, [0, -1], k))


def test_two_builds_give_the_same_files(tmp_path: Path, many: tuple[ItemVectors, ItemVectors]) -> None:
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        built = ItemVectors.build(many[1].item, many[1].vectors, exact_below=100, index_recall=0.95)
        built.save(tmp_path / name)
    files = sorted(path.name for path in (tmp_path / "one").iterdir())
    assert files == ["cells.faiss", "cells.json", "item.npy", "vectors.npy"]
    for name in files:
        assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "two" / name).read_bytes()
    again = ItemVectors.load(tmp_path / "one")
    assert asked(again, many[1].vectors[:9], [-1] * 9, 30) == asked(many[1], many[1].vectors[:9], [-1] * 9, 30)


def test_a_damaged_index_is_named(tmp_path: Path, many: tuple[ItemVectors, ItemVectors]) -> None:
    many[1].save(tmp_path)
    (tmp_path / "cells.faiss").write_bytes(b"IwFl and then nothing")
    with pytest.raises(ArtifactError, match=r"cells\.faiss: is no index of cells"):
        ItemVectors.load(tmp_path)
    np.save(tmp_path / "item.npy", np.arange(3, dtype=np.int32))
    with pytest.raises(ArtifactError, match=r"vectors\.npy: float32 \(3000, 24\) for int32 \(3,\) items"):
        ItemVectors.load(tmp_path)
