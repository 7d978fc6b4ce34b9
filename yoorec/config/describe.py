"""What an annotation accepts, in words; one description for error messages, generated tables and defaults."""

from __future__ import annotations

import dataclasses
import types
import typing
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal, Union

from annotated_types import Ge, Gt, Le, Len, Lt, MaxLen, MinLen, MultipleOf
from pydantic import BeforeValidator

from yoorec.config.types import Described, Reference, parse_duration

__all__ = [
    "DURATION",
    "annotation_at",
    "describe",
    "fields_of",
    "is_duration",
    "kind_of",
    "literals",
    "parts",
    "plain_key",
    "strip",
]

_NOUNS: dict[Any, str] = {
    int: "a whole number",
    float: "a number",
    str: "text",
    bool: "true or false",
    Path: "a path",
    type(None): "null",
    Any: "anything",
}
_REFERENCES = {
    "trigger": "a trigger's name",
    "item_column": "the name of an item column",
    "user_column": "the name of a user column",
}
_PLURALS = {
    "whole number": "whole numbers",
    "number": "numbers",
    "path": "paths",
    "trigger's name": "trigger names",
    "the name of an item column": "names of item columns",
    "the name of a user column": "names of user columns",
    "mapping": "mappings",
}
DURATION = "a duration such as 90s, 30m, 12h or 7d"


def plain_key(field: str) -> str:
    """The YAML key of a dataclass field: `from_` stands for `from`, which Python keeps for itself."""
    return field[:-1] if field.endswith("_") and not field.endswith("__") else field


def fields_of(config: type) -> dict[str, tuple[str, Any, Any]]:
    """YAML key to (field name, annotation, default) of a dataclass; MISSING where it has no default."""
    hints = typing.get_type_hints(config, include_extras=True)
    found: dict[str, tuple[str, Any, Any]] = {}
    for field in dataclasses.fields(config):
        default = field.default
        if field.default_factory is not dataclasses.MISSING:
            default = field.default_factory()
        found[plain_key(field.name)] = (field.name, hints[field.name], default)
    return found


def strip(annotation: Any) -> tuple[Any, tuple[Any, ...]]:
    """The type inside ``Annotated`` and the metadata around it, innermost first."""
    if typing.get_origin(annotation) is Annotated:
        inner, *metadata = typing.get_args(annotation)
        base, before = strip(inner)
        return base, (*before, *metadata)
    return annotation, ()


def is_duration(metadata: Sequence[Any]) -> bool:
    """Whether the metadata is that of `Duration`."""
    return any(isinstance(each, BeforeValidator) and each.func is parse_duration for each in metadata)


def parts(annotation: Any) -> tuple[Any, ...]:
    """The members of a union, or the annotation itself."""
    base, metadata = strip(annotation)
    if typing.get_origin(base) in (Union, types.UnionType):
        if metadata:
            return tuple(Annotated[(part, *metadata)] for part in typing.get_args(base))
        return typing.get_args(base)
    return (annotation,)


def literals(annotation: Any) -> tuple[str, ...]:
    """The words a field accepts, where it accepts only some."""
    found: list[str] = []
    for part in parts(annotation):
        base, _ = strip(part)
        if typing.get_origin(base) is Literal:
            found.extend(str(word) for word in typing.get_args(base))
    return tuple(found)


def _limits(metadata: Sequence[Any]) -> Iterator[str]:
    for each in metadata:
        match each:
            case Ge(ge=bound):
                yield f"at least {bound}"
            case Gt(gt=bound):
                yield f"above {bound}"
            case Le(le=bound):
                yield f"at most {bound}"
            case Lt(lt=bound):
                yield f"below {bound}"
            case MultipleOf(multiple_of=bound):
                yield f"a multiple of {bound}"
            case MinLen(min_length=bound):
                yield f"{bound} or more of them"
            case MaxLen(max_length=bound):
                yield f"{bound} or fewer of them"
            case Len(min_length=low, max_length=high):
                yield f"{low} or more of them" if high is None else f"{low} to {high} of them"
            case _ if hasattr(each, "__iter__") and not isinstance(each, (str, bytes)):
                yield from _limits(tuple(each))
            case _:
                pass


def describe(annotation: Any, limits: bool = True) -> str:
    """What is accepted, as a noun: "a whole number, at least 1"."""
    members = parts(annotation)
    if len(members) > 1:
        texts = [describe(member, limits) for member in sorted(members, key=lambda member: member is type(None))]
        return ("; or " if any("," in text for text in texts) else " or ").join(texts)
    base, metadata = strip(annotation)
    said = next((each.text for each in metadata if isinstance(each, Described)), None)
    noun = said or (DURATION if is_duration(metadata) else _noun(base, metadata, limits))
    return ", ".join([noun, *(_limits(metadata) if limits else ())])


def _noun(base: Any, metadata: Sequence[Any], limits: bool) -> str:
    reference = next((each.to for each in metadata if isinstance(each, Reference)), None)
    if reference is not None:
        return _REFERENCES[reference]
    origin, arguments = typing.get_origin(base), typing.get_args(base)
    if origin is Literal:
        return ", ".join(str(word) for word in arguments)
    if origin is not None and issubclass(origin, Mapping):
        return f"a mapping of {_bare(arguments[0])} to {_bare(arguments[1], limits)}"
    if origin is not None and issubclass(origin, (Sequence, set, frozenset)):
        inner = [each for each in arguments if each is not Ellipsis]
        return f"a list of {_bare(inner[0], limits)}" if inner else "a list"
    if dataclasses.is_dataclass(base):
        return "a mapping"
    return _NOUNS.get(base, getattr(base, "__name__", str(base)))


def _bare(annotation: Any, limits: bool = False) -> str:
    """A noun without its article and in the plural, for "a list of ..."."""
    noun, comma, rest = describe(annotation, limits).partition(",")
    bare = noun.removeprefix("an ").removeprefix("a ")
    plural = f"lists{bare.removeprefix('list')}" if bare.startswith("list of ") else _PLURALS.get(bare, bare)
    return f"{plural}{comma}{rest}"


def _article(noun: str) -> str:
    return f"an {noun}" if noun[0] in "aeiou" else f"a {noun}"


def kind_of(value: Any) -> str:
    """What a plain value is, in the same words."""
    match value:
        case bool():
            return "a truth value"
        case int():
            return "a whole number"
        case float():
            return "a number"
        case str():
            return "text"
        case list():
            return "a list"
        case dict():
            return "a mapping"
        case _:
            return "nothing"


def annotation_at(annotation: Any, path: Sequence[str | int], value: Any) -> Any:
    """The annotation that holds at a path below `annotation`, given the value that stands there; Any where unknown."""
    if not path:
        return annotation
    for part in parts(annotation):
        base, _ = strip(part)
        origin, arguments = typing.get_origin(base), typing.get_args(base)
        inner: Any = None
        if dataclasses.is_dataclass(base) and isinstance(value, dict):
            found = fields_of(typing.cast(type, base)).get(plain_key(str(path[0])))
            inner = found[1] if found else None
        elif origin is not None and isinstance(value, dict) and issubclass(origin, Mapping):
            inner = arguments[1]
        elif origin is not None and isinstance(value, list) and issubclass(origin, Sequence) and arguments:
            place = int(path[0])
            fixed = Ellipsis not in arguments and len(arguments) > place
            inner = arguments[place] if fixed and issubclass(origin, tuple) else arguments[0]
        if inner is not None:
            below = value[path[0]] if not isinstance(value, dict) else value.get(path[0])
            return annotation_at(inner, path[1:], below)
    return Any
