"""Where covers lie: paths as a table writes them, made absolute and kept inside the table's folder."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

__all__ = ["place_covers"]


def place_covers(paths: Sequence[str | None], folder: Path) -> tuple[list[str | None], list[int]]:
    """Absolute paths of covers named relative to `folder`, and the places of those that lead out of it, which are None.

    Symbolic links are followed before judging. An address such as ``https://...`` is no path and stays as it is.
    """
    top = folder.resolve()
    parents: dict[Path, Path] = {}
    placed: list[str | None] = []
    outside: list[int] = []
    for place, text in enumerate(paths):
        if text is None or "://" in text:
            placed.append(text)
            continue
        written = folder / text
        # Many covers share a folder, and following links costs a look at every one above it.
        if written.parent not in parents:
            parents[written.parent] = written.parent.resolve()
        found = parents[written.parent] / written.name
        if written.name == ".." or found.is_symlink():
            found = found.resolve()
        inside = found.is_relative_to(top)
        placed.append(str(found) if inside else None)
        if not inside:
            outside.append(place)
    return placed, outside
