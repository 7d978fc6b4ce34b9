"""The ranker blend: given weights against a literal sum, learned ones against slow derivatives and a planted truth."""

from __future__ import annotations

import json
import logging
import math
from dataclasses import replace
from itertools import pairwise
from typing import ClassVar

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from yoorec.components import FitContext, RankSamples
from yoorec.errors import ArtifactError
from yoorec.stages.blend import Blend
from yoorec.stages.configs import BlendConfig
from yoorec.stages.drift import psi, score_histograms
from yoorec.stages.listwise import fit_listwise
from yoorec.testing import worlds
from yoorec.testing.contracts import RankerContract

CATALOGUE = worlds.small_catalogue()
SOURCES = ("hot", "itemcf", "text")


def features(merged, by_rank=False):
    """float64 [N, T]: each trigger's normalised score, straight from the docstring."""
    found = np.zeros((len(merged.item), len(merged.sources)))
    for start, stop in pairwise(merged.offsets):
        for t in range(len(merged.sources)):
            rows = [row for row in range(start, stop) if merged.source_rank[row, t] >= 0]
            finite = [float(merged.source_score[row, t]) for row in rows if math.isfinite(merged.source_score[row, t])]
            best, depth = max(finite, default=0.0), max((merged.source_rank[row, t] + 1 for row in rows), default=0)
            for row in rows:
                score, rank = float(merged.source_score[row, t]), int(merged.source_rank[row, t])
                if by_rank or best <= 0:
                    found[row, t] = (depth - rank) / depth
                elif math.isfinite(score):
                    found[row, t] = max(score, 0.0) / best
    return found


def seen_of(requests, merged):
    """bool [N], row by row."""
    found = []
    for b, (start, stop) in enumerate(pairwise(merged.offsets)):
        own = set(requests.seen.item[requests.seen.offsets[b] : requests.seen.offsets[b + 1]].tolist())
        found += [item in own or item == requests.item[b] for item in merged.item[start:stop].tolist()]
    return np.array(found, bool)


def merged_of(size=30, seed=3):
    return worlds.small_merged(worlds.small_recalled(CATALOGUE, size, SOURCES, seed=seed))


@pytest.mark.parametrize("normalize", ["max", "rank"])
def test_given_weights_sum_normalised_scores(normalize):
    merged = merged_of()
    blend = Blend(BlendConfig({"hot": 0.3, "text": 0.0}, normalize), CATALOGUE)
    assert not blend.needs_fit()
    score = blend.score(worlds.blank_requests(CATALOGUE, 30), merged)
    x = features(merged, normalize == "rank")
    np.testing.assert_array_equal(score, (0.3 * x[:, 0] + 1.0 * x[:, 1]).astype(np.float32))
    assert blend.describe() == {"normalize": normalize, "weights": {"hot": 0.3, "text": 0.0}}


def test_scores_that_are_not_finite_or_not_positive():
    merged = merged_of()
    spoilt = merged.source_score.copy()
    spoilt[::3, 0], spoilt[1::3, 0] = np.nan, -1.0
    spoilt[:, 1] *= -1
    merged = replace(merged, source_score=np.where(merged.source_rank >= 0, spoilt, np.nan).astype(np.float32))
    score = Blend(BlendConfig({}), CATALOGUE).score(worlds.blank_requests(CATALOGUE, 30), merged)
    np.testing.assert_array_equal(score, features(merged).sum(axis=1).astype(np.float32))


def loss_of(weights, x, offsets, label, ridge):
    """The mean cross-entropy between positives and softmax, without and with the ridge."""
    losses = []
    for start, stop in pairwise(offsets):
        y = label[start:stop]
        if y.sum() > 0:
            s = x[start:stop] @ weights
            losses.append(-np.sum(y / y.sum() * (s - np.log(np.sum(np.exp(s - s.max()))) - s.max())))
    return np.mean(losses), np.mean(losses) + ridge / 2 * np.sum(weights**2)


@settings(max_examples=15)
@given(st.integers(0, 1000), st.sampled_from([1e-4, 1e-2, 1.0]), st.booleans())
def test_learned_weights_are_the_minimum(seed, ridge, by_rank):
    samples = worlds.small_samples(worlds.small_log(), 25, SOURCES, seed)
    merged, label = samples.candidates, samples.label
    seen = seen_of(samples.requests, merged)
    x = np.column_stack((features(merged, by_rank), seen))
    found = fit_listwise(
        merged.offsets, merged.source_score, merged.source_rank, seen, label, by_rank, ridge, lambda *_: None
    )

    def total(weights):
        return loss_of(weights, x, merged.offsets, label, ridge)[1]

    assert found.loss_before == pytest.approx(total(np.zeros(4)))
    assert found.loss == pytest.approx(loss_of(found.weights, x, merged.offsets, label, ridge)[0])
    for step in np.eye(4) * 1e-4:
        assert abs(total(found.weights + step) - total(found.weights - step)) / 2e-4 < 1e-6
    positive = np.add.reduceat(label, merged.offsets[:-1][merged.lengths > 0]) > 0
    assert found.requests == positive.sum()


def test_planted_weights_are_found():
    log, rng, merged = worlds.small_log(), np.random.default_rng(0), merged_of(4000, 0)
    requests = worlds.small_requests(log, 4000)
    truth = np.array([2.0, 0.0, -1.0, -1.5])
    appeal = np.column_stack((features(merged), seen_of(requests, merged))) @ truth
    appeal += rng.gumbel(size=len(appeal))  # so that the best is a draw from the softmax
    label = np.zeros(len(appeal), np.float32)
    for start, stop in pairwise(merged.offsets):
        if stop > start:
            label[start + np.argmax(appeal[start:stop])] = 1
    blend = Blend(BlendConfig(learn="likelihood"), log.catalogue)
    blend.fit(RankSamples(requests, merged, label, 4000, 0), FitContext())
    told = blend.describe()
    np.testing.assert_allclose([*told["weights"].values(), told["seen"]], truth, atol=0.15)
    assert list(told["weights"]) == list(SOURCES)
    assert told["loss"] < told["loss_before"] and told["requests"] == (merged.lengths > 0).sum()


def slow_ndcg(score, samples, k=10):
    """Mean ndcg of the requests that have a positive, list by list."""
    found, merged = [], samples.candidates
    for start, stop in pairwise(merged.offsets):
        rows = sorted(range(start, stop), key=lambda row: (-score[row], merged.item[row]))
        right = [samples.label[row] > 0 for row in rows]
        if any(right):
            ideal = sum(1 / math.log2(place + 2) for place in range(min(sum(right), k)))
            found.append(sum(1 / math.log2(place + 2) for place, hit in enumerate(right[:k]) if hit) / ideal)
    return np.mean(found)


@pytest.mark.parametrize("seed", range(4))
def test_learning_for_ndcg_ends_above_the_likelihood_and_every_trigger_alone(seed):
    log = worlds.small_log()
    samples = worlds.small_samples(log, 80, SOURCES, seed)
    likely, best = Blend(BlendConfig(learn="likelihood"), log.catalogue), Blend(BlendConfig(), log.catalogue)
    for blend in (likely, best):
        blend.fit(samples, FitContext())
    told = best.describe()["ndcg"]
    x = features(samples.candidates)
    seen = seen_of(samples.requests, samples.candidates)
    first = likely.describe()
    share = first["seen"] / max(abs(weight) for weight in first["weights"].values())
    for t, name in enumerate(SOURCES):
        assert told["alone"][name] == pytest.approx(slow_ndcg(np.float32(x[:, t]) + share * seen, samples))
    score = best.score(samples.requests, samples.candidates)
    assert told["likelihood"] == pytest.approx(
        slow_ndcg(likely.score(samples.requests, samples.candidates), samples), abs=1e-6
    )
    assert told["learned"] == pytest.approx(slow_ndcg(score, samples), abs=1e-6)
    assert told["learned"] >= max(told["likelihood"], *told["alone"].values())
    assert told["learned"] > told["likelihood"]


def test_learned_weights_score_what_they_say():
    log = worlds.small_log()
    blend = Blend(BlendConfig(), log.catalogue)
    blend.fit(worlds.small_samples(log, 60, SOURCES), FitContext())
    told, merged, requests = blend.describe(), merged_of(), worlds.small_requests(log, 30)
    x, seen = features(merged), seen_of(requests, merged)
    assert seen.any() and told["seen"] != 0
    wanted = sum(told["weights"][name] * x[:, t] for t, name in enumerate(SOURCES)) + told["seen"] * seen
    np.testing.assert_array_equal(blend.score(requests, merged), wanted.astype(np.float32))


def test_without_a_positive_all_weigh_the_same_and_it_says_so(caplog, tmp_path):
    log = worlds.small_log()
    samples = worlds.small_samples(log, 20, SOURCES)
    samples = replace(samples, label=np.zeros_like(samples.label))
    blend = Blend(BlendConfig(), log.catalogue)
    with caplog.at_level(logging.WARNING, "yoorec.stages.blend"):
        blend.fit(samples, FitContext())
    note = "none of 20 rank-window requests was answered by a candidate: equal weights"
    assert caplog.messages == [f"blend: {note}"]
    blend.save(tmp_path)
    again = Blend(BlendConfig(), log.catalogue)
    again.load(tmp_path)
    assert again.describe() == {
        "normalize": "max",
        "weights": dict.fromkeys(SOURCES, 1.0),
        "seen": 0.0,
        "requests": 0,
        "loss_before": None,
        "loss": None,
        "note": note,
    }
    merged = merged_of()
    equal = Blend(BlendConfig({}), log.catalogue)
    requests = worlds.blank_requests(log.catalogue, 30)
    np.testing.assert_array_equal(again.score(requests, merged), equal.score(requests, merged))


def test_a_trigger_that_the_model_never_met_counts_nothing():
    log = worlds.small_log()
    blend = Blend(BlendConfig(), log.catalogue)
    blend.fit(worlds.small_samples(log, 60, SOURCES), FitContext())
    merged, requests = merged_of(), worlds.blank_requests(log.catalogue, 30)
    wider = replace(
        merged,
        sources=("new", *merged.sources),
        source_score=np.column_stack((merged.source_score[:, :1], merged.source_score)),
        source_rank=np.column_stack((merged.source_rank[:, :1], merged.source_rank)),
    )
    np.testing.assert_array_equal(blend.score(requests, wider), blend.score(requests, merged))


def test_drift_compares_with_the_rank_window(tmp_path):
    log = worlds.small_log()
    samples = worlds.small_samples(log, 60, SOURCES)
    blend = Blend(BlendConfig(), log.catalogue)
    blend.fit(samples, FitContext())
    blend.save(tmp_path)
    again = Blend(BlendConfig(), log.catalogue)
    again.load(tmp_path)
    assert again.drift(samples.candidates) == dict.fromkeys(SOURCES, 0.0)
    later = merged_of()

    def normalised(merged):
        known = np.where(merged.source_rank >= 0, features(merged), np.nan)
        return replace(merged, source_score=known.astype(np.float32))

    expected = score_histograms(normalised(samples.candidates))
    actual = score_histograms(normalised(later), expected)
    assert again.drift(later) == {name: psi(expected[name], actual[name]) for name in SOURCES}
    assert again.drift(later)["hot"] > 0


def damaged(change):
    def apply(path):
        model = json.loads(path.read_text())
        change(model)
        path.write_text(json.dumps(model))

    return apply


@pytest.mark.parametrize(
    ("damage", "told"),
    [
        (lambda path: path.unlink(), "FileNotFoundError: "),
        (lambda path: path.write_text("{"), "JSONDecodeError: Expecting property name enclosed in double quotes"),
        (damaged(lambda m: m.pop("weights")), "KeyError: 'weights'"),
        (damaged(lambda m: m.update(version=2)), "ValueError: version 2, expected 1"),
        (damaged(lambda m: m.update(normalize="rank")), "ValueError: learned with normalize 'rank'"),
        (
            damaged(lambda m: m["weights"].update(hot=[1.0])),
            "TypeError: float() argument must be a string or a real number",
        ),
        (
            damaged(lambda m: m["histograms"]["hot"]["counts"].pop()),
            "ValueError: a histogram with 9 edges has 11 counts",
        ),
    ],
)
def test_a_damaged_model_is_refused_by_name(tmp_path, damage, told):
    log = worlds.small_log()
    blend = Blend(BlendConfig(), log.catalogue)
    blend.fit(worlds.small_samples(log, 40, SOURCES), FitContext())
    blend.save(tmp_path)
    damage(tmp_path / "blend.json")
    with pytest.raises(ArtifactError) as caught:
        blend.load(tmp_path)
    assert str(caught.value).startswith(f"{tmp_path / 'blend.json'}: is no blend model: {told}")


def test_bare_candidates_are_refused():
    bare = worlds.small_recalled(CATALOGUE, 3)["hot"]
    with pytest.raises(ValueError, match=r"^blend scores merged candidates; these hold no sources$"):
        Blend(BlendConfig({}), CATALOGUE).score(worlds.blank_requests(CATALOGUE, 3), bare)


class TestBlend(RankerContract):
    component = Blend
    configs: ClassVar = [
        BlendConfig(),
        BlendConfig(normalize="rank", ridge=1.0),
        BlendConfig(learn="likelihood"),
        BlendConfig({"hot": 0.5, "itemcf": 1.0, "text": 0.0}),
    ]
