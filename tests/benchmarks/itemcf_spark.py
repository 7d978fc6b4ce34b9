"""ItemCF's fit on engine `spark`, on a cluster of this machine alone, beside the same fit on threads.

    uv run --group spark python tests/benchmarks/itemcf_spark.py                  # 5 million synthetic events
    uv run --group spark python tests/benchmarks/itemcf_spark.py --events 1e6 20e6

Both fit the log of `itemcf_fit.py` in turns, with the same cores, from one process that has compiled everything; the
times are medians. Starting the Spark session, and the first fit, in which its Python workers import the kernels, are
told apart. The results must be the same bytes. Memory is the most that each process ever held, arrays that the
workers map and share counted in each.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import statistics
import time
from collections.abc import Iterator
from pathlib import Path

from itemcf_fit import event_log, peak_gb, synthetic
from yoorec_itemcf import ItemCFConfig
from yoorec_itemcf.model import ItemCF

from yoorec.components import FitContext
from yoorec.config.types import duration_ms
from yoorec.data.log import EventLog
from yoorec.engine import Engine
from yoorec.engine.local import LocalEngine
from yoorec.engine.spark import SparkEngine


def fit(log: EventLog, config: ItemCFConfig, engine: Engine) -> tuple[float, str]:
    """Seconds of a fit, and a digest of what it learned."""
    model = ItemCF(config, log.catalogue)
    before = time.perf_counter()
    model.fit(log, FitContext(engine=engine))
    seconds = time.perf_counter() - before
    digest = hashlib.sha256()
    for array in (model.offsets, model.near_item, model.near_score):
        digest.update(array.tobytes())
    return seconds, digest.hexdigest()


def descendants(process: int) -> Iterator[int]:
    """The processes below one, the Java process and Spark's Python workers among them."""
    for task in Path(f"/proc/{process}/task").iterdir():
        for child in (task / "children").read_text().split():
            yield int(child)
            yield from descendants(int(child))


def measure(events: int, options: argparse.Namespace) -> None:
    """Both engines in turns on one log; print a line of the table."""
    config = ItemCFConfig(neighbors=options.neighbors, half_life=duration_ms(options.half_life), max_plays=None)
    log = event_log(*synthetic(events))
    local, spark = LocalEngine(options.cores), SparkEngine(f"local[{options.cores}]", options.memory)
    fit(event_log(*synthetic(2000)), config, local)
    before = time.perf_counter()
    assert spark.workers == options.cores
    start = time.perf_counter() - before
    try:
        first, expected = fit(log, config, spark)
        seconds: dict[str, list[float]] = {"local": [], "spark": []}
        for _ in range(options.repeats):
            for name, engine in (("local", local), ("spark", spark)):
                took, digest = fit(log, config, engine)
                assert digest == expected, "the engines differ"
                seconds[name].append(took)
        peaks = {
            process: (peak_gb(process), Path(f"/proc/{process}/comm").read_text())
            for process in descendants(os.getpid())
            if "VmHWM" in Path(f"/proc/{process}/status").read_text()  # one that has ended holds nothing
        }
    finally:
        spark.close()
    java = sum(peak for peak, name in peaks.values() if name.strip() == "java")
    workers = sum(peak for peak, name in peaks.values() if name.strip() != "java")
    here, there = statistics.median(seconds["local"]), statistics.median(seconds["spark"])
    figures = (here, there, there / here, start, first, peak_gb(), java, workers)
    print(f"{events / 1e6:>5g}M {len(log):>11,}" + "".join(f" {figure:>9.2f}" for figure in figures), flush=True)


def main() -> None:
    """Read the options and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--events", type=float, nargs="*", default=[5e6], help="sizes of synthetic logs")
    parser.add_argument("--cores", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--neighbors", type=int, default=100)
    parser.add_argument("--half-life", default="7d", help="7d leaves hardly a pair too far apart to count")
    parser.add_argument("--memory", default="2g", help="of Spark's Java process")
    parser.add_argument("--repeats", type=int, default=3, help="fits of each engine, in turns")
    options = parser.parse_args()
    print(
        f"{options.cores} cores, {options.neighbors} neighbors, half-life {options.half_life}; results the same bytes"
    )
    heads = ("local s", "spark s", "ratio", "start s", "first s", "driver GB", "java GB", "workers")
    print(f"{'log':>6} {'plays':>11}" + "".join(f" {head:>9}" for head in heads))
    for events in options.events:
        measure(int(events), options)


if __name__ == "__main__":
    main()
