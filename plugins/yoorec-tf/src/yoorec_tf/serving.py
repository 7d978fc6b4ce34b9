"""The networks at serving by TensorFlow: one graph for each padded number of candidates."""

from __future__ import annotations

from pathlib import Path
from threading import Lock
from typing import Any

import numpy as np
import numpy.typing as npt

from yoorec.errors import ArtifactError
from yoorec.features.encoded import Encoded, Layout, Side
from yoorec_tf.export import inputs_of, sides_of, signature
from yoorec_tf.runtime import tensorflow

__all__ = ["TensorFlowScorer"]

F32 = npt.NDArray[np.float32]

_LEAST = {"index": 64, "request_many": 64, "row_many": 64}
"""Inputs of any length, and the least they are padded to; beyond it, to the next power of two."""


class TensorFlowScorer:
    """Scores requests one at a time, so that no score depends on the requests around it.

    traces: graphs built so far, one for each set of padded sizes met; `warm_usual` builds those that are to be
    expected, so that no request waits for them.
    """

    def __init__(self, folder: Path, layout: Layout, item: Side, threads: int = 1) -> None:
        """Load the SavedModel that `export` wrote. item: the side of all items, the same in every batch scored; there
        may be more than when it was written. Raises ArtifactError where the folder holds no such model.
        """
        self._tf = tf = tensorflow(threads)
        try:
            self._model = model = tf.saved_model.load(str(folder))
            described = model.describe(*map(tf.constant, sides_of(item)))
            for variable, found in zip((model.item_x, model.item_lin), described, strict=True):
                variable.assign(found)
        except (OSError, ValueError, AttributeError, tf.errors.OpError) as error:
            raise ArtifactError(f"{folder}: is no SavedModel of this layout: {error}") from error
        self._signature, self._items, self._outputs = signature(layout), len(item), model.item_lin.shape[1]
        self._graphs: dict[tuple[int, ...], Any] = {}
        self._lock = Lock()
        self.traces = 0

    def warm(self, candidates: int, request_many: int = 0, row_many: int = 0) -> None:
        """Build the graphs for requests of so many candidates and of lists that hold so many ids together."""
        sizes = {"index": candidates, "request_many": request_many, "row_many": row_many}
        graph, shapes = self._graph(sizes)
        graph(**{name: self._tf.zeros(shape, self._signature[name][0]) for name, shape in shapes.items()})

    def warm_usual(self) -> None:
        """Build the graphs for up to 512 candidates and lists of up to 1,024 ids."""
        for candidates in (64, 128, 256, 512):
            for many in (64, 128, 256, 512, 1024):
                self.warm(candidates, many)

    def score(self, encoded: Encoded) -> F32:
        """Logits float32 [N, O] of the rows of requests. Raises ValueError where `item` is of another number of rows
        than the items given before.
        """
        if len(encoded.item) != self._items:
            raise ValueError(f"item: {len(encoded.item)} rows, expected {self._items}")
        score = np.empty((len(encoded.index), self._outputs), np.float32)
        for b in range(len(encoded)):
            rows = slice(encoded.offsets[b], encoded.offsets[b + 1])
            if rows.stop > rows.start:
                score[rows] = self._scored(inputs_of(encoded, b))[: rows.stop - rows.start]
        return score

    def _scored(self, given: dict[str, npt.NDArray[Any]]) -> F32:
        graph, shapes = self._graph({name: len(given[name]) for name in _LEAST})
        padded = {}
        for name, shape in shapes.items():
            padded[name] = given[name]
            if given[name].shape != shape:
                padded[name] = np.zeros(shape, given[name].dtype)
                padded[name][: len(given[name])] = given[name]
        found: F32 = graph(**{name: self._tf.constant(array) for name, array in padded.items()}).numpy()
        return found

    def _graph(self, sizes: dict[str, int]) -> tuple[Any, dict[str, tuple[int, ...]]]:
        """The graph for inputs of these lengths, and the shapes of all its inputs."""
        padded = {name: max(least, 1 << (sizes[name] - 1).bit_length()) for name, least in _LEAST.items()}
        padded |= dict.fromkeys(("row_id", "row_value", "row_length"), padded["index"])
        shapes = {
            name: tuple(padded[name] if size is None else size for size in shape)
            for name, (_, shape) in self._signature.items()
        }
        key = tuple(padded[name] for name in _LEAST)
        if (graph := self._graphs.get(key)) is None:
            with self._lock:
                if (graph := self._graphs.get(key)) is None:
                    graph = self._graphs[key] = self._built(shapes)
        return graph, shapes

    def _built(self, shapes: dict[str, tuple[int, ...]]) -> Any:
        tf = self._tf

        def logits(**given: Any) -> Any:
            self.traces += 1
            return self._model.logits(**given)

        kinds = {name: tf.TensorSpec(shape, self._signature[name][0], name) for name, shape in shapes.items()}
        # Not by XLA: a quarter quicker at 200 and 500 candidates, but it builds each size ten times as long.
        return tf.function(logits).get_concrete_function(**kinds)
