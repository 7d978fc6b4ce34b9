"""The code fingerprint sees what decides an artifact, wherever it stands."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from yoorec.code import code_hash
from yoorec.components import ComponentSpec
from yoorec.config.scenario import Part
from yoorec.data.fingerprint import fingerprint_of
from yoorec.errors import PluginError


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A stranger's package `stranger_source` of two modules."""
    folder = tmp_path / "stranger_source"
    folder.mkdir()
    (folder / "__init__.py").write_text("")
    (folder / "deep").mkdir()
    (folder / "deep" / "reading.py").write_text("ROWS = 1\n")
    monkeypatch.syspath_prepend(tmp_path)
    code_hash.cache_clear()
    yield folder
    code_hash.cache_clear()


def test_hash_stays_while_the_sources_do(package: Path) -> None:
    first = code_hash("stranger_source.deep.reading:Source")
    code_hash.cache_clear()
    assert code_hash("stranger_source:Other") == first


@pytest.mark.parametrize("change", ["edit", "rename", "add"])
def test_hash_follows_the_sources(package: Path, change: str) -> None:
    first = code_hash("stranger_source:Source")
    module = package / "deep" / "reading.py"
    if change == "edit":
        module.write_text("ROWS = 2\n")
    elif change == "rename":
        module.rename(package / "reading.py")
    else:
        (package / "more.py").write_text("")
    code_hash.cache_clear()
    assert code_hash("stranger_source:Source") != first


def test_missing_package_is_named() -> None:
    with pytest.raises(PluginError, match="no_such_package:X: the package 'no_such_package' can't be found"):
        code_hash("no_such_package:X")


@dataclass(frozen=True)
class _Config:
    """Reads nothing."""


class _Source:
    def files(self) -> list[Path]:
        return []


def test_edited_source_of_a_plugin_changes_the_data_fingerprint(package: Path, small_scene: Any) -> None:
    spec = ComponentSpec("source", "stranger", _Config, "stranger_source.deep.reading:Source")
    scenario = replace(small_scene().scenario, data=Part("source", "data", "stranger", _Config(), spec))
    first = fingerprint_of(scenario, _Source())  # type: ignore[arg-type]
    (package / "deep" / "reading.py").write_text("ROWS = 2\n")
    code_hash.cache_clear()
    assert fingerprint_of(scenario, _Source()) != first  # type: ignore[arg-type]
