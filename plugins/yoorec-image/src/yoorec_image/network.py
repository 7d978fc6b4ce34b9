"""The network that looks at images: Inception-v3 or one from a file, batched through `tf.data`.

Importing this module imports no TensorFlow; opening a network does.
"""

from __future__ import annotations

import os
import socket
import sys
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, nullcontext, suppress
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from yoorec.errors import DataError, nearest
from yoorec_image.config import ImageConfig
from yoorec_image.files import check_network_file

__all__ = ["LAYERS", "Network", "open_network"]

F32 = npt.NDArray[np.float32]
U8 = npt.NDArray[np.uint8]

LAYERS = tuple(f"mixed{number}" for number in range(11))
"""Layers of Inception-v3 that can be asked for; the last one, averaged, is the layer before the softmax."""
_NO_TOP = "inception_v3_weights_tf_dim_ordering_tf_kernels_notop.h5"
_TIMEOUT_S = 30.0
_SHOWN = 30


class Network:
    """A compiled network of one input shape: every batch is filled up, so no image's features depend on the others.

    width: numbers in an image's features.
    """

    def __init__(self, tf: Any, model: Any, config: ImageConfig) -> None:
        self._tf, self._config = tf, config
        shape = (config.batch, config.size, config.size, 3)
        kind = model.inputs[0].dtype

        def features(images: Any) -> Any:
            scaled = {"signed": images / 127.5 - 1.0, "unit": images / 255.0, "raw": images}[config.pixels]
            seen = model(tf.cast(scaled, kind), training=False)
            return tf.cast(tf.reduce_mean(seen, list(range(1, len(seen.shape) - 1))), tf.float32)

        compiled = tf.function(features, input_signature=[tf.TensorSpec(shape, tf.float32)], autograph=False)
        try:
            self._run = compiled.get_concrete_function()
        except ValueError as error:
            layer = f"layer '{config.layer}'" if config.layer else "the network"
            reason = str(error).strip().splitlines()[-1].strip()
            raise DataError(f"size: {config.size} is too small for {layer}: {reason}") from error
        self.width = int(self._run.structured_outputs.shape[-1])

    def features(self, images: Iterable[U8], threads: int) -> Iterator[F32]:
        """float32 [N, width] of some of the images at a time, in their order; images are uint8 [height, width, 3]."""
        tf, config = self._tf, self._config
        side = (config.size, config.size)

        def resized(image: Any) -> Any:
            return tf.ensure_shape(tf.image.resize(image, side, antialias=True), (*side, 3))

        data = tf.data.Dataset.from_generator(lambda: images, output_signature=tf.TensorSpec((None, None, 3), tf.uint8))
        data = data.map(resized, num_parallel_calls=threads, deterministic=True).batch(config.batch).prefetch(1)
        for batch in data:
            rows = len(batch)
            filled = tf.pad(batch, ((0, config.batch - rows), (0, 0), (0, 0), (0, 0)))
            yield self._run(filled).numpy()[:rows]


def open_network(config: ImageConfig, seed: int, threads: int) -> Network:
    """Build or load the network that a config names. Raises DataError naming the key and what is accepted."""
    tf, keras = _tensorflow(threads)
    if isinstance(config.weights, Path):
        check_network_file(config.weights)
        return Network(tf, _saved(keras, config.weights, config), config)
    if config.weights == "imagenet":
        whole = _pretrained(keras)
    else:
        whole = keras.applications.InceptionV3(include_top=False, weights=None)
    model = keras.Model(whole.input, whole.get_layer(config.layer or LAYERS[-1]).output)
    if config.weights == "random":
        _draw(model, seed)
    return Network(tf, model, config)


def _draw(model: Any, seed: int) -> None:
    """Untrained weights: filters from N(0, 2 / inputs of a filter), which keeps the size of what passes (He, Zhang, Ren
    and Sun, "Delving Deep into Rectifiers", ICCV 2015); normalisation changes nothing.
    """
    rng = np.random.default_rng(seed)
    drawn = []
    for weight in model.weights:
        shape = tuple(weight.shape)
        if len(shape) == 4:
            scale = np.float32(np.sqrt(2.0 / np.prod(shape[:3])))
            drawn.append(rng.standard_normal(shape, np.float32) * scale)
        else:
            drawn.append(np.full(shape, float(weight.path.endswith("variance")), np.float32))
    model.set_weights(drawn)


def _pretrained(keras: Any) -> Any:
    """Inception-v3 with the weights that Keras keeps or downloads."""
    before = socket.getdefaulttimeout()
    socket.setdefaulttimeout(_TIMEOUT_S)  # Keras' download has none, and would wait for ever
    try:
        return keras.applications.InceptionV3(include_top=False, weights="imagenet")
    except Exception as error:  # Keras raises bare ones
        home = Path(os.environ.get("KERAS_HOME", "~/.keras")) / "models"
        raise DataError(
            f"weights: imagenet can't be had: {str(error).splitlines()[0]}\n"
            f"  either put {_NO_TOP} into {home}\n"
            "  or save the network where there is one, model.save('inception.keras'), and give its path: "
            "weights: inception.keras"
        ) from error
    finally:
        socket.setdefaulttimeout(before)


def _saved(keras: Any, path: Path, config: ImageConfig) -> Any:
    """The network of a file, up to the layer that is asked for."""
    try:
        whole = keras.saving.load_model(path, compile=False, safe_mode=True)
    except Exception as error:  # a file may fail in any layer's own way
        raise DataError(f"weights: {path}: can't be loaded: {str(error).strip().splitlines()[0]}") from error
    if len(whole.inputs) != 1:
        names = ", ".join(each.name for each in whole.inputs)
        raise DataError(f"weights: {path}: has {len(whole.inputs)} inputs ({names}); a network of one is accepted")
    shape = tuple(whole.inputs[0].shape)
    if len(shape) != 4 or shape[3] != 3:
        raise DataError(f"weights: {path}: takes {_shown(shape)}; images are {_shown((None, None, None, 3))}")
    sides = {side for side in shape[1:3] if side is not None}
    if sides - {config.size}:
        raise DataError(f"size: {config.size} where {path} takes images of {shape[1]} x {shape[2]}")
    output = _output(whole, path, config.layer)
    if isinstance(output, list | tuple | dict) or len(output.shape) < 2 or output.shape[-1] is None:
        raise DataError(f"layer: {config.layer} of {path} gives no numbers of a fixed count; name another layer")
    return keras.Model(whole.inputs, output)


def _output(whole: Any, path: Path, layer: str | None) -> Any:
    named = {each.name: each for each in whole.layers}
    if layer is None:
        last = whole.layers[-1]
        softmax = getattr(getattr(last, "activation", None), "__name__", None) == "softmax"
        return last.input if softmax or type(last).__name__ == "Softmax" else last.output
    if layer not in named:
        close = nearest(layer, named)
        hint = f"; nearest: {close}" if close else ""
        some = list(named)[-_SHOWN:]
        which = f"the last {_SHOWN} of {len(named)} are" if len(named) > _SHOWN else "there are"
        raise DataError(f"layer: '{layer}' is none of {path}{hint}; {which}: {', '.join(some)}")
    return named[layer].output


def _shown(shape: tuple[int | None, ...]) -> str:
    return f"({', '.join('any' if side is None else str(side) for side in shape)})"


def _tensorflow(threads: int) -> tuple[Any, Any]:
    """TensorFlow and Keras, the former on so many threads unless it is running already.

    With oneDNN, which TensorFlow leaves out on some processors: its own convolutions add up in an order that depends on
    threads and on an image's place in the batch.
    """
    os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")
    quiet = os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2") in ("2", "3") and "tensorflow" not in sys.modules
    with _aside() if quiet else nullcontext():
        import tensorflow as tf

        with suppress(RuntimeError):  # too late: its runtime has started; the features are the same
            tf.config.threading.set_intra_op_parallelism_threads(threads)
            tf.config.threading.set_inter_op_parallelism_threads(threads)
        tf.constant(0)
    import keras

    return tf, keras


@contextmanager
def _aside() -> Iterator[None]:
    """Keep what is written to standard error, and show it only if something is raised.

    TensorFlow greets there while it is loaded, before it reads how much it should say.
    """
    try:
        kept = os.dup(2)
    except OSError:  # there is no standard error
        yield
        return
    with tempfile.TemporaryFile() as said:
        os.dup2(said.fileno(), 2)
        try:
            yield
        except BaseException:
            os.dup2(kept, 2)
            said.seek(0)
            os.write(2, said.read())
            raise
        finally:
            os.dup2(kept, 2)
            os.close(kept)
