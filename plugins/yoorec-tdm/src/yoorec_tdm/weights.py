"""The model's weights as arrays: what training leaves, and the compiled kernels read."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import numpy as np

from yoorec.artifacts.arrays import load_arrays, save_arrays
from yoorec.errors import ArtifactError
from yoorec.ragged.arrays import F32, I32

__all__ = ["Weights"]


class Weights(NamedTuple):
    """What was learned, for nodes of D numbers, W windows (the main item's, of one play, is the first), H units.

    vectors: float32 [N, D], by node; row 0, the root's, is never looked at.
    windows: int32 [W], plays in each.
    own:     float32 [D, H], from the node. bias: float32 [H].
    average: float32 [W, D, H], from the mean of each window.
    attend:  float32 [W, D + 1, H], from the mean of each window's plays weighed by their products with the node, the
             last row from the mean of the products themselves; [0, D + 1, H] without attention.
    slope:   float32 [H], of each unit below 0.
    sizes:   int32 [layers], H first. deep: float32, per later layer its matrix row by row, biases and slopes, and at
             last the weights and the bias of the logit.
    """

    vectors: F32
    windows: I32
    own: F32
    bias: F32
    average: F32
    attend: F32
    slope: F32
    sizes: I32
    deep: F32

    @classmethod
    def none(cls) -> Weights:
        """Of a tree without items."""
        f32, one = np.float32, np.ones(1, np.int32)
        line, plane, cube = np.zeros(1, f32), np.zeros((1, 1), f32), np.zeros((1, 1, 1), f32)
        return cls(plane, one, plane, line, cube, cube[:0], line, one, np.zeros(2, f32))

    def save(self, folder: Path) -> None:
        """Write the arrays."""
        save_arrays(folder, **self._asdict())

    @classmethod
    def load(cls, folder: Path, nodes: int) -> Weights:
        """Read back what `save` wrote. Raises ArtifactError where it is not of so many nodes."""
        found = cls(*load_arrays(folder, *cls._fields))
        if found.vectors.ndim != 2 or len(found.vectors) != nodes:
            raise ArtifactError(f"{folder / 'vectors.npy'}: {found.vectors.shape}, expected ({nodes}, D)")
        return found
