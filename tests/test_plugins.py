"""Discovery, with fake distributions: a folder on sys.path with a module and a ``.dist-info``."""

from __future__ import annotations

import subprocess
import sys
import types
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from yoorec.cli import main
from yoorec.components import KINDS, ComponentSpec
from yoorec.config.compose import load_scenario
from yoorec.errors import ConfigError, PluginError
from yoorec.hookspecs import hookimpl
from yoorec.plugins import Plugins, load_plugins

Install = Callable[..., Path]

SOUND = """
from dataclasses import dataclass
from yoorec.components import ComponentSpec
from yoorec.hookspecs import hookimpl

@dataclass(frozen=True)
class Config:
    weight: float = 1.0

@hookimpl
def yoorec_components():
    return [ComponentSpec("trigger", "{name}", Config, "{module}:Trigger", "a fake")]
"""


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Install:
    """``install("yoorec-fake", "1.2", source)`` puts a distribution with one entry point on sys.path."""
    site = tmp_path / "site"
    site.mkdir()
    monkeypatch.syspath_prepend(site)

    def write(distribution: str, version: str, source: str, entry: str = "", module: str = "") -> Path:
        module = module or distribution.replace("-", "_")
        entry = entry or distribution.removeprefix("yoorec-")
        (site / f"{module}.py").write_text(source.replace("{name}", entry).replace("{module}", module))
        info = site / f"{distribution.replace('-', '_')}-{version}.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {distribution}\nVersion: {version}\n")
        (info / "entry_points.txt").write_text(f"[yoorec]\n{entry} = {module}\n")
        monkeypatch.delitem(sys.modules, module, raising=False)
        return info

    return write


def _failure(plugins: Plugins, distribution: str) -> str:
    (failed,) = [plugin for plugin in plugins.failures if plugin.distribution == distribution]
    return failed.error


def test_an_installed_plugin_is_found(install: Install) -> None:
    install("yoorec-fake", "1.2", SOUND)
    plugins = load_plugins()
    offer = plugins.get("trigger", "fake")
    assert offer is not None
    assert str(offer.plugin) == "yoorec-fake 1.2"
    assert offer.spec.target == "yoorec_fake:Trigger"
    assert "fake" in plugins.names("trigger")


def test_an_uninstalled_plugin_is_gone(install: Install) -> None:
    info = install("yoorec-fake", "1.2", SOUND)
    assert load_plugins().get("trigger", "fake") is not None
    (info / "entry_points.txt").unlink()
    (info / "METADATA").unlink()
    info.rmdir()
    plugins = load_plugins()
    assert plugins.get("trigger", "fake") is None
    assert "yoorec-fake" not in {plugin.distribution for plugin in plugins.plugins}


def test_built_ins_come_through_the_same_hooks() -> None:
    plugins = load_plugins()
    for kind in ("merge", "ranker", "exposure", "profile", "source", "metric"):
        offered = [offer for offer in plugins if offer.spec.kind == kind and offer.plugin.distribution == "yoorec"]
        assert offered, f"the core offers no {kind}"
    assert not [offer for offer in plugins if offer.spec.kind == "trigger" and offer.plugin.distribution == "yoorec"]


def test_offers_are_sorted_by_kind_and_name(install: Install) -> None:
    install("yoorec-zebra", "1", SOUND)
    install("yoorec-ant", "1", SOUND)
    keys = [(KINDS.index(offer.spec.kind), offer.spec.name) for offer in load_plugins()]
    assert keys == sorted(keys)


def test_listing_imports_no_target() -> None:
    code = (
        "import sys; from yoorec.plugins import load_plugins; list(load_plugins());"
        "found = [name for name in ('tensorflow', 'gensim', 'numba', 'duckdb', 'hydra') if name in sys.modules];"
        "sys.exit(', '.join(found) or 0)"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert result.returncode == 0, f"listing plugins imported {result.stderr}"


@pytest.mark.parametrize(
    ("source", "error"),
    [
        ("import nowhere_to_be_found", "ModuleNotFoundError: No module named 'nowhere_to_be_found'"),
        ("raise RuntimeError('no licence')", "RuntimeError: no licence"),
        ("raise SystemExit(3)", "SystemExit: 3"),
        ("def broken(:", "SyntaxError: invalid syntax (yoorec_bad.py, line 1)"),
    ],
)
def test_a_plugin_that_fails_to_import_is_kept_with_its_error(install: Install, source: str, error: str) -> None:
    install("yoorec-bad", "0.3", source)
    install("yoorec-good", "1", SOUND)
    plugins = load_plugins()
    assert _failure(plugins, "yoorec-bad") == error
    assert plugins.get("trigger", "good") is not None
    assert plugins.missing("trigger", "bad") == f"yoorec-bad 0.3 is installed but can't be used: {error}"


HEAD = "from yoorec.components import ComponentSpec\nfrom yoorec.hookspecs import hookimpl\n"


@pytest.mark.parametrize(
    ("source", "error"),
    [
        (
            "@hookimpl\ndef yoorec_component():\n    return []\n",
            "unknown hook 'yoorec_component' in plugin",
        ),
        (
            "@hookimpl\ndef yoorec_after_stage(scene, step):\n    pass\n",
            "Argument(s) {'step'} are declared in the hookimpl but can not be found in the hookspec",
        ),
        ("def yoorec_components():\n    return []\n", "yoorec_components is not marked @hookimpl"),
        (
            "name = 'nothing'\n",
            "implements none of the hooks; accepted: yoorec_after_request, yoorec_after_stage, "
            "yoorec_artifact_published, yoorec_components, yoorec_config_packages",
        ),
        (
            "@hookimpl\ndef yoorec_components():\n    return ['hot']\n",
            "offers 'hot', which is no ComponentSpec of kind trigger, merge, ranker, exposure, profile, source, metric",
        ),
        (
            "@hookimpl\ndef yoorec_components():\n    return [ComponentSpec('trigger', 'bad', dict, 'a:B')]\n",
            "trigger 'bad': the config <class 'dict'> is no dataclass",
        ),
        (
            "@hookimpl\ndef yoorec_components():\n    raise OSError('no disk')\n",
            "yoorec_components failed: OSError: no disk",
        ),
        (
            "@hookimpl\ndef yoorec_components():\n    yield 1 / 0\n",
            "yoorec_components failed: ZeroDivisionError: division by zero",
        ),
        (
            "@hookimpl\ndef yoorec_components():\n    return None\n",
            "yoorec_components failed: TypeError: 'NoneType' object is not iterable",
        ),
        (
            "@hookimpl\ndef yoorec_config_packages():\n    return ['yoorec_bad.conf']\n",
            "offers the config package 'yoorec_bad.conf', which can't be found",
        ),
    ],
)
def test_a_faulty_plugin_is_kept_with_its_error(install: Install, source: str, error: str) -> None:
    install("yoorec-bad", "0.3", HEAD + source)
    install("yoorec-good", "1", SOUND)
    plugins = load_plugins()
    assert error in _failure(plugins, "yoorec-bad")
    assert plugins.get("trigger", "good") is not None
    assert not [offer for offer in plugins if offer.plugin.distribution == "yoorec-bad"]
    assert not plugins.hook.yoorec_after_stage.get_hookimpls()


def test_a_faulty_plugin_observes_nothing(install: Install) -> None:
    source = (
        "calls = []\n"
        "@hookimpl\ndef yoorec_after_request(scene):\n    calls.append(scene)\n"
        "@hookimpl\ndef yoorec_component():\n    return []\n"
    )
    install("yoorec-bad", "0.3", HEAD + source)
    plugins = load_plugins()
    plugins.observe("yoorec_after_request", scene="home")
    assert sys.modules["yoorec_bad"].calls == []


def test_a_component_offered_twice_by_one_plugin_is_its_own_fault(install: Install) -> None:
    install("yoorec-bad", "0.3", SOUND.replace("return [", "return 2 * ["))
    assert _failure(load_plugins(), "yoorec-bad") == "offers trigger 'bad' twice"


def test_a_clash_names_both_distributions_and_versions(install: Install) -> None:
    install("yoorec-one", "1.0", SOUND.replace("{name}", "same"))
    install("acme-two", "2.5", SOUND.replace("{name}", "same"))
    with pytest.raises(PluginError) as refused:
        load_plugins()
    assert str(refused.value) == (
        "trigger 'same' is offered by both acme-two 2.5 and yoorec-one 1.0: uninstall one of them"
    )


def test_a_clash_with_the_core_is_refused_too(install: Install) -> None:
    install("acme-merge", "2.5", SOUND.replace('"trigger", "{name}"', '"merge", "quota"'))
    with pytest.raises(PluginError, match=r"merge 'quota' is offered by both acme-merge 2\.5 and yoorec "):
        load_plugins()


def test_one_name_in_two_kinds_is_no_clash(install: Install) -> None:
    install("yoorec-one", "1.0", SOUND.replace("{name}", "same"))
    install("acme-two", "2.5", SOUND.replace('"trigger", "{name}"', '"merge", "same"'))
    plugins = load_plugins()
    assert str(plugins.get("trigger", "same").plugin) == "yoorec-one 1.0"  # type: ignore[union-attr]
    assert str(plugins.get("merge", "same").plugin) == "acme-two 2.5"  # type: ignore[union-attr]


def test_two_plugins_with_one_entry_point_name_are_both_loaded(install: Install) -> None:
    install("yoorec-one", "1.0", SOUND.replace("{name}", "first"), entry="shared")
    install("acme-two", "2.5", SOUND.replace("{name}", "second"), entry="shared")
    assert {"first", "second"} <= set(load_plugins().names("trigger"))


def test_a_missing_known_plugin_comes_with_its_install_command() -> None:
    plugins = Plugins(load_plugins().manager, [], [])
    assert plugins.missing("trigger", "itemcf") == "pip install yoorec-itemcf"
    assert plugins.missing("ranker", "wide_dcn") == "pip install yoorec-tf"
    assert plugins.missing("trigger", "mystery") == ""


def test_a_missing_component_that_a_failed_plugin_may_offer(install: Install) -> None:
    install("acme-recall", "2.0", "import nowhere_to_be_found")
    assert (
        load_plugins()
        .missing("trigger", "mystery")
        .startswith(
            "these plugins can't be used, and one of them may offer it: "
            "acme-recall 2.0: ModuleNotFoundError: No module named 'nowhere_to_be_found'"
        )
    )


def test_the_nearest_name_is_offered() -> None:
    plugins = load_plugins()
    assert plugins.nearest("merge", "roundrobin") == "round_robin"
    assert plugins.nearest("merge", "zzz") is None


@dataclass(frozen=True)
class _Config:
    pass


def test_extra_plugins_stand_beside_the_installed_ones() -> None:
    module: Any = types.ModuleType("mine")
    module.yoorec_components = hookimpl(lambda: [ComponentSpec("trigger", "mine", _Config, "mine:Mine")])
    offer = load_plugins([("mine", module)]).get("trigger", "mine")
    assert offer is not None
    assert str(offer.plugin) == "local 0"


def test_a_faulty_extra_plugin_is_loud() -> None:
    module: Any = types.ModuleType("mine")
    module.yoorec_components = list
    with pytest.raises(PluginError, match="local 0: yoorec_components is not marked @hookimpl"):
        load_plugins([("mine", module)])


def test_a_target_that_is_not_there_is_a_plugin_error() -> None:
    spec = ComponentSpec("trigger", "mine", _Config, "yoorec.batch:Nothing")
    with pytest.raises(PluginError) as failed:
        spec.load()
    assert str(failed.value) == (
        "trigger 'mine' can't be loaded from yoorec.batch:Nothing: module 'yoorec.batch' has no attribute 'Nothing'"
    )


def test_a_target_whose_import_raises_is_a_plugin_error(install: Install) -> None:
    install("yoorec-bad", "0.3", "raise RuntimeError('no licence')")
    with pytest.raises(PluginError) as failed:
        ComponentSpec("trigger", "mine", _Config, "yoorec_bad:Mine").load()
    assert str(failed.value) == ("trigger 'mine' can't be loaded from yoorec_bad:Mine: RuntimeError: no licence")


# -- in scenarios and on the command line


def test_a_failed_plugin_is_fatal_only_to_a_scenario_that_names_it(install: Install, yoorec_project: Any) -> None:
    install("yoorec-bad", "0.3", "import nowhere_to_be_found")
    fine = yoorec_project(triggers={"near": {"use": "itemcf"}})
    assert load_scenario(fine.path).triggers[0].use == "itemcf"
    named = yoorec_project(triggers={"near": {"use": "itemcf"}, "bad": {"use": "bad"}})
    with pytest.raises(ConfigError) as refused:
        load_scenario(named.path)
    (problem,) = refused.value.problems
    assert problem.key == "triggers.bad.use"
    assert problem.message == (
        "'bad' can't be had: yoorec-bad 0.3 is installed but can't be used: "
        "ModuleNotFoundError: No module named 'nowhere_to_be_found'"
    )


def test_a_target_that_fails_is_fatal_only_in_use(install: Install, yoorec_project: Any) -> None:
    """Listing and checking import no target; the scene names the component whose module fails."""
    install("yoorec-late", "0.3", SOUND.replace("{module}:Trigger", "yoorec_late.model:Trigger"))
    project = yoorec_project(triggers={"late": {"use": "late"}})
    assert load_scenario(project.path).triggers[0].use == "late"
    with pytest.raises(PluginError, match=r"trigger .late. can.t be loaded from yoorec_late\.model:Trigger: "):
        project.scene()


def test_plugins_lists_what_failed(install: Install) -> None:
    install("yoorec-bad", "0.3", "import nowhere_to_be_found")
    install("yoorec-fake", "1.2", SOUND)
    result = CliRunner().invoke(main, ["plugins"], env={"COLUMNS": "200"})
    assert result.exit_code == 0, result.output
    assert "yoorec-bad 0.3: can't be used: ModuleNotFoundError: No module named 'nowhere_to_be_found'" in result.output
    assert "yoorec-fake 1.2" in result.output


def test_a_clash_is_printed_without_a_traceback(install: Install) -> None:
    install("yoorec-one", "1.0", SOUND.replace("{name}", "same"))
    install("acme-two", "2.5", SOUND.replace("{name}", "same"))
    result = CliRunner().invoke(main, ["plugins"], env={"COLUMNS": "200"})
    assert result.exit_code == 2
    assert result.output.strip() == (
        "trigger 'same' is offered by both acme-two 2.5 and yoorec-one 1.0: uninstall one of them"
    )


def test_the_light_scenario_runs_without_tensorflow_and_gensim(tmp_path: Path) -> None:
    """As where those packages are not installed: whoever asks for one of them gets an ImportError."""
    program = """
import sys
class Absent:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in ("tensorflow", "keras", "gensim", "faiss"):
            raise ModuleNotFoundError(f"No module named '{name}'", name=name)
sys.meta_path.insert(0, Absent())
from yoorec.cli import main
main(["replay", "light", "--requests", "50", "data.users=300", "data.items=200", "data.days=10", "store=store"])
"""
    done = subprocess.run([sys.executable, "-c", program], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "ndcg@10" in done.stdout
