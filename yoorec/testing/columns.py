"""Batches compared bit for bit and made read-only: what the contracts are built from."""

from __future__ import annotations

from dataclasses import fields, is_dataclass, replace
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt

__all__ = ["columns_of", "differences", "frozen", "one_by_one_sizes", "slices"]

Batch = TypeVar("Batch")

one_by_one_sizes = (1, 7, 1000)
"""Batch sizes at which every component must give the same bits."""


def columns_of(batch: Any, prefix: str = "") -> dict[str, npt.NDArray[Any]]:
    """Every array of a batch by its path, such as ``history.item``; a mapping's keys count as fields."""
    found: dict[str, npt.NDArray[Any]] = {}
    for field in fields(batch):
        value, name = getattr(batch, field.name), prefix + field.name
        if isinstance(value, np.ndarray):
            found[name] = value
        elif isinstance(value, dict):
            found.update({f"{name}.{key}": part for key, part in value.items() if isinstance(part, np.ndarray)})
        elif is_dataclass(value):
            found.update(columns_of(value, name + "."))
    return found


def _bits(column: npt.NDArray[Any]) -> list[Any] | bytes:
    return column.tolist() if column.dtype == object else np.ascontiguousarray(column).tobytes()


def differences(left: Any, right: Any) -> list[str]:
    """What keeps two batches from being the same bits: columns with dtype, shape or first unlike row."""
    found = []
    one, other = columns_of(left), columns_of(right)
    if getattr(left, "sources", ()) != getattr(right, "sources", ()):
        found.append(f"sources: {left.sources} and {right.sources}")
    for name in sorted(one.keys() | other.keys()):
        if name not in one or name not in other:
            found.append(f"{name}: only in {'the first' if name in one else 'the second'}")
            continue
        a, b = one[name], other[name]
        if a.dtype != b.dtype or a.shape != b.shape:
            found.append(f"{name}: {a.dtype} {a.shape} and {b.dtype} {b.shape}")
        elif _bits(a) != _bits(b):
            row = next(row for row in range(len(a)) if _bits(a[row : row + 1]) != _bits(b[row : row + 1]))
            found.append(f"{name}[{row}]: {a[row]!r} and {b[row]!r}")
    return found


def frozen(batch: Batch) -> Batch:
    """A copy whose arrays refuse to be written to, nested batches included; writing raises ValueError."""
    changes: dict[str, Any] = {}
    for field in fields(batch):  # type: ignore[arg-type]
        value = getattr(batch, field.name)
        if isinstance(value, np.ndarray):
            changes[field.name] = _locked(value)
        elif isinstance(value, dict):
            changes[field.name] = {
                key: _locked(part) if isinstance(part, np.ndarray) else part for key, part in value.items()
            }
        elif is_dataclass(value):
            changes[field.name] = frozen(value)
    return replace(batch, **changes)  # type: ignore[type-var]


def _locked(column: npt.NDArray[Any]) -> npt.NDArray[Any]:
    copy = column.copy()
    copy.flags.writeable = False
    return copy


def slices(size: int, step: int) -> list[npt.NDArray[np.int64]]:
    """The numbers below `size` in runs of `step`; a single empty run where there are none."""
    return [np.arange(start, min(start + step, size)) for start in range(0, max(size, 1), step)]
