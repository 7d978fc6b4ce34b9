"""Sweeps through Hydra: every combination once, results by file, nothing left behind."""

from __future__ import annotations

import json
import logging

import pytest
from hydra import version
from hydra.core.global_hydra import GlobalHydra
from hydra.core.hydra_config import HydraConfig

from yoorec.config.sweep import SweepJob, sweep
from yoorec.errors import ConfigError, DataError


def note(path, overrides, folder):
    (folder / "seen.txt").write_text(" ".join(overrides))
    return {"path": path, "number": folder.name}


def _sweep(project, *overrides, task=note, out="out"):
    return sweep("scenarios/home.yaml", overrides, task, project.folder / out, project.plugins)


def test_every_combination_runs_once_in_order(project):
    jobs = _sweep(project, "slate=3,4", "seed=9", "triggers.co.use=coplay,hot")
    assert [job.overrides for job in jobs] == [
        (f"slate={slate}", "seed=9", f"triggers.co.use={use}") for slate in (3, 4) for use in ("coplay", "hot")
    ]
    assert jobs[2] == SweepJob(
        2,
        ("slate=4", "seed=9", "triggers.co.use=coplay"),
        ("slate=4", "triggers.co.use=coplay"),
        project.folder / "out/2",
        {"path": "scenarios/home.yaml", "number": "2"},
    )
    assert (project.folder / "out/3/seen.txt").read_text() == "slate=4 seed=9 triggers.co.use=hot"


def test_ranges_choices_groups_ids_and_prefixes_sweep(project):
    project.write("conf/data/mine.yaml", "use: demo\n")
    project.write("conf/data/mine2.yaml", "use: demo\n")
    jobs = _sweep(
        project,
        "hydra.sweeper.max_batch_size=1",
        "data=glob(mine*)",
        "exposure.spread.max=range(1,3)",
        "++merge.share={hot: 0.1},{hot: 0.2, co: 0.3}",
        "scene=choice(a,b)",
    )
    assert len(jobs) == 16
    assert jobs[0].overrides == ("data=mine", "exposure.spread.max=1", "++merge.share={hot:0.1}", "scene=a")
    assert jobs[-1].overrides == ("data=mine2", "exposure.spread.max=2", "++merge.share={hot:0.2,co:0.3}", "scene=b")


def test_values_keep_their_quotes(project):
    jobs = _sweep(project, "exposure.spread.by='1,2','on it',author")
    assert [job.overrides for job in jobs] == [
        ("exposure.spread.by='1,2'",),
        ("exposure.spread.by='on it'",),
        ("exposure.spread.by=author",),
    ]


def test_a_sweep_over_nothing_is_one_run(project):
    assert [job.overrides for job in _sweep(project, "slate=3")] == [("slate=3",)]


def test_results_are_files_and_nothing_else_is_left(project, tree):
    before = tree(project.folder)
    root = logging.getLogger()
    handlers, level, base = list(root.handlers), root.level, version.getbase()
    _sweep(project, "slate=3,4")
    assert sorted(set(tree(project.folder)) - set(before)) == [
        "out",
        "out/0",
        "out/0/job.json",
        "out/0/seen.txt",
        "out/1",
        "out/1/job.json",
        "out/1/seen.txt",
    ]
    assert json.loads((project.folder / "out/1/job.json").read_text()) == {
        "number": 1,
        "overrides": ["slate=4"],
        "changed": ["slate=4"],
        "result": {"path": "scenarios/home.yaml", "number": "1"},
        "error": "",
    }
    assert (list(root.handlers), root.level, version.getbase()) == (handlers, level, base)
    assert not GlobalHydra.instance().is_initialized()
    assert not HydraConfig.initialized()


def test_results_of_an_earlier_sweep_are_not_taken_for_new_ones(project):
    _sweep(project, "slate=3,4,5")
    assert [job.number for job in _sweep(project, "slate=6,7")] == [0, 1]


def refuse_four(path, overrides, folder):
    if overrides == ("slate=4",):
        raise DataError("log.csv: row 3: time: 'x' is no number")
    return 1.5


def test_a_refused_run_stands_beside_the_others(project):
    jobs = _sweep(project, "slate=3,4,5", task=refuse_four)
    assert [(job.result, job.error) for job in jobs] == [
        (1.5, ""),
        (None, "log.csv: row 3: time: 'x' is no number"),
        (1.5, ""),
    ]


def crash(path, overrides, folder):
    raise ZeroDivisionError("a programmer's error")


def test_a_programmers_error_is_loud(project, capsys):
    with pytest.raises(ZeroDivisionError):
        _sweep(project, "slate=3,4", task=crash)


@pytest.mark.parametrize(
    ("overrides", "expected"),
    [
        (
            ["slate=0,4", "triggers.co.neighbours=1,2"],
            "command line: slate: 0 is out of range\n"
            "  accepted: a whole number, at least 1\n"
            "command line: triggers.co.neighbours: 'neighbours' is not accepted here\n"
            "  nearest:  neighbors\n"
            "  accepted: damping, fields, half_life, limit, neighbors, timeout, use",
        ),
        (
            ["slate", "seed=a b=c"],
            "command line: slate: can't be read as an override: missing EQUAL at '<EOF>'\n"
            "  accepted: KEY=VALUE, +KEY=VALUE, ~KEY or GROUP=OPTION\n"
            "command line: seed=a b=c: can't be read as an override: mismatched input '='\n"
            "  accepted: KEY=VALUE, +KEY=VALUE, ~KEY or GROUP=OPTION\n"
            "  try:      seed=\"'a b=c'\" if the value is text",
        ),
        (
            ["slate=interval(1,5)"],
            "command line: slate: 'interval(1,5)' can't be counted out\n"
            "  accepted: values such as 1,2,3, choice(...) or range(...), or a sweeper that draws from intervals\n"
            "  try:      hydra/sweeper=NAME",
        ),
        (
            ["data=glob(x*)"],
            "command line: data: 'glob(x*)' matches nothing\n"
            "  accepted: demo, kuairand, movielens_100k, movielens_1m, movielens_latest_small, sessions, tables",
        ),
    ],
)
def test_nothing_runs_where_something_is_wrong(project, overrides, expected):
    with pytest.raises(ConfigError) as caught:
        _sweep(project, *overrides)
    assert str(caught.value) == expected
    assert not (project.folder / "out").exists()


def test_a_launcher_that_is_not_installed(project):
    with pytest.raises(ConfigError) as caught:
        _sweep(project, "hydra/launcher=nosuch", "slate=1,2")
    assert str(caught.value).startswith("command line: -m: Hydra can't run this sweep: ")
    assert "nosuch" in str(caught.value)
    assert not list((project.folder / "out").iterdir())
