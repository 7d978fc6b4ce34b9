"""From a scenario to lists: what triggers of a small project find, and what is refused."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner, Result

from yoorec.batch import CandidateBatch, RequestBatch
from yoorec.cli import main
from yoorec.errors import ConfigError, DataError
from yoorec.neighbors.judging import prepare
from yoorec.testing.counts import Counts, FewestFirst
from yoorec.testing.project import Project

TRIGGERS = {"hot": {"use": "hot", "limit": 5}, "near": {"use": "itemcf", "limit": 5}}


class Shy(Counts):
    """Most played first, and nothing for items with an even number."""

    note = "only odd items are known"

    def recall(self, requests: RequestBatch, k: int) -> CandidateBatch:
        found = super().recall(requests, k)
        return found.take(np.arange(len(requests))) if (requests.item % 2).all() else _odd(requests, found)


def _odd(requests: RequestBatch, found: CandidateBatch) -> CandidateBatch:
    kept = np.repeat(requests.item % 2 == 1, found.lengths)
    offsets = np.cumsum(np.concatenate([[0], np.where(requests.item % 2 == 1, found.lengths, 0)]))
    return found.rows(np.flatnonzero(kept), offsets.astype(np.int64))


class Silent(Shy):
    """Nothing for anybody."""

    def recall(self, requests: RequestBatch, k: int) -> CandidateBatch:
        return CandidateBatch.empty(len(requests))


def test_lists_are_those_of_the_triggers_at_the_replay_cut(small_scene: Callable[..., Any]) -> None:
    made = small_scene({"most": Counts, "least": FewestFirst})
    judging = prepare(made.scenario, made.plugins, ["least", "most", "least"], queries=6, top=4,
                      dataset=made.dataset)  # fmt: skip
    found = judging.neighbors
    plays = made.log.plays()
    cut = int(plays.time[int(0.9 * len(plays))])
    counts = np.bincount(plays.item[plays.time < cut], minlength=len(made.log.catalogue.items))
    order = {"most": np.lexsort((np.arange(60), -counts)), "least": np.lexsort((np.arange(60), counts))}
    ids = made.log.catalogue.items.ids
    assert list(found.triggers) == ["least", "most"]
    assert {note.cut.ms for note in found.triggers.values() if note.cut} == {cut}
    assert len(found.queries) == 6
    for query in found.queries:
        for name, ranked in order.items():
            expected = [ids[each] for each in ranked.tolist() if ids[each] != query.item_id][:4]
            assert [each.item_id for each in query.lists[name]] == expected
            sign = 1 if name == "most" else -1
            scores = [sign * counts[ids.index(each)] for each in expected]
            assert [each.score for each in query.lists[name]] == scores
    assert found.time.ms == int(made.log.time[-1]) + 1
    assert judging.notes == ()
    assert set(judging.looks) == {each for query in found.queries for each in (query.item_id, *query.pool())}


def test_items_are_drawn_among_those_that_every_trigger_knows(small_scene: Callable[..., Any]) -> None:
    made = small_scene({"most": Counts, "shy": Shy})
    found = prepare(made.scenario, made.plugins, ["most", "shy"], queries=40, top=3, dataset=made.dataset)
    odd = {item for number, item in enumerate(made.log.catalogue.items.ids) if number % 2}
    assert {query.item_id for query in found.neighbors.queries} == odd
    assert found.notes == ("only 30 items are such that most and shy all recall something for them",)


def test_named_items_are_asked_about_even_where_little_is_found(small_scene: Callable[..., Any]) -> None:
    made = small_scene({"most": Counts, "shy": Shy})
    found = prepare(made.scenario, made.plugins, ["shy"], items=["i04", "i03", "i04"], top=3, dataset=made.dataset)
    assert [(query.item_id, query.drawn) for query in found.neighbors.queries] == [("i04", "named"), ("i03", "named")]
    assert [len(query.lists["shy"]) for query in found.neighbors.queries] == [0, 3]
    assert found.notes == ("shy finds fewer than 3 neighbours of 1 of 2 items",)


def test_covers_that_can_not_be_shown_are_counted(small_scene: Callable[..., Any], tmp_path: Path) -> None:
    made = small_scene({"most": Counts})
    catalogue = made.log.catalogue
    paths = [str(tmp_path / f"{item}.png") for item in catalogue.items.ids]
    columns = catalogue.item_columns.append_column("cover", [paths])
    log = replace(made.log, catalogue=replace(catalogue, item_columns=columns))
    dataset = replace(made.dataset, log=log)
    found = prepare(made.scenario, made.plugins, ["most"], items=["i01"], top=2, dataset=dataset)
    (note,) = found.notes
    assert note.startswith("3 of 3 covers can't be shown, such as i01: the cover there is no file 'i01.png'; i")


def test_unknown_names_are_refused_with_the_nearest(small_scene: Callable[..., Any]) -> None:
    made = small_scene({"most": Counts, "shy": Shy})
    with pytest.raises(ConfigError) as refused:
        prepare(made.scenario, made.plugins, ["mots", "shy", "zzz"], dataset=made.dataset)
    assert str(refused.value).splitlines() == [
        "command line: --trigger: 'mots' is no trigger of this scenario",
        "  nearest:  most",
        "  accepted: most, shy",
        "command line: --trigger: 'zzz' is no trigger of this scenario",
        "  accepted: most, shy",
    ]
    with pytest.raises(ConfigError) as refused:
        prepare(made.scenario, made.plugins, ["most"], items=["i01", "i001"], dataset=made.dataset)
    assert str(refused.value).startswith("command line: --item: 'i001' is no item of the data\n  nearest:  i0")


def test_triggers_that_find_nothing_are_named_with_what_they_say(small_scene: Callable[..., Any]) -> None:
    made = small_scene({"most": Counts, "silent": Silent})
    with pytest.raises(DataError) as refused:
        prepare(made.scenario, made.plugins, ["most", "silent"], dataset=made.dataset)
    assert str(refused.value) == (
        "scene 'small': there is no item for which most and silent all recall something; "
        "triggers.silent: only odd items are known"
    )


@pytest.fixture
def project(yoorec_project: Callable[..., Project]) -> Project:
    return yoorec_project(triggers=TRIGGERS)


def run(*arguments: object) -> Result:
    return CliRunner().invoke(main, [str(each) for each in arguments], catch_exceptions=False)


def test_the_command_writes_the_same_files_again(project: Project) -> None:
    first, again = project.folder / "first", project.folder / "again"
    options = ("--trigger", "near", "--trigger", "hot", "--queries", 4, "--top", 8, "--seed", 5)
    told = run("neighbors", project.path, *options, "--out", first)
    assert told.exit_code == 0
    written = f"; wrote {first / 'neighbors.json'} and {first / 'index.html'}"
    assert re.fullmatch(r"4 items, \d+ neighbours to judge", told.output.splitlines()[-1].removesuffix(written))
    run("neighbors", project.path, *options, "--out", again)
    for name in ("neighbors.json", "index.html"):
        assert (first / name).read_bytes() == (again / name).read_bytes()
    found = json.loads((first / "neighbors.json").read_text())["neighbors"]
    assert (found["seed"], found["top"], len(found["queries"])) == (5, 8, 4)
    assert list(found["triggers"]) == ["near", "hot"]
    # The triggers' own limit, 5, is for requests of the chain.
    assert {len(query["lists"]["hot"]) for query in found["queries"]} == {8}


def test_what_it_fits_is_what_replay_uses(project: Project) -> None:
    report = project.replay(requests=20)
    run("neighbors", project.path, "--trigger", "near", "--out", project.folder / "page")
    found = json.loads((project.folder / "page" / "neighbors.json").read_text())["neighbors"]
    assert found["triggers"]["near"] == report["variants"]["control"]["artifacts"]["triggers.near"]
    assert found["hash"] == report["hash"]
    assert found["data"] == report["data"]


def test_wrong_options_are_named(project: Project) -> None:
    file = project.folder / "file"
    file.write_text("")
    page = ("--out", project.folder / "page")
    for arguments, told in (
        (("--trigger", "nera", *page), "--trigger: 'nera' is no trigger of this scenario\n  nearest:  near\n"),
        (("--trigger", "near", "--top", 0, *page), "Invalid value for '--top': 0 is not in the range x>=1."),
        (("--trigger", "near", "--queries", 0, *page), "Invalid value for '--queries': 0 is not in the range x>=1."),
        (("--trigger", "near", "--out", file), "is a file."),
        (page, "Missing option '--trigger'."),
        (("--trigger", "near"), "Missing option '--out'."),
    ):
        refused = run("neighbors", project.path, *arguments)
        assert refused.exit_code == 2
        assert told in refused.stderr
    assert not (project.folder / "page").exists()


def test_judged_prints_the_table_or_says_what_is_wrong(project: Project) -> None:
    out = project.folder / "page"
    run("neighbors", project.path, "--trigger", "near", "--queries", 2, "--top", 2, "--out", out)
    body = json.loads((out / "neighbors.json").read_text())
    first, second = body["neighbors"]["queries"]
    judged = [
        {"query": first["item_id"], "item": first["lists"]["near"][0]["item_id"], "mark": "similar"},
        {"query": second["item_id"], "item": second["lists"]["near"][1]["item_id"], "mark": "not similar"},
    ]
    marks = project.folder / "marks.json"
    marks.write_text(json.dumps({"version": 1, "digest": body["digest"], "scene": "small", "marks": judged}))
    told = run("judged", out / "neighbors.json", marks)
    assert told.exit_code == 0
    lines = [line.rstrip() for line in told.output.splitlines()]
    assert "precision@1  near  1.0000" in lines
    assert "precision@2  near  0.5000 [0.0000, 1.0000]" in lines
    assert "near: 2 of 4 judged; with the others precision@2 lies in [0.2500, 0.7500]" in lines
    refused = run("judged", out / "neighbors.json", out / "neighbors.json")
    assert refused.exit_code == 2
    assert f"{out / 'neighbors.json'}: scene: is missing" in refused.stderr
    assert run("judged", out / "neighbors.json").exit_code == 2
