"""Rows of vectors: brought to unit length."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

__all__ = ["unit_rows"]


def unit_rows(vectors: npt.NDArray[Any]) -> npt.NDArray[np.float32]:
    """float32 [N, D], each row divided by its length; a row of length 0, or not finite, becomes zeros."""
    wide = np.asarray(vectors, np.float64)
    length = np.sqrt(np.einsum("nd,nd->n", wide, wide))
    usable = np.isfinite(length) & (length > 0)
    unit = np.where(usable[:, None], wide / np.where(usable, length, 1.0)[:, None], 0.0)
    return np.ascontiguousarray(unit, np.float32)
