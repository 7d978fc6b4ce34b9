"""The network in Keras, as it is trained; importing this module imports TensorFlow."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import numpy.typing as npt

from yoorec_tdm.weights import Weights

__all__ = ["adam", "build_network", "set_vectors", "weights_of", "zeros_like"]

F32 = npt.NDArray[np.float32]

_SPREAD = 0.1
"""Standard deviation of the vectors at the start."""
_SLOPE = 0.25
"""PReLU's slope below 0 at the start, as in He et al., ICCV 2015."""


def build_network(
    nodes: int, dim: int, hidden: tuple[int, ...], windows: tuple[int, ...], attention: str, seed: int
) -> Any:
    """A Keras model from (history int32 [B, L], main int32 [B], node int32 [B, S]) to logits float32 [B, S].

    All three hold node numbers below `nodes`; history is newest first, and 0 in it and in main means none.
    windows: plays in each of the history's; the main item is a window of its own in front of them::

        u_w   = mean of v(p) over the plays p of window w
        z_w   = mean of (v(p) . v(n)) v(p) over them, s_w = mean of v(p) . v(n)        (attention: dot)
        units = own v(n) + sum over w: average_w u_w + attend_w (z_w, s_w) + bias

    then PReLU, further layers with PReLU, and one logit. z and s are linear in v(n), so each request's windows are
    summed up in one matrix before any node is looked at.
    """
    seeds = iter(np.random.default_rng(seed).integers(1 << 31, size=8 + 2 * len(windows) + len(hidden)).tolist())

    def dense(units: int, name: str, bias: bool = True) -> Any:
        initializer = keras.initializers.GlorotUniform(next(seeds))
        return keras.layers.Dense(units, use_bias=bias, kernel_initializer=initializer, name=name)

    history = keras.Input((sum(windows),), dtype="int32", name="history")
    main = keras.Input((), dtype="int32", name="main")
    node = keras.Input((None,), dtype="int32", name="node")
    spread = keras.initializers.RandomNormal(0.0, _SPREAD, next(seeds))
    embed = keras.layers.Embedding(nodes, dim, embeddings_initializer=spread, name="vectors")
    plays = keras.ops.concatenate([main[:, None], history], axis=1)
    there = keras.ops.cast(plays > 0, "float32")
    vectors = embed(plays)
    base: Any = None
    matrix: Any = None
    first = 0
    for number, count in enumerate((1, *windows)):
        last = first + count
        held = there[:, first:last]
        share = held / keras.ops.maximum(keras.ops.sum(held, axis=1, keepdims=True), 1.0)
        own = vectors[:, first:last]
        shared = own * share[:, :, None]
        part = dense(hidden[0], f"average_{number}", bias=False)(keras.ops.sum(shared, axis=1))
        base = part if base is None else base + part
        if attention == "dot":
            value = dense(hidden[0], f"attend_{number}")(own)
            outer = keras.ops.matmul(keras.ops.transpose(shared, (0, 2, 1)), value)
            matrix = outer if matrix is None else matrix + outer
        first = last
    target = embed(node)
    units = dense(hidden[0], "own")(target) + base[:, None]
    if matrix is not None:
        units = units + keras.ops.matmul(target, matrix)
    for number in range(len(hidden)):
        if number:
            units = dense(hidden[number], f"deep_{number}")(units)
        slope = keras.initializers.Constant(_SLOPE)
        units = keras.layers.PReLU(shared_axes=[1], alpha_initializer=slope, name=f"slope_{number}")(units)
    logit = dense(1, "logit")(units)[:, :, 0]
    return keras.Model([history, main, node], logit)


def adam(learning_rate: float, averaging: float, network: Any) -> Any:
    """An optimizer of the network's variables, which also keeps their running mean unless `averaging` is 0."""
    mean = {"use_ema": True, "ema_momentum": averaging, "ema_overwrite_frequency": None} if averaging else {}
    optimizer = keras.optimizers.Adam(learning_rate, **mean)
    optimizer.build(network.trainable_variables)
    return optimizer


def zeros_like(variable: Any) -> Any:
    """Zeros of its shape and dtype."""
    return keras.ops.zeros_like(variable)


def set_vectors(network: Any, vectors: F32) -> None:
    """Give the nodes these vectors float32 [N, D]."""
    network.get_layer("vectors").embeddings.assign(vectors)


def weights_of(network: Any, windows: tuple[int, ...], hidden: tuple[int, ...], attention: str) -> Weights:
    """What the network has learned, as serving reads it."""

    def arrays(layer: str) -> list[F32]:
        return [np.asarray(each, np.float32) for each in network.get_layer(layer).get_weights()]

    numbers = range(len(windows) + 1)
    attended = [np.vstack(arrays(f"attend_{number}")) for number in numbers] if attention == "dot" else []
    own, bias = arrays("own")
    later = [f"{layer}_{number}" for number in range(1, len(hidden)) for layer in ("deep", "slope")]
    deep = [part.ravel() for layer in (*later, "logit") for part in arrays(layer)]
    return Weights(
        arrays("vectors")[0],
        np.array((1, *windows), np.int32),
        own,
        bias,
        np.stack([arrays(f"average_{number}")[0] for number in numbers]),
        np.stack(attended) if attended else np.empty((0, own.shape[0] + 1, own.shape[1]), np.float32),
        arrays("slope_0")[0].ravel(),
        np.array(hidden, np.int32),
        np.concatenate(deep),
    )
