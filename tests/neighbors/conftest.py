"""Lists as a person would judge them: two triggers, three items."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from yoorec.neighbors.lists import Neighbor, Neighbors, Query
from yoorec.replay.report import ArtifactNote, Moment

# Lists of two triggers: "a" finds four neighbours of each item, "b" fewer; some are in both lists.
LISTS = {
    "q1": {"a": ["w", "x", "y", "z"], "b": ["x", "v"]},
    "q2": {"a": ["x", "w", "v", "q1"], "b": ["u", "w", "x", "v"]},
    "q3": {"a": ["u", "v", "w", "x"], "b": []},
}


def _listed(lists: Mapping[str, Mapping[str, list[str]]], top: int = 4) -> Neighbors:
    moment = Moment(1_700_000_000_000, "2023-11-14T22:13:20.000Z")
    names = next(iter(lists.values()))
    return Neighbors(
        scene="small",
        scenario="small.yaml",
        hash="0123456789abcdef",
        data="feed",
        seed=0,
        top=top,
        time=moment,
        triggers={name: ArtifactNote(f"trigger-{name}", "0" * 16, moment) for name in names},
        queries=tuple(
            Query(item, "plays", {
                name: tuple(Neighbor(each, 1.0 - place / 8) for place, each in enumerate(found))
                for name, found in by_trigger.items()
            })
            for item, by_trigger in lists.items()
        ),
    )  # fmt: skip


@pytest.fixture
def listed() -> Callable[..., Neighbors]:
    """``listed({"q1": {"a": ["w", "x"]}}, top=4)``: lists of so many items with falling scores."""
    return _listed


@pytest.fixture
def neighbors() -> Neighbors:
    return _listed(LISTS)


@pytest.fixture
def saved(tmp_path: Path, neighbors: Neighbors) -> Callable[..., Path]:
    """Write marks as the page does: ``saved("ann.json", {"q1": {"w": True}}, judge="Ann")``."""

    def write(name: str, similar: Mapping[str, Mapping[str, bool]], **changes: Any) -> Path:
        body = {
            "version": 1,
            "digest": neighbors.digest,
            "scene": neighbors.scene,
            "judge": "",
            "marks": [
                {"query": query, "item": item, "mark": "similar" if yes else "not similar"}
                for query, each in similar.items()
                for item, yes in each.items()
            ],
        } | changes
        path = tmp_path / name
        path.write_text(json.dumps(body), encoding="utf-8")
        return path

    return write
