"""Types for the fields of component configs: durations, shares, paths, and names of other parts of the scenario.

A config is a frozen dataclass; pydantic validates a scenario's keys against it (strict, extra keys refused). Ranges are
annotations: ``neighbors: Annotated[int, Ge(1)] = 50``.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

from annotated_types import Ge, Gt, Le
from pydantic import BeforeValidator, Strict, WithJsonSchema

__all__ = [
    "Count",
    "DataPath",
    "Described",
    "Duration",
    "ItemColumn",
    "NonNegative",
    "Reference",
    "Share",
    "TriggerName",
    "UserColumn",
    "duration_ms",
    "format_duration",
    "parse_duration",
]

_UNITS_MS = {"ms": 1, "s": 1000, "m": 60_000, "h": 3_600_000, "d": 86_400_000}
_DURATION = re.compile(r"^(\d+(?:\.\d+)?)(ms|s|m|h|d)$")


def duration_ms(text: str) -> int:
    """Milliseconds of a duration such as ``90s``, ``30m``, ``12h`` or ``7d``.

    >>> duration_ms("1.5h")
    5400000
    """
    match = _DURATION.match(text)
    if match is None:
        raise ValueError("a duration is a number and a unit: 50ms, 90s, 30m, 12h, 7d")
    return round(float(match[1]) * _UNITS_MS[match[2]])


def format_duration(value_ms: int) -> str:
    """The shortest exact spelling of a duration.

    >>> format_duration(5_400_000)
    '90m'
    """
    for unit in ("d", "h", "m", "s"):
        if value_ms and value_ms % _UNITS_MS[unit] == 0:
            return f"{value_ms // _UNITS_MS[unit]}{unit}"
    return f"{value_ms}ms"


def parse_duration(value: Any) -> Any:
    """The validator behind `Duration`: milliseconds of text; a bare number has no unit and is refused."""
    if isinstance(value, str):
        return duration_ms(value)
    raise ValueError("a duration is a number and a unit: 50ms, 90s, 30m, 12h, 7d")


Duration = Annotated[
    int,
    Strict(),
    BeforeValidator(parse_duration),
    WithJsonSchema({"type": "string", "pattern": _DURATION.pattern}),
]
"""Milliseconds in code, text such as ``30m`` in YAML. Dataclass defaults are written ``duration_ms("30m")``."""

Count = Annotated[int, Ge(1)]
"""A whole number, at least 1."""

NonNegative = Annotated[float, Ge(0)]
"""A number, at least 0."""

Share = Annotated[float, Gt(0), Le(1)]
"""A share, above 0, at most 1."""


@dataclass(frozen=True, slots=True)
class Reference:
    """Marks a field that names another part of the scenario; validation checks that the part is there."""

    to: str
    """"trigger", "item_column" or "user_column"."""


@dataclass(frozen=True, slots=True)
class Described:
    """Says in messages and tables what a field accepts, where its type says too little."""

    text: str


TriggerName = Annotated[str, Reference("trigger")]
"""The name of a trigger of the same scenario (or, as a mapping's key, of several)."""

ItemColumn = Annotated[str, Reference("item_column")]
"""The name of a column of the items table; checked when the data is read."""

UserColumn = Annotated[str, Reference("user_column")]
"""The name of a column of the users table; checked when the data is read."""

DataPath = Annotated[Path, Strict(False), WithJsonSchema({"type": "string"})]
"""A file or folder. Relative to the YAML file that sets it; from the command line, to the working directory."""
