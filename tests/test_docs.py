"""The guides: their tables are what the code says, and their blocks run."""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import tomllib
import types
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
from omegaconf import OmegaConf

from yoorec.config.compose import load_scenario
from yoorec.config.framework import SceneKeys
from yoorec.docs import TABLES, replace_between, update
from yoorec.plugins import load_plugins
from yoorec.server.process import server_process

ROOT = Path(__file__).parents[1]
GUIDES = sorted(
    path
    for pattern in ("README.md", "scenarios/README.md", "conf/README.md", "plugins/README.md", "plugins/*/README.md")
    for path in ROOT.glob(pattern)
)

COVERED: dict[str, str] = {
    "pip install uv && uv run yoorec replay scenarios/underlying_page.yaml": "tests/test_docs.py::test_the_quick_start",
    "uv run yoorec serve scenarios/underlying_page.yaml": "tests/test_docs.py::test_the_server_answers_the_curl",
    "curl -s localhost:8000/v1/recommend -H 'content-type: application/json' \\": (
        "tests/test_docs.py::test_the_server_answers_the_curl"
    ),
    "yoorec replay scenarios/underlying_page.yaml "
    '\'replay.gates=["ndcg@10 >= control", "hit_rate@10 >= 0.1"]\' --out report': (
        "tests/test_docs.py::test_the_gates_decide"
    ),
    "uv run yoorec replay scenarios/underlying_page.yaml "
    "data=movielens_1m data.path=../shared/data/movielens_1m/ml-1m.zip --out report": (
        "tests/test_docs.py::test_the_movielens_replay"
    ),
    "yoorec new-plugin trending --folder plugins": "tests/test_stranger.py::test_it_passes_its_own_tests",
    "yoorec neighbors scenarios/underlying_page.yaml --trigger item2vec --trigger itemcf "
    "--out judging --queries 20 --top 10": (
        "tests/neighbors/test_judging.py::test_the_command_writes_the_same_files_again"
    ),
    "yoorec judged judging/neighbors.json marks.json": (
        "tests/neighbors/test_browser.py::test_marks_by_click_and_keyboard_stay_and_are_saved"
    ),
    "kill -HUP 4711                                            # the server, by its process id: every scene": (
        "tests/server/test_serve.py::test_a_hang_up_reloads_and_refuses_what_is_damaged"
    ),
    "yoorec fit scenarios/underlying_page.yaml --items-only": "tests/test_cli.py::test_items_are_added_to_a_release",
    "yoorec check scenarios/underlying_page.yaml data=movielens_1m data.path=ml-1m.zip "
    "data.texts=plots.parquet data.covers=posters.parquet --data": (
        "tests/test_cli.py::test_check_reads_the_data_when_asked"
    ),
    "pip install uv && uv run pytest": "tests/test_workspace.py::test_ci_runs_what_the_readme_says",
}
"""First line of a block marked ``no-run`` to the test that covers it: ``tests/test_x.py::test_y``."""

_BLOCK = re.compile(r"^```(\w+)(?: +([\w-]+))? *\n(.*?)^```", re.MULTILINE | re.DOTALL)


@dataclass(frozen=True)
class Block:
    """A fenced block of a guide: its language, its marker, its text and the line on which the text begins."""

    guide: Path
    language: str
    marker: str
    text: str
    line: int

    def __str__(self) -> str:
        return f"{self.guide.relative_to(ROOT).as_posix()}:{self.line}"


def _blocks(*languages: str) -> list[Block]:
    found = []
    for guide in GUIDES:
        text = guide.read_text(encoding="utf-8")
        for match in _BLOCK.finditer(text):
            if match[1] in languages:
                found.append(Block(guide, match[1], match[2] or "", match[3], text[: match.start(3)].count("\n") + 1))
    return found


def _commands(block: Block) -> list[str]:
    """A block's commands: every line of a ``bash`` block, the lines after ``$`` of a ``console`` block."""
    lines = block.text.replace("\\\n", " ").splitlines()
    if block.language == "console":
        return [line[2:] for line in lines if line.startswith("$ ")]
    return [line for line in lines if line.strip() and not line.startswith("#")]


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One store for all blocks, as a reader who goes through a guide has one: what one of them fits the next finds."""
    return tmp_path_factory.mktemp("store")


@pytest.fixture
def checkout(store: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working directory with the checkout's scenarios, in which blocks run."""
    folder = tmp_path / "checkout"
    folder.mkdir()
    shutil.copytree(ROOT / "scenarios", folder / "scenarios")
    (folder / ".yoorec").symlink_to(store)
    monkeypatch.chdir(folder)
    return folder


@pytest.fixture
def thirty_lines(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The plugin of plugins/README.md, put on sys.path as pip would install it."""
    site = tmp_path / "site"
    plugin, test, build = (
        _guide_block(language, place) for language, place in (("python", 0), ("python", 1), ("toml", 0))
    )
    project = tomllib.loads(build)["project"]
    (entry,) = project["entry-points"]["yoorec"].items()
    info = site / f"{project['name'].replace('-', '_')}-{project['version']}.dist-info"
    info.mkdir(parents=True)
    (site / f"{entry[1]}.py").write_text(plugin)
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {project['name']}\nVersion: {project['version']}\n")
    (info / "entry_points.txt").write_text(f"[yoorec]\n{entry[0]} = {entry[1]}\n")
    (site / "tests").mkdir()
    (site / "tests" / "test_contract.py").write_text(f"from {entry[1]} import Same, SameConfig\n{test}")
    monkeypatch.syspath_prepend(site)
    yield site
    sys.modules.pop(entry[1], None)


def _guide_block(language: str, place: int) -> str:
    return [block for block in _blocks(language) if block.guide == ROOT / "plugins" / "README.md"][place].text


# -- tables


@pytest.mark.parametrize("guide", GUIDES, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_tables_are_what_the_code_says(guide: Path) -> None:
    name = guide.relative_to(ROOT).as_posix()
    assert update(guide, load_plugins()) == guide.read_text(encoding="utf-8"), f"run `python -m yoorec.docs {name}`"


@pytest.mark.parametrize(
    ("guide", "table"), [("README.md", "components"), ("plugins/README.md", "hooks"), ("scenarios/README.md", "keys")]
)
def test_every_table_has_its_place(guide: str, table: str) -> None:
    text = (ROOT / guide).read_text(encoding="utf-8")
    assert f"<!-- {table}:begin -->" in text
    assert table in TABLES


def test_replace_between() -> None:
    text = "before\n<!-- hooks:begin -->\nold\n<!-- hooks:end -->\nafter\n"
    new = replace_between(text, "hooks", "new\n")
    assert new == "before\n<!-- hooks:begin -->\n\nnew\n\n<!-- hooks:end -->\nafter\n"
    assert replace_between(new, "hooks", "new\n") == new


@pytest.mark.parametrize(
    "text",
    [
        "<!-- hooks:begin -->",
        "<!-- hooks:end --><!-- hooks:begin -->",
        "<!-- hooks:begin --><!-- hooks:begin --><!-- hooks:end -->",
    ],
)
def test_replace_between_broken_markers(text: str, tmp_path: Path) -> None:
    guide = tmp_path / "README.md"
    guide.write_text(text)
    with pytest.raises(ValueError) as refused:
        update(guide, load_plugins())
    assert str(refused.value) == (
        "the text must hold <!-- hooks:begin --> and <!-- hooks:end -->, once each and in this order"
    )


# -- blocks


@pytest.mark.parametrize("block", _blocks("yaml"), ids=str)
@pytest.mark.usefixtures("thirty_lines")
def test_yaml_blocks_compose(block: Block, checkout: Path) -> None:
    """A whole scenario composes as it stands, one section of it within a small scenario, a data config under `data`."""
    if block.marker == "no-run":
        return
    own = OmegaConf.to_container(OmegaConf.create(block.text))
    assert isinstance(own, dict)
    known = {name.rstrip("_") for name in SceneKeys.__dataclass_fields__} | SECTION_NAMES
    path = checkout / "scenarios" / "of_a_guide.yaml"
    if "scene" in own or "defaults" in own:
        path.write_text(block.text)
    elif "use" in own:
        path.write_text(_small({"data": own}))
    else:
        assert own.keys() <= known, f"marks neither a scenario nor a data config: {', '.join(own)}"
        path.write_text(_small(own))
    scenario = load_scenario(path)
    assert scenario.triggers


SECTION_NAMES = {"defaults", "data", "profile", "triggers", "merge", "ranker", "exposure", "fit", "replay", "serve"}


def _small(own: dict[Any, Any]) -> str:
    scenario = {
        "defaults": ["yoorec/base", *([] if "data" in own else [{"data": "demo"}]), "_self_"],
        "scene": "of_a_guide",
        "triggers": {"hot": {"use": "hot"}, "itemcf": {"use": "itemcf"}},
        **own,
    }
    return OmegaConf.to_yaml(OmegaConf.create(scenario))


@pytest.mark.parametrize("guide", GUIDES, ids=lambda path: path.relative_to(ROOT).as_posix())
@pytest.mark.usefixtures("checkout")
def test_python_blocks_run(guide: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """All of a guide's blocks, one after the other in one namespace; the tests among them are collected, not run."""
    module = types.ModuleType("of_a_guide")
    monkeypatch.setitem(sys.modules, "of_a_guide", module)  # where dataclasses look their module up
    for block in _blocks("python"):
        if block.guide == guide and block.marker != "no-run":
            code = compile("\n" * (block.line - 1) + block.text, str(guide), "exec", dont_inherit=True)
            exec(code, vars(module))  # noqa: S102 - our own guide
    capsys.readouterr()


@pytest.mark.parametrize("block", _blocks("bash", "console"), ids=str)
def test_commands_run(block: Block, checkout: Path) -> None:
    """Commands of yoorec run as they stand; others, and those that would run for long, are marked ``no-run``."""
    if block.marker == "no-run":
        return
    commands = _commands(block)
    assert commands, "a block without a command"
    for command in commands:
        words = shlex.split(command.split(" #")[0])
        words = words[2:] if words[:2] == ["uv", "run"] else words
        if words[:2] == ["pip", "install"] and len(words) > 2:
            ours = {"yoorec", *(path.name for path in (ROOT / "plugins").iterdir())}
            assert set(words[2:]) <= ours, f"'{command}' installs what is not ours"
            continue
        assert words[0] == "yoorec", (
            f"'{command}' is no command of yoorec: mark its block no-run and cover it by a test"
        )
        result = subprocess.run(
            [sys.executable, "-m", *words], cwd=checkout, capture_output=True, text=True, timeout=600, check=False
        )
        assert result.returncode == 0, f"{command}\n{result.stdout}\n{result.stderr}"


def test_what_does_not_run_is_covered_by_a_test() -> None:
    unrun = {
        block.text.splitlines()[0]: block
        for block in _blocks("bash", "console", "python", "yaml")
        if block.marker == "no-run"
    }
    assert sorted(unrun) == sorted(COVERED), "COVERED lists exactly the blocks marked no-run, by their first line"
    for test in COVERED.values():
        path, _, name = test.partition("::")
        assert re.search(rf"def {re.escape(name)}\(", (ROOT / path).read_text(encoding="utf-8")), test


def test_every_marker_is_known() -> None:
    for block in _blocks("bash", "console", "python", "yaml", "toml"):
        assert block.marker in {"", "no-run"}, str(block)


# -- what the README shows


def _readme_block(language: str, marks: str) -> str:
    (block,) = [each for each in _blocks(language) if each.guide == ROOT / "README.md" and marks in each.text]
    return block.text


def _yoorec(checkout: Path, *words: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "yoorec", *words]
    wide = {**os.environ, "COLUMNS": "110"}  # as the README's tables were printed
    return subprocess.run(command, cwd=checkout, capture_output=True, text=True, timeout=600, check=False, env=wide)


def test_the_readme_shows_the_scenario_whole() -> None:
    shown = _readme_block("yaml", "scene:")
    assert shown == (ROOT / "scenarios" / "underlying_page.yaml").read_text(encoding="utf-8")


def _shape(text: str) -> list[str]:
    """Lines with every figure replaced by #, and runs of blanks by one."""
    figures = re.sub(r"[-+±]?\d[\d,.]*", "#", text)
    return [" ".join(line.split()) for line in figures.splitlines() if line.strip()]


def test_the_quick_start(checkout: Path) -> None:
    """The replay ends with the table that the README shows, figures aside."""
    (command,) = [first for first in COVERED if first.startswith("pip install uv && uv run yoorec replay ")]
    result = _yoorec(checkout, *shlex.split(command)[7:])
    assert result.returncode == 0, result.stderr
    shown = _shape(_readme_block("text", "against control"))
    printed = _shape(result.stdout)
    assert [line for line in shown if line not in printed] == []


def test_the_gates_decide(checkout: Path) -> None:
    (command,) = [first for first in COVERED if "replay.gates=" in first]
    words = shlex.split(command)[1:]
    result = _yoorec(checkout, *words)
    report = json.loads((checkout / "report" / "report.json").read_text(encoding="utf-8"))
    assert (checkout / "report" / "report.html").is_file()
    assert len(report["gates"]) > 1
    assert result.returncode == (0 if all(gate["passed"] for gate in report["gates"]) else 3), result.stderr
    strict = [
        word if not word.startswith("replay.gates=") else 'replay.gates=["hit_rate@10 >= 0.99"]' for word in words
    ]
    assert _yoorec(checkout, *strict).returncode == 3


def test_the_movielens_replay(checkout: Path) -> None:
    (command,) = [first for first in COVERED if first.startswith("uv run yoorec replay") and "movielens_1m" in first]
    archive = Path(os.environ.get("YOOREC_DATA", ROOT.parent / "shared" / "data")) / "movielens_1m" / "ml-1m.zip"
    if not archive.is_file():
        pytest.skip("the data set movielens_1m is not there")
    words = [f"data.path={archive}" if word.startswith("data.path=") else word for word in shlex.split(command)[3:]]
    quick = ["triggers.item2vec.epochs=1", "triggers.tdm.epochs=1", "triggers.tdm.rounds=1", "triggers.tdm.per_user=5"]
    quick += ["fit.rank_requests=1000", "ranker.epochs=1"]
    result = _yoorec(checkout, *words, *quick, "--requests", "200")
    assert result.returncode == 0, result.stderr
    assert json.loads((checkout / "report" / "report.json").read_text(encoding="utf-8"))["requests"] == 200


def test_the_server_answers_the_curl(checkout: Path) -> None:
    """What the README serves answers what it sends."""
    (body,) = re.findall(r"-d '(\{.*\})'", _readme_block("bash", "curl "))
    with server_process(["scenarios/underlying_page.yaml"]) as (address, _):
        headers = {"content-type": "application/json"}
        answer = httpx.post(f"{address}/v1/recommend", content=body, headers=headers)
        assert answer.status_code == 200, answer.text
        assert len(answer.json()["items"]) == json.loads(body)["k"]
        assert answer.json()["ledger"]


# -- the plugin of the author's guide


def test_the_thirty_lines_are_about_thirty() -> None:
    lines = [line for line in _guide_block("python", 0).splitlines() if line.strip()]
    assert len(lines) <= 35


def test_the_thirty_lines_pass_their_contract(thirty_lines: Path) -> None:
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--import-mode=importlib", "tests"]
    environment = {
        "PYTHONPATH": str(thirty_lines),
        "PYTHONDONTWRITEBYTECODE": "1",
        "PATH": "",
        "HOME": str(thirty_lines),
    }
    result = subprocess.run(command, cwd=thirty_lines, env=environment, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stdout + result.stderr
    passed = int(re.findall(r"(\d+) passed", result.stdout)[0])
    assert passed > 50


def test_the_guides_fixture_block_holds(yoorec_project: Any) -> None:
    names: dict[str, Any] = {}
    (block,) = [each for each in _blocks("python") if "def test_in_a_scenario(" in each.text]
    exec(block.text, names)  # noqa: S102 - our own guide
    names["test_in_a_scenario"](yoorec_project)
