# ruff: noqa: E501 - table rows stand here as they are printed
"""Generated documentation agrees with the code."""

from __future__ import annotations

from pathlib import Path

import pytest

from yoorec.config.describe import describe, plain_key
from yoorec.config.docs import field_docs, summary
from yoorec.config.framework import SECTIONS, SETTINGS, ProfileKeys, SceneKeys
from yoorec.config.keys import BEGIN, END, render_keys, shipped, update_readme
from yoorec.plugins import load_plugins

ROOT = Path(__file__).resolve().parents[2]


def test_readme_holds_the_tables_of_the_installed_components():
    text = (ROOT / "scenarios/README.md").read_text(encoding="utf-8")
    assert update_readme(text, load_plugins()) == text, "run: python -m yoorec.config.keys scenarios/README.md"


def test_every_key_that_ships_is_explained():
    configs = [offer.spec.config for offer in load_plugins() if shipped(offer)]
    missing = [
        f"{config.__qualname__}.{key}"
        for config in (*configs, SceneKeys, *SECTIONS.values(), *SETTINGS.values())
        for key in config.__dataclass_fields__
        if plain_key(key) not in field_docs(config)
    ]
    assert missing == []


@pytest.mark.parametrize(
    "line",
    [
        "| `slate` | a whole number, at least 1 | required | Items of a list, unless a request asks for another number. |",
        "#### trigger `coplay` (local)",
        "| `half_life` | a duration such as 90s, 30m, 12h or 7d; or null | `10m` | Gap at which a pair counts half; null: no decay. |",
        "| `share` | a mapping of trigger names to numbers, above 0, at most 1 | `{}` | Share of the places by trigger. |",
        "| `from` | a trigger's name | required | Trigger that fills. |",
        "| `bound` | wilson, mean | `wilson` | How quality is bounded. |",
        "| `path` | a path | required | The file. |",
        "| `more` | a list of paths | `[]` | Further files. |",
        "A made-up world.",
        "| `truth` | next, rest | `next` | What counts as right: the next play, or all the rest of the session. |",
    ],
)
def test_tables_say_what_is_accepted(plugins, line):
    assert line in render_keys(plugins, lambda offer: True).splitlines()


def test_a_strangers_components_stay_out(plugins):
    assert "coplay" not in render_keys(plugins)


def test_markers_are_needed(plugins):
    with pytest.raises(ValueError, match="keys:begin"):
        update_readme("no markers", plugins)
    written = update_readme(f"before {BEGIN} old {END} after", plugins)
    assert written.startswith(f"before {BEGIN}\n\n### At the top")
    assert written.endswith(f"{END} after")


def test_field_docs_are_joined_to_one_line_and_inherited():
    assert field_docs(ProfileKeys)["use"] == "The store's component."
    assert summary(ProfileKeys) == "Of every profile store."


def test_description_of_unions_and_limits():
    assert describe(int | None) == "a whole number or null"
    assert describe(tuple[int, ...]) == "a list of whole numbers"
