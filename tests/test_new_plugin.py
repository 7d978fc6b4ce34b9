"""What `new_plugin` writes, and the names it takes; tests/test_stranger.py installs a written one."""

from __future__ import annotations

import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from yoorec import __version__
from yoorec.errors import ConfigError
from yoorec.new_plugin import new_plugin


def test_the_files_of_a_package(tmp_path: Path) -> None:
    written = new_plugin("next_play", folder=tmp_path)
    assert written == tmp_path / "yoorec-next-play"
    files = sorted(path.relative_to(written).as_posix() for path in written.rglob("*") if path.is_file())
    assert files == [
        "README.md",
        "pyproject.toml",
        "src/yoorec_next_play/__init__.py",
        "src/yoorec_next_play/conf/__init__.py",
        "src/yoorec_next_play/conf/trigger/next_play.yaml",
        "src/yoorec_next_play/config.py",
        "src/yoorec_next_play/model.py",
        "src/yoorec_next_play/py.typed",
        "tests/test_contract.py",
        "tests/test_model.py",
    ]
    for name in files:
        assert "$" not in (written / name).read_text(encoding="utf-8"), name


def test_the_build_file_names_the_entry_point_and_the_core(tmp_path: Path) -> None:
    project = tomllib.loads((new_plugin("next_play", folder=tmp_path) / "pyproject.toml").read_text())["project"]
    assert project["name"] == "yoorec-next-play"
    assert project["entry-points"] == {"yoorec": {"next_play": "yoorec_next_play"}}
    major, minor = map(int, __version__.split(".")[:2])
    assert project["dependencies"][0] == f"yoorec>={major}.{minor},<{major}.{minor + 1}"


def test_what_is_written_is_clean(tmp_path: Path) -> None:
    written = new_plugin("next_play", folder=tmp_path)
    config = Path(__file__).parents[1] / "pyproject.toml"
    for command in (["check"], ["format", "--check"]):
        ruff = [sys.executable, "-m", "ruff", *command, "--no-cache", "--config", str(config), "--ignore", "I001"]
        ruff = ruff if command == ["check"] else ruff[:-2]
        result = subprocess.run([*ruff, str(written)], capture_output=True, text=True, check=False)
        assert result.returncode == 0, result.stdout


@pytest.mark.parametrize(
    ("name", "nearest"),
    [
        ("NextPlay", "next_play"),
        ("next-play", "next_play"),
        ("yoorec-next-play", "next_play"),
        ("next play", "next_play"),
        ("_next", "next"),
        ("next_", "next"),
        ("../next", "next"),
        ("2fast", None),
        ("", None),
        ("class", None),
        ("näher", None),
    ],
)
def test_a_name_that_can_not_be_taken(tmp_path: Path, name: str, nearest: str | None) -> None:
    with pytest.raises(ConfigError) as refused:
        new_plugin(name, folder=tmp_path)
    lines = [f"name: '{name}' can't name a plugin"]
    lines += [f"  nearest:  {nearest}"] if nearest else []
    lines += ["  accepted: lower-case words of letters and digits, joined by underscores, that begin with a letter"]
    assert str(refused.value) == "\n".join(lines)
    assert list(tmp_path.iterdir()) == []


def test_a_name_that_is_taken(tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as refused:
        new_plugin("itemcf", folder=tmp_path)
    message = str(refused.value)
    assert message.startswith("name: trigger 'itemcf' is already offered by yoorec-itemcf ")
    assert message.endswith("\n  accepted: another name")


def test_nothing_is_overwritten(tmp_path: Path) -> None:
    written = new_plugin("next_play", folder=tmp_path)
    (written / "README.md").write_text("mine")
    with pytest.raises(ConfigError) as refused:
        new_plugin("next_play", folder=tmp_path)
    assert str(refused.value) == (
        f"{written}: exists already, and nothing is overwritten\n  accepted: a folder that is not there"
    )
    assert (written / "README.md").read_text() == "mine"


def test_a_kind_without_template(tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as refused:
        new_plugin("next_play", kind="triger", folder=tmp_path)
    assert str(refused.value) == ("kind: there is no template for 'triger'\n  nearest:  trigger\n  accepted: trigger")
