"""Kernels compiled ahead: by a process of its own, while data are read and triggers fitted.

A kernel is compiled on its first call and then kept on disk, so it is a first run alone that waits for it. Those of
the stages and of features come late in that run, when the other core has nothing to do for the first part of it.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace

import numpy as np
import pyarrow as pa

from yoorec.artifacts.store import Store
from yoorec.config.scenario import Scenario
from yoorec.features.config import FeatureKeys

__all__ = ["compile_features", "compile_stages", "compiling_ahead"]


@contextmanager
def compiling_ahead(scenarios: Sequence[Scenario]) -> Iterator[None]:
    """Compile beside what is done inside, where a ranker looks at features and its store is still empty.

    What fails there fails again, and is told, where it is needed.
    """
    wanted = [
        each
        for each in scenarios
        if each.ranker is not None and issubclass(each.ranker.spec.config, FeatureKeys) and Store(each.store).is_empty()
    ]
    if not wanted:
        yield
        return
    import yoorec.ragged  # noqa: F401  # what both would compile at once

    silent = subprocess.DEVNULL
    process = subprocess.Popen([sys.executable, "-m", "yoorec.kernels"], stdin=silent, stdout=silent, stderr=silent)
    try:
        yield
    finally:
        process.kill()
        process.wait()


def compile_stages() -> None:
    """Pass requests through the stages that scenes have as a rule, in a small world, and learn a blend."""
    from yoorec.batch import Ragged
    from yoorec.components import ExposureContext, FitContext
    from yoorec.data.outcomes import outcomes_of
    from yoorec.ragged import best_candidates, first_k, unite_items, unite_plays
    from yoorec.stages.blend import Blend
    from yoorec.stages.configs import BlendConfig, QuotaConfig, SpreadConfig
    from yoorec.stages.quota import Quota
    from yoorec.stages.spread import Spread
    from yoorec.testing.worlds import small_log, small_recalled, small_samples

    log = small_log()
    catalogue, samples = log.catalogue, small_samples(log, 20)
    requests, size = samples.requests, len(samples.requests)
    unite_plays(requests.session, requests.history, 20)
    unite_items(Ragged(requests.session.offsets, requests.session.item), requests.seen)
    outcomes_of(log, np.flatnonzero(log.weight > 0)[:9])
    merged = Quota(QuotaConfig(), catalogue).merge(requests, small_recalled(catalogue, size), 20)
    blend = Blend(BlendConfig(), catalogue)
    blend.fit(samples, FitContext())
    ranked = best_candidates(merged, blend.score(requests, merged))
    context = ExposureContext(lambda *_: ranked, lambda *_: ranked)
    first_k(Spread(SpreadConfig("author"), catalogue).apply(requests, ranked, context).offsets, requests.k)


def compile_features() -> None:
    """Learn and encode features of every kind that a ranker may be given unasked, in a small world."""
    from yoorec.features.counters import Counters
    from yoorec.features.learning import learn
    from yoorec.features.readers import Around
    from yoorec.testing.worlds import small_log, small_samples
    from yoorec.vectors.items import ItemVectors

    log = small_log()
    items = len(log.catalogue.items)
    tags = pa.array([[f"t{item % 4}"] for item in range(items)], pa.list_(pa.string()))
    columns = log.catalogue.item_columns.append_column("tags", tags)
    log = replace(log, catalogue=replace(log.catalogue, item_columns=columns, _codes={}))
    vectors = ItemVectors.build(np.arange(items, dtype=np.int32), np.eye(items), exact_below=items + 1)
    samples = small_samples(log, 20)
    encoder = learn(FeatureKeys(), samples, Around(log.catalogue, Counters.build(log), {"text": vectors}))
    encoder.encode(samples.requests, samples.candidates)


if __name__ == "__main__":
    compile_stages()
    compile_features()
