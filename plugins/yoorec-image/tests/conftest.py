"""Covers for small worlds, and networks opened once for all tests: building one takes longer than using it."""

from __future__ import annotations

import functools
import io
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from PIL import Image
from yoorec_image import model
from yoorec_image.network import open_network

from yoorec.data.log import EventLog

_opened = functools.cache(open_network)


@pytest.fixture(autouse=True)
def networks(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """The configs that fits asked a network for, in order; networks of equal configs are shared."""
    asked: list[Any] = []

    def opened(config: Any, seed: int, threads: int) -> Any:
        asked.append(config)
        return _opened(config, seed, 2)

    monkeypatch.setattr(model, "open_network", opened)
    return asked


@functools.cache
def _drawn(number: int, side: int) -> bytes:
    rng = np.random.default_rng(number)
    pixels = np.kron(rng.integers(0, 256, (4, 4, 3)), np.ones((side // 4, side // 4, 1))).astype(np.uint8)
    written = io.BytesIO()
    Image.fromarray(pixels).save(written, "png")
    return written.getvalue()


@pytest.fixture
def drawn() -> Callable[..., bytes]:
    """A small PNG of coloured blocks, another for every number: ``drawn(3)``."""
    return lambda number, side=32: _drawn(number, side)


@pytest.fixture
def with_covers() -> Callable[[EventLog, Sequence[Any]], EventLog]:
    """The same log, its items with these covers: ``with_covers(log, [b"...", None, ...])``."""

    def covered(log: EventLog, covers: Sequence[Any]) -> EventLog:
        kind = pa.string() if any(isinstance(each, str) for each in covers) else pa.binary()
        columns = log.catalogue.item_columns.append_column("cover", pa.array(covers, kind))
        return replace(log, catalogue=replace(log.catalogue, item_columns=columns, _codes={}))

    return covered
