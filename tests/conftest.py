"""Settings of every test, and a small scene whose triggers a test may choose, put together without YAML."""

from __future__ import annotations

import importlib.util
import sys
import types
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings

from yoorec.components import ComponentSpec
from yoorec.config.scenario import FitSettings, Part, ReplaySettings, Scenario, ServeSettings, TriggerPart
from yoorec.data.dataset import Dataset
from yoorec.data.log import EventLog
from yoorec.hookspecs import hookimpl
from yoorec.plugins import Plugins, load_plugins
from yoorec.stages.configs import BackfillConfig, BlendConfig, DropSeenConfig, RoundRobinConfig, SqliteConfig
from yoorec.testing.counts import Counts, CountsConfig
from yoorec.testing.worlds import small_log

# A kernel's first call compiles it, which no deadline for one example can tell from a slow test.
settings.register_profile("kernels", deadline=None)
settings.load_profile("kernels")


@dataclass
class SmallScene:
    """What the `small_scene` fixture gives: a scenario over a small log, its plugins and its dataset."""

    scenario: Scenario
    plugins: Plugins
    log: EventLog

    @property
    def dataset(self) -> Dataset:
        """The small log as a dataset."""
        return Dataset(self.log, None, {}, "d" * 16)


@pytest.fixture
def small_scene(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., SmallScene]:
    """`small_scene({"name": TriggerClass, ...}, rules=(...), ranker="blend", timeout_ms=50)`."""

    def make(
        triggers: Mapping[str, Any] | None = None,
        *,
        rules: tuple[str, ...] = ("drop_seen",),
        ranker: str | type | None = None,
        limit: int = 30,
        timeout_ms: int | None = 50,
        weight: float = 1.0,
        observer: Any = None,
    ) -> SmallScene:
        module = types.ModuleType("small_scene_plugin")
        specs: list[ComponentSpec] = []
        parts: list[TriggerPart] = []
        for name, target in (triggers or {"counts": Counts}).items():
            setattr(module, target.__name__, target)
            spec = ComponentSpec("trigger", name, CountsConfig, f"small_scene_plugin:{target.__name__}")
            specs.append(spec)
            parts.append(TriggerPart("trigger", name, name, CountsConfig(weight), spec, limit, timeout_ms))
        if isinstance(ranker, type):
            setattr(module, ranker.__name__, ranker)
            specs.append(ComponentSpec("ranker", "own", CountsConfig, f"small_scene_plugin:{ranker.__name__}"))
        monkeypatch.setitem(sys.modules, "small_scene_plugin", module)
        source = tmp_path / "small_scene_plugin.py"
        source.write_text("# the code whose hash stands for these triggers\n")
        module.__spec__ = importlib.util.spec_from_file_location("small_scene_plugin", source)
        module.yoorec_components = hookimpl(lambda: specs)  # type: ignore[attr-defined]
        plugins = load_plugins([("small", module), *([("observer", observer)] if observer is not None else [])])

        def part(kind: Any, use: str, config: Any, name: str = "") -> Part:
            offer = plugins.get(kind, use)
            assert offer is not None
            return Part(kind, name or kind, use, config, offer.spec)

        configs = {"drop_seen": DropSeenConfig(), "backfill": BackfillConfig(parts[0].name)}
        scenario = Scenario(
            scene="small",
            slate=10,
            seed=0,
            store=tmp_path / "store",
            session_gap_ms=1_800_000,
            event_weights={"play": 1.0},
            data=part("source", "tables", None),
            profile=part("profile", "sqlite", SqliteConfig()),
            history=20,
            triggers=tuple(parts),
            merge=part("merge", "round_robin", RoundRobinConfig()),
            merge_limit=60,
            ranker=None
            if ranker is None
            else part("ranker", "own", CountsConfig())
            if isinstance(ranker, type)
            else part("ranker", ranker, BlendConfig()),
            exposure=tuple(part("exposure", each, configs[each], each) for each in rules),
            fit=FitSettings(),
            replay=ReplaySettings(),
            serve=ServeSettings(),
            path=tmp_path / "small.yaml",
            hash="0123456789abcdef",
        )
        return SmallScene(scenario, plugins, small_log())

    return make
