"""Composition: layers, the search path, `use`, null, rule ids, extension, overrides, paths."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from hydra import version
from hydra.core.global_hydra import GlobalHydra

from yoorec.config.compose import compose, load_scenario
from yoorec.config.library import core_folder, shipped_scenarios
from yoorec.errors import ConfigError


def _use(scenario):
    return {part.name: part.use for part in scenario.triggers}


def test_scenario_holds_what_the_yaml_says(project):
    scenario = project.load()
    assert (scenario.scene, scenario.slate, scenario.seed, scenario.history) == ("home", 10, 0, 50)
    assert scenario.session_gap_ms == 30 * 60_000
    assert dict(scenario.event_weights) == {"play": 1.0}
    assert _use(scenario) == {"hot": "hot", "co": "coplay"}
    assert [(part.limit, part.timeout_ms) for part in scenario.triggers] == [(50, 50), (100, 50)]
    assert scenario.triggers[1].config.neighbors == 9
    assert (scenario.merge.use, scenario.merge_limit, dict(scenario.merge.config.share)) == ("quota", 400, {"co": 0.5})
    assert [rule.name for rule in scenario.exposure] == ["drop_seen", "spread", "backfill"]
    assert scenario.exposure[2].config.from_ == "hot"
    assert scenario.path == Path("scenarios/home.yaml")
    assert scenario.data.config.users == 3000


def test_plain_override_sets_a_key_that_no_file_sets(project):
    scenario = project.load("triggers.hot.half_life=2h", "triggers.hot.timeout=null", "slate=3")
    assert scenario.triggers[0].config.half_life == 7_200_000
    assert scenario.triggers[0].timeout_ms is None
    assert scenario.slate == 3


def test_override_adds_a_whole_component(project):
    scenario = project.load("triggers.more={use: coplay, limit: 7}", "+triggers.third.use=hot")
    assert _use(scenario) == {"hot": "hot", "co": "coplay", "more": "coplay", "third": "hot"}
    assert scenario.triggers[2].limit == 7


def test_tilde_removes_a_key(project):
    assert project.load("~triggers.co.neighbors").triggers[1].config.neighbors == 50
    assert _use(project.load("~triggers.co", "~merge.share.co")) == {"hot": "hot"}
    assert project.load("~merge.share.co=0.5").merge.config.share == {}


def test_tilde_removes_a_choice_from_the_defaults(project):
    assert "data: is not given" in project.message("~data")


def test_null_switches_a_component_off(project):
    scenario = project.load("triggers.co=null", "ranker=null", "exposure.spread=null", "merge.use=rrf")
    assert _use(scenario) == {"hot": "hot"}
    assert scenario.ranker is None
    assert [rule.name for rule in scenario.exposure] == ["drop_seen", "backfill"]
    assert project.load("exposure=null").exposure == ()


def test_null_in_a_file_is_lifted_by_a_later_use(project):
    project.write("scenarios/off.yaml", "defaults: [home, _self_]\ntriggers: {co: null}\nmerge: {share: {hot: 0.1}}\n")
    assert _use(project.load("~merge.share.co", path="scenarios/off.yaml")) == {"hot": "hot"}
    assert project.load("triggers.co.use=hot", path="scenarios/off.yaml").triggers[1].use == "hot"


@pytest.mark.parametrize(
    "overrides",
    [
        ["triggers.co.use=hot"],
        ["triggers.co.use=hot", "triggers.co.half_life=3h"],
        ["triggers.co.half_life=3h", "triggers.co.use=hot"],
        ["triggers.co={use: hot, half_life: 3h}"],
    ],
)
def test_changing_use_drops_what_the_old_component_owned(project, overrides):
    project.change(
        "co: {use: coplay, neighbors: 9}", "co: {use: coplay, neighbors: 9, limit: 33, timeout: 9ms, half_life: 1m}"
    )
    part = project.load(*overrides).triggers[1]
    expected = "1d" if len(overrides) == 1 and "3h" not in overrides[0] else "3h"
    assert part.config.half_life == {"1d": 86_400_000, "3h": 10_800_000}[expected]
    assert (part.limit, part.timeout_ms) == (33, 9)


def test_changing_use_keeps_nothing_of_a_nested_mapping(project):
    project.change("neighbors: 9", "damping: {users: false, power: 2.0}")
    scenario = project.load("triggers.co.use=hot")
    assert scenario.triggers[1].config.bound == "wilson"


def test_changing_use_keeps_nested_keys_of_the_same_layer(project):
    assert project.load("merge.share.hot=0.2", "merge.use=quota").merge.config.share == {"co": 0.5, "hot": 0.2}
    message = project.message("merge.share.hot=0.2", "merge.use=rrf")
    assert message.startswith("command line: merge.share: 'share' is not accepted here")


def test_keys_set_before_use_on_one_command_line_are_never_dropped_in_silence(project):
    assert "'neighbors' is not accepted here" in project.message("triggers.co.neighbors=3", "triggers.co.use=hot")


def test_same_use_again_drops_nothing(project):
    assert project.load("triggers.co.use=coplay").triggers[1].config.neighbors == 9


def test_changing_use_of_merge_profile_and_rule(project):
    assert project.load("merge.use=rrf", "merge.limit=9").merge_limit == 9
    project.change("by: author}", "by: author, id: apart}")
    rules = project.load("exposure.apart={use: backfill, from: co}").exposure
    assert [(rule.name, rule.use) for rule in rules][1] == ("apart", "backfill")


def test_rule_ids_are_made_unique_and_given_ones_stand(project):
    project.write(
        "scenarios/rules.yaml",
        """\
        defaults: [home, _self_]
        exposure:
          - {use: spread, by: a}
          - {use: spread, by: b}
          - {use: spread, by: c, id: spread_2}
          - {use: drop_seen, id: seen}
        """,
    )
    scenario = project.load("exposure.spread_3.by=z", "exposure.seen=null", path="scenarios/rules.yaml")
    assert [(rule.name, rule.config.by) for rule in scenario.exposure] == [
        ("spread", "a"),
        ("spread_3", "z"),
        ("spread_2", "c"),
    ]


def test_a_list_of_rules_replaces_the_list_below_and_a_mapping_addresses_it(project):
    project.write("scenarios/list.yaml", "defaults: [home, _self_]\nexposure: [{use: drop_seen}]\n")
    assert [rule.name for rule in project.load(path="scenarios/list.yaml").exposure] == ["drop_seen"]
    project.write("scenarios/map.yaml", "defaults: [home, _self_]\nexposure: {spread: {max: 4}, drop_seen: null}\n")
    rules = project.load(path="scenarios/map.yaml").exposure
    assert [rule.name for rule in rules] == ["spread", "backfill"]
    assert rules[0].config.max == 4


def test_group_choice_swaps_the_data(project):
    project.write("conf/data/mine.yaml", "use: files\npath: log.csv\n")
    scenario = project.load("data=mine", "data.more=[b.csv]")
    assert scenario.data.use == "files"
    assert scenario.data.config.path == project.folder / "conf/data/log.csv"
    assert scenario.data.config.more == (project.folder / "b.csv",)


def test_appended_choice_joins_a_scenario_without_one(project):
    project.change("  - data: demo\n", "")
    assert project.load("+data=demo").data.config.users == 3000


def test_optional_default_may_be_missing(project):
    project.change("  - data: demo\n", "  - data: demo\n  - optional local: mine\n")
    assert project.load().scene == "home"


def test_choice_named_by_interpolation_and_packages(project):
    project.write("conf/trigger/wide.yaml", "use: coplay\nneighbors: 77\n")
    project.change("  - data: demo\n", "  - data: demo\n  - trigger@triggers.wide: wide\n")
    assert project.load().triggers[0].config.neighbors == 77
    assert project.load("triggers.wide.neighbors=3").triggers[0].config.neighbors == 3


def test_folder_beside_the_scenario_is_no_group_without_yaml(project):
    (project.folder / "scenarios/scene").mkdir()
    assert project.load("scene=other").scene == "other"


def test_extension_and_its_own_choice(project):
    project.write("conf/data/mine.yaml", "use: files\npath: /x/log.csv\n")
    project.write(
        "scenarios/child.yaml",
        "defaults: [home, _self_, {override data: mine}]\nscene: child\ntriggers: {co: {neighbors: 4}}\n",
    )
    scenario = project.load(path="scenarios/child.yaml")
    assert (scenario.scene, scenario.data.use, scenario.triggers[1].config.neighbors) == ("child", "files", 4)
    assert scenario.triggers[0].limit == 50


def test_scenario_in_any_folder_and_by_any_name(project, tmp_path):
    file = project.write(
        "else where/my scene.yml",
        "defaults: [yoorec/base, {data: demo}, _self_]\nscene: x\ntriggers: {hot: {use: hot}}\n",
    )
    assert project.load(path=str(file)).scene == "x"
    assert load_scenario(file, (), project.plugins).scene == "x"


def test_relative_paths_are_relative_to_who_set_them(project):
    project.change("  - data: demo\n", "")
    project.write(
        "scenarios/home.yaml",
        (project.folder / "scenarios/home.yaml").read_text()
        + "data: {use: files, path: ../a.csv, more: [x/b.csv, /abs/c.csv]}\n",
    )
    config = project.load().data.config
    assert config.path == project.folder / "a.csv"
    assert config.more == (project.folder / "scenarios/x/b.csv", Path("/abs/c.csv"))
    assert project.load("data.path=a.csv").data.config.path == project.folder / "a.csv"
    assert project.load("data.names=own").data.config.names == "own", "a word that the field takes is no path"
    assert project.load("data.names=owm").data.config.names == project.folder / "owm"
    # yoorec/base is packaged: nothing of the user's lies beside it
    assert project.load().store == project.folder / ".yoorec"
    assert project.load("store=s").store == project.folder / "s"


def test_interpolation(project, monkeypatch):
    monkeypatch.setenv("YOOREC_TEST_SEED", "s7")
    project.change("by: author}", "by: author, window: 7, max: '${.window}'}")
    scenario = project.load(
        "triggers.hot.limit=${triggers.co.limit}",
        "triggers.co.limit=12",
        "scene=${oc.env:YOOREC_TEST_SEED}_${merge.use}",
        "triggers.third=${triggers.hot}",
    )
    assert [part.limit for part in scenario.triggers] == [12, 12, 12]
    assert scenario.triggers[2].use == "hot"
    assert scenario.scene == "s7_quota"
    assert scenario.exposure[1].config.max == 7


def test_text_that_only_looks_like_interpolation_is_written_with_a_backslash(project):
    project.change("by: author", "by: 'a\\${b}'")
    assert project.load().exposure[1].config.by == "a${b}"


def test_variant_is_a_layer_after_the_command_line(project):
    project.change("scene: home", "scene: home\nvariants: {swap: ['triggers.co.use=hot'], far: ['slate=99']}")
    assert project.load("triggers.co.neighbors=3").triggers[1].config.neighbors == 3
    swapped = project.load("triggers.co.neighbors=3", variant="swap")
    assert swapped.triggers[1].use == "hot"
    assert swapped.overrides == ("triggers.co.neighbors=3", "triggers.co.use=hot")
    assert project.load("slate=1", variant="far").slate == 99
    with pytest.raises(ConfigError) as caught:
        project.load(variant="sawp")
    assert str(caught.value) == (
        "scenarios/home.yaml: variants: there is no variant 'sawp'\n  nearest:  swap\n  accepted: swap, far"
    )


def test_yaml_is_read_by_its_newer_rules(project):
    project.change("by: author", "by: on")
    assert project.load().exposure[1].config.by == "on"
    project.change("by: author", "by: 1:30")
    assert project.load().exposure[1].config.by == "1:30"


def test_what_is_composed_again_is_the_same_and_leaves_nothing_behind(project, tree):
    before = tree(project.folder)
    base = version.getbase()
    GlobalHydra.instance().clear()
    assert project.load() == project.load()
    assert tree(project.folder) == before
    assert not GlobalHydra.instance().is_initialized()
    assert version.getbase() == base


def test_threads_compose_without_minding_each_other(project):
    start = threading.Barrier(8)

    def run(number: int) -> int:
        start.wait()
        return [project.load(f"slate={number}", "triggers.co.use=hot").slate for _ in range(3)][-1]

    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(run, range(1, 9))) == list(range(1, 9))


def test_layers_come_in_order(project):
    names = [layer.name for layer in compose("scenarios/home.yaml", (), project.plugins).layers]
    assert names == ["yoorec/base", "data/demo", "home"]


def test_shipped_scenarios_and_conf_are_found():
    assert {"light", "sessions", "underlying_page"} <= set(shipped_scenarios())
    assert (core_folder("conf") / "yoorec/base.yaml").is_file()
