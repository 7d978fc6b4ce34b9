"""The rankers as a whole: what they find, what they say of it, and what they refuse."""

from __future__ import annotations

import json
from collections.abc import Callable
from copy import copy
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pyarrow as pa
import pytest
from yoorec_tf.config import WideDeepConfig
from yoorec_tf.metrics import auc
from yoorec_tf.model import WideDeep

from yoorec.components import FitContext, RankContext, RankSamples
from yoorec.data.log import EventLog
from yoorec.errors import ArtifactError, DataError
from yoorec.features.config import Feature
from yoorec.features.counters import Counters
from yoorec.stages.blend import Blend
from yoorec.stages.configs import BlendConfig
from yoorec.testing.worlds import blank_requests, small_log, small_merged, small_recalled, small_samples

CONFIG = WideDeepConfig(
    dim=4,
    hidden=(8,),
    epochs=12,
    patience=12,
    batch=32,
    learning_rate=0.02,
    tail=0.2,
    objectives={"play": 1.0, "like": 0.5},
    features={
        "age": Feature("user.age"),
        "item": Feature("item.id", min_count=1),
        "played": Feature("history.id"),
        "rank": Feature("trigger.rank"),
        "plays": Feature("stat.play"),
        "length": Feature("item.duration_s", default=60.0),
    },
)


@pytest.fixture(scope="module")
def log() -> EventLog:
    return small_log()


@pytest.fixture(scope="module")
def samples(log: EventLog) -> RankSamples:
    """Labels follow the first trigger's rank; a third of what is played is liked."""
    found = small_samples(log, 400)
    liked = found.label * (np.random.default_rng(5).random(len(found.label)) < 0.3)
    return replace(found, outcome={"like": liked.astype(np.float32)})


@pytest.fixture(scope="module")
def fitted(log: EventLog, samples: RankSamples, tmp_path_factory: pytest.TempPathFactory) -> tuple[WideDeep, Path]:
    notes: dict[str, float | int | str] = {}
    model = WideDeep(CONFIG, log.catalogue)
    model.use(RankContext({}, Counters.build(log)))
    model.fit(samples, FitContext(seed=2, note=notes.__setitem__))
    folder = tmp_path_factory.mktemp("wide_deep")
    model.save(folder)
    (folder / "notes").write_text(json.dumps(notes))
    return model, folder


@pytest.fixture
def loaded(fitted: tuple[WideDeep, Path], log: EventLog) -> Callable[..., WideDeep]:
    def load(config: WideDeepConfig = CONFIG, on: EventLog = log) -> WideDeep:
        model = WideDeep(config, on.catalogue)
        model.use(RankContext({}, Counters.build(on)))
        model.load(fitted[1])
        return model

    return load


def test_the_planted_order_is_found(fitted: tuple[WideDeep, Path], samples: RankSamples) -> None:
    fresh = small_samples(small_log(), 300, seed=9)
    score = fitted[0].score(fresh.requests, fresh.candidates)
    assert fresh.candidates.source_rank is not None
    rank = np.where(fresh.candidates.source_rank[:, 0] >= 0, fresh.candidates.source_rank[:, 0], 30)
    best = auc(fresh.label, (-rank).astype(np.float32))
    assert best > 0.8
    assert auc(fresh.label, score) > best - 0.05


def test_what_it_says_of_itself(fitted: tuple[WideDeep, Path]) -> None:
    model, folder = fitted
    notes = json.loads((folder / "notes").read_text())
    told = model.describe()
    assert notes["play auc"] == told["figures"]["play auc"] > 0.7
    assert {"like auc", "play gauc", "play log_loss", "play ndcg@10", "play ece"} <= set(notes)
    assert 0 <= notes["play ece"] < 0.1
    assert len(told["curve"]) >= 2
    assert sum(told["reliability"]["play"]["rows"]) > 100
    picture = ElementTree.fromstring((folder / "reliability.svg").read_text())
    assert len([each for each in picture.iter() if each.tag.endswith("circle")]) == 20


def test_probabilities_are_honest_on_all_candidates(fitted: tuple[WideDeep, Path]) -> None:
    """Though only some of the rows that nothing came of were learned from."""
    fresh = small_samples(small_log(), 400, seed=11)
    alone = copy(fitted[0])
    alone._weight = (1.0, 0.0)
    chance = alone.score(fresh.requests, fresh.candidates)
    assert chance.min() > 0
    assert chance.max() < 1
    assert abs(chance.mean() / fresh.label.mean() - 1) < 0.25


def test_several_objectives_add_up(fitted: tuple[WideDeep, Path], samples: RankSamples) -> None:
    parts = []
    for weight in ((1.0, 0.0), (0.0, 0.5), (1.0, 0.5)):
        alone = copy(fitted[0])
        alone._weight = weight
        parts.append(alone.score(samples.requests, samples.candidates))
    np.testing.assert_allclose(parts[0] + parts[1], parts[2], atol=1e-6)
    assert np.array_equal(parts[2], fitted[0].score(samples.requests, samples.candidates))


def test_the_blend_has_its_share(
    fitted: tuple[WideDeep, Path], loaded: Callable[..., WideDeep], log: EventLog, samples: RankSamples
) -> None:
    """What is added to each objective's logit is the blend, by a factor of its own; without it, the network's order."""
    model, some = loaded(), np.arange(40)
    requests, merged = samples.requests.take(some), samples.candidates.take(some)
    told = model.describe()["share_of_blend"]
    assert set(told) == {"play", "like"}
    assert all(0 < share < 1 for share in told.values())
    blend = Blend(BlendConfig(), log.catalogue)
    blend.fit(samples, FitContext())
    whole = model._logits(requests, merged)
    model._beside = np.zeros(2, np.float32)
    alone = model._logits(requests, merged)
    added, said = whole - alone, blend.score(requests, merged).astype(np.float64)
    for o in range(2):
        factor = float(added[:, o] @ said / (said @ said))
        assert factor > 0
        np.testing.assert_allclose(added[:, o], factor * said, atol=1e-4)
    plain = WideDeep(replace(CONFIG, stack=False), log.catalogue)
    plain.use(RankContext({}, Counters.build(log)))
    plain.fit(samples, FitContext(seed=2))
    assert plain.describe()["share_of_blend"] == {}
    order = np.corrcoef(plain._logits(requests, merged)[:, 0], alone[:, 0])[0, 1]
    assert order > 0.999999, "the network itself is the same"


def test_several_objectives_need_a_tail_to_calibrate_by(log: EventLog) -> None:
    with pytest.raises(DataError, match=r"tail: 0 leaves nothing to calibrate by.*accepted: above 0, or one objective"):
        WideDeep(replace(CONFIG, tail=0.0), log.catalogue)
    WideDeep(replace(CONFIG, tail=0.0, objectives={"play": 1.0}), log.catalogue)


def test_unknown_users_missing_columns_and_nan_score(
    fitted: tuple[WideDeep, Path], loaded: Callable[..., WideDeep], log: EventLog
) -> None:
    blank = replace(blank_requests(log.catalogue, 30, time=int(log.time[-1]) + 1), columns={})
    merged = small_merged(small_recalled(log.catalogue, 30, ("hot", "itemcf", "text"), seed=3))
    assert np.isfinite(fitted[0].score(blank, merged)).all()
    odd = replace(blank, columns={"age": np.full(30, np.nan, object)})
    assert np.array_equal(fitted[0].score(odd, merged), fitted[0].score(blank, merged))
    columns = log.catalogue.item_columns
    place = columns.column_names.index("duration_s")
    lengths = columns.set_column(place, "duration_s", pa.array([np.nan, *[30.0] * (len(columns) - 1)]))
    nan = replace(log, catalogue=replace(log.catalogue, item_columns=lengths, _codes={}))
    assert np.isfinite(loaded(on=nan).score(blank, merged)).all()
    silent = replace(merged, source_score=np.full_like(merged.source_score, np.nan))
    assert np.isfinite(fitted[0].score(blank, silent)).all()


def test_a_feature_that_changed_its_type_is_refused_by_name(loaded: Callable[..., WideDeep], log: EventLog) -> None:
    users = log.catalogue.user_columns
    text = pa.array([f"{age} years" for age in users["age"].to_pylist()])
    changed = replace(log.catalogue, user_columns=users.set_column(1, "age", text), _codes={})
    free = replace(CONFIG, features=None)
    with pytest.raises(ArtifactError) as caught:
        loaded(free, replace(log, catalogue=changed))
    assert "feature 'age': users: column 'age' holds names, where it held numbers when the ranker learned" in str(
        caught.value
    )


def test_what_the_data_lacks_is_named_before_anything_is_fitted(log: EventLog) -> None:
    config = replace(CONFIG, features={"region": Feature("user.region")})
    with pytest.raises(DataError, match=r"features\.region: users: no column 'region'"):
        WideDeep(config, log.catalogue)


def test_another_models_files_are_refused(
    fitted: tuple[WideDeep, Path], loaded: Callable[..., WideDeep], tmp_path: Path
) -> None:
    with pytest.raises(ArtifactError, match=r"model\.json: is no model of this ranker: .* learned with objectives"):
        loaded(replace(CONFIG, objectives={"play": 1.0}))
    with pytest.raises(ArtifactError, match=r"vectors\.npy: .* expected"):
        loaded(replace(CONFIG, dim=5))


def test_logs_are_kept_for_tensorboard(log: EventLog, samples: RankSamples, tmp_path: Path) -> None:
    few = replace(CONFIG, epochs=2, objectives={"play": 1.0}, ids="open", table=512)
    model = WideDeep(few, log.catalogue)
    model.fit(samples, FitContext(seed=2, cache=tmp_path / "cache"))
    assert list((tmp_path / "cache" / "logs").rglob("events.out.tfevents*"))
    assert not list((tmp_path / "cache" / "checkpoints").rglob("*.index")), "an ended training leaves no checkpoints"
