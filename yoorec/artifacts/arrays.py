"""Arrays on disk: one .npy file each, no pickle, memory-mapped on request."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from yoorec.errors import ArtifactError

__all__ = ["load_arrays", "save_arrays"]


def save_arrays(folder: Path, **arrays: npt.NDArray[Any]) -> None:
    """Write each array to ``folder/<name>.npy``. Raises ValueError for object arrays."""
    for name, array in arrays.items():
        np.save(folder / f"{name}.npy", array, allow_pickle=False)


def load_arrays(folder: Path, *names: str, mapped: bool = False) -> tuple[npt.NDArray[Any], ...]:
    """Read the named arrays back, in the order named. Raises ArtifactError naming a file that can't be read."""
    found = []
    for name in names:
        path = folder / f"{name}.npy"
        try:
            found.append(np.load(path, mmap_mode="r" if mapped else None, allow_pickle=False))
        except (OSError, ValueError, EOFError) as error:
            raise ArtifactError(f"{path}: can't be read as an array: {error}") from error
    return tuple(found)
