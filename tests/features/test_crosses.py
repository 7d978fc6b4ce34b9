"""Crosses' codes against a dictionary of their keys."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from yoorec.features.codes import MISSING, UNKNOWN
from yoorec.features.crosses import Crosses, seek

NOWHERE = np.full((2, 2), -1, np.int32)
KEYS = st.lists(st.integers(0, 40) | st.integers(0, 2**63 - 1) | st.integers(0, 9).map(lambda n: n << 50), unique=True)


@given(KEYS, KEYS, st.lists(st.integers(0, 60), max_size=20))
def test_a_key_has_the_code_of_its_place(one: list[int], two: list[int], asked: list[int]) -> None:
    keys = [np.array(sorted(each), np.int64) for each in (one, two)]
    crosses = Crosses.of(NOWHERE, NOWHERE, keys, hashed=False)
    for x, known in enumerate((sorted(one), sorted(two))):
        found = np.array([MISSING, *asked, *one, *two], np.int64)
        expected = [known.index(key) if key in known else UNKNOWN for key in found.tolist()]
        seek(crosses.start, crosses.key, crosses.code, x, found)
        assert found.tolist() == [MISSING, *expected[1:]]


@pytest.mark.parametrize("hashed", [False, True])
def test_parts_that_are_missing_make_a_missing_cross(hashed: bool) -> None:
    side, column = np.array([[0, 2], [1, -1]], np.int32), np.array([[1, 0], [0, 0]], np.int32)
    crosses = Crosses.of(side, column, [np.empty(0, np.int64)] * 2, hashed)
    request, item = np.array([[7, 7], [0, UNKNOWN]]), np.array([[3, MISSING, 3]])
    row = np.array([[0, 0, MISSING, 0]])
    keys = crosses.keys(request, item, row, np.array([0, 3, 4]), np.array([0, 1, 2, 0], np.int32))
    assert (keys < 0).tolist() == [[False, False, True, True], [False, True, False, False]]
    assert keys[0, 0] == keys[0, 1]
    assert keys[1, 0] == keys[1, 2] == keys[1, 3] != keys[0, 0]
    codes = keys[0].copy()
    seek(crosses.start, crosses.key, crosses.code, 0, codes)
    assert codes.tolist() == (keys[0].tolist() if hashed else [UNKNOWN, UNKNOWN, MISSING, MISSING])
