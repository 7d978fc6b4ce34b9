"""The generated tables of scenarios/README.md: every key of a scenario, for the components that ship.

``python -m yoorec.config.keys scenarios/README.md`` writes them anew between the markers.
"""

from __future__ import annotations

import dataclasses
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from yoorec.components import Kind
from yoorec.config.describe import describe, fields_of
from yoorec.config.docs import field_docs, summary
from yoorec.config.framework import KIND_WORDS, SECTIONS, SETTINGS, SceneKeys
from yoorec.config.show import flow
from yoorec.config.walk import dump
from yoorec.plugins import Offer, Plugins, load_plugins

__all__ = ["BEGIN", "END", "component_keys", "config_table", "render_keys", "shipped", "update_readme"]

BEGIN, END = "<!-- keys:begin -->", "<!-- keys:end -->"
_PLACES: dict[Kind, str] = {
    "source": "data",
    "profile": "profile",
    "trigger": "triggers.<name>",
    "merge": "merge",
    "ranker": "ranker",
    "exposure": "exposure.<id>",
}


def _cell(text: str) -> str:
    return text.replace("``", "`").replace("|", "\\|").replace("\n", " ")


def _rows(config: type) -> Iterator[tuple[str, str, str, str]]:
    texts = field_docs(config)
    for key, (_, annotation, default) in fields_of(config).items():
        shown = "required" if default is dataclasses.MISSING else f"`{flow(dump(annotation, default))}`"
        yield f"`{key}`", describe(annotation), shown, texts.get(key, "")


def _table(config: type) -> Iterator[str]:
    rows = list(_rows(config))
    if not rows:
        yield "No keys of its own."
        return
    yield "| key | accepts | default | meaning |"
    yield "|---|---|---|---|"
    for row in rows:
        yield "| " + " | ".join(_cell(cell) for cell in row) + " |"


def config_table(config: type) -> str:
    """Markdown: the keys of one config."""
    return "\n".join(_table(config)) + "\n"


def shipped(offer: Offer) -> bool:
    """Whether a component comes from the core or from a package that ships beside it."""
    return offer.plugin.distribution == "yoorec" or offer.plugin.distribution.startswith("yoorec-")


def render_keys(plugins: Plugins, keep: Callable[[Offer], bool] = shipped) -> str:
    """Markdown tables of every key: the framework's, then those of each component that is kept, by kind and name."""
    lines: list[str] = ["### At the top", "", *_table(SceneKeys)]
    for kind, config in SECTIONS.items():
        place, word = _PLACES[kind], KIND_WORDS.get(kind, kind)
        lines += ["", f"### `{place}`", "", f"Keys of every {word}:", "", *_table(config)]
        for offer in plugins:
            if offer.spec.kind == kind and keep(offer):
                spec, by = offer.spec, offer.plugin.distribution
                said = (spec.summary or summary(spec.config)).rstrip(".")
                lines += ["", f"#### {word} `{spec.name}` ({by})", "", f"{said[:1].upper()}{said[1:]}.", ""]
                lines += list(_table(spec.config))
    for key, config in SETTINGS.items():
        lines += ["", f"### `{key}`", "", summary(config), "", *_table(config)]
    metrics = [offer.spec for offer in plugins if offer.spec.kind == "metric" and keep(offer)]
    if metrics:
        lines += [
            "",
            "### Metrics",
            "",
            "Each with its cutoff, as in `ndcg@10`.",
            "",
            "| metric | what it is |",
            "|---|---|",
        ]
        lines += [f"| `{spec.name}` | {_cell(spec.summary)} |" for spec in metrics]
    return "\n".join(lines) + "\n"


def component_keys(plugins: Plugins, distribution: str) -> str:
    """Markdown tables of the keys of one package's components, each under its name where it offers several."""
    offers = [offer for offer in plugins if offer.plugin.distribution == distribution]
    lines: list[str] = []
    for offer in offers:
        if len(offers) > 1:
            lines += [*([""] if lines else []), f"### {offer.spec.kind} `{offer.spec.name}`", ""]
        lines += list(_table(offer.spec.config))
    return "\n".join(lines) + "\n"


def update_readme(text: str, plugins: Plugins) -> str:
    """The README with its tables written anew. Raises ValueError where a marker is missing."""
    before, begin, rest = text.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise ValueError(f"the README must hold {BEGIN} and {END}, in this order")
    return f"{before}{BEGIN}\n\n{render_keys(plugins)}\n{END}{after}"


def main(arguments: list[Any]) -> None:
    """Write the tables of the README named on the command line."""
    path = Path(arguments[0])
    path.write_text(update_readme(path.read_text(encoding="utf-8"), load_plugins()), encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1:])
