"""The networks as a SavedModel: one request and its candidates in, logits and scores out."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from yoorec.features.encoded import Encoded, Layout, Side
from yoorec_tf.config import Shape
from yoorec_tf.runtime import tensorflow
from yoorec_tf.weights import Weights

F32 = npt.NDArray[np.float32]

__all__ = ["export", "inputs_of", "served", "sides_of", "signature"]


def signature(layout: Layout) -> dict[str, tuple[type, tuple[int | None, ...]]]:
    """Type and shape of each input of a request with n candidates; None for n and for the lengths of lists.

    request_id, request_value: the request's ids and values. request_length: lengths of its lists; request_many: the
    lists, one after the other. index: each candidate's item. row_id, row_value, row_length, row_many: as the request's,
    by candidate. Whatever `many` holds beyond the lengths is padding; so is a place of 0.
    """
    request, row, i32, f32 = layout.request, layout.row, np.int32, np.float32
    return {
        "request_id": (i32, (len(request.id),)),
        "request_value": (f32, (len(request.value),)),
        "request_length": (i32, (len(request.many),)),
        "request_many": (i32, (None,)),
        "index": (i32, (None,)),
        "row_id": (i32, (None, len(row.id))),
        "row_value": (f32, (None, len(row.value))),
        "row_length": (i32, (None, len(row.many))),
        "row_many": (i32, (None,)),
    }


def served(layout: Layout, outputs: int) -> dict[str, tuple[type, tuple[int | None, ...]]]:
    """`signature`, and beside: what is added to the calibrated logits, as stacking does; zeros for nothing."""
    return signature(layout) | {"beside": (np.float32, (None, outputs))}


def inputs_of(encoded: Encoded, b: int) -> dict[str, npt.NDArray[Any]]:
    """The inputs of request b, as `signature` names them."""
    rows = slice(encoded.offsets[b], encoded.offsets[b + 1])
    found: dict[str, npt.NDArray[Any]] = {"index": encoded.index[rows]}
    for name, side, part in (("request", encoded.request, slice(b, b + 1)), ("row", encoded.row, rows)):
        ends = side.offsets[part.start * side.lists : part.stop * side.lists + 1]
        length = np.diff(ends).astype(np.int32).reshape(part.stop - part.start, side.lists)
        one = {"id": side.id[part], "value": side.value[part], "length": length}
        found |= {f"{name}_{key}": array[0] if name == "request" else array for key, array in one.items()}
        found[f"{name}_many"] = side.many[ends[0] : ends[-1]]
    return found


def sides_of(item: Side) -> tuple[npt.NDArray[Any], ...]:
    """The items' side as `describe` of an exported model takes it: id, value, length int32 [I, M] and many."""
    lists = item.lists
    return item.id, item.value, np.diff(item.offsets).astype(np.int32).reshape(len(item), lists), item.many


def export(
    folder: Path,
    layout: Layout,
    shape: Shape,
    weights: Weights,
    item: Side,
    objectives: tuple[float, ...],
    scale: F32,
    shift: F32,
) -> None:
    """Write a SavedModel whose `serving_default` takes the inputs of `served` by name and gives, for n candidates,
    logit float32 [n, O], calibrated, and score float32 [n].

    item: the side of the items that `index` counts. objectives: their weights in the score, as `scoring.blend` has it.
    scale, shift: float32 [O], of the calibrated logits: ``logit * scale + beside + shift``.

    Items are described once, in two variables, so that a candidate costs one look-up instead of its item's ids and
    lists. What loads the model may fill them anew, `item_x` and `item_lin` being what `describe` makes of the items
    there are then (`sides_of`). `logits` gives the network's own logits, not calibrated, from `signature`'s inputs.
    """
    tf = tensorflow(1)
    from yoorec_tf.network import Network

    network = Network(layout, shape, 0)
    network.adopt(weights)
    of_items = layout.item
    module = tf.Module()

    inputs = [
        tf.TensorSpec((None, len(of_items.id)), tf.int32),
        tf.TensorSpec((None, len(of_items.value)), tf.float32),
        tf.TensorSpec((None, len(of_items.many)), tf.int32),
        tf.TensorSpec((None,), tf.int32),
    ]
    describe = tf.function(lambda *given: network.describe("item", *given), input_signature=inputs)
    described = describe(*map(tf.constant, sides_of(item)))
    module.item_x, module.item_lin = (
        tf.Variable(each, trainable=False, shape=(None, each.shape[1])) for each in described
    )

    def logits(**given: Any) -> Any:
        count, parts = tf.shape(given["index"])[0], ("id", "value", "length")
        request_id, request_value, request_length = (given[f"request_{part}"][None] for part in parts)
        request = network.describe("request", request_id, request_value, request_length, given["request_many"])
        row_id, row_value, row_length = (given[f"row_{part}"] for part in parts)
        row = network.describe("row", row_id, row_value, row_length, given["row_many"])
        items = tf.gather(module.item_x, given["index"]), tf.gather(module.item_lin, given["index"])
        return network.meet(request, items, row, tf.zeros((count,), tf.int32), tf.range(count))

    def serve(beside: Any, **given: Any) -> dict[str, Any]:
        logit = logits(**given) * tf.constant(scale, tf.float32) + beside + tf.constant(shift, tf.float32)
        score = logit[:, 0]
        if len(objectives) > 1:
            score = tf.reduce_sum(tf.sigmoid(logit) * tf.constant(objectives, tf.float32), 1)
        return {"logit": logit, "score": score}

    kinds = {name: tf.TensorSpec(size, kind, name) for name, (kind, size) in served(layout, shape.outputs).items()}
    beside = kinds.pop("beside")
    module.parts, module.describe = [each.value for each in network.variables], describe
    module.logits = tf.function(logits).get_concrete_function(**kinds)
    module.serve = tf.function(serve).get_concrete_function(beside=beside, **kinds)
    tf.saved_model.save(module, str(folder), signatures={"serving_default": module.serve})
    # It holds a number drawn at random, and nothing needs it: the same model is the same bytes.
    (folder / "fingerprint.pb").unlink(missing_ok=True)
