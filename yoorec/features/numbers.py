"""Numbers cut into ranges learned from samples: a code for the range, a value for the place among the samples."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from yoorec.features.codes import MISSING
from yoorec.ragged import compiled

__all__ = ["Ranges", "learned_edges"]

F32 = npt.NDArray[np.float32]
I64 = npt.NDArray[np.int64]


_FEW = 64
"""Edges up to which they are all compared."""


def learned_edges(number: F32, buckets: int) -> F32:
    """float32 [at most buckets - 1]: where ranges of as many numbers each begin; NaN and infinite ones don't count."""
    finite = np.sort(number[np.isfinite(number)])
    if not len(finite):
        return np.empty(0, np.float32)
    places = np.arange(1, buckets) * len(finite) // buckets
    edges: F32 = np.unique(finite[places])
    above: F32 = edges[edges > finite[0]]
    return above


class Ranges(NamedTuple):
    """Ranges of V features. edges: float32 [E]; those of feature v are ``edges[offsets[v]:offsets[v + 1]]``, rising.

    A number's code counts the edges at or below it. Its value is its place among the edges, between which it rises
    evenly: -0.5 below the first, 0.5 from the last on, 0 where there is none.
    """

    edges: F32
    offsets: I64

    def read(self, number: F32) -> tuple[I64, F32]:
        """Codes int64 [R, V], MISSING for NaN, and values float32 [R, V], 0 there."""
        code = np.empty(number.shape, np.int64)
        value = np.empty(number.shape, np.float32)
        _read(self.edges, self.offsets, np.ascontiguousarray(number), code, value)
        return code, value


@compiled
def _read(edges: F32, offsets: I64, number: F32, code: I64, value: F32) -> None:
    for row in range(number.shape[0]):
        for v in range(number.shape[1]):
            x = number[row, v]
            if np.isnan(x):
                code[row, v], value[row, v] = MISSING, 0.0
                continue
            start, stop = offsets[v], offsets[v + 1]
            last = stop - start - 1
            below = np.int64(0)
            if last < _FEW:
                count = np.int32(0)
                for e in range(start, stop):  # faster than a search, as it has no branches
                    count += np.int32(x >= edges[e])
                below += count
            else:
                below += np.searchsorted(edges[start:stop], x, side="right")
            code[row, v] = below
            if last < 0:
                value[row, v] = 0.0
            elif below == 0:
                value[row, v] = -0.5
            elif below > last:
                value[row, v] = 0.5
            else:
                low, high = edges[start + below - 1], edges[start + below]
                value[row, v] = (np.float32(below - 1) + (x - low) / (high - low)) / np.float32(last) - np.float32(0.5)
