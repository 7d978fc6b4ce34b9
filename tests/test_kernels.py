"""Kernels compiled ahead: those that a first run will call, by a process that ends with it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from yoorec.config.compose import load_scenario
from yoorec.kernels import compiling_ahead
from yoorec.plugins import load_plugins

PAGE = Path(__file__).parents[1] / "scenarios" / "underlying_page.yaml"

# In a process of its own, since other tests call the same kernels with other types.
RUN = """
import contextlib
import sys
import numpy as np
import yoorec
from yoorec.config.compose import load_scenario
from yoorec.data.cuts import resolve_cuts
from yoorec.data.dataset import read_dataset
from yoorec.data.episodes import next_play
from yoorec.features import counters, lists, places, requests, rows
from yoorec.features.config import FeatureKeys
from yoorec.features.learning import learn
from yoorec.features.readers import Around
from yoorec.components import FitContext
from yoorec.kernels import compile_features, compile_stages
from yoorec.plugins import load_plugins
from yoorec.ragged import join, order, plays
from yoorec.samples import rank_samples
from yoorec.stages import ascent, listwise, normalise, quota, spread
from yoorec.stages.blend import Blend
from yoorec.stages.configs import BlendConfig
from yoorec.vectors.recall import VectorRecall

scenario, *overrides = sys.argv[1:]
called = [counters._read, lists._read, places._filled, requests._read_values, requests._read_lists, rows._read]
stages = [quota._fill, spread._spread, listwise._derivatives, ascent._ndcg, normalise.normalised_rows]
stages += [normalise.score_rows, order._best_first, order.first_k, join._union, join._unite_items, plays._unite_plays]
called += stages
compile_stages()
compile_features()
before = [list(each.signatures) for each in called]
assert all(len(each) == 1 for each in before), before
loaded = load_scenario(scenario, overrides, load_plugins())
dataset = read_dataset(loaded)
cuts = resolve_cuts(loaded, dataset)
with contextlib.closing(yoorec.load(scenario, overrides)) as scene:
    window = next_play(dataset.log, cuts.replay_cut, cuts.end, "next", loaded.history).take(np.arange(40))
    samples = rank_samples(scene.pipeline, window, 20)
    vectors = {n: each.vectors for n, each in scene.pipeline.triggers.items() if isinstance(each, VectorRecall)}
    assert vectors
    around = Around(scene.catalogue, counters.Counters.build(dataset.log), vectors)
    learn(FeatureKeys(), samples, around).encode(samples.requests, samples.candidates)
    scene.pipeline.run(window.arrivals(10))
    blend = Blend(BlendConfig(), scene.catalogue)
    blend.fit(samples, FitContext())
    blend.score(samples.requests, samples.candidates)
assert [list(each.signatures) for each in called] == before
"""


def test_what_is_compiled_ahead_is_what_a_run_calls(tmp_path: Path) -> None:
    only = [f"triggers.{name}=null" for name in ("sknn", "item2vec", "graph", "cover", "tdm")]
    less = ["ranker=null", "variants=null", "~merge.share.tdm", "data.users=300", f"store={tmp_path}"]
    done = subprocess.run([sys.executable, "-c", RUN, str(PAGE), *only, *less], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("there", [False, True])
def test_only_a_first_run_compiles_ahead(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, there: bool) -> None:
    started: list[subprocess.Popen[bytes]] = []

    class Watched(subprocess.Popen[bytes]):
        def __init__(self, command: list[str], **keys: int) -> None:
            super().__init__(command, **keys)
            started.append(self)

    monkeypatch.setattr("yoorec.kernels.subprocess.Popen", Watched)
    scenarios = [
        load_scenario(PAGE, [f"store={tmp_path}", *more], load_plugins()) for more in ([], ["ranker={use: blend}"])
    ]
    if there:
        (tmp_path / "artifacts").mkdir()
    with compiling_ahead(scenarios[1:]):
        assert not started, "nothing looks at features"
    with compiling_ahead(scenarios):
        assert len(started) == (not there)
        assert all(each.args == [sys.executable, "-m", "yoorec.kernels"] for each in started)
        assert all(each.poll() is None for each in started)
    assert all(each.returncode is not None for each in started), "it ends with what it was for"
