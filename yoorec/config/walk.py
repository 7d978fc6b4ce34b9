"""Walks values beside their annotations: to settle paths, check references, and write configs as plain YAML."""

from __future__ import annotations

import dataclasses
import typing
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from yoorec.config.describe import fields_of, is_duration, parts, strip
from yoorec.config.strict_yaml import KeyPath
from yoorec.config.types import Reference, format_duration

__all__ = ["Leaf", "dump", "dump_config", "map_config", "map_leaves", "paths_of", "references_of"]

Leaf = Callable[[Any, tuple[Any, ...], str, KeyPath, bool], Any]
"""(type, metadata, text, key path, is a mapping's key) -> the text to put in its place."""


def map_config(config: type, values: Mapping[str, Any], path: KeyPath, leaf: Leaf) -> dict[str, Any]:
    """Plain values of a config with `leaf` applied to every text in them; keys that the config lacks stay."""
    fields = fields_of(config)
    return {
        key: map_leaves(fields[key][1], value, (*path, key), leaf) if key in fields else value
        for key, value in values.items()
    }


def map_leaves(annotation: Any, value: Any, path: KeyPath, leaf: Leaf) -> Any:
    """A plain value with `leaf` applied to every text in it; what does not fit the annotation stays as it is."""
    for part in parts(annotation):
        base, metadata = strip(part)
        origin, arguments = typing.get_origin(base), typing.get_args(base)
        if isinstance(value, str):
            if origin is typing.Literal and value in arguments:
                return value
            if base in (str, Path):
                return leaf(base, metadata, value, path, False)
        elif isinstance(value, dict):
            if dataclasses.is_dataclass(base):
                return map_config(typing.cast(type, base), value, path, leaf)
            if origin is not None and issubclass(origin, Mapping):
                key_base, key_metadata = strip(arguments[0])
                for key in value:
                    leaf(key_base, key_metadata, key, (*path, key), True)
                return {key: map_leaves(arguments[1], each, (*path, key), leaf) for key, each in value.items()}
        elif isinstance(value, list) and origin is not None and arguments and issubclass(origin, Sequence):
            fixed = issubclass(origin, tuple) and Ellipsis not in arguments
            return [
                map_leaves(arguments[min(n, len(arguments) - 1) if fixed else 0], each, (*path, str(n)), leaf)
                for n, each in enumerate(value)
            ]
    return value


def references_of(config: Any, to: str) -> tuple[str, ...]:
    """What a config's fields name of one kind ("trigger", "item_column", "user_column"), each once, in their order."""
    found: dict[str, None] = {}

    def collect(base: Any, metadata: tuple[Any, ...], text: str, where: KeyPath, is_key: bool) -> str:
        if any(isinstance(each, Reference) and each.to == to for each in metadata):
            found[text] = None
        return text

    map_config(type(config), dump_config(config), (), collect)
    return tuple(found)


def paths_of(config: Any) -> tuple[Path, ...]:
    """Every path that a config holds, in its fields' order."""
    found: list[Path] = []

    def collect(path: Path) -> str:
        found.append(path)
        return str(path)

    dump_config(config, collect)
    return tuple(found)


def dump_config(config: Any, path_as: Callable[[Path], str] = str) -> dict[str, Any]:
    """A config as plain values under its YAML keys, defaults included; `path_as` spells its paths."""
    return {
        key: dump(annotation, getattr(config, name), path_as)
        for key, (name, annotation, _) in fields_of(type(config)).items()
    }


def dump(annotation: Any, value: Any, path_as: Callable[[Path], str] = str) -> Any:
    """A typed value as YAML writes it: durations with their unit, paths and lists plain."""
    if isinstance(value, Path):
        return path_as(value)
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return dump_config(value, path_as)
    members = parts(annotation)
    if isinstance(value, bool) or value is None:
        return value
    if isinstance(value, int):
        return format_duration(value) if any(is_duration(strip(part)[1]) for part in members) else value
    if isinstance(value, (float, str)):
        return value
    arguments: tuple[Any, ...] = ()
    for part in members:
        base, _ = strip(part)
        origin = typing.get_origin(base)
        wanted = Mapping if isinstance(value, Mapping) else (Sequence, set, frozenset)
        if origin is not None and issubclass(origin, wanted):
            arguments = typing.get_args(base)
            break
    if isinstance(value, Mapping):
        inner = arguments[1] if len(arguments) > 1 else Any
        return {str(key): dump(inner, each, path_as) for key, each in value.items()}
    if isinstance(value, (tuple, list, set, frozenset)):
        rows = sorted(value) if isinstance(value, (set, frozenset)) else list(value)
        fixed = len(arguments) == len(rows) and Ellipsis not in arguments
        return [
            dump(arguments[n] if fixed else (arguments[0] if arguments else Any), each, path_as)
            for n, each in enumerate(rows)
        ]
    raise TypeError(f"a config holds {value!r}, which YAML can't write")
