"""The ranker's samples: merged candidates of logged requests, labelled by what was then played."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from yoorec.batch import CandidateBatch, RequestBatch
from yoorec.components import RankSamples
from yoorec.data.episodes import Episodes
from yoorec.pipeline import Pipeline

__all__ = ["rank_samples"]


def rank_samples(
    pipeline: Pipeline, window: Episodes, batch: int, progress: Callable[..., None] = lambda *_: None
) -> RankSamples:
    """Run the chain up to the merge over logged requests, `batch` at a time, and label what it found.

    Requests whose truth no trigger recalled are kept; their truths count as missed.
    """
    scenario = pipeline.scenario
    merged: list[CandidateBatch] = []
    entered: list[RequestBatch] = []
    for start in range(0, max(len(window), 1), batch):
        rows = np.arange(start, min(start + batch, len(window)))
        requests = pipeline.enter(window.take(rows).arrivals(scenario.slate))
        recalled = {part.name: pipeline.recall(part.name, requests, part.limit) for part in scenario.triggers}
        merged.append(pipeline.merge(requests, recalled))
        entered.append(requests)
        progress(start / max(len(window), 1), f"samples {start:,} of {len(window):,}")
    candidates = CandidateBatch.join(merged)
    width = len(pipeline.catalogue.items) + 1
    request = np.repeat(np.arange(len(candidates), dtype=np.int64), candidates.lengths)
    truth_request = np.repeat(np.arange(len(window), dtype=np.int64), np.diff(window.truth.offsets))
    truth = truth_request * width + window.truth.item
    found = np.isin(request * width + candidates.item, truth[window.truth.item >= 0])
    return RankSamples(
        RequestBatch.join(entered),
        candidates,
        found.astype(np.float32),
        len(truth),
        len(truth) - int(found.sum()),
    )
