"""A scenario around any source, and where the real data lies."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from yoorec.components import ComponentSpec
from yoorec.config.scenario import FitSettings, Part, ReplaySettings, Scenario, ServeSettings
from yoorec.data.sources import yoorec_components

ROOT = Path(__file__).resolve().parents[2]
SPECS = {spec.name: spec for spec in yoorec_components()}


@pytest.fixture
def scenario() -> Callable[..., Scenario]:
    """Make a scenario: ``scenario("demo", config, rank_cut=0.8, cut=0.9)``."""

    def make(use: str, config: Any, rank_cut: Any = 0.8, cut: Any = 0.9, **settings: Any) -> Scenario:
        none = ComponentSpec("profile", "none", dict, "none:None")
        part = Part("profile", "profile", "none", None, none)
        protocol = settings.pop("protocol", "next_play")
        values: dict[str, Any] = {
            "scene": "test",
            "slate": 10,
            "seed": 0,
            "store": Path(".yoorec"),
            "session_gap_ms": 1_800_000,
            "event_weights": {"play": 1.0},
            "data": Part("source", "data", use, config, SPECS[use]),
            "profile": part,
            "history": 50,
            "triggers": (),
            "merge": part,
            "merge_limit": 100,
            "ranker": None,
            "exposure": (),
            "fit": FitSettings(rank_cut=rank_cut),
            "replay": ReplaySettings(cut=cut, protocol=protocol),
            "serve": ServeSettings(),
            "path": Path("scenarios/test.yaml"),
        }
        return Scenario(**(values | settings))

    return make


@pytest.fixture
def real() -> Callable[[str], Path]:
    """A file or folder of the real data; the test is skipped, naming it, where it is absent."""

    def find(name: str) -> Path:
        path = (ROOT / os.environ.get("YOOREC_DATA", "../shared/data") / name).resolve()
        if not path.exists():
            pytest.skip(f"no real data set {name}")
        return path

    return find
