"""Vectors of coplays against NumPy's decomposition of the whole matrix, and that like items lean alike."""

from __future__ import annotations

import numpy as np
import pytest
from yoorec_tdm.coplays import coplay_vectors

USERS, ITEMS = 60, 24


def plays(seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Who played what, in order of users: three tastes, some items popular, and the last one never played."""
    rng = np.random.default_rng(seed)
    liked = np.arange(USERS)[:, None] % 3 == np.arange(ITEMS)[None] % 3
    played = rng.random((USERS, ITEMS)) < np.where(liked, 0.6, 0.1) * rng.uniform(0.2, 1.0, ITEMS)
    played[:, -1] = False
    user, item = np.nonzero(played)
    return user, item.astype(np.int32)


@pytest.mark.parametrize("dim", [3, 8])
def test_vectors_are_those_of_the_singular_value_decomposition(dim: int) -> None:
    """But for a turn of all of them together, which leaves their products as they are."""
    user, item = plays(1)
    found = coplay_vectors(user * 5 + 2, item, ITEMS, dim, np.random.default_rng(3)).astype(np.float64)
    matrix = np.zeros((USERS, ITEMS))
    matrix[user, item] = 1
    matrix /= np.sqrt(np.maximum(matrix.sum(1, keepdims=True), 1) * np.maximum(matrix.sum(0), 1))
    _, strength, right = np.linalg.svd(matrix)
    expected = right[:dim].T * strength[:dim]
    assert np.linalg.norm(expected[-1]) < 1e-9
    expected[:-1] /= np.linalg.norm(expected[:-1], axis=1, keepdims=True)
    expected[-1] = 0
    np.testing.assert_allclose(found @ found.T, expected @ expected.T, atol=2e-3)


def test_more_numbers_than_directions_leave_the_rest_empty() -> None:
    """Two items that the same users play, and one that others do: two directions."""
    user, item = np.array([0, 0, 1, 1, 2]), np.array([0, 1, 0, 1, 2], np.int32)
    found = coplay_vectors(user, item, 4, 5, np.random.default_rng(0))
    assert found.shape == (4, 5)
    expected = [[1, 1, 0, 0], [1, 1, 0, 0], [0, 0, 1, 0], [0, 0, 0, 0]]
    np.testing.assert_allclose(found @ found.T, expected, atol=1e-6)
    assert not coplay_vectors(user[:0], item[:0], 4, 5, np.random.default_rng(0)).any()
