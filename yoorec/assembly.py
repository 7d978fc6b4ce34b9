"""Assembly: a pipeline put together from the artifacts of its components."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from yoorec.artifacts.manifest import file_sum
from yoorec.artifacts.store import Artifact
from yoorec.code import code_hash
from yoorec.components import RankContext
from yoorec.config.scenario import Part, Scenario
from yoorec.config.walk import dump_config, paths_of
from yoorec.data.catalogue import Catalogue
from yoorec.errors import ArtifactError, DataError
from yoorec.features.counters import Counters
from yoorec.pipeline import Pipeline
from yoorec.plugins import Plugins

__all__ = [
    "build_part",
    "check_inputs",
    "check_mask",
    "check_parts",
    "component_inputs",
    "file_inputs",
    "load_part",
    "mask_inputs",
    "open_pipeline",
]


def component_inputs(part: Part, seed: int) -> dict[str, Any]:
    """What of a scenario and its code decides an artifact: the part of its fingerprint that needs no data.

    A path counts by its name: `file_inputs` tells what lies there, where an artifact is made.
    """
    return {
        "component": f"{part.kind}-{part.use}",
        "config": _plain(asdict(part.config)),
        "code": code_hash(part.spec.target),
        "seed": seed,
    }


def file_inputs(part: Part) -> dict[str, str]:
    """Name to SHA-256 of the files that a component's config names and that are there."""
    return {path.name: file_sum(path).sha256 for path in paths_of(part.config) if path.is_file()}


def check_inputs(part: Part, seed: int, artifact: Artifact) -> None:
    """Raise ArtifactError where an artifact was fitted for another config, code or seed than the scenario's."""
    found = artifact.manifest.inputs
    for key, expected in component_inputs(part, seed).items():
        given = found.get(key)
        if given == expected:
            continue
        name = artifact.manifest.slot
        if key == "config" and isinstance(given, dict):
            keys = sorted(each for each in expected.keys() | given.keys() if expected.get(each) != given.get(each))
            what = ", ".join(f"{each} {given.get(each)!r}, now {expected.get(each)!r}" for each in keys)
        elif key == "code":
            what = "other code than is installed"
        else:
            what = f"{key} {given!r}, now {expected!r}"
        raise ArtifactError(f"{artifact.folder}: {name} was fitted with {what}: run `yoorec fit`")


def mask_inputs(scenario: Scenario) -> dict[str, Any] | None:
    """The scenario's mask as a catalogue's artifact notes it."""
    mask = scenario.replay.mask
    return None if mask is None else dump_config(mask)


def check_mask(scenario: Scenario, catalogue: Artifact) -> None:
    """Raise ArtifactError where a release was fitted on a log masked otherwise than the scenario says."""
    given, expected = catalogue.manifest.inputs.get("mask"), mask_inputs(scenario)
    if given != expected:
        before, now = (
            "null" if mask is None else f"{{{', '.join(f'{key}: {value}' for key, value in sorted(mask.items()))}}}"
            for mask in (given, expected)
        )
        raise ArtifactError(
            f"{catalogue.folder}: the release was fitted with replay.mask {before}, now {now}: run `yoorec fit`"
        )


def open_pipeline(
    scenario: Scenario,
    catalogue: Catalogue,
    plugins: Plugins,
    *,
    profile: Artifact,
    triggers: Mapping[str, Artifact],
    ranker: Artifact | None,
    counters: Artifact | None = None,
) -> Pipeline:
    """Load each component from its artifact. Without a ranker artifact the merged order stands and no rule applies.

    counters: there where the ranker looks at them.
    """
    store = build_part(scenario.profile, catalogue)
    store.open(profile.folder)
    loaded = {part.name: load_part(part, catalogue, triggers[part.name]) for part in scenario.triggers}
    merge = build_part(scenario.merge, catalogue)
    rank = None
    if scenario.ranker is not None and ranker is not None:
        context = None if counters is None else RankContext(loaded, Counters.load(counters.folder))
        rank = load_part(scenario.ranker, catalogue, ranker, context)
    rules = [(part.name, build_part(part, catalogue)) for part in scenario.exposure]
    return Pipeline(
        scenario,
        catalogue,
        plugins,
        profile=store,
        triggers=loaded,
        merge=merge,
        ranker=rank,
        rules=rules,
        notes={
            f"{key}{name}": part.note
            for key, parts in (("triggers.", loaded.items()), ("exposure.", rules))
            for name, part in parts
            if getattr(part, "note", "")
        },
    )


_KEYS = {"trigger": "triggers.", "exposure": "exposure."}


def build_part(part: Part, catalogue: Catalogue) -> Any:
    """A component before it learned anything; a column it lacks is named with the key that asks for it."""
    try:
        return part.spec.load()(part.config, catalogue)
    except DataError as error:
        raise DataError(f"{_KEYS.get(part.kind, '')}{part.name}: {error}") from error


def check_parts(scenario: Scenario, catalogue: Catalogue) -> None:
    """Make every part before anything is fitted. Raises DataError with a line for each that the data can't serve."""
    faults = []
    for part in scenario.parts():
        try:
            build_part(part, catalogue)
        except DataError as error:
            faults.append(str(error))
    if faults:
        file = f"{scenario.path}: " if scenario.path is not None else ""
        raise DataError("\n".join(f"{file}{fault}" for fault in faults))


def load_part(part: Part, catalogue: Catalogue, artifact: Artifact, context: RankContext | None = None) -> Any:
    """A component with what it learned. Raises ArtifactError where that can't be read.

    context: what a ranker that asks for it may look at.
    """
    component = build_part(part, catalogue)
    try:
        if context is not None:
            component.use(context)
        component.load(artifact.folder)
    except ArtifactError:
        raise
    except Exception as error:
        raise ArtifactError(
            f"{artifact.folder}: {artifact.manifest.slot} can't be loaded: {type(error).__name__}: {error}"
        ) from error
    return component


def _plain(value: Any) -> Any:
    """JSON values only, so that a manifest read back equals the inputs it was written from."""
    if isinstance(value, Mapping):
        return {str(key): _plain(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(each) for each in value]
    return value.name if isinstance(value, Path) else value
