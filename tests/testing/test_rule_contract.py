"""The rule contract passes a sound rule and catches each way of being unsound."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, ClassVar

import numpy as np
import pytest

from yoorec.batch import CandidateBatch, RequestBatch
from yoorec.components import ComponentSpec, ExposureContext
from yoorec.data.catalogue import Catalogue
from yoorec.testing.contracts import ExposureContract, RuleContract


@dataclass(frozen=True, slots=True)
class EvenConfig:
    pass


class Even:
    """Keeps items of even index."""

    def __init__(self, config: EvenConfig, catalogue: Catalogue) -> None:
        pass

    def apply(self, requests: RequestBatch, ranked: CandidateBatch, context: ExposureContext) -> CandidateBatch:
        kept = ranked.item % 2 == 0
        before = np.concatenate([[0], np.cumsum(kept)]).astype(np.int64)
        return ranked.rows(np.flatnonzero(kept), before[ranked.offsets])


class EvenContract(RuleContract):
    component = Even
    configs: ClassVar = [EvenConfig()]

    def spec(self) -> ComponentSpec:
        return ComponentSpec("exposure", "even", EvenConfig, f"{__name__}:Even", "even items", "nothing")


class TestEven(EvenContract):
    def test_is_found_by_its_entry_point(self) -> None:
        """A class of a test module has no entry point."""
        assert ExposureContract is RuleContract


def _contract(change: Any, **attributes: Any) -> RuleContract:
    """The contract of an `Even` whose result goes through ``change(kept, requests, ranked, context)``."""

    def apply(self: Even, requests: RequestBatch, ranked: CandidateBatch, context: ExposureContext) -> CandidateBatch:
        kept = Even.apply(self, requests, ranked, context)
        found: CandidateBatch = change(kept, requests, ranked, context)
        return found

    component = type("Changed", (Even,), {"apply": apply})
    return type("Contract", (EvenContract,), {"component": component, **attributes})()


def test_doing_nothing_is_caught() -> None:
    with pytest.raises(AssertionError):
        _contract(lambda kept, requests, ranked, context: ranked).test_does_something(EvenConfig())


def test_an_item_twice_is_caught() -> None:
    def doubled(kept: CandidateBatch, *_: Any) -> CandidateBatch:
        return kept.rows(np.repeat(np.arange(len(kept.item)), 2), kept.offsets * 2)

    with pytest.raises(ValueError, match="CandidateBatch holds an item twice in one request"):
        _contract(doubled).test_kept_rows(EvenConfig())


def test_a_rescored_row_is_caught() -> None:
    def rescored(kept: CandidateBatch, *_: Any) -> CandidateBatch:
        return kept.with_score(kept.score * np.float32(2))

    with pytest.raises(AssertionError, match=r"request 0: columns of kept rows changed: .*score"):
        _contract(rescored).test_kept_rows(EvenConfig())


def test_lost_sources_are_caught() -> None:
    def bare(kept: CandidateBatch, *_: Any) -> CandidateBatch:
        return CandidateBatch(kept.offsets, kept.item, kept.score)

    with pytest.raises(AssertionError):
        _contract(bare).test_kept_rows(EvenConfig())


def test_an_undeclared_addition_is_caught_and_a_declared_one_is_not() -> None:
    def filled(
        kept: CandidateBatch, requests: RequestBatch, ranked: CandidateBatch, context: ExposureContext
    ) -> CandidateBatch:
        deeper = context.recall("hot", requests, 60)
        parts = []
        for b in range(len(kept)):
            one = np.array([b])
            own, more = kept.take(one), deeper.take(one)
            fresh = np.flatnonzero(~np.isin(more.item, ranked.take(one).item))[:2]
            both = CandidateBatch.join([own, more.rows(fresh, np.array([0, len(fresh)]))])
            parts.append(replace(both, offsets=both.offsets[[0, 2]]))
        return CandidateBatch.join(parts) if parts else kept

    with pytest.raises(AssertionError, match=r"request 0: items \[.*\] were not in the list"):
        _contract(filled).test_kept_rows(EvenConfig())
    _contract(filled, adds=True).test_kept_rows(EvenConfig())


def test_a_table_too_short_for_new_items_is_caught() -> None:
    def rated(kept: CandidateBatch, *_: Any) -> CandidateBatch:
        assert np.zeros(60)[kept.item].sum() == 0
        return kept

    with pytest.raises(IndexError, match=r"index 6. is out of bounds for axis 0 with size 60"):
        _contract(rated).test_a_longer_catalogue(EvenConfig())


def test_an_order_that_depends_on_k_is_caught() -> None:
    def turned(kept: CandidateBatch, requests: RequestBatch, *_: Any) -> CandidateBatch:
        if int(requests.k[0]) < 12:
            return kept
        rows = [np.arange(start, stop)[::-1] for start, stop in zip(kept.offsets, kept.offsets[1:], strict=False)]
        return kept.rows(np.concatenate(rows), kept.offsets)

    with pytest.raises(AssertionError, match="request"):
        _contract(turned).test_a_shorter_slate_is_the_start_of_a_longer(EvenConfig(), 3)


def test_a_list_that_depends_on_its_batch_is_caught() -> None:
    def by_size(
        kept: CandidateBatch, requests: RequestBatch, ranked: CandidateBatch, context: ExposureContext
    ) -> CandidateBatch:
        return ranked if len(requests) < 10 else kept

    with pytest.raises(AssertionError, match="item"):
        _contract(by_size).test_batch_equals_one_by_one(EvenConfig(), 7)
