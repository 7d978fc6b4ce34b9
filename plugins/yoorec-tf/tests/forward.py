"""The networks in plain numpy, row by row, from the same weights: the slow reference of all that scores."""

from __future__ import annotations

import numpy as np
from yoorec_tf.config import Shape
from yoorec_tf.weights import F32, Weights

from yoorec.features.encoded import Columns, Encoded, Layout, Side

__all__ = ["forward"]


def forward(layout: Layout, shape: Shape, weights: Weights, encoded: Encoded) -> F32:
    """Logits float32 [N, O], computed in float64."""
    wide = Weights(*(np.asarray(each, np.float64) for each in weights))
    first = 0
    sides = []
    for side, columns in ((encoded.request, layout.request), (encoded.item, layout.item), (encoded.row, layout.row)):
        slope = wide.slope[first : first + len(columns.value)] if shape.wide else np.zeros((len(columns.value), 0))
        sides.append([_described(side, columns, r, shape, wide, slope) for r in range(len(side))])
        first += len(columns.value)
    found = np.empty((len(encoded.index), shape.outputs), np.float32)
    for n, (b, i) in enumerate(zip(encoded.owner.tolist(), encoded.index.tolist(), strict=True)):
        parts = (sides[0][b], sides[1][i], sides[2][n])
        logit = wide.bias + sum(lin for _, lin in parts)
        if shape.dim:
            x0 = np.concatenate([x for x, _ in parts])
            units = np.maximum(x0 @ wide.first + wide.first_bias, 0)
            for matrix, bias in weights.later():
                units = np.maximum(units @ matrix + bias, 0)
            if shape.cross_layers:
                x = x0
                for layer in range(shape.cross_layers):
                    factor = x @ wide.down[layer]
                    if shape.rank:
                        factor = factor @ wide.up[layer]
                    x = x0 * (factor + wide.cross_bias[layer]) + x
                units = np.concatenate([x, units])
            logit = logit + units @ wide.logit
        found[n] = logit
    return found


def _described(side: Side, columns: Columns, r: int, shape: Shape, wide: Weights, slope: F32) -> tuple[F32, F32]:
    lists = [
        side.many[side.offsets[r * side.lists + m] : side.offsets[r * side.lists + m + 1]] for m in range(side.lists)
    ]
    x, lin = [np.zeros(0)], np.zeros(shape.outputs)
    if shape.dim:
        x += [wide.vectors[place] for place in side.id[r, : columns.embedded]]
        x += [wide.vectors[many].mean(0) if len(many) else np.zeros(shape.dim) for many in lists]
        x += [side.value[r]]
    if shape.wide:
        lin = lin + sum((wide.linear[place] for place in side.id[r]), np.zeros(shape.outputs))
        lin = lin + sum((wide.linear[many].mean(0) for many in lists if len(many)), np.zeros(shape.outputs))
        lin = lin + side.value[r] @ slope
    return np.concatenate(x), lin
