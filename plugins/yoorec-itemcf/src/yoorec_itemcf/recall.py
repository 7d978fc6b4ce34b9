"""The compiled kernel of ItemCF's recall."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from numba import njit, types

from yoorec.ragged import top_of_dense

__all__ = ["recall"]

I32, I64, F32 = npt.NDArray[np.int32], npt.NDArray[np.int64], npt.NDArray[np.float32]


def _column(dtype: types.Type) -> types.Array:
    """An input column; declared read-only, which a writable one may stand for too."""
    return types.Array(dtype, 1, "C", readonly=True)


_i32, _i64, _f32 = (_column(dtype) for dtype in (types.int32, types.int64, types.float32))


@njit(
    types.Tuple((types.int64[::1], types.int32[::1], types.float32[::1]))(
        _i32,
        _i64,
        _i32,
        _i64,
        _i32,
        _f32,
        types.int64,
        types.int64,
        types.float64,
        types.float32[::1],
        types.int32[::1],
        types.uint64[::1],
    ),
    cache=True,
    nogil=True,
)
def recall(
    main: I32,
    history_offsets: I64,
    history_item: I32,
    offsets: I64,
    near_item: I32,
    near_score: F32,
    k: int,
    recall_from: int,
    recency: float,
    total: F32,
    touched: I32,
    keys: npt.NDArray[np.uint64],
) -> tuple[I64, I32, F32]:
    """The k best of B requests: offsets int64 [B + 1], item int32 and score float32.

    main int32 [B] stands in front of the history unless the history already begins with it.
    total: float32 [I], all 0, and left so. touched: int32 [I]. keys: uint64 [I].
    """
    size = len(main)
    items = len(offsets) - 1
    out_offsets = np.zeros(size + 1, np.int64)
    room = size * min(k, items)
    out_item = np.empty(room, np.int32)
    out_score = np.empty(room, np.float32)
    end = 0
    for b in range(size):
        start, stop = history_offsets[b], history_offsets[b + 1]
        if main[b] >= 0 and (start == stop or history_item[start] != main[b]):
            start -= 1  # one place in front of the history, for the main item
        stop = min(stop, start + recall_from)
        count = 0
        weight = np.float32(1.0)
        for p in range(start, stop):
            source = main[b] if p < history_offsets[b] else history_item[p]
            if source >= 0:
                for n in range(offsets[source], offsets[source + 1]):
                    value = weight * near_score[n]
                    if value > 0.0:  # an underflow must not list its item twice
                        j = near_item[n]
                        if total[j] == 0.0:
                            touched[count] = j
                            count += 1
                        total[j] += value
            weight *= np.float32(recency)
        others = 0
        for n in range(count):
            if touched[n] != main[b]:
                touched[others] = touched[n]
                others += 1
        if main[b] >= 0:
            total[main[b]] = 0.0
        if k > 0:
            end += top_of_dense(touched, others, total, k, keys, out_item[end:], out_score[end:])
        for n in range(others):
            total[touched[n]] = 0.0
        out_offsets[b + 1] = end
    return out_offsets, out_item[:end], out_score[:end]
