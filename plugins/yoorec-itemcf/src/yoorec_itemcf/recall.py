"""The compiled kernel of ItemCF's recall."""

from __future__ import annotations

import numpy as np
from numba import njit, types

from yoorec.ragged import recalling, recalling_item, top_of_dense
from yoorec.ragged.arrays import F32, I32, I64, U64, column, readonly

__all__ = ["recall"]

_i32, _i64, _f32 = readonly(types.int32), readonly(types.int64), readonly(types.float32)
_found = types.Tuple((column(types.int64), column(types.int32), column(types.float32)))
_history = (_i32, _i64, _i32)
_similar = (_i64, _i32, _f32)
_scratch = (column(types.float32), column(types.int32), column(types.uint64))


@njit(
    _found(*_history, *_similar, types.int64, types.int64, types.float64, types.boolean, *_scratch),
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
    with_main: bool,
    total: F32,
    touched: I32,
    keys: U64,
) -> tuple[I64, I32, F32]:
    """The k best of B requests: offsets int64 [B + 1], item int32 and score float32.

    main int32 [B] stands in front of the history unless the history already begins with it. with_main: it may be among
    the candidates.
    total: float32 [I], all 0, and left so. touched: int32 [I + 1]. keys: uint64 [I].
    """
    size = len(main)
    items = len(offsets) - 1
    out_offsets = np.zeros(size + 1, np.int64)
    room = size * min(k, items)
    out_item = np.empty(room, np.int32)
    out_score = np.empty(room, np.float32)
    end = 0
    for b in range(size):
        start, stop = recalling(main, history_offsets, history_item, b, recall_from)
        count = 0
        weight = np.float32(1.0)
        for p in range(start, stop):
            source = recalling_item(main, history_offsets, history_item, b, p)
            if source >= 0:
                for n in range(offsets[source], offsets[source + 1]):
                    value = weight * near_score[n]
                    j = np.uint32(near_item[n])
                    touched[count] = j  # without a branch; kept if the item is new and its value no underflow
                    count += (total[j] == 0.0) & (value > 0.0)
                    total[j] += value
            weight *= np.float32(recency)
        if not with_main and main[b] >= 0:
            others = 0
            for n in range(count):
                if touched[n] != main[b]:
                    touched[others] = touched[n]
                    others += 1
            total[main[b]] = 0.0
            count = others
        if k > 0:
            end += top_of_dense(touched, count, total, k, keys, out_item[end:], out_score[end:])
        for n in range(count):
            total[touched[n]] = 0.0
        out_offsets[b + 1] = end
    return out_offsets, out_item[:end], out_score[:end]
