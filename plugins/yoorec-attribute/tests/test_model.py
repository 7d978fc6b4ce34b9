"""Attribute against a slow literal computation: one loop over the plays for every share that is asked for."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError
from yoorec_attribute import AttributeConfig
from yoorec_attribute.model import Attribute

from yoorec.batch import Plays, Ragged, RequestBatch
from yoorec.components import FitContext
from yoorec.data.catalogue import Catalogue
from yoorec.data.log import EventLog
from yoorec.data.vocabulary import Vocabulary
from yoorec.errors import DataError

HOUR_MS = 3_600_000
START_MS = 1_700_000_000_000
ITEMS = 7
Row = tuple[int, int, int, float]
"""user, item, hours since the start, event weight"""
Person = dict[str, Any]
"""attributes by column"""


def log_of(rows: Sequence[Row], people: Sequence[Person], cut: int | None = None, items: int = ITEMS) -> EventLog:
    rows = sorted(rows, key=lambda row: row[2])
    size = len(rows)
    none, unknown = np.full(size, -1, np.int32), np.full(size, np.nan, np.float32)
    names = {name: None for person in people for name in person}
    catalogue = Catalogue(
        Vocabulary(f"i{number}" for number in range(items)),
        Vocabulary(f"u{number:02d}" for number in range(len(people))),
        pa.table({"title": pa.array([""] * items, pa.string())}),
        pa.table({name: pa.array([person.get(name) for person in people]) for name in names}),
        np.zeros(items, np.int64),
    )
    return EventLog(
        np.array([row[0] for row in rows], np.int32),
        np.array([row[1] for row in rows], np.int32),
        np.array([START_MS + row[2] * HOUR_MS for row in rows], np.int64),
        np.zeros(size, np.int8),
        np.array([row[3] for row in rows], np.float32),
        np.zeros(size, np.int32),
        unknown,
        none,
        none,
        unknown,
        none,
        ("play",),
        catalogue,
        cut,
    )


def requests_of(people: Sequence[Person], main: Sequence[int] | None = None) -> RequestBatch:
    size = len(people)
    names = sorted({name for person in people for name in person})
    columns = {}
    for name in names:
        columns[name] = np.fromiter((person.get(name) for person in people), object, size)
    return RequestBatch(
        np.full(size, -1, np.int32),
        np.full(size, START_MS),
        np.full(size, -1, np.int32) if main is None else np.array(main, np.int32),
        np.full(size, 10, np.int32),
        Plays.empty(size),
        Plays.empty(size),
        Ragged.empty(size),
        columns,
    )


def fitted(log: EventLog, config: AttributeConfig) -> Attribute:
    model = Attribute(config, log.catalogue)
    model.fit(log, FitContext())
    return model


def lists(model: Attribute, requests: RequestBatch, k: int = 100) -> list[dict[int, float]]:
    """Each request's candidates, best first, with their scores."""
    found = model.recall(requests, k)
    found.check()
    return [
        dict(zip(found.item[a:b].tolist(), found.score[a:b].tolist(), strict=True))
        for a, b in zip(found.offsets[:-1], found.offsets[1:], strict=True)
    ]


class Slow:
    """The formulas of the README, word by word."""

    def __init__(self, rows: Sequence[Row], people: Sequence[Person], config: AttributeConfig, now: float) -> None:
        self.people, self.config = people, config
        hours = float("inf") if config.window is None else config.window / HOUR_MS
        self.rows = [row for row in rows if row[3] > 0 and row[2] >= now - hours]
        self.now = now

    def value(self, person: Person, column: str) -> Any:
        value = person.get(column)
        if value is None or value != value or column not in self.config.bins:
            return None if value is None or value != value else str(value)
        return sum(value >= edge for edge in self.config.bins[column])

    def members(self, values: tuple[Any, ...]) -> set[int]:
        """Users who played in the window and whose first attributes are these."""
        return {
            row[0]
            for row in self.rows
            if all(
                self.value(self.people[row[0]], column) == value
                for column, value in zip(self.config.by, values, strict=False)
            )
        }

    def segment(self, person: Person) -> tuple[Any, ...]:
        """The longest run of known values that enough people share."""
        values: tuple[Any, ...] = ()
        for column in self.config.by:
            longer = (*values, self.value(person, column))
            if longer[-1] is None or len(self.members(longer)) < self.config.min_users:
                break
            values = longer
        return values

    def share(self, values: tuple[Any, ...], item: int) -> float:
        """p of an item in a segment."""
        members = self.members(values) if values else {row[0] for row in self.rows}
        of_user: dict[int, float] = defaultdict(float)
        of_item = 0.0
        for user, played, hour, weight in self.rows:
            if user in members:
                decayed = weight * 2 ** (-(self.now - hour) * HOUR_MS / self.config.half_life)
                of_user[user] += decayed
                of_item += decayed if played == item else 0.0
        total = sum(of_user.values())
        if not values:
            return of_item / total
        evidence = total**2 / sum(weight**2 for weight in of_user.values())
        prior = self.config.prior
        return (evidence * of_item / total + prior * self.share(values[:-1], item)) / (evidence + prior)

    def ranked(self, person: Person) -> list[tuple[float, int]]:
        """Every item that may be listed, with its score, best first, ties by item."""
        plays = defaultdict(int)
        for row in self.rows:
            plays[row[1]] += 1
        least = self.config.min_plays or (20 if self.config.lift else 1)
        values = self.segment(person)
        power = self.config.lift if values else 0.0
        found = [
            (self.share(values, item) / self.share((), item) ** power, item)
            for item, count in plays.items()
            if count >= least
        ]
        return sorted(found, key=lambda each: (-each[0], each[1]))


genders = st.sampled_from([None, "f", "m", "m"])
ages = st.one_of(st.none(), st.sampled_from([17, 18, 24, 40, 70]))
persons = st.fixed_dictionaries({"gender": genders, "age": ages, "region": st.sampled_from(["n", "s"])})
bins = {"age": (18.0, 40.0)}


@given(
    rows=st.lists(
        st.tuples(
            st.integers(0, 11),
            st.integers(0, ITEMS - 1),
            st.one_of(st.integers(0, 3), st.integers(0, 90)),
            st.sampled_from([1.0, 1.0, 2.5, 0.0]),
        ),
        max_size=70,
    ),
    people=st.lists(persons, min_size=12, max_size=12),
    asking=st.lists(persons, min_size=1, max_size=4),
    by=st.sampled_from([("gender",), ("age",), ("gender", "age"), ("age", "region", "gender")]),
    binned=st.booleans(),
    prior=st.sampled_from([0.5, 30.0]),
    window=st.sampled_from([None, 30 * HOUR_MS]),
    lift=st.sampled_from([0.0, 0.0, 0.4, 1.0]),
    min_plays=st.sampled_from([1, 3]),
    min_users=st.sampled_from([1, 2]),
    keep=st.sampled_from([2, 4, 100]),
    cut=st.sampled_from([None, 95]),
)
@settings(deadline=None, max_examples=400)
def test_lists_equal_a_slow_literal_computation(
    rows: list[Row],
    people: list[Person],
    asking: list[Person],
    by: tuple[str, ...],
    binned: bool,
    cut: int | None,
    **keys: Any,
) -> None:
    config = AttributeConfig(by, bins if binned and "age" in by else {}, half_life=20 * HOUR_MS, **keys)
    people[0] = {"gender": "f", "age": 17, "region": "n"}  # so that no column is without values and type
    log = log_of(rows, people, None if cut is None else START_MS + cut * HOUR_MS)
    slow = Slow(rows, people, config, cut or max((row[2] for row in rows), default=0))
    asking.append({"gender": "f", "age": 99, "region": "unheard of"})
    for person, found in zip(asking, lists(fitted(log, config), requests_of(asking)), strict=True):
        expected = slow.ranked(person)
        assert list(found.values()) == pytest.approx([score for score, _ in expected[: config.keep]], rel=1e-5)
        scores = {item: score for score, item in expected}
        assert found == {item: pytest.approx(scores[item], rel=1e-5) for item in found}


def one(*items: int, user: int = 0) -> list[Row]:
    return [(user, item, 0, 1.0) for item in items]


def test_two_segments_by_hand() -> None:
    # Two women: one plays i0 and i1, the other i0; two men play i2. Nobody's age is known.
    people = [{"gender": "f"}, {"gender": "f"}, {"gender": "m"}, {"gender": "m"}]
    rows = [*one(0, 1), *one(0, user=1), *one(2, user=2), *one(2, user=3)]
    model = fitted(log_of(rows, people), AttributeConfig(("gender",), prior=3.6, min_users=1))
    women, men, nobody = lists(model, requests_of([{"gender": "f"}, {"gender": "m"}, {"gender": None}]))
    # The women's plays are 2 and 1: as good as 3^2 / (2^2 + 1) = 1.8 people; with a prior of 3.6, a third of the trust.
    assert women == {
        0: pytest.approx(2 / 3 * 1 / 3 + 2 / 5 * 2 / 3),
        2: pytest.approx(2 / 5 * 2 / 3),
        1: pytest.approx(1 / 3 * 1 / 3 + 1 / 5 * 2 / 3),
    }
    assert list(women) == [0, 2, 1]
    assert men[2] == pytest.approx((2 * 1 + 3.6 * 2 / 5) / (2 + 3.6))
    assert nobody == {0: pytest.approx(2 / 5), 2: pytest.approx(2 / 5), 1: pytest.approx(1 / 5)}
    assert list(nobody) == [0, 2, 1], "ties by item"


def test_three_people_do_not_rule_however_much_they_play() -> None:
    people = [{"gender": "f"}] * 3 + [{"gender": "m"}] * 50
    crowd = [(user, item, 0, 1.0) for user in range(3, 53) for item in (0, 1)]
    few = [(user, 2, hour, 1.0) for user in range(3) for hour in range(40)]
    config = AttributeConfig(("gender",), half_life=10_000 * HOUR_MS, min_users=1)
    women, everyone = lists(fitted(log_of(crowd + few, people), config), requests_of([{"gender": "f"}, {}]))
    assert women[2] == pytest.approx(everyone[2] + 3 / 103 * (1 - everyone[2]), rel=1e-4)
    alone = lists(fitted(log_of(crowd + few, people), replace(config, min_users=4)), requests_of([{"gender": "f"}]))
    assert alone == [everyone]


@pytest.mark.parametrize("half_life", [2, 20, 2000])
def test_a_common_delay_changes_nothing(half_life: int) -> None:
    """The prior means the same whatever the half-life: only differences of age count, and people, not plays."""
    people = [{"gender": "fm"[user % 2]} for user in range(8)]
    rows = [(user, (user * 3 + turn) % ITEMS, turn * 2, 1.0) for user in range(8) for turn in range(5)]
    config = AttributeConfig(("gender",), half_life=half_life * HOUR_MS, window=None, min_users=1)
    asking = requests_of([{"gender": "f"}, {"gender": "m"}])
    now, later = (lists(fitted(log_of(rows, people, START_MS + cut * HOUR_MS), config), asking) for cut in (20, 9000))
    assert now == later


def test_backs_off_from_the_first_value_missing_or_unknown() -> None:
    people = [{"gender": "fm"[user // 6], "age": 20 + user // 3, "region": "n"} for user in range(12)]
    rows = [(user, user // 3, 0, 1.0) for user in range(12)] + [(user, 6, 0, 1.0) for user in range(12)]
    config = AttributeConfig(("gender", "age", "region"), prior=1.0, min_users=1)
    model = fitted(log_of(rows, people), config)
    asked: list[Person] = [
        {"gender": "f", "age": 21, "region": "n"},
        {"gender": "f", "age": 21, "region": "s"},
        {"gender": "f", "age": 21},
        {"gender": "f", "age": 23, "region": "n"},  # 23 is a man's age here
        {"gender": "f", "age": None, "region": "n"},
        {"gender": "f", "age": float("nan"), "region": "n"},
        {"gender": "f", "age": 21.0, "region": "n"},
        {"gender": "f", "age": "21", "region": "n"},
        {"gender": "f"},
        {"gender": "x", "age": 21, "region": "n"},
        {"gender": None, "age": 21, "region": "n"},
        {},
    ]
    depth = [3, 2, 2, 1, 1, 1, 3, 3, 1, 0, 0, 0]
    alone = {depth: lists(model, requests_of([asked[0]]).take(np.zeros(1, np.int64)))[0] for depth in (3,)}
    alone[2] = lists(model, requests_of([{"gender": "f", "age": 21}]))[0]
    alone[1] = lists(model, requests_of([{"gender": "f"}]))[0]
    alone[0] = lists(model, requests_of([{}]))[0]
    assert len({tuple(each.items()) for each in alone.values()}) == 4
    assert lists(model, requests_of(asked)) == [alone[each] for each in depth]


def test_the_main_item_is_left_out_and_k_may_exceed_the_list() -> None:
    people = [{"gender": "f"}, {"gender": "m"}]
    rows = [*one(4, 4, 4, 2, 2, 5), *one(1, user=1)]
    model = fitted(log_of(rows, people), AttributeConfig(("gender",), prior=1.0, min_users=1, keep=4))
    woman, man = {"gender": "f"}, {"gender": "m"}
    asked, mains = [woman, woman, woman, woman, man], [-1, 4, 1, 0, 1]
    for k, expected in (
        (0, [[], [], [], [], []]),
        (1, [[4], [2], [4], [4], [4]]),
        (3, [[4, 2, 5], [2, 5, 1], [4, 2, 5], [4, 2, 5], [4, 2, 5]]),
        (9, [[4, 2, 5, 1], [2, 5, 1], [4, 2, 5], [4, 2, 5, 1], [4, 2, 5]]),
    ):
        assert [list(found) for found in lists(model, requests_of(asked, mains), k)] == expected


def test_a_lift_puts_what_is_special_first_and_rare_items_nowhere() -> None:
    people = [{"gender": "fm"[user % 2]} for user in range(40)]
    rows = [(user, 0, 0, 1.0) for user in range(40)]  # everybody's
    rows += [(user, 1, 0, 1.0) for user in range(0, 40, 2)] + [(1, 1, 0, 1.0)]  # the women's, nearly
    rows += [(0, 2, 0, 1.0)]  # one play, by a woman
    women = [{"gender": "f"}]
    plain = lists(fitted(log_of(rows, people), AttributeConfig(("gender",))), requests_of(women))[0]
    assert list(plain) == [0, 1, 2]
    special = lists(fitted(log_of(rows, people), AttributeConfig(("gender",), lift=1.0)), requests_of(women))[0]
    assert list(special) == [1, 0]
    unguarded = AttributeConfig(("gender",), lift=1.0, min_plays=1)
    assert next(iter(lists(fitted(log_of(rows, people), unguarded), requests_of(women))[0])) == 2


def test_no_age_of_plays_takes_a_score_out_of_range() -> None:
    people = [{"gender": "f"}, {"gender": "m"}]
    rows = [(0, 0, 0, 1.0), (0, 1, 1, 1.0), (1, 2, 50_000, 1.0)]
    config = AttributeConfig(("gender",), half_life=HOUR_MS, window=None, lift=1.0, min_plays=1, min_users=1)
    women, men = lists(fitted(log_of(rows, people), config), requests_of([{"gender": "f"}, {"gender": "m"}]))
    assert sorted(women) == sorted(men) == [0, 1, 2]
    assert all(np.isfinite([*women.values(), *men.values()]))


def test_bins_take_numbers_alone() -> None:
    people = [{"gender": "f", "age": 17}, {"gender": "m", "age": None}]
    with pytest.raises(DataError) as caught:
        fitted(log_of([], people), AttributeConfig(("gender",), {"gender": (1.0,)}))
    assert str(caught.value) == "attribute: bins: users: column 'gender': 'f' is not a number"
    model = fitted(log_of(one(3), people), AttributeConfig(("age",), {"age": (18.0,)}, prior=1e-6, min_users=1))
    young, same, odd = lists(model, requests_of([{"age": 3.5}, {"age": "17"}, {"age": "seventeen"}]))
    assert young == same == odd == {3: 1.0}


def test_a_value_on_an_edge_lies_above_it() -> None:
    people = [{"age": age} for age in (17.9, 18, 24, 25)]
    rows = [row for user, item in enumerate((0, 1, 1, 2)) for row in one(item, user=user)]
    config = AttributeConfig(("age",), {"age": (18, 25)}, prior=1e-6, min_users=1)
    found = lists(fitted(log_of(rows, people), config), requests_of([{"age": age} for age in (0, 18, 24.9, 25, 900)]))
    assert [next(iter(each)) for each in found] == [0, 1, 1, 2, 2]


def test_columns_of_lists_make_no_segments() -> None:
    with pytest.raises(DataError) as caught:
        fitted(log_of([], [{"likes": ["a"]}]), AttributeConfig(("likes",)))
    assert str(caught.value) == (
        "attribute: by: users: column 'likes' holds list<item: string>; accepted: single values"
    )


def test_a_column_that_no_user_has() -> None:
    log = log_of(one(1, 2), [{"gender": "f", "age": 20}])
    with pytest.raises(DataError) as caught:
        Attribute(AttributeConfig(("gender", "agee")), log.catalogue)
    assert str(caught.value) == "users: no column 'agee'; nearest: age; there are: gender, age"
    config = AttributeConfig(("region", "gender", "zip"), min_users=1, optional=True)
    model = fitted(log, config)
    assert model.note == "segments by gender alone: no user has the columns 'region', 'zip'"
    asked = requests_of([{"gender": "f"}])
    assert lists(model, asked) == lists(fitted(log, replace(config, by=("gender",))), asked)
    none = fitted(log, AttributeConfig(("region",), {"region": (1.0,)}, optional=True))
    assert none.note == "left out: no user has the column 'region'"
    assert lists(none, asked) == [{}]
    assert fitted(log, AttributeConfig(("gender",), optional=True)).note == ""


def test_users_without_attributes() -> None:
    log = log_of(one(1), [{}])
    with pytest.raises(DataError) as caught:
        Attribute(AttributeConfig(("gender",)), log.catalogue)
    assert str(caught.value) == "users: no column 'gender'; there are: none"


def test_values_survive_files(tmp_path: Path) -> None:
    values: list[Any] = ["", "ü", "a,b", "nan", None, "\n"]
    people = [{"text": text, "flag": number % 2 == 0, "year": 2.5 * number} for number, text in enumerate(values)]
    rows = [row for user in range(len(people)) for row in one(user, user=user)]
    log = log_of(rows, people)
    config = AttributeConfig(("text", "flag", "year"), prior=0.01, min_users=1)
    model = fitted(log, config)
    model.save(tmp_path)
    fresh = Attribute(config, log.catalogue)
    fresh.load(tmp_path)
    found = lists(fresh, requests_of(people))
    assert found == lists(model, requests_of(people))
    firsts = [next(iter(each)) for each in found]
    assert firsts == [0, 1, 2, 3, 0, 5], "each has a segment of its own, but for the one whose text is missing"


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ({"by": ["age", "age"]}, "by: 'age' stands there twice, accepted: each column once"),
        ({"by": ["age"], "bins": {"gender": [1]}}, "bins: 'gender' is not a column of by, accepted: age"),
        ({"by": ["age"], "bins": {"age": [3, 3]}}, "bins: age: found [3.0, 3.0], accepted: one or more rising numbers"),
        ({"by": ["age"], "bins": {"age": []}}, "bins: age: found [], accepted: one or more rising numbers"),
        ({"by": []}, "at least 1 item"),
        ({}, "required"),
    ],
)
def test_what_is_no_config(keys: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError) as caught:
        TypeAdapter(AttributeConfig).validate_python(keys)
    assert message in str(caught.value)


def test_a_scenario_uses_it_by_name(yoorec_project: Any) -> None:
    project = yoorec_project(triggers={"alike": {"use": "attribute", "by": ["gender", "age"], "bins": {"age": [30]}}})
    assert project.replay()["variants"]["control"]["metrics"]["hit_rate@10"]["value"] > 0
    assert len(project.recommend(item_id="i07", k=3)["items"]) == 3
