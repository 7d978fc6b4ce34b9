"""Marks: read, and refused where they are not of these lists."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from yoorec.errors import DataError
from yoorec.neighbors.lists import Neighbors
from yoorec.neighbors.marks import read_judges


def refusal(neighbors: Neighbors, *paths: Path) -> str:
    with pytest.raises(DataError) as refused:
        read_judges(neighbors, paths)
    return str(refused.value)


def test_judges_are_called_by_name_or_else_by_file(neighbors: Neighbors, saved: Callable[..., Path]) -> None:
    one = saved("one.json", {"q1": {"w": True, "x": False}}, judge="  Ann ")
    two = saved("two.json", {})
    ann, other = read_judges(neighbors, [one, two])
    assert (ann.name, other.name) == ("Ann", "two.json")
    assert ann.similar == {("q1", "w"): True, ("q1", "x"): False}
    assert other.similar == {}


def test_marks_of_another_page_are_refused(neighbors: Neighbors, saved: Callable[..., Path]) -> None:
    path = saved("m.json", {}, digest="beef", scene="other")
    assert refusal(neighbors, path) == (
        f"{path}: digest: 'beef' (scene 'other') is of other lists than '{neighbors.digest}' (scene 'small'); "
        "marks hold only for the page they were made on"
    )


def test_items_that_are_not_listed_are_refused(neighbors: Neighbors, saved: Callable[..., Path]) -> None:
    path = saved("m.json", {"q1": {"w": True, "u": True}})
    assert refusal(neighbors, path) == f"{path}: marks.1.item: 'u' is in no list of query 'q1'"
    path = saved("m.json", {"q2": {"q11": True}})
    assert refusal(neighbors, path) == f"{path}: marks.0.item: 'q11' is in no list of query 'q2'; nearest: q1"
    path = saved("m.json", {"q33": {"w": True}})
    assert refusal(neighbors, path) == f"{path}: marks.0.query: 'q33' is none of the queries; nearest: q3"


def test_nothing_counts_twice(neighbors: Neighbors, saved: Callable[..., Path]) -> None:
    mark = {"query": "q1", "item": "w", "mark": "similar"}
    path = saved("m.json", {}, marks=[mark, mark | {"mark": "not similar"}])
    assert refusal(neighbors, path) == f"{path}: marks.1: 'w' is judged twice for query 'q1'"
    one, two = saved("1.json", {}, judge="Ann"), saved("2.json", {}, judge="Ann")
    assert refusal(neighbors, one, two) == (
        f"{two}: judge: 'Ann' has marks in {one} too; each judge counts once, so leave one of the two out"
    )


def test_malformed_files_are_named_with_the_key(neighbors: Neighbors, saved: Callable[..., Path]) -> None:
    path = saved("m.json", {}, marks=[{"query": "q1", "item": "w", "mark": "similr"}, {"query": 3, "item": "w"}])
    assert refusal(neighbors, path).splitlines() == [
        f"{path}: marks.0.mark: 'similr' can't be taken; accepted: 'similar' or 'not similar'",
        f"{path}: marks.1.query: 3 can't be taken; accepted: a valid string",
        f"{path}: marks.1.mark: is missing",
    ]
    path.write_text(json.dumps([1, 2]))
    assert refusal(neighbors, path) == f"{path}: [1, 2] can't be taken; accepted: an object"
    path.write_bytes(b"\xff\xfe")
    assert refusal(neighbors, path).startswith(f"{path}: is no JSON: ")
