"""The networks in Keras, as they are trained; importing this module imports TensorFlow."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from yoorec.features.encoded import Columns, Layout
from yoorec_tf.config import Shape
from yoorec_tf.weights import SIDES, Weights, widths

__all__ = ["Network", "adam"]

_SPREAD = 0.05
"""Standard deviation of the vectors at the start."""


class Network(keras.Model):  # type: ignore[misc]
    """One network from a layout: logits of candidate rows.

    Of each side first its own features are looked up, once per request, item and row::

        x   = vectors of the embedded ids | mean vectors of the lists | values         float32 [R, width]
        lin = sum of the weights of all ids, mean weights of the lists, weighted values  float32 [R, O]

    and then the sides meet in the rows::

        x0     = request's x | item's x | row's x
        cross  = x_L where x_{l+1} = x0 * (x_l . down_l . up_l + bias_l) + x_l      (full rank: no up_l)
        deep   = relu layers on x0
        logit  = lins + bias + (cross | deep) . logit

    whichever of these the shape has. Place 0 of both tables is zero and stays so: it serves as padding.
    """

    def __init__(self, layout: Layout, shape: Shape, seed: int) -> None:
        super().__init__(name="network")
        self.layout, self.shape = layout, shape
        self.width = widths(layout, shape.dim)
        total, outputs, layers = sum(self.width), shape.outputs, shape.cross_layers
        values = sum(len(side.value) for side in (layout.request, layout.item, layout.row))
        seeds = iter(np.random.default_rng(seed).integers(1 << 31, size=8 + len(shape.hidden)).tolist())

        def glorot(name: str, *sizes: int) -> Any:
            limit = (6.0 / (sizes[-2] + sizes[-1])) ** 0.5
            draw = keras.initializers.RandomUniform(-limit, limit, next(seeds))
            return self.add_weight(shape=sizes, initializer=draw, name=name)

        def zeros(name: str, *sizes: int) -> Any:
            return self.add_weight(shape=sizes, initializer="zeros", name=name)

        self.bias = zeros("bias", outputs)
        if shape.wide:
            self.linear = zeros("linear", layout.size, outputs)
            self.slope = zeros("slope", values, outputs)
        if shape.dim:
            self.vectors = self.add_weight(
                shape=(layout.embedded, shape.dim),
                initializer=keras.initializers.RandomNormal(0.0, _SPREAD, next(seeds)),
                name="vectors",
            )
            self.vectors.assign(tf.concat([tf.zeros((1, shape.dim)), tf.convert_to_tensor(self.vectors)[1:]], 0))
            sizes = (total, *shape.hidden)
            pairs = list(pairwise(sizes))
            self.deep = [glorot(f"deep_{number}", *pair) for number, pair in enumerate(pairs)]
            self.deep_bias = [zeros(f"deep_bias_{number}", pair[1]) for number, pair in enumerate(pairs)]
            self.logit = glorot("logit", (total if layers else 0) + shape.hidden[-1], outputs)
        if layers:
            self.down = glorot("down", layers, total, shape.rank or total)
            self.cross_bias = zeros("cross_bias", layers, total)
            if shape.rank:
                self.up = glorot("up", layers, shape.rank, total)
        self.built = True

    def call(self, inputs: Mapping[str, Any], seed: Any = None, dropout: float = 0.0) -> Any:
        """Logits float32 [N, O] of N rows.

        inputs: owner int32 [N], each row's request; item int32 [N], its row among the items given; and of each side
                (`request_`, `item_`, `row_`) id int32 [R, S], value float32 [R, V], length int32 [R, M] and
                many int32 [K], the lists one after the other; what is longer than their lengths is padding.
        seed:   int32 [2], of this step's dropout.
        """
        found = {
            side: self.describe(side, *(inputs[f"{side}_{part}"] for part in ("id", "value", "length", "many")))
            for side in SIDES
        }
        return self.meet(found["request"], found["item"], found["row"], inputs["owner"], inputs["item"], seed, dropout)

    def describe(self, side: str, places: Any, value: Any, length: Any, many: Any) -> tuple[Any, Any]:
        """x float32 [R, width] and lin float32 [R, O] of the rows of a side: "request", "item" or "row"."""
        columns: Columns = getattr(self.layout, side)
        rows, lists, dim, outputs = tf.shape(places)[0], len(columns.many), self.shape.dim, self.shape.outputs
        flat = tf.reshape(length, [-1])
        owner = tf.searchsorted(tf.cumsum(flat), tf.range(tf.shape(many)[0]), side="right")
        count = tf.cast(tf.maximum(flat, 1), tf.float32)[:, None]

        def means(table: Any) -> Any:
            # Padding falls into one segment more, which is cut off; sums of packed lists, since padded ones lose.
            return tf.math.unsorted_segment_sum(tf.gather(table, many), owner, rows * lists + 1)[:-1] / count

        x, lin = tf.zeros((rows, 0)), tf.zeros((rows, outputs))
        if self.shape.dim:
            own = tf.gather(self.vectors.value, places[:, : columns.embedded])
            parts = [tf.reshape(own, (rows, columns.embedded * dim))]
            if lists:
                parts.append(tf.reshape(means(self.vectors.value), (rows, lists * dim)))
            x = tf.concat([*parts, value], 1)
        if self.shape.wide:
            at = sum(len(getattr(self.layout, each).value) for each in SIDES[: SIDES.index(side)])
            lin = tf.reduce_sum(tf.gather(self.linear.value, places), 1)
            if lists:
                lin += tf.reduce_sum(tf.reshape(means(self.linear.value), (rows, lists, outputs)), 1)
            lin += tf.matmul(value, self.slope.value[at : at + len(columns.value)])
        return x, lin

    def meet(
        self,
        requests: tuple[Any, Any],
        items: tuple[Any, Any],
        rows: tuple[Any, Any],
        owner: Any,
        index: Any,
        seed: Any = None,
        dropout: float = 0.0,
    ) -> Any:
        """Logits of rows from what `describe` says of the requests, the items and the rows."""
        (request, request_lin), (item, item_lin), (row, row_lin) = requests, items, rows
        logit = tf.convert_to_tensor(self.bias.value) + row_lin
        logit += tf.gather(request_lin, owner) + tf.gather(item_lin, index)
        if not self.shape.dim:
            return logit
        one, two, three = tf.split(tf.convert_to_tensor(self.deep[0].value), self.width)
        units = tf.gather(tf.matmul(request, one) + self.deep_bias[0].value, owner)
        units = tf.nn.relu(units + tf.gather(tf.matmul(item, two), index) + tf.matmul(row, three))
        for number in range(1, len(self.deep)):
            units = self._thinned(units, seed, dropout, number)
            units = tf.nn.relu(tf.matmul(units, self.deep[number].value) + self.deep_bias[number].value)
        units = self._thinned(units, seed, dropout, 0)
        if self.shape.cross_layers:
            base = tf.concat([tf.gather(request, owner), tf.gather(item, index), row], 1)
            crossed = base
            for layer in range(self.shape.cross_layers):
                factor = tf.matmul(crossed, self.down.value[layer])
                if self.shape.rank:
                    factor = tf.matmul(factor, self.up.value[layer])
                crossed = base * (factor + self.cross_bias.value[layer]) + crossed
            units = tf.concat([crossed, units], 1)
        return logit + tf.matmul(units, self.logit.value)

    def _thinned(self, units: Any, seed: Any, dropout: float, number: int) -> Any:
        if seed is None or not dropout:
            return units
        # Drawn from the step's seed, not from a state, so that a training that goes on draws as it would have.
        return tf.nn.experimental.stateless_dropout(units, dropout, tf.add(seed, (0, number)))

    def learned(self) -> Weights:
        """What the network has learned, as serving reads it."""

        def array(variable: Any) -> Any:
            return np.ascontiguousarray(np.asarray(variable, np.float32))

        shape, found = self.shape, {"bias": array(self.bias)}
        if shape.wide:
            found |= {"linear": array(self.linear), "slope": array(self.slope)}
        if shape.dim:
            later = [part for pair in zip(self.deep, self.deep_bias, strict=True) for part in pair][2:]
            found |= {"vectors": array(self.vectors), "logit": array(self.logit)}
            found |= {"first": array(self.deep[0]), "first_bias": array(self.deep_bias[0])}
            found["deep"] = np.concatenate([np.zeros(0, np.float32), *(array(part).ravel() for part in later)])
        if shape.cross_layers:
            found |= {"down": array(self.down), "cross_bias": array(self.cross_bias)}
            if shape.rank:
                found["up"] = array(self.up)
        return Weights.none(self.layout, shape)._replace(**found)

    def adopt(self, weights: Weights) -> None:
        """Take over what a network of the same layout and shape has learned."""
        self.bias.assign(weights.bias)
        if self.shape.wide:
            self.linear.assign(weights.linear)
            self.slope.assign(weights.slope)
        if self.shape.dim:
            self.vectors.assign(weights.vectors)
            self.deep[0].assign(weights.first)
            self.deep_bias[0].assign(weights.first_bias)
            for number, (kernel, bias) in enumerate(weights.later(), 1):
                self.deep[number].assign(kernel)
                self.deep_bias[number].assign(bias)
            self.logit.assign(weights.logit)
        if self.shape.cross_layers:
            self.down.assign(weights.down)
            self.cross_bias.assign(weights.cross_bias)
            if self.shape.rank:
                self.up.assign(weights.up)


def adam(learning_rate: float, network: Any) -> Any:
    """An optimizer of the network's variables."""
    optimizer = keras.optimizers.Adam(learning_rate)
    optimizer.build(network.trainable_variables)
    return optimizer
