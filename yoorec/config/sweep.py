"""Sweeps: ``a=1,2,3`` and ``range(...)`` through Hydra's sweeper and launcher, results by file.

Hydra sweeps over a small config of its own, in which the n-th swept override is a flat key ``o<n>``; each job puts its
values back into the scenario's overrides. So group choices and exposure ids sweep like anything else, and any installed
sweeper or launcher (``hydra/launcher=joblib``) serves. Nothing is written but below `out`.
"""

from __future__ import annotations

import itertools
import json
import shutil
import tempfile
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import yaml  # type: ignore[import-untyped]
from hydra import version
from hydra._internal.config_loader_impl import ConfigLoaderImpl
from hydra._internal.config_search_path_impl import ConfigSearchPathImpl
from hydra._internal.hydra import Hydra
from hydra.core.hydra_config import HydraConfig
from hydra.core.override_parser.types import Glob, Override
from hydra.core.plugins import Plugins as HydraPlugins
from hydra.errors import HydraException
from hydra.plugins.search_path_plugin import SearchPathPlugin

from yoorec.config.compose import load_scenario
from yoorec.config.library import Library, find_scenario, search_path
from yoorec.config.overrides import Setting, parse_override
from yoorec.errors import ConfigError, Problem, YoorecError
from yoorec.plugins import Plugins, load_plugins

__all__ = ["SweepJob", "Task", "sweep"]

Task = Callable[[str, tuple[str, ...], Path], Any]
"""(scenario, overrides, folder) -> anything JSON can hold; a module's own function, so that launchers can send it."""

_RESULT = "job.json"
_CHECKED = 500
_lock = threading.Lock()


@dataclass(frozen=True, slots=True)
class SweepJob:
    """One run of a sweep.

    overrides: the scenario's, with this run's values. changed: only those that the sweep varies.
    folder: what the task was given to write to. result: what it returned. error: why it was refused, else "".
    """

    number: int
    overrides: tuple[str, ...]
    changed: tuple[str, ...]
    folder: Path
    result: Any = None
    error: str = ""


@dataclass(slots=True)
class _Plan:
    """The overrides told apart: the fixed ones and the swept ones in their places, and Hydra's own."""

    template: list[str | int] = field(default_factory=list)
    keys: list[str] = field(default_factory=list)
    swept: list[Override] = field(default_factory=list)
    values: list[str] = field(default_factory=list)
    hydra: list[str] = field(default_factory=list)


def _plan(overrides: Sequence[str], library: Library) -> _Plan:
    plan, problems = _Plan(), []
    for text in overrides:
        override = parse_override(text, Setting())
        if isinstance(override, Problem):
            problems.append(override)
        elif override.is_hydra_override():
            plan.hydra.append(text)
        elif not override.is_sweep_override():
            plan.template.append(text)
        else:
            plan.template.append(len(plan.keys))
            plan.keys.append(override.get_key_element())
            plan.swept.append(override)
            plan.values.append(_spread(override, library))
    if problems:
        raise ConfigError(tuple(problems))
    return plan


def _spread(override: Override, library: Library) -> str:
    """The swept values as Hydra's sweeper reads them; a glob becomes the group's options."""
    pattern: Any = override._value
    if not isinstance(pattern, Glob):
        return str(override.get_value_string())
    options = library.get_group_options(override.key_or_group)
    found = pattern.filter(options)
    if not found:
        key = override.get_key_element()
        text = override.get_value_string()
        raise ConfigError((Problem("command line", key, f"'{text}' matches nothing", ", ".join(options)),))
    return f"choice({','.join(found)})"


def _filled(template: Sequence[str | int], keys: Sequence[str], values: Sequence[str]) -> tuple[str, ...]:
    return tuple(each if isinstance(each, str) else f"{keys[each]}={values[each]}" for each in template)


def _check(path: str, plan: _Plan, plugins: Plugins) -> None:
    """Validate every run before the first one starts, where the sweeper's runs are known beforehand."""
    if any(text.lstrip("+").startswith("hydra/sweeper") for text in plan.hydra):
        return
    intervals = [each for each in plan.swept if not each.is_discrete_sweep()]
    if intervals:
        raise ConfigError(
            tuple(
                Problem(
                    "command line",
                    each.get_key_element(),
                    f"'{each.get_value_string()}' can't be counted out",
                    "values such as 1,2,3, choice(...) or range(...), or a sweeper that draws from intervals",
                    hint="hydra/sweeper=NAME",
                )
                for each in intervals
            )
        )
    choices = [
        [value.partition("=")[2] for value in _texts(f"o{number}={text}")] for number, text in enumerate(plan.values)
    ]
    problems: dict[Problem, None] = {}
    for values in itertools.islice(itertools.product(*choices), _CHECKED):
        try:
            load_scenario(path, _filled(plan.template, plan.keys, values), plugins)
        except ConfigError as error:
            problems.update(dict.fromkeys(error.problems))
    if problems:
        raise ConfigError(tuple(problems))


def _texts(text: str) -> list[str]:
    override = parse_override(text, Setting())
    assert isinstance(override, Override)
    return [f"{override.get_key_element()}={value}" for value in override.sweep_string_iterator()]


def _job(config: Any, *, task: Task, path: str, template: list[str | int], keys: list[str], out: str) -> Any:
    """What Hydra's launcher runs, perhaps in another process: one task, its outcome written to a file."""
    hydra = HydraConfig.get()
    given = dict(text.lstrip("+").split("=", 1) for text in hydra.overrides.task)
    values = [given[f"o{number}"] for number in range(len(keys))]
    overrides = _filled(template, keys, values)
    number = int(hydra.job.num)
    folder = Path(out) / str(number)
    folder.mkdir(parents=True, exist_ok=True)
    result, error = None, ""
    try:
        result = task(path, overrides, folder)
    except YoorecError as refused:
        error = str(refused)
    changed = [f"{key}={value}" for key, value in zip(keys, values, strict=True)]
    record = {"number": number, "overrides": overrides, "changed": changed, "result": result, "error": error}
    (folder / _RESULT).write_text(json.dumps(record, indent=2) + "\n", encoding="utf-8")
    return result if isinstance(result, (int, float)) else None


def sweep(
    path_or_name: str | Path, overrides: Sequence[str], task: Task, out: Path, plugins: Plugins | None = None
) -> list[SweepJob]:
    """Run `task` once for each combination of the swept values; jobs come by number, the last override varying fastest.

    overrides: as for one run, any of them swept (``a=1,2,3``, ``choice(...)``, ``range(...)``, ``data=glob(*)``), in
    any order with Hydra's own (``hydra/launcher=...``, ``hydra.sweeper.max_batch_size=...``).
    task: called as task(scenario, overrides, out/<number>); what it returns goes through ``out/<number>/job.json``. A
    YoorecError that it raises ends only its own job and stands in `SweepJob.error`; any other ends the sweep.
    Raises ConfigError before the first job where an override can't be read or a combination doesn't validate.
    """
    plugins = load_plugins() if plugins is None else plugins
    path = find_scenario(path_or_name)
    plan = _plan(overrides, Library(path, search_path(path, plugins)))
    _check(str(path), plan, plugins)
    out = Path(out).absolute()
    out.mkdir(parents=True, exist_ok=True)
    stale = {each.parent for each in out.glob(f"*/{_RESULT}")}
    for folder in stale:
        (folder / _RESULT).unlink()
    aside = Path(tempfile.mkdtemp(prefix=".sweep-", dir=out))
    job = partial(_job, task=task, path=str(path_or_name), template=plan.template, keys=plan.keys, out=str(out))
    try:
        swept = [f"o{number}={text}" for number, text in enumerate(plan.values)]
        _run(aside, len(plan.keys), [*plan.hydra, *swept], job)
    finally:
        shutil.rmtree(aside, ignore_errors=True)
    return sorted((_read(each) for each in out.glob(f"*/{_RESULT}")), key=lambda each: each.number)


def _run(aside: Path, swept: int, overrides: list[str], job: Callable[[Any], Any]) -> None:
    config = {
        "defaults": ["_self_", {"override hydra/hydra_logging": "none"}, {"override hydra/job_logging": "none"}],
        # Hydra's own folders go aside: `out` holds only what the tasks write and their outcomes.
        "hydra": {
            "sweep": {"dir": str(aside / "runs"), "subdir": "${hydra.job.num}"},
            "output_subdir": None,
            "job": {"chdir": False},
        },
        **{f"o{number}": None for number in range(swept)},
    }
    (aside / "sweep.yaml").write_text(yaml.safe_dump(config, sort_keys=False), encoding="utf-8")
    places = ConfigSearchPathImpl()
    places.append("hydra", "pkg://hydra.conf")
    places.append("main", f"file://{aside}")
    for plugin in HydraPlugins.instance().discover(SearchPathPlugin):
        plugin().manipulate_search_path(places)  # type: ignore[attr-defined]
    places.append("schema", "structured://")
    with _lock:
        base = version.VersionBase.instance()
        before = base.version_base
        try:
            version.setbase("1.3")
            runner = Hydra(task_name="sweep", config_loader=ConfigLoaderImpl(places))
            runner.multirun("sweep", job, overrides, with_log_configuration=False)
        except HydraException as error:
            said = " ".join(str(error).split())
            raise ConfigError((Problem("command line", "-m", f"Hydra can't run this sweep: {said}"),)) from error
        finally:
            base.version_base = before


def _read(path: Path) -> SweepJob:
    record = json.loads(path.read_text(encoding="utf-8"))
    return SweepJob(
        record["number"],
        tuple(record["overrides"]),
        tuple(record["changed"]),
        path.parent,
        record["result"],
        record["error"],
    )
