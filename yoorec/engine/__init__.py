"""Engines: where a fit's kernels run. The same kernel, over the same ranges, with the same bits, here or on Spark."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping
from typing import Any, Protocol, TypeAlias

import numpy as np
import numpy.typing as npt

__all__ = ["Array", "Engine", "RangeFunction", "check_ranges", "load_function"]

Array: TypeAlias = npt.NDArray[Any]

RangeFunction: TypeAlias = Callable[[int, int, Mapping[str, Array], Mapping[str, Any]], tuple[Array, ...]]
"""``function(first, last, arrays, settings)`` -> the arrays of the range [first, last).

It is called for each range by itself, from several threads or in another process: it must release the GIL to gain
from threads, must not write to `arrays` (they are read-only), and what it gives for an element must not depend on the
range around it.
"""


def no_progress(done: float) -> None:
    """Report nowhere."""


class Engine(Protocol):
    """Maps a function over ranges."""

    @property
    def workers(self) -> int:
        """Ranges that run at once. Deal out several times as many, so that none waits long for another's last."""

    def map_ranges(
        self,
        function: str,
        bounds: npt.NDArray[np.int64],
        arrays: Mapping[str, Array],
        settings: Mapping[str, Any],
        progress: Callable[[float], None] = no_progress,
    ) -> list[tuple[Array, ...]]:
        """What the function gives for each range, in the order of the ranges.

        function: "package.module:name" of a `RangeFunction`; a worker elsewhere imports it by this name.
        bounds:   int64 [R + 1], rising; range r is [bounds[r], bounds[r + 1]).
        arrays:   plain numpy columns (no objects), what every range reads; contiguous and read-only in the function.
        settings: numbers, texts, truth values, None, and lists and mappings of them (JSON).
        progress: called with the share done, 0 to 1, on the caller's thread.
        Whatever the function raises ends the fit; an engine elsewhere raises RuntimeError naming function and range.
        """

    def close(self) -> None:
        """Let go of threads, processes and files. The engine may be used again."""


def load_function(name: str) -> RangeFunction:
    """The function that "package.module:name" stands for."""
    module, _, attribute = name.partition(":")
    function: RangeFunction = getattr(importlib.import_module(module), attribute)
    return function


def check_ranges(bounds: npt.NDArray[np.int64], arrays: Mapping[str, Array]) -> None:
    """Raise ValueError where bounds are no int64 column that rises, or an array holds objects."""
    if bounds.dtype != np.int64 or bounds.ndim != 1 or not len(bounds) or bool((np.diff(bounds) < 0).any()):
        raise ValueError(f"bounds must be int64 [R + 1] and never fall, found {bounds.dtype} {bounds.shape}")
    for name, array in arrays.items():
        if array.dtype.hasobject:
            raise ValueError(f"array '{name}' holds Python objects, which no engine carries")
