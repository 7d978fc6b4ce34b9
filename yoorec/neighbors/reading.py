"""JSON files that people carry about, read strictly: what is wrong is named with its file and key."""

from __future__ import annotations

from pathlib import Path
from typing import Any, TypeVar

from pydantic import TypeAdapter, ValidationError

from yoorec.errors import DataError

__all__ = ["read_json"]

T = TypeVar("T")

_SHOWN = 3
_WORDS = {
    "missing": "is missing",
    "missing_argument": "is missing",
    "unexpected_keyword_argument": "is not accepted here",
    "extra_forbidden": "is not accepted here",
}


def read_json(path: Path, adapter: TypeAdapter[T]) -> T:
    """The value in a file. Raises DataError with a line for each of the first few things wrong: file, key, found."""
    try:
        data = path.read_bytes()
    except OSError as error:
        raise DataError(f"{path}: can't be read: {error.strerror}") from error
    try:
        return adapter.validate_json(data, strict=True, extra="forbid")
    except ValidationError as error:
        found = error.errors(include_url=False, include_context=False)
        lines = [f"{path}: {_told(each)}" for each in found[:_SHOWN]]
        if len(found) > _SHOWN:
            lines.append(f"{path}: {len(found) - _SHOWN} more")
        raise DataError("\n".join(lines)) from None


def _told(fault: Any) -> str:
    kind, key = fault["type"], ".".join(str(part) for part in fault["loc"])
    if kind == "json_invalid":
        return f"is no JSON: {fault['msg'].removeprefix('Invalid JSON: ')}"
    told = _WORDS.get(kind)
    if told is None:
        what = str(fault["msg"]).removeprefix("Input should be ")
        told = f"{_short(fault['input'])} can't be taken; accepted: {what}"
    return f"{key}: {told}" if key else told


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."
