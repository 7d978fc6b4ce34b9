from __future__ import annotations

import numpy as np

from yoorec.batch import CandidateBatch, RequestBatch
from yoorec.components import ExposureContext
from yoorec.replay.alone import Alone


class Recording:
    """Keeps all; notes what the context offers."""

    def __init__(self) -> None:
        self.kept: list[CandidateBatch] = []
        self.recalled: list[CandidateBatch] = []
        self.earlier: list[CandidateBatch] = []

    def apply(self, requests: RequestBatch, ranked: CandidateBatch, context: ExposureContext) -> CandidateBatch:
        self.kept.append(ranked)
        self.recalled.append(context.recall("hot", requests, 5))
        self.earlier.append(context.earlier(requests, ranked))
        return ranked


class Halving:
    """Drops every second row of the batch it sees."""

    def apply(self, requests: RequestBatch, ranked: CandidateBatch, context: ExposureContext) -> CandidateBatch:
        kept = np.arange(len(ranked.item)) % 2 == 0
        running = np.concatenate(([0], np.cumsum(kept)))
        return ranked.rows(np.flatnonzero(kept), running[ranked.offsets])


CANDIDATES = CandidateBatch(
    np.array([0, 4, 4, 6]), np.array([7, 3, 9, 1, 5, 2], np.int32), np.array([9, 8, 7, 6, 5, 4], np.float32)
)


def test_without_rules_the_list_is_the_triggers_own(small_requests: RequestBatch) -> None:
    assert Alone(()).expose("hot", small_requests.take(np.arange(3)), CANDIDATES) is CANDIDATES


def test_rules_see_one_source_and_nothing_to_recall(small_requests: RequestBatch) -> None:
    first, last = Recording(), Recording()
    alone = Alone((("first", first), ("halving", Halving()), ("last", last)))
    found = alone.expose("text", small_requests.take(np.arange(3)), CANDIDATES)
    found.check()
    assert found.item.tolist() == [7, 9, 5]
    assert found.offsets.tolist() == [0, 2, 2, 3]
    seen = first.kept[0]
    seen.check()
    assert seen.sources == ("text",)
    assert seen.source_rank is not None
    assert seen.source_rank[:, 0].tolist() == [0, 1, 2, 3, 0, 1]
    assert seen.source_score is not None
    assert seen.source_score[:, 0].tolist() == seen.score.tolist() == [9, 8, 7, 6, 5, 4]
    for recalled in (*first.recalled, *last.recalled):
        recalled.check()
        assert recalled.sources == ("text",)
        assert recalled.lengths.tolist() == [0, 0, 0]
    # Earlier rules run again over what the last one passes on: the halving once more.
    assert last.earlier[0].item.tolist() == [7, 5]
