"""The command line: check, show, fit, replay, serve, parity, neighbors, judged, plugins, artifacts, new-plugin."""

from __future__ import annotations

import functools
import gc
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from yoorec import __version__
from yoorec.errors import ConfigError, YoorecError

if TYPE_CHECKING:
    from rich.console import Console

    from yoorec.artifacts.release import Release
    from yoorec.config.scenario import Scenario
    from yoorec.plugins import Plugins
    from yoorec.replay.report import Report

__all__ = ["main"]

_REFUSED, _DIFFERS, _GATE_FAILED = 2, 1, 3


class _Group(click.Group):
    """Shows the commands in the order in which one meets them, and prints yoorec's errors without a traceback."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(self.commands)

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except YoorecError as error:
            _explain(error)
            sys.exit(_REFUSED)


def _explain(error: YoorecError) -> None:
    console = _console(stderr=True)
    console.print(
        str(error),
        style="red" if console.is_terminal else None,
        highlight=False,
        markup=False,
        soft_wrap=True,
    )
    if isinstance(error, ConfigError) and len(error.problems) > 1:
        console.print(f"{len(error.problems)} problems", highlight=False)


def _console(stderr: bool = False) -> Console:
    from rich.console import Console

    return Console(stderr=stderr)


@contextmanager
def _progress(what: str) -> Iterator[Callable[..., None]]:
    """A progress bar on standard error, as a callable of the share done and a note; silent off a terminal."""
    from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

    console = _console(stderr=True)
    if not console.is_terminal:
        yield lambda *_, **__: None
        return
    columns = (
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(),
        TimeElapsedColumn(),
        TextColumn("[dim]{task.fields[note]}"),
    )
    with Progress(*columns, console=console, transient=True) as bar:
        task = bar.add_task(what, total=1.0, note="")

        def report(done: float = 0.0, note: str = "") -> None:
            bar.update(task, completed=min(max(done, 0.0), 1.0), note=note)

        yield report


def _scenario_arguments(command: Callable[..., Any]) -> Callable[..., Any]:
    """SCENARIO and the overrides after it, loaded with the installed plugins."""

    @click.argument("scenario", type=str)
    @click.argument("overrides", nargs=-1)
    @functools.wraps(command)
    def wrapped(scenario: str, overrides: tuple[str, ...], **options: Any) -> Any:
        from yoorec.config.compose import load_scenario
        from yoorec.plugins import load_plugins

        plugins = load_plugins()
        return command(load_scenario(scenario, overrides, plugins), plugins, **options)

    return wrapped


@click.group(cls=_Group, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="yoorec")
def main() -> None:
    """One YAML scenario that replays and serves a whole recommendation chain.

    \b
    yoorec check  scenarios/underlying_page.yaml
    yoorec replay scenarios/underlying_page.yaml triggers.itemcf.half_life=1h
    yoorec serve  scenarios/underlying_page.yaml
    """


@main.command()
@_scenario_arguments
@click.option("--data", is_flag=True, help="Read the data too, and see that it has the columns the parts ask for.")
def check(scenario: Scenario, plugins: Plugins, data: bool) -> None:
    """Compose and validate a scenario; without --data, touches no data.

    \b
    yoorec check scenarios/underlying_page.yaml slate=20
    yoorec check scenarios/underlying_page.yaml data.texts=plots.parquet --data
    """
    names = ", ".join(part.name for part in scenario.triggers)
    if data:
        _check_data(scenario)
    click.echo(f"{scenario.path}: scene '{scenario.scene}' is fine: triggers {names}; hash {scenario.hash}")


def _check_data(scenario: Scenario) -> None:
    """Read the data, see that it serves every part, and say what it holds and what of it can't be used."""
    from yoorec.assembly import check_parts
    from yoorec.data.dataset import read_dataset

    with _progress("data") as progress:
        dataset = read_dataset(scenario, progress=progress)
    log = dataset.log
    click.echo(f"  {len(log):,} events, {len(log.catalogue.items):,} items, {len(log.catalogue.users):,} users")
    for table, quality in dataset.quality.items():
        if quality.bad:
            click.echo(f"  {table}: {quality.bad} of {quality.read} rows can't be used, such as {quality.examples[0]}")
        for note in quality.notes:
            click.echo(f"  {table}: {note}")
    columns = log.catalogue.item_columns
    for name in columns.column_names:
        click.echo(f"  items.{name}: {columns[name].type}, {len(columns) - columns[name].null_count:,} values")
    check_parts(scenario, log.catalogue)


@main.command()
@click.argument("scenario", type=str)
@click.argument("overrides", nargs=-1)
@click.option("--origins", is_flag=True, help="Say which file or override set each key.")
@click.option("--schema", is_flag=True, help="Print the JSON Schema of a scenario under the installed plugins.")
def show(scenario: str, overrides: tuple[str, ...], origins: bool, schema: bool) -> None:
    """Print what a scenario composes to, defaults included.

    \b
    yoorec show scenarios/underlying_page.yaml --origins
    """
    from yoorec.config.compose import compose
    from yoorec.config.show import origin_rows, show_yaml
    from yoorec.plugins import load_plugins

    plugins = load_plugins()
    if schema:
        import json

        from yoorec.config.schema import scenario_schema

        click.echo(json.dumps(scenario_schema(plugins), indent=2))
        return
    composition = compose(scenario, overrides, plugins)
    if origins:
        rows = origin_rows(composition)
        width = max((len(f"{key}: {value}") for key, value, _ in rows), default=0)
        for key, value, origin in rows:
            click.echo(f"{f'{key}: {value}':<{min(width, 60)}}  {click.style(origin, dim=True)}")
    else:
        click.echo(show_yaml(composition), nl=False)


@main.command()
@_scenario_arguments
@click.option("--production", is_flag=True, help="Learn from the whole log, for launch.")
@click.option("--items-only", is_flag=True, help="Add new items to the current release; fit what needs no events.")
def fit(scenario: Scenario, plugins: Plugins, production: bool, items_only: bool) -> None:
    """Build what changed and make it the scene's current release.

    \b
    yoorec fit scenarios/underlying_page.yaml --production
    yoorec fit scenarios/underlying_page.yaml --items-only
    """
    from yoorec.fit import fit as build
    from yoorec.kernels import compiling_ahead

    if production and items_only:
        raise click.UsageError("--items-only keeps what was learned from events, and --production learns it again")
    with compiling_ahead([scenario]), _progress("fit") as progress:
        release = build(scenario, plugins, production=production, items_only=items_only, progress=progress)
    _print_release(release)


def _print_release(release: Release) -> None:
    for step in release.steps:
        word = click.style(f"fitted in {step.seconds:.2f} s", fg="green") if step.fitted else "unchanged"
        notes = ", ".join(f"{name} {value}" for name, value in step.notes.items())
        click.echo(f"  {step.slot:<24} {word:<20} {step.bytes:>13,} bytes  {notes}".rstrip())
    click.echo(
        f"scene '{release.scene}': release {release.version}, learned from events before {_day(release.replay_cut)}"
    )


def _day(time_ms: int) -> str:
    from datetime import UTC, datetime

    return datetime.fromtimestamp(time_ms / 1000, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")


@main.command()
@click.argument("scenario", type=str)
@click.argument("overrides", nargs=-1)
@click.option("-m", "--multirun", is_flag=True, help="Take a=1,2,3 as one replay for each value.")
@click.option("--out", type=click.Path(path_type=Path, file_okay=False), help="Write report.json and report.html here.")
@click.option("--requests", type=click.IntRange(min=1), help="Replay a seeded sample of so many requests.")
def replay(scenario: str, overrides: tuple[str, ...], multirun: bool, out: Path | None, requests: int | None) -> None:
    """Replay logged sessions through the whole chain and say what would happen at launch.

    Exits 3 where a gate of the scenario fails.

    \b
    yoorec replay scenarios/underlying_page.yaml triggers.itemcf.half_life=1h --out report
    yoorec replay scenarios/underlying_page.yaml -m triggers.itemcf.half_life=30m,2h,12h
    """
    if multirun:
        _sweep(scenario, overrides, out, requests)
        return
    report = _replay_once(scenario, overrides, out, requests)
    report.print(_console())
    if out is not None:
        click.echo(f"wrote {out / 'report.json'} and {out / 'report.html'}")
    if not report.passed:
        sys.exit(_GATE_FAILED)


def _replay_once(scenario: str, overrides: tuple[str, ...], out: Path | None, requests: int | None) -> Report:
    from yoorec.config.compose import load_scenario
    from yoorec.kernels import compiling_ahead
    from yoorec.plugins import load_plugins

    plugins = load_plugins()
    loaded = load_scenario(scenario, overrides, plugins)
    with compiling_ahead([loaded]), _progress("replay") as progress:
        from yoorec.replay.replay import replay as run  # in here, since it compiles kernels of its own

        report = run(loaded, plugins, requests=requests, progress=progress)
    if out is not None:
        report.write(out)
    return report


def _sweep(scenario: str, overrides: tuple[str, ...], out: Path | None, requests: int | None) -> None:
    import tempfile

    from yoorec.config.sweep import sweep
    from yoorec.replay.sweep import print_sweep, replay_job

    with tempfile.TemporaryDirectory() as aside:
        folder = out or Path(aside)
        jobs = sweep(scenario, overrides, functools.partial(replay_job, requests=requests), folder)
        print_sweep(jobs, _console())
    if out is not None:
        click.echo(f"wrote a report for each of {len(jobs)} runs under {out}")


@main.command()
@click.argument("arguments", nargs=-1, required=True, metavar="SCENARIO... [OVERRIDE]...")
@click.option("--port-file", type=click.Path(path_type=Path, dir_okay=False), help="Write the bound port here.")
def serve(arguments: tuple[str, ...], port_file: Path | None) -> None:
    """Serve one or more scenes; each from its current release, which is built first where there is none.

    \b
    yoorec serve scenarios/underlying_page.yaml serve.port=9000
    """
    started = time.perf_counter()
    # What is imported and loaded stays for good: collecting among it costs a tenth of the start, and more later.
    gc.disable()
    from yoorec.config.compose import load_scenario
    from yoorec.kernels import compiling_ahead
    from yoorec.plugins import load_plugins
    from yoorec.scene import open_current
    from yoorec.server.serve import serve as listen

    paths = [each for each in arguments if "=" not in each and not each.startswith("~")]
    overrides = [each for each in arguments if each not in paths]
    plugins = load_plugins()
    scenarios = [load_scenario(path, overrides, plugins) for path in paths]
    scenes = []
    with compiling_ahead(scenarios):
        for scenario in scenarios:
            with _progress(f"fit {scenario.scene}") as progress:
                scenes.append(open_current(scenario, plugins, progress=progress))
    gc.freeze()
    gc.enable()
    listen(scenes, port_file=port_file, started=started)


@main.command()
@_scenario_arguments
@click.option("--requests", type=click.IntRange(min=1), default=500, show_default=True, help="Logged requests to send.")
@click.option(
    "--concurrency",
    type=click.IntRange(min=1),
    default=8,
    show_default=True,
    help="Requests under way at once.",
)
def parity(scenario: Scenario, plugins: Plugins, requests: int, concurrency: int) -> None:
    """Compare the real server with replay, item for item and score bit for bit.

    Exits 1 at any difference or degraded answer, with both ledgers printed.

    \b
    yoorec parity scenarios/underlying_page.yaml --requests 500
    """
    from yoorec.parity import parity as compare

    with _progress("parity") as progress:
        report = compare(scenario, plugins, requests=requests, concurrency=concurrency, progress=progress)
    click.echo(str(report))
    if not report.passed:
        sys.exit(_DIFFERS)


@main.command()
@_scenario_arguments
@click.option(
    "--trigger", "triggers", multiple=True, required=True, help="Whose neighbours to judge; give it again for more."
)
@click.option("--out", type=click.Path(path_type=Path, file_okay=False), required=True, help="Write the page here.")
@click.option("--queries", type=click.IntRange(min=1), default=20, show_default=True, help="Items to draw.")
@click.option("--top", type=click.IntRange(min=1), default=10, show_default=True, help="Neighbours of each.")
@click.option("--item", "items", multiple=True, help="Ask about this item, by its id, instead of drawn ones.")
@click.option("--seed", type=click.IntRange(min=0), default=0, show_default=True, help="Of the draw.")
def neighbors(
    scenario: Scenario,
    plugins: Plugins,
    triggers: tuple[str, ...],
    out: Path,
    queries: int,
    top: int,
    items: tuple[str, ...],
    seed: int,
) -> None:
    """Write a page on which a person judges, by eye, what triggers hold to be like an item.

    Half of the items are drawn by their plays, half with all alike, among those for which every trigger finds
    something.

    \b
    yoorec neighbors scenarios/underlying_page.yaml --trigger item2vec --trigger itemcf --out judging
    """
    from yoorec.neighbors.judging import prepare

    with _progress("neighbors") as progress:
        judging = prepare(
            scenario, plugins, triggers, queries=queries, top=top, items=items, seed=seed, progress=progress
        )
    paths = judging.write(out)
    found = judging.neighbors
    for note in judging.notes:
        click.echo(click.style(f"  {note}", fg="yellow"))
    count = sum(len(query.pool()) for query in found.queries)
    click.echo(f"{len(found.queries)} items, {count:,} neighbours to judge; wrote {paths[0]} and {paths[1]}")


@main.command()
@click.argument("lists", metavar="NEIGHBORS.JSON", type=click.Path(path_type=Path))
@click.argument("marks", metavar="MARKS.JSON...", nargs=-1, required=True, type=click.Path(path_type=Path))
def judged(lists: Path, marks: tuple[Path, ...]) -> None:
    """Say how much of what triggers list is similar, by the marks of one judge or several.

    Prints precision with 95 % intervals, paired differences from the first trigger, and how far judges agree. What
    nobody judged is left out, and how far it could move the figure is told.

    \b
    yoorec judged judging/neighbors.json marks.json
    """
    from yoorec.neighbors.lists import Neighbors
    from yoorec.neighbors.marks import read_judges
    from yoorec.neighbors.precision import judge
    from yoorec.neighbors.table import render

    found = Neighbors.read(lists)
    judges = read_judges(found, marks)
    _console().print(render(found, judges, judge(found, judges)))


@main.command()
def plugins() -> None:
    """List installed plugins and the components they offer; one that can't be imported is listed with its error.

    \b
    yoorec plugins
    """
    from rich.table import Table

    from yoorec.plugins import load_plugins

    found = load_plugins()
    console = _console()
    table = Table(box=None, pad_edge=False, header_style="bold")
    for heading in ("kind", "name", "distribution", "what it does"):
        table.add_column(heading, overflow="fold")
    for offer in found:
        table.add_row(offer.spec.kind, offer.spec.name, str(offer.plugin), offer.spec.summary)
    console.print(table)
    for plugin in found.failures:
        console.print(f"{plugin}: can't be used: {plugin.error}", style="red", markup=False, soft_wrap=True)


@main.group(cls=_Group)
def artifacts() -> None:
    """List, verify and prune what fits left behind.

    \b
    yoorec artifacts list
    """


_store_option = click.option(
    "--store", type=click.Path(path_type=Path, file_okay=False), default=Path(".yoorec"), show_default=True
)


@artifacts.command("list")
@_store_option
def list_artifacts(store: Path) -> None:
    """List artifacts, newest first, and the scenes whose current release uses them.

    \b
    yoorec artifacts list --store .yoorec
    """
    from rich.table import Table

    from yoorec.artifacts.manifest import Manifest
    from yoorec.artifacts.store import Store

    found = Store(store)
    used = found.used()
    table = Table(box=None, pad_edge=False, header_style="bold")
    for heading in ("component", "fingerprint", "cut", "made", "bytes", "used by"):
        table.add_column(heading, justify="right" if heading == "bytes" else "left")
    folders = {folder: Manifest.read(folder) for folder in found.artifacts()}
    for folder, manifest in sorted(folders.items(), key=lambda pair: -pair[1].created):
        cut = "" if manifest.cut is None else _day(manifest.cut)
        made = _day(int(manifest.created * 1000))
        users = ", ".join(sorted(used.get(folder, ())))
        table.add_row(manifest.component, manifest.fingerprint, cut, made, f"{manifest.bytes:,}", users)
    _console().print(table if folders else f"{store}: no artifacts")


@artifacts.command("verify")
@_store_option
def verify_artifacts(store: Path) -> None:
    """Compare every file with its checksum; exits 1 naming each that differs.

    \b
    yoorec artifacts verify
    """
    from yoorec.artifacts.manifest import Manifest
    from yoorec.artifacts.store import Store
    from yoorec.errors import ArtifactError

    found = Store(store)
    damaged = checked = 0
    for folder in found.artifacts():
        checked += 1
        try:
            Manifest.read(folder).verify(folder)
        except ArtifactError as error:
            damaged += 1
            click.echo(click.style(str(error), fg="red"), err=True)
    for scene in found.scenes():
        try:
            release = found.current(scene)
            for name, slot in release.slots.items() if release else ():
                found.open(slot, name)
        except ArtifactError as error:
            damaged += 1
            click.echo(click.style(f"scene '{scene}': {error}", fg="red"), err=True)
    click.echo(f"{checked} artifacts, {damaged} problems")
    if damaged:
        sys.exit(_DIFFERS)


@artifacts.command("prune")
@_store_option
@click.option("--keep", default="0s", show_default=True, help="Leave what is younger than this, such as 7d.")
def prune_artifacts(store: Path, keep: str) -> None:
    """Remove artifacts that no current release uses.

    \b
    yoorec artifacts prune --keep 7d
    """
    from yoorec.artifacts.store import Store
    from yoorec.config.types import duration_ms

    try:
        keep_s = duration_ms(keep) / 1000
    except ValueError as error:
        raise click.BadParameter(str(error), param_hint="--keep") from error
    pruned = Store(store).prune(keep_s)
    click.echo(f"removed {len(pruned.folders)} artifacts, {pruned.bytes:,} bytes")


@main.command("new-plugin")
@click.argument("name")
@click.option("--folder", type=click.Path(path_type=Path, file_okay=False), default=Path(), help="Where to write it.")
def new_plugin(name: str, folder: Path) -> None:
    """Write a plugin package that passes its own tests at once.

    \b
    yoorec new-plugin trending --folder plugins
    """
    from yoorec.new_plugin import new_plugin as write

    written = write(name, folder=folder)
    click.echo(f"wrote {written}: `pip install -e {written}`, then `pytest {written}`")
