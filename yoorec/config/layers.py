"""Layers: what each file and override sets, merged in order, with the origin of every key kept.

Later layers win; mappings merge key by key, lists are replaced whole. Beyond that:

- Exposure rules are kept by `id` (their `use` where none is given), so that later layers can address one.
- A layer that changes a component's `use` drops the keys that earlier layers set for the old component, and keeps
  `limit`, `timeout`, `history` and `id`, which belong to the framework.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from yoorec.config.framework import COMPONENTS, owned_by_framework
from yoorec.config.overrides import Change
from yoorec.config.strict_yaml import KeyPath
from yoorec.errors import Problem

__all__ = ["Layer", "Origin", "Stack", "by_id"]


@dataclass(frozen=True, slots=True)
class Origin:
    """Who set a key.

    file: a file, or "command line". line: in the file, from 1; 0 where unknown. text: the override.
    prefix: the variant whose override it is. base: the folder that relative paths are relative to; None for the working
    directory.
    """

    file: str
    line: int = 0
    text: str = ""
    prefix: str = ""
    base: Path | None = None

    def key(self, key: str) -> str:
        """The key as a message names it."""
        return ": ".join(part for part in (self.prefix, key) if part)

    def __str__(self) -> str:
        if self.text:
            return f"{self.prefix or self.file}: {self.text}"
        return f"{self.file}:{self.line}" if self.line else self.file


@dataclass(frozen=True, slots=True)
class Layer:
    """One config file as the defaults list places it.

    name: as in the defaults list, such as ``data/demo``. package: the key under which its values go; "" for the top.
    """

    name: str
    file: Path
    shown: str
    package: str
    base: Path | None
    values: Mapping[str, Any]
    lines: Mapping[KeyPath, int]


@dataclass(frozen=True, slots=True)
class _Mark:
    origin: Origin
    rank: int


def by_id(rules: list[Any]) -> tuple[dict[str, Any], list[str]]:
    """Exposure rules as a mapping by id, in order, and ids given twice.

    A rule's id is its own `id`, else its `use`, made unique by _2, _3, ...; a rule with neither goes by its place.
    """
    twice: list[str] = []
    given: list[str] = []
    for rule in rules:
        own = rule.get("id") if isinstance(rule, dict) else None
        if isinstance(own, str):
            if own in given:
                twice.append(own)
            given.append(own)
    found: dict[str, Any] = {}
    for place, rule in enumerate(rules, start=1):
        name = rule.get("id") if isinstance(rule, dict) else None
        if not isinstance(name, str):
            use = rule.get("use") if isinstance(rule, dict) else None
            stem = use if isinstance(use, str) else str(place)
            name, number = stem, 2
            while name in given or name in found:
                name, number = f"{stem}_{number}", number + 1
        if name not in found:
            found[name] = rule
    return found, twice


@dataclass(slots=True)
class Stack:
    """The merged values so far; `rank` rises with every layer, and one command line is one layer."""

    values: dict[str, Any] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)
    rank: int = 0
    _marks: dict[KeyPath, _Mark] = field(default_factory=dict)

    def origin(self, path: KeyPath) -> Origin | None:
        """Who set the key at `path`; None where nobody did, and neither a key above it.

        A mapping was set by whoever touched it last; a key that is not there is owed by whoever chose its component.
        """
        for length in range(len(path), 0, -1):
            mark = self._marks.get(path[:length])
            if mark is None:
                continue
            chosen = self._marks.get((*path[:length], "use")) if length < len(path) else None
            inside = [each for key, each in self._marks.items() if key[:length] == path[:length]]
            return (chosen or max(inside, key=lambda each: each.rank)).origin
        return None

    def push(self, layer: Layer) -> None:
        """Merge a config file."""
        self.rank += 1
        package = tuple(layer.package.split(".")) if layer.package else ()
        values: Any = {key: value for key, value in layer.values.items() if package or key != "defaults"}
        values.pop("defaults", None)
        for key in reversed(package):
            values = {key: values}

        def origin(path: KeyPath) -> Origin:
            inner = path[len(package) :]
            while inner and inner not in layer.lines:
                inner = inner[:-1]
            return Origin(layer.shown, layer.lines.get(inner, 0), base=layer.base)

        for key, value in values.items():
            self._set((key,), value, origin, (key,))

    def apply(self, changes: list[Change]) -> None:
        """Merge the overrides of one command line or variant."""
        self.rank += 1
        for change in changes:
            origin = Origin(change.setting.file, text=change.text, prefix=change.setting.prefix)
            key = ".".join(change.path)
            if change.verb == "delete":
                self._delete(change, origin)
                continue
            there, found = self._find(change.path)
            if change.verb == "add" and there and found is not None and not isinstance(change.value, (dict, list)):
                self.problems.append(
                    Problem(
                        origin.file,
                        origin.key(key),
                        f"'+' adds a key, but this one is already {_shown(found)}",
                        hint=change.text.removeprefix("+"),
                    )
                )
                continue
            if self._set_parents(change.path, origin):
                self._set(change.path, change.value, lambda _path, origin=origin: origin, change.path)

    def _find(self, path: KeyPath) -> tuple[bool, Any]:
        node: Any = self.values
        for key in path:
            if not isinstance(node, dict) or key not in node:
                return False, None
            node = node[key]
        return True, node

    def _set_parents(self, path: KeyPath, origin: Origin) -> bool:
        """Make the mappings above `path`; false, with a problem, where something else is in the way."""
        node: dict[str, Any] = self.values
        for length, key in enumerate(path[:-1], start=1):
            below = node.get(key)
            if below is None and key in node and self._is_component(path[:length]) and path[length] != "use":
                above = ".".join(path[:length])
                self.problems.append(
                    Problem(
                        origin.file,
                        origin.key(".".join(path)),
                        f"'{above}' is switched off (null), so nothing can be set in it",
                        hint=f"{origin.prefix}=null to leave the variant out" if origin.prefix else f"{above}.use=NAME",
                    )
                )
                return False
            if below is None:
                below = node[key] = {}
                self._mark(path[:length], origin)
            if not isinstance(below, dict):
                self.problems.append(
                    Problem(
                        origin.file,
                        origin.key(".".join(path)),
                        f"'{'.'.join(path[:length])}' is {_shown(below)}, so it holds no key '{path[length]}'",
                    )
                )
                return False
            node = below
        return True

    def _delete(self, change: Change, origin: Origin) -> None:
        there, found = self._find(change.path)
        key = ".".join(change.path)
        if not there:
            above = self._find(change.path[:-1])[1] if len(change.path) > 1 else self.values
            accepted = ", ".join(above) if isinstance(above, dict) else ""
            self.problems.append(Problem(origin.file, origin.key(key), "there is nothing to remove", accepted=accepted))
        elif change.value is not None and change.value != found:
            self.problems.append(
                Problem(
                    origin.file,
                    origin.key(key),
                    f"is {_shown(found)}, not {_shown(change.value)}, so it is not removed",
                    hint=f"~{key}",
                )
            )
        else:
            node: Any = self._find(change.path[:-1])[1] if len(change.path) > 1 else self.values
            del node[change.path[-1]]
            self._forget(change.path)

    def _set(self, path: KeyPath, value: Any, origin: Any, source: KeyPath) -> None:
        """Put `value` at `path`; `source` is where it stands in its own file, for the line."""
        parent = self._find(path[:-1])[1] if len(path) > 1 else self.values
        if path == ("exposure",) and isinstance(value, list):
            self._set_rules(value, origin, source)
            return
        if not isinstance(value, dict):
            if path[-1] == "use" and self._is_component(path[:-1]) and parent.get("use", value) != value:
                self._drop_owned(path[:-1])
            self._forget(path)
            parent[path[-1]] = value
            self._mark(path, origin(source))
            return
        if not isinstance(parent.get(path[-1]), dict):
            self._forget(path)
            parent[path[-1]] = {}
            self._mark(path, origin(source))
        for key, each in value.items():
            self._set((*path, key), each, origin, (*source, key))

    def _set_rules(self, rules: list[Any], origin: Any, source: KeyPath) -> None:
        found, twice = by_id(rules)
        top = origin(source)
        for name in twice:
            self.problems.append(
                Problem(top.file, top.key("exposure"), f"two rules have the id '{name}'", hint="give one another id")
            )
        self._forget(("exposure",))
        self.values["exposure"] = {}
        self._mark(("exposure",), top)
        for name, rule in found.items():
            place = next(number for number, each in enumerate(rules) if each is rule)
            self._set(("exposure", name), rule, origin, (*source, str(place)))

    def _is_component(self, path: KeyPath) -> bool:
        return path in COMPONENTS or (len(path) == 2 and path[0] in ("triggers", "exposure"))

    def _drop_owned(self, path: KeyPath) -> None:
        """Drop what earlier layers set for the component whose `use` is about to change."""
        component = self._find(path)[1]
        for key in [key for key in component if not owned_by_framework(path[0], key)]:
            self._drop_older((*path, key), component)

    def _drop_older(self, path: KeyPath, parent: dict[str, Any]) -> None:
        value = parent[path[-1]]
        if isinstance(value, dict):
            for key in list(value):
                self._drop_older((*path, key), value)
            if value:
                # Only keys of this layer are left, so the mapping is this layer's too.
                self._marks[path] = self._marks[(*path, next(iter(value)))]
                return
        if self._marks[path].rank < self.rank:
            del parent[path[-1]]
            self._forget(path)

    def _mark(self, path: KeyPath, origin: Origin) -> None:
        self._marks[path] = _Mark(origin, self.rank)

    def _forget(self, path: KeyPath) -> None:
        for each in [each for each in self._marks if each[: len(path)] == path]:
            del self._marks[each]

    def leaves(self) -> Iterator[KeyPath]:
        """Every key that holds no further keys."""
        yield from _leaves(self.values, ())


def _leaves(node: Mapping[str, Any], path: KeyPath) -> Iterator[KeyPath]:
    for key, value in node.items():
        if isinstance(value, dict) and value:
            yield from _leaves(value, (*path, key))
        else:
            yield (*path, key)


def _shown(value: Any) -> str:
    if isinstance(value, (dict, list)):
        return "a mapping" if isinstance(value, dict) else "a list"
    for word, name in ((None, "null"), (True, "true"), (False, "false")):
        if value is word:
            return name
    return repr(value)
