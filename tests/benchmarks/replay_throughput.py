"""Replay's throughput: the whole chain in batches with everything measured, against one request after another.

    uv run python tests/benchmarks/replay_throughput.py                                  # the demo world
    uv run python tests/benchmarks/replay_throughput.py data=movielens_1m data.path=ml-1m.zip

The chain is that of scenarios/underlying_page.yaml without its variants; `triggers.sknn=null` and the like make a
lighter one, and the target is for hot, itemcf, blend and the rules. "in batches"
runs every request of the log after the cut on all cores and measures the slate, each trigger alone and every stage;
"with intervals" adds the bootstrap, over all requests and in each slice. "one by one" runs a sample of the same
requests through the same pipeline, a batch of one each, on one thread and with nothing measured. Sides are timed in
turns; medians count. Fit and compilation come before.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from pathlib import Path

import numpy as np

from yoorec.config.compose import load_scenario
from yoorec.data.cuts import resolve_cuts
from yoorec.data.dataset import read_dataset
from yoorec.fit import fit
from yoorec.pipeline import Pipeline
from yoorec.plugins import load_plugins
from yoorec.replay.metrics.registry import load_metrics
from yoorec.replay.requests import logged_requests
from yoorec.replay.runner import cores, measure
from yoorec.replay.slices import slice_requests, slice_sizes
from yoorec.replay.summary import Sample, summarise
from yoorec.scene import Scene

SCENARIO = Path(__file__).parents[2] / "scenarios" / "underlying_page.yaml"
TARGET = 10_000


def one_by_one(pipeline: Pipeline, episodes: object, rows: np.ndarray) -> float:
    """Requests a second, each a batch of one; `take` happens outside the timed part."""
    arrivals = episodes.take(rows).arrivals(pipeline.scenario.slate)  # type: ignore[attr-defined]
    singles = [arrivals.take(np.array([row])) for row in range(len(rows))]
    started = time.perf_counter()
    for single in singles:
        pipeline.run(single)
    return len(rows) / (time.perf_counter() - started)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("overrides", nargs="*", help="overrides of the scenario")
    parser.add_argument("--scenario", type=Path, default=SCENARIO)
    parser.add_argument("--singles", type=int, default=3000, help="requests run one by one, a repeat")
    parser.add_argument("--repeats", type=int, default=3)
    given = parser.parse_args()
    plugins = load_plugins()
    with tempfile.TemporaryDirectory() as folder:
        scenario = load_scenario(given.scenario, [f"store={folder}", *given.overrides], plugins)
        dataset = read_dataset(scenario)
        release = fit(scenario, plugins, dataset, publish=False)
        episodes = logged_requests(scenario, dataset, resolve_cuts(scenario, dataset))
        metrics = load_metrics(scenario.replay.metrics, plugins)
        scene = Scene.open(scenario, release, plugins)
        settings = scenario.replay
        cuts = {"release": release.replay_cut}
        measure(scene.pipeline, episodes.take(np.arange(min(2048, len(episodes)))), metrics, cuts, batch=1024)
        batched, whole, single = [], [], []
        for repeat in range(given.repeats):
            started = time.perf_counter()
            found = measure(scene.pipeline, episodes, metrics, cuts, batch=settings.batch, threads=settings.threads)
            batched.append(len(episodes) / found.seconds)
            labels = [metric.label for metric in metrics]
            slices = slice_requests(scenario, dataset, episodes)
            sizes = slice_sizes(slices, episodes.cluster)
            sample = Sample(episodes.cluster, settings.resamples, scenario.seed, slices, sizes)
            summarise({"control": found}, labels, sample, {"control": settings.baseline})
            whole.append(len(episodes) / (time.perf_counter() - started))
            drawn = np.random.default_rng(repeat).permutation(len(episodes))[: given.singles]
            single.append(one_by_one(scene.pipeline, episodes, drawn))
        scene.close()
    rate, complete, alone = (statistics.median(each) for each in (batched, whole, single))
    stages_us = {stage: value for stage, value in found.timings_us.items() if stage != "total"}
    measuring_us = cores(settings.threads) * 1e6 / rate - found.timings_us["total"]
    print(f"{scenario.scene} on {scenario.data.use}: {len(episodes):,} requests, batches of {settings.batch}, "
          f"{cores(settings.threads)} threads")  # fmt: skip
    print(f"  in batches, measured    {rate:>10,.0f} requests/s   (target {TARGET:,}: {rate / TARGET:.2f}x)")
    print(f"  with intervals          {complete:>10,.0f} requests/s   ({settings.resamples:,} resamples)")
    print(f"  one by one              {alone:>10,.0f} requests/s")
    print(f"  ratio                   {rate / alone:>10.1f}")
    print("  thread time a request:  " + ", ".join(f"{stage} {value:.1f} us" for stage, value in stages_us.items()))
    print(f"  outside the chain:      {measuring_us:.1f} us a request (measuring, waiting)")


if __name__ == "__main__":
    main()
