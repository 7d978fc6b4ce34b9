"""What the rankers' benchmarks stand on: merged candidates of a scenario's requests, and timings taken in turns."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from yoorec_tf.weights import Weights

import yoorec
from yoorec.batch import CandidateBatch, RequestBatch
from yoorec.components import RankSamples
from yoorec.config.compose import load_scenario
from yoorec.data.catalogue import Catalogue
from yoorec.data.cuts import resolve_cuts
from yoorec.data.dataset import read_dataset
from yoorec.data.episodes import next_play
from yoorec.features.config import FeatureKeys
from yoorec.features.counters import Counters
from yoorec.features.encoded import Side
from yoorec.features.encoder import Encoder
from yoorec.features.learning import learn
from yoorec.features.readers import Around
from yoorec.plugins import load_plugins
from yoorec.samples import rank_samples
from yoorec.vectors.recall import VectorRecall

__all__ = ["World", "first_rows", "timed", "with_seen", "world_of"]

SCENARIO = Path(__file__).parents[2] / "scenarios" / "underlying_page.yaml"
_TOGETHER = 500


@dataclass(frozen=True, slots=True)
class World:
    """Requests with their merged candidates and labels, and the encoder that learned from them."""

    catalogue: Catalogue
    around: Around
    samples: RankSamples
    encoder: Encoder

    def with_candidates(self, least: int, requests: int) -> tuple[RequestBatch, CandidateBatch]:
        """The first requests that have so many candidates, cut to that number."""
        candidates = self.samples.candidates
        places = np.flatnonzero(candidates.lengths >= least)[:requests]
        if not len(places):
            raise SystemExit(f"no request has {least} candidates; the most are {candidates.lengths.max(initial=0)}")
        return self.samples.requests.take(places), first_rows(candidates.take(places), least)


def first_rows(candidates: CandidateBatch, least: int) -> CandidateBatch:
    """The first candidates of each request."""
    length = np.minimum(candidates.lengths, least)
    offsets = np.append(0, np.cumsum(length)).astype(np.int64)
    rows = np.arange(offsets[-1]) - np.repeat(offsets[:-1] - candidates.offsets[:-1], length)
    return candidates.rows(rows, offsets)


def world_of(overrides: Iterable[str], keys: FeatureKeys, without: Sequence[str] = ()) -> World:
    """The scenario's requests after the replay cut, their candidates, and features learned from them.

    keys: the features declared. without: triggers to leave out, such as those whose fit takes long.
    """
    given = ["ranker=null", "exposure=[]", "variants=null", *(f"triggers.{name}=null" for name in without)]
    given += [f"~merge.share.{name}" for name in ("itemcf", "tdm") if name in without]
    with tempfile.TemporaryDirectory() as aside:
        given += [f"store={aside}", *overrides]
        scene = yoorec.load(SCENARIO, given)
        scenario = load_scenario(SCENARIO, given, load_plugins())
        dataset = read_dataset(scenario)
        cuts = resolve_cuts(scenario, dataset)
        window = next_play(dataset.log, cuts.replay_cut, cuts.end, "next", scenario.history)
        samples = rank_samples(scene.pipeline, window, _TOGETHER)
        triggers = scene.pipeline.triggers
        vectors = {name: each.vectors for name, each in triggers.items() if isinstance(each, VectorRecall)}
        around = Around(scene.catalogue, Counters.build(dataset.log), vectors)
        encoder = learn(keys, samples, around)
        scene.close()
    return World(scene.catalogue, around, samples, encoder)


def with_seen(weights: Weights, row: Side) -> Weights:
    """Untrained weights that know which places of the row side's features are met, as trained ones do."""
    seen = weights.seen.copy()
    assert not row.lists, "lists of rows are not looked at"
    seen[:] = row.id.min(0)[: seen.shape[1]], row.id.max(0)[: seen.shape[1]]
    return weights._replace(seen=seen)


def timed(sides: Mapping[str, Callable[[int], object]], cases: int, rounds: int) -> dict[str, np.ndarray]:
    """Seconds of each side's calls, float64 [rounds * cases]: in every round each side has all cases, one by one.

    A call takes the number of a case. The first round, which warms up, doesn't count.
    """
    seconds: dict[str, list[float]] = {name: [] for name in sides}
    for turn in range(rounds + 1):
        for name, call in sides.items():
            for case in range(cases):
                started = time.perf_counter()
                call(case)
                if turn:
                    seconds[name].append(time.perf_counter() - started)
    return {name: np.array(each) for name, each in seconds.items()}
