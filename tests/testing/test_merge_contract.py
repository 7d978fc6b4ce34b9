"""The merge contract passes a sound merge and catches each way of being unsound."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import numpy as np
import pytest

from yoorec.batch import CandidateBatch, RequestBatch
from yoorec.components import ComponentSpec
from yoorec.data.catalogue import Catalogue
from yoorec.testing import worlds
from yoorec.testing.contracts import MergeContract


@dataclass(frozen=True, slots=True)
class PlainConfig:
    pass


class Plain:
    """Best rank first, by a slow loop."""

    def __init__(self, config: PlainConfig, catalogue: Catalogue) -> None:
        pass

    def merge(self, requests: RequestBatch, recalled: Mapping[str, CandidateBatch], limit: int) -> CandidateBatch:
        if not recalled:
            empty = CandidateBatch.empty(len(requests))
            none = np.empty((0, 0))
            return replace(
                empty,
                source_score=none.astype(np.float32),
                source_rank=none.astype(np.int32),
                merge_score=np.empty(0, np.float32),
            )
        merged = worlds.small_merged(dict(recalled))
        rows = [np.arange(start, stop)[:limit] for start, stop in _spans(merged)]
        offsets = np.concatenate([[0], np.cumsum([len(part) for part in rows])]).astype(np.int64)
        return merged.rows(np.concatenate([*rows, np.empty(0, np.int64)]).astype(np.int64), offsets)


def _spans(batch: CandidateBatch) -> list[tuple[int, int]]:
    return list(zip(batch.offsets[:-1].tolist(), batch.offsets[1:].tolist(), strict=True))


class PlainContract(MergeContract):
    component = Plain
    configs: ClassVar = [PlainConfig()]

    def spec(self) -> ComponentSpec:
        return ComponentSpec("merge", "plain", PlainConfig, f"{__name__}:Plain", "best rank first")


class TestPlain(PlainContract):
    def test_is_found_by_its_entry_point(self) -> None:
        """A class of a test module has no entry point."""
        assert MergeContract.kind == "merge"


def _contract(change: Any) -> MergeContract:
    """The contract of a `Plain` whose result goes through ``change(merged, recalled)``."""

    def merge(self: Plain, requests: RequestBatch, recalled: Any, limit: int) -> CandidateBatch:
        found: CandidateBatch = change(Plain.merge(self, requests, recalled, limit), recalled)
        return found

    return type("Contract", (PlainContract,), {"component": type("Changed", (Plain,), {"merge": merge})})()


def test_a_table_too_short_for_new_items_is_caught() -> None:
    def rated(merged: CandidateBatch, recalled: Any) -> CandidateBatch:
        assert np.zeros(60)[merged.item].sum() == 0
        return merged

    with pytest.raises(IndexError, match=r"index 6. is out of bounds for axis 0 with size 60"):
        _contract(rated).test_a_longer_catalogue(PlainConfig())


def test_a_lost_source_is_caught() -> None:
    def only_best(merged: CandidateBatch, recalled: Any) -> CandidateBatch:
        assert merged.source_rank is not None
        rank = np.where(merged.source_rank == merged.source_rank.max(axis=1)[:, None], merged.source_rank, -1)
        return replace(merged, source_rank=rank.astype(np.int32))

    with pytest.raises(AssertionError, match="source_rank of hot, request"):
        _contract(only_best).test_keeps_every_source(PlainConfig())


def test_a_wrong_source_score_is_caught() -> None:
    def rescaled(merged: CandidateBatch, recalled: Any) -> CandidateBatch:
        assert merged.source_score is not None
        return replace(merged, source_score=merged.source_score / np.float32(2))

    with pytest.raises(AssertionError, match="not equal"):
        _contract(rescaled).test_keeps_every_source(PlainConfig())


def test_a_dropped_candidate_is_caught() -> None:
    def first_only(merged: CandidateBatch, recalled: Any) -> CandidateBatch:
        rows = merged.offsets[:-1][merged.lengths > 0]
        return merged.rows(rows, np.concatenate([[0], np.cumsum(merged.lengths > 0)]).astype(np.int64))

    contract = _contract(first_only)
    with pytest.raises(AssertionError):
        contract.test_loses_nothing_below_the_limit(PlainConfig())
    contract.test_fills_the_limit(PlainConfig(), 1)


def test_an_item_twice_is_caught() -> None:
    def doubled(merged: CandidateBatch, recalled: Any) -> CandidateBatch:
        rows = np.repeat(np.arange(len(merged.item)), 2)
        return merged.rows(rows, merged.offsets * 2)

    with pytest.raises(ValueError, match="CandidateBatch holds an item twice in one request"):
        _contract(doubled).test_keeps_every_source(PlainConfig())


def test_a_score_that_depends_on_its_batch_is_caught() -> None:
    def by_size(merged: CandidateBatch, recalled: Any) -> CandidateBatch:
        return merged.with_score(merged.score / np.float32(len(merged)))

    with pytest.raises(AssertionError, match="score"):
        _contract(by_size).test_batch_equals_one_by_one(PlainConfig(), 7)


def test_forgetting_a_missing_trigger_is_caught() -> None:
    def fixed(merged: CandidateBatch, recalled: Any) -> CandidateBatch:
        return replace(merged, sources=("hot", "itemcf", "text"))

    with pytest.raises(ValueError, match=r"CandidateBatch\.source_score must be float32"):
        _contract(fixed).test_a_trigger_is_missing(PlainConfig())
