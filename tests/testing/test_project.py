"""The pytest plugin's fixtures, and the project they write."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from yoorec.batch import RequestBatch
from yoorec.data.log import EventLog
from yoorec.errors import ConfigError
from yoorec.testing import worlds
from yoorec.testing.project import Project, write_project

Write = Callable[..., Project]


def test_small_log_is_the_same_each_time(small_log: EventLog) -> None:
    again = worlds.small_log()
    assert len(small_log) == 1500
    assert small_log.item.tobytes() == again.item.tobytes()
    assert small_log.time.tobytes() == again.time.tobytes()
    assert (np.diff(small_log.time) >= 0).all()


def test_small_requests_come_after_the_log(small_log: EventLog, small_requests: RequestBatch) -> None:
    small_requests.check()
    assert len(small_requests) == 50
    assert small_requests.time.min() > small_log.time[-1]
    assert {-1} < set(small_requests.user.tolist())
    assert {-1} < set(small_requests.item.tolist())
    assert 0 in np.diff(small_requests.session.offsets)


def test_twins_can_not_be_told_apart() -> None:
    log = worlds.twin_log()
    plays = np.bincount(log.plays().item, minlength=len(log.catalogue.items))
    assert (plays[0::2] == plays[1::2]).all()
    titles = log.catalogue.item_columns["title"].to_pylist()
    assert titles[0::2] == titles[1::2]
    assert (np.diff(log.time) >= 0).all()


def test_a_spoiled_log_shows_the_same_before_the_cut() -> None:
    log = worlds.small_log()
    cut = int(log.time[900])
    spoiled = worlds.spoiled_after(log, cut)
    assert spoiled.before(cut).item.tobytes() == log.before(cut).item.tobytes()
    late = spoiled.time >= cut
    assert (spoiled.item[late] == 2**31 - 1).all()
    assert late.sum() == (log.time >= cut).sum()


def test_small_samples_fit_together() -> None:
    samples = worlds.small_samples(worlds.small_log())
    samples.candidates.check()
    assert samples.label.shape == samples.candidates.item.shape
    assert len(samples.requests) == len(samples.candidates)
    assert 0 < samples.label.sum() == samples.truths - samples.missed


def test_a_project_replays_and_recommends(yoorec_project: Write) -> None:
    project = yoorec_project(triggers={"near": {"use": "itemcf"}}, slate=5)
    assert project.path.parent == project.folder
    report = project.replay("replay.resamples=100")
    assert report["requests"] > 20
    assert report["variants"]["control"]["metrics"]["hit_rate@10"]["value"] > 0
    answer = project.recommend(item_id="i07")
    assert len(answer["items"]) == 5
    assert sorted(path.name for path in project.folder.iterdir()) == [
        ".yoorec",
        "events.parquet",
        "items.parquet",
        "report",
        "scenario.yaml",
        "users.parquet",
    ]


def test_a_project_takes_overrides(yoorec_project: Write) -> None:
    project = yoorec_project(triggers={"near": {"use": "itemcf"}})
    assert len(project.recommend("slate=3", item_id="i07")["items"]) == 3
    with pytest.raises(ConfigError, match="nearest:  neighbors"):
        project.scene("triggers.near.neighbours=5")


def test_a_project_holds_the_log_it_was_given(tmp_path: Path) -> None:
    log = worlds.small_log(users=12, items=15, events=400)
    project = write_project(tmp_path, log, triggers={"near": {"use": "itemcf"}})
    scene = project.scene()
    try:
        assert scene.catalogue.items.ids == log.catalogue.items.ids
        assert scene.catalogue.users.ids == tuple(sorted({log.catalogue.users.ids[user] for user in log.user}))
    finally:
        scene.close()
