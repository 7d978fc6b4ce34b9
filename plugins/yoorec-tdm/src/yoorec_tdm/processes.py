"""Training in processes of their own: TensorFlow stays out of this one, and several can train together."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from yoorec.artifacts.arrays import load_arrays, save_arrays
from yoorec.crew import Crew, begun, tell
from yoorec_tdm.config import TdmConfig
from yoorec_tdm.samples import Sequences
from yoorec_tdm.training import Learned, train
from yoorec_tdm.tree import Tree
from yoorec_tdm.weights import Weights

__all__ = ["train_apart"]


def train_apart(
    sequences: Sequences,
    code: npt.NDArray[np.int32],
    config: TdmConfig,
    seed: int,
    threads: int,
    report: Callable[[float, str], None],
) -> Learned:
    """`training.train` by a crew of `config.workers`, which share `threads`.

    Raises RuntimeError with the last words of a process that failed.
    """
    with Crew("tdm: training", "yoorec_tdm.processes", (), config.workers, _environment) as crew:
        save_arrays(crew.folder, code=code, **sequences._asdict())
        job = {"config": asdict(config), "seed": seed, "threads": max(1, threads // config.workers)}
        (crew.folder / "job.json").write_text(json.dumps(job), encoding="utf-8")
        crew.run(report)
        return _read_learned(crew.folder / "learned")


def _environment(addresses: list[str], number: int) -> dict[str, str]:
    """This process's environment, with TensorFlow told its place and not to greet."""
    found = {key: value for key, value in os.environ.items() if key != "TF_CONFIG"}
    found["KERAS_BACKEND"] = "tensorflow"
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
    if not begun():
        return
    job = json.loads((folder / "job.json").read_text(encoding="utf-8"))
    fields: dict[str, Any] = {
        key: tuple(value) if isinstance(value, list) else value for key, value in job["config"].items()
    }
    (code,) = load_arrays(folder, "code")
    sequences = Sequences(*load_arrays(folder, *Sequences._fields))

    learned = train(sequences, code, TdmConfig(**fields), job["seed"], job["threads"], tell)
    if json.loads(os.environ.get("TF_CONFIG", "{}")).get("task", {}).get("index", 0) == 0:
        _write_learned(folder / "learned", learned)


if __name__ == "__main__":
    _main(Path(sys.argv[1]))
