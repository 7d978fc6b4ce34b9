"""The engine that runs ranges on threads of this process."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor, as_completed
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt

from yoorec.engine import Array, check_ranges, load_function, no_progress

__all__ = ["LocalEngine"]


class LocalEngine:
    """Runs ranges on `threads` threads, which live for one call."""

    def __init__(self, threads: int = 1) -> None:
        self.workers = threads

    def map_ranges(
        self,
        function: str,
        bounds: npt.NDArray[np.int64],
        arrays: Mapping[str, Array],
        settings: Mapping[str, Any],
        progress: Callable[[float], None] = no_progress,
    ) -> list[tuple[Array, ...]]:
        """What the function gives for each range, in their order. Raises what the function raises, the first of it."""
        check_ranges(bounds, arrays)
        run = load_function(function)
        views = {name: _readonly(array) for name, array in arrays.items()}
        with ThreadPoolExecutor(self.workers, thread_name_prefix="yoorec-fit") as pool:
            calls = [pool.submit(run, first, last, views, settings) for first, last in pairwise(bounds.tolist())]
            try:
                for done, call in enumerate(as_completed(calls), 1):
                    call.result()
                    progress(done / len(calls))
            except BaseException:
                pool.shutdown(wait=False, cancel_futures=True)
                raise
        return [call.result() for call in calls]

    def close(self) -> None:
        """Nothing outlives a call."""


def _readonly(array: Array) -> Array:
    """A contiguous view that can't be written to, as a memory-mapped file is elsewhere."""
    view = np.ascontiguousarray(array).view()
    view.flags.writeable = False
    return view
