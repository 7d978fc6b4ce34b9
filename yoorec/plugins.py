"""Discovery: entry points of group `yoorec`, loaded one at a time, and the catalogue of components they offer."""

from __future__ import annotations

import importlib.util
import logging
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from importlib.metadata import EntryPoint, entry_points
from types import ModuleType
from typing import Any

import pluggy

from yoorec import hookspecs
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

    def __init__(self, manager: pluggy.PluginManager, plugins: Sequence[Plugin], offers: Sequence[Offer]) -> None:
        self.manager = manager
        self.plugins = tuple(sorted(plugins, key=lambda plugin: (plugin.name, plugin.distribution)))
        self._offers = {(offer.spec.kind, offer.spec.name): offer for offer in offers}

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
        """What to try for a component that is not there: the failed plugin's error, or an install command."""
        distribution = KNOWN.get((kind, name), "")
        for plugin in self.failures:
            if name == plugin.name or (distribution and distribution == plugin.distribution):
                return f"{plugin} is installed but can't be imported: {plugin.error}"
        if distribution:
            return f"pip install {distribution}"
        return ""

    def nearest(self, kind: Kind, name: str) -> str | None:
        """The name of this kind most like `name`."""
        return nearest(name, self.names(kind))

    def config_packages(self) -> tuple[str, ...]:
        """Packages of YAML files that plugins offer, sorted by plugin name."""
        found: list[str] = []
        for plugin in self.plugins:
            module = self.manager.get_plugin(_key(plugin))
            offer = getattr(module, "yoorec_config_packages", None)
            for package in offer() if offer else ():
                if importlib.util.find_spec(package) is None:
                    raise PluginError(f"{plugin} offers the config package '{package}', which can't be found")
                found.append(package)
        return tuple(found)

    def observe(self, hook: str, **arguments: Any) -> None:
        """Call an observer hook; an error is logged under its plugin's name and goes no further."""
        for implementation in getattr(self.manager.hook, hook).get_hookimpls():
            wanted = {name: arguments[name] for name in implementation.argnames}
            try:
                implementation.function(**wanted)
            except Exception:  # noqa: BLE001 - an observer must not break the request it watches
                _log.exception("%s failed in %s", hook, implementation.plugin_name)


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
    Raises PluginError where two plugins offer one (kind, name), where an offer is no ComponentSpec, or where a
    hook is misspelt; a plugin that fails to import is kept with its error instead.
    """
    manager = pluggy.PluginManager("yoorec")
    manager.add_hookspecs(hookspecs)
    plugins: list[Plugin] = []
    modules: list[tuple[Plugin, Any]] = []
    for entry in sorted(entry_points(group=GROUP), key=lambda entry: (entry.name, entry.value)):
        try:
            module = entry.load()
        except Exception as error:  # noqa: BLE001 - a stranger's import may raise anything
            plugins.append(_describe(entry, error=f"{type(error).__name__}: {error}"))
            continue
        modules.append((_describe(entry), module))
    for name, module in extra:
        modules.append((Plugin(name, "local", "0", getattr(module, "__name__", name)), module))
    offers: dict[tuple[Kind, str], Offer] = {}
    for plugin, module in modules:
        try:
            manager.register(module, name=_key(plugin))
            manager.check_pending()
        except (pluggy.PluginValidationError, ValueError) as error:
            raise PluginError(f"{plugin}: {error}") from error
        plugins.append(plugin)
        implementation = getattr(module, "yoorec_components", None)
        for spec in implementation() if implementation else ():
            if not isinstance(spec, ComponentSpec) or spec.kind not in KINDS:
                raise PluginError(f"{plugin} offers {spec!r}, which is no ComponentSpec of kind {', '.join(KINDS)}")
            taken = offers.get((spec.kind, spec.name))
            if taken is not None:
                raise PluginError(
                    f"{spec.kind} '{spec.name}' is offered by both {taken.plugin} and {plugin}: uninstall one of them"
                )
            offers[spec.kind, spec.name] = Offer(spec, plugin)
    return Plugins(manager, plugins, list(offers.values()))
