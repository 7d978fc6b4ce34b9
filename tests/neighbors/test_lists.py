"""``neighbors.json``: written, read back, and refused where it is not what was written."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from yoorec.errors import DataError
from yoorec.neighbors.lists import Neighbor, Neighbors


def test_a_round_trip_changes_nothing(neighbors: Neighbors, tmp_path: Path) -> None:
    first, *others = neighbors.queries
    odd = replace(first, lists={"a": (Neighbor("é\u2028", None), Neighbor("w", 0.1)), "b": ()})
    whole = replace(neighbors, queries=(odd, *others))
    path = whole.write(tmp_path / "neighbors.json")
    assert Neighbors.read(path) == whole
    assert json.loads(path.read_text())["digest"] == whole.digest
    assert [each.name for each in tmp_path.iterdir()] == ["neighbors.json"]


def test_the_digest_tells_lists_apart(neighbors: Neighbors) -> None:
    assert neighbors.digest == replace(neighbors).digest
    shorter = replace(neighbors.queries[0], lists={"a": neighbors.queries[0].lists["a"][:3], "b": ()})
    changed = [
        replace(neighbors, queries=neighbors.queries[:2]),
        replace(neighbors, queries=(shorter, *neighbors.queries[1:])),
        replace(neighbors, data="food"),
    ]
    assert len({neighbors.digest, *(each.digest for each in changed)}) == 4


def test_a_pool_holds_each_item_once(neighbors: Neighbors) -> None:
    assert [query.pool() for query in neighbors.queries] == [
        ("v", "w", "x", "y", "z"),
        ("q1", "u", "v", "w", "x"),
        ("u", "v", "w", "x"),
    ]


def change(body: dict[str, Any], *keys: Any, to: Any) -> None:
    for key in keys[:-1]:
        body = body[key]
    body[keys[-1]] = to


@pytest.mark.parametrize(
    ("keys", "to", "told"),
    [
        (("version",), 2, "version: 2 can't be taken; accepted: 1"),
        (("neighbors", "top"), "four", "neighbors.top: 'four' can't be taken; accepted: a valid integer"),
        (
            ("neighbors", "queries", 1, "lists", "a", 0),
            {"item_id": "w", "score": 1.0, "rank": 3},
            "neighbors.queries.1.lists.a.0.rank: is not accepted here",
        ),
        (("neighbors", "queries", 0), {"item_id": "q1", "lists": {}}, "neighbors.queries.0.drawn: is missing"),
        (("neighbors", "queries", 0, "lists"), {"a": []}, "neighbors.queries.0.lists: must name a, b"),
    ],
)
def test_what_is_wrong_is_named_with_file_and_key(
    neighbors: Neighbors, tmp_path: Path, keys: tuple[Any, ...], to: Any, told: str
) -> None:
    path = neighbors.write(tmp_path / "neighbors.json")
    body = json.loads(path.read_text())
    change(body, *keys, to=to)
    if told.endswith("must name a, b"):
        body["digest"] = replace(neighbors, queries=(replace(neighbors.queries[0], lists={"a": ()}),
                                                     *neighbors.queries[1:])).digest  # fmt: skip
    path.write_text(json.dumps(body))
    with pytest.raises(DataError) as refused:
        Neighbors.read(path)
    assert str(refused.value) == f"{path}: {told}"


def test_a_file_changed_by_hand_is_refused(neighbors: Neighbors, tmp_path: Path) -> None:
    path = neighbors.write(tmp_path / "neighbors.json")
    path.write_text(path.read_text().replace('"item_id": "z"', '"item_id": "v"'))
    with pytest.raises(DataError, match=f"digest: '{neighbors.digest}' is not that of the lists here"):
        Neighbors.read(path)


def test_files_that_are_no_json_or_not_there(tmp_path: Path) -> None:
    path = tmp_path / "neighbors.json"
    with pytest.raises(DataError, match=r"neighbors\.json: can't be read: No such file or directory"):
        Neighbors.read(path)
    path.write_text('{"version": 1,')
    with pytest.raises(DataError, match=r"neighbors\.json: is no JSON: EOF while parsing"):
        Neighbors.read(path)
    with pytest.raises(DataError, match="can't be read: Is a directory"):
        Neighbors.read(tmp_path)
