"""Histograms and the stability index against sums done by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from yoorec.batch import CandidateBatch
from yoorec.stages.drift import Histogram, histogram, psi, score_drift, score_histograms
from yoorec.testing import worlds

FLOATS = st.lists(st.floats(-10, 10) | st.sampled_from([math.nan, math.inf]), max_size=60).map(np.array)


def test_a_histogram_by_hand():
    found = histogram(np.array([1.0, 2.0, 2.0, 5.0, np.nan, -np.inf]), np.array([2.0, 4.0]))
    assert found.counts.tolist() == [1, 2, 1, 2]


def test_quantile_bins_hold_equal_counts():
    found = histogram(np.random.default_rng(0).random(1000).astype(np.float32))
    assert found.counts.tolist() == [100] * 10 + [0]
    assert histogram(np.ones(50)).edges.tolist() == [1.0]


@given(FLOATS, FLOATS)
def test_every_row_is_counted_in_its_bin(first, second):
    edges = histogram(first).edges
    found = histogram(second, edges)
    bins = [sum(edge <= score for edge in edges) if math.isfinite(score) else len(edges) + 1 for score in second]
    assert found.counts.tolist() == [bins.count(place) for place in range(len(edges) + 2)]


def test_psi_by_hand():
    expected, actual = (Histogram(np.array([1.0]), np.array(counts)) for counts in ([8, 2, 0], [3, 5, 2]))
    shares = zip([8.5, 2.5, 0.5], [3.5, 5.5, 2.5], strict=True)
    assert psi(expected, actual) == pytest.approx(sum((a - e) / 11.5 * math.log(a / e) for e, a in shares))


@given(FLOATS, FLOATS)
def test_psi_is_symmetric_and_zero_only_of_equals(first, second):
    one = histogram(first)
    other = histogram(second, one.edges)
    assert psi(one, other) == pytest.approx(psi(other, one))
    assert psi(one, one) == 0.0
    assert psi(one, other) >= 0.0


def test_psi_refuses_other_bins():
    with pytest.raises(ValueError, match=r"^the stability index compares histograms with the same edges$"):
        psi(histogram(np.arange(9.0)), histogram(np.arange(5.0)))


def test_plain_histograms_read_back():
    found = histogram(np.random.default_rng(1).normal(size=99))
    again = Histogram.of_plain(found.plain())
    assert again.edges.tolist() == found.edges.tolist() and again.counts.tolist() == found.counts.tolist()
    assert again.counts.dtype == np.int64


def test_scores_drift_by_trigger():
    catalogue = worlds.small_catalogue()
    merged = worlds.small_merged(worlds.small_recalled(catalogue, 50, ("hot", "text")))
    expected = score_histograms(merged)
    assert expected["hot"].counts.tolist() == histogram(merged.source_score[:, 0]).counts.tolist()
    assert expected["hot"].counts[-1] == np.isnan(merged.source_score[:, 0]).sum() > 0
    assert score_drift(expected, merged) == {"hot": 0.0, "text": 0.0}
    assert score_drift({"hot": expected["hot"]}, merged) == {"hot": 0.0}
    assert score_histograms(CandidateBatch.empty(3)) == {}
