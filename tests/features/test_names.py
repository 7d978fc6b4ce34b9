from __future__ import annotations

from typing import Any

import pytest
from pydantic import TypeAdapter, ValidationError

from yoorec.components import RankSamples
from yoorec.errors import DataError
from yoorec.features.config import Feature, FeatureKeys
from yoorec.features.declared import check_features
from yoorec.features.learning import learn
from yoorec.features.names import TABLES, parse_name
from yoorec.features.readers import Around


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("itm.id", "'itm.id' begins with no table; nearest: item; there are: user, item, main, history"),
        ("item", "'item' names nothing in 'item'; accepted behind 'item.': id, or a column's name"),
        ("context.hours", "'context.hours': no 'hours' in 'context'; nearest: hour; there are: hour, weekday"),
        ("trigger.itemcf.ranks", "no 'ranks' in 'trigger'; nearest: rank; there are: score, share, rank, presence"),
    ],
)
def test_a_wrong_name_lists_what_there_is(text: str, said: str) -> None:
    with pytest.raises(ValueError, match=r"begins|names|no '") as caught:
        parse_name(text)
    assert said in str(caught.value)


def test_every_table_parses() -> None:
    words = {"context": "hour", "trigger": "rank", "merge": "score"}
    for table in TABLES:
        assert parse_name(f"{table}.{words.get(table, 'some_column')}").table == table
    assert parse_name("trigger.itemcf.rank") == ("trigger", "rank", "itemcf")


@pytest.mark.parametrize(
    ("keys", "said"),
    [
        ({"of": "item.author", "window": 3_600_000}, "'window' does nothing for item.author; it is for stat"),
        ({"of": "item.id", "last": 3}, "'last' does nothing for item.id; it is for history, session"),
        ({"of": ("user.gender", "history.id")}, "history.id can't be crossed"),
        ({"of": ("user.gender", "item.id"), "default": "x"}, "'default' does nothing for a cross"),
        ({"of": "stat.play", "edges": (3.0, 1.0)}, "'edges' rise"),
        ({"of": "stat.play", "edges": (1.0,), "buckets": 4}, "'edges' rise"),
    ],
)
def test_keys_that_do_nothing_are_refused(keys: dict[str, Any], said: str) -> None:
    with pytest.raises(ValueError, match=r"does nothing|crossed|rise") as caught:
        Feature(**keys)
    assert said in str(caught.value)


def test_yaml_is_judged_strictly() -> None:
    judge = TypeAdapter(FeatureKeys)
    found = judge.validate_python({"features": {"a": {"of": "stat.play", "window": "7d"}, "b": None}})
    assert found.features is not None
    assert found.features["a"] == Feature("stat.play", window=7 * 86_400_000)
    with pytest.raises(ValidationError, match="begins with no table"):
        judge.validate_python({"features": {"a": {"of": "stats.play"}}})


@pytest.mark.parametrize(
    ("feature", "said"),
    [
        (Feature("item.autor"), "features.x: items: no column 'autor'; nearest: author; there are: title, author"),
        (Feature("user.gendr"), "features.x: users: no column 'gendr'; nearest: gender; there are: id, gender, age"),
        (Feature("user.age", min_count=3), "features.x: 'min_count' does nothing for user.age, which holds numbers"),
        (Feature("item.author", buckets=3), "features.x: 'buckets' does nothing for item.author, which holds names"),
        (Feature("user.age", default="old"), "features.x: user.age holds numbers; 'default' is 'old', which is none"),
        (Feature("context.position", default=500), "'default' of context.position is 500; accepted: 0 to 99"),
        (Feature("context.hour", default="noon"), "'default' of context.hour is 'noon'; accepted: 0 to 23"),
        (Feature("context.weekday", default=-1), "'default' of context.weekday is -1; accepted: 0 to 6"),
        (Feature("main.tags"), "features.x: items: column 'tags' holds lists; take history.tags or same.tags"),
    ],
)
def test_what_the_data_lacks_is_named(feature: Feature, said: str, around: Around) -> None:
    with pytest.raises(DataError) as caught:
        check_features(FeatureKeys({"x": feature}), around.catalogue)
    assert said in str(caught.value)


@pytest.mark.parametrize(
    ("feature", "said"),
    [
        (Feature("trigger.itemcg.rank"), "no trigger 'itemcg'; nearest: itemcf; there are: hot, itemcf, text"),
        (Feature("similar.hot"), "no trigger with vectors 'hot'; there are: text"),
        (Feature("stat.plays"), "features.x: no 'plays' in 'stat'; nearest: play"),
        (Feature(("user.gender", "item.tags")), "features.x: item.tags holds lists; a cross takes single values"),
    ],
)
def test_what_the_chain_lacks_is_named(feature: Feature, said: str, around: Around, samples: RankSamples) -> None:
    with pytest.raises(DataError) as caught:
        learn(FeatureKeys({"x": feature}), samples, around)
    assert said in str(caught.value)


def test_optional_features_are_left_out(around: Around, samples: RankSamples) -> None:
    keys = FeatureKeys(
        {
            "gone": Feature("item.autor", optional=True),
            "crossed": Feature(("user.gender", "item.autor"), optional=True),
            "off": None,
            "there": Feature("item.author"),
        }
    )
    check_features(keys, around.catalogue)
    layout = learn(keys, samples, around).layout
    assert (layout.request.id, layout.item.id, layout.row.id) == ((), ("there",), ())
