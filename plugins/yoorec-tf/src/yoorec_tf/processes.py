"""Training in processes of their own: TensorFlow stays out of this one, and several can train together."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import sys
from collections.abc import Callable
from dataclasses import asdict, fields
from importlib import import_module
from pathlib import Path
from threading import Thread

import numpy as np
import numpy.typing as npt

from yoorec.artifacts.arrays import load_arrays, save_arrays
from yoorec.crew import Crew, begun, tell
from yoorec.features.config import FeatureKeys
from yoorec.features.encoded import Layout, Side
from yoorec_tf.config import LearnConfig, Shape
from yoorec_tf.export import export
from yoorec_tf.runtime import tensorflow
from yoorec_tf.storage import (
    Memory,
    ParquetSamples,
    TFRecordSamples,
    TrainingSet,
    read_items,
    write_items,
    write_parquet,
    write_tfrecord,
)
from yoorec_tf.training import Learned, train
from yoorec_tf.weights import Weights

__all__ = ["export_apart", "train_apart", "trainers"]

F32 = npt.NDArray[np.float32]


def trainers(config: LearnConfig, threads: int) -> Crew:
    """Processes that `train_apart` may be given: they start TensorFlow while this one encodes what they learn from.

    `config.workers` of them, which share `threads`.
    """
    share = str(max(1, threads // config.workers))
    return Crew("tf: training", "yoorec_tf.processes", ("train", share), config.workers, _environment)


def train_apart(
    crew: Crew,
    config: LearnConfig,
    samples: TrainingSet,
    layout: Layout,
    shape: Shape,
    seed: int,
    report: Callable[[float, str], None],
    checkpoints: Path | None = None,
    events: Path | None = None,
) -> Learned:
    """`training.train`, by a crew that `trainers` made of the same config.

    samples:     at least one request, with all items.
    checkpoints: a folder that outlives the call: the same call after this one was killed goes on from the last of
                 them. Those of other samples, keys or seeds are dropped, and all of them once training has ended.
    events:      a folder for the curve as TensorBoard reads it, in one of its own for each such training.

    Raises RuntimeError with the last words of a process that failed.
    """
    other = {field.name for field in fields(FeatureKeys)}
    told = {field.name: getattr(config, field.name) for field in fields(LearnConfig) if field.name not in other}
    told["objectives"] = dict(config.objectives)
    job: dict[str, object] = {"shape": asdict(shape), "config": told, "seed": seed}
    fingerprint = _fingerprint(samples, layout, shape, told, seed)
    own = None if checkpoints is None else _own(checkpoints, fingerprint)
    logs = None if events is None else events / fingerprint
    job["checkpoints"], job["events"] = (None if each is None else str(each) for each in (own, logs))
    write_items(crew.folder, layout, samples.encoded.item)
    write_parquet(crew.folder, Memory(samples))
    (crew.folder / "job.json").write_text(json.dumps(job), encoding="utf-8")
    crew.run(report)
    learned = crew.folder / "learned"
    if own is not None:
        shutil.rmtree(own, ignore_errors=True)
    return Learned(Weights.load(learned, layout, shape), *load_arrays(learned, "curve"))


def export_apart(
    folder: Path,
    layout: Layout,
    shape: Shape,
    weights: Weights,
    item: Side,
    objectives: tuple[float, ...],
    scale: F32,
    shift: F32,
) -> None:
    """`export.export` by a process of its own. Raises RuntimeError with its last words where it failed."""
    with Crew("tf: export", "yoorec_tf.processes", ("export", str(folder)), 1, _environment) as crew:
        write_items(crew.folder, layout, item)
        (crew.folder / "weights").mkdir()
        weights.save(crew.folder / "weights")
        job = {"shape": asdict(shape), "objectives": objectives, "scale": scale.tolist(), "shift": shift.tolist()}
        (crew.folder / "job.json").write_text(json.dumps(job), encoding="utf-8")
        crew.run(lambda *_: None)


def _fingerprint(samples: TrainingSet, layout: Layout, shape: Shape, told: dict[str, object], seed: int) -> str:
    """Of all that a training's result depends on."""
    found = hashlib.blake2b(digest_size=16)
    found.update(json.dumps([asdict(layout), asdict(shape), told, seed]).encode())
    encoded = samples.encoded
    sides = (*encoded.request, *encoded.item, *encoded.row)
    for array in (encoded.offsets, encoded.index, *sides, samples.label, samples.weight):
        found.update(str(array.shape).encode())
        found.update(np.ascontiguousarray(array).data)
    return found.hexdigest()


def _own(checkpoints: Path, name: str) -> Path:
    """This training's folder, the only one left."""
    checkpoints.mkdir(parents=True, exist_ok=True)
    for other in checkpoints.iterdir():
        if other.name != name and other.is_dir():
            shutil.rmtree(other, ignore_errors=True)
    (checkpoints / name).mkdir(exist_ok=True)
    return checkpoints / name


def _environment(addresses: list[str], number: int) -> dict[str, str]:
    """This process's environment, with TensorFlow told its place and not to greet."""
    found = {key: value for key, value in os.environ.items() if key != "TF_CONFIG"}
    found["KERAS_BACKEND"] = "tensorflow"
    found |= {"CUDA_VISIBLE_DEVICES": "-1", "TF_CPP_MIN_LOG_LEVEL": "2", "no_proxy": "127.0.0.1"}
    # Some processors would leave oneDNN out, and an image trigger asks for it: bits must not hang on who came first.
    found.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")
    found |= {"OPENBLAS_NUM_THREADS": "1"}
    if addresses:
        task = {"cluster": {"worker": addresses}, "task": {"type": "worker", "index": number}}
        found["TF_CONFIG"] = json.dumps(task)
    return found


def _train(folder: Path, threads: int) -> None:
    """What a training process does: start TensorFlow, wait for the job, train, tell of it, and, being the first, write
    what was learned.
    """
    # The kernels that judge an epoch, and score for what began this process, are compiled here where they are new:
    # beside TensorFlow's start and the first epoch.
    Thread(target=import_module, args=("yoorec_tf.scoring",)).start()
    tensorflow(threads)
    if not begun():
        return
    job = json.loads((folder / "job.json").read_text(encoding="utf-8"))
    shape = Shape(**(job["shape"] | {"hidden": tuple(job["shape"]["hidden"])}))
    layout, item = read_items(folder)
    config = LearnConfig(**job["config"])
    number = json.loads(os.environ.get("TF_CONFIG", "{}")).get("task", {}).get("index", 0)
    source: ParquetSamples | TFRecordSamples = ParquetSamples(folder)
    if config.samples == "tfrecord":
        own = folder / f"tfrecord{number}"
        own.mkdir()
        write_tfrecord(own, source)
        source = TFRecordSamples(own)

    checkpoints, events = (None if job[name] is None else Path(job[name]) for name in ("checkpoints", "events"))
    learned = train(source, item, layout, shape, config, job["seed"], threads, tell, checkpoints, events)
    if number == 0:
        (folder / "learned").mkdir()
        learned.weights.save(folder / "learned")
        save_arrays(folder / "learned", curve=learned.curve)


def _export(aside: Path, folder: Path) -> None:
    """What an exporting process does."""
    if not begun():
        return
    job = json.loads((aside / "job.json").read_text(encoding="utf-8"))
    shape = Shape(**(job["shape"] | {"hidden": tuple(job["shape"]["hidden"])}))
    layout, item = read_items(aside)
    weights = Weights.load(aside / "weights", layout, shape)
    scale, shift = (np.array(job[name], np.float32) for name in ("scale", "shift"))
    export(folder, layout, shape, weights, item, tuple(job["objectives"]), scale, shift)


if __name__ == "__main__":
    task, argument, own = sys.argv[1:]
    if task == "export":
        _export(Path(own), Path(argument))
    else:
        _train(Path(own), int(argument))
