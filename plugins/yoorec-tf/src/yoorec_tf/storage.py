"""Samples on disk: encoded rows as Parquet and as TFRecord, and as text for comparison.

Requests stand in blocks, which are read whole; an epoch goes through the blocks in an order of its own, a few at a
time, and through their requests in an order of its own. So what is read is the same from any form, memory included, a
process holds only a few blocks, and no form needs to be read at random places.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import numpy as np
import numpy.typing as npt

from yoorec.artifacts.arrays import load_arrays, save_arrays
from yoorec.features.encoded import Columns, Encoded, Layout, Side

__all__ = [
    "Batch",
    "Memory",
    "ParquetSamples",
    "Samples",
    "TFRecordSamples",
    "TrainingSet",
    "batches",
    "join",
    "read_csv",
    "read_items",
    "write_csv",
    "write_items",
    "write_parquet",
    "write_tfrecord",
]

F32 = npt.NDArray[np.float32]
I32 = npt.NDArray[np.int32]
I64 = npt.NDArray[np.int64]

_BLOCK = 4096
"""Requests of a block."""
_POOL = 4
"""Blocks whose requests are shuffled together."""

_META = "samples.json"
_PARQUET = "samples.parquet"


@dataclass(frozen=True, slots=True)
class TrainingSet:
    """Candidate rows of logged requests and what came of them, requests in the order of time.

    label, weight: float32 [N, O], by row and objective; labels 0 to 1, weights at least 0.
    """

    encoded: Encoded
    label: F32
    weight: F32

    def __len__(self) -> int:
        return len(self.encoded)

    def take(self, requests: npt.NDArray[Any]) -> TrainingSet:
        """The named requests with their rows, in the order named; items stay as they are."""
        encoded = self.encoded
        start, length = encoded.offsets[requests], np.diff(encoded.offsets)[requests]
        offsets = np.append(0, np.cumsum(length))
        rows = np.arange(offsets[-1]) - np.repeat(offsets[:-1] - start, length)
        request, row = encoded.request.take(np.asarray(requests)), encoded.row.take(rows)
        taken = Encoded(offsets, encoded.index[rows], request, encoded.item, row)
        return TrainingSet(taken, self.label[rows], self.weight[rows])


class Batch(NamedTuple):
    """Requests that are learned from together, as the network's inputs have them, without the items.

    owner, item: int32 [N], each row's request and item. length: int32 [R, M], many: int32 [K], of the lists.
    """

    owner: I32
    item: I32
    request_id: I32
    request_value: F32
    request_length: I32
    request_many: I32
    row_id: I32
    row_value: F32
    row_length: I32
    row_many: I32
    label: F32
    weight: F32

    @classmethod
    def of(cls, samples: TrainingSet) -> Batch:
        """All of them."""
        encoded = samples.encoded

        def columns(side: Side) -> tuple[I32, F32, I32, I32]:
            return side.id, side.value, _length(side).reshape(len(side), side.lists), side.many

        request, row = columns(encoded.request), columns(encoded.row)
        return cls(encoded.owner, encoded.index, *request, *row, samples.label, samples.weight)


class Samples(Protocol):
    """Where samples are read from: a block of so many requests at a time."""

    @property
    def block(self) -> int:
        """Requests of a block."""

    def __len__(self) -> int:
        """All requests."""

    def read(self, number: int) -> TrainingSet:
        """Requests ``number * block`` to ``(number + 1) * block``; of the items, nothing."""


def _length(side: Side) -> I32:
    return np.diff(side.offsets).astype(np.int32)


def _no_items(encoded: Encoded) -> Encoded:
    empty = Side(np.zeros((0, 0), np.int32), np.zeros((0, 0), np.float32), np.zeros(1, np.int64), np.zeros(0, np.int32))
    return Encoded(encoded.offsets, encoded.index, encoded.request, empty, encoded.row)


@dataclass(frozen=True, slots=True)
class Memory:
    """Samples that are there."""

    samples: TrainingSet
    block: int = _BLOCK

    def __len__(self) -> int:
        return len(self.samples)

    def read(self, number: int) -> TrainingSet:
        start = number * self.block
        found = self.samples.take(np.arange(start, min(start + self.block, len(self.samples))))
        return TrainingSet(_no_items(found.encoded), found.label, found.weight)


def join(parts: list[TrainingSet]) -> TrainingSet:
    """All of them, one after the other; at least one."""

    def ends(offsets: list[I64]) -> I64:
        return np.append(0, np.cumsum(np.concatenate([np.diff(each) for each in offsets])))

    def side(sides: list[Side]) -> Side:
        first, second, third, fourth = zip(*sides, strict=True)
        return Side(np.concatenate(first), np.concatenate(second), ends(list(third)), np.concatenate(fourth))

    if len(parts) == 1:
        return parts[0]
    encoded = [part.encoded for part in parts]
    joined = Encoded(
        ends([each.offsets for each in encoded]),
        np.concatenate([each.index for each in encoded]),
        side([each.request for each in encoded]),
        encoded[0].item,
        side([each.row for each in encoded]),
    )
    return TrainingSet(
        joined, np.concatenate([part.label for part in parts]), np.concatenate([part.weight for part in parts])
    )


def batches(
    samples: Samples,
    count: int,
    size: int,
    seed: tuple[int, ...],
    worker: int = 0,
    workers: int = 1,
    first: int = 0,
) -> Iterator[Batch]:
    """One worker's part of each step of an epoch, from step `first` on, the same from any form of the same samples.

    count: requests that the epoch goes through, the earliest ones; what is left of them at the end makes no batch.
    size:  requests of a step, of all workers together; a worker has every `workers`-th of them.
    seed:  of the epoch's order.
    """
    order = np.random.default_rng(seed)
    blocks = order.permutation(-(-count // samples.block)).tolist()
    step, left = 0, 0
    whole: TrainingSet | None = None
    for begin in range(0, len(blocks), _POOL):
        parts = [] if whole is None else [whole]
        for number in blocks[begin : begin + _POOL]:
            found = samples.read(number)
            there = min(len(found), count - number * samples.block)
            parts.append(found if there == len(found) else found.take(np.arange(there)))
        whole = join(parts)
        places = np.append(np.arange(left), left + order.permutation(len(whole) - left))
        at = 0
        for at in range(0, len(places) - size + 1, size):
            if step >= first:
                yield Batch.of(whole.take(places[at : at + size][worker::workers]))
            step += 1
        at = len(places) // size * size
        whole = whole.take(places[at:])
        left = len(whole)


def write_items(folder: Path, layout: Layout, item: Side) -> None:
    """Write what all samples share: the layout and the items' side."""
    told = asdict(layout) | {side: getattr(layout, side)._asdict() for side in ("request", "item", "row")}
    (folder / "layout.json").write_text(json.dumps(told), encoding="utf-8")
    save_arrays(folder, **{f"item_{name}": array for name, array in item._asdict().items()})


def read_items(folder: Path) -> tuple[Layout, Side]:
    """Read back what `write_items` wrote."""
    found = json.loads((folder / "layout.json").read_text(encoding="utf-8"))

    def columns(side: str) -> Columns:
        told = found[side]
        return Columns(tuple(told["id"]), tuple(told["value"]), tuple(told["many"]), told["embedded"])

    layout = Layout(columns("request"), columns("item"), columns("row"), found["size"], found["embedded"])
    return layout, Side(*load_arrays(folder, *(f"item_{name}" for name in Side._fields)))


def _flat(samples: TrainingSet) -> dict[str, tuple[I64, npt.NDArray[Any]]]:
    """By column: int64 [B + 1], where each request's part of it begins and ends, and the column, flat."""
    encoded = samples.encoded
    one, rows = np.arange(len(encoded) + 1), encoded.offsets
    found: dict[str, tuple[I64, npt.NDArray[Any]]] = {"index": (rows, encoded.index)}
    for name, side, ends in (("request", encoded.request, one), ("row", encoded.row, rows)):
        found[f"{name}_id"] = (ends * side.id.shape[1], side.id.ravel())
        found[f"{name}_value"] = (ends * side.value.shape[1], side.value.ravel())
        found[f"{name}_length"] = (ends * side.lists, _length(side))
        found[f"{name}_many"] = (side.offsets[ends * side.lists], side.many)
    for name, array in (("label", samples.label), ("weight", samples.weight)):
        found[name] = (rows * array.shape[1], array.ravel())
    return found


_INTEGERS = ("index", "request_id", "request_length", "request_many", "row_id", "row_length", "row_many")
_NUMBERS = ("request_value", "row_value", "label", "weight")


def _of_flat(rows: I32, flat: dict[str, npt.NDArray[Any]], widths: dict[str, int]) -> TrainingSet:
    """What `_flat` made of a block, from each request's rows int32 [B] and the columns."""

    def side(name: str, size: int) -> Side:
        places = flat[f"{name}_id"].reshape(size, widths[f"{name}_id"])
        value = flat[f"{name}_value"].reshape(size, widths[f"{name}_value"])
        return Side(
            places, value, np.append(0, np.cumsum(flat[f"{name}_length"], dtype=np.int64)), flat[f"{name}_many"]
        )

    count = len(flat["index"])
    offsets = np.append(0, np.cumsum(rows, dtype=np.int64))
    request, row = side("request", len(rows)), side("row", count)
    encoded = _no_items(Encoded(offsets, flat["index"], request, request, row))
    outputs = widths["label"]
    return TrainingSet(encoded, flat["label"].reshape(count, outputs), flat["weight"].reshape(count, outputs))


def _write_meta(folder: Path, samples: Samples, widths: dict[str, int]) -> None:
    meta = {"requests": len(samples), "block": samples.block, "widths": widths}
    (folder / _META).write_text(json.dumps(meta), encoding="utf-8")


def _widths(samples: TrainingSet) -> dict[str, int]:
    encoded = samples.encoded
    sides = {"request": encoded.request, "row": encoded.row}
    found = {f"{name}_id": side.id.shape[1] for name, side in sides.items()}
    found |= {f"{name}_value": side.value.shape[1] for name, side in sides.items()}
    return found | {"label": samples.label.shape[1]}


def _blocks(samples: Samples) -> Iterator[TrainingSet]:
    for number in range(-(-len(samples) // samples.block)):
        yield samples.read(number)


def write_parquet(folder: Path, samples: Samples) -> None:
    """Write samples into a folder: a row a request, lists of numbers, a row group a block. At least one request."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    writer: Any = None
    try:
        for block in _blocks(samples):
            columns = {"rows": pa.array(np.diff(block.encoded.offsets).astype(np.int32))}
            for name, (ends, flat) in _flat(block).items():
                columns[name] = pa.ListArray.from_arrays(pa.array(ends.astype(np.int32)), pa.array(flat))
            cut = pa.table(columns)
            if writer is None:
                writer = pq.ParquetWriter(folder / _PARQUET, cut.schema, compression="lz4")
                _write_meta(folder, samples, _widths(block))
            writer.write_table(cut, row_group_size=samples.block)
    finally:
        if writer is not None:
            writer.close()


class _Folder:
    """Samples in a folder: how many, how large their blocks are and how wide their columns."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        meta = json.loads((folder / _META).read_text(encoding="utf-8"))
        self.block: int = meta["block"]
        self._requests: int = meta["requests"]
        self._widths: dict[str, int] = meta["widths"]

    def __len__(self) -> int:
        return self._requests


class ParquetSamples(_Folder):
    """What `write_parquet` wrote."""

    def read(self, number: int) -> TrainingSet:
        import pyarrow.parquet as pq

        with pq.ParquetFile(self.folder / _PARQUET) as file:
            found = file.read_row_group(number, use_threads=False).combine_chunks()
        names = (*_INTEGERS, *_NUMBERS)
        flat = {name: found[name].chunk(0).flatten().to_numpy(zero_copy_only=False) for name in names}
        return _of_flat(found["rows"].to_numpy(), flat, self._widths)


def write_tfrecord(folder: Path, samples: Samples) -> None:
    """Write samples into a folder: a file a block, in it a tf.Example a request, each column's numbers packed as bytes.

    At least one request. Imports TensorFlow.
    """
    import tensorflow as tf

    for number, block in enumerate(_blocks(samples)):
        if not number:
            _write_meta(folder, samples, _widths(block))
        rows = np.diff(block.encoded.offsets).astype("<i4")
        columns = {"rows": (np.arange(len(rows) + 1), rows)} | _flat(block)
        packed = {name: (ends.tolist(), memoryview(flat.tobytes())) for name, (ends, flat) in columns.items()}
        with tf.io.TFRecordWriter(str(folder / f"block-{number:05}.tfrecord")) as file:
            for b in range(len(rows)):
                feature = {
                    name: tf.train.Feature(
                        bytes_list=tf.train.BytesList(value=[bytes(flat[4 * ends[b] : 4 * ends[b + 1]])])
                    )
                    for name, (ends, flat) in packed.items()
                }
                file.write(tf.train.Example(features=tf.train.Features(feature=feature)).SerializeToString())


class TFRecordSamples(_Folder):
    """What `write_tfrecord` wrote, read by TensorFlow's own operations."""

    def read(self, number: int) -> TrainingSet:
        import tensorflow as tf

        names = ("rows", *_INTEGERS, *_NUMBERS)

        def parsed(records: Any) -> Any:
            fields = tf.io.parse_example(records, {name: tf.io.FixedLenFeature((), tf.string) for name in names})
            # A block's strings joined are the block's column: one decoding instead of one a request.
            return {
                name: tf.io.decode_raw(
                    tf.strings.reduce_join(fields[name]), tf.float32 if name in _NUMBERS else tf.int32
                )
                for name in names
            }

        records = tf.data.TFRecordDataset(str(self.folder / f"block-{number:05}.tfrecord"))
        found = {
            name: each.numpy() for name, each in records.batch(self.block).map(parsed).get_single_element().items()
        }
        return _of_flat(found.pop("rows"), found, self._widths)


def write_csv(path: Path, samples: TrainingSet, layout: Layout) -> None:
    """Write samples as text, a line a row with all of its request's and item's features: what the packed forms save.

    Lists are numbers between bars. Columns: request, label, weight, then ids, values and lists of each side.
    """
    encoded, index = samples.encoded, samples.encoded.index
    sides = (encoded.request.take(encoded.owner), encoded.item.take(index), encoded.row)
    columns: list[list[str]] = [list(map(str, encoded.owner.tolist()))]
    columns += [list(map(str, each[:, 0].tolist())) for each in (samples.label, samples.weight)]
    for side in sides:
        columns += [list(map(str, column)) for part in (side.id, side.value) for column in part.T.tolist()]
        for m in range(side.lists):
            ends = zip(side.offsets[m :: side.lists], side.offsets[m + 1 :: side.lists], strict=False)
            columns.append(["|".join(map(str, side.many[start:stop].tolist())) for start, stop in ends])
    names = _csv_names(layout)
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(names)
        writer.writerows(zip(*columns, strict=True))


def _value(name: str) -> str:
    """What a number's column of values is called beside its column of ids."""
    return f"{name} value"


def _csv_names(layout: Layout) -> list[str]:
    names = ["request", "label", "weight"]
    for of in (layout.request, layout.item, layout.row):
        names += [*of.id, *map(_value, of.value), *of.many]
    return names


def read_csv(path: Path, layout: Layout, size: int) -> Iterator[dict[str, Any]]:
    """Read what `write_csv` wrote, `size` rows at a time, by TensorFlow's own operations, as a graph of training would.

    Gives tensors by column: ids int32 [size], values (`<feature> value`), label and weight float32 [size], lists ragged
    int32. Imports TensorFlow.
    """
    import tensorflow as tf

    sides = (layout.request, layout.item, layout.row)
    numbers = {"label", "weight"} | {_value(name) for side in sides for name in side.value}
    lists = {name for side in sides for name in side.many}
    names = _csv_names(layout)
    kinds = [tf.float32 if name in numbers else tf.string if name in lists else tf.int32 for name in names]

    def parsed(lines: Any) -> Any:
        defaults = [tf.constant([], kind) if kind != tf.string else tf.constant([""]) for kind in kinds]
        found = dict(zip(names, tf.io.decode_csv(lines, defaults), strict=True))
        for name in lists:
            words = tf.strings.split(found[name], "|")
            words = tf.ragged.boolean_mask(words, words != "")  # what an empty list is split into
            found[name] = tf.ragged.map_flat_values(tf.strings.to_number, words, tf.int32)
        return found

    yield from tf.data.TextLineDataset(str(path)).skip(1).batch(size).map(parsed)
