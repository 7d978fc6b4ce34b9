"""A scenario's components: found among the plugins, their keys judged, their references checked."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from yoorec.components import ComponentSpec, Kind
from yoorec.config.context import BASE_HINT, BASE_KEYS, Context, judged
from yoorec.config.describe import fields_of, kind_of
from yoorec.config.faults import NOT_GIVEN, shown
from yoorec.config.framework import KIND_WORDS, SECTIONS
from yoorec.config.strict_yaml import KeyPath
from yoorec.config.types import Reference
from yoorec.config.walk import map_config
from yoorec.errors import nearest

__all__ = ["Found", "check_references", "component", "several", "single"]

_TRIGGERS = "a mapping of names to triggers"


@dataclass(frozen=True, slots=True)
class Found:
    """A component whose keys are sound: its own config, and the framework's keys beside it."""

    spec: ComponentSpec
    config: Any
    keys: Any


def _word(kind: Kind) -> str:
    return KIND_WORDS.get(kind, kind)


def several(values: Mapping[str, Any], key: str, context: Context) -> dict[str, Any]:
    """The triggers, or the rules, by name; null for one that is switched off."""
    found = values.get(key)
    if isinstance(found, dict):
        if key == "triggers" and not found:
            context.report((key,), "there is none, so nothing would be recalled", _TRIGGERS)
        return found
    if key == "triggers":
        message = f"{shown(found)} is no mapping" if key in values else NOT_GIVEN
        context.report((key,), message, _TRIGGERS, hint="" if key in values else "hot: {use: hot}")
    elif found is not None:
        context.report((key,), f"{shown(found)} is no list", "a list of rules such as {use: drop_seen}")
    return {}


def single(values: Mapping[str, Any], key: str, kind: Kind, context: Context) -> Found | None:
    """The one component under a key; None where it is off, or missing and reported."""
    if values.get(key) is None:
        if key == "ranker":
            return None
        names = ", ".join(context.plugins.names(kind))
        if key in values:
            context.report((key,), f"null switches the {_word(kind)} off, and a scenario needs one", names)
            return None
        options = context.options(key)
        hint = f"{key}=OPTION: {', '.join(options)}" if options else ""
        if key in BASE_KEYS:
            hint = BASE_HINT
        context.report((key,), NOT_GIVEN, f"a mapping with use: {names}", hint=hint)
        return None
    return component((key,), values[key], kind, context)


def component(path: KeyPath, value: Any, kind: Kind, context: Context) -> Found | None:
    """The component that a mapping names, or None with what is wrong reported."""
    if not isinstance(value, dict):
        hint = f"{'.'.join(path)}.use={value}" if isinstance(value, str) else ""
        context.report(path, f"{shown(value)} is no mapping", f"a mapping with use: {_names(kind, context)}", hint=hint)
        return None
    spec = _spec(path, value, kind, context)
    own = fields_of(SECTIONS[kind])
    framework = {key: each for key, each in value.items() if key in own}
    if not isinstance(framework.get("use"), str):
        framework["use"] = ""  # reported by _spec, which knows the names
    keys = judged(SECTIONS[kind], framework, path, context)
    if kind == "exposure" and value.get("id") not in (None, path[-1]):
        context.report((*path, "id"), f"the rule '{path[-1]}' can't be renamed by a later layer", path[-1])
        return None
    if spec is None:
        return None
    rest = {key: each for key, each in value.items() if key not in own}
    check_references(spec.config, rest, path, context)
    config = judged(spec.config, rest, path, context, tuple(own))
    return None if config is None or keys is None else Found(spec, config, keys)


def _names(kind: Kind, context: Context) -> str:
    return ", ".join(context.plugins.names(kind)) or f"no {_word(kind)} is installed"


def _spec(path: KeyPath, value: Mapping[str, Any], kind: Kind, context: Context) -> ComponentSpec | None:
    use = value.get("use")
    if use is None:
        origin = context.stack.origin(path)
        if len(path) == 2 and origin is not None and origin.text:
            there = [
                name
                for name, each in context.stack.values.get(path[0], {}).items()
                if isinstance(each, dict) and each.get("use") is not None
            ]
            context.report(
                path,
                f"there is no {_word(kind)} '{path[1]}' here",
                ", ".join(there),
                nearest(path[1], there),
                f"{'.'.join(path)}.use={_word(kind).split()[-1].upper()} to add one",
            )
        elif "use" in value:
            context.report((*path, "use"), "null is not accepted here", _names(kind, context))
        else:
            context.report((*path, "use"), NOT_GIVEN, _names(kind, context))
        return None
    if not isinstance(use, str):
        context.report((*path, "use"), f"{shown(use)} is {kind_of(use)}, not text", _names(kind, context))
        return None
    offer = context.plugins.get(kind, use)
    if offer is not None:
        return offer.spec
    others: list[Kind] = [each.spec.kind for each in context.plugins if each.spec.name == use]
    missing = context.plugins.missing(kind, use)
    installable = missing.startswith("pip ")
    if others:
        message = f"'{use}' is a {_word(others[0])}, not a {_word(kind)}"
    elif missing and not installable:
        message = f"'{use}' can't be had: {missing}"
    else:
        message = f"no {_word(kind)} '{use}' is installed"
    context.report(
        (*path, "use"),
        message,
        _names(kind, context),
        context.plugins.nearest(kind, use),
        missing if installable else "",
    )
    return None


def check_references(config: type, values: Mapping[str, Any], path: KeyPath, context: Context) -> None:
    """Report every name of a trigger that is none, or is switched off."""
    if not context.named:
        return
    active, off = context.active, context.off

    def check(base: Any, metadata: tuple[Any, ...], text: str, where: KeyPath, is_key: bool) -> str:
        if any(isinstance(each, Reference) and each.to == "trigger" for each in metadata) and text not in active:
            key = ".".join(where)
            if text in off:
                message, hint = f"the trigger '{text}' is switched off", f"~{key}" if is_key else ""
            else:
                message, hint = f"'{text}' names no trigger of this scenario", ""
            context.report(where, message, ", ".join(active), nearest(text, active), hint)
        return text

    map_config(config, values, path, check)
