"""What ships composes: every sample scenario and every data option, from any folder."""

from __future__ import annotations

import shutil
import subprocess
import sys

import pytest

from yoorec.config import library
from yoorec.config.compose import compose, load_scenario
from yoorec.config.library import core_folder, shipped_scenarios
from yoorec.plugins import load_plugins

GIVEN = {
    "demo": [],
    "kuairand": ["data.path=k"],
    "movielens_100k": ["data.path=m.zip"],
    "movielens_1m": ["data.path=m.zip"],
    "movielens_latest_small": ["data.path=m.zip"],
    "sessions": ["data.train=a.parquet", "data.test=b.parquet"],
    "tables": ["data.events=e.csv"],
}


@pytest.fixture(scope="module")
def installed():
    return load_plugins()


@pytest.mark.parametrize("name", sorted(shipped_scenarios()))
def test_sample_scenarios(installed, name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    given = {**GIVEN, "text_vectors": ["data.path=m.zip", "triggers.public.vectors=v.bin.gz"]}.get(name, ())
    scenario = load_scenario(name, given, installed)
    assert scenario.scene == name
    assert [part.name for part in scenario.triggers] == {
        "light": ["hot", "itemcf"],
        "sessions": ["hot", "itemcf", "sknn", "item2vec", "graph"],
        "tdm_full_library": ["tdm"],
        "text_vectors": ["own", "public"],
        "underlying_page": ["hot", "segment", "itemcf", "sknn", "item2vec", "graph", "title", "cover", "tdm"],
    }[name]
    assert scenario.store == tmp_path / ".yoorec"
    for variant in scenario.variants:
        assert load_scenario(name, (), installed, variant=variant).hash != scenario.hash


def test_data_options_are_all_known():
    assert {path.stem for path in (core_folder("conf") / "data").glob("*.yaml")} == set(GIVEN)


@pytest.mark.parametrize("name", sorted(GIVEN))
def test_data_options(installed, name):
    scenario = load_scenario("light", [f"data={name}", *GIVEN[name]], installed)
    assert scenario.data.use == name.partition("_")[0]


def test_the_page_scene_says_what_the_readme_says(installed):
    scenario = load_scenario("underlying_page", (), installed)
    assert [rule.use for rule in scenario.exposure] == ["drop_seen", "spread", "backfill"]
    assert dict(scenario.merge.config.share) == {"itemcf": 0.4, "tdm": 0.2}
    assert scenario.ranker is not None
    assert scenario.ranker.use == "wide_dcn"
    assert scenario.variants == {"blend": ("ranker={use: blend}",)}


def test_sessions_keep_what_was_seen(installed):
    scenario = load_scenario("sessions", GIVEN["sessions"], installed)
    assert scenario.exposure == ()
    assert scenario.replay.protocol == "given"


def test_composing_needs_no_heavy_import():
    heavy = ("tensorflow", "duckdb", "numba", "gensim", "starlette")
    code = (
        "import sys\n"
        "from yoorec.config.compose import load_scenario\n"
        "load_scenario('light')\n"
        f"print(*[name for name in {heavy} if name in sys.modules])\n"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.split() == []


def test_installed_package_finds_what_travels_inside_it(installed, tmp_path, monkeypatch):
    package, elsewhere = tmp_path / "site/yoorec", tmp_path / "elsewhere"
    elsewhere.mkdir()
    for name in ("conf", "scenarios"):
        shutil.copytree(core_folder(name), package / name)
    monkeypatch.setattr(library, "_PACKAGE", package)
    monkeypatch.chdir(elsewhere)
    composition = compose("light", ["data=movielens_1m", "data.path=ml-1m.zip"], installed)
    assert [layer.file for layer in composition.layers] == [
        package / "conf/yoorec/base.yaml",
        package / "conf/data/movielens_1m.yaml",
        package / "scenarios/light.yaml",
    ]
    # Nothing packaged is the user's, so everything relative lies where the user is.
    assert composition.scenario.store == elsewhere / ".yoorec"
    assert composition.scenario.data.config.path == elsewhere / "ml-1m.zip"
    assert (
        composition.scenario.hash
        == load_scenario("light", ["data=movielens_1m", "data.path=/x/ml-1m.zip"], installed).hash
    )
