from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from yoorec import fit as fitting
from yoorec.artifacts.store import Store
from yoorec.config.compose import load_scenario
from yoorec.config.scenario import Scenario
from yoorec.data.cuts import resolve_cuts
from yoorec.data.dataset import read_dataset
from yoorec.data.log import Given
from yoorec.errors import ConfigError
from yoorec.replay.leaks import LeakError
from yoorec.replay.replay import replay
from yoorec.replay.report import Report
from yoorec.replay.requests import logged_requests
from yoorec.testing.counts import Counts, FewestFirst
from yoorec.testing.project import write_project

MakeScene = Callable[..., Any]
RULES = [{"use": "drop_seen"}, {"use": "backfill", "from": "most"}]


@pytest.fixture
def world(small_scene: MakeScene, tmp_path: Any) -> Callable[..., tuple[Scenario, Any]]:
    """``world(variants={...}, replay={...})``: a scenario of two counting triggers on disk, and the plugins."""

    def make(*overrides: str, **sections: Any) -> tuple[Scenario, Any]:
        plugins = small_scene({"most": Counts, "fewest": FewestFirst}).plugins
        project = write_project(
            tmp_path / "project",
            triggers={"most": {"use": "most", "limit": 30}, "fewest": {"use": "fewest", "limit": 20}},
            ranker={"use": "blend"},
            exposure=RULES,
            **sections,
        )
        store = f"store={tmp_path / 'artifacts'}"
        return load_scenario(project.path, (store, *overrides), plugins), plugins

    return make


def _figures(report: Report) -> dict[str, Any]:
    """What must not change from one run to the next."""
    plain = report.to_json()
    for variant in plain["variants"].values():
        for key in ("timings_us", "requests_per_s", "seconds", "latency"):
            del variant[key]
    del plain["seconds"], plain["created"]
    return plain


def test_a_scenario_is_replayed_from_its_data_to_a_report(world: Callable[..., Any]) -> None:
    scenario, plugins = world(variants={"only": ["triggers.most.weight=2.0"], "short": ["slate=5"]})
    report = replay(scenario, plugins, clock=lambda: 1_700_000_000.0)
    assert list(report.variants) == ["control", "only", "short"]
    assert report.scene == "small"
    assert report.scenario == "scenario.yaml"
    assert report.hash == scenario.hash == report.control.hash
    assert report.variants["short"].hash != scenario.hash
    assert report.created.iso == "2023-11-14T22:13:20.000Z"
    assert report.requests == report.available > 40
    assert report.cluster_kind == "user"
    assert 1 < report.clusters <= 40
    assert list(report.control.metrics) == list(scenario.replay.metrics)
    assert list(report.control.triggers) == ["most", "fewest"]
    assert report.cuts["rank"].ms < report.cuts["replay"].ms < report.cuts["end"].ms
    assert report.control.artifacts["triggers.most"].cut == report.cuts["replay"]
    assert report.control.artifacts["rank_window.most"].cut == report.cuts["rank"]
    assert report.control.artifacts["profile"].cut is None
    assert set(report.control.drift) == {"most", "fewest"}
    assert all(psi is not None and psi >= 0 for psi in report.control.drift.values())
    # Counts all multiplied by 2 order items as before.
    assert report.variants["only"].triggers == report.control.triggers
    assert report.variants["short"].stages["slate"].candidates == 5.0
    assert report.variants["short"].versus_control["hit_rate@10"].value == pytest.approx(
        report.variants["short"].metrics["hit_rate@10"].value - report.control.metrics["hit_rate@10"].value
    )
    assert report.passed
    assert set(report.seconds) == {"data", "fit", "replay", "latency", "intervals"}


def test_the_same_replay_gives_the_same_figures(world: Callable[..., Any]) -> None:
    scenario, plugins = world("replay.threads=2", "replay.batch=16")
    first = replay(scenario, plugins)
    other = replace(scenario, replay=replace(scenario.replay, batch=500, threads=1))
    assert _figures(replay(other, plugins)) == _figures(first)


def test_a_sample_is_drawn_for_every_variant_alike(world: Callable[..., Any]) -> None:
    scenario, plugins = world(variants={"same": ["profile.history=3"]})
    report = replay(scenario, plugins, requests=30)
    assert report.requests == 30 < report.available
    # A shorter history changes nothing that counting triggers look at: the same requests, the same figures.
    assert report.variants["same"].metrics == report.control.metrics
    change = report.variants["same"].versus_control["ndcg@10"]
    assert (change.value, change.low, change.high) == (0.0, 0.0, 0.0)


def test_the_current_release_stays_as_it_is(world: Callable[..., Any]) -> None:
    scenario, plugins = world(variants={"only": ["triggers.most.weight=2.0"]})
    replay(scenario, plugins, requests=20)
    assert Store(scenario.store).current("small") is None


def test_a_gate_may_ask_for_a_metric_that_the_scenario_does_not_list(world: Callable[..., Any]) -> None:
    scenario, plugins = world(replay={"metrics": ["ndcg@10"], "gates": ["mrr@3 >= 0.9", "p99_ms <= 60000"]})
    report = replay(scenario, plugins, requests=20)
    assert list(report.control.metrics) == ["ndcg@10", "mrr@3"]
    assert [(gate.gate, gate.passed) for gate in report.gates] == [("mrr@3 >= 0.9", False), ("p99_ms <= 60000", True)]
    assert not report.passed


def test_users_are_drawn_under_next_play(world: Callable[..., Any]) -> None:
    scenario, plugins = world()
    dataset = read_dataset(scenario)
    report = replay(scenario, plugins, dataset=dataset)
    episodes = logged_requests(scenario, dataset, resolve_cuts(scenario, dataset))
    assert (report.cluster_kind, report.clusters) == ("user", len(np.unique(episodes.user)))


def test_sessions_are_drawn_under_given(world: Callable[..., Any]) -> None:
    """Three test sessions of the items 3, 1, 4, 1, 5: four prefixes each, longest first; and one row on its own."""
    scenario, plugins = world("replay.protocol=given")
    dataset = read_dataset(scenario)
    items = [3, 1, 4, 1, 5]
    prefixes = [items[:stop] for stop in (4, 3, 2, 1)] * 3 + [[7]]
    target = [items[stop] for stop in (4, 3, 2, 1)] * 3 + [-1]
    offsets = np.concatenate(([0], np.cumsum([len(prefix) for prefix in prefixes])))
    flat = np.array([item for prefix in prefixes for item in prefix], np.int32)
    dataset = replace(dataset, given=Given(offsets, flat, np.array(target, np.int32)))
    report = replay(scenario, plugins, dataset=dataset)
    assert (report.requests, report.cluster_kind, report.clusters) == (13, "session", 4)
    # An item that no train session has can't be hit: it counts as missed, and is not left out.
    assert report.control.stages["merge"].recall.value <= 12 / 13


def test_a_variant_that_moves_the_cut_is_refused(world: Callable[..., Any]) -> None:
    scenario, plugins = world(variants={"later": ["replay.cut=0.95"]})
    with pytest.raises(ConfigError) as caught:
        replay(scenario, plugins)
    assert str(caught.value) == (
        f"{scenario.path}: variants.later: changes replay.cut, so it could not be compared with control on the same "
        "requests\n  accepted: profile, triggers, merge, ranker, exposure, slate, seed"
    )


def test_an_unknown_metric_of_a_gate_is_refused(world: Callable[..., Any]) -> None:
    scenario, plugins = world()
    scenario = replace(scenario, replay=replace(scenario.replay, gates=("ndgc@10 >= control",)))
    with pytest.raises(ConfigError, match="'ndgc@10' names no known metric"):
        replay(scenario, plugins)


def test_artifacts_cut_later_than_the_requests_are_refused(
    world: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A production fit learns from the whole log; its artifacts in a replay would leak."""
    scenario, plugins = world()
    fit = fitting.fit

    def production(*args: Any, **options: Any) -> Any:
        return fit(*args, **options, production=True)

    monkeypatch.setattr(fitting, "fit", production)
    with pytest.raises(LeakError, match=r"requests are at or before the cut of '(triggers\.most|ranker)'"):
        replay(scenario, plugins)


def test_progress_rises_from_step_to_step(world: Callable[..., Any]) -> None:
    scenario, plugins = world(variants={"short": ["slate=5"]})
    seen: list[tuple[float, str]] = []
    replay(scenario, plugins, requests=40, progress=lambda done, note="": seen.append((done, note)))
    shares = [share for share, _ in seen]
    assert shares == sorted(shares)
    assert shares[-1] == 1.0
    titles = list(dict.fromkeys(note.split(" ")[0] for _, note in seen if note))
    assert titles == ["data", "control:", "control", "short:", "short"]


def test_nothing_of_this_machine_enters_the_report(world: Callable[..., Any], tmp_path: Any) -> None:
    scenario, plugins = world()
    report = replay(scenario, plugins, requests=20)
    report.write(tmp_path / "out")
    for name in ("report.json", "report.html"):
        assert str(tmp_path) not in (tmp_path / "out" / name).read_text(encoding="utf-8")
