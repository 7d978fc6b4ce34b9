"""Precision, differences and agreement against numbers worked out by hand (lists: see conftest)."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from rich.console import Console

from yoorec.neighbors.lists import Neighbors
from yoorec.neighbors.marks import Judge
from yoorec.neighbors.precision import judge
from yoorec.neighbors.table import render
from yoorec.replay.statistics import Interval


def marks(name: str, **of: str) -> Judge:
    """``marks("Ann", q1="w+x-")``: w is similar to q1, x is not."""
    found = {}
    for query, text in of.items():
        for item, sign in zip(text[::2], text[1::2], strict=True):
            found[query, item] = sign == "+"
    return Judge(name, found)


def value(figure: Interval | None) -> float:
    assert figure is not None
    return figure.value


ANN = marks("Ann", q1="w+x-y+z-v+", q2="x+w-u-", q3="u+v+w+x-")


def test_precision_by_hand(neighbors: Neighbors) -> None:
    found = judge(neighbors, [ANN])
    a, b = found.triggers["a"], found.triggers["b"]
    # a: q1 w+ x- y+ z-, q2 x+ w- and two not judged, q3 u+ v+ w+ x-
    assert value(a.precision[1]) == 1.0
    assert value(a.precision[4]) == pytest.approx((2 / 4 + 1 / 2 + 3 / 4) / 3)
    assert (a.listed, a.judged) == (12, 10)
    assert a.lowest == pytest.approx((2 / 4 + 1 / 4 + 3 / 4) / 3)
    assert a.highest == pytest.approx((2 / 4 + 3 / 4 + 3 / 4) / 3)
    # b: q1 x- v+, q2 u- w- x+ and one not judged, q3 nothing listed
    assert value(b.precision[1]) == 0.0
    assert value(b.precision[4]) == pytest.approx((1 / 2 + 1 / 3) / 2)
    assert (b.listed, b.judged) == (6, 5)
    assert b.lowest == pytest.approx((1 / 2 + 1 / 4) / 2)
    assert b.highest == pytest.approx((1 / 2 + 2 / 4) / 2)


def test_differences_are_paired(neighbors: Neighbors) -> None:
    found = judge(neighbors, [ANN])
    assert list(found.differences) == ["b"]
    # Only q1 and q2 have something judged in both lists.
    assert value(found.differences["b"][4]) == pytest.approx(((1 / 2 - 2 / 4) + (1 / 3 - 1 / 2)) / 2)
    assert value(found.differences["b"][1]) == -1.0


def test_intervals_are_of_queries(listed: Callable[..., Neighbors]) -> None:
    shares = np.random.default_rng(0).random((40, 10)) < 0.4
    lists = {f"q{q:02d}": {"a": [f"i{place}" for place in range(10)]} for q in range(40)}
    similar = {(f"q{q:02d}", f"i{p}"): bool(shares[q, p]) for q in range(40) for p in range(10)}
    found = judge(listed(lists, top=10), [Judge("Ann", similar)]).triggers["a"].precision
    assert list(found) == [1, 5, 10]
    rng = np.random.default_rng(1)
    for n, figure in found.items():
        means = shares[:, :n].mean(axis=1)
        again = [means[rng.integers(0, 40, 40)].mean() for _ in range(4000)]
        assert figure is not None and figure.low is not None and figure.high is not None
        assert figure.value == pytest.approx(means.mean())
        assert (figure.low, figure.high) == pytest.approx(tuple(np.percentile(again, (2.5, 97.5))), abs=0.02)


def test_cutoffs_end_where_the_lists_do(listed: Callable[..., Neighbors]) -> None:
    lists = {"q": {"a": ["x", "y", "z"]}}
    assert list(judge(listed(lists, top=3), []).triggers["a"].precision) == [1, 3]
    assert list(judge(listed(lists, top=1), []).triggers["a"].precision) == [1]
    assert list(judge(listed(lists, top=5), []).triggers["a"].precision) == [1, 5]


def test_one_query_has_no_interval_and_no_marks_no_figure(listed: Callable[..., Neighbors]) -> None:
    lists = {"q": {"a": ["x", "y"]}}
    assert judge(listed(lists, 2), [marks("Ann", q="x+")]).triggers["a"].precision[2] == Interval(1.0)
    nothing = judge(listed(lists, 2), [marks("Ann")])
    assert nothing.triggers["a"].precision == {1: None, 2: None}
    assert (nothing.triggers["a"].lowest, nothing.triggers["a"].highest) == (0.0, 1.0)


def test_several_judges_share_a_grade(neighbors: Neighbors) -> None:
    bob = marks("Bob", q1="w+x+y-", q2="x-")
    found = judge(neighbors, [ANN, bob]).triggers["a"]
    # q1: w 1, x 1/2, y 1/2, z 0; q2: x 1/2, w 0; q3 as Ann says
    assert value(found.precision[4]) == pytest.approx((2 / 4 + 0.5 / 2 + 3 / 4) / 3)
    assert value(found.precision[1]) == pytest.approx((1 + 0.5 + 1) / 3)
    assert found.judged == 10


def test_agreement_by_hand(neighbors: Neighbors) -> None:
    bob = marks("Bob", q1="w+x+y-z-", q2="x+u-")
    (found,) = judge(neighbors, [ANN, bob]).agreement
    # Ann: + - + - + -, Bob: + + - - + -: 4 of 6 alike; each says + 3 times of 6, so chance is 1/2.
    assert (found.first, found.second, found.both) == ("Ann", "Bob", 6)
    assert found.same == pytest.approx(4 / 6)
    assert found.kappa == pytest.approx((4 / 6 - 1 / 2) / (1 - 1 / 2))


def test_agreement_where_there_is_nothing_to_tell(neighbors: Neighbors) -> None:
    kind, kinder = marks("Kind", q1="w+x+"), marks("Kinder", q1="w+x+")
    (found,) = judge(neighbors, [kind, kinder]).agreement
    assert (found.same, found.kappa) == (1.0, None)
    (found,) = judge(neighbors, [kind, marks("Away", q3="u+")]).agreement
    assert (found.both, found.kappa) == (0, None)
    three = judge(neighbors, [kind, kinder, ANN]).agreement
    assert [(each.first, each.second) for each in three] == [("Kind", "Kinder"), ("Kind", "Ann"), ("Kinder", "Ann")]


def printed(neighbors: Neighbors, judges: list[Judge]) -> list[str]:
    console = Console(width=120, record=True, color_system=None, file=None)
    with console.capture() as said:
        console.print(render(neighbors, judges, judge(neighbors, judges)))
    return [line.rstrip() for line in said.get().splitlines()]


def test_the_table_says_all_of_it(neighbors: Neighbors) -> None:
    lines = printed(neighbors, [ANN, marks("Bob", q1="w+x+y-z-", q2="x+u-")])
    assert lines[0] == "small  3 items, at most 4 neighbours each; judged by Ann, Bob"
    assert lines[2].split() == ["against", "a"]
    assert lines[3].split(maxsplit=2) == ["precision@1", "a", "1.0000 [1.0000, 1.0000]"]
    assert lines[4].split(maxsplit=2)[:2] == ["b", "0.2500"]
    assert lines[5].split(maxsplit=2)[:2] == ["precision@4", "a"]
    assert lines[6].split()[0] == "b"
    assert "Ann, Bob  6       0.6667  0.3333" in lines
    assert "a: 10 of 12 judged; with the others precision@4 lies in [0.5000, 0.6667]" in lines
    assert "b: 5 of 6 judged; with the others precision@4 lies in [0.5000, 0.6250]" in lines


def test_the_table_of_one_trigger_judged_in_full(listed: Callable[..., Neighbors]) -> None:
    lines = printed(listed({"q": {"a": ["x", "y"]}}, 2), [marks("Ann", q="x+y-")])
    assert [line.split() for line in lines[2:5]] == [[], ["precision@1", "a", "1.0000"], ["precision@2", "a", "0.5000"]]
    assert "a: 2 of 2 judged" in lines


def test_the_table_of_no_marks(neighbors: Neighbors) -> None:
    lines = printed(neighbors, [marks("Ann")])
    assert [line.split() for line in lines[3:5]] == [["precision@1", "a", "-"], ["b", "-", "-"]]
    assert "a: 0 of 12 judged; with the others precision@4 lies in [0.0000, 1.0000]" in lines
