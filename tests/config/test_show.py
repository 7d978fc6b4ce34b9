"""What was composed, and who set each key."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from yoorec.config.compose import compose
from yoorec.config.library import core_folder
from yoorec.config.show import flow, origin_rows, show_yaml
from yoorec.config.strict_yaml import read_yaml


def _rows(project, *overrides, variant=None):
    rows = origin_rows(compose("scenarios/home.yaml", overrides, project.plugins, variant=variant))
    return {key: (value, origin) for key, value, origin in rows}


def test_origin_of_each_key(project):
    project.change("scene: home", "scene: home\nvariants: {far: ['triggers.co.limit=7']}")
    base = (core_folder("conf") / "yoorec/base.yaml").as_posix()
    rows = _rows(project, "triggers.hot.limit=3", "exposure.spread.max=4", "merge.share={hot: 0.1}", variant="far")
    expected = {
        "scene": ("home", "scenarios/home.yaml:6"),
        "session_gap": ("30m", f"{base}:7"),
        "triggers.hot.limit": ("3", "command line: triggers.hot.limit=3"),
        "triggers.hot.use": ("hot", "scenarios/home.yaml:10"),
        "triggers.hot.timeout": ("50ms", "default of every trigger"),
        "triggers.hot.half_life": ("1d", "default of trigger hot"),
        "triggers.co.limit": ("7", "variants.far: triggers.co.limit=7"),
        "triggers.co.damping.users": ("true", "default of trigger coplay"),
        "merge.share.co": ("0.5", "scenarios/home.yaml:13"),
        "merge.share.hot": ("0.1", "command line: merge.share={hot: 0.1}"),
        "exposure.spread.max": ("4", "command line: exposure.spread.max=4"),
        "exposure.spread.by": ("author", "scenarios/home.yaml:17"),
        "exposure.spread.window": ("5", "default of exposure rule spread"),
        "exposure.backfill.from": ("hot", "scenarios/home.yaml:18"),
        "fit.rank_cut": ("0.8", "default of fit"),
        "variants.far": ('["triggers.co.limit=7"]', "scenarios/home.yaml:7"),
    }
    assert {key: rows[key] for key in expected} == expected


def test_keys_that_nobody_set_say_so(project):
    project.change("ranker: {use: blend}\n", "")
    rows = _rows(project)
    assert rows["ranker"] == ("null", "not set")
    assert rows["variants"] == ("{}", "not set")


def test_value_taken_by_interpolation_belongs_to_who_wrote_it(project):
    assert _rows(project, "triggers.x=${triggers.hot}")["triggers.x.limit"] == (
        "50",
        "command line: triggers.x=${triggers.hot}",
    )


def test_what_is_shown_composes_to_itself(project):
    project.change("scene: home", "scene: home\nvariants: {far: ['triggers.co.limit=7']}")
    project.write("scenarios/odd.yaml", "defaults: [home, _self_]\nexposure: {spread: {by: 'on \\${x} é'}}\n")
    first = compose("scenarios/odd.yaml", ["triggers.hot.timeout=null"], project.plugins)
    assert first.scenario.exposure[1].config.by == "on ${x} é"
    project.write("else/shown.yaml", show_yaml(first))
    second = compose("else/shown.yaml", (), project.plugins)
    assert second.scenario.plain == first.scenario.plain
    assert second.scenario.hash == first.scenario.hash
    assert show_yaml(second) == show_yaml(first)


def test_shown_yaml_reads_well(project):
    text = show_yaml(compose("scenarios/home.yaml", (), project.plugins))
    assert "\n  hot: {use: hot, limit: 50, timeout: 50ms, half_life: 1d, bound: wilson}\n" in text
    assert "\n  - {use: backfill, id: backfill, from: hot}\n" in text


_scalar = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=12)


@given(_scalar)
def test_scalars_are_written_so_that_they_are_read_back(tmp_path_factory, value):
    file = tmp_path_factory.getbasetemp() / "flow.yaml"
    file.write_text(f"key: {flow(value)}\nlist: {flow([value])}\n", encoding="utf-8")
    document, problems = read_yaml(file, "flow.yaml")
    assert problems == []
    # "${" is written so that OmegaConf reads it as text
    read = [
        each.replace("\\${", "${") if isinstance(each, str) else each
        for each in (document.values["key"], document.values["list"][0])
    ]
    assert read == [value, value]


@pytest.mark.parametrize(
    "text",
    ["on", "null", "1:30", "5", "0.5", "1e3", "a: b", "- a", "#", "", " a", "007", "y", "@x", "*x", ".5", ".inf", "~"],
)
def test_text_that_yaml_could_take_for_something_else_is_quoted(text):
    assert flow(text) == f'"{text}"'
