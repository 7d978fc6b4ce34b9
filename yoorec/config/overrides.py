"""Overrides: Hydra's grammar, read one at a time so that every one that is wrong is reported."""

from __future__ import annotations

import re
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override, OverrideType, ValueType
from hydra.errors import HydraException

from yoorec.config.library import Library
from yoorec.errors import Problem, nearest

__all__ = ["Change", "Choice", "Setting", "Sorted", "parse_override", "sort_overrides"]

_ACCEPTED = "KEY=VALUE, +KEY=VALUE, ~KEY or GROUP=OPTION"
_KEY = re.compile(r"[+]{0,2}[A-Za-z_][\w./@-]*")
_lock = threading.Lock()


@dataclass(frozen=True, slots=True)
class Setting:
    """Where an override was written, for messages.

    file: a file, or "command line". prefix: "" or the variant, as in "variants.fresher_cf".
    """

    file: str = "command line"
    prefix: str = ""

    def key(self, key: str) -> str:
        """The key as a message names it."""
        return ": ".join(part for part in (self.prefix, key) if part)


@dataclass(frozen=True, slots=True)
class Change:
    """An override of a value: set, add (refused where something is there already) or delete."""

    text: str
    setting: Setting
    path: tuple[str, ...]
    verb: str
    """set, add or delete"""
    value: Any = None


@dataclass(frozen=True, slots=True)
class Choice:
    """An override of a config group, for Hydra's defaults list."""

    text: str
    setting: Setting
    override: Override


@dataclass(slots=True)
class Sorted:
    """Overrides of one source, told apart; `bad` are key paths whose value could not be had."""

    changes: list[Change]
    choices: list[Choice]
    problems: list[Problem]
    bad: list[tuple[str, ...]]


@lru_cache(maxsize=1)
def _parser() -> OverridesParser:
    return OverridesParser.create()


def parse_override(text: str, setting: Setting) -> Override | Problem:
    """One override by Hydra's grammar, or what is wrong with it."""
    try:
        with _lock:
            override: Override = _parser().parse_override(text)
    except HydraException as error:
        said = str(error).strip().splitlines()[0].split(" expecting ")[0]
        return Problem(
            setting.file,
            setting.key(text),
            f"can't be read as an override: {said}",
            accepted=_ACCEPTED,
            hint=_quote_hint(text),
        )
    if not override.key_or_group.strip("."):
        return Problem(setting.file, setting.key(text), "names no key", accepted=_ACCEPTED)
    return override


def _quote_hint(text: str) -> str:
    key, _, value = text.partition("=")
    if not _KEY.fullmatch(key) or not value.strip("=") or value[0] in " '\"[{" or "'" in value:
        return ""
    return f"""{key}="'{value}'" if the value is text"""


def _sweep_problem(override: Override, setting: Setting) -> Problem:
    assert override.input_line is not None
    key, value, hint = override.get_key_element(), override.get_value_string(), ""
    if override.value_type == ValueType.SIMPLE_CHOICE_SWEEP:
        hint = f"{key}=[{value}] for a list, {key}=\"'{value}'\" for text"
    if not setting.prefix:
        hint = f"{hint}, or -m to run each" if hint else "-m to run each"
    return Problem(setting.file, setting.key(key), f"'{value}' holds several values", accepted="one value", hint=hint)


def _bad_keys(value: Any) -> bool:
    if isinstance(value, dict):
        return any(not isinstance(key, str) or _bad_keys(each) for key, each in value.items())
    return isinstance(value, list) and any(_bad_keys(each) for each in value)


def sort_overrides(texts: Sequence[str], setting: Setting, library: Library) -> Sorted:
    """Tell value overrides from group choices and check what can be checked before composing."""
    found = Sorted([], [], [], [])
    for text in texts:
        override = parse_override(text, setting)
        if isinstance(override, Problem):
            found.problems.append(override)
            found.bad.append(_roughly(text))
            continue
        key = override.key_or_group
        path = tuple(key.split("."))
        if override.is_hydra_override() or key == "hydra":
            found.problems.append(
                Problem(
                    setting.file,
                    setting.key(key),
                    "sets Hydra itself, which only a sweep uses",
                    accepted="keys of the scenario",
                    hint=f"-m {text}",
                )
            )
        elif override.is_sweep_override():
            found.problems.append(_sweep_problem(override, setting))
            found.bad.append(path)
        elif _is_choice(override, library):
            problem = _check_choice(override, setting, library)
            if problem is None:
                found.choices.append(Choice(text, setting, override))
            else:
                found.problems.append(problem)
                found.bad.append((override.package or key.replace("/", "."),))
        elif override.package is not None or "/" in key:
            group = key.split("@")[0]
            found.problems.append(
                Problem(
                    setting.file,
                    setting.key(override.get_key_element().lstrip("+~")),
                    f"there is no config group '{group}'",
                    accepted=", ".join(library.groups()),
                    nearest=nearest(group, library.groups()),
                )
            )
        else:
            value = override.value()
            if _bad_keys(value):
                found.problems.append(
                    Problem(setting.file, setting.key(key), "a key must be text", hint="quote it to make it text")
                )
                found.bad.append(path)
                continue
            verbs = {OverrideType.ADD: "add", OverrideType.DEL: "delete"}
            found.changes.append(Change(text, setting, path, verbs.get(override.type, "set"), value))
    return found


def _roughly(text: str) -> tuple[str, ...]:
    """The key that an unreadable override was about, so that its absence raises no second complaint."""
    key, equals, _ = text.lstrip("+~ ").partition("=")
    return tuple(key.strip().split(".")) if equals and key.strip() else ("",)


def _is_choice(override: Override, library: Library) -> bool:
    if not library.group_exists(override.key_or_group):
        return False
    if override.is_delete():
        return True
    value = override.value()
    listed = isinstance(value, list) and all(isinstance(each, str) for each in value)
    return isinstance(value, str) or listed


def _check_choice(override: Override, setting: Setting, library: Library) -> Problem | None:
    group, value = override.key_or_group, override.value()
    if override.is_force_add():
        text = override.input_line or ""
        return Problem(
            setting.file,
            setting.key(group),
            "a config group can't be set with '++'",
            accepted=f"{text[2:]}, or {text[1:]} where the scenario's defaults don't list it",
        )
    options = library.get_group_options(group)
    for name in value if isinstance(value, list) else [value]:
        if not override.is_delete() and name not in options:
            return Problem(
                setting.file,
                setting.key(override.get_key_element().lstrip("+")),
                f"there is no '{name}' in the config group '{group}'",
                accepted=", ".join(options),
                nearest=nearest(str(name), options),
            )
    return None
