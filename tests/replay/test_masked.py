"""A masked scenario from its file to its report: the same requests, slices of what was masked, one mask everywhere."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from yoorec.artifacts.store import Store
from yoorec.config.compose import load_scenario
from yoorec.data.cuts import resolve_cuts
from yoorec.data.dataset import read_dataset
from yoorec.errors import ArtifactError, ConfigError
from yoorec.fit import fit
from yoorec.plugins import Plugins
from yoorec.replay import slices
from yoorec.replay.replay import replay
from yoorec.replay.requests import logged_requests
from yoorec.scene import Scene
from yoorec.testing.counts import Counts, FewestFirst
from yoorec.testing.project import write_project

MASK = "replay.mask={items: 0.4, keep: 24h, users: 0.6, plays: 3}"
World = Callable[..., Any]


@pytest.fixture
def plugins(small_scene: Callable[..., Any]) -> Plugins:
    found: Plugins = small_scene({"most": Counts, "fewest": FewestFirst}).plugins
    return found


@pytest.fixture
def world(plugins: Plugins, tmp_path: Any) -> World:
    """``world("replay.baseline=most", variants={...})``: a scenario of two counting triggers on disk."""

    def make(*overrides: str, **sections: Any) -> Any:
        project = write_project(
            tmp_path / "project",
            triggers={"most": {"use": "most", "limit": 30}, "fewest": {"use": "fewest", "limit": 20}},
            ranker={"use": "blend"},
            exposure=[{"use": "drop_seen"}, {"use": "backfill", "from": "most"}],
            **sections,
        )
        return load_scenario(project.path, (f"store={tmp_path / 'artifacts'}", *overrides), plugins)

    return make


@pytest.fixture
def low_bar(monkeypatch: pytest.MonkeyPatch) -> None:
    """Five requests of two users are enough for a slice."""
    monkeypatch.setattr(slices, "MIN_REQUESTS", 5)
    monkeypatch.setattr(slices, "MIN_CLUSTERS", 2)


@pytest.mark.usefixtures("low_bar")
def test_a_masked_replay_meets_the_same_requests_and_tells_whom_it_served(world: World, plugins: Plugins) -> None:
    plain = replay(world("replay.baseline=most"), plugins)
    found = replay(world(MASK, "replay.baseline=most"), plugins)
    assert (found.requests, found.clusters, found.cuts) == (plain.requests, plain.clusters, plain.cuts)
    assert found.hash != plain.hash and found.data != plain.data
    assert list(plain.slices) == ["item_age", "user_plays"]
    assert list(found.slices) == ["item_age", "user_plays", "masked"]
    assert list(found.slices["masked"]) == ["masked items", "masked users"]
    for report in (plain, found):
        for dimension in ("item_age", "user_plays"):
            assert sum(size.requests for size in report.slices[dimension].values()) == report.requests
    # What was known is new now: masked items have no plays left before the last day.
    assert found.slices["item_age"]["older"].requests < plain.slices["item_age"]["older"].requests
    assert found.slices["user_plays"]["6+"].requests < plain.slices["user_plays"]["6+"].requests
    assert found.slices["masked"]["masked items"].enough
    figures = found.control.slices["masked"]["masked items"]
    assert figures.metrics["hit_rate@10"].value <= 1
    assert list(figures.versus_baseline) == ["fewest"] and found.control.baseline == "most"
    change = figures.versus_baseline["fewest"]["ndcg@10"].value
    alone = figures.triggers["fewest"]["ndcg@10"].value - figures.triggers["most"]["ndcg@10"].value
    assert change == pytest.approx(alone)
    assert any("replay.mask takes" in note for note in found.quality["events"].notes)


@pytest.mark.usefixtures("low_bar")
def test_slices_are_of_the_sample_and_the_same_for_every_variant(world: World, plugins: Plugins) -> None:
    scenario = world(MASK, variants={"short": ["slate=5", "profile.history=3"], "own": ["replay.baseline=fewest"]})
    report = replay(scenario, plugins, requests=40)
    assert sum(size.requests for size in report.slices["item_age"].values()) == report.requests == 40
    for variant in report.variants.values():
        assert {dimension: list(each) for dimension, each in variant.slices.items()} == {
            dimension: [name for name, size in sizes.items() if size.enough]
            for dimension, sizes in report.slices.items()
        }
    assert [variant.baseline for variant in report.variants.values()] == [None, None, "fewest"]
    assert report.control.versus_baseline == {} and list(report.variants["own"].versus_baseline) == ["most"]
    # A sample of each slice against control; the baseline changes no list, so the difference is nothing.
    for parts in report.variants["own"].slices.values():
        for figures in parts.values():
            assert figures.versus_control["ndcg@10"].value == 0.0


def test_slices_can_be_left_out(world: World, plugins: Plugins) -> None:
    report = replay(world("replay.slices=false"), plugins, requests=20)
    assert report.slices == {} and report.control.slices == {}
    assert list(report.control.sources) == ["most", "fewest"]


def test_a_variant_can_not_be_masked_otherwise(world: World, plugins: Plugins) -> None:
    with pytest.raises(ConfigError, match=r"variants\.masked: changes replay\.mask, so it could not be compared"):
        replay(world(variants={"masked": [MASK]}), plugins)


def test_triggers_learn_from_the_masked_log_alone(world: World, plugins: Plugins) -> None:
    """With every item masked and no plays kept, the counts are those of the last day before the cut."""
    scenario = world("replay.mask={items: 1.0, keep: 24h}")
    dataset = read_dataset(scenario)
    cut = resolve_cuts(scenario, dataset).replay_cut
    assert int(dataset.log.time[0]) >= cut - 86_400_000
    scene = Scene.open(scenario, fit(scenario, plugins, dataset, publish=False), plugins)
    episodes = logged_requests(scenario, dataset, resolve_cuts(scenario, dataset))
    recalled = scene.pipeline.run(episodes.arrivals(10)).recalled["most"]
    counts = dict.fromkeys(dataset.log.catalogue.items.ids, 0)
    for row in range(len(dataset.log)):
        if dataset.log.time[row] < cut and dataset.log.weight[row] > 0:
            counts[dataset.log.catalogue.items.ids[dataset.log.item[row]]] += 1
    for item, score in zip(recalled.item.tolist(), recalled.score.tolist(), strict=True):
        assert score == counts[dataset.log.catalogue.items.ids[item]]
    scene.close()


def test_a_release_serves_only_the_mask_it_was_fitted_with(world: World, plugins: Plugins) -> None:
    masked, plain, other = world(MASK), world(), world(MASK, "replay.mask.seed=1")
    release = fit(masked, plugins)
    catalogue = Store(masked.store).open(release.slots["catalogue"], "catalogue").folder
    Scene.open(masked, release, plugins).close()
    mask = "{items: 0.4, keep: 1d, plays: 3, seed: 0, users: 0.6}"
    for scenario, now in ((plain, "null"), (other, mask.replace("seed: 0", "seed: 1"))):
        with pytest.raises(ArtifactError) as caught:
            Scene.open(scenario, release, plugins)
        message = f"{catalogue}: the release was fitted with replay.mask {mask}, now {now}: run `yoorec fit`"
        assert str(caught.value) == message
    release = fit(plain, plugins)
    Scene.open(plain, release, plugins).close()
    with pytest.raises(ArtifactError, match=r"fitted with replay\.mask null, now \{items: 0\.4"):
        Scene.open(masked, release, plugins)


def test_nothing_masked_is_fitted_for_production(world: World, plugins: Plugins) -> None:
    scenario = world(MASK)
    with pytest.raises(ConfigError) as caught:
        fit(scenario, plugins, production=True)
    assert str(caught.value) == (
        f"{scenario.path}: replay.mask: a masked log is for replay; what is fitted for production learns from all of "
        "it\n  accepted: null"
    )
    assert Store(scenario.store).current("small") is None
