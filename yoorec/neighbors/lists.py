"""The lists that are judged: what ``neighbors.json`` holds, written and read back."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from pydantic import TypeAdapter

from yoorec.artifacts.manifest import digest
from yoorec.errors import DataError
from yoorec.neighbors.reading import read_json
from yoorec.replay.report import ArtifactNote, Moment, write_aside

__all__ = ["Drawn", "Neighbor", "Neighbors", "Query"]

Drawn = Literal["plays", "uniform", "named"]
"""How a query came to be one: an item drawn by its plays, drawn with all alike, or named by the user."""


@dataclass(frozen=True, slots=True)
class Neighbor:
    """One item of a list. score: the trigger's own, null where it is no finite number."""

    item_id: str
    score: float | None


@dataclass(frozen=True, slots=True)
class Query:
    """An item whose neighbours are judged, and each trigger's list of them, best first; never with the item itself."""

    item_id: str
    drawn: Drawn
    lists: Mapping[str, tuple[Neighbor, ...]]

    def pool(self) -> tuple[str, ...]:
        """Every item that some trigger lists, once, in an order that tells nothing: that of the ids."""
        return tuple(sorted({each.item_id for found in self.lists.values() for each in found}))


@dataclass(frozen=True, slots=True)
class Neighbors:
    """Lists to be judged by eye.

    scene, scenario, hash, data: the scene's name, its file's name, its hash, and the fingerprint of its data.
    seed, top: of the draw; and how many neighbours a list holds, at most.
    time:      of the made-up requests: the end of the log.
    triggers:  trigger to the artifact it recalled from, in the order they were named.
    """

    scene: str
    scenario: str
    hash: str
    data: str
    seed: int
    top: int
    time: Moment
    triggers: Mapping[str, ArtifactNote]
    queries: tuple[Query, ...]

    @property
    def digest(self) -> str:
        """16 hex digits over all of it: marks hold for the lists with this digest and for no others."""
        return digest(self._plain())

    def _plain(self) -> dict[str, Any]:
        plain: dict[str, Any] = _ADAPTER.dump_python(self, mode="json")
        return plain

    def write(self, path: Path) -> Path:
        """Write the file aside, then rename it."""
        body = {"version": 1, "digest": self.digest, "neighbors": self._plain()}
        return write_aside(path, json.dumps(body, indent=1, ensure_ascii=False, allow_nan=False) + "\n")

    @classmethod
    def read(cls, path: Path) -> Neighbors:
        """Read it back. Raises DataError naming the file and the key that can't be taken, or that it was changed."""
        file = read_json(path, _FILE)
        found = file.neighbors
        if file.digest != found.digest:
            raise DataError(
                f"{path}: digest: '{file.digest}' is not that of the lists here, '{found.digest}': the file was "
                "changed after it was written"
            )
        for q, query in enumerate(found.queries):
            if query.lists.keys() != found.triggers.keys():
                raise DataError(f"{path}: neighbors.queries.{q}.lists: must name {', '.join(found.triggers)}")
        return found


@dataclass(frozen=True, slots=True)
class _File:
    """The file: the lists and their digest."""

    version: Literal[1]
    digest: str
    neighbors: Neighbors


_ADAPTER = TypeAdapter(Neighbors)
_FILE = TypeAdapter(_File)
