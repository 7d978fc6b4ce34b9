"""Training in processes of their own: TensorFlow stays out of this one, and several can train together."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict, fields
from importlib import import_module
from pathlib import Path
from threading import Thread

import numpy as np
import numpy.typing as npt

from yoorec.artifacts.arrays import load_arrays, save_arrays
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

__all__ = ["Trainers", "export_apart"]

F32 = npt.NDArray[np.float32]

_SAID = 4000
"""Characters of a failed process' last words that are passed on."""


class Trainers:
    """Processes of this machine that train together; they start TensorFlow while this one encodes what they learn from.

    Used as a context, whose end is theirs.
    """

    def __init__(self, config: LearnConfig, threads: int) -> None:
        """Start `config.workers` of them, which share `threads` and talk over loopback."""
        self._config = config
        self._folder = tempfile.TemporaryDirectory(prefix="yoorec-tf-")
        self._processes: list[subprocess.Popen[str]] = []
        self._failed: list[int] = []
        share, addresses, folder = max(1, threads // config.workers), _addresses(config.workers), self._folder.name
        try:
            for number in range(config.workers):
                with (Path(folder) / f"said{number}").open("w", encoding="utf-8") as said:
                    self._processes.append(
                        subprocess.Popen(
                            [sys.executable, "-m", "yoorec_tf.processes", "train", folder, str(share)],
                            env=_environment(addresses, number),
                            stdin=subprocess.PIPE,
                            stdout=subprocess.PIPE if number == 0 else subprocess.DEVNULL,
                            stderr=said,
                            text=True,
                        )
                    )
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> Trainers:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """End what still runs."""
        for process in self._processes:
            process.kill()
            process.wait()
            for pipe in (process.stdin, process.stdout):
                if pipe is not None:
                    with suppress(BrokenPipeError):
                        pipe.close()
        self._folder.cleanup()

    def train(
        self,
        samples: TrainingSet,
        layout: Layout,
        shape: Shape,
        seed: int,
        report: Callable[[float, str], None],
        checkpoints: Path | None = None,
        events: Path | None = None,
    ) -> Learned:
        """`training.train`, once, by these processes.

        samples:     at least one request, with all items.
        checkpoints: a folder that outlives the call: the same call after this one was killed goes on from the last of
                     them. Those of other samples, keys or seeds are dropped, and all of them once training has ended.

        Raises RuntimeError with the last words of a process that failed; the others are ended then.
        """
        config, folder, processes = self._config, Path(self._folder.name), self._processes
        other = {field.name for field in fields(FeatureKeys)}
        told = {field.name: getattr(config, field.name) for field in fields(LearnConfig) if field.name not in other}
        told["objectives"] = dict(config.objectives)
        job: dict[str, object] = {"shape": asdict(shape), "config": told, "seed": seed}
        own = None if checkpoints is None else _own(checkpoints, _fingerprint(samples, layout, shape, told, seed))
        job["checkpoints"], job["events"] = (None if each is None else str(each) for each in (own, events))
        write_items(folder, layout, samples.encoded.item)
        write_parquet(folder, Memory(samples))
        (folder / "job.json").write_text(json.dumps(job), encoding="utf-8")
        watchers = [Thread(target=self._watch, args=(number,)) for number in range(len(processes))]
        for watcher in watchers:
            watcher.start()
        for process in processes:
            assert process.stdin is not None
            with suppress(BrokenPipeError):  # it has ended; its watcher says how
                process.stdin.write("begin\n")
                process.stdin.flush()
        chief = processes[0].stdout
        assert chief is not None
        for line in chief:
            report(*json.loads(line))
        for watcher in watchers:
            watcher.join()
        if self._failed:
            first = self._failed[0]
            words = (folder / f"said{first}").read_text(encoding="utf-8", errors="replace")[-_SAID:].strip()
            how = f"ended with {processes[first].returncode}"
            raise RuntimeError(f"tf: training process {first + 1} of {config.workers} {how}: {words}")
        learned = Learned(Weights.load(folder / "learned", layout, shape), *load_arrays(folder / "learned", "curve"))
        if own is not None:
            shutil.rmtree(own, ignore_errors=True)
        return learned

    def _watch(self, number: int) -> None:
        """Wait for a process to end; where it failed, end the others, which would wait for it for ever."""
        if self._processes[number].wait():
            self._failed.append(number)
            for process in self._processes:
                process.kill()


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
    with tempfile.TemporaryDirectory(prefix="yoorec-tf-") as name:
        aside = Path(name)
        write_items(aside, layout, item)
        (aside / "weights").mkdir()
        weights.save(aside / "weights")
        job = {"shape": asdict(shape), "objectives": objectives, "scale": scale.tolist(), "shift": shift.tolist()}
        (aside / "export.json").write_text(json.dumps(job), encoding="utf-8")
        command = [sys.executable, "-m", "yoorec_tf.processes", "export", str(aside), str(folder)]
        done = subprocess.run(
            command, env=_environment([], 0), stdin=subprocess.DEVNULL, capture_output=True, text=True
        )
    if done.returncode:
        raise RuntimeError(f"tf: export ended with {done.returncode}: {done.stderr[-_SAID:].strip()}")


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


def _addresses(workers: int) -> list[str]:
    """Free ports of the loopback device, one a worker; none where a worker is alone."""
    if workers == 1:
        return []
    sockets = [socket.socket() for _ in range(workers)]
    try:
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        return [f"127.0.0.1:{each.getsockname()[1]}" for each in sockets]
    finally:
        for each in sockets:
            each.close()


def _environment(addresses: list[str], number: int) -> dict[str, str]:
    """This process's environment and import path, with TensorFlow told its place and not to greet."""
    found = {key: value for key, value in os.environ.items() if key != "TF_CONFIG"}
    found |= {"PYTHONPATH": os.pathsep.join(filter(None, sys.path)), "KERAS_BACKEND": "tensorflow"}
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
    if not sys.stdin.readline():
        return  # what began this process has ended
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

    def report(share: float, note: str) -> None:
        sys.stdout.write(json.dumps([share, note]) + "\n")
        sys.stdout.flush()

    checkpoints, events = (None if job[name] is None else Path(job[name]) for name in ("checkpoints", "events"))
    learned = train(source, item, layout, shape, config, job["seed"], threads, report, checkpoints, events)
    if number == 0:
        (folder / "learned").mkdir()
        learned.weights.save(folder / "learned")
        save_arrays(folder / "learned", curve=learned.curve)


def _export(aside: Path, folder: Path) -> None:
    """What an exporting process does."""
    job = json.loads((aside / "export.json").read_text(encoding="utf-8"))
    shape = Shape(**(job["shape"] | {"hidden": tuple(job["shape"]["hidden"])}))
    layout, item = read_items(aside)
    weights = Weights.load(aside / "weights", layout, shape)
    scale, shift = (np.array(job[name], np.float32) for name in ("scale", "shift"))
    export(folder, layout, shape, weights, item, tuple(job["objectives"]), scale, shift)


if __name__ == "__main__":
    if sys.argv[1] == "export":
        _export(Path(sys.argv[2]), Path(sys.argv[3]))
    else:
        _train(Path(sys.argv[2]), int(sys.argv[3]))
