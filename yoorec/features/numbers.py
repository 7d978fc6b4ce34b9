"""Numbers cut into ranges learned from samples: a code for the range, a value for the place among the samples."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from yoorec.features.codes import MISSING
from yoorec.ragged import compiled

__all__ = ["cut", "learned_edges"]

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


@compiled
def cut(edges: F32, offsets: I64, number: F32, code: I64, column: I64, value: F32) -> None:
    """Codes and values of R rows' numbers of V features, for use inside other compiled kernels.

    edges: float32 [E]; those of feature v are ``edges[offsets[v]:offsets[v + 1]]``, rising. number: float32 [V, R].
    code: int64 [V, R], filled: how many edges are at or below a number, MISSING for NaN.
    value: float32 [R, at most V], filled where `column` int64 [V] isn't -1: a number's place among the edges, between
    which it rises evenly; -0.5 below the first, 0.5 from the last on, 0 for NaN and where there is no edge.
    """
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
            out = column[v]
            if out < 0 or last < 0:
                for i in range(some):
                    code[v, first + i] = MISSING if np.isnan(x[i]) else np.int64(count[i])
                    if out >= 0:
                        value[first + i, out] = 0.0
                continue
            # Without a branch, since which range a number falls into can't be foretold.
            for i in range(some):
                below, missing = np.int64(count[i]), np.isnan(x[i])
                low, high = edges[start + max(below - 1, 0)], edges[start + min(below, last)]
                width = high - low if high > low else np.float32(1.0)
                within = np.float32(below - 1) + (x[i] - low) / width
                place = within / np.float32(max(last, 1)) - np.float32(0.5)
                place = np.float32(-0.5) if below == 0 else np.float32(0.5) if below > last else place
                code[v, first + i] = MISSING if missing else below
                value[first + i, out] = np.float32(0.0) if missing else place
