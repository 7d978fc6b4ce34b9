"""Small dense sums, for use inside other compiled kernels; every sum runs in one order, whatever the processor."""

from __future__ import annotations

from numba import types

from yoorec.ragged.arrays import F32, column, kernel, readonly, table

__all__ = ["add_product", "add_to", "copy_to"]

_f32 = readonly(types.float32)


@kernel(types.void, column(types.float32), _f32)
def copy_to(out: F32, value: F32) -> None:
    """out = value, out float32 [H], value float32 [at least H]: ``out[:] = value`` takes seconds to compile."""
    for h in range(len(out)):
        out[h] = value[h]


@kernel(types.void, column(types.float32), _f32)
def add_to(out: F32, value: F32) -> None:
    """out += value, out float32 [H], value float32 [at least H]."""
    for h in range(len(out)):
        out[h] += value[h]


@kernel(types.void, column(types.float32), _f32, table(types.float32))
def add_product(out: F32, value: F32, matrix: F32) -> None:
    """out += value . matrix, four rows a pass; the sum runs over the rows in order.

    out: float32 [H]. value: float32 [D]. matrix: float32 [D, H].
    """
    width, units = matrix.shape
    d = 0
    while d + 4 <= width:
        a, b, c, e = value[d], value[d + 1], value[d + 2], value[d + 3]
        one, two, three, four = matrix[d], matrix[d + 1], matrix[d + 2], matrix[d + 3]
        for h in range(units):
            out[h] = (((out[h] + a * one[h]) + b * two[h]) + c * three[h]) + e * four[h]
        d += 4
    while d < width:
        a, one = value[d], matrix[d]
        for h in range(units):
            out[h] += a * one[h]
        d += 1
