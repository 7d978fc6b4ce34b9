"""Marks: what one judge said of the lists, as the page saves it in ``marks.json``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from pydantic import TypeAdapter

from yoorec.errors import DataError, nearest
from yoorec.neighbors.lists import Neighbors
from yoorec.neighbors.reading import read_json

__all__ = ["Judge", "read_judges"]


@dataclass(frozen=True, slots=True)
class _Mark:
    """One neighbour of one query, judged."""

    query: str
    item: str
    mark: Literal["similar", "not similar"]


@dataclass(frozen=True, slots=True)
class _Marks:
    """The file. digest: of the lists that were judged."""

    version: Literal[1]
    digest: str
    scene: str
    marks: tuple[_Mark, ...]
    judge: str = ""


_ADAPTER = TypeAdapter(_Marks)


@dataclass(frozen=True, slots=True)
class Judge:
    """One judge's marks. similar: (query, item) to whether the two are alike; a pair not judged is not there."""

    name: str
    similar: Mapping[tuple[str, str], bool] = field(default_factory=dict)


def read_judges(neighbors: Neighbors, paths: Sequence[Path]) -> tuple[Judge, ...]:
    """The marks of each file, which must be of these lists. A judge without a name is called by the file's.

    Raises DataError naming file and key: malformed, of other lists, of an item that is not in them, or a judge, or an
    item of one judge, that comes twice.
    """
    judges: dict[str, Judge] = {}
    files: dict[str, Path] = {}
    for path in paths:
        judge = _read(neighbors, path)
        if judge.name in judges:
            raise DataError(
                f"{path}: judge: '{judge.name}' has marks in {files[judge.name]} too; each judge counts once, so leave "
                "one of the two out"
            )
        judges[judge.name], files[judge.name] = judge, path
    return tuple(judges.values())


def _read(neighbors: Neighbors, path: Path) -> Judge:
    file = read_json(path, _ADAPTER)
    if file.digest != neighbors.digest:
        raise DataError(
            f"{path}: digest: '{file.digest}' (scene '{file.scene}') is of other lists than '{neighbors.digest}' "
            f"(scene '{neighbors.scene}'); marks hold only for the page they were made on"
        )
    pools = {query.item_id: query.pool() for query in neighbors.queries}
    similar: dict[tuple[str, str], bool] = {}
    for place, each in enumerate(file.marks):
        if each.query not in pools:
            raise DataError(
                f"{path}: marks.{place}.query: '{each.query}' is none of the queries{_near(each.query, pools)}"
            )
        pool = pools[each.query]
        if each.item not in pool:
            raise DataError(
                f"{path}: marks.{place}.item: '{each.item}' is in no list of query '{each.query}'"
                f"{_near(each.item, pool)}"
            )
        if (each.query, each.item) in similar:
            raise DataError(f"{path}: marks.{place}: '{each.item}' is judged twice for query '{each.query}'")
        similar[each.query, each.item] = each.mark == "similar"
    return Judge(file.judge.strip() or path.name, similar)


def _near(word: str, options: Sequence[str] | Mapping[str, object]) -> str:
    close = nearest(word, options)
    return f"; nearest: {close}" if close else ""
