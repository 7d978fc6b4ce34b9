"""From a scenario to a page: fit what is missing, draw items, ask the triggers, write the page and its lists."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from yoorec.batch import CandidateBatch
from yoorec.config.scenario import Scenario
from yoorec.data.catalogue import Catalogue
from yoorec.errors import ConfigError, DataError, Problem, nearest
from yoorec.neighbors.draw import Asker, draw_queries
from yoorec.neighbors.lists import Drawn, Neighbor, Neighbors, Query
from yoorec.neighbors.page import page
from yoorec.neighbors.thumbnails import Look, looks_of
from yoorec.plugins import Plugins
from yoorec.replay.leaks import utc
from yoorec.replay.report import ArtifactNote, Moment, write_aside

if TYPE_CHECKING:
    from yoorec.artifacts.store import Artifact
    from yoorec.data.dataset import Dataset

__all__ = ["Judging", "prepare"]

_SHOWN = 3


@dataclass(frozen=True, slots=True)
class Judging:
    """Lists to be judged, how their items look, and what whoever asked for them should know."""

    neighbors: Neighbors
    looks: dict[str, Look]
    notes: tuple[str, ...]

    def write(self, folder: Path) -> tuple[Path, Path]:
        """Write ``neighbors.json`` and ``index.html``, each aside and then renamed; gives their paths."""
        folder.mkdir(parents=True, exist_ok=True)
        lists = self.neighbors.write(folder / "neighbors.json")
        return lists, write_aside(folder / "index.html", page(self.neighbors, self.looks))


def prepare(
    scenario: Scenario,
    plugins: Plugins,
    triggers: Sequence[str],
    *,
    queries: int = 20,
    top: int = 10,
    items: Sequence[str] = (),
    seed: int = 0,
    progress: Callable[..., None] = lambda *_: None,
    dataset: Dataset | None = None,
) -> Judging:
    """What each of some triggers, fitted at the replay cut, finds for single items at the end of the log.

    A request has the item as its main item and only play, and no user; no exposure rule applies, and no limit but
    `top`. Without `items`, `queries` of them are drawn by `seed` (`draw_queries`) among the published ones for which
    every trigger finds something.
    Raises ConfigError for a trigger or item that isn't there, DataError where nothing can be drawn, and what reading
    and fitting raise.
    """
    from yoorec.assembly import load_part
    from yoorec.data.cuts import resolve_cuts
    from yoorec.data.dataset import read_dataset
    from yoorec.fit import fit_triggers

    names = tuple(dict.fromkeys(triggers))
    parts = {part.name: part for part in scenario.triggers}
    _refuse_unknown("--trigger", names, parts, "no trigger of this scenario", ", ".join(parts))
    if dataset is None:
        dataset = read_dataset(scenario, progress=progress)
    catalogue = dataset.log.catalogue
    named = tuple(dict.fromkeys(items))
    _refuse_unknown("--item", named, catalogue.items.ids, "no item of the data")
    artifacts = fit_triggers(scenario, plugins, dataset, names, progress=progress)
    loaded = {name: load_part(parts[name], catalogue, artifacts[name]) for name in names}
    end = resolve_cuts(scenario, dataset).end
    asker = Asker(loaded, catalogue, end)
    drawn: list[tuple[int, Drawn]]
    if named:
        drawn = [(index, "named") for index in catalogue.items.encode(named).tolist()]
    else:
        plays = np.bincount(dataset.log.plays().item, minlength=len(catalogue.items))
        drawn = draw_queries(plays, catalogue.published_at <= end, asker.knows, queries, seed)
    if not drawn:
        said = "; ".join(f"triggers.{name}: {part.note}" for name, part in loaded.items() if getattr(part, "note", ""))
        raise DataError(
            f"scene '{scenario.scene}': there is no item for which {_all_of(names)} something" + (said and f"; {said}")
        )
    lists = asker.lists(np.array([index for index, _ in drawn], np.int32), top)
    ids = catalogue.items.ids
    found = Neighbors(
        scene=scenario.scene,
        scenario=scenario.path.name if scenario.path else "",
        hash=scenario.hash,
        data=dataset.fingerprint,
        seed=seed,
        top=top,
        time=_moment(end),
        triggers={name: _note(artifact) for name, artifact in artifacts.items()},
        queries=tuple(
            Query(ids[index], how, {name: _list(each, b, catalogue) for name, each in lists.items()})
            for b, (index, how) in enumerate(drawn)
        ),
    )
    shown = dict.fromkeys(each for query in found.queries for each in (query.item_id, *query.pool()))
    looks = looks_of(catalogue, list(shown))
    return Judging(found, looks, tuple(_notes(found, looks, 0 if named else queries)))


def _refuse_unknown(option: str, names: Sequence[str], known: Collection[str], what: str, accepted: str = "") -> None:
    there = set(known)
    problems = tuple(
        Problem("command line", option, f"'{name}' is {what}", accepted, nearest(name, known))
        for name in names
        if name not in there
    )
    if problems:
        raise ConfigError(problems)


def _all_of(names: Sequence[str]) -> str:
    return f"{names[0]} recalls" if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]} all recall"


def _list(found: CandidateBatch, b: int, catalogue: Catalogue) -> tuple[Neighbor, ...]:
    rows = slice(int(found.offsets[b]), int(found.offsets[b + 1]))
    ids, score = catalogue.items.decode(found.item[rows]), found.score[rows]
    fine = np.isfinite(score).tolist()
    return tuple(
        Neighbor(each, value if known else None) for each, value, known in zip(ids, score.tolist(), fine, strict=True)
    )


def _note(artifact: Artifact) -> ArtifactNote:
    manifest = artifact.manifest
    cut = None if manifest.cut is None else _moment(manifest.cut)
    return ArtifactNote(manifest.component, manifest.fingerprint, cut)


def _moment(time_ms: int) -> Moment:
    return Moment(time_ms, utc(time_ms))


def _notes(found: Neighbors, looks: dict[str, Look], wanted: int) -> list[str]:
    notes = []
    if len(found.queries) < wanted:
        notes.append(
            f"only {len(found.queries)} items are such that {_all_of(list(found.triggers))} something for them"
        )
    for name in found.triggers:
        short = sum(len(query.lists[name]) < found.top for query in found.queries)
        if short:
            notes.append(f"{name} finds fewer than {found.top} neighbours of {short} of {len(found.queries)} items")
    broken = [f"{item}: {look.fault}" for item, look in looks.items() if look.fault]
    if broken:
        notes.append(f"{len(broken)} of {len(looks)} covers can't be shown, such as {'; '.join(broken[:_SHOWN])}")
    return notes
