from __future__ import annotations

import numpy as np
import pytest

from yoorec.replay import statistics
from yoorec.replay.statistics import Interval, interval, resampled_means


def _clustered(clusters: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Requests of users who differ in how many they make and in how they score."""
    rng = np.random.default_rng(seed)
    cluster = np.repeat(np.arange(clusters), rng.integers(1, 6, clusters)).astype(np.int32)
    taste = rng.normal(0.3, 0.2, clusters)
    values = taste[cluster] + rng.normal(0, 0.1, len(cluster))
    order = rng.permutation(len(cluster))
    return values[order], cluster[order]


def _slow_means(values: np.ndarray, cluster: np.ndarray, resamples: int, seed: int) -> np.ndarray:
    """The bootstrap as one would say it: draw users, gather their requests, take the mean."""
    rng = np.random.default_rng(seed)
    names = sorted(set(cluster.tolist()))
    means = []
    for _ in range(resamples):
        gathered: list[float] = []
        for drawn in rng.integers(0, len(names), len(names)):
            gathered += values[cluster == names[drawn]].tolist()
        means.append(sum(gathered) / len(gathered))
    return np.array(means)


def test_the_figure_of_each_resample_equals_a_literal_bootstrap() -> None:
    values, cluster = _clustered(17, seed=1)
    found = resampled_means([values, values**2], cluster, resamples=60, seed=5)
    assert found.shape == (60, 2)
    assert found[:, 0] == pytest.approx(_slow_means(values, cluster, 60, 5), rel=1e-12)
    assert found[:, 1] == pytest.approx(_slow_means(values**2, cluster, 60, 5), rel=1e-12)


def test_some_requests_are_resampled_as_if_there_were_no_others() -> None:
    values, cluster = _clustered(30, seed=6)
    rows = np.flatnonzero((cluster % 3 != 0) & (values > 0.2))
    assert len(np.unique(cluster[rows])) < 30
    found = resampled_means([values, values**2], cluster, 40, 5, rows)
    expected = resampled_means([values[rows], values[rows] ** 2], cluster[rows], 40, 5)
    assert np.array_equal(found, expected)
    assert found[:, 0] == pytest.approx(_slow_means(values[rows], cluster[rows], 40, 5), rel=1e-12)


def test_blocks_do_not_change_the_resamples(monkeypatch: pytest.MonkeyPatch) -> None:
    values, cluster = _clustered(23, seed=2)
    whole = resampled_means([values], cluster, resamples=50, seed=3)
    monkeypatch.setattr(statistics, "_BLOCK_CELLS", 23 * 7)
    assert resampled_means([values], cluster, resamples=50, seed=3) == pytest.approx(whole, rel=1e-12)


def test_the_numbering_of_clusters_does_not_matter() -> None:
    values, cluster = _clustered(12, seed=4)
    renamed = (cluster * 1000 - 5).astype(np.int32)
    assert np.array_equal(resampled_means([values], cluster, 30, 1), resampled_means([values], renamed, 30, 1))


def test_two_calls_are_paired_and_another_seed_is_not() -> None:
    values, cluster = _clustered(30, seed=6)
    first, second = resampled_means([values], cluster, 40, 9), resampled_means([values + 0.25], cluster, 40, 9)
    assert second - first == pytest.approx(np.full((40, 1), 0.25), rel=1e-9)
    assert not np.array_equal(first, resampled_means([values], cluster, 40, 10))


def test_the_interval_covers_the_truth_about_as_often_as_it_says() -> None:
    """200 worlds whose mean is known: 95 % intervals over clusters hold it, intervals over requests don't."""
    worlds, by_user, by_request = 200, 0, 0
    for world in range(worlds):
        rng = np.random.default_rng(1000 + world)
        cluster = np.repeat(np.arange(80, dtype=np.int32), 10)
        values = rng.normal(0.0, 1.0, 80)[cluster] + rng.normal(0.0, 0.3, len(cluster))
        for clusters in (cluster, np.arange(len(cluster), dtype=np.int32)):
            means = resampled_means([values], clusters, 200, world)[:, 0]
            found = interval(float(values.mean()), means, len(np.unique(clusters)))
            assert found.low is not None
            assert found.high is not None
            covered = found.low <= 0.0 <= found.high
            if clusters is cluster:
                by_user += covered
            else:
                by_request += covered
    assert 0.90 <= by_user / worlds <= 0.98
    assert by_request / worlds < 0.65


def test_pairing_narrows_a_difference() -> None:
    values, cluster = _clustered(200, seed=8)
    other = values + np.random.default_rng(0).normal(0.01, 0.02, len(values))
    first, second = resampled_means([values, other], cluster, 500, 0).T
    paired = interval(0.01, second - first, 200)
    unpaired = interval(0.01, resampled_means([other], cluster, 500, 77)[:, 0] - first, 200)
    assert paired.high - paired.low < 0.2 * (unpaired.high - unpaired.low)  # type: ignore[operator]


def test_percentiles_are_the_2_5th_and_the_97_5th() -> None:
    assert interval(0.5, np.arange(1001) / 1000, 10) == Interval(0.5, pytest.approx(0.025), pytest.approx(0.975))


def test_one_cluster_says_nothing_about_others() -> None:
    means = resampled_means([np.array([0.0, 1.0])], np.zeros(2, np.int32), 100, 0)
    assert interval(0.5, means[:, 0], 1) == Interval(0.5, None, None)


def test_nothing_to_resample_and_columns_of_another_length_are_refused() -> None:
    with pytest.raises(ValueError, match=r"^there is nothing to resample: no requests$"):
        resampled_means([np.empty(0)], np.empty(0, np.int32), 10, 0)
    with pytest.raises(ValueError, match=r"^each column must be \(3,\) like the clusters, found \(2,\)$"):
        resampled_means([np.zeros(2)], np.zeros(3, np.int32), 10, 0)
