"""Kernels compiled when their module is imported: the decorator, and array types for numba and for type checkers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias, TypeVar

import numpy as np
import numpy.typing as npt
from numba import types

from yoorec.ragged.compiled import compiled

__all__ = ["BOOL", "F32", "I32", "I64", "U32", "U64", "column", "kernel", "made", "readonly", "table"]

BOOL: TypeAlias = npt.NDArray[np.bool_]
I32: TypeAlias = npt.NDArray[np.int32]
I64: TypeAlias = npt.NDArray[np.int64]
U32: TypeAlias = npt.NDArray[np.uint32]
U64: TypeAlias = npt.NDArray[np.uint64]
F32: TypeAlias = npt.NDArray[np.float32]

_Kernel = TypeVar("_Kernel", bound=Callable[..., Any])


def kernel(result: Any, *arguments: Any) -> Callable[[_Kernel], _Kernel]:
    """Compile a function of these numba types at import, keep it on disk, and release the GIL while it runs.

    For kernels of the request path, whose first call must not wait, and for callers whose arrays may be read-only.
    """

    def declared(function: _Kernel) -> _Kernel:
        return compiled(function, result(*arguments))

    return declared


def made(*dtypes: Any) -> Any:
    """Numba's type of columns that a kernel returns: one, or a tuple of several."""
    columns = tuple(column(dtype) for dtype in dtypes)
    return columns[0] if len(columns) == 1 else types.Tuple(columns)  # type: ignore[no-untyped-call]


def column(dtype: Any) -> Any:
    """Numba's type of a contiguous column."""
    return types.Array(dtype, 1, "C")


def readonly(dtype: Any) -> Any:
    """The same as an input: a read-only column fits, and so does a writable one."""
    return types.Array(dtype, 1, "C", readonly=True)


def table(dtype: Any) -> Any:
    """A contiguous matrix as an input, read-only or writable."""
    return types.Array(dtype, 2, "C", readonly=True)
