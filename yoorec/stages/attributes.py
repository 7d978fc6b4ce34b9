"""User attributes as arrays that a request reads at the price of one index."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pyarrow as pa

__all__ = ["attribute_columns"]


def attribute_columns(table: pa.Table) -> dict[str, npt.NDArray[np.object_]]:
    """Each column of U users as Python objects [U + 1], None where missing and in the last place.

    So ``column[user]`` answers for -1, the unknown user, too.
    """
    columns = {}
    for name in table.column_names:
        values = table[name].to_pylist()
        values.append(None)
        columns[name] = np.fromiter(values, object, len(values))
    return columns
