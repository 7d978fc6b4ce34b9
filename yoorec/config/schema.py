"""JSON Schema of a composed scenario, for the components that are installed."""

from __future__ import annotations

import dataclasses
import json
from typing import Any

from yoorec.components import Kind
from yoorec.config.describe import fields_of
from yoorec.config.docs import field_docs, summary
from yoorec.config.faults import adapter
from yoorec.config.framework import COMPONENTS, SECTIONS, SETTINGS, TOP_KEYS, SceneKeys
from yoorec.config.walk import dump
from yoorec.plugins import Offer, Plugins

__all__ = ["scenario_schema"]


def scenario_schema(plugins: Plugins) -> dict[str, Any]:
    """The schema (draft 2020-12) of what ``yoorec show`` prints: one definition for each installed component.

    A file that leaves keys to the files it builds on lacks some of what is required here; its keys are still described.
    """
    definitions: dict[str, Any] = {}
    by_kind: dict[Kind, list[dict[str, Any]]] = {kind: [] for kind in SECTIONS}
    for offer in plugins:
        if offer.spec.kind in by_kind:
            name = f"{offer.spec.kind}.{offer.spec.name}"
            definitions[name] = _component(offer, definitions)
            by_kind[offer.spec.kind].append({"$ref": f"#/$defs/{name}"})
    properties: dict[str, Any] = dict(_properties(SceneKeys, definitions))
    for path, kind in COMPONENTS.items():
        properties[path[0]] = {"oneOf": by_kind[kind] + ([{"type": "null"}] if path[0] == "ranker" else [])}
    properties["triggers"] = {
        "type": "object",
        "minProperties": 1,
        "additionalProperties": {"oneOf": [*by_kind["trigger"], {"type": "null"}]},
    }
    properties["exposure"] = {"type": "array", "items": {"oneOf": by_kind["exposure"]}}
    properties["variants"] = {
        "type": "object",
        "additionalProperties": {"type": "array", "items": {"type": "string"}},
    }
    for key, config in SETTINGS.items():
        properties[key] = _object(config, _properties(config, definitions))
    properties["defaults"] = {"type": "array", "description": "Configs this file builds on, in order; Hydra's."}
    required = [*fields_of(SceneKeys), "data", "profile", "triggers", "merge"]
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "yoorec scenario",
        "type": "object",
        "properties": {key: properties[key] for key in ("defaults", *TOP_KEYS)},
        "required": [key for key in TOP_KEYS if key in required],
        "additionalProperties": False,
        "$defs": dict(sorted(definitions.items())),
    }


def _component(offer: Offer, definitions: dict[str, Any]) -> dict[str, Any]:
    spec = offer.spec
    own = _properties(SECTIONS[spec.kind], definitions)
    own["use"] = {"const": spec.name, "description": spec.summary}
    found = _object(spec.config, {**own, **_properties(spec.config, definitions)})
    return {**found, "required": ["use", *found.get("required", ())]}


def _object(config: type, properties: dict[str, Any]) -> dict[str, Any]:
    required = [key for key, (_, _, default) in fields_of(config).items() if default is dataclasses.MISSING]
    found = {"type": "object", "properties": properties, "additionalProperties": False}
    text = summary(config)
    return {**found, **({"description": text} if text else {}), **({"required": required} if required else {})}


def _properties(config: type, definitions: dict[str, Any]) -> dict[str, Any]:
    owner = f"{config.__module__}.{config.__qualname__}"
    whole = adapter(config).json_schema(mode="validation", ref_template=f"#/$defs/{owner}.{{model}}")
    for name, definition in whole.pop("$defs", {}).items():
        definitions[f"{owner}.{name}"] = {**definition, "additionalProperties": False}
    texts = field_docs(config)
    properties: dict[str, Any] = {}
    for key, (name, annotation, default) in fields_of(config).items():
        found = {word: value for word, value in whole["properties"][name].items() if word not in ("title", "default")}
        if key in texts:
            found["description"] = texts[key]
        if default is not dataclasses.MISSING:
            found["default"] = json.loads(json.dumps(dump(annotation, default)))
        properties[key] = found
    return properties
