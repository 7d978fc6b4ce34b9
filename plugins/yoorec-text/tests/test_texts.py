"""Texts read as flat columns, against a literal reading."""

from __future__ import annotations

import itertools

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from yoorec_text.texts import Texts, check_texts, read_texts

from yoorec.errors import DataError


def words_of(texts: Texts) -> list[list[list[str]]]:
    """Of every item in every field, its words."""
    ends = texts.offsets.tolist()
    parts = [[texts.words[each] for each in texts.word[a:b].tolist()] for a, b in itertools.pairwise(ends)]
    return [parts[start : start + texts.fields] for start in range(0, len(parts), texts.fields)]


phrase = st.text("ab ", max_size=8)


@given(rows=st.lists(st.tuples(st.none() | phrase, st.none() | st.lists(st.none() | phrase, max_size=3)), max_size=12))
@pytest.mark.parametrize("limit", [4, 100])
def test_every_word_stands_in_its_item_and_field(
    limit: int, rows: list[tuple[str | None, list[str | None] | None]]
) -> None:
    expected, too_long = [], set()
    for number, (text, several) in enumerate(rows):
        fields = []
        for parts in ([text or ""], [each or "" for each in several or []]):
            long = len(" ".join(parts)) > limit
            fields.append([] if long else " ".join(parts).split())
            if long:
                too_long.add(number)
        expected.append(fields)
    columns = [
        pa.chunked_array([pa.array([text for text, _ in rows], pa.string())]),
        pa.chunked_array([pa.array([several for _, several in rows], pa.list_(pa.string()))]),
    ]
    texts = read_texts(columns, str.split, limit)
    assert words_of(texts) == expected
    assert texts.too_long.tolist() == sorted(too_long)
    flat = [[word for field in fields for word in field] for fields in expected]
    assert [texts.sentences.tolist()[n + 1] - texts.sentences.tolist()[n] for n in range(len(flat))] == [
        *map(len, flat)
    ]
    count, having = texts.count()
    for place, word in enumerate(texts.words):
        assert count[place] == sum(words.count(word) for words in flat)
        assert having[place] == sum(word in words for words in flat)


@pytest.mark.parametrize(
    "kind",
    [
        pa.string(),
        pa.large_string(),
        pa.string_view(),
        pa.dictionary(pa.int32(), pa.string()),
        pa.list_(pa.string()),
        pa.large_list(pa.large_string()),
    ],
    ids=str,
)
def test_columns_that_are_read(kind: pa.DataType) -> None:
    whole = not pa.types.is_list(kind) and not pa.types.is_large_list(kind)
    plain = pa.array(["b a", None, "c"] if whole else [["b a"], None, ["c"]])
    column = pa.chunked_array([plain.cast(kind).slice(0, 1), plain.cast(kind).slice(1)])
    check_texts("x", column)
    assert words_of(read_texts([column], str.split, 9)) == [[["b", "a"]], [[]], [["c"]]]


@pytest.mark.parametrize(
    "kind", [pa.float32(), pa.int64(), pa.bool_(), pa.binary(), pa.timestamp("ms"), pa.list_(pa.int8())], ids=str
)
def test_columns_that_are_no_texts(kind: pa.DataType) -> None:
    with pytest.raises(DataError) as caught:
        check_texts("length", pa.chunked_array([], kind))
    message = f"text: field: items: column 'length' holds {kind}; accepted: texts or lists of texts"
    assert str(caught.value) == message


def test_a_huge_text_is_not_even_cut() -> None:
    def cut(text: str) -> list[str]:
        assert len(text) < 100, "the huge text was read"
        return text.split()

    huge = "word " * 2_000_000
    columns = [
        pa.chunked_array([pa.array(["a b", huge, "c"])]),
        pa.chunked_array([pa.array([["x"] * 1_000_000, ["y"], None])]),
    ]
    texts = read_texts(columns, cut, 20_000)
    assert words_of(texts) == [[["a", "b"], []], [[], ["y"]], [["c"], []]]
    assert texts.too_long.tolist() == [0, 1]
    assert len(texts.words) == 4
