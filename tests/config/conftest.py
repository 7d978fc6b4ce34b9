"""A plugin of its own, so that no message here depends on the keys of the components that ship."""

from __future__ import annotations

import textwrap
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from importlib.metadata import EntryPoint
from pathlib import Path
from typing import Annotated, Literal

import pytest
from annotated_types import Ge, Gt

import yoorec.plugins
from yoorec.components import ComponentSpec
from yoorec.config.compose import load_scenario
from yoorec.config.types import Count, DataPath, Duration, ItemColumn, Share, TriggerName, duration_ms
from yoorec.errors import ConfigError
from yoorec.hookspecs import hookimpl
from yoorec.plugins import Plugins, load_plugins


@dataclass(frozen=True, slots=True)
class HotConfig:
    """Popular items."""

    half_life: Duration = duration_ms("1d")
    """Plays count half after this."""
    bound: Literal["wilson", "mean"] = "wilson"
    """How quality is bounded."""


@dataclass(frozen=True, slots=True)
class Damping:
    """Nested keys."""

    users: bool = True
    power: Annotated[float, Ge(0)] = 0.5


@dataclass(frozen=True, slots=True)
class CoPlayConfig:
    """Items played together."""

    half_life: Duration | None = duration_ms("10m")
    """Gap at which a pair counts half; null: no decay."""
    neighbors: Annotated[int, Ge(1)] = 50
    """Similar items kept."""
    damping: Damping = Damping()
    """Corrections."""
    fields: tuple[str, ...] = ()
    """Columns to read."""


@dataclass(frozen=True, slots=True)
class Empty:
    """No keys."""


@dataclass(frozen=True, slots=True)
class QuotaConfig:
    share: Mapping[TriggerName, Share] = field(default_factory=dict)
    """Share of the places by trigger."""

    def __post_init__(self) -> None:
        if sum(self.share.values()) > 1:
            raise ValueError("shares add up to more than 1")


@dataclass(frozen=True, slots=True)
class RrfConfig:
    constant: Annotated[float, Gt(0)] = 60.0


@dataclass(frozen=True, slots=True)
class SpreadConfig:
    by: ItemColumn
    max: Count = 2
    window: Count = 5


@dataclass(frozen=True, slots=True)
class BackfillConfig:
    from_: TriggerName
    """Trigger that fills."""


@dataclass(frozen=True, slots=True)
class DemoConfig:
    users: int = 10
    items: int = 10
    days: int = 2
    seed: int = 0
    draw: bool = False


@dataclass(frozen=True, slots=True)
class FilesConfig:
    path: DataPath
    """The file."""
    more: tuple[DataPath, ...] = ()
    """Further files."""
    columns: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    names: Literal["own"] | DataPath = "own"
    """Names of its own, or a file of them."""


class Offers:
    """What a plugin module would hold."""

    @staticmethod
    @hookimpl
    def yoorec_components() -> list[ComponentSpec]:
        return [
            ComponentSpec("source", "demo", DemoConfig, "nowhere:Demo", "a made-up world"),
            ComponentSpec("source", "files", FilesConfig, "nowhere:Files"),
            ComponentSpec("profile", "sqlite", Empty, "nowhere:Sqlite"),
            ComponentSpec("trigger", "hot", HotConfig, "nowhere:Hot"),
            ComponentSpec("trigger", "coplay", CoPlayConfig, "nowhere:CoPlay"),
            ComponentSpec("merge", "round_robin", Empty, "nowhere:RoundRobin"),
            ComponentSpec("merge", "quota", QuotaConfig, "nowhere:Quota"),
            ComponentSpec("merge", "rrf", RrfConfig, "nowhere:Rrf"),
            ComponentSpec("ranker", "blend", Empty, "nowhere:Blend"),
            ComponentSpec("exposure", "drop_seen", Empty, "nowhere:DropSeen"),
            ComponentSpec("exposure", "spread", SpreadConfig, "nowhere:Spread"),
            ComponentSpec("exposure", "backfill", BackfillConfig, "nowhere:Backfill"),
            *(
                ComponentSpec("metric", name, Empty, "nowhere:Metric")
                for name in ("hit_rate", "ndcg", "mrr", "recall", "coverage")
            ),
        ]


HOME = """\
defaults:
  - yoorec/base
  - data: demo
  - _self_

scene: home

triggers:
  hot: {use: hot, limit: 50}
  co: {use: coplay, neighbors: 9}

merge: {use: quota, share: {co: 0.5}}
ranker: {use: blend}
exposure:
  - {use: drop_seen}
  - {use: spread, by: author}
  - {use: backfill, from: hot}
"""


@pytest.fixture
def plugins(monkeypatch: pytest.MonkeyPatch) -> Plugins:
    """Only the plugin above, and one whose import fails."""
    broken = EntryPoint("broken", "nosuchmodule_of_yoorec", "yoorec")
    monkeypatch.setattr(yoorec.plugins, "entry_points", lambda group: [broken])
    return load_plugins(extra=[("test", Offers)])


class Project:
    """A user's folder: `scenarios/home.yaml`, and whatever a test writes beside it; the working directory."""

    def __init__(self, folder: Path, plugins: Plugins) -> None:
        self.folder = folder
        self.plugins = plugins
        self.write("scenarios/home.yaml", HOME)

    def write(self, path: str, text: str) -> Path:
        file = self.folder / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(textwrap.dedent(text))
        return file

    def change(self, old: str, new: str) -> None:
        assert old in HOME
        self.write("scenarios/home.yaml", HOME.replace(old, new))

    def load(self, *overrides: str, path: str = "scenarios/home.yaml", variant: str | None = None):
        return load_scenario(path, overrides, self.plugins, variant=variant)

    def message(self, *overrides: str, path: str = "scenarios/home.yaml") -> str:
        with pytest.raises(ConfigError) as caught:
            self.load(*overrides, path=path)
        return str(caught.value)


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, plugins: Plugins) -> Project:
    monkeypatch.chdir(tmp_path)
    return Project(tmp_path, plugins)


@pytest.fixture
def tree() -> Callable[[Path], list[str]]:
    """Every file and folder below one, for what a call may not leave behind."""
    return lambda folder: sorted(str(path.relative_to(folder)) for path in folder.rglob("*"))
