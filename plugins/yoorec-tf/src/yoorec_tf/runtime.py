"""TensorFlow, as every part of this package starts it."""

from __future__ import annotations

import os
from typing import Any

__all__ = ["tensorflow"]


def tensorflow(threads: int, within: int = 1) -> Any:
    """TensorFlow on the processor.

    threads: operations at a time. within: threads of an operation, on whose number the order of its sums depends, and
    so the last bits of all that is learned: never to be set by what the machine has. Neither counts once it is running.
    """
    os.environ.setdefault("KERAS_BACKEND", "tensorflow")
    os.environ.setdefault("CUDA_VISIBLE_DEVICES", "-1")
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")  # left out on some processors, which would round otherwise
    import tensorflow as tf

    try:
        tf.config.threading.set_intra_op_parallelism_threads(within)
        tf.config.threading.set_inter_op_parallelism_threads(threads)
    except RuntimeError:  # its runtime has started
        pass
    return tf
