"""What every contract shares: configs to run over, the component's spec, and what `save` may leave behind."""

from __future__ import annotations

import zipfile
from collections.abc import Sequence
from dataclasses import MISSING, fields, is_dataclass
from functools import cache
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest
from pydantic import TypeAdapter

from yoorec.components import ComponentSpec, Kind
from yoorec.plugins import Plugins, load_plugins

__all__ = ["ComponentContract", "bytes_of", "check_saved"]


class ComponentContract:
    """Base of the contracts. Every test that takes `config` runs once for each of `configs`."""

    kind: ClassVar[Kind]
    component: ClassVar[Any]
    """The class under test."""
    configs: ClassVar[Sequence[Any]]
    """Configs to run every test with; the default one and the extremes."""

    def pytest_generate_tests(self, metafunc: pytest.Metafunc) -> None:
        """Run every test that takes `config` once for each, named by what differs from the defaults."""
        for name in ("component", "configs"):
            if not hasattr(self, name):
                raise pytest.UsageError(f"{type(self).__name__} must set `{name}`: class attributes of the contract")
        if "config" in metafunc.fixturenames:
            metafunc.parametrize("config", self.configs, ids=[_named(config) for config in self.configs])

    def spec(self) -> ComponentSpec:
        """The component's spec, found among what the installed plugins offer."""
        target = f"{self.component.__module__}:{self.component.__qualname__}"
        offered = [offer.spec for offer in _installed() if offer.spec.kind == self.kind]
        for spec in offered:
            if spec.target == target:
                return spec
        failures = "".join(f"\n{plugin}: {plugin.error}" for plugin in _installed().failures)
        pytest.fail(
            f"no installed plugin offers a {self.kind} whose target is {target}; offered are "
            f"{', '.join(spec.target for spec in offered) or 'none'}.{failures}\n"
            "Is the package installed, and does it have an entry point in group 'yoorec'?"
        )

    def test_is_found_by_its_entry_point(self) -> None:
        """An installed plugin offers the component, and its spec leads to the class."""
        spec = self.spec()
        assert spec.load() is self.component
        assert spec.name.isidentifier(), f"the name '{spec.name}' can't be a key of an override"
        assert spec.summary, "ComponentSpec.summary is empty: it is the line of `yoorec plugins`"

    def test_config_is_a_frozen_dataclass(self, config: Any) -> None:
        """A config can't change after validation, and pydantic knows each of its types."""
        spec = self.spec()
        assert isinstance(config, spec.config)
        assert is_dataclass(spec.config)
        assert spec.config.__dataclass_params__.frozen, f"{spec.config.__name__} is not frozen"  # type: ignore[attr-defined]
        assert TypeAdapter(spec.config).json_schema()["type"] == "object"


@cache
def _installed() -> Plugins:
    return load_plugins()


def _named(config: Any) -> str:
    if not is_dataclass(config):
        return repr(config)
    changed = []
    for field in fields(config):
        value = getattr(config, field.name)
        default = field.default_factory() if field.default_factory is not MISSING else field.default
        if value != default:
            changed.append(f"{field.name}={value}")
    return ",".join(changed) or "default"


def bytes_of(folder: Path) -> dict[str, bytes]:
    """What a folder holds, by relative path."""
    return {
        path.relative_to(folder).as_posix(): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()
    }


def check_saved(folder: Path) -> None:
    """Fail where a saved folder holds pickles: by name, by first bytes, in arrays, in zipped members."""
    for path in sorted(folder.rglob("*")):
        if not path.is_file():
            continue
        name = path.relative_to(folder).as_posix()
        assert path.suffix not in {".pkl", ".pickle", ".joblib", ".dill"}, f"{name} is a pickle"
        with path.open("rb") as file:
            head = file.read(2)
        assert head not in {b"\x80\x02", b"\x80\x03", b"\x80\x04", b"\x80\x05"}, f"{name} starts like a pickle"
        if path.suffix == ".npy":
            _check_array(path, name)
        elif zipfile.is_zipfile(path):
            with zipfile.ZipFile(path) as archive:
                pickles = [member for member in archive.namelist() if member.endswith((".pkl", ".pickle"))]
            assert not pickles, f"{name} holds the pickle {pickles[0]}"
            if path.suffix == ".npz":
                _check_array(path, name)


def _check_array(path: Path, name: str) -> None:
    try:
        found = np.load(path, allow_pickle=False)
        if path.suffix == ".npz":
            with found:
                for member in found.files:
                    found[member]
    except ValueError as error:
        pytest.fail(f"{name} holds Python objects, which only a pickle can carry: {error}")
