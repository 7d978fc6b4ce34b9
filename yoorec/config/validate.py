"""From resolved plain values to a `Scenario`, with every problem found on the way."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from yoorec.components import Kind
from yoorec.config.checks import check_cuts, check_figures, check_order
from yoorec.config.context import Context, judged
from yoorec.config.describe import fields_of
from yoorec.config.faults import shown
from yoorec.config.framework import COMPONENTS, SETTINGS, TOP_KEYS, SceneKeys, SourceKeys
from yoorec.config.parts import Found, check_references, component, several, single
from yoorec.config.plain import plain_scenario, scenario_hash
from yoorec.config.scenario import Part, Scenario, TriggerPart
from yoorec.config.walk import references_of
from yoorec.errors import nearest

__all__ = ["validate"]


def validate(values: Mapping[str, Any], context: Context) -> Scenario | None:
    """The scenario, or None with what is wrong in ``context.problems``.

    values: resolved plain values, exposure rules as a mapping by id.
    """
    for key in values:
        if key not in TOP_KEYS:
            context.report((key,), f"'{key}' is not accepted here", ", ".join(sorted(TOP_KEYS)), nearest(key, TOP_KEYS))
    scene = _scene(values, context)
    triggers = several(values, "triggers", context)
    context.named = isinstance(values.get("triggers"), dict)
    context.active = tuple(name for name, each in triggers.items() if each is not None)
    context.off = tuple(name for name, each in triggers.items() if each is None)
    found = {path[0]: single(values, path[0], kind, context) for path, kind in COMPONENTS.items()}
    recallers = _all("triggers", triggers, "trigger", context)
    rules = _all("exposure", several(values, "exposure", context), "exposure", context)
    for name in context.active:
        context.name(("triggers", name), name, "a trigger's name")
    if triggers and not context.active:
        context.report(("triggers",), "every trigger is switched off, so nothing would be recalled")
    check_order({name: references_of(each.config, "trigger") for name, each in recallers.items()}, context)
    settings = {key: _settings(values, key, config, context) for key, config in SETTINGS.items()}
    if settings["replay"] is not None:
        check_figures(settings["replay"], context)
        if settings["fit"] is not None:
            check_cuts(settings["fit"], settings["replay"], context)
    variants = _variants(values, context)
    if context.problems or context.bad or scene is None:
        return None
    profile, merge, ranker = _sure(found["profile"]), _sure(found["merge"]), found["ranker"]
    scenario = Scenario(
        scene=scene.scene,
        slate=scene.slate,
        seed=scene.seed,
        store=scene.store,
        session_gap_ms=scene.session_gap,
        event_weights=scene.event_weights,
        data=_part("source", "data", _sure(found["data"])),
        profile=_part("profile", "profile", profile),
        history=profile.keys.history,
        triggers=tuple(_trigger(name, each) for name, each in recallers.items()),
        merge=_part("merge", "merge", merge),
        merge_limit=merge.keys.limit,
        ranker=None if ranker is None else _part("ranker", "ranker", ranker),
        exposure=tuple(_part("exposure", name, each) for name, each in rules.items()),
        fit=settings["fit"],
        replay=settings["replay"],
        serve=settings["serve"],
        item_files=_item_files(_sure(found["data"]).keys),
        variants=variants,
        overrides=context.overrides,
        path=context.path,
    )
    return replace(scenario, plain=plain_scenario(scenario), hash=scenario_hash(scenario))


def _all(key: str, values: Mapping[str, Any], kind: Kind, context: Context) -> dict[str, Found]:
    """The components under a key that are on and sound, by name."""
    found = {name: component((key, name), each, kind, context) for name, each in values.items() if each is not None}
    return {name: each for name, each in found.items() if each is not None}


def _sure(found: Found | None) -> Found:
    assert found is not None, "a part that is missing has been reported"
    return found


def _part(kind: Kind, name: str, found: Found) -> Part:
    return Part(kind, name, found.spec.name, found.config, found.spec)


def _item_files(keys: SourceKeys) -> dict[str, tuple[Path, ...]]:
    given = {"texts": keys.texts, "covers": keys.covers}
    return {
        key: (paths,) if isinstance(paths, Path) else tuple(paths) for key, paths in given.items() if paths is not None
    }


def _trigger(name: str, found: Found) -> TriggerPart:
    keys = found.keys
    return TriggerPart("trigger", name, found.spec.name, found.config, found.spec, keys.limit, keys.timeout)


def _scene(values: Mapping[str, Any], context: Context) -> Any:
    fields = fields_of(SceneKeys)
    own = {key: values[key] for key in fields if key in values}
    scene = judged(SceneKeys, own, (), context)
    if isinstance(own.get("scene"), str):
        context.name(("scene",), own["scene"], "a scene's name")
    weights = own.get("event_weights")
    if scene is not None and not any(weight > 0 for weight in scene.event_weights.values()):
        context.report(("event_weights",), f"{shown(weights)} counts no event as a play", "at least one weight above 0")
    return scene


def _settings(values: Mapping[str, Any], key: str, config: type, context: Context) -> Any:
    found = values.get(key, {})
    if not isinstance(found, dict):
        context.report((key,), f"{shown(found)} is no mapping", ", ".join(sorted(fields_of(config))))
        return None
    check_references(config, found, (key,), context)
    return judged(config, found, (key,), context)


def _variants(values: Mapping[str, Any], context: Context) -> dict[str, tuple[str, ...]]:
    found = values.get("variants")
    accepted = "a mapping of names to lists of overrides, such as {longer: ['triggers.hot.limit=100']}"
    if found is None:
        return {}
    if not isinstance(found, dict):
        context.report(("variants",), f"{shown(found)} is no mapping", accepted)
        return {}
    variants: dict[str, tuple[str, ...]] = {}
    for name, overrides in found.items():
        path = ("variants", name)
        context.name(path, name, "a variant's name")
        if name == "control":
            context.report(path, "'control' is the scenario as it stands, so no variant is called so")
        if overrides is None:
            continue
        if not isinstance(overrides, list) or not all(isinstance(each, str) for each in overrides):
            context.report(path, f"{shown(overrides)} is no list of overrides", accepted)
            continue
        variants[name] = tuple(overrides)
    return variants
