"""Training in processes of their own: TensorFlow stays out of this one, and several can train together."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import tempfile
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from threading import Thread
from typing import Any

import numpy as np
import numpy.typing as npt

from yoorec.artifacts.arrays import load_arrays, save_arrays
from yoorec_tdm.config import TdmConfig
from yoorec_tdm.samples import Sequences
from yoorec_tdm.training import Learned, train
from yoorec_tdm.tree import Tree
from yoorec_tdm.weights import Weights

__all__ = ["train_apart"]

_SAID = 4000
"""Characters of a failed process' last words that are passed on."""


def train_apart(
    sequences: Sequences,
    code: npt.NDArray[np.int32],
    config: TdmConfig,
    seed: int,
    threads: int,
    report: Callable[[float, str], None],
) -> Learned:
    """`training.train` by `config.workers` processes of this machine, which share `threads` and talk over loopback.

    Raises RuntimeError with the last words of a process that failed; the others are ended then, and so they are when
    this one is interrupted.
    """
    with tempfile.TemporaryDirectory(prefix="yoorec-tdm-") as name:
        folder = Path(name)
        save_arrays(folder, code=code, **sequences._asdict())
        job = {"config": asdict(config), "seed": seed, "threads": max(1, threads // config.workers)}
        (folder / "job.json").write_text(json.dumps(job), encoding="utf-8")
        addresses = _addresses(config.workers)
        processes: list[subprocess.Popen[str]] = []
        failed: list[int] = []
        try:
            for number in range(config.workers):
                with (folder / f"said{number}").open("w", encoding="utf-8") as said:
                    processes.append(
                        subprocess.Popen(
                            [sys.executable, "-m", "yoorec_tdm.processes", str(folder)],
                            env=_environment(addresses, number),
                            stdin=subprocess.DEVNULL,
                            stdout=subprocess.PIPE if number == 0 else subprocess.DEVNULL,
                            stderr=said,
                            text=True,
                        )
                    )
            watchers = [Thread(target=_watch, args=(number, processes, failed)) for number in range(config.workers)]
            for watcher in watchers:
                watcher.start()
            chief = processes[0].stdout
            assert chief is not None
            for line in chief:
                report(*json.loads(line))
            for watcher in watchers:
                watcher.join()
        finally:
            for process in processes:
                process.kill()
                process.wait()
                if process.stdout is not None:
                    process.stdout.close()
        if failed:
            words = (folder / f"said{failed[0]}").read_text(encoding="utf-8", errors="replace")[-_SAID:].strip()
            how = f"ended with {processes[failed[0]].returncode}"
            raise RuntimeError(f"tdm: training process {failed[0] + 1} of {config.workers} {how}: {words}")
        return _read_learned(folder / "learned")


def _watch(number: int, processes: list[subprocess.Popen[str]], failed: list[int]) -> None:
    """Wait for a process to end; where it failed, end the others, which would wait for it for ever."""
    if processes[number].wait():
        failed.append(number)
        for process in processes:
            process.kill()


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
    # glibc keeps what a step frees, instead of asking the kernel for as much again in the next: a tenth of the time.
    found.setdefault("MALLOC_MMAP_THRESHOLD_", str(1 << 30))
    found.setdefault("MALLOC_TRIM_THRESHOLD_", str(1 << 32))
    if addresses:
        task = {"cluster": {"worker": addresses}, "task": {"type": "worker", "index": number}}
        found["TF_CONFIG"] = json.dumps(task)
    return found


def _write_learned(folder: Path, learned: Learned) -> None:
    folder.mkdir()
    learned.tree.save(folder)
    learned.weights.save(folder)
    save_arrays(folder, shift=learned.shift, curve=learned.curve)


def _read_learned(folder: Path) -> Learned:
    shift, curve = load_arrays(folder, "shift", "curve")
    tree = Tree.load(folder)
    return Learned(tree, Weights.load(folder, len(tree)), shift, curve)


def _main(folder: Path) -> None:
    """What a training process does: read the job, train, tell of it, and, being the first, write what was learned."""
    job = json.loads((folder / "job.json").read_text(encoding="utf-8"))
    fields: dict[str, Any] = {
        key: tuple(value) if isinstance(value, list) else value for key, value in job["config"].items()
    }
    (code,) = load_arrays(folder, "code")
    sequences = Sequences(*load_arrays(folder, *Sequences._fields))

    def report(share: float, note: str) -> None:
        sys.stdout.write(json.dumps([share, note]) + "\n")
        sys.stdout.flush()

    learned = train(sequences, code, TdmConfig(**fields), job["seed"], job["threads"], report)
    if json.loads(os.environ.get("TF_CONFIG", "{}")).get("task", {}).get("index", 0) == 0:
        _write_learned(folder / "learned", learned)


if __name__ == "__main__":
    _main(Path(sys.argv[1]))
