"""The ranker's samples: merged candidates of logged requests, labelled by what was then played, shown and done."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from yoorec.batch import CandidateBatch, RequestBatch
from yoorec.components import RankSamples
from yoorec.data.episodes import Episodes
from yoorec.data.outcomes import IMPRESSION, Outcomes
from yoorec.features.counters import COMPLETED
from yoorec.pipeline import Pipeline

__all__ = ["rank_samples"]

F32 = npt.NDArray[np.float32]
I32 = npt.NDArray[np.int32]
I64 = npt.NDArray[np.int64]


def rank_samples(
    pipeline: Pipeline,
    window: Episodes,
    batch: int,
    progress: Callable[..., None] = lambda *_: None,
    outcomes: Outcomes | None = None,
    durations: npt.NDArray[np.float64] | None = None,
) -> RankSamples:
    """Run the chain up to the merge over logged requests, `batch` at a time, and label what it found.

    outcomes:  what was logged around the requests; without it, samples tell of plays alone.
    durations: float64 [I], seconds of each item, NaN where unknown; without it, nothing is known of completion.
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
    pairs = _Pairs(len(pipeline.catalogue.items) + 1)
    row = pairs.of(candidates.offsets, candidates.item)
    truth = pairs.of(window.truth.offsets, window.truth.item)
    found = np.isin(row, truth[window.truth.item >= 0])
    samples = RankSamples(
        RequestBatch.join(entered),
        candidates,
        found.astype(np.float32),
        len(truth),
        len(truth) - int(found.sum()),
    )
    if outcomes is None:
        return samples
    shown = pairs.of(outcomes.shown_offsets, outcomes.shown_item)
    position = _looked_up(row, shown, outcomes.shown_position)
    rest = ~np.isin(shown, row)
    apart = _apart(candidates, outcomes, rest)
    judged = _Judged(pairs, outcomes, durations, truth)
    unrecalled = replace(
        samples,
        candidates=apart,
        label=np.isin(shown[rest], truth).astype(np.float32),
        outcome=judged.outcome(shown[rest], apart.item),
        watch_s=judged.watch_s(shown[rest]),
        shown=np.ones(len(apart.item), np.bool_),
        position=outcomes.shown_position[rest],
    )
    return replace(
        samples,
        outcome=judged.outcome(row, candidates.item),
        watch_s=judged.watch_s(row),
        shown=np.isin(row, shown),
        position=position,
        unrecalled=unrecalled if len(apart.item) else None,
    )


class _Pairs:
    """A request and an item in one number."""

    def __init__(self, width: int) -> None:
        self._width = width

    def of(self, offsets: I64, item: I32) -> I64:
        """int64 [N] of the rows of R requests."""
        request = np.repeat(np.arange(len(offsets) - 1, dtype=np.int64), np.diff(offsets))
        return request * self._width + item

    def request(self, pair: I64) -> I64:
        """int64 [N]: the requests."""
        return pair // self._width


class _Judged:
    """What came of pairs of requests and items."""

    def __init__(
        self, pairs: _Pairs, outcomes: Outcomes, durations: npt.NDArray[np.float64] | None, truth: I64
    ) -> None:
        self._pairs, self._outcomes, self._durations, self._truth = pairs, outcomes, durations, truth
        acted = pairs.of(outcomes.acted_offsets, outcomes.acted_item)
        self._acted = {
            event: acted[outcomes.acted_event == code]
            for code, event in enumerate(outcomes.events)
            if event != IMPRESSION
        }

    def watch_s(self, pair: I64) -> F32:
        """float32 [N]: seconds watched of what was played; NaN where unknown, and for what was not."""
        found = self._outcomes.watch_s[self._pairs.request(pair)]
        return np.where(np.isin(pair, self._truth), found, np.float32(np.nan)).astype(np.float32)

    def outcome(self, pair: I64, item: I32) -> Mapping[str, F32]:
        """By event type, 1 where it happened; and `completion`, NaN where it is unknown."""
        found: dict[str, F32] = {event: np.isin(pair, acted).astype(np.float32) for event, acted in self._acted.items()}
        if self._durations is not None and np.isfinite(self._outcomes.watch_s).any():
            watched, length = self.watch_s(pair), self._durations[item]
            done = np.where(np.isfinite(watched) & (length > 0), watched >= COMPLETED * length, np.nan)
            found["completion"] = np.where(np.isin(pair, self._truth), done, 0.0).astype(np.float32)
        return found


def _looked_up(pair: I64, known: I64, value: I32) -> I32:
    """int32 [N]: the value of each pair among the known ones, -1 for one that is not."""
    if not len(known):
        return np.full(len(pair), -1, np.int32)
    order = np.argsort(known, kind="stable")
    place = np.minimum(np.searchsorted(known[order], pair), len(known) - 1)
    return np.where(known[order][place] == pair, value[order][place], -1).astype(np.int32)


def _apart(candidates: CandidateBatch, outcomes: Outcomes, rest: npt.NDArray[np.bool_]) -> CandidateBatch:
    """Impressions that no trigger recalled, as candidates without sources."""
    before = np.append(0, np.cumsum(rest))
    item, width = outcomes.shown_item[rest], len(candidates.sources)
    zeros = np.zeros(len(item), np.float32)
    return CandidateBatch(
        before[outcomes.shown_offsets].astype(np.int64),
        item,
        zeros,
        candidates.sources,
        np.full((len(item), width), np.nan, np.float32),
        np.full((len(item), width), -1, np.int32),
        np.full(len(item), np.nan, np.float32),
    )
