"""TensorFlow, as every part of this package starts it."""

from __future__ import annotations

import os
from typing import Any

__all__ = ["tensorflow"]


def tensorflow(threads: int) -> Any:
    """TensorFlow on the processor, every operation on one thread, so that sums never depend on how many there are.

    threads: operations at a time, unless it is running already.
    """
    os.environ.setdefault("KERAS_BACKEND", "tensorflow")
    os.environ.setdefault("CUDA_VISIBLE_DEVICES", "-1")
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    # Some processors would leave oneDNN out, and an image trigger asks for it: bits must not hang on who came first.
    os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")
    import tensorflow as tf

    try:
        tf.config.threading.set_intra_op_parallelism_threads(1)
        tf.config.threading.set_inter_op_parallelism_threads(threads)
    except RuntimeError:  # its runtime has started
        pass
    return tf
