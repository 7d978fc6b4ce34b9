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
_BLOCK = 128
"""Rows compared at a time."""


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

    def read(self, number: F32, code: I64) -> F32:
        """Fill codes int64 [V, R] of numbers float32 [V, R], MISSING for NaN; values float32 [R, V], 0 there."""
        features, rows = number.shape
        value = np.empty((rows, features), np.float32)
        _read(self.edges, self.offsets, number, code, value)
        return value


@compiled
def _read(edges: F32, offsets: I64, number: F32, code: I64, value: F32) -> None:
    features, rows = number.shape
    count = np.empty(_BLOCK, np.int32)
    for first in range(0, rows, _BLOCK):
        some = min(_BLOCK, rows - first)
        for v in range(features):
            start, stop = offsets[v], offsets[v + 1]
            last = stop - start - 1
            x = number[v, first : first + some]
            # An edge against many rows at a time is several times faster than a search of each row's own.
            count[:] = 0
            if last < _FEW:
                for e in range(start, stop):
                    edge = edges[e]
                    for i in range(some):
                        count[i] += np.int32(x[i] >= edge)
            else:
                for i in range(some):
                    count[i] = np.searchsorted(edges[start:stop], x[i], side="right")
            for i in range(some):
                row, below = first + i, np.int64(count[i])
                if np.isnan(x[i]):
                    code[v, row], value[row, v] = MISSING, 0.0
                    continue
                code[v, row] = below
                if last < 0:
                    value[row, v] = 0.0
                elif below == 0:
                    value[row, v] = -0.5
                elif below > last:
                    value[row, v] = 0.5
                else:
                    low, high = edges[start + below - 1], edges[start + below]
                    within = np.float32(below - 1) + (x[i] - low) / (high - low)
                    value[row, v] = within / np.float32(last) - np.float32(0.5)
