"""Parity over a real server process, with plugins that it must catch."""

import json
import os
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from yoorec.artifacts.store import Store
from yoorec.config.compose import load_scenario
from yoorec.errors import ConfigError, YoorecError
from yoorec.parity import ParityReport, parity
from yoorec.plugins import load_plugins
from yoorec.testing.project import Project

PLUGIN = """
import os
from dataclasses import dataclass

import numpy as np

from yoorec.components import ComponentSpec
from yoorec.hookspecs import hookimpl
from yoorec.testing.counts import Counts, CountsConfig


class Sound(Counts):
    pass


class BatchDependent(Counts):
    '''Its best item's score rises by one bit when it is asked alone.'''

    def recall(self, requests, k):
        found = super().recall(requests, k)
        if len(requests) == 1 and len(found.score):
            found.score[0] = np.nextafter(found.score[0], np.float32(np.inf))
        return found


class Reversing(Counts):
    '''Finds other items when it is asked alone.'''

    def recall(self, requests, k):
        if len(requests) > 1:
            return super().recall(requests, k)
        found = super().recall(requests, k + 2)
        return found.rows(np.arange(2, len(found.item)), np.array([0, len(found.item) - 2]))


class Raising(Counts):
    def recall(self, requests, k):
        raise OSError("disk gone")


@hookimpl
def yoorec_components():
    return [
        ComponentSpec("trigger", name, CountsConfig, f"strange:{target.__name__}")
        for name, target in {
            "sound": Sound, "batch_dependent": BatchDependent, "reversing": Reversing, "raising": Raising
        }.items()
    ]
"""

Compare = Callable[..., ParityReport]


@pytest.fixture
def compare(tmp_path: Path, yoorec_project: Callable[..., Project], monkeypatch: pytest.MonkeyPatch) -> Compare:
    """`compare("sound", ...)`: parity of a scenario with these triggers, from a plugin that only this test sees."""
    site = tmp_path / "site"
    (site / "strange-0.1.dist-info").mkdir(parents=True)
    (site / "strange.py").write_text(PLUGIN)
    (site / "strange-0.1.dist-info" / "METADATA").write_text("Metadata-Version: 2.1\nName: strange\nVersion: 0.1\n")
    (site / "strange-0.1.dist-info" / "entry_points.txt").write_text("[yoorec]\nstrange = strange\n")
    (site / "strange-0.1.dist-info" / "RECORD").write_text("strange.py,,\n")
    monkeypatch.syspath_prepend(site)
    monkeypatch.delitem(sys.modules, "strange", raising=False)
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(filter(None, [str(site), os.environ.get("PYTHONPATH", "")])))
    monkeypatch.chdir(tmp_path)

    def run(*triggers: str, **options: int) -> ParityReport:
        sections = {name: {"use": name, "limit": 30} for name in triggers}
        project = yoorec_project(triggers=sections, exposure=[{"use": "drop_seen"}])
        plugins = load_plugins()
        return parity(load_scenario(project.path, (), plugins), plugins, **{"requests": 40, **options})

    return run


def test_sound_chain_has_no_differences(compare: Compare) -> None:
    report = compare("sound", requests=50, concurrency=4)
    assert report.differences == ()
    assert report.passed
    assert (report.logged, report.planted) == (50, 12)
    assert str(report) == (
        f"scene 'small' ({report.scenario_hash}): 0 differences over 62 requests (50 logged, 12 planted), "
        "each singly and 4 at a time"
    )


def test_score_that_depends_on_its_batch_is_caught_with_both_ledgers(compare: Compare) -> None:
    report = compare("batch_dependent")
    assert not report.passed
    singly = [each for each in report.differences if each.phase == "singly"]
    assert len(singly) == report.logged + report.planted
    first = singly[0]
    assert "replay's score is" in first.reason
    assert first.ledgers is not None
    ours, theirs = first.ledgers
    assert ours[0]["item_id"] == theirs[0]["item_id"]
    assert ours[0]["sources"]["batch_dependent"] != theirs[0]["sources"]["batch_dependent"]
    text = str(report)
    assert text.count("ledger of replay") == text.count("ledger of server") == 3
    assert json.dumps(ours[0]) in text
    assert json.dumps(theirs[0]) in text
    assert f"and {len(report.differences) - 3} more" in text


def test_other_items_are_caught(compare: Compare) -> None:
    report = compare("reversing")
    assert not report.passed
    assert report.differences[0].reason.startswith("place 0: replay has ")


def test_degraded_answers_are_differences(compare: Compare) -> None:
    report = compare("sound", "raising")
    assert len(report.differences) == 2 * (report.logged + report.planted)
    assert {each.reason for each in report.differences} == {
        "degraded in the server: triggers.raising: OSError: disk gone"
    }


def test_current_release_stays_as_it_is(compare: Compare, tmp_path: Path) -> None:
    compare("sound", requests=5)
    store = Store(tmp_path / ".yoorec")
    assert list(store.artifacts())
    assert store.current("small") is None


def test_server_that_does_not_come_up_is_told(compare: Compare, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", "")
    with pytest.raises(YoorecError) as caught:
        compare("sound")
    assert str(caught.value).startswith("the server did not come up and ended with 2:\n")
    assert "'sound' is not" in str(caught.value) or "sound" in str(caught.value)


def test_scenario_without_a_file_is_refused(small_scene: Callable[..., object]) -> None:
    made = small_scene()
    with pytest.raises(ConfigError) as caught:
        parity(replace(made.scenario, path=None), made.plugins)  # type: ignore[attr-defined]
    assert str(caught.value) == "parity needs a scenario from a file, which a server of its own can read"
