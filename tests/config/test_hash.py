"""The hash covers what decides a list, and nothing else."""

from __future__ import annotations

import pytest

from yoorec.config.compose import load_scenario


@pytest.mark.parametrize(
    "override",
    [
        "store=elsewhere",
        "serve.port=9",
        "serve={deadlines: false}",
        "replay.threads=3",
        "replay.batch=5",
        "replay.resamples=500",
        "replay.metrics=[mrr@3]",
        "replay.gates=['mrr@3 > 0.1']",
        "fit.threads=3",
        "fit.engine=spark",
        "fit.spark.master=yarn",
        "fit.spark={memory: 3g}",
        "triggers.hot.timeout=9s",
        "triggers.hot.timeout=null",
        "variants={a: ['slate=3']}",
        "triggers.hot.half_life=24h",
        "exposure.spread.max=2",
        "merge.share.co=5e-1",
    ],
)
def test_what_decides_no_list_leaves_the_hash(project, override):
    assert project.load(override).hash == project.load().hash


@pytest.mark.parametrize(
    "override",
    [
        "scene=other",
        "slate=9",
        "seed=1",
        "session_gap=1h",
        "event_weights.like=0.5",
        "data.seed=8",
        "profile.history=9",
        "triggers.hot.limit=51",
        "triggers.hot.half_life=2d",
        "merge.limit=9",
        "merge.share.co=0.4",
        "ranker=null",
        "exposure.spread.max=3",
        "exposure.drop_seen=null",
        "fit.rank_cut=0.7",
        "fit.rank_requests=10",
        "replay.cut=0.95",
        "replay.truth=rest",
    ],
)
def test_what_decides_a_list_changes_the_hash(project, override):
    assert project.load(override).hash != project.load().hash


def test_form(project):
    found = project.load().hash
    assert len(found) == 16
    assert int(found, 16) >= 0


def test_order_of_triggers_counts_and_order_of_keys_does_not(project):
    found = project.load().hash
    project.change("hot: {use: hot, limit: 50}", "hot: {limit: 50, use: hot}")
    assert project.load().hash == found
    lines = "  hot: {use: hot, limit: 50}\n  co: {use: coplay, neighbors: 9}\n"
    project.change(lines, "".join(reversed(lines.splitlines(keepends=True))))
    assert project.load().hash != found


def test_place_of_the_data_does_not_count_and_its_name_does(project):
    one, other = "data={use: files, path: /here/log.csv}", "data={use: files, path: there/log.csv}"
    for text in (one, other):
        project.write("conf/data/mine.yaml", "use: files\npath: ???\n")
        assert (
            project.load("data=mine", f"data.path={text.split('path: ')[1].rstrip('}')}").hash
            == project.load("data=mine", "data.path=log.csv").hash
        )
    assert project.load("data=mine", "data.path=log2.csv").hash != project.load("data=mine", "data.path=log.csv").hash


def test_same_scenario_in_another_folder_has_the_same_hash(project, tmp_path, monkeypatch):
    before = project.load().hash
    other = tmp_path / "deep" / "er"
    (other / "scenarios").mkdir(parents=True)
    (other / "scenarios/home.yaml").write_text((project.folder / "scenarios/home.yaml").read_text())
    monkeypatch.chdir(other)
    assert load_scenario("scenarios/home.yaml", (), project.plugins).hash == before


def test_plain_is_what_was_resolved(project):
    plain = project.load("triggers.hot.half_life=90m").plain
    assert plain["triggers"]["hot"] == {
        "use": "hot",
        "limit": 50,
        "timeout": "50ms",
        "half_life": "90m",
        "bound": "wilson",
    }
    assert plain["exposure"][2] == {"use": "backfill", "id": "backfill", "from": "hot"}
    assert plain["merge"] == {"use": "quota", "limit": 400, "share": {"co": 0.5}}
