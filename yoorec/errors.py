"""What yoorec raises, and the nearest-match search behind its messages.

Every error keeps plain arguments, so that it survives pickling between processes.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from dataclasses import dataclass

__all__ = [
    "ArtifactError",
    "ConfigError",
    "DataError",
    "PluginError",
    "Problem",
    "RequestError",
    "YoorecError",
    "nearest",
]


def nearest(word: str, options: Iterable[str]) -> str | None:
    """The option most like `word`, or None where nothing is close.

    >>> nearest("neighbours", ["limit", "neighbors"])
    'neighbors'
    """
    found = difflib.get_close_matches(word, list(options), n=1, cutoff=0.6)
    return found[0] if found else None


class YoorecError(Exception):
    """Base of all errors that a user of yoorec can act on; the command line prints them without a traceback."""


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing wrong with a configuration: file, key, found, accepted, nearest."""

    file: str
    key: str
    message: str
    """What was found and why it can't be taken, as a clause: ``'neighbours' is not accepted here``."""
    accepted: str = ""
    nearest: str | None = None
    hint: str = ""
    """A command or step that mends it, where there is one."""

    def __str__(self) -> str:
        where = ": ".join(part for part in (self.file, self.key) if part)
        lines = [f"{where}: {self.message}" if where else self.message]
        if self.nearest:
            lines.append(f"  nearest:  {self.nearest}")
        if self.accepted:
            lines.append(f"  accepted: {self.accepted}")
        if self.hint:
            lines.append(f"  try:      {self.hint}")
        return "\n".join(lines)


class ConfigError(YoorecError):
    """A scenario can't be used; holds every problem found, not only the first."""

    def __init__(self, problems: tuple[Problem, ...]) -> None:
        super().__init__(problems)
        self.problems = problems

    def __str__(self) -> str:
        return "\n".join(str(problem) for problem in self.problems)


class PluginError(YoorecError):
    """A plugin can't be used; names its distribution and version."""


class DataError(YoorecError):
    """A table can't be used; names file, row, column and value."""


class ArtifactError(YoorecError):
    """An artifact is missing, damaged, or not the one the scenario asks for; names the file."""


class RequestError(YoorecError):
    """A request can't be taken; names the field. The server answers it with 4xx."""

    def __init__(self, field: str, message: str) -> None:
        super().__init__(field, message)
        self.field = field
        self.message = message

    def __str__(self) -> str:
        return f"{self.field}: {self.message}"
