"""What each trigger's fit costs: seconds, peak memory above the loaded log, and the artifact's size.

    uv run python tests/benchmarks/fits.py                                    # the demo world
    uv run python tests/benchmarks/fits.py data=movielens_1m data.path=ml-1m.zip

Every trigger of scenarios/underlying_page.yaml is fitted once on the log before the replay cut, in its own process,
after a fit on a sliver of the log that compiles and imports. Memory is the process's peak while it fits, less what it
held before.
"""

from __future__ import annotations

import argparse
import ctypes
import gc
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pyarrow as pa

from yoorec.components import FitContext
from yoorec.config.compose import load_scenario
from yoorec.data.cuts import resolve_cuts
from yoorec.data.dataset import read_dataset
from yoorec.plugins import load_plugins

SCENARIO = Path(__file__).parents[2] / "scenarios" / "underlying_page.yaml"


def memory_mb(line: str) -> float:
    """A line of this process's status: VmRSS is what it holds, VmHWM the most since the mark was last reset."""
    return int(Path("/proc/self/status").read_text().split(f"{line}:")[1].split()[0]) / 1000


def give_back() -> None:
    """Hand freed memory back to the system, or the fit would live in it unseen."""
    gc.collect()
    pa.default_memory_pool().release_unused()
    if sys.platform == "linux":
        ctypes.CDLL(None).malloc_trim(0)


def work(name: str, scenario_path: Path, overrides: list[str]) -> None:
    """Fit one trigger in this process and print its figures as JSON."""
    scenario = load_scenario(scenario_path, overrides, load_plugins())
    (part,) = [part for part in scenario.triggers if part.name == name]
    dataset = read_dataset(scenario)
    log = dataset.log.before(resolve_cuts(scenario, dataset).replay_cut)
    catalogue = dataset.log.catalogue
    notes: dict[str, float | int | str] = {}
    context = FitContext(scenario.seed, os.cpu_count() or 1, note=notes.__setitem__)
    part.spec.load()(part.config, catalogue).fit(log.before(int(log.time[len(log) // 100])), FitContext(threads=1))
    give_back()
    held = memory_mb("VmRSS")
    Path("/proc/self/clear_refs").write_text("5")  # the peak starts anew
    trigger = part.spec.load()(part.config, catalogue)
    started = time.perf_counter()
    trigger.fit(log, context)
    seconds = time.perf_counter() - started
    peak = memory_mb("VmHWM") - held
    with tempfile.TemporaryDirectory() as folder:
        trigger.save(Path(folder))
        size = sum(path.stat().st_size for path in Path(folder).rglob("*")) / 1e6
    print(json.dumps({"plays": len(log.plays()), "seconds": seconds, "peak": peak, "size": size, "notes": notes}))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("overrides", nargs="*", help="overrides of the scenario")
    parser.add_argument("--scenario", type=Path, default=SCENARIO)
    parser.add_argument("--work", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.work:
        work(given.work, given.scenario, given.overrides)
        return
    scenario = load_scenario(given.scenario, given.overrides, load_plugins())
    print(f"{'trigger':<12} {'plays':>10} {'seconds':>8} {'peak MB':>8} {'artifact MB':>12}")
    for part in scenario.triggers:
        command = [sys.executable, __file__, *given.overrides, "--scenario", str(given.scenario), "--work", part.name]
        done = subprocess.run(command, check=True, capture_output=True, text=True)
        found = json.loads(done.stdout.splitlines()[-1])
        line = f"{part.name:<12} {found['plays']:>10,} {found['seconds']:>8.2f} {found['peak']:>8.0f}"
        line += f" {found['size']:>12.1f}"
        notes = ", ".join(f"{name} {value}" for name, value in found["notes"].items())
        print(f"{line}  {notes}".rstrip(), flush=True)


if __name__ == "__main__":
    main()
