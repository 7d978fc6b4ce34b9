"""The graph trigger's random walks beside those of `pecanpy` on the same graph.

    uv run python tests/benchmarks/walks.py     # 20,000 nodes, a million weighted edges, 10 walks of 80 nodes from each

First order (p = q = 1) beside `PreCompFirstOrder`, second order (node2vec) beside `SparseOTF`. Neither counts its
compilation (each first walks a little). Ours counts the tables it makes before it walks; the peer is spared both those
and turning its walks into lists of names. It runs in an environment of its own. Each engine's process is its own, its
peak memory read at the end; the engines take turns, and the time is the median.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

PEER = ("uv", "run", "--isolated", "--no-project", "--quiet", "--python", "3.11", "--with", "pecanpy")
PEER_NEEDS = ("--with", "numpy<2", "--with", "setuptools", "python")
NAMES = ("offsets", "target", "weight")


def synthetic(nodes: int, edges: int, seed: int = 0) -> tuple[np.ndarray, ...]:
    """About `edges` weighted edges between long-tailed nodes, at least one from each: CSR offsets, targets, weights."""
    rng = np.random.default_rng(seed)
    popularity = 1.0 / np.arange(nodes / 20, nodes / 20 + nodes)
    source, target = (rng.choice(nodes, 2 * edges, p=popularity / popularity.sum()) for _ in range(2))
    pairs = np.unique((source * nodes + target)[source != target])
    pairs = rng.permutation(pairs)[: edges - nodes]
    ring = np.arange(nodes) * nodes + (np.arange(nodes) + 1) % nodes
    pairs = np.unique(np.concatenate([pairs, ring]))
    offsets = np.searchsorted(pairs, np.arange(nodes + 1) * nodes)
    weight = rng.geometric(0.3, len(pairs)).astype(np.float32)
    return offsets.astype(np.int64), (pairs % nodes).astype(np.int32), weight


def timed(run: Callable[[], Any], repeats: int) -> list[float]:
    """Seconds of each run."""
    seconds = []
    for _ in range(repeats):
        before = time.perf_counter()
        run()
        seconds.append(time.perf_counter() - before)
    return seconds


def run_ours(graph: list[np.ndarray], options: argparse.Namespace) -> list[float]:
    """Seconds of preparing and walking, by the local engine."""
    from yoorec_graph.edges import Edges
    from yoorec_graph.walks import paths_of

    from yoorec.engine.local import LocalEngine

    edges, engine = Edges(*graph), LocalEngine(options.threads)
    nodes = len(edges.offsets) - 1
    rng = np.random.default_rng(0)
    start = np.concatenate([rng.permutation(nodes) for _ in range(options.walks)]).astype(np.int32)
    settings = {"nodes": nodes, "length": options.length, "seed": 1, "p": options.p, "q": options.q}

    def walk(start: np.ndarray) -> None:
        bounds = np.linspace(0, len(start), 16 * options.threads + 1).astype(np.int64)
        arrays = {**paths_of(edges, second=not options.p == options.q == 1.0)._asdict(), "start": start}
        found = engine.map_ranges("yoorec_graph.walks:walk_range", bounds, arrays, settings)
        assert sum(int(steps.sum()) for _, steps in found) == len(start) * options.length

    walk(start[:100])
    return timed(lambda: walk(start), options.repeats)


def run_peer(graph: list[np.ndarray], options: argparse.Namespace) -> list[float]:
    """Seconds of pecanpy's preparing and walking: what its `simulate_walks` does, less compiling and naming."""
    import numba
    from numba_progress import ProgressBar
    from pecanpy import pecanpy

    numba.set_num_threads(options.threads)
    kind = pecanpy.PreCompFirstOrder if options.p == options.q == 1.0 else pecanpy.SparseOTF
    peer = kind(p=options.p, q=options.q, workers=options.threads, random_state=1)
    peer.indptr, peer.indices, peer.data = graph[0].astype(np.uint32), graph[1].astype(np.uint32), graph[2]
    nodes = len(graph[0]) - 1
    peer.set_node_ids(None, implicit_ids=True, num_nodes=nodes)
    start = np.random.default_rng(0).permutation(np.tile(np.arange(nodes, dtype=np.uint32), options.walks))
    peer.preprocess_transition_probs()
    has, forward = peer.get_has_nbrs(), peer.get_move_forward()  # these hold the tables, and are compiled when called

    def walk(start: np.ndarray) -> None:
        with ProgressBar(total=len(start), disable=True) as progress:
            peer._random_walks(len(start), options.length - 1, 1, start, has, forward, progress)

    walk(start[:100])
    return timed(lambda: walk(start), options.repeats)


def work(engine: str, folder: Path, options: argparse.Namespace) -> None:
    """One engine in this process: print its seconds and this process's peak memory as JSON."""
    graph = [np.load(folder / f"{name}.npy") for name in NAMES]
    seconds = (run_ours if engine == "ours" else run_peer)(graph, options)
    peak = int(Path("/proc/self/status").read_text().split("VmHWM:")[1].split()[0]) * 1024 / 1e6
    print(json.dumps({"seconds": seconds, "peak_mb": peak}))


def measure(engine: str, folder: Path, p: float, q: float, options: argparse.Namespace) -> tuple[list[float], float]:
    """Seconds of each run and peak megabytes, from a fresh process."""
    command = [sys.executable] if engine == "ours" else [*PEER, *PEER_NEEDS]
    command += [__file__, "--work", engine, str(folder), "--p", str(p), "--q", str(q)]
    for name in ("threads", "walks", "length", "repeats"):
        command += [f"--{name}", str(getattr(options, name))]
    done = subprocess.run(command, check=True, capture_output=True, text=True, env=dict(os.environ))
    found = json.loads(done.stdout.splitlines()[-1])
    return found["seconds"], found["peak_mb"]


def main() -> None:
    """Read the options and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--nodes", type=int, default=20_000)
    parser.add_argument("--edges", type=int, default=1_000_000)
    parser.add_argument("--walks", type=int, default=10, help="from each node")
    parser.add_argument("--length", type=int, default=80, help="nodes of a walk")
    parser.add_argument("--p", type=float, default=0.5)
    parser.add_argument("--q", type=float, default=2.0)
    parser.add_argument("--threads", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--repeats", type=int, default=3, help="runs in a process")
    parser.add_argument("--rounds", type=int, default=2, help="processes of each engine, in turns")
    parser.add_argument("--work", nargs=2, metavar=("ENGINE", "FOLDER"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.work:
        work(options.work[0], Path(options.work[1]), options)
        return
    graph = synthetic(options.nodes, options.edges)
    print(
        f"{options.nodes:,} nodes, {len(graph[1]):,} weighted edges, {options.walks} walks of {options.length} nodes "
        f"from each, {options.threads} threads"
    )
    print(f"{'walks':<26} {'ours s':>8} {'walks/s':>10} {'MB':>6} {'pecanpy s':>10} {'MB':>6} {'ratio':>7}")
    with tempfile.TemporaryDirectory() as name:
        for column, values in zip(NAMES, graph, strict=True):
            np.save(Path(name) / f"{column}.npy", values)
        for title, p, q in (("first order", 1.0, 1.0), (f"p = {options.p}, q = {options.q}", options.p, options.q)):
            seconds: dict[str, list[float]] = {"ours": [], "peer": []}
            peak = {"ours": 0.0, "peer": 0.0}
            for _ in range(options.rounds):
                for engine in ("ours", "peer"):
                    some, high = measure(engine, Path(name), p, q, options)
                    seconds[engine] += some
                    peak[engine] = max(peak[engine], high)
            ours, peer = (statistics.median(seconds[engine]) for engine in ("ours", "peer"))
            rate = options.walks * options.nodes / ours
            print(
                f"{title:<26} {ours:>8.2f} {rate:>10,.0f} {peak['ours']:>6.0f} {peer:>10.2f} {peak['peer']:>6.0f} "
                f"{peer / ours:>6.1f}x",
                flush=True,
            )


if __name__ == "__main__":
    main()
