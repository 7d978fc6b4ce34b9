"""What every kernel shares: the decorator that compiles it, and a thread's marks over all items."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any, TypeVar, cast

import numpy as np
import numpy.typing as npt
from numba import njit

__all__ = ["compiled", "item_marks"]

_Kernel = TypeVar("_Kernel", bound=Callable[..., Any])


_OPTIONS: dict[str, Any] = {"cache": True, "nogil": True, "no_cfunc_wrapper": True, "error_model": "numpy"}
"""Nothing calls a kernel from C, and the wrapper for that takes its part of compilation. A division by zero is inf or
NaN, as in numpy, and 0 of whole numbers: to look for one in every division keeps loops from being vectorised."""


def compiled(function: _Kernel, signature: Any = None) -> _Kernel:
    """Compile a kernel, keep it on disk, and release the GIL while it runs.

    At once where its signature is given (see `yoorec.ragged.arrays.kernel`), else on its first call with each types.

    Numba's cache looks at a kernel's own file only: after a change to a kernel that another file's kernel
    calls, touch that other file too.
    """
    kernel: Any = njit(signature, **_OPTIONS)(function)
    return cast(_Kernel, kernel)


class _Marks(threading.local):
    """One thread's marks; they outlive the call, so that no request pays for clearing or paging them in."""

    def __init__(self) -> None:
        self.table = np.zeros(0, np.int64)


_marks = _Marks()


def item_marks(items: int) -> npt.NDArray[np.int64]:
    """This thread's marks int64 [at least items + 1], through which a kernel numbers the items of one
    request.

    ``marks[0]`` is the base: item i is marked in the current request where ``marks[i + 1] >= base``, with the
    number ``marks[i + 1] - base``. A kernel that is done with a request raises the base above every mark it
    wrote, and all of them are void without being cleared.
    """
    if len(_marks.table) <= items:
        table = np.zeros(max(1024, 1 << items.bit_length()) + 1, np.int64)
        table[0] = 1
        _marks.table = table
    return _marks.table
