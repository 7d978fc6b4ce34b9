"""What is learned from: labels, weights, and which rows."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from yoorec_tf.samples import drawn, labels_of, training_set

from yoorec.components import RankSamples
from yoorec.errors import DataError
from yoorec.features.config import FeatureKeys
from yoorec.features.encoder import Encoder
from yoorec.features.learning import learn
from yoorec.features.readers import Around
from yoorec.testing.worlds import small_log, small_merged, small_recalled, small_samples


@pytest.fixture(scope="module")
def samples() -> RankSamples:
    """Samples with outcomes, impressions among the candidates, and some that no trigger recalled."""
    log = small_log()
    found = small_samples(log, 70)
    rng = np.random.default_rng(1)
    rows = len(found.label)
    completion = np.where(rng.random(rows) < 0.2, np.nan, found.label).astype(np.float32)
    apart = small_merged(small_recalled(log.catalogue, 70, ("hot", "itemcf", "text"), seed=8))
    some = np.flatnonzero(rng.random(len(apart.item)) < 0.1)
    before = np.append(0, np.cumsum(np.isin(np.arange(len(apart.item)), some)))
    few = apart.rows(some, before[apart.offsets].astype(np.int64))
    none = np.full((len(some), 3), -1, np.int32)
    unknown = np.full((len(some), 3), np.nan, np.float32)
    few = replace(few, source_rank=none, source_score=unknown, merge_score=unknown[:, 0].copy())
    unrecalled = replace(
        found,
        candidates=few,
        label=np.zeros(len(some), np.float32),
        outcome={"like": np.zeros(len(some), np.float32), "completion": np.zeros(len(some), np.float32)},
        shown=np.ones(len(some), np.bool_),
    )
    watch = np.where(found.label > 0, rng.random(rows) * 100, np.nan).astype(np.float32)
    return replace(
        found,
        outcome={"like": (found.label * (rng.random(rows) < 0.3)).astype(np.float32), "completion": completion},
        watch_s=watch,
        shown=rng.random(rows) < 0.05,
        position=rng.integers(-1, 9, rows).astype(np.int32),
        unrecalled=unrecalled,
    )


@pytest.fixture(scope="module")
def encoder(samples: RankSamples) -> Encoder:
    return learn(FeatureKeys(), samples, Around(small_log().catalogue))


def test_an_unknown_outcome_weighs_nothing(samples: RankSamples) -> None:
    label, weight = labels_of(samples, {"play": 1.0, "completion": 0.5}, False)
    unknown = np.isnan(samples.outcome["completion"])
    assert unknown.any()
    assert label[:, 0].tolist() == samples.label.tolist()
    assert (weight[:, 0] == 1).all()
    assert (weight[unknown, 1] == 0).all()
    assert (weight[~unknown, 1] == 1).all()
    assert np.isfinite(label).all()


def test_watch_time_weighs_what_was_played(samples: RankSamples) -> None:
    _, weight = labels_of(samples, {"play": 1.0}, True)
    assert samples.watch_s is not None
    played = samples.label > 0
    logarithm = np.log1p(samples.watch_s[played].astype(np.float64))
    np.testing.assert_allclose(weight[played, 0], logarithm / logarithm.mean(), rtol=1e-5)
    assert (weight[~played] == 1).all()
    assert abs(weight[played].mean() - 1) < 1e-5


def test_an_objective_nothing_tells_of_is_named(samples: RankSamples) -> None:
    with pytest.raises(DataError) as caught:
        labels_of(samples, {"likes": 1.0}, False)
    assert str(caught.value) == (
        "ranker: objectives: nothing tells of 'likes'; nearest: like; there are: play, like, completion"
    )


@pytest.mark.parametrize("negatives", [1, 4, 1000])
def test_rows_are_chosen_and_encoded_as_at_serving(samples: RankSamples, encoder: Encoder, negatives: int) -> None:
    label, weight = labels_of(samples, {"play": 1.0, "like": 1.0}, False)
    apart = samples.unrecalled
    assert apart is not None
    assert samples.shown is not None
    beside = labels_of(apart, {"play": 1.0, "like": 1.0}, False)
    chosen = drawn(samples, label, negatives, 3)
    found = training_set(samples, encoder, chosen, label, weight, beside, lambda _: None)
    whole = encoder.encode(samples.requests, samples.candidates, samples.position)
    other = encoder.encode(apart.requests, apart.candidates)
    offsets, ends = samples.candidates.offsets, apart.candidates.offsets
    others = set()
    for b in range(len(samples.requests)):
        own = range(int(found.encoded.offsets[b]), int(found.encoded.offsets[b + 1]))
        rows = {int(whole.index[row]): row for row in range(int(offsets[b]), int(offsets[b + 1]))}
        alone = list(range(int(ends[b]), int(ends[b + 1])))
        here = len(own) - len(alone)
        kept = [row for row in rows.values() if label[row].any() or samples.shown[row]]
        assert here == min(len(kept) + negatives, len(rows))
        held = [rows[int(found.encoded.index[n])] for n in own[:here]]
        assert held == sorted(held)
        assert set(kept) <= set(held)
        others |= {row - int(offsets[b]) for row in set(held) - set(kept)}
        for n, row in zip(own, held, strict=False):
            assert found.encoded.row.id[n].tobytes() == whole.row.id[row].tobytes()
            assert found.encoded.row.value[n].tobytes() == whole.row.value[row].tobytes()
            assert found.label[n].tolist() == label[row].tolist()
        for n, row in zip(own[here:], alone, strict=True):
            assert found.encoded.row.id[n].tobytes() == other.row.id[row].tobytes()
            assert int(found.encoded.index[n]) == int(apart.candidates.item[row])
    column = encoder.layout.row.id.index("merge_rank")
    ranges = {int(place) for place in other.row.id[:, column]}
    assert len(ranges) == 1, "what no trigger recalled has no place in the merged list"
    assert not ranges & {int(place) for place in whole.row.id[:, column]}
    assert len(others) > 10, "negatives are drawn from everywhere"
    assert drawn(samples, label, negatives, 3).tolist() == chosen.tolist()
    if negatives == 1:
        assert drawn(samples, label, negatives, 4).tolist() != chosen.tolist()
