"""Samples come back from every form bit by bit, and in the same batches."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from yoorec_tf.storage import (
    Batch,
    Memory,
    ParquetSamples,
    Samples,
    TFRecordSamples,
    batches,
    join,
    read_csv,
    read_items,
    write_csv,
    write_items,
    write_parquet,
    write_tfrecord,
)

from .conftest import world


def all_of(samples: Samples, count: int, size: int, **more: int) -> list[Batch]:
    return list(batches(samples, count, size, (7, 1), **more))


def same(one: list[Batch], other: list[Batch]) -> bool:
    pairs = zip([each for batch in one for each in batch], [each for batch in other for each in batch], strict=True)
    return all(a.dtype == b.dtype and a.shape == b.shape and a.tobytes() == b.tobytes() for a, b in pairs)


@pytest.mark.parametrize("outputs", [1, 2])
def test_three_forms_give_the_same_batches(tmp_path: Path, outputs: int) -> None:
    memory = Memory(world(requests=150, outputs=outputs).samples, block=16)
    for name, write in (("parquet", write_parquet), ("tfrecord", write_tfrecord)):
        (tmp_path / name).mkdir()
        write(tmp_path / name, memory)
    parquet, tfrecord = ParquetSamples(tmp_path / "parquet"), TFRecordSamples(tmp_path / "tfrecord")
    assert len(parquet) == len(tfrecord) == 150
    for count, size in ((150, 20), (101, 7), (3, 1)):
        expected = all_of(memory, count, size)
        assert len(expected) == count // size
        assert same(all_of(parquet, count, size), expected)
        assert same(all_of(tfrecord, count, size), expected)
    assert not same(list(batches(memory, 150, 20, (7, 2))), all_of(memory, 150, 20))


def test_samples_without_lists_values_or_rows(tmp_path: Path) -> None:
    memory = Memory(world(requests=9, rows=0, sizes=((1, 0, 0, 0), (1, 0, 0, 0), (1, 0, 0, 0))).samples, block=4)
    for name, write in (("parquet", write_parquet), ("tfrecord", write_tfrecord)):
        (tmp_path / name).mkdir()
        write(tmp_path / name, memory)
    expected = all_of(memory, 9, 2)
    assert [len(batch.label) for batch in expected] == [0] * 4
    assert same(all_of(ParquetSamples(tmp_path / "parquet"), 9, 2), expected)
    assert same(all_of(TFRecordSamples(tmp_path / "tfrecord"), 9, 2), expected)


def test_an_epoch_has_each_request_once_and_workers_share_its_steps() -> None:
    """Requests are told apart by an id of their own, rows by their place."""
    samples = world(requests=150).samples
    own = np.arange(1, 151, dtype=np.int32)
    samples.encoded.request.id[:, 0] = own
    owner = samples.encoded.owner
    samples.encoded.row.id[:, 0] = np.arange(1, len(owner) + 1)
    memory = Memory(samples, block=16)
    alone = all_of(memory, 101, 10)
    met = np.concatenate([batch.request_id[:, 0] for batch in alone])
    assert len(set(met.tolist())) == len(met) == 100
    assert set(met.tolist()) <= set(range(1, 102))
    assert met.tolist() != sorted(met.tolist())
    for batch in alone:
        rows = batch.row_id[:, 0] - 1
        assert (batch.request_id[batch.owner, 0] - 1 == owner[rows]).all()
        assert (batch.label == samples.label[rows]).all()
        assert (batch.item == samples.encoded.index[rows]).all()
        assert len(rows) == np.isin(owner, batch.request_id[:, 0] - 1).sum()
    shared = [all_of(memory, 101, 10, worker=worker, workers=3) for worker in range(3)]
    for step, batch in enumerate(alone):
        parts = [batches[step].request_id[:, 0].tolist() for batches in shared]
        assert [len(part) for part in parts] == [4, 3, 3]
        assert sorted(place for part in parts for place in part) == sorted(batch.request_id[:, 0].tolist())
    assert same(all_of(memory, 101, 10, first=4), alone[4:])
    assert all_of(memory, 101, 10, first=10) == []


def test_lists_stay_with_their_requests() -> None:
    samples = world(requests=40).samples
    order = np.random.default_rng(2).permutation(40)
    taken, side = samples.take(order).encoded.request, samples.encoded.request
    for place, b in enumerate(order.tolist()):
        for m in range(side.lists):
            at, of = place * side.lists + m, b * side.lists + m
            found = taken.many[taken.offsets[at] : taken.offsets[at + 1]]
            assert found.tolist() == side.many[side.offsets[of] : side.offsets[of + 1]].tolist()
    again = join([samples.take(np.arange(15)), samples.take(np.arange(15, 40))])
    assert same([Batch.of(again)], [Batch.of(samples)])


def test_items_and_layout_come_back(tmp_path: Path) -> None:
    layout, samples = world()
    write_items(tmp_path, layout, samples.encoded.item)
    found, item = read_items(tmp_path)
    assert found == layout
    for one, other in zip(item, samples.encoded.item, strict=True):
        assert one.dtype == other.dtype and one.tobytes() == other.tobytes()


def test_text_says_the_same_in_many_more_bytes(tmp_path: Path) -> None:
    layout, samples = world(requests=30)
    encoded, path = samples.encoded, tmp_path / "samples.csv"
    write_csv(path, samples, layout)
    parts = list(read_csv(path, layout, 16))
    for side, columns, rows in (
        (encoded.request, layout.request, encoded.owner),
        (encoded.item, layout.item, encoded.index),
        (encoded.row, layout.row, np.arange(len(encoded.index))),
    ):
        side = side.take(rows)
        for s, name in enumerate(columns.id):
            assert np.concatenate([part[name] for part in parts]).tolist() == side.id[:, s].tolist()
        for v, name in enumerate(columns.value):
            found = np.concatenate([part[f"{name} value"] for part in parts])
            np.testing.assert_allclose(found, side.value[:, v], rtol=1e-6)
        for m, name in enumerate(columns.many):
            found = [row for part in parts for row in part[name].to_list()]
            expected = np.split(side.many, side.offsets[1:-1])[m :: side.lists]
            assert found == [row.tolist() for row in expected]
    assert np.concatenate([part["label"] for part in parts]).tolist() == samples.label[:, 0].tolist()
