"""The generated tables of the guides: hooks and components, between markers, as the code says them.

``python -m yoorec.docs README.md plugins/README.md`` writes each file's tables anew; a test compares them.
"""

from __future__ import annotations

import inspect
import re
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from yoorec import hookspecs
from yoorec.config.keys import component_keys, config_table, render_keys
from yoorec.features.config import Feature
from yoorec.features.names import TABLES as NAMES
from yoorec.plugins import Plugins, load_plugins

__all__ = [
    "TABLES",
    "components_table",
    "features_table",
    "hook_facts",
    "hooks",
    "hooks_table",
    "replace_between",
    "update",
]

_FACT = re.compile(r"^(Called|Arguments|Returns|Errors): (.*)$")


def hooks() -> dict[str, Callable[..., Any]]:
    """Every hook specification by name, in the file's order."""
    return {name: value for name, value in vars(hookspecs).items() if hasattr(value, "yoorec_spec")}


def hook_facts(hook: Callable[..., Any]) -> dict[str, str]:
    """What a hook's docstring says: ``summary``, and its Called, Arguments, Returns and Errors as one line each."""
    lines = (inspect.getdoc(hook) or "").splitlines()
    facts, current = {"summary": lines[0] if lines else ""}, ""
    for line in lines[1:]:
        match = _FACT.match(line)
        if match:
            current = match[1]
            facts[current] = match[2]
        elif current and line.strip():
            facts[current] += " " + line.strip()
    return facts


def _cell(text: str) -> str:
    return text.replace("``", "`").replace("|", "\\|").replace("<", "&lt;")


def _table(heads: tuple[str, ...], rows: Iterator[tuple[str, ...]]) -> str:
    lines = [heads, ("---",) * len(heads), *rows]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def hooks_table() -> str:
    """Markdown: each hook with its arguments, what it is for, when it is called, and what becomes of an error."""
    rows = []
    for name, hook in hooks().items():
        facts = hook_facts(hook)
        arguments = ", ".join(inspect.signature(hook).parameters)
        rows.append((f"`{name}({arguments})`", *(_cell(facts.get(key, "")) for key in ("summary", "Called", "Errors"))))
    return _table(("hook", "what for", "called", "an error"), iter(rows))


def components_table(plugins: Plugins) -> str:
    """Markdown: every component of the packages that ship with yoorec, by kind."""
    rows = [
        (offer.spec.kind, f"`{offer.spec.name}`", offer.plugin.distribution, _cell(offer.spec.summary))
        for offer in plugins
        if offer.plugin.distribution == "yoorec" or offer.plugin.distribution.startswith("yoorec-")
    ]
    return _table(("kind", "name", "package", "what it does"), iter(rows))


def features_table() -> str:
    """Markdown: the names that features may look at, and the keys of a feature."""
    rows = ((f"`{table}.`", _cell(words), _cell(meaning)) for table, (words, meaning) in NAMES.items())
    return f"{_table(('name', 'behind the dot', 'what it is'), rows)}\n{config_table(Feature)}"


TABLES: Mapping[str, Callable[[Plugins], str]] = {
    "features": lambda plugins: features_table(),
    "hooks": lambda plugins: hooks_table(),
    "components": components_table,
    "keys": render_keys,
}
"""Marker name to what renders the table: ``<!-- hooks:begin -->`` ... ``<!-- hooks:end -->``."""


def replace_between(text: str, name: str, table: str) -> str:
    """The text with `table` between the markers of `name`. Raises ValueError unless both stand there once, in order."""
    begin, end = f"<!-- {name}:begin -->", f"<!-- {name}:end -->"
    if text.count(begin) != 1 or text.count(end) != 1 or text.index(begin) > text.index(end):
        raise ValueError(f"the text must hold {begin} and {end}, once each and in this order")
    before, rest = text.split(begin)
    return f"{before}{begin}\n\n{table.rstrip()}\n\n{end}{rest.split(end)[1]}"


def update(path: Path, plugins: Plugins) -> str:
    """The guide's text with each of its tables written anew. Raises ValueError naming a marker that stands alone.

    In the README of a plugin's folder, `keys` are those of the components that the plugin offers.
    """
    text = path.read_text(encoding="utf-8")
    folder = path.resolve().parent.name
    for name, render in TABLES.items():
        if f"<!-- {name}:" in text:
            own = name == "keys" and any(offer.plugin.distribution == folder for offer in plugins)
            text = replace_between(text, name, component_keys(plugins, folder) if own else render(plugins))
    return text


def main(paths: list[str]) -> None:
    """Write the tables of the files named."""
    plugins = load_plugins()
    for path in map(Path, paths):
        path.write_text(update(path, plugins), encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1:])
