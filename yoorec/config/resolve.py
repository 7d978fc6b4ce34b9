"""Interpolation: OmegaConf resolves ``${...}``, key by key, so that every one that fails is reported."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from typing import Any

from omegaconf import DictConfig, ListConfig, OmegaConf
from omegaconf.errors import InterpolationKeyError, OmegaConfBaseException

from yoorec.config.layers import Origin, Stack
from yoorec.config.strict_yaml import KeyPath
from yoorec.errors import Problem, nearest

__all__ = ["resolve"]

_Step = str | int


def _texts(node: Any, path: tuple[_Step, ...]) -> Iterator[tuple[tuple[_Step, ...], str]]:
    if isinstance(node, dict):
        for key, value in node.items():
            yield from _texts(value, (*path, key))
    elif isinstance(node, list):
        for place, value in enumerate(node):
            yield from _texts(value, (*path, place))
    elif isinstance(node, str):
        yield path, node


def _put(values: Any, path: tuple[_Step, ...], value: Any) -> None:
    for step in path[:-1]:
        values = values[step]
    values[path[-1]] = value


def _read(config: DictConfig, path: tuple[_Step, ...]) -> Any:
    node: Any = config
    for step in path:
        node = node[step]
    if isinstance(node, (DictConfig, ListConfig)):
        return OmegaConf.to_container(node, resolve=True)
    return node


def resolve(stack: Stack) -> tuple[dict[str, Any], list[Problem], list[KeyPath]]:
    """The stack's values with interpolations resolved, what went wrong, and the key paths left without a value.

    Exposure rules are a mapping by id here, so ``${exposure.spread.max}`` reads one.
    """
    values = copy.deepcopy(stack.values)
    problems: list[Problem] = []
    bad: list[KeyPath] = []
    wanted = [(path, text) for path, text in _texts(values, ()) if "${" in text or text == "???"]
    if not wanted:
        return values, problems, bad

    def report(path: tuple[_Step, ...], message: str, **facts: Any) -> None:
        key = tuple(str(step) for step in path)
        origin = stack.origin(key) or Origin("")
        shown = ".".join(key)
        problems.append(Problem(origin.file, origin.key(shown), message, **facts))
        bad.append(key)

    readable: list[tuple[tuple[_Step, ...], str]] = []
    for path, text in wanted:
        if text == "???":
            _put(values, path, None)
            report(path, "must be given", hint=f"{'.'.join(map(str, path))}=VALUE")
            continue
        try:
            OmegaConf.create({"value": text})
            readable.append((path, text))
        except OmegaConfBaseException:
            _put(values, path, None)
            report(
                path, f"'{text}' is no interpolation", accepted="${KEY} or ${oc.env:NAME}; a plain ${ is written \\${"
            )
    config = OmegaConf.create(values)
    assert isinstance(config, DictConfig)
    known = [".".join(leaf) for leaf in stack.leaves()]
    for path, text in readable:
        try:
            found = _read(config, path)
        except InterpolationKeyError as error:
            name = str(error).partition("'")[2].partition("'")[0]
            report(path, f"'{text}' points at '{name}', which is not set", nearest=nearest(name, known))
            _put(values, path, None)
        except OmegaConfBaseException as error:
            said = str(error).splitlines()[0].rpartition("raised while resolving interpolation: ")[2].strip('"')
            report(path, f"'{text}' can't be resolved: {said}")
            _put(values, path, None)
        else:
            _put(values, path, found)
    return values, problems, bad
