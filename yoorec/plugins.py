"""Discovery: entry points of group `yoorec`, loaded one at a time, and the catalogue of components they offer."""

from __future__ import annotations

import importlib.util
import logging
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, fields, is_dataclass, replace
from importlib.metadata import EntryPoint, entry_points
from types import ModuleType
from typing import Any

import numpy as np
import pluggy

from yoorec import hookspecs
from yoorec.batch import CandidateBatch, Plays, Ragged, RequestBatch
from yoorec.components import KINDS, ComponentSpec, Kind
from yoorec.errors import PluginError, nearest

__all__ = ["GROUP", "KNOWN", "Offer", "Plugin", "Plugins", "load_plugins"]

GROUP = "yoorec"
_log = logging.getLogger("yoorec.plugins")

KNOWN: dict[tuple[Kind, str], str] = {
    ("trigger", "hot"): "yoorec-hot",
    ("trigger", "attribute"): "yoorec-attribute",
    ("trigger", "itemcf"): "yoorec-itemcf",
    ("trigger", "text"): "yoorec-text",
    ("trigger", "image"): "yoorec-image",
    ("trigger", "item2vec"): "yoorec-item2vec",
    ("trigger", "graph"): "yoorec-graph",
    ("trigger", "sknn"): "yoorec-sknn",
    ("trigger", "tdm"): "yoorec-tdm",
    ("ranker", "lr"): "yoorec-tf",
    ("ranker", "dnn"): "yoorec-tf",
    ("ranker", "wide_deep"): "yoorec-tf",
    ("ranker", "wide_dcn"): "yoorec-tf",
    ("profile", "redis"): "yoorec-redis",
}
"""Components of packages that ship beside the core, for the install command in an error."""


@dataclass(frozen=True, slots=True)
class Plugin:
    """One entry point: where it came from and, where it could not be loaded, why."""

    name: str
    distribution: str
    version: str
    module: str
    error: str = ""

    def __str__(self) -> str:
        return f"{self.distribution} {self.version}"


@dataclass(frozen=True, slots=True)
class Offer:
    """A component and the plugin that offers it."""

    spec: ComponentSpec
    plugin: Plugin


class Plugins:
    """Installed plugins: their components by (kind, name), their failures, and the hooks to call."""

    def __init__(
        self,
        manager: pluggy.PluginManager,
        plugins: Sequence[Plugin],
        offers: Sequence[Offer],
        config_packages: Sequence[str] = (),
    ) -> None:
        self.manager = manager
        self.plugins = tuple(sorted(plugins, key=lambda plugin: (plugin.name, plugin.distribution)))
        self._offers = {(offer.spec.kind, offer.spec.name): offer for offer in offers}
        self._config_packages = tuple(config_packages)

    def __iter__(self) -> Iterator[Offer]:
        for key in sorted(self._offers, key=lambda key: (KINDS.index(key[0]), key[1])):
            yield self._offers[key]

    @property
    def hook(self) -> Any:
        """Pluggy's hook relay, for observers."""
        return self.manager.hook

    @property
    def failures(self) -> tuple[Plugin, ...]:
        """Plugins that could not be loaded, each with its error."""
        return tuple(plugin for plugin in self.plugins if plugin.error)

    def names(self, kind: Kind) -> tuple[str, ...]:
        """Names offered for a kind, sorted."""
        return tuple(sorted(name for each, name in self._offers if each == kind))

    def get(self, kind: Kind, name: str) -> Offer | None:
        """The offer, or None."""
        return self._offers.get((kind, name))

    def missing(self, kind: Kind, name: str) -> str:
        """What to try for a component that is not there: a failed plugin's error, or an install command."""
        distribution = KNOWN.get((kind, name), "")
        for plugin in self.failures:
            if name == plugin.name or (distribution and distribution == plugin.distribution):
                return f"{plugin} is installed but can't be used: {plugin.error}"
        if distribution:
            return f"pip install {distribution}"
        if self.failures and self.nearest(kind, name) is None:
            failed = "; ".join(f"{plugin}: {plugin.error}" for plugin in self.failures)
            return f"these plugins can't be used, and one of them may offer it: {failed}"
        return ""

    def nearest(self, kind: Kind, name: str) -> str | None:
        """The name of this kind most like `name`."""
        return nearest(name, self.names(kind))

    def config_packages(self) -> tuple[str, ...]:
        """Packages of YAML files that plugins offer, sorted by plugin name."""
        return self._config_packages

    def observe(self, hook: str, **arguments: Any) -> None:
        """Call an observer hook; an error is logged under its plugin's name and goes no further.

        Batches are handed out as views that can't be written to: an observer that tries is one that fails.
        """
        arguments = {name: _sealed(value) for name, value in arguments.items()}
        for implementation in getattr(self.manager.hook, hook).get_hookimpls():
            wanted = {name: arguments[name] for name in implementation.argnames}
            try:
                implementation.function(**wanted)
            except Exception:  # noqa: BLE001 - an observer must not break the request it watches
                _log.exception("%s failed in %s", hook, implementation.plugin_name)


def _sealed(value: Any) -> Any:
    """The same value, its arrays as read-only views where it is a batch."""
    if isinstance(value, np.ndarray):
        view = value.view()
        view.flags.writeable = False
        return view
    if isinstance(value, dict):
        return {key: _sealed(each) for key, each in value.items()}
    if isinstance(value, RequestBatch | CandidateBatch | Plays | Ragged):
        return replace(value, **{field.name: _sealed(getattr(value, field.name)) for field in fields(value)})
    return value


def _key(plugin: Plugin) -> str:
    return f"{plugin.distribution}:{plugin.name}"


def _describe(entry: EntryPoint, error: str = "") -> Plugin:
    distribution = entry.dist
    return Plugin(
        name=entry.name,
        distribution=distribution.name if distribution else "unknown",
        version=distribution.version if distribution else "?",
        module=entry.value,
        error=error,
    )


def load_plugins(extra: Iterable[tuple[str, ModuleType | type | object]] = ()) -> Plugins:
    """Find every installed plugin and gather its components.

    extra: (name, module) pairs registered beside the installed ones, for tests and notebooks.
    A plugin that fails to import, misspells a hook, or offers what is no component is kept with its error, and none of
    its hooks is called; one of `extra` raises PluginError instead. Raises PluginError where two plugins offer one
    (kind, name).
    """
    manager = pluggy.PluginManager("yoorec")
    manager.add_hookspecs(hookspecs)
    plugins: list[Plugin] = []
    offers: dict[tuple[Kind, str], Offer] = {}
    packages: list[str] = []

    def add(plugin: Plugin, module: Any) -> None:
        specs, offered = _offered(manager, plugin, module)
        for spec in specs:
            taken = offers.get((spec.kind, spec.name))
            if taken is not None:
                raise PluginError(
                    f"{spec.kind} '{spec.name}' is offered by both {taken.plugin} and {plugin}: uninstall one of them"
                )
            offers[spec.kind, spec.name] = Offer(spec, plugin)
        packages.extend(offered)
        plugins.append(plugin)

    for entry in sorted(entry_points(group=GROUP), key=lambda entry: (entry.name, entry.value)):
        try:
            module = entry.load()
        except (Exception, SystemExit) as error:  # noqa: BLE001 - a stranger's import may raise anything
            plugins.append(_describe(entry, error=f"{type(error).__name__}: {error}"))
            continue
        try:
            add(_describe(entry), module)
        except _BrokenPluginError as error:
            plugins.append(_describe(entry, error=str(error)))
    for name, module in extra:
        plugin = Plugin(name, "local", "0", getattr(module, "__name__", name))
        try:
            add(plugin, module)
        except _BrokenPluginError as error:
            raise PluginError(f"{plugin}: {error}") from error
    return Plugins(manager, plugins, list(offers.values()), packages)


class _BrokenPluginError(Exception):
    """One plugin's own fault; says what is wrong, the caller says whose it is."""


def _offered(manager: pluggy.PluginManager, plugin: Plugin, module: Any) -> tuple[list[ComponentSpec], list[str]]:
    """Register a plugin and ask what it offers; a broken one is left unregistered. Raises _BrokenPluginError."""
    key = _key(plugin)
    try:
        manager.register(module, name=key)
        manager.check_pending()
        _check_marked(manager, module)
        return _specs(manager, module), _config_packages(manager, module)
    except (_BrokenPluginError, pluggy.PluginValidationError, ValueError) as error:
        if manager.get_plugin(key) is module:
            manager.unregister(name=key)
        if isinstance(error, _BrokenPluginError):
            raise
        raise _BrokenPluginError(" ".join(str(error).split())) from error


def _check_marked(manager: pluggy.PluginManager, module: Any) -> None:
    """A function named like a hook but not marked would be passed over in silence, and so would an empty plugin."""
    known = [name for name in vars(hookspecs) if name.startswith("yoorec_")]
    for name in known:
        if callable(getattr(module, name, None)) and not hasattr(getattr(module, name), "yoorec_impl"):
            raise _BrokenPluginError(f"{name} is not marked @hookimpl")
    if not manager.get_hookcallers(module):
        raise _BrokenPluginError(f"implements none of the hooks; accepted: {', '.join(sorted(known))}")


def _results(manager: pluggy.PluginManager, module: Any, hook: str) -> list[Any]:
    """What one plugin's implementation of a hook gives; nothing where it has none."""
    for implementation in getattr(manager.hook, hook).get_hookimpls():
        if implementation.plugin is module:
            try:
                return list(implementation.function())
            except Exception as error:
                raise _BrokenPluginError(f"{hook} failed: {type(error).__name__}: {error}") from error
    return []


def _specs(manager: pluggy.PluginManager, module: Any) -> list[ComponentSpec]:
    found: dict[tuple[Kind, str], ComponentSpec] = {}
    for spec in _results(manager, module, "yoorec_components"):
        if not isinstance(spec, ComponentSpec) or spec.kind not in KINDS:
            raise _BrokenPluginError(f"offers {spec!r}, which is no ComponentSpec of kind {', '.join(KINDS)}")
        if not is_dataclass(spec.config):
            raise _BrokenPluginError(f"{spec.kind} '{spec.name}': the config {spec.config!r} is no dataclass")
        if (spec.kind, spec.name) in found:
            raise _BrokenPluginError(f"offers {spec.kind} '{spec.name}' twice")
        found[spec.kind, spec.name] = spec
    return list(found.values())


def _config_packages(manager: pluggy.PluginManager, module: Any) -> list[str]:
    found = _results(manager, module, "yoorec_config_packages")
    for package in found:
        try:
            missing = importlib.util.find_spec(package) is None
        except ImportError:
            missing = True
        if missing:
            raise _BrokenPluginError(f"offers the config package '{package}', which can't be found")
    return found
