"""What a network learned, as arrays: read by training, by what is exported, and by the compiled kernels."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

import numpy as np

from yoorec.artifacts.arrays import load_arrays, save_arrays
from yoorec.errors import ArtifactError
from yoorec.features.encoded import Layout
from yoorec.ragged.arrays import F32, I32
from yoorec_tf.config import Shape

__all__ = ["SIDES", "Weights", "widths"]

SIDES = ("request", "item", "row")
"""The sides of a layout, in the order in which their features stand in x0."""


def widths(layout: Layout, dim: int) -> tuple[int, int, int]:
    """How many numbers of x0 each side has, with vectors of `dim` numbers; none with 0, a network without vectors."""
    sides = (layout.request, layout.item, layout.row)
    request, item, row = ((side.embedded + len(side.many)) * dim + len(side.value) if dim else 0 for side in sides)
    return request, item, row


class Weights(NamedTuple):
    """What was learned, with D numbers in x0, O outputs, V values on all sides and L cross layers of rank r.

    vectors:    float32 [embedded, dim], by place, row 0 zero; [1, 0] without.
    linear:     float32 [size, O], by place, row 0 zero. slope: float32 [V, O], of the values; [0, O] without.
    bias:       float32 [O].
    first:      float32 [D, H], of the first deep layer; [0, 0] without. first_bias: float32 [H].
    hidden:     int32 [layers], H first.
    deep:       float32, per later layer its matrix row by row and its biases.
    down:       float32 [L, D, r]. up: float32 [L, r, D]; with full matrices r is D, and up is [0, 0, D].
    cross_bias: float32 [L, D].
    logit:      float32 [D + last of hidden, O], or [last of hidden, O] without cross layers; [0, O] without both.
    seen:       int32 [2, S + M], least and greatest place of each embedded id and each list of the row side in what was
                learned from; only a bound on what is worth tabling.
    """

    vectors: F32
    linear: F32
    slope: F32
    bias: F32
    first: F32
    first_bias: F32
    hidden: I32
    deep: F32
    down: F32
    up: F32
    cross_bias: F32
    logit: F32
    seen: I32

    @classmethod
    def none(cls, layout: Layout, shape: Shape) -> Weights:
        """Of a network that learned nothing: it scores every row 0."""

        def zeros(*sizes: int) -> F32:
            return np.zeros(sizes, np.float32)

        total, outputs, layers = sum(widths(layout, shape.dim)), shape.outputs, shape.cross_layers
        values = sum(len(side.value) for side in (layout.request, layout.item, layout.row))
        wide, rank = shape.wide, shape.rank or total
        later = sum(width * units + units for width, units in pairwise(shape.hidden))
        last = (total if layers else 0) + shape.hidden[-1] if shape.dim else 0
        return cls(
            zeros(layout.embedded, shape.dim) if shape.dim else zeros(1, 0),
            zeros(layout.size if wide else 0, outputs),
            zeros(values if wide else 0, outputs),
            zeros(outputs),
            zeros(total, shape.hidden[0] if shape.hidden else 0),
            zeros(shape.hidden[0] if shape.hidden else 0),
            np.array(shape.hidden, np.int32),
            zeros(later),
            zeros(layers, total, rank if layers else 0),
            zeros(layers, shape.rank, total) if layers and shape.rank else zeros(0, 0, total),
            zeros(layers, total),
            zeros(last, outputs),
            np.repeat(np.array([[1], [0]], np.int32), layout.row.embedded + len(layout.row.many), 1),
        )

    def later(self) -> Iterator[tuple[F32, F32]]:
        """Matrix [I, J] and biases [J] of each deep layer but the first."""
        at = 0
        for width, units in zip(self.hidden[:-1].tolist(), self.hidden[1:].tolist(), strict=True):
            bias = at + width * units
            yield self.deep[at:bias].reshape(width, units), self.deep[bias : bias + units]
            at = bias + units

    def save(self, folder: Path) -> None:
        """Write the arrays."""
        save_arrays(folder, **self._asdict())

    @classmethod
    def load(cls, folder: Path, layout: Layout, shape: Shape) -> Weights:
        """Read back what `save` wrote. Raises ArtifactError where an array does not fit the layout or the shape."""
        found = cls(*load_arrays(folder, *cls._fields))
        expected = cls.none(layout, shape)
        for name, array, other in zip(cls._fields, found, expected, strict=True):
            if array.shape != other.shape or array.dtype != other.dtype:
                raise ArtifactError(
                    f"{folder / name}.npy: {array.dtype} {array.shape}, expected {other.dtype} {other.shape}"
                )
        return found
