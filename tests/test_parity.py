"""Parity over a real server process, with plugins that it must catch."""

import json
import os
import sys
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
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

from yoorec.batch import CandidateBatch
from yoorec.components import ComponentSpec
from yoorec.hookspecs import hookimpl
from yoorec.testing.counts import Counts, CountsConfig


class Sound(Counts):
    pass


class BatchDependent(Counts):
    '''The score of its second item rises by one bit when it is asked alone.'''

    def recall(self, requests, k):
        found = super().recall(requests, k)
        if len(requests) == 1 and len(found.score) > 2:
            found.score[1] = np.nextafter(found.score[1], np.float32(np.inf))
        return found


class Reversing(Counts):
    '''Finds other items when it is asked alone.'''

    def recall(self, requests, k):
        if len(requests) > 1:
            return super().recall(requests, k)
        found = super().recall(requests, k + 2)
        return found.rows(np.arange(2, len(found.item)), np.array([0, len(found.item) - 2]))


class PlayedWith(Counts):
    '''Scores that hang on the user, the main item, the history, its times and its weights.'''

    def recall(self, requests, k):
        items = len(self._score)
        offsets, item, score = [0], [], []
        for b in range(len(requests)):
            plays = requests.history.take(np.array([b]))
            age = (requests.time[b] - plays.time).astype(np.float64)
            total = np.float64(0)
            for place in range(len(age)):
                total += plays.weight[place] * (plays.item[place] + 1) / (1 + age[place] / 1000 + place)
            own = np.arange(items) * 7919 + requests.user[b] * 31 + requests.item[b] * 17
            scores = ((own % 97) / 97 + total).astype(np.float32)
            best = np.lexsort((np.arange(items), -scores))[:k]
            item.append(best.astype(np.int32))
            score.append(scores[best])
            offsets.append(offsets[-1] + len(best))
        return CandidateBatch(np.array(offsets, np.int64), np.concatenate(item), np.concatenate(score))


class Raising(Counts):
    def recall(self, requests, k):
        raise OSError("disk gone")


@hookimpl
def yoorec_components():
    return [
        ComponentSpec("trigger", name, CountsConfig, f"strange:{target.__name__}")
        for name, target in {
            "sound": Sound,
            "played_with": PlayedWith,
            "batch_dependent": BatchDependent,
            "reversing": Reversing,
            "raising": Raising,
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

    def run(*triggers: str, sections: Mapping[str, Any] | None = None, **options: int) -> ParityReport:
        parts = {name: {"use": name, "limit": 30} for name in triggers}
        blend = {"use": "blend", "weights": {triggers[0]: 1.0}}
        chain = {"triggers": parts, "ranker": blend, "exposure": [{"use": "backfill", "from": triggers[-1]}]}
        project = yoorec_project(**{**chain, **(sections or {})})
        plugins = load_plugins()
        return parity(load_scenario(project.path, (), plugins), plugins, **{"requests": 40, **options})

    return run


def test_sound_chain_has_no_differences(compare: Compare) -> None:
    report = compare("sound", "played_with", requests=40, concurrency=4)
    assert report.differences == ()
    assert report.passed
    assert (report.logged, report.planted) == (40, 8)
    assert str(report) == (
        f"scene 'small' ({report.scenario_hash}): 0 differences over 48 requests (40 logged, 8 planted), "
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
    assert [each["item_id"] for each in ours] == [each["item_id"] for each in theirs]
    assert [ours == theirs for ours, theirs in zip(ours, theirs, strict=True)].count(False) == 1
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
    assert "triggers.sound.use" in str(caught.value)


def test_scenario_without_a_file_is_refused(small_scene: Callable[..., object]) -> None:
    made = small_scene()
    with pytest.raises(ConfigError) as caught:
        parity(replace(made.scenario, path=None), made.plugins)  # type: ignore[attr-defined]
    assert str(caught.value) == "parity needs a scenario from a file, which a server of its own can read"


def test_pre_split_sessions(compare: Compare, tmp_path: Path) -> None:
    """Protocol `given`: no users, made-up times, unknown main items, repeated clicks."""
    rng = np.random.default_rng(5)
    sessions = [[f"i{item}" for item in rng.integers(0, 30, rng.integers(2, 7))] for _ in range(80)]
    rows = [
        {"prefix": [f"i{item}" for item in rng.integers(0, 34, rng.integers(1, 6))], "target": "i1"} for _ in range(30)
    ]
    (tmp_path / "train.jsonl").write_text("".join(json.dumps({"items": each}) + "\n" for each in sessions))
    (tmp_path / "test.jsonl").write_text("".join(json.dumps(each) + "\n" for each in rows))
    report = compare(
        "played_with",
        requests=30,
        sections={
            "data": {"use": "sessions", "train": "train.jsonl", "test": "test.jsonl"},
            "replay": {"protocol": "given"},
        },
    )
    assert report.differences == ()
    assert (report.logged, report.planted) == (30, 8)
