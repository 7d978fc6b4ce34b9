"""What was composed: a scenario's whole YAML, defaults included, and who set each key."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

from yoorec.config.compose import Composition
from yoorec.config.describe import fields_of
from yoorec.config.framework import KIND_WORDS, SECTIONS
from yoorec.config.scenario import Part
from yoorec.config.strict_yaml import KeyPath

__all__ = ["flow", "origin_rows", "show_yaml"]

_PLAIN = re.compile(r"[A-Za-z_/][A-Za-z0-9_./~*@ -]*|[0-9]+(?:\.[0-9]+)?(?:ms|s|m|h|d)")
_READ_AS_OTHER = {"null", "true", "false", "yes", "no", "on", "off", "y", "n", "~"}
_WIDTH = 110


def _scalar(value: Any) -> str:
    if isinstance(value, str):
        plain = _PLAIN.fullmatch(value) and value.lower() not in _READ_AS_OTHER and value == value.strip()
        return value if plain else _quoted(value.replace("${", "\\${"))
    if isinstance(value, float) and (value != value or value in (float("inf"), float("-inf"))):
        return {"nan": ".nan", "inf": ".inf", "-inf": "-.inf"}[str(value)]
    return json.dumps(value)


def _quoted(text: str) -> str:
    """Double quotes, as YAML reads them: JSON's escapes, and its own for what may not stand in a YAML file."""
    quoted = json.dumps(text, ensure_ascii=False)
    return "".join(each if each.isprintable() else f"\\U{ord(each):08x}" for each in quoted)


def flow(value: Any) -> str:
    """A plain value as YAML on one line."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{_scalar(key)}: {flow(each)}" for key, each in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(flow(each) for each in value) + "]"
    return _scalar(value)


def _block(values: dict[str, Any], indent: int) -> Iterator[str]:
    pad = "  " * indent
    for key, value in values.items():
        line = f"{pad}{_scalar(key)}: {flow(value)}"
        whole = not isinstance(value, (dict, list)) or not value
        if whole or (indent > 0 and len(line) <= _WIDTH):
            yield line
        elif isinstance(value, dict):
            yield f"{pad}{_scalar(key)}:"
            yield from _block(value, indent + 1)
        else:
            yield f"{pad}{_scalar(key)}:"
            yield from (f"{pad}  - {flow(each)}" for each in value)


def show_yaml(composition: Composition) -> str:
    """The scenario as YAML, resolved and with every default filled in; it composes to itself."""
    return "\n".join(_block(dict(composition.scenario.plain), 0)) + "\n"


def origin_rows(composition: Composition) -> list[tuple[str, str, str]]:
    """(key, value, origin) of every key in the order shown; a rule's keys stand under ``exposure.<id>``.

    An origin is ``file:line``, ``command line: override``, ``variants.name: override``, or the component or section
    whose default it is.
    """
    return [
        (".".join(path), flow(value), _origin(composition, path))
        for path, value in _leaves(composition.scenario.plain, ())
    ]


def _leaves(node: Any, path: KeyPath) -> Iterator[tuple[KeyPath, Any]]:
    for key, value in node.items():
        if (*path, key) == ("exposure",) and value:
            yield from _leaves({rule["id"]: rule for rule in value}, ("exposure",))
        elif isinstance(value, dict) and value:
            yield from _leaves(value, (*path, key))
        else:
            yield (*path, key), value


def _origin(composition: Composition, path: KeyPath) -> str:
    node: Any = composition.stack.values
    for length, key in enumerate(path):
        if not isinstance(node, dict):
            return str(composition.stack.origin(path[:length]))
        if key not in node:
            return _default(composition, path)
        node = node[key]
    return str(composition.stack.origin(path))


def _default(composition: Composition, path: KeyPath) -> str:
    scenario = composition.scenario
    if len(path) == 1:
        return "not set"
    parts: dict[KeyPath, Part] = {
        ("data",): scenario.data,
        ("profile",): scenario.profile,
        ("merge",): scenario.merge,
        **({("ranker",): scenario.ranker} if scenario.ranker else {}),
        **{("triggers", part.name): part for part in scenario.triggers},
        **{("exposure", part.name): part for part in scenario.exposure},
    }
    for length in (1, 2):
        part = parts.get(path[:length])
        if part is not None:
            kind = KIND_WORDS.get(part.kind, part.kind)
            own = path[length] in fields_of(SECTIONS[part.kind])
            return f"default of every {kind}" if own else f"default of {kind} {part.use}"
    return f"default of {path[0]}"
