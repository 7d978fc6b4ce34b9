"""Learned: what features took from a ranker's samples, and how it is kept."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import numpy.typing as npt

from yoorec.artifacts.arrays import load_arrays, save_arrays
from yoorec.errors import ArtifactError, DataError
from yoorec.features.columns import item_column, user_form
from yoorec.features.config import Feature
from yoorec.features.declared import Declared, DeclaredCross, is_absent
from yoorec.features.names import Name

if TYPE_CHECKING:
    from yoorec.data.catalogue import Catalogue

__all__ = ["Learned"]

F32 = npt.NDArray[np.float32]
I64 = npt.NDArray[np.int64]

_FILE = "features.json"
_VERSION = 1


@dataclass(frozen=True, slots=True)
class Learned:
    """Features and what was learned of each, by its name.

    ids, table: as in the config. names: those with a code of their own, in the order of the codes; none where ids are
    open. edges: float32, where ranges of numbers begin. prior: common rates. cross_keys: int64, rising, of each cross.
    """

    ids: Literal["serialised", "open"]
    table: int
    features: tuple[Declared, ...]
    crosses: tuple[DeclaredCross, ...]
    names: Mapping[str, list[str]]
    edges: Mapping[str, F32]
    prior: Mapping[str, float]
    cross_keys: tuple[I64, ...]

    def save(self, folder: Path) -> None:
        """Write what was learned."""
        model = {
            "version": _VERSION,
            "ids": self.ids,
            "table": self.table,
            "features": [
                {
                    "name": each.name,
                    "of": list(each.of),
                    "feature": _plain(each.feature),
                    "form": each.form,
                    "hidden": each.hidden,
                    "names": self.names.get(each.name),
                    "prior": self.prior.get(each.name),
                }
                for each in self.features
            ],
            "crosses": [
                {"name": each.name, "feature": _plain(each.feature), "parts": list(each.parts)} for each in self.crosses
            ],
        }
        text = json.dumps(model, ensure_ascii=False, indent=1, allow_nan=False)
        (folder / _FILE).write_text(text + "\n", encoding="utf-8")
        edges = [self.edges[each.name] for each in self.features if each.form == "numbers"]
        save_arrays(
            folder,
            edges=np.concatenate([np.empty(0, np.float32), *edges]),
            edge_counts=np.array([len(each) for each in edges], np.int64),
            cross_keys=np.concatenate([np.empty(0, np.int64), *self.cross_keys]),
            cross_counts=np.array([len(each) for each in self.cross_keys], np.int64),
        )

    @classmethod
    def load(cls, folder: Path, catalogue: Catalogue) -> Learned:
        """Read back what `save` wrote. Raises ArtifactError naming a feature whose column now holds something else."""
        path = folder / _FILE
        try:
            model = json.loads(path.read_text(encoding="utf-8"))
            if model["version"] != _VERSION:
                raise ValueError(f"version {model['version']}, expected {_VERSION}")
            features = tuple(
                Declared(each["name"], Name(*each["of"]), _feature(each["feature"]), each["form"], each["hidden"])
                for each in model["features"]
            )
            crosses = tuple(
                DeclaredCross(each["name"], _feature(each["feature"]), tuple(each["parts"]))
                for each in model["crosses"]
            )
            names = {each["name"]: list(each["names"]) for each in model["features"] if each["names"] is not None}
            prior = {each["name"]: float(each["prior"]) for each in model["features"] if each["prior"] is not None}
            ids, table = model["ids"], int(model["table"])
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise ArtifactError(f"{path}: tells of no features: {type(error).__name__}: {error}") from error
        edges, edge_counts, keys, key_counts = load_arrays(folder, "edges", "edge_counts", "cross_keys", "cross_counts")
        numbers = [each.name for each in features if each.form == "numbers"]
        if (len(edge_counts), len(key_counts)) != (len(numbers), len(crosses)) or (
            int(edge_counts.sum()),
            int(key_counts.sum()),
        ) != (len(edges), len(keys)):
            raise ArtifactError(f"{path}: belongs to other arrays than lie beside it")
        for each in features:
            _check_form(path, each, catalogue)
        parts = dict(zip(numbers, np.split(edges, np.cumsum(edge_counts)[:-1]), strict=False))
        crossed = tuple(np.split(keys, np.cumsum(key_counts)[:-1])) if len(crosses) else ()
        return cls(ids, table, features, crosses, names, parts, prior, crossed)


def _check_form(path: Path, feature: Declared, catalogue: Catalogue) -> None:
    """Raise ArtifactError where a column holds something else than the feature learned from."""
    table, word = feature.of.table, feature.of.word
    if table in ("context", "stat", "similar", "trigger", "merge") or word in ("id", "seen"):
        return
    if is_absent(feature, catalogue):
        return
    category = bool(feature.feature.category)
    try:
        if table == "user":
            found = user_form(catalogue, word, category)
        else:
            found = item_column(catalogue, word, category or table not in ("item", "main")).form
    except DataError as error:
        raise ArtifactError(f"{path}: feature '{feature.name}': {error}") from error
    expected = (feature.form,) if table in ("user", "item", "main") else ("names", "lists")
    if found not in expected:
        what = "users" if table == "user" else "items"
        raise ArtifactError(
            f"{path}: feature '{feature.name}': {what}: column '{word}' holds {found}, where it held "
            f"{feature.form} when the ranker learned: run `yoorec fit`"
        )


def _plain(feature: Feature) -> dict[str, Any]:
    """A feature's keys as JSON, those left at their defaults out."""
    found = {key: value for key, value in asdict(feature).items() if value is not None and value is not False}
    return {key: list(value) if isinstance(value, tuple) else value for key, value in found.items()}


def _feature(plain: dict[str, Any]) -> Feature:
    keys: dict[str, Any] = {key: tuple(value) if isinstance(value, list) else value for key, value in plain.items()}
    return Feature(**keys)
