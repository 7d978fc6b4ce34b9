"""Strict YAML: no key twice, text keys, YAML 1.2 scalars, and the line on which each key stands.

YAML 1.1, which PyYAML follows, reads ``1:30`` as 90, ``on`` as true and ``2022-05-01`` as a date; all are text here.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml  # type: ignore[import-untyped]

from yoorec.errors import Problem

__all__ = ["Document", "KeyPath", "read_yaml"]

KeyPath = tuple[str, ...]
"""Keys from the top of a file down; a list's elements are named by their position, from "0"."""

_SCALARS: tuple[tuple[str, re.Pattern[str]], ...] = (
    ("null", re.compile(r"^(?:~|null|Null|NULL|)$")),
    ("bool", re.compile(r"^(?:true|True|TRUE|false|False|FALSE)$")),
    ("int", re.compile(r"^[-+]?[0-9](?:_?[0-9])*$")),
    (
        "float",
        re.compile(
            r"^[-+]?(?:\.[0-9]+|[0-9](?:_?[0-9])*(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?$|^[-+]?\.(?:inf|Inf|INF)$|^\.(?:nan|NaN|NAN)$"
        ),
    ),
)
_TAG = "tag:yaml.org,2002:"


class _Loader(yaml.SafeLoader):  # type: ignore[misc]
    """PyYAML's safe loader with the scalars of YAML 1.2's core schema."""

    yaml_implicit_resolvers: dict[str | None, list[tuple[str, re.Pattern[str]]]] = {  # noqa: RUF012 - PyYAML's own
        None: [(f"{_TAG}{kind}", pattern) for kind, pattern in _SCALARS]
    }


@dataclass(frozen=True, slots=True)
class Document:
    """One YAML file: its values as plain dicts, lists and scalars, and the 1-based line of each key."""

    values: dict[str, Any] = field(default_factory=dict)
    lines: dict[KeyPath, int] = field(default_factory=dict)
    header: dict[str, str] = field(default_factory=dict)
    """Hydra's ``# @package`` comments at the top of the file."""


class _Reader:
    """Walks PyYAML's node tree, gathering values, lines and everything that can't be taken."""

    def __init__(self, file: str) -> None:
        self.file = file
        self.lines: dict[KeyPath, int] = {}
        self.problems: list[Problem] = []

    def value(self, node: yaml.Node, path: KeyPath, parents: frozenset[int]) -> Any:
        self.lines[path] = node.start_mark.line + 1
        if id(node) in parents:
            self._problem(path, node, "an alias may not hold itself")
            return None
        if isinstance(node, yaml.MappingNode) and node.tag == f"{_TAG}map":
            return self._mapping(node, path, parents | {id(node)})
        if isinstance(node, yaml.SequenceNode) and node.tag == f"{_TAG}seq":
            inner = parents | {id(node)}
            return [self.value(each, (*path, str(n)), inner) for n, each in enumerate(node.value)]
        if isinstance(node, yaml.ScalarNode):
            return self._scalar(node, path)
        self._problem(path, node, f"the tag '{node.tag.removeprefix(_TAG)}' is not accepted")
        return None

    def _mapping(self, node: yaml.MappingNode, path: KeyPath, parents: frozenset[int]) -> dict[str, Any]:
        found: dict[str, Any] = {}
        first: dict[str, int] = {}
        for key_node, value_node in node.value:
            line = key_node.start_mark.line + 1
            if not isinstance(key_node, yaml.ScalarNode) or key_node.tag != f"{_TAG}str":
                text = key_node.value if isinstance(key_node, yaml.ScalarNode) else "a list or mapping"
                self._problem(path, key_node, f"a key must be text, found {text}", "quote it to make it text")
                continue
            key = str(key_node.value)
            if key in first:
                self.problems.append(
                    Problem(self.file, ".".join((*path, key)), f"set twice, on line {first[key]} and on line {line}")
                )
                continue
            first[key] = line
            found[key] = self.value(value_node, (*path, key), parents)
            self.lines[(*path, key)] = line
        return found

    def _scalar(self, node: yaml.ScalarNode, path: KeyPath) -> Any:
        kind, text = node.tag.removeprefix(_TAG), str(node.value)
        if kind == "str":
            return text
        pattern = dict(_SCALARS).get(kind)
        if pattern is None or not pattern.match(text):
            self._problem(path, node, f"'{text}' can't be read as '{kind}'")
            return None
        if kind == "null":
            return None
        if kind == "bool":
            return text.lower() == "true"
        if kind == "int":
            return int(text.replace("_", ""))
        return float(text.replace("_", "").lower().replace(".inf", "inf").replace(".nan", "nan"))

    def _problem(self, path: KeyPath, node: yaml.Node, message: str, hint: str = "") -> None:
        where = ".".join(path)
        self.problems.append(Problem(self.file, where, f"{message} (line {node.start_mark.line + 1})", hint=hint))


def _header(text: str) -> Iterator[tuple[str, str]]:
    for line in text.splitlines():
        if not line.strip():
            continue
        if not line.lstrip().startswith("#"):
            return
        match = re.match(r"^\s*#\s*@(\w+)\s+(\S+)\s*$", line)
        if match:
            yield match[1], match[2]


def read_yaml(path: Path, file: str) -> tuple[Document, list[Problem]]:
    """Read one YAML file; `file` is how problems name it. A file with problems still gives what could be read."""
    try:
        text = path.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        return Document(), [Problem(file, "", f"is not UTF-8 text: {error.reason} at byte {error.start}")]
    except OSError as error:
        return Document(), [Problem(file, "", f"can't be read: {error.strerror}")]
    try:
        node = yaml.compose(text, Loader=_Loader)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        where = f"line {mark.line + 1}, column {mark.column + 1}" if mark else ""
        said = ", ".join(part for part in (error.context, error.problem) if part)
        return Document(), [Problem(file, where, f"is not YAML: {said}")]
    except yaml.reader.ReaderError as error:
        return Document(), [Problem(file, "", f"is not YAML: {error.reason} at character {error.position}")]
    if node is None:
        return Document(header=dict(_header(text))), []
    reader = _Reader(file)
    values = reader.value(node, (), frozenset())
    if not isinstance(values, dict):
        reader.problems.append(Problem(file, "", "holds no keys", accepted="a mapping of keys to values"))
        values = {}
    return Document(values, reader.lines, dict(_header(text))), reader.problems
