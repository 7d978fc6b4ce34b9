"""Training in this process, and each input once: a fit then takes seconds less, and TensorFlow is loaded once."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

import pytest
from yoorec_tdm import processes
from yoorec_tdm.training import Learned, train

# As in the processes that train, whoever imports TensorFlow first here.
os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")

_trained: dict[Any, Learned] = {}


@pytest.fixture(autouse=True)
def trained_once(monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> None:
    """Replaces `train_apart`, but where a test is marked `usefixtures("apart")`; that training gives the same bytes
    twice, in a process of its own, on one thread and on several, is asked in test_training.py.
    """

    def here(sequences: Any, code: Any, config: Any, seed: int, threads: int, report: Callable[..., None]) -> Learned:
        key = (*(column.tobytes() for column in (*sequences, code)), config, seed)
        if key not in _trained:
            _trained[key] = train(sequences, code, config, seed, threads, report)
        return _trained[key]

    if "apart" not in request.fixturenames:
        monkeypatch.setattr(processes, "train_apart", here)


@pytest.fixture
def apart() -> None:
    """Train in processes of their own, as fits do outside tests."""
