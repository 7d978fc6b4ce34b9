"""ItemCF's fit beside the cosine item-item of `implicit` on the same matrix, and its growth and peak memory.

    uv run python tests/benchmarks/itemcf_fit.py                     # ml-1m and 5 million synthetic events
    uv run python tests/benchmarks/itemcf_fit.py --events 5e6 20e6 --half-life 10m

All three corrections are on. The peer runs in an environment of its own. Both are timed without loading the log and
without compilation (each first fits a small log), in turns, in a process of their own whose peak memory is read at the
end; the time is the median. The peer gets a ready CSR matrix; ours sorts the log's columns inside its time.
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
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from yoorec.data.log import EventLog

PEER = ("uv", "run", "--isolated", "--no-project", "--quiet", "--with", "implicit", "python")
DAY_MS = 86_400_000
COLUMNS = ("user", "item", "time")


def synthetic(events: int, seed: int = 0) -> tuple[np.ndarray, ...]:
    """About `events` plays over 30 days: long-tailed users and items, in sessions of plays minutes apart."""
    rng = np.random.default_rng(seed)
    users, items = max(events // 50, 1), max(events // 100, 1)
    activity = rng.lognormal(0.0, 1.0, users)
    user = rng.choice(users, events, p=activity / activity.sum()).astype(np.int32)
    user.sort()
    popularity = np.cumsum(1.0 / np.arange(5, items + 5))
    item = np.searchsorted(popularity, rng.random(events) * popularity[-1])
    item = rng.permutation(items)[item].astype(np.int32)  # ids tell nothing of popularity
    # Every tenth play or so opens a session at some moment of the month; the others follow it.
    opens = (rng.random(events) < 0.1) | (np.diff(user, prepend=-1) != 0)
    session = np.cumsum(opens) - 1
    start = rng.integers(0, 30 * DAY_MS, session[-1] + 1)
    place = np.arange(events) - np.flatnonzero(opens)[session]
    moment = 1_700_000_000_000 + start[session] + place * 180_000
    return in_time_order(user, item, moment)


def movielens(path: Path) -> tuple[np.ndarray, ...]:
    """The million ratings, each a play."""
    with zipfile.ZipFile(path) as archive:
        name = next(name for name in archive.namelist() if name.endswith("ratings.dat"))
        text = archive.read(name).decode("latin-1").replace("::", " ")
    table = np.array(text.split(), np.int64).reshape(-1, 4)
    user = np.unique(table[:, 0], return_inverse=True)[1].astype(np.int32)
    item = np.unique(table[:, 1], return_inverse=True)[1].astype(np.int32)
    return in_time_order(user, item, table[:, 3] * 1000)


def in_time_order(user: np.ndarray, item: np.ndarray, moment: np.ndarray) -> tuple[np.ndarray, ...]:
    """The columns by time, one play per user and item, so that both engines see the same matrix."""
    order = np.argsort(moment, kind="stable")[::-1]
    pair = user[order].astype(np.int64) * (int(item.max()) + 1) + item[order]
    order = np.sort(order[np.unique(pair, return_index=True)[1]])
    order = order[np.argsort(moment[order], kind="stable")]
    return user[order], item[order], moment[order]


def event_log(user: np.ndarray, item: np.ndarray, moment: np.ndarray) -> EventLog:
    """The columns as a log of plays."""
    import pyarrow as pa

    from yoorec.data.catalogue import Catalogue
    from yoorec.data.log import EventLog
    from yoorec.data.vocabulary import Vocabulary

    def constant(value: float, dtype: type) -> np.ndarray:
        return np.broadcast_to(np.array(value, dtype), len(user))

    users, items = int(user.max()) + 1, int(item.max()) + 1
    none, unknown = constant(-1, np.int32), constant(np.nan, np.float32)
    catalogue = Catalogue(
        Vocabulary(map(str, range(items))),
        Vocabulary(map(str, range(users))),
        pa.table({"title": pa.nulls(items, pa.string())}),
        pa.table({"age": pa.nulls(users, pa.int64())}),
        np.zeros(items, np.int64),
    )
    event, weight, session = constant(0, np.int8), constant(1, np.float32), constant(0, np.int32)
    return EventLog(
        user, item, moment, event, weight, session, unknown, none, none, unknown, none, ("play",), catalogue
    )


def run_ours(columns: list[np.ndarray], threads: int, neighbors: int, half_life: str, repeats: int) -> list[float]:
    """Seconds of each fit of `yoorec_itemcf` with every correction on and nobody's plays cut."""
    from yoorec_itemcf import ItemCFConfig
    from yoorec_itemcf.model import ItemCF

    from yoorec.components import FitContext
    from yoorec.config.types import duration_ms

    config = ItemCFConfig(
        neighbors=neighbors,
        half_life=duration_ms(half_life),
        damp_users=True,
        normalize=True,
        max_plays=None,
    )
    context = FitContext(threads=threads)
    small = event_log(*synthetic(2000))
    ItemCF(config, small.catalogue).fit(small, context)
    log = event_log(*columns)
    seconds = []
    for _ in range(repeats):
        model = ItemCF(config, log.catalogue)
        before = time.perf_counter()
        model.fit(log, context)
        seconds.append(time.perf_counter() - before)
        del model
    return seconds


def run_peer(columns: list[np.ndarray], threads: int, neighbors: int, repeats: int) -> list[float]:
    """Seconds of each fit of `implicit`'s CosineRecommender, which knows none of the corrections."""
    from implicit.nearest_neighbours import CosineRecommender
    from scipy.sparse import csr_matrix

    def fit(matrix: Any) -> float:
        model = CosineRecommender(K=neighbors, num_threads=threads)
        before = time.perf_counter()
        model.fit(matrix, show_progress=False)
        return time.perf_counter() - before

    def matrix_of(user: np.ndarray, item: np.ndarray) -> Any:
        return csr_matrix((np.ones(len(user), np.float32), (user, item)))

    fit(matrix_of(*synthetic(2000)[:2]))
    matrix = matrix_of(*columns[:2])
    return [fit(matrix) for _ in range(repeats)]


def work(engine: str, folder: Path, options: argparse.Namespace) -> None:
    """One engine in this process: print its seconds and this process's peak memory as JSON."""
    columns = [np.load(folder / f"{name}.npy") for name in COLUMNS]
    if engine == "ours":
        seconds = run_ours(columns, options.threads, options.neighbors, options.half_life, options.repeats)
    else:
        seconds = run_peer(columns, options.threads, options.neighbors, options.repeats)
    print(json.dumps({"seconds": seconds, "peak_gb": peak_gb()}))


def peak_gb(process: int | str = "self") -> float:
    """The most memory a process ever held. `getrusage` won't do: there, a child begins with its parent's peak."""
    status = Path(f"/proc/{process}/status").read_text()
    return int(status.split("VmHWM:")[1].split()[0]) * 1024 / 1e9


def measure(engine: str, folder: Path, options: argparse.Namespace) -> tuple[list[float], float]:
    """Seconds of each fit and peak gigabytes, from a fresh process."""
    command = [sys.executable] if engine == "ours" else list(PEER)
    command += [__file__, "--work", engine, str(folder), "--half-life", options.half_life]
    for name in ("threads", "neighbors", "repeats"):
        command += [f"--{name}", str(getattr(options, name))]
    environment = {**os.environ, "OPENBLAS_NUM_THREADS": "1"}
    done = subprocess.run(command, check=True, capture_output=True, text=True, env=environment)
    found = json.loads(done.stdout.splitlines()[-1])
    return found["seconds"], found["peak_gb"]


def compare(title: str, columns: tuple[np.ndarray, ...], options: argparse.Namespace) -> None:
    """Both engines in turns on one log; print a line of the table."""
    seconds: dict[str, list[float]] = {"ours": [], "peer": []}
    peak = {"ours": 0.0, "peer": 0.0}
    with tempfile.TemporaryDirectory() as name:
        for column, values in zip(COLUMNS, columns, strict=True):
            np.save(Path(name) / f"{column}.npy", values)
        for _ in range(options.rounds):
            for engine in ("ours",) if options.no_peer else ("ours", "peer"):
                some, high = measure(engine, Path(name), options)
                seconds[engine] += some
                peak[engine] = max(peak[engine], high)
    plays_of_user = np.bincount(columns[0]).astype(np.int64)
    pairs = int((plays_of_user * (plays_of_user - 1)).sum())
    ours = statistics.median(seconds["ours"])
    line = f"{title:<16} {len(columns[0]):>11,} {pairs / 1e6:>8,.0f}M {ours:>8.2f} {peak['ours']:>6.2f}"
    if seconds["peer"]:
        peer = statistics.median(seconds["peer"])
        line += f" {peer:>8.2f} {peak['peer']:>6.2f} {ours / peer:>7.2f}"
    print(line, flush=True)


def main() -> None:
    """Read the options and print the table."""
    root = Path(__file__).parents[2]
    data = root / os.environ.get("YOOREC_DATA", "../shared/data")
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--events", type=float, nargs="*", default=[5e6], help="sizes of synthetic logs")
    parser.add_argument("--movielens", type=Path, default=data / "movielens_1m" / "ml-1m.zip", help="ml-1m.zip")
    parser.add_argument("--threads", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--neighbors", type=int, default=100)
    parser.add_argument("--half-life", default="7d", help="7d leaves hardly a pair too far apart to count")
    parser.add_argument("--repeats", type=int, default=3, help="fits in a process")
    parser.add_argument("--rounds", type=int, default=2, help="processes of each engine, in turns")
    parser.add_argument("--no-peer", action="store_true")
    parser.add_argument("--work", nargs=2, metavar=("ENGINE", "FOLDER"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.work:
        work(options.work[0], Path(options.work[1]), options)
        return
    print(f"{options.threads} threads, {options.neighbors} neighbors, half-life {options.half_life}")
    print(f"{'log':<16} {'plays':>11} {'pairs':>9} {'itemcf s':>8} {'GB':>6} {'cosine s':>8} {'GB':>6} {'ratio':>7}")
    if options.movielens.exists():
        compare("ml-1m", movielens(options.movielens), options)
    else:
        print(f"ml-1m             left out: {options.movielens.name} is not there")
    for events in options.events:
        compare(f"synthetic {events / 1e6:g}M", synthetic(int(events)), options)


if __name__ == "__main__":
    main()
