"""The model at serving: what a request makes of the network, and the scores of nodes, compiled.

All sums run in one order, node by node, so no score depends on the nodes or requests around it.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import types

from yoorec.ragged import compiled, recalling, recalling_item
from yoorec.ragged.arrays import F32, I32, I64, kernel, made, readonly, table
from yoorec.ragged.dense import add_product, copy_to
from yoorec_tdm.weights import Weights

__all__ = ["Readers", "readers_of", "score_nodes"]

_f32, _i32, _i64 = readonly(types.float32), readonly(types.int32), readonly(types.int64)
_matrix = table(types.float32)
_cube = types.Array(types.float32, 3, "C", readonly=True)


class Readers(NamedTuple):
    """The first layer as B requests see it: units = base + node . matrix, float32 [B, H] and [B, D, H]."""

    base: F32
    matrix: F32


@kernel(
    types.void,
    *(_i32, _i64, _i32, _i32, _i32, _matrix, _matrix, _f32, _cube, _cube),
    *(types.float32[:, ::1], types.float32[:, :, ::1]),
)
def _read(
    main: I32,
    history_offsets: I64,
    history_item: I32,
    leaf: I32,
    windows: I32,
    vectors: F32,
    own: F32,
    bias: F32,
    average: F32,
    attend: F32,
    base: F32,
    matrix: F32,
) -> None:
    width, units = own.shape
    most = 0
    for window in windows[1:]:
        most += window
    places = np.empty(most + 1, np.int32)
    value = np.empty(units, np.float32)
    for b in range(len(main)):
        copy_to(base[b], bias)
        for d in range(width):
            copy_to(matrix[b, d], own[d])
        places[0] = leaf[main[b]] if main[b] >= 0 else 0
        start, stop = recalling(main, history_offsets, history_item, b, most)
        for p in range(most):
            item = recalling_item(main, history_offsets, history_item, b, start + p) if start + p < stop else -1
            places[1 + p] = leaf[item] if item >= 0 else 0
        first = 0
        for w in range(len(windows)):
            last = first + windows[w]
            count = 0
            for p in range(first, last):
                count += places[p] > 0
            if count:
                share = np.float32(1.0) / np.float32(count)
                for p in range(first, last):
                    node = places[p]
                    if node > 0:
                        for d in range(width):
                            part, row = share * vectors[node, d], average[w, d]
                            for h in range(units):
                                base[b, h] += part * row[h]
                        if len(attend):
                            copy_to(value, attend[w, width])
                            for d in range(width):
                                part, row = vectors[node, d], attend[w, d]
                                for h in range(units):
                                    value[h] += part * row[h]
                            for d in range(width):
                                part = share * vectors[node, d]
                                for h in range(units):
                                    matrix[b, d, h] += part * value[h]
            first = last


def readers_of(weights: Weights, main: I32, history_offsets: I64, history_item: I32, leaf: I32) -> Readers:
    """What B requests make of the first layer.

    main: int32 [B], -1 for none. history: newest first, the main item put in front unless it stands there.
    leaf: int32 [I], each item's leaf, 0 for one that the tree lacks; such a play keeps its place, empty.
    """
    size, (width, units) = len(main), weights.own.shape
    base, matrix = np.empty((size, units), np.float32), np.empty((size, width, units), np.float32)
    _read(
        np.ascontiguousarray(main),
        np.ascontiguousarray(history_offsets),
        np.ascontiguousarray(history_item),
        leaf,
        weights.windows,
        weights.vectors,
        weights.own,
        weights.bias,
        weights.average,
        weights.attend,
        base,
        matrix,
    )
    return Readers(base, matrix)


@compiled
def _bend(out: F32, slope: F32) -> None:
    for h in range(len(slope)):
        out[h] = max(out[h], np.float32(0.0)) + slope[h] * min(out[h], np.float32(0.0))


@kernel(made(types.float32), _i64, _i32, _matrix, _cube, _matrix, _f32, _i32, _f32)
def _score(offsets: I64, node: I32, base: F32, matrix: F32, vectors: F32, slope: F32, sizes: I32, deep: F32) -> F32:
    score = np.empty(len(node), np.float32)
    widest = sizes.max()
    now, later = np.empty(widest, np.float32), np.empty(widest, np.float32)
    for b in range(len(offsets) - 1):
        for c in range(offsets[b], offsets[b + 1]):
            units = sizes[0]
            copy_to(now[:units], base[b])
            add_product(now[:units], vectors[node[c]], matrix[b])
            _bend(now, slope)
            at = 0
            for layer in range(1, len(sizes)):
                width, units = units, sizes[layer]
                bias = at + width * units
                copy_to(later[:units], deep[bias : bias + units])
                add_product(later[:units], now[:width], deep[at:bias].reshape(width, units))
                _bend(later, deep[bias + units : bias + 2 * units])
                now, later = later, now
                at = bias + 2 * units
            total = deep[at + units]
            for h in range(units):
                total += now[h] * deep[at + h]
            score[c] = total
    return score


def score_nodes(weights: Weights, readers: Readers, offsets: I64, node: I32) -> F32:
    """The logit float32 [C] that request b plays something below node c, for c in ``offsets[b]:offsets[b + 1]``."""
    found: F32 = _score(offsets, node, *readers, weights.vectors, weights.slope, weights.sizes, weights.deep)
    return found
