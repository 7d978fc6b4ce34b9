"""Array types of the compiled kernels, for type checkers and for numba."""

from __future__ import annotations

from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
from numba import types

__all__ = ["F32", "I32", "I64", "U32", "U64", "column", "readonly"]

I32: TypeAlias = npt.NDArray[np.int32]
I64: TypeAlias = npt.NDArray[np.int64]
U32: TypeAlias = npt.NDArray[np.uint32]
U64: TypeAlias = npt.NDArray[np.uint64]
F32: TypeAlias = npt.NDArray[np.float32]


def column(dtype: Any) -> Any:
    """Numba's type of a contiguous column."""
    return types.Array(dtype, 1, "C")


def readonly(dtype: Any) -> Any:
    """The same as an input: a read-only column fits, and so does a writable one."""
    return types.Array(dtype, 1, "C", readonly=True)
