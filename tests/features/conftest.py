"""A small world with lists, numbers and names, and what an encoder may look at."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pyarrow as pa
import pytest

from yoorec.components import RankSamples
from yoorec.data.log import EventLog
from yoorec.features.counters import Counters
from yoorec.features.readers import Around
from yoorec.testing.worlds import small_log, small_samples
from yoorec.vectors.items import ItemVectors


@pytest.fixture(scope="session")
def log() -> EventLog:
    """The small log, its items with tags: none, one or several, some of them null."""
    found = small_log()
    items = len(found.catalogue.items)
    tags = [None if i % 9 == 8 else [f"t{i % 4}", f"t{i % 3 + 4}"][: i % 3] for i in range(items)]
    columns = found.catalogue.item_columns.append_column("tags", pa.array(tags, pa.list_(pa.string())))
    return replace(found, catalogue=replace(found.catalogue, item_columns=columns, _codes={}))


@pytest.fixture(scope="session")
def around(log: EventLog) -> Around:
    """Columns, counters, and vectors of some items under the name `text`."""
    rng = np.random.default_rng(4)
    item = np.arange(0, len(log.catalogue.items), 2, dtype=np.int32)
    vectors = ItemVectors.build(item, rng.normal(size=(len(item), 6)), exact_below=100)
    return Around(log.catalogue, Counters.build(log), {"text": vectors})


@pytest.fixture(scope="session")
def samples(log: EventLog) -> RankSamples:
    """Requests spread over the log's last days, with candidates of three triggers."""
    found = small_samples(log, 90)
    time = log.time[-1] - np.arange(len(found.requests)) * 5_000_000
    return replace(found, requests=replace(found.requests, time=time))
