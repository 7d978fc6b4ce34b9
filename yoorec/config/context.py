"""What validation knows beside the values, and how a config is judged in it."""

from __future__ import annotations

import os.path
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from yoorec.config.faults import NOT_GIVEN, judge
from yoorec.config.layers import Origin, Stack
from yoorec.config.strict_yaml import KeyPath
from yoorec.config.walk import map_config
from yoorec.errors import Problem
from yoorec.plugins import Plugins

__all__ = ["BASE_HINT", "BASE_KEYS", "Context", "judged"]

_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_-]*")
BASE_KEYS = {"slate", "seed", "store", "session_gap", "event_weights", "profile", "merge"}
"""Keys that yoorec/base sets."""
BASE_HINT = "list yoorec/base first under defaults"


@dataclass(slots=True)
class Context:
    """What validation knows beside the values.

    bad: key paths whose value could not be had, so that their absence raises no second complaint.
    named: the triggers could be read, so a name can be looked up among them.
    active, off: names of the triggers that are on, and of those set to null.
    options: names of the configs of a group, for a component that is missing.
    incomplete: a config file could not be had, so a key that is not given raises no second complaint.
    """

    stack: Stack
    plugins: Plugins
    path: Path
    shown: str
    overrides: tuple[str, ...] = ()
    bad: Sequence[KeyPath] = ()
    options: Callable[[str], Sequence[str]] = lambda _: ()
    incomplete: bool = False
    named: bool = True
    active: tuple[str, ...] = ()
    off: tuple[str, ...] = ()
    problems: list[Problem] = field(default_factory=list)

    def report(
        self, path: KeyPath, message: str, accepted: str = "", nearest: str | None = None, hint: str = ""
    ) -> None:
        """Add a problem against whoever set the key."""
        if any(path[: len(each)] == each for each in self.bad) or (self.incomplete and message == NOT_GIVEN):
            return
        origin = self.stack.origin(path) or Origin(self.shown)
        problem = Problem(origin.file, origin.key(".".join(path)), message, accepted, nearest, hint)
        if problem not in self.problems:
            self.problems.append(problem)

    def name(self, path: KeyPath, name: str, what: str) -> None:
        """Report a name that can't stand in a key, a folder and an address."""
        if not _NAME.fullmatch(name):
            self.report(path, f"'{name}' can't be {what}", "a letter, then letters, digits, _ and - in any number")


def judged(config: type, values: Mapping[str, Any], path: KeyPath, context: Context, also: tuple[str, ...] = ()) -> Any:
    """An instance of `config`, or None with its faults reported."""
    settled = map_config(config, values, path, lambda *leaf: _settle(context.stack, *leaf))
    found, faults = judge(config, settled, also)
    for fault in faults:
        key = (*path, *fault.path)
        hint = BASE_HINT if key[0] in BASE_KEYS and fault.message == NOT_GIVEN else ""
        context.report(key, fault.message, fault.accepted, fault.nearest, hint)
    return found


def _settle(stack: Stack, base: Any, metadata: tuple[Any, ...], text: str, path: KeyPath, is_key: bool) -> str:
    """Make a path absolute: relative to the user's own file that set it, else to the working directory."""
    if base is not Path or is_key or not text:
        return text
    origin = stack.origin(path)
    folder = origin.base if origin is not None and origin.base is not None else Path.cwd()
    # Not resolved: a link in the path is the user's, and a pattern such as events/*.parquet is no file.
    joined = folder / Path(text).expanduser()
    return os.path.normpath(joined)
