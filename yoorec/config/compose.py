"""Composition: Hydra orders a scenario's files, strict layers are merged in that order, the result is validated."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from hydra import version
from hydra._internal.defaults_list import Overrides, _create_defaults_list
from hydra.core.default_element import ConfigDefault, GroupDefault, ResultDefault
from hydra.errors import HydraException

from yoorec.config.context import Context
from yoorec.config.layers import Layer, Origin, Stack
from yoorec.config.library import Library, find_scenario, search_path, spell
from yoorec.config.overrides import Choice, Setting, sort_overrides
from yoorec.config.resolve import resolve
from yoorec.config.scenario import Scenario
from yoorec.config.strict_yaml import KeyPath
from yoorec.config.validate import validate
from yoorec.errors import ConfigError, Problem, nearest
from yoorec.plugins import Plugins, load_plugins

__all__ = ["Composition", "compose", "load_scenario"]

_lock = threading.RLock()
"""Hydra keeps global state (its version base, its parser's caches), so one composition runs at a time."""


@dataclass(frozen=True, slots=True)
class Composition:
    """A scenario with where it came from.

    layers: the config files in the order in which they were merged, later ones winning.
    stack:  the merged values and who set each key.
    """

    scenario: Scenario
    layers: tuple[Layer, ...]
    stack: Stack


@dataclass(slots=True)
class _Draft:
    """One composition under way."""

    stack: Stack = field(default_factory=Stack)
    layers: list[Layer] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)
    bad: list[KeyPath] = field(default_factory=list)
    incomplete: bool = False
    values: dict[str, Any] = field(default_factory=dict)
    scenario: Scenario | None = None


def load_scenario(
    path_or_name: str | Path,
    overrides: Sequence[str] = (),
    plugins: Plugins | None = None,
    *,
    variant: str | None = None,
) -> Scenario:
    """Compose and validate a scenario; no data is touched.

    path_or_name: a YAML file in any folder, or the bare name of a shipped sample such as "light".
    overrides: in Hydra's syntax; plain ``a.b=v`` may also set a key that no file sets.
    plugins: the installed ones unless given.
    variant: the name of one of the scenario's variants, whose overrides come after the others, as a layer of their own.
    Raises ConfigError holding every problem found.
    """
    return compose(path_or_name, overrides, plugins, variant=variant).scenario


def compose(
    path_or_name: str | Path,
    overrides: Sequence[str] = (),
    plugins: Plugins | None = None,
    *,
    variant: str | None = None,
) -> Composition:
    """Like `load_scenario`, with the layers and the origin of each key. Safe to call from several threads."""
    plugins = load_plugins() if plugins is None else plugins
    path = find_scenario(path_or_name)
    own = [(tuple(overrides), Setting())]
    with _lock, _hydra_base():
        library = Library(path, search_path(path, plugins))
        control = _draft(library, plugins, own)
        problems = list(control.problems)
        known = {_fact(problem) for problem in problems}
        variants = _variants_of(control)
        drafts: dict[str, _Draft] = {}
        for name, (texts, file) in variants.items():
            setting = Setting(file, f"variants.{name}")
            drafts[name] = _draft(library, plugins, [*own, (texts, setting)])
            for problem in drafts[name].problems:
                framed = _framed(problem, setting)
                if _fact(problem) not in known and framed not in problems:
                    problems.append(framed)
        chosen = control
        if variant is not None:
            if variant not in drafts and not problems:
                problems.append(
                    Problem(
                        spell(path),
                        "variants",
                        f"there is no variant '{variant}'",
                        ", ".join(drafts) or "the scenario has none",
                        nearest(variant, drafts),
                    )
                )
            chosen = drafts.get(variant, control)
        if problems or chosen.scenario is None:
            raise ConfigError(tuple(problems))
    return Composition(chosen.scenario, tuple(chosen.layers), chosen.stack)


@contextmanager
def _hydra_base() -> Iterator[None]:
    """Hydra's current rules while composing, whatever base the process around us has set."""
    base = version.VersionBase.instance()
    before = base.version_base
    try:
        version.setbase("1.3")
        yield
    finally:
        base.version_base = before


def _fact(problem: Problem) -> tuple[str, str, str]:
    return problem.file, problem.key, problem.message


def _framed(problem: Problem, setting: Setting) -> Problem:
    """A variant's problem against the variant, also where the key that suffers was set elsewhere."""
    if problem.key.startswith(setting.prefix):
        return problem
    return Problem(
        setting.file, setting.key(problem.key), problem.message, problem.accepted, problem.nearest, problem.hint
    )


def _variants_of(draft: _Draft) -> dict[str, tuple[tuple[str, ...], str]]:
    """Name to overrides and the file that set them, for every variant that can be read."""
    found = draft.values.get("variants")
    variants: dict[str, tuple[tuple[str, ...], str]] = {}
    for name, texts in found.items() if isinstance(found, dict) else ():
        if isinstance(texts, list) and all(isinstance(text, str) for text in texts):
            origin = draft.stack.origin(("variants", name)) or Origin("")
            variants[name] = (tuple(texts), origin.file)
    return variants


def _draft(library: Library, plugins: Plugins, sources: Sequence[tuple[Sequence[str], Setting]]) -> _Draft:
    """Compose and validate once; problems are gathered, never raised."""
    draft = _Draft()
    sorted_ = [sort_overrides(texts, setting, library) for texts, setting in sources]
    for each in sorted_:
        draft.problems.extend(each.problems)
        draft.bad.extend(each.bad)
    for layer in _layers(library, [choice for each in sorted_ for choice in each.choices], draft):
        draft.layers.append(layer)
        draft.stack.push(layer)
    for each in sorted_:
        draft.stack.apply(each.changes)
    draft.problems.extend(draft.stack.problems)
    draft.values, problems, bad = resolve(draft.stack)
    draft.problems.extend(problems)
    draft.bad.extend(bad)
    draft.problems[:0] = [problem for problem in library.problems if problem not in draft.problems]
    texts = tuple(text for overrides, _ in sources for text in overrides)
    context = Context(
        stack=draft.stack,
        plugins=plugins,
        path=Path(spell(library.scenario)),
        shown=spell(library.scenario),
        overrides=texts,
        bad=draft.bad,
        options=library.get_group_options,
        incomplete=draft.incomplete or bool(library.problems),
    )
    draft.scenario = validate(draft.values, context)
    draft.problems.extend(problem for problem in context.problems if problem not in draft.problems)
    return draft


def _layers(library: Library, choices: Sequence[Choice], draft: _Draft) -> list[Layer]:
    """The config files in Hydra's order, with every entry of a defaults list that leads nowhere reported."""
    overrides = Overrides(repo=library, overrides_list=[choice.override for choice in choices])
    shown = spell(library.scenario)
    try:
        results, _ = _create_defaults_list(library, library.primary, overrides, prepend_hydra=False, skip_missing=True)
    except RecursionError:
        draft.problems.append(Problem(shown, "defaults", f"goes in a circle: {' -> '.join(_circle(library))}"))
        draft.incomplete = True
        return []
    except (HydraException, ValueError) as error:
        draft.problems.append(_refused(str(error), choices, shown))
        draft.incomplete = True
        return []
    draft.problems.extend(_unused(library, overrides, choices))
    layers: list[Layer] = []
    placed: set[tuple[str, str]] = set()
    for result in results:
        name, package = result.config_path or "", result.package or ""
        source = library.source(name)
        if source is None:
            _report_missing(library, result, draft)
            continue
        if (name, package) in placed:
            parent = library.source(result.parent or "")
            draft.problems.append(
                Problem(
                    spell(parent.file) if parent else shown,
                    "defaults",
                    f"'{name}' comes in a second time, and would undo what was set after the first",
                    hint=f"remove '{name}' from one of the defaults lists",
                )
            )
            continue
        placed.add((name, package))
        base = source.file.parent if source.place.own else None
        layers.append(
            Layer(name, source.file, spell(source.file), package, base, source.document.values, source.document.lines)
        )
    return layers


def _refused(said: str, choices: Sequence[Choice], shown: str) -> Problem:
    """What Hydra refused, against the override that asked for it where one did."""
    group, twice, _ = said.partition(" appears more than once")
    for choice in choices:
        if twice and choice.override.is_add() and choice.override.get_key_element().lstrip("+") == group:
            where = choice.setting
            message = f"a defaults list has '{group}' already, so '+' can't add it"
            return Problem(where.file, where.key(group), message, hint=choice.text.lstrip("+"))
    return Problem(shown, "defaults", f"can't be composed: {' '.join(said.split())}")


def _unused(library: Library, overrides: Overrides, choices: Sequence[Choice]) -> Iterator[Problem]:
    """Group choices and deletions that match no entry of a defaults list."""
    by_key = {choice.override.get_key_element().lstrip("~"): choice for choice in choices}
    entries = sorted(overrides.known_choices)
    for key, meta in overrides.override_metadata.items():
        if meta.used:
            continue
        message = f"no defaults list has an entry '{key}' to choose for"
        if meta.external_override:
            choice = by_key[key]
            where = choice.setting
            yield Problem(
                where.file, where.key(key), message, ", ".join(entries), nearest(key, entries), f"+{choice.text}"
            )
        else:
            source = library.source(meta.containing_config_path or "")
            file = spell(source.file) if source else ""
            yield Problem(file, "defaults", message, ", ".join(entries), nearest(key, entries))
    for key, deletion in overrides.deletions.items():
        if not deletion.used:
            choice = by_key[key]
            where = choice.setting
            chosen = f"{key}: {deletion.name}" if deletion.name else key
            yield Problem(
                where.file,
                where.key(choice.text),
                f"no defaults list has an entry '{chosen}' to remove",
                ", ".join(f"{entry}: {value}" for entry, value in sorted(overrides.known_choices.items())),
            )


def _report_missing(library: Library, result: ResultDefault, draft: _Draft) -> None:
    name, package = result.config_path or "", result.package or ""
    parent = library.load_config(result.parent) if result.parent else None
    key = (result.override_key or "").split("@")[0]
    for entry in (parent.defaults_list or []) if parent else []:
        # A group in a defaults list may be relative to the folder of its file, so only the end is compared.
        if isinstance(entry, GroupDefault) and entry.optional and key and key.endswith(str(entry.group).lstrip("/")):
            return
    source = library.source(result.parent or "")
    group, _, option = name.rpartition("/")
    options = [each for each in library.get_group_options(group) if each != library.primary or group]
    if result.override_key is None:
        message = f"'{name}' is in no folder of the search path"
        accepted = [f"{group}/{each}" if group else each for each in options]
        close = nearest(name, accepted)
    else:
        message = f"there is no '{option}' in the config group '{group}'"
        accepted, close = options, nearest(option, options)
    file = spell(source.file) if source else spell(library.scenario)
    draft.problems.append(Problem(file, "defaults", message, ", ".join(accepted), close))
    if package and result.override_key is not None:
        draft.bad.append(tuple(package.split(".")))
    else:
        draft.incomplete = True


def _circle(library: Library) -> list[str]:
    """The names on a circle of defaults lists, the first one again at its end."""

    def walk(name: str, above: list[str]) -> list[str] | None:
        if name in above:
            return [*above[above.index(name) :], name]
        folder = name.rpartition("/")[0]
        for entry in library.load_config(name).defaults_list or []:
            if isinstance(entry, GroupDefault) and isinstance(entry.value, str):
                below = f"{entry.group}/{entry.value}"
            elif isinstance(entry, ConfigDefault) and not entry.is_self():
                below = entry.path or ""
            else:
                continue
            full = below[1:] if below.startswith("/") else "/".join(part for part in (folder, below) if part)
            found = walk(full, [*above, name])
            if found:
                return found
        return None

    return walk(library.primary, []) or [library.primary]
