"""Pydantic judges a config's values; its findings are said here in the five facts."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from functools import lru_cache
from typing import Any, cast, get_args

from pydantic import PydanticSchemaGenerationError, PydanticUserError, TypeAdapter, ValidationError
from pydantic_core import ErrorDetails

from yoorec.config.describe import (
    DURATION,
    annotation_at,
    describe,
    fields_of,
    kind_of,
    literals,
    parts,
    plain_key,
    strip,
)
from yoorec.errors import PluginError, nearest

__all__ = ["NOT_GIVEN", "Fault", "adapter", "judge", "shown"]

NOT_GIVEN = "is not given"
_RANGE = {
    "greater_than",
    "greater_than_equal",
    "less_than",
    "less_than_equal",
    "multiple_of",
    "too_short",
    "too_long",
    "string_too_short",
    "string_too_long",
    "finite_number",
}


class Fault:
    """One thing wrong inside a config: where, and the facts for a Problem."""

    __slots__ = ("accepted", "message", "nearest", "path")

    def __init__(self, path: tuple[str, ...], message: str, accepted: str = "", nearest: str | None = None) -> None:
        self.path = path
        self.message = message
        self.accepted = accepted
        self.nearest = nearest


@lru_cache(maxsize=256)
def adapter(config: type) -> TypeAdapter[Any]:
    """Pydantic's adapter of a config dataclass. Raises PluginError where an annotation is beyond it."""
    try:
        return TypeAdapter(config)
    except (PydanticSchemaGenerationError, PydanticUserError, NameError, TypeError) as error:
        name = f"{config.__module__}.{config.__qualname__}"
        raise PluginError(f"the config {name} can't be validated: {str(error).splitlines()[0]}") from error


def shown(value: Any) -> str:
    """A found value, as YAML would write it."""
    if isinstance(value, str):
        return f"'{value}'"
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 60 else f"{text[:57]}..."


def judge(config: type, values: Mapping[str, Any], accepted: tuple[str, ...] = ()) -> tuple[Any, list[Fault]]:
    """An instance of `config` made of plain values (None where there are faults), and the faults.

    accepted: keys that stand beside the config's own, for the message on an unknown key.
    Strict as JSON is: ``true`` is no text, ``"5"`` no number; a list serves for a tuple and text for a path.
    """
    fields = fields_of(config)
    known = {fields[key][0]: value for key, value in values.items() if key in fields}
    faults = [_unknown((), key, (*fields, *accepted)) for key in values if key not in fields]
    try:
        found = adapter(config).validate_json(json.dumps(known), strict=True, extra="forbid")
    except ValidationError as error:
        return None, [*faults, *_faults(config, values, error.errors(include_url=False))]
    except (ValueError, TypeError) as error:
        return None, [*faults, Fault((), f"is not accepted: {error}")]
    return (None if faults else found), faults


def _unknown(path: tuple[str, ...], key: str, accepted: tuple[str, ...]) -> Fault:
    return Fault(
        (*path, key), f"'{key}' is not accepted here", ", ".join(sorted(accepted)) or "no key", nearest(key, accepted)
    )


def _faults(config: type, values: Mapping[str, Any], errors: list[ErrorDetails]) -> list[Fault]:
    grouped: dict[tuple[str | int, ...], list[ErrorDetails]] = {}
    for error in errors:
        grouped.setdefault(_data_path(values, error), []).append(error)
    return [_fault(config, values, path, found) for path, found in grouped.items()]


def _data_path(values: Any, error: ErrorDetails) -> tuple[str | int, ...]:
    """The part of pydantic's location that names keys and places; the rest names members of unions."""
    path: list[str | int] = []
    node: Any = values
    last = len(error["loc"]) - 1
    for number, step in enumerate(error["loc"]):
        key = plain_key(step) if isinstance(step, str) and not path else step
        if isinstance(node, Mapping) and key in node:
            node = node[key]
            path.append(key)
        elif isinstance(node, list) and isinstance(step, int) and step < len(node):
            node = node[step]
            path.append(step)
        elif error["type"] in ("missing", "missing_argument", "missing_keyword_only_argument") and number == last:
            path.append(key)
    return tuple(path)


def _at(values: Any, path: tuple[str | int, ...]) -> Any:
    for step in path:
        values = values[step]
    return values


def _fault(config: type, values: Any, path: tuple[str | int, ...], errors: list[ErrorDetails]) -> Fault:
    kinds = {error["type"] for error in errors}
    named = tuple(str(step) for step in path)
    custom = [str(error["ctx"]["error"]) for error in errors if error["type"] in ("value_error", "assertion_error")]
    if not path:
        return Fault((), custom[0] if custom else errors[0]["msg"])
    if kinds <= {"unexpected_keyword_argument", "extra_forbidden"}:
        return _unknown(named[:-1], named[-1], tuple(_fields_above(config, values, path)))
    if any(kind.startswith("missing") for kind in kinds):
        return Fault(named, NOT_GIVEN, describe(_fields_above(config, values, path)[named[-1]]))
    if any("[key]" in error["loc"] for error in errors):
        return _bad_key(config, values, path)
    found = _at(values, path)
    annotation = annotation_at(config, path, values)
    accepted, words = describe(annotation), literals(annotation)
    if found is None:
        return Fault(named, "null is not accepted here", accepted)
    if "literal_error" in kinds and words:
        return Fault(named, f"{shown(found)} is not accepted", accepted, nearest(str(found), words))
    if kinds & _RANGE:
        return Fault(named, f"{shown(found)} is out of range", accepted)
    if custom and accepted.startswith(DURATION):
        return Fault(named, f"{shown(found)} is not a duration", accepted)
    if custom:
        return Fault(named, f"{shown(found)} is not accepted: {custom[0]}", accepted)
    wanted = describe(annotation, limits=False)
    if kind_of(found) == wanted:
        return Fault(named, f"{shown(found)} is not accepted: {errors[0]['msg']}", accepted)
    return Fault(named, f"{shown(found)} is {kind_of(found)}, not {wanted}", accepted)


def _fields_above(config: type, values: Any, path: tuple[str | int, ...]) -> dict[str, Any]:
    """YAML keys and annotations of the dataclass that holds the last step of `path`."""
    above = annotation_at(config, path[:-1], values)
    for part in parts(above):
        base, _ = strip(part)
        if dataclasses.is_dataclass(base):
            return {key: annotation for key, (_, annotation, _) in fields_of(cast(type, base)).items()}
    return {}


def _bad_key(config: type, values: Any, path: tuple[str | int, ...]) -> Fault:
    above = annotation_at(config, path[:-1], values)
    key = str(path[-1])
    for part in parts(above):
        arguments = get_args(strip(part)[0])
        if len(arguments) == 2:
            words = literals(arguments[0])
            return Fault(
                tuple(map(str, path)), f"'{key}' is not accepted here", describe(arguments[0]), nearest(key, words)
            )
    return Fault(tuple(map(str, path)), f"'{key}' is not accepted here")
