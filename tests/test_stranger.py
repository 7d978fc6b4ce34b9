"""A stranger's plugin, really installed into an environment of its own: written, listed, used by name, removed."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from yoorec.new_plugin import new_plugin
from yoorec.testing.project import write_project

ROOT = Path(__file__).parents[1]


@dataclass(frozen=True)
class Environment:
    """A virtual environment that holds the core and what tests install."""

    folder: Path
    uv: str

    @property
    def python(self) -> Path:
        """Its interpreter."""
        windows = self.folder / "env" / "Scripts" / "python.exe"
        return windows if windows.exists() else self.folder / "env" / "bin" / "python"

    def pip(self, *arguments: str) -> None:
        """Run ``uv pip`` on it."""
        command = [self.uv, "pip", arguments[0], "--quiet", "--python", str(self.python), *arguments[1:]]
        _run(command, self.folder)

    def run(self, *arguments: str, code: int = 0) -> str:
        """Run its interpreter from its folder, where no checkout is importable; returns what was printed."""
        return _run([str(self.python), *arguments], self.folder, code)


def _run(command: list[str], folder: Path, code: int = 0) -> str:
    clean = {name: value for name, value in os.environ.items() if name not in {"PYTHONPATH", "VIRTUAL_ENV"}}
    clean |= {"COLUMNS": "200", "NO_COLOR": "1", "PYTHONDONTWRITEBYTECODE": "1"}
    result = subprocess.run(command, cwd=folder, env=clean, capture_output=True, text=True, check=False)
    assert result.returncode == code, f"{' '.join(command)}\n{result.stdout}\n{result.stderr}"
    return result.stdout + result.stderr


@pytest.fixture(scope="module")
def environment(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Environment]:
    """An environment with the core built from the checkout, pytest, and the plugin `trending` that new_plugin wrote."""
    uv = shutil.which("uv")
    if uv is None:
        pytest.skip("uv is not installed, so no environment can be made")
    folder = tmp_path_factory.mktemp("stranger")
    made = Environment(folder, uv)
    _run([uv, "venv", "--quiet", str(folder / "env")], folder)
    written = new_plugin("trending", folder=folder)
    made.pip("install", "--refresh-package", "yoorec", "--constraint", str(_constraints(folder)), str(ROOT), "pytest")
    made.pip("install", str(written))
    yield made
    shutil.rmtree(folder / "env")


def _constraints(folder: Path) -> Path:
    """The versions that the project pins, as a constraints file."""
    pinned = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["uv"]["constraint-dependencies"]
    path = folder / "constraints.txt"
    path.write_text("\n".join(pinned) + "\n")
    return path


def test_it_is_installed_and_the_checkout_is_not_used(environment: Environment) -> None:
    found = environment.run("-c", "import yoorec, yoorec_trending; print(yoorec.__file__, yoorec_trending.__file__)")
    for path in found.split():
        assert Path(path).is_relative_to(environment.folder / "env")


def test_it_is_listed(environment: Environment) -> None:
    listed = environment.run("-m", "yoorec", "plugins")
    assert "trigger   trending     yoorec-trending 0.1.0  most often played right after the main item" in listed


def test_it_passes_its_own_tests(environment: Environment) -> None:
    tail = environment.run("-m", "pytest", "-q", "-p", "no:cacheprovider", "yoorec-trending")
    assert "passed" in tail
    assert "failed" not in tail


def test_a_scenario_uses_it_by_name(environment: Environment) -> None:
    project = write_project(environment.folder / "project", triggers={"after": {"use": "trending", "min_count": 2}})
    out = environment.folder / "report"
    printed = environment.run("-m", "yoorec", "replay", str(project.path), "--out", str(out))
    assert "hit_rate@10" in printed
    report = json.loads((out / "report.json").read_text(encoding="utf-8"))
    assert report["requests"] > 0
    assert report["variants"]["control"]["triggers"]["after"]["hit_rate@10"]["value"] > 0


def test_its_yaml_is_found_under_defaults(environment: Environment) -> None:
    project = write_project(
        environment.folder / "by_default",
        defaults=["yoorec/base", {"trigger@triggers.after": "trending"}, "_self_"],
    )
    shown = environment.run("-m", "yoorec", "show", str(project.path))
    assert "use: trending" in shown


def test_the_wheel_holds_the_templates(environment: Environment) -> None:
    printed = environment.run("-m", "yoorec", "new-plugin", "again")
    assert "wrote yoorec-again" in printed
    assert (environment.folder / "yoorec-again" / "src" / "yoorec_again" / "model.py").is_file()


def test_the_environment_lacks_what_plugins_bring(environment: Environment) -> None:
    """The core's wheel brings no trigger; a scenario that names a known one says what to install."""
    project = write_project(environment.folder / "bare", triggers={"near": {"use": "itemcf"}})
    told = environment.run("-m", "yoorec", "check", str(project.path), code=2)
    assert "try:      pip install yoorec-itemcf" in told


def test_a_wrong_key_is_named_with_the_nearest(environment: Environment) -> None:
    project = write_project(environment.folder / "wrong", triggers={"after": {"use": "trending", "min_counts": 2}})
    told = environment.run("-m", "yoorec", "check", str(project.path), code=2)
    assert "triggers.after.min_counts: 'min_counts' is not accepted here" in told
    assert "nearest:  min_count" in told


def test_it_disappears_when_it_is_uninstalled(environment: Environment) -> None:
    """Last of this file's tests on the environment: what it installs again is gone with the environment."""
    environment.pip("uninstall", "yoorec-trending")
    assert "trending" not in environment.run("-m", "yoorec", "plugins")
    project = write_project(environment.folder / "gone", triggers={"after": {"use": "trending"}})
    told = environment.run("-m", "yoorec", "check", str(project.path), code=2)
    assert "triggers.after.use: " in told
    assert "'trending'" in told
    environment.pip("install", str(environment.folder / "yoorec-trending"))
    assert "fine" in environment.run("-m", "yoorec", "check", str(project.path))
