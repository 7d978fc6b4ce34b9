"""Engines: the same arrays in the same order, whoever computes them."""

from __future__ import annotations

import os
import shutil
import sys
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from yoorec.artifacts.store import Store
from yoorec.components import FitContext
from yoorec.config.compose import load_scenario
from yoorec.engine.local import LocalEngine
from yoorec.engine.spark import SparkEngine
from yoorec.errors import PluginError
from yoorec.fit import fit
from yoorec.plugins import load_plugins
from yoorec.testing.project import write_project

KERNELS = """
import threading
import numpy as np

def squares(first, last, arrays, settings):
    number = arrays["number"]
    assert type(number) is np.ndarray and not number.flags.writeable and number.flags.c_contiguous
    found = number[first:last] ** 2 + settings["more"]
    return found, arrays["nothing"], np.full((last - first, 2), first, np.float32)

def both(first, last, arrays, settings):
    barrier.wait(60)
    return ()

barrier = threading.Barrier(2)

def failing(first, last, arrays, settings):
    if first >= 4:
        raise ValueError(f"no luck with {first}")
    return (np.zeros(0),)
"""
TRIGGER = """
from dataclasses import dataclass
import numpy as np
from yoorec.components import ComponentSpec
from yoorec.hookspecs import hookimpl

@dataclass(frozen=True)
class Config:
    pass

class Failing:
    def __init__(self, config, catalogue):
        pass

    def fit(self, log, context):
        context.engine.map_ranges("engine_kernels:failing", np.array([0, 4, 9]), {}, {})

@hookimpl
def yoorec_components():
    return [ComponentSpec("trigger", "failing", Config, "engine_trigger:Failing")]
"""
BOUNDS = np.array([0, 3, 3, 10, 40])
# Neither contiguous nor writable, as a column may come; and one without a value.
ARRAYS = {"number": np.broadcast_to(np.arange(100)[::2], (1, 50))[0], "nothing": np.empty(0, np.uint64)}


@pytest.fixture
def kernels(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of modules that this process and a worker's can import."""
    folder = tmp_path / "modules"
    folder.mkdir()
    (folder / "engine_kernels.py").write_text(KERNELS)
    (folder / "engine_trigger.py").write_text(TRIGGER)
    monkeypatch.syspath_prepend(folder)
    inherited = os.environ.get("PYTHONPATH")
    monkeypatch.setenv("PYTHONPATH", f"{folder}{os.pathsep}{inherited}" if inherited else str(folder))
    for name in ("engine_kernels", "engine_trigger"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    return folder


@pytest.mark.parametrize("threads", [1, 3])
def test_local_gives_the_ranges_in_their_order(kernels: Path, threads: int) -> None:
    told: list[tuple[float, threading.Thread]] = []
    found = LocalEngine(threads).map_ranges(
        "engine_kernels:squares",
        BOUNDS,
        ARRAYS,
        {"more": 1},
        lambda done: told.append((done, threading.current_thread())),
    )
    assert [part[0].tolist() for part in found] == [
        [number**2 + 1 for number in range(2 * first, 2 * last, 2)]
        for first, last in ((0, 3), (3, 3), (3, 10), (10, 40))
    ]
    assert [(part[1].dtype, part[2].shape) for part in found] == [(np.uint64, (size, 2)) for size in (3, 0, 7, 30)]
    assert told == [(share, threading.main_thread()) for share in (0.25, 0.5, 0.75, 1.0)]
    assert ARRAYS["number"].shape == (50,)


def test_local_runs_as_many_ranges_at_once_as_it_has_threads(kernels: Path) -> None:
    assert LocalEngine(2).workers == 2
    assert LocalEngine(2).map_ranges("engine_kernels:both", np.array([0, 1, 2]), {}, {}) == [(), ()]


def test_local_raises_what_the_function_raises(kernels: Path) -> None:
    with pytest.raises(ValueError, match=r"no luck with \d+"):
        LocalEngine(2).map_ranges("engine_kernels:failing", np.arange(0, 50, 4), {}, {})


def test_no_ranges(kernels: Path) -> None:
    assert LocalEngine().map_ranges("engine_kernels:failing", np.array([5]), {}, {}) == []


@pytest.mark.parametrize("bounds", [np.array([0, 4, 2]), np.array([0, 4], np.int32), np.empty(0, np.int64)])
def test_bounds_must_rise(kernels: Path, bounds: Any) -> None:
    with pytest.raises(ValueError, match="bounds must be int64"):
        LocalEngine().map_ranges("engine_kernels:failing", bounds, {}, {})


def test_objects_are_refused(kernels: Path) -> None:
    with pytest.raises(ValueError, match="array 'words' holds Python objects"):
        LocalEngine().map_ranges("engine_kernels:failing", BOUNDS, {"words": np.array([None])}, {})


def test_a_context_runs_on_its_threads_unless_it_is_given_an_engine() -> None:
    assert FitContext(threads=3).engine.workers == 3
    engine = LocalEngine(2)
    assert FitContext(threads=3, engine=engine).engine is engine


def test_spark_without_pyspark_is_told_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pyspark.sql.functions", None)
    with pytest.raises(PluginError) as caught:
        SparkEngine()
    first, second = str(caught.value).splitlines()
    assert first.startswith("fit.engine: spark needs pyspark 4.1 or later: ")
    assert second == "  try: pip install pyspark"


def test_spark_without_java_is_told_so(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    pytest.importorskip("pyspark", reason="pyspark is not installed")
    monkeypatch.setenv("JAVA_HOME", str(tmp_path))
    with pytest.raises(PluginError) as caught:
        SparkEngine()
    assert str(caught.value) == (
        f"fit.engine: spark needs Java 17 or later: JAVA_HOME, {tmp_path}, holds no bin/java\n"
        "  try: install a JDK, or set JAVA_HOME"
    )


@pytest.mark.filterwarnings("ignore::ResourceWarning")  # py4j's sockets live as long as this process
def test_spark_makes_the_same_artifact_names_what_failed_and_stops(kernels: Path, tmp_path: Path) -> None:
    """One session: a fit of two triggers, whose first must come out as it does here, and whose second fails there."""
    pytest.importorskip("pyspark", reason="pyspark is not installed")
    if shutil.which("java") is None and "JAVA_HOME" not in os.environ:
        pytest.skip("there is no Java here")
    pytest.importorskip("yoorec_itemcf", reason="yoorec-itemcf is not installed")
    import engine_trigger
    from pyspark import SparkContext

    plugins = load_plugins([("failing", engine_trigger)])
    keys = {"use": "itemcf", "half_life": "2h", "window": "3d", "backward": 0.5}
    project = write_project(tmp_path / "project", triggers={"itemcf": keys, "failing": {"use": "failing"}})

    def scenario(*overrides: str) -> Any:
        return load_scenario(project.path, overrides, plugins)

    there = scenario(f"store={tmp_path / 'there'}", "fit.engine=spark", "fit.spark={master: 'local[2]', memory: 1g}")
    with pytest.raises(RuntimeError) as caught:
        fit(there, plugins)
    assert str(caught.value) == "engine_kernels:failing over [4, 9): ValueError: no luck with 4"
    assert SparkContext._active_spark_context is None
    here = scenario(f"store={tmp_path / 'here'}", "triggers.failing=null")
    release = fit(here, plugins)
    # Found by the same fingerprint, since no engine is part of it.
    slot = release.slots["triggers.itemcf"]
    one = Store(here.store).open(slot, "triggers.itemcf")
    other = Store(there.store).find(one.manifest.component, one.manifest.fingerprint)
    assert other is not None
    assert other.manifest.files == one.manifest.files
    assert one.manifest.bytes > 1000
    # Whatever is in the store already needs no cluster.
    stored = scenario(
        f"store={tmp_path / 'here'}", "triggers.failing=null", "fit.engine=spark", "fit.spark.master=spark://nowhere:1"
    )
    assert not any(step.fitted for step in fit(stored, plugins).steps)
