"""Skip-gram: items that stand in the same places come out near each other, the same way every time."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest

from yoorec.vectors.rows import unit_rows
from yoorec.vectors.skipgram import skip_gram

pytest.importorskip("gensim")

GROUPS, EACH = 4, 10


def grouped(sequences: int = 600, seed: int = 0) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int32]]:
    """Sequences of eight items, each from one of four groups of ten."""
    rng = np.random.default_rng(seed)
    group = rng.integers(0, GROUPS, sequences)
    item = (group[:, None] * EACH + rng.integers(0, EACH, (sequences, 8))).ravel()
    return np.arange(sequences + 1) * 8, item.astype(np.int32)


def test_the_nearest_stand_in_the_same_sequences() -> None:
    offsets, item = grouped()
    known, vectors = skip_gram(offsets, item, GROUPS * EACH, dim=16, epochs=20, sample=0.0)
    assert known.tolist() == list(range(GROUPS * EACH))
    near = unit_rows(vectors) @ unit_rows(vectors).T
    np.fill_diagonal(near, -2)
    best = np.argsort(-near, axis=1)[:, : EACH - 1]
    assert (best // EACH == np.arange(GROUPS * EACH)[:, None] // EACH).mean() > 0.95


def test_same_seed_same_bits_other_seed_others() -> None:
    offsets, item = grouped(100)
    first, again, other = (skip_gram(offsets, item, 40, dim=8, seed=seed)[1] for seed in (3, 3, 4))
    assert first.tobytes() == again.tobytes()
    assert first.tobytes() != other.tobytes()


def test_rare_items_get_no_vector() -> None:
    offsets, item = np.array([0, 4, 8, 10]), np.array([0, 1, 0, 1, 1, 0, 1, 0, 2, 0], np.int32)
    known, vectors = skip_gram(offsets, item, 5, dim=4, min_count=2)
    assert known.tolist() == [0, 1]
    assert vectors.shape == (2, 4)
    assert skip_gram(offsets, item, 5, dim=4)[0].tolist() == [0, 1, 2]


@pytest.mark.parametrize(
    ("offsets", "item"),
    [([0], []), ([0, 0, 0], []), ([0, 1, 2], [3, 4]), ([0, 3], [2, 2, 2])],
    ids=["no sequences", "empty ones", "single items", "one item"],
)
def test_nothing_to_learn_from_gives_no_vectors(offsets: list[int], item: list[int]) -> None:
    known, vectors = skip_gram(np.array(offsets, np.int64), np.array(item, np.int32), 6, dim=7)
    assert known.shape == (0,)
    assert known.dtype == np.int32
    assert vectors.shape == (0, 7)
    assert vectors.dtype == np.float32


def test_progress_reaches_one() -> None:
    offsets, item = grouped(50)
    told: list[float] = []
    skip_gram(offsets, item, 40, dim=4, epochs=3, progress=lambda done, note="": told.append(done))
    assert told == [pytest.approx(1 / 3), pytest.approx(2 / 3), 1.0]
