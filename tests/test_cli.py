"""The command line as a user types it: in a folder of their own, on a small demo world."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from yoorec.cli import main

SCENARIO = """
defaults: [yoorec/base, {data: demo}, _self_]
scene: small
data: {users: 300, items: 150, days: 6}
triggers:
  hot: {use: hot, limit: 30}
  itemcf: {use: itemcf, limit: 50}
ranker: {use: blend}
exposure:
  - {use: drop_seen}
  - {use: backfill, from: hot}
replay: {resamples: 100}
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "small.yaml").write_text(SCENARIO)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def run(*arguments: str) -> Result:
    return CliRunner().invoke(main, arguments, catch_exceptions=False)


def test_help_shows_the_commands_in_the_order_one_meets_them() -> None:
    lines = run("--help").output.splitlines()
    commands = [line.split()[0] for line in lines[lines.index("Commands:") + 1 :] if line.strip()]
    assert commands == [
        *("check", "show", "fit", "replay", "serve", "parity", "neighbors", "judged"),
        *("plugins", "artifacts", "new-plugin"),
    ]


@pytest.mark.parametrize(
    "command",
    [
        *("check", "show", "fit", "replay", "serve", "parity", "neighbors", "judged"),
        *("plugins", "new-plugin", "artifacts"),
    ],
)
def test_every_help_text_has_an_example(command: str) -> None:
    assert f"yoorec {command}" in run(command, "--help").output.split("Options:")[0].split("\n", 1)[1]


def test_check_names_scene_and_hash_and_touches_no_data(folder: Path) -> None:
    result = run("check", "small.yaml", "slate=5")
    assert result.exit_code == 0
    assert "scene 'small' is fine: triggers hot, itemcf; hash " in result.output
    assert not (folder / ".yoorec").exists()


def test_mistakes_are_told_on_standard_error_and_exit_2(folder: Path) -> None:
    result = run("check", "small.yaml", "slat=5", "triggers.itemcf.neighbours=9")
    assert result.exit_code == 2
    assert result.stdout == ""
    assert result.stderr.splitlines()[0].startswith("command line: ")
    assert "nearest:  slate" in result.stderr
    assert "nearest:  neighbors" in result.stderr
    assert result.stderr.splitlines()[-1] == "2 problems"


def test_show_composes_and_names_origins(folder: Path) -> None:
    plain = run("show", "small.yaml", "slate=7").output
    assert "slate: 7" in plain
    assert "half_life: 12h" in plain
    origins = run("show", "small.yaml", "slate=7", "--origins").output
    assert [line for line in origins.splitlines() if line.startswith("slate: 7") and "slate=7" in line[8:]]
    assert [line for line in origins.splitlines() if "triggers.hot.limit: 30" in line and "small.yaml" in line]
    assert json.loads(run("show", "small.yaml", "--schema").output)["type"] == "object"


def test_fit_replay_and_artifacts(folder: Path) -> None:
    first = run("fit", "small.yaml")
    assert first.exit_code == 0
    assert first.output.count("fitted in") == 7
    assert run("fit", "small.yaml").output.count("unchanged") == 7
    assert run("artifacts", "verify").output == "7 artifacts, 0 problems\n"
    result = run("replay", "small.yaml", "--out", "report", "--requests", "100")
    assert result.exit_code == 0
    assert "ndcg@10" in result.output
    assert "itemcf" in result.output
    assert json.loads((folder / "report" / "report.json").read_text())["requests"] == 100
    assert sorted(path.name for path in folder.iterdir()) == [".yoorec", "report", "small.yaml"]
    damaged = next(folder.glob(".yoorec/artifacts/trigger-itemcf/*/*.npy"))
    damaged.write_bytes(b"broken")
    verified = run("artifacts", "verify")
    assert verified.exit_code == 1
    assert f"{damaged.relative_to(folder)}: is not what was published" in verified.stderr


def test_prune_removes_what_no_release_uses(folder: Path) -> None:
    run("fit", "small.yaml")
    run("replay", "small.yaml", "triggers.itemcf.neighbors=5", "--requests", "20")
    assert "removed 3 artifacts" in run("artifacts", "prune").output
    assert run("fit", "small.yaml").output.count("unchanged") == 7
    assert run("artifacts", "prune", "--keep", "soon").exit_code == 2


def test_check_reads_the_data_when_asked(folder: Path) -> None:
    plain = run("check", "small.yaml")
    assert plain.output.count("\n") == 1
    (folder / "plots.csv").write_text("item_id,plot\nv000,of one\nnobody,of none\n")
    result = run("check", "small.yaml", "data.texts=plots.csv", "--data")
    assert result.exit_code == 0
    assert "  items.plot: string, 1 values\n" in result.output
    assert "  texts: 1 rows are of items that neither items nor events know, such as nobody\n" in result.output
    refused = run("check", "small.yaml", "exposure=[{use: spread, by: authr}]", "--data")
    assert refused.exit_code == 2
    assert refused.stderr.startswith("small.yaml: exposure.spread: items: no column 'authr'; nearest: author")


def test_items_are_added_to_a_release(folder: Path) -> None:
    assert run("fit", "small.yaml", "--items-only", "--production").exit_code == 2
    missing = run("fit", "small.yaml", "--items-only")
    assert missing.exit_code == 2 and "has no release to add items to: run `yoorec fit`" in missing.stderr
    run("fit", "small.yaml")
    added = run("fit", "small.yaml", "--items-only")
    assert added.exit_code == 0
    assert added.output.split()[0] == "catalogue"


def test_failing_gate_exits_3(folder: Path) -> None:
    passing = run("replay", "small.yaml", 'replay.gates=["hit_rate@10 >= 0.0"]', "--requests", "50")
    assert passing.exit_code == 0
    failing = run("replay", "small.yaml", 'replay.gates=["hit_rate@10 >= 0.99"]', "--requests", "50")
    assert failing.exit_code == 3
    assert "FAIL" in failing.output


def test_sweep_writes_a_report_a_run(folder: Path) -> None:
    result = run("replay", "small.yaml", "-m", "triggers.itemcf.half_life=30m,2h", "slate=10", "--out", "swept")
    assert result.exit_code == 0
    assert "triggers.itemcf.half_life=30m" in result.output
    assert sorted(path.name for path in (folder / "swept").iterdir()) == ["0", "1"]
    assert (folder / "swept" / "1" / "report.json").exists()
    assert not (folder / "multirun").exists()
    assert not (folder / "outputs").exists()


def test_plugins_lists_distributions(folder: Path) -> None:
    output = run("plugins").output
    assert "yoorec-itemcf 0.1.0" in output
    assert "drop_seen" in output


def test_scenario_that_is_not_there_is_named(folder: Path) -> None:
    result = run("check", "smal.yaml")
    assert result.exit_code == 2
    assert "smal.yaml" in result.stderr


def test_rule_that_leaves_itself_out_is_told(folder: Path) -> None:
    rules = "exposure=[{use: drop_seen}, {use: spread, by: nowhere, optional: true}, {use: backfill, from: hot}]"
    result = run("replay", "small.yaml", rules, "--requests", "20", "--out", "report")
    assert result.exit_code == 0, result.output
    assert "exposure.spread: left out: no item has the column 'nowhere'" in result.output
    notes = json.loads((folder / "report" / "report.json").read_text())["variants"]["control"]["notes"]
    assert notes == {"exposure.spread": "left out: no item has the column 'nowhere'"}
    refused = run("replay", "small.yaml", rules.replace(", optional: true", ""), "--requests", "20")
    assert refused.exit_code == 2
    assert refused.stderr.startswith("small.yaml: exposure.spread: items: no column 'nowhere'")
