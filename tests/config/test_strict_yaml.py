"""YAML by its newer rules, with lines."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from yoorec.config.strict_yaml import read_yaml


def _read(tmp_path: Path, text: str):
    file = tmp_path / "x.yaml"
    file.write_text(text, encoding="utf-8")
    return read_yaml(file, "x.yaml")


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1:30", "1:30"),
        ("on", "on"),
        ("yes", "yes"),
        ("2022-05-01", "2022-05-01"),
        ("true", True),
        ("False", False),
        ("~", None),
        ("", None),
        ("null", None),
        ("007", 7),
        ("-3", -3),
        ("1_000", 1000),
        ("1e3", 1000.0),
        (".5", 0.5),
        ("2.", 2.0),
        ("-.inf", float("-inf")),
        ("'5'", "5"),
        ("30m", "30m"),
        ("!!str 5", "5"),
        ("!!float 5", 5.0),
        ("[1, a, {b: c}]", [1, "a", {"b": "c"}]),
    ],
)
def test_scalars(tmp_path, text, value):
    document, problems = _read(tmp_path, f"key: {text}\n")
    assert problems == []
    assert document.values == {"key": value}
    assert type(document.values["key"]) is type(value)


def test_lines_and_header(tmp_path):
    document, _ = _read(tmp_path, "# @package _global_\n# a remark\n\na:\n  b: 1\n  c:\n    - x\n    - {d: 2}\n")
    assert document.header == {"package": "_global_"}
    lines = {".".join(path): line for path, line in document.lines.items()}
    assert {key: lines[key] for key in ("a", "a.b", "a.c", "a.c.0", "a.c.1", "a.c.1.d")} == {
        "a": 4,
        "a.b": 5,
        "a.c": 6,
        "a.c.0": 7,
        "a.c.1": 8,
        "a.c.1.d": 8,
    }


def test_anchors_are_copied(tmp_path):
    document, problems = _read(tmp_path, "a: &x {b: 1}\nc: *x\n")
    assert problems == []
    assert document.values == {"a": {"b": 1}, "c": {"b": 1}}


def test_every_duplicate_is_reported(tmp_path):
    _, problems = _read(tmp_path, "a: 1\nb:\n  c: 1\n  c: 2\na: 3\na: 4\n")
    assert [str(problem) for problem in problems] == [
        "x.yaml: b.c: set twice, on line 3 and on line 4",
        "x.yaml: a: set twice, on line 1 and on line 5",
        "x.yaml: a: set twice, on line 1 and on line 6",
    ]


def test_empty_file_holds_nothing(tmp_path):
    assert _read(tmp_path, "# only a remark\n")[0].values == {}


def test_missing_file(tmp_path):
    assert str(read_yaml(tmp_path / "no.yaml", "no.yaml")[1][0]) == "no.yaml: can't be read: No such file or directory"


_plain = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text("ab:1-.~ é'\"#{}[]\\", max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text("abc", min_size=1, max_size=3), inner, max_size=3)
    ),
    max_leaves=8,
)


@given(st.dictionaries(st.text("abc", min_size=1, max_size=3), _plain, max_size=4))
def test_what_is_written_quoted_is_read_back(tmp_path_factory, values):
    text = yaml.safe_dump(values, default_style='"', allow_unicode=True)
    document, problems = _read(tmp_path_factory.getbasetemp(), text)
    assert problems == []
    assert document.values == values
