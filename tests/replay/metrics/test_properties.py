"""What holds for every per-request metric, whatever the lists."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from yoorec.replay.metrics import yoorec_components
from yoorec.replay.metrics.ndcg import NDCG

METRICS = [spec for spec in yoorec_components() if spec.name != "coverage"]
_lists = st.tuples(st.integers(1, 6), st.integers(1, 9)).flatmap(lambda shape: arrays(np.bool_, shape))


every_metric = pytest.mark.parametrize(
    "metric", [spec.load()(spec.config()) for spec in METRICS], ids=[spec.name for spec in METRICS]
)


def _truths(hit: np.ndarray, missed: int) -> np.ndarray:
    return hit.sum(axis=1) + missed


@every_metric
@given(hit=_lists, missed=st.integers(0, 4))
def test_figures_lie_between_0_and_1(metric, hit, missed) -> None:  # type: ignore[no-untyped-def]
    for k in range(1, hit.shape[1] + 1):
        found = metric.per_request(hit, _truths(hit, missed), k)
        assert found.dtype == np.float64
        assert found.shape == (len(hit),)
        assert ((found >= 0) & (found <= 1 + 1e-15)).all()


@every_metric
@given(hit=_lists, missed=st.integers(0, 4))
def test_a_right_item_moved_up_never_costs(metric, hit, missed) -> None:  # type: ignore[no-untyped-def]
    k = hit.shape[1]
    truths = _truths(hit, missed)
    sorted_hit = np.sort(hit, axis=1)[:, ::-1]
    before, after = metric.per_request(hit, truths, k), metric.per_request(sorted_hit, truths, k)
    assert (after >= before - 1e-15).all()


@every_metric
@given(hit=_lists, missed=st.integers(0, 4))
def test_one_more_right_item_never_costs(metric, hit, missed) -> None:  # type: ignore[no-untyped-def]
    k = hit.shape[1]
    more = hit.copy()
    more[:, -1] = True
    truths = _truths(more, missed)
    assert (metric.per_request(more, truths, k) >= metric.per_request(hit, truths, k) - 1e-15).all()


@every_metric
@given(rows=st.integers(1, 4), k=st.integers(1, 12))
def test_a_perfect_list_gives_1(metric, rows, k) -> None:  # type: ignore[no-untyped-def]
    hit = np.ones((rows, k), np.bool_)
    assert metric.per_request(hit, np.full(rows, k), k) == pytest.approx(np.ones(rows))


@every_metric
@given(hit=_lists, missed=st.integers(0, 4))
def test_no_figure_depends_on_its_batch(metric, hit, missed) -> None:  # type: ignore[no-untyped-def]
    k, truths = hit.shape[1], _truths(hit, missed)
    together = metric.per_request(hit, truths, k)
    alone = [metric.per_request(hit[b : b + 1], truths[b : b + 1], k)[0] for b in range(len(hit))]
    assert together.tobytes() == np.array(alone).tobytes()


@given(hit=_lists, missed=st.integers(0, 4))
def test_ndcg_equals_the_sum_written_out(hit, missed) -> None:  # type: ignore[no-untyped-def]
    k, truths = hit.shape[1], _truths(hit, missed)
    found = NDCG(METRICS[0].config()).per_request(hit, truths, k)
    for b, row in enumerate(hit):
        gain = sum(1 / np.log2(place + 2) for place in range(k) if row[place])
        best = sum(1 / np.log2(place + 2) for place in range(min(k, truths[b])))
        assert found[b] == pytest.approx(gain / best if best else 0.0, rel=1e-12)
