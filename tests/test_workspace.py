"""The workspace: every plugin is part of it, every version is pinned, nothing heavy or local creeps in."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path
from typing import Any

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

import yoorec

ROOT = Path(__file__).parents[1]
PLUGINS = sorted(
    path for path in (ROOT / "plugins").iterdir() if path.is_dir() and not path.name.startswith((".", "_"))
)
HEAVY = ("tensorflow", "keras", "torch", "gensim", "faiss", "sklearn", "pyspark", "redis")


def _toml(path: Path) -> dict[str, Any]:
    return tomllib.loads(path.read_text(encoding="utf-8"))


PROJECT = _toml(ROOT / "pyproject.toml")


def _named(requirements: list[str]) -> set[str]:
    return {canonicalize_name(Requirement(text).name) for text in requirements}


# -- plugins


def test_there_are_plugins() -> None:
    assert {"yoorec-hot", "yoorec-itemcf"} <= {path.name for path in PLUGINS}


def test_every_plugin_stands_in_the_dev_group_and_in_the_sources() -> None:
    names = {path.name for path in PLUGINS}
    dev = {name for name in _named(PROJECT["dependency-groups"]["dev"]) if name.startswith("yoorec-")}
    assert dev == names
    sources = PROJECT["tool"]["uv"]["sources"]
    assert sources == {name: {"workspace": True} for name in sorted(names | {"yoorec"})}
    assert PROJECT["tool"]["uv"]["workspace"]["members"] == ["plugins/*"]
    assert "dev" in PROJECT["tool"]["uv"].get("default-groups", ["dev"])


@pytest.mark.parametrize("folder", PLUGINS, ids=lambda path: path.name)
def test_every_plugin_is_a_whole_package(folder: Path) -> None:
    module = folder.name.replace("-", "_")
    project = _toml(folder / "pyproject.toml")["project"]
    assert project["name"] == folder.name
    assert project["license"] == "Apache-2.0"
    assert project["requires-python"] == PROJECT["project"]["requires-python"]
    assert module in {value.split(":")[0] for value in project["entry-points"]["yoorec"].values()}
    major, minor = map(int, yoorec.__version__.split(".")[:2])
    assert f"yoorec>={major}.{minor},<{major}.{minor + 1}" in project["dependencies"]
    assert len((folder / "README.md").read_text(encoding="utf-8").splitlines()) > 5
    assert (folder / "src" / module / "py.typed").is_file()
    assert (folder / "src" / module / "config.py").is_file()
    assert list((folder / "tests").glob("test_contract*.py"))
    assert list((folder / "tests").glob("test_model*.py"))


@pytest.mark.parametrize("folder", PLUGINS, ids=lambda path: path.name)
def test_no_plugin_leans_on_another(folder: Path) -> None:
    dependencies = _named(_toml(folder / "pyproject.toml")["project"]["dependencies"])
    assert {name for name in dependencies if name.startswith("yoorec-")} == set()


# -- dependencies


def test_the_core_is_light() -> None:
    dependencies = _named(PROJECT["project"]["dependencies"])
    assert not {name for name in dependencies if name.startswith((*HEAVY, "scikit", "faiss"))}
    assert not {name for name in dependencies if name.startswith("yoorec")}


def test_the_version_is_said_once() -> None:
    assert PROJECT["project"]["version"] == yoorec.__version__
    assert PROJECT["project"]["requires-python"] == ">=3.11"
    assert PROJECT["project"]["license"] == "Apache-2.0"


def _needed(requirements: list[str], seen: set[str]) -> Iterator[tuple[str, str]]:
    """Name and installed version of every distribution that the requirements lead to, transitively."""
    for text in requirements:
        requirement = Requirement(text)
        extras = requirement.extras or {""}
        if requirement.marker and not any(requirement.marker.evaluate({"extra": extra}) for extra in extras):
            continue
        name = canonicalize_name(requirement.name)
        if name in seen:
            continue
        seen.add(name)
        try:
            found = distribution(name)
        except PackageNotFoundError:
            continue
        if not name.startswith("yoorec"):
            yield name, found.version
        yield from _needed(found.requires or [], seen)


def test_every_package_is_pinned_at_the_tested_version() -> None:
    """Transitive ones too: what is installed here, as far as yoorec, its plugins and the dev group lead to it."""
    pins: dict[str, str] = {}
    for text in PROJECT["tool"]["uv"]["constraint-dependencies"]:
        assert "@" not in text, f"a constraint with a URL: {text}"
        assert "://" not in text, f"a constraint with a URL: {text}"
        requirement = Requirement(text)
        (pin,) = requirement.specifier
        assert pin.operator == "==", text
        pins[canonicalize_name(requirement.name)] = pin.version
    dev = [text for text in PROJECT["dependency-groups"]["dev"] if isinstance(text, str)]
    needed = dict(_needed([*PROJECT["project"]["dependencies"], *dev], set()))
    assert needed, "no dependency is installed"
    assert {name: pins.get(name, "not pinned") for name in needed} == needed


# -- files


def _files() -> list[Path]:
    git = shutil.which("git")
    if git is None or not (ROOT / ".git").exists():
        pytest.skip("no git checkout, so there are no tracked files to look at")
    command = [git, "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    listed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    return [ROOT / name for name in listed.split("\0") if name and (ROOT / name).is_file()]


def test_no_file_names_a_machine() -> None:
    """Neither where the checkout lies nor somebody's home stands in a file."""
    homes = re.compile(r"(?<![\w.])/(?:home|Users)/\w+/|(?<![\w./])/root/\w")
    local = re.compile("|".join(rf"(?<![\w.]){re.escape(str(place))}/" for place in (ROOT, Path.home())))
    found = []
    for path in _files():
        if path == Path(__file__):
            continue
        try:
            text = path.read_text(encoding="utf-8")
        except UnicodeDecodeError:
            continue
        hits = [match[0] for match in (*homes.finditer(text), *local.finditer(text))]
        found += [f"{path.relative_to(ROOT)}: {hit}" for hit in hits]
    assert found == []


def test_no_pickle_and_no_eval() -> None:
    """In what is shipped: neither is imported or called."""
    forbidden = re.compile(
        r"^\s*(?:import|from) (?:pickle|dill|joblib|marshal|shelve)\b|(?<![\w.])(?:eval|exec)\(", re.M
    )
    sources = [*(ROOT / "yoorec").rglob("*.py"), *(ROOT / "plugins").glob("*/src/**/*.py")]
    assert sources
    found = [
        f"{path.relative_to(ROOT)}: {match[0].strip()}"
        for path in sources
        for match in forbidden.finditer(path.read_text())
    ]
    assert found == []


# -- imports


def _imported(statement: str, names: tuple[str, ...]) -> set[str]:
    """Which of the modules a fresh interpreter holds after a statement."""
    code = f"import sys\n{statement}\nprint(' '.join(name for name in {names!r} if name in sys.modules))"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return set(result.stdout.split())


def test_importing_yoorec_imports_nothing_heavy() -> None:
    heavy = ("numba", "duckdb", "hydra", "omegaconf", "pyarrow", "numpy", "pydantic", "starlette", "uvicorn", *HEAVY)
    assert _imported("import yoorec", heavy) == set()


def test_the_pytest_plugin_imports_nothing_heavy() -> None:
    assert (
        _imported("import yoorec.testing.fixtures", ("numba", "duckdb", "hydra", "pyarrow", "numpy", *HEAVY)) == set()
    )


def test_the_command_line_starts_without_the_chain() -> None:
    heavy = ("numba", "duckdb", "hydra", "pyarrow", "starlette", "uvicorn", *HEAVY)
    assert _imported("import yoorec.cli", heavy) == set()


def test_the_scene_needs_neither_duckdb_nor_hydra() -> None:
    """Reading tables and composing YAML is over once a scene is open, so the serving path imports neither."""
    assert (
        _imported("import yoorec.scene, yoorec.pipeline, yoorec.assembly, yoorec.ledger", ("duckdb", "hydra")) == set()
    )


def test_ci_runs_what_the_readme_says() -> None:
    """The commands of the README's last section, the tests last."""
    script = (ROOT / ".ci" / "run").read_text(encoding="utf-8")
    readme = (ROOT / "README.md").read_text(encoding="utf-8").split("## Developing")[1]
    for command in ("ruff check .", "ruff format --check .", "mypy --strict yoorec", "lint-imports", "uv run pytest"):
        assert command in readme
        assert command in script
    assert script.rstrip().splitlines()[-1].startswith("uv run pytest")
