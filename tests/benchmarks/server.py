"""The server under wrk: a bare Starlette route, the framework with stub triggers, and the real light scene.

    python tests/benchmarks/server.py [--seconds 4] [--rounds 3] [--data users=500]

All three are asked the same bodies. The bare route reads a body with the same parser and returns the bytes of a real
answer; its ratio to the framework with stub triggers is the framework's own cost (target: at most 2). The server is
pinned to one core and wrk to another. Needs wrk (Debian package `wrk`).
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import re
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
import numpy as np

from yoorec.server.process import server_process

PLUGIN = '''
from dataclasses import dataclass

import numpy as np

from yoorec.batch import CandidateBatch
from yoorec.components import ComponentSpec
from yoorec.hookspecs import hookimpl


@dataclass(frozen=True, slots=True)
class StubConfig:
    """Fifty precomputed items."""

    start: int = 0


class Stub:
    def __init__(self, config, catalogue):
        item = (np.arange(50, dtype=np.int32) + config.start) % len(catalogue.items)
        self._item = np.tile(item, 64)
        self._score = np.tile(np.linspace(1, 0.5, 50, dtype=np.float32), 64)
        self._offsets = np.arange(65, dtype=np.int64) * 50

    def fit(self, log, context): ...

    def save(self, folder): ...

    def load(self, folder): ...

    def recall(self, requests, k):
        rows = len(requests) * 50
        return CandidateBatch(self._offsets[: len(requests) + 1], self._item[:rows], self._score[:rows])


@hookimpl
def yoorec_components():
    return [ComponentSpec("trigger", "stub", StubConfig, "yoorec_stub:Stub")]
'''

STUBS = """
defaults: [yoorec/base, data: demo, _self_]
scene: stubs
triggers:
  one: {use: stub, limit: 50}
  two: {use: stub, limit: 50, start: 25}
"""

LUA = """
local requests, at = {}, 0
init = function(arguments)
  for body in io.lines(arguments[1]) do
    requests[#requests + 1] = wrk.format("POST", "/v1/recommend", {["content-type"] = "application/json"}, body)
  end
end
request = function() at = at % #requests + 1; return requests[at] end
local failed = 0
response = function(status) if status ~= 200 then failed = failed + 1 end end
"""

_PERCENTILE = re.compile(r"^\s+(50|99)%\s+([\d.]+)(us|ms|s)", re.MULTILINE)
_RATE = re.compile(r"^Requests/sec:\s+([\d.]+)", re.MULTILINE)
_UNIT_MS = {"us": 0.001, "ms": 1.0, "s": 1000.0}


@dataclass(frozen=True, slots=True)
class Figures:
    """One run of wrk."""

    per_s: float
    p50_ms: float
    p99_ms: float


def ask(url: str, connections: int, seconds: int, folder: Path, core: Sequence[str]) -> Figures:
    """Run wrk for a while."""
    command = [*core, "wrk", "-t1", f"-c{connections}", f"-d{seconds}s", "--latency", "-s", str(folder / "wrk.lua")]
    run = subprocess.run([*command, url, str(folder / "bodies")], capture_output=True, text=True, check=True)
    if "Non-2xx" in run.stdout:
        raise SystemExit(run.stdout)
    at = {number: float(value) * _UNIT_MS[unit] for number, value, unit in _PERCENTILE.findall(run.stdout)}
    rate = _RATE.search(run.stdout)
    assert rate is not None, run.stdout
    return Figures(float(rate[1]), at["50"], at["99"])


def serve_bare(answer: Path, port_file: Path) -> None:
    """The bare route, under the same uvicorn settings as `yoorec serve`."""
    import uvicorn
    from starlette.applications import Starlette
    from starlette.requests import Request
    from starlette.responses import Response
    from starlette.routing import Route

    from yoorec.server.wire import read_request

    payload = answer.read_bytes()

    async def recommend(request: Request) -> Response:
        read_request(await request.body())
        return Response(payload, media_type="application/json")

    app = Starlette(routes=[Route("/v1/recommend", recommend, methods=["POST"])])
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    port_file.write_text(str(listener.getsockname()[1]))
    config = uvicorn.Config(app, http="httptools", ws="none", access_log=False, log_config=None, server_header=False)
    server = uvicorn.Server(config)
    with asyncio.Runner(loop_factory=config.get_loop_factory()) as runner:
        runner.run(server.serve([listener]))


@contextmanager
def bare(folder: Path, core: Sequence[str]) -> Iterator[str]:
    """The bare route as a process."""
    port_file = folder / "bare-port"
    port_file.unlink(missing_ok=True)
    command = [*core, sys.executable, __file__, "--bare", str(folder / "answer"), str(port_file)]
    process = subprocess.Popen(command)
    try:
        while not port_file.exists() or not port_file.read_text():
            time.sleep(0.02)
        url = f"http://127.0.0.1:{port_file.read_text()}"
        while True:
            try:
                httpx.post(f"{url}/v1/recommend", json={})
                break
            except httpx.TransportError:
                time.sleep(0.02)
        yield url
    finally:
        process.terminate()
        process.wait()


def write_site(folder: Path) -> Path:
    """A folder that, on PYTHONPATH, installs the stub trigger."""
    site = folder / "site"
    (site / "yoorec_stub-0.1.dist-info").mkdir(parents=True)
    (site / "yoorec_stub.py").write_text(PLUGIN)
    (site / "yoorec_stub-0.1.dist-info" / "METADATA").write_text(
        "Metadata-Version: 2.1\nName: yoorec-stub\nVersion: 0.1\n"
    )
    (site / "yoorec_stub-0.1.dist-info" / "entry_points.txt").write_text("[yoorec]\nstub = yoorec_stub\n")
    return site


def write_bodies(folder: Path, overrides: Sequence[str]) -> None:
    """Bodies of known users with a main item and a session of five, and one real answer."""
    import yoorec

    scene = yoorec.load("light", overrides)
    rng = np.random.default_rng(0)
    users, items = scene.catalogue.users.ids, scene.catalogue.items.ids
    lines = []
    for _ in range(2000):
        session = [items[item] for item in rng.integers(0, len(items), 5)]
        times = scene.release.end - np.arange(5) * 40_000
        plays = [{"item_id": item, "time": int(time)} for item, time in zip(session, times, strict=True)]
        user = users[int(rng.integers(0, len(users)))]
        lines.append(json.dumps({"user_id": user, "item_id": session[0], "session": plays, "k": 10}))
    (folder / "bodies").write_text("\n".join(lines) + "\n")
    from yoorec.server.wire import encode

    answer = scene.recommend(users[0], items[0])
    (folder / "answer").write_bytes(encode(answer))
    scene.close()


def memory_mb(pid: int) -> float:
    """Resident memory of a process."""
    status = Path(f"/proc/{pid}/status").read_text()
    found = re.search(r"VmRSS:\s+(\d+) kB", status)
    assert found is not None
    return int(found[1]) / 1024


def start_s(arguments: Sequence[str], environment: dict[str, str]) -> float:
    """Seconds from the start of the process until it is ready."""
    started = time.perf_counter()
    with server_process(arguments, environment):
        return time.perf_counter() - started


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--seconds", type=int, default=4, help="seconds of each run of wrk")
    parser.add_argument("--rounds", type=int, default=3, help="runs of each, taken in turn; the median counts")
    parser.add_argument("--only", nargs="*", help="names of the servers to run beside the bare one")
    parser.add_argument("--bare", nargs=2, type=Path, help=argparse.SUPPRESS)
    parser.add_argument("overrides", nargs="*", help="overrides of the light scene")
    given = parser.parse_intermixed_args()
    if given.bare:
        serve_bare(*given.bare)
        return
    if shutil.which("wrk") is None:
        raise SystemExit("this benchmark needs wrk: apt-get install wrk")
    cores = sorted(os.sched_getaffinity(0))
    pin = [["taskset", "-c", str(core)] for core in (cores[0], cores[-1])] if len(cores) > 1 else [[], []]
    with tempfile.TemporaryDirectory() as aside:
        folder = Path(aside)
        store = f"store={folder / 'store'}"
        environment = {"PYTHONPATH": str(write_site(folder)), "OPENBLAS_NUM_THREADS": "1"}
        (folder / "stubs.yaml").write_text(STUBS)
        (folder / "wrk.lua").write_text(LUA)
        write_bodies(folder, [store, *given.overrides])
        data = [each for each in given.overrides if each.startswith("data")]
        stubs, light = [str(folder / "stubs.yaml"), store, *data], ["light", store, *given.overrides]
        kinds = {
            "stub triggers": stubs,
            "stub triggers, no deadlines": [*stubs, "serve.deadlines=false"],
            "stub triggers, one request a pass": [*stubs, "serve.max_batch=1"],
            "stub triggers, one worker": [*stubs, "serve.workers=1"],
            "light scene": light,
            "light scene, no deadlines": [*light, "serve.deadlines=false"],
            "light scene, one request a pass": [*light, "serve.max_batch=1"],
            "light scene, one worker": [*light, "serve.workers=1"],
        }
        if given.only is not None:
            kinds = {name: kinds[name] for name in given.only}
        found: dict[tuple[str, int], list[Figures]] = {}
        memory: dict[str, float] = {}
        for _ in range(given.rounds):
            with bare(folder, pin[0]) as url:
                measure_one("bare Starlette route", url, given.seconds, folder, pin[1], found)
            for name, arguments in kinds.items():
                with server_process(arguments, environment, pin[0]) as (url, process):
                    measure_one(name, url, given.seconds, folder, pin[1], found)
                    memory[name] = memory_mb(process.pid)
        print_table(found, memory)
        ready = statistics.median(start_s(light, environment) for _ in range(3))
        print(f"\nlight scene: {ready:.2f} s from the process's start to ready (target 1.5)")


def measure_one(
    name: str, url: str, seconds: int, folder: Path, core: Sequence[str], found: dict[tuple[str, int], list[Figures]]
) -> None:
    """Both numbers of connections against one server, after a moment's warm-up."""
    ask(url, 16, 1, folder, core)
    for connections in (1, 16):
        found.setdefault((name, connections), []).append(ask(url, connections, seconds, folder, core))


def print_table(found: dict[tuple[str, int], list[Figures]], memory: dict[str, float]) -> None:
    """Medians, and ratios to the bare route."""
    print(f"{'server':<34} {'conn.':>5} {'requests/s':>10} {'p50 ms':>8} {'p99 ms':>8} {'cost':>6} {'MB':>5}")
    names = list(dict.fromkeys(name for name, _ in found))
    for connections in (1, 16):
        base = statistics.median(each.per_s for each in found[names[0], connections])
        for name in names:
            runs = found[name, connections]
            per_s = statistics.median(each.per_s for each in runs)
            p50 = statistics.median(each.p50_ms for each in runs)
            p99 = statistics.median(each.p99_ms for each in runs)
            size = f"{memory[name]:.0f}" if name in memory else ""
            print(
                f"{name:<34} {connections:>5} {per_s:>10,.0f} {p50:>8.2f} {p99:>8.2f} {base / per_s:>5.2f}x {size:>5}"
            )


if __name__ == "__main__":
    main()
