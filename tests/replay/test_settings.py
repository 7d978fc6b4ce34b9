"""The keys of replay that choose what is reported and what is masked: what they accept, and what they decide."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from yoorec.config.compose import load_scenario
from yoorec.config.scenario import MaskSettings
from yoorec.errors import ConfigError
from yoorec.plugins import Plugins
from yoorec.testing.counts import Counts, FewestFirst
from yoorec.testing.project import write_project


@pytest.fixture
def load(small_scene: Any, tmp_path: Path) -> Any:
    plugins: Plugins = small_scene({"most": Counts, "fewest": FewestFirst}).plugins
    triggers = {"most": {"use": "most"}, "fewest": {"use": "fewest"}}
    project = write_project(tmp_path / "project", triggers=triggers)
    return lambda *overrides: load_scenario(project.path, overrides, plugins)


def test_nothing_is_masked_and_slices_are_told_unless_asked_otherwise(load: Any) -> None:
    replay = load().replay
    assert (replay.slices, replay.baseline, replay.mask) == (True, None, None)
    assert load("replay.mask={items: 0.1}").replay.mask == MaskSettings(0.1, 86_400_000, 0.0, 5, 0)
    mask = "{items: 0.1, keep: 90m, users: 0.2, plays: 0, seed: 7}"
    found = load(f"replay.mask={mask}", "replay.baseline=most")
    assert found.replay.mask == MaskSettings(0.1, 5_400_000, 0.2, 0, 7)
    assert found.plain["replay"]["mask"] == {"items": 0.1, "keep": "90m", "users": 0.2, "plays": 0, "seed": 7}
    assert found.replay.baseline == "most"


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (
            ["replay.baseline=mots"],
            "command line: replay.baseline: 'mots' names no trigger of this scenario\n"
            "  nearest:  most\n  accepted: most, fewest",
        ),
        (
            ["replay.baseline=most", "triggers.most=null"],
            "command line: replay.baseline: the trigger 'most' is switched off\n  accepted: fewest",
        ),
        (
            ["replay.mask={items: 1.5}"],
            "command line: replay.mask.items: 1.5 is out of range\n  accepted: a number, at least 0, at most 1",
        ),
        (
            ["replay.mask={user: 0.5}"],
            "command line: replay.mask.user: 'user' is not accepted here\n"
            "  nearest:  users\n  accepted: items, keep, plays, seed, users",
        ),
        (
            ["replay.mask={items: 0.5, keep: 24}"],
            "command line: replay.mask.keep: 24 is not a duration\n  accepted: a duration such as 90s, 30m, 12h or 7d",
        ),
    ],
)
def test_what_is_not_accepted(load: Any, overrides: list[str], message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        load(*overrides)
    assert str(caught.value) == message


def test_a_mask_decides_lists_and_what_is_reported_does_not(load: Any) -> None:
    hashed = load().hash
    assert load("replay.slices=false").hash == load("replay.baseline=most").hash == hashed
    masked = load("replay.mask={items: 0.1}").hash
    assert len({hashed, masked, load("replay.mask={items: 0.2}").hash, load("replay.mask={users: 0.1}").hash}) == 4
