"""The search path: where config files are looked for, read strictly and handed to Hydra's defaults list.

Order: the scenario's folder, its sibling ``conf/``, the plugins' ``conf`` packages, the core's. Hydra takes the first
file that matches and hides the rest; here a second match is an error.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hydra._internal.config_repository import ConfigRepository
from hydra.core.object_type import ObjectType
from hydra.plugins.config_source import ConfigResult
from omegaconf import OmegaConf

from yoorec.config.strict_yaml import Document, read_yaml
from yoorec.errors import ConfigError, Problem, nearest
from yoorec.plugins import Plugins

__all__ = ["Library", "Place", "core_folder", "find_scenario", "search_path", "shipped_scenarios", "spell"]

_PACKAGE = Path(__file__).resolve().parent.parent


def spell(path: Path) -> str:
    """How a message names a file: relative to the working directory where it lies below it."""
    try:
        return path.relative_to(Path.cwd()).as_posix()
    except ValueError:
        return path.as_posix()


def core_folder(name: str) -> Path:
    """``conf`` or ``scenarios`` as they travel inside the wheel, else beside the package in the checkout."""
    packed = _PACKAGE / name
    return packed if packed.is_dir() else _PACKAGE.parent / name


def shipped_scenarios() -> dict[str, Path]:
    """Name to file of the sample scenarios, sorted by name."""
    return {path.stem: path for path in sorted(core_folder("scenarios").glob("*.yaml"))}


def find_scenario(path_or_name: str | Path) -> Path:
    """The file of a scenario given by path, or by the bare name of a shipped sample. Raises ConfigError."""
    text = str(path_or_name)
    shipped = shipped_scenarios()
    if text in shipped:
        return shipped[text]
    path = Path(text).expanduser()
    if path.is_file():
        return Path(path.absolute())
    if path.is_dir():
        inside = sorted(each.name for each in path.glob("*.yaml"))
        raise ConfigError((Problem(text, "", "is a folder, not a scenario", accepted=", ".join(inside)),))
    if "/" not in text and path.suffix not in {".yaml", ".yml"}:
        raise ConfigError(
            (
                Problem(
                    text,
                    "",
                    "no scenario of this name is shipped",
                    accepted=f"{', '.join(shipped)}, or a path such as scenarios/{text}.yaml",
                    nearest=nearest(text, shipped),
                ),
            )
        )
    folder = path.parent
    beside = sorted(each.name for each in folder.glob("*.yaml")) if folder.is_dir() else []
    close = nearest(path.name, beside)
    raise ConfigError(
        (
            Problem(
                text,
                "",
                "there is no such file",
                accepted=", ".join(beside),
                nearest=None if close is None else (folder / close).as_posix(),
            ),
        )
    )


@dataclass(frozen=True, slots=True)
class Place:
    """One folder of the search path. own: it is the user's, so paths in its files are relative to them."""

    folder: Path
    own: bool


def _package_folder(package: str) -> Path:
    found = importlib.util.find_spec(package)
    locations = list(found.submodule_search_locations or ()) if found else []
    if not locations:
        raise ConfigError((Problem("", package, "is offered as a config package, but is no package"),))
    return Path(locations[0])


def search_path(scenario: Path, plugins: Plugins) -> tuple[Place, ...]:
    """The folders in which a scenario's configs are looked for, in order, each once."""
    core = core_folder("conf").resolve()
    packed = [_package_folder(package).resolve() for package in plugins.config_packages()]
    folder = scenario.parent.resolve()
    candidates = [folder, folder.parent / "conf", *packed, core]
    places: dict[Path, Place] = {}
    for candidate in candidates:
        if candidate.is_dir() and candidate not in places:
            shipped = candidate == core or candidate in packed or candidate == _PACKAGE / "scenarios"
            places[candidate] = Place(candidate, own=not shipped)
    return tuple(places.values())


@dataclass(frozen=True, slots=True)
class Source:
    """A config file that was read."""

    file: Path
    place: Place
    document: Document


class Library(ConfigRepository):
    """Hydra's view of the search path. Problems are gathered instead of raised, so that all come out at once.

    A config that is not there is handed to Hydra as an empty one; the composer reports it against the file or override
    that asked for it.
    """

    def __init__(self, scenario: Path, places: Sequence[Place]) -> None:
        self.places = tuple(places)
        self.scenario = scenario
        self.primary = scenario.stem
        self.problems: list[Problem] = []
        self._sources: dict[str, Source | None] = {}
        self._results: dict[str, ConfigResult] = {}

    def source(self, name: str) -> Source | None:
        """The file behind a config's name such as ``data/demo``, read once; None where there is none."""
        if name not in self._sources:
            found = self._find(name)
            if len(found) > 1:
                where = " and ".join(spell(path) for path, _ in found)
                self.problems.append(
                    Problem(
                        spell(found[0][0]),
                        "",
                        f"'{name}' is in two places, and one would hide the other: {where}",
                        hint="rename or remove one of them",
                    )
                )
            if found:
                document, problems = read_yaml(found[0][0], spell(found[0][0]))
                self.problems.extend(problems)
                self._sources[name] = Source(*found[0], document)
            else:
                self._sources[name] = None
        return self._sources[name]

    def _find(self, name: str) -> list[tuple[Path, Place]]:
        found = [
            (place.folder / f"{name}.yaml", place) for place in self.places if (place.folder / f"{name}.yaml").is_file()
        ]
        if name == self.primary and self.scenario not in [path for path, _ in found]:
            own = self.places[0]
            found = [(self.scenario, own), *(each for each in found if each[0].resolve() != self.scenario.resolve())]
        return found

    def load_config(self, config_path: str) -> ConfigResult:
        """Hydra's hook: the defaults list of a config (its values stay with `source`)."""
        if config_path not in self._results:
            source = self.source(config_path)
            document = Document() if source is None else source.document
            raw = document.values.get("defaults")
            file = spell(source.file) if source else ""
            result = ConfigResult(
                provider="yoorec",
                path=file,
                config=OmegaConf.create({}),
                header={"package": None, **document.header},
            )
            result.defaults_list = self._defaults(config_path, file, raw)
            self._results[config_path] = result
        return self._results[config_path]

    def _defaults(self, config_path: str, file: str, raw: Any) -> list[Any]:
        if raw is None:
            return []
        accepted = "a list such as [yoorec/base, {data: demo}, _self_]"
        if not isinstance(raw, list):
            self.problems.append(Problem(file, "defaults", "is not a list", accepted=accepted))
            return []
        try:
            entries: list[Any] = self._create_defaults_list(config_path, OmegaConf.create(raw))
        except Exception as error:  # noqa: BLE001 - Hydra raises ValueError, OmegaConf its own; both mean the file
            said = str(error).strip().splitlines()[0]
            self.problems.append(Problem(file, "defaults", f"can't be read: {said}", accepted=accepted))
            return []
        return entries

    def group_exists(self, config_path: str) -> bool:
        """Whether any place has a folder of this name with YAML files in it."""
        return any(next((place.folder / config_path).glob("*.yaml"), None) for place in self.places if config_path)

    def config_exists(self, config_path: str) -> bool:
        """Hydra's hook: always true, since a missing config is reported by the composer, not by Hydra."""
        return True

    def get_group_options(self, group_name: str, results_filter: ObjectType | None = ObjectType.CONFIG) -> list[str]:
        """Names of the configs of a group, sorted."""
        return sorted({path.stem for place in self.places for path in (place.folder / group_name).glob("*.yaml")})

    def groups(self) -> list[str]:
        """Names of the groups one level deep, sorted, for the nearest match."""
        return sorted(
            {path.parent.name for place in self.places for path in place.folder.glob("*/*.yaml") if path.is_file()}
        )
