"""Session neighbours behind the real server, under an open-loop load at a fixed rate.

    python tests/benchmarks/sknn_serve.py [--rate 1000] [--seconds 10] [--rounds 3]

The server's one trigger is `sknn`, fitted on the Yoochoose 1/64 train sessions; it is asked the prefixes of the test
sessions, 20 items each. Requests come at random (Poisson) times that are fixed beforehand, whether or not earlier ones
were answered, and a latency counts from the time at which its request was due: whatever waits, wherever it waits, is
in the figure. The sender is a process of its own and has one core, the server another (all of them with `--spread`).

Serenade (Kersbergen et al., SIGMOD 2022), session neighbours in Rust, gives a p90 below 7 ms at 1,000 requests a second
on 2 virtual cores.
"""

from __future__ import annotations

import argparse
import json
import os
import select
import socket
import subprocess
import sys
import tempfile
import time
from collections import deque
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import numpy.typing as npt

from yoorec.server.process import server_process

ROOT = Path(__file__).resolve().parents[2]

SCENARIO = """
defaults: [yoorec/base, data: sessions, _self_]
scene: sessions
slate: 20
triggers:
  sknn:
    use: sknn
    limit: 50
    neighbors: {neighbors}
    sample: {sample}
    recency: 0.5
    rarity: 2.5
    half_life: 300s
    forward: 0.6
    backward: 0.4
    same: 0.1
    repeat: 0.8
exposure: []
replay: {{protocol: given, metrics: ["recall@20", "mrr@20"]}}
"""

PUBLISHED_P90_MS = 7.0


@dataclass(slots=True)
class Connection:
    """One kept-alive connection; it carries one request at a time."""

    stream: socket.socket
    due: float = 0.0
    told: bytearray = field(default_factory=bytearray)

    def ask(self, request: bytes, due: float) -> None:
        self.due = due
        self.stream.sendall(request)

    def answered(self) -> bool:
        """Take what has come in; true once the answer is whole. Raises SystemExit at any but a 200."""
        self.told += self.stream.recv(65_536)
        head = self.told.find(b"\r\n\r\n")
        if head < 0:
            return False
        if not self.told.startswith(b"HTTP/1.1 200"):
            raise SystemExit(self.told.decode(errors="replace"))
        name = b"content-length:"
        place = self.told[:head].lower().index(name) + len(name)
        length = int(self.told[place : self.told.find(b"\r\n", place)])
        if len(self.told) < head + 4 + length:
            return False
        self.told.clear()
        return True


def load(address: str, requests: list[bytes], due: npt.NDArray[np.float64], connections: int) -> list[float]:
    """Send request r at due[r] seconds from now, and give each one's latency in ms.

    The loop never sleeps: a timer would wake late by as much as is measured here.
    """
    host, port = address.split(":")
    every: dict[int, Connection] = {}
    poll = select.epoll()
    for _ in range(connections):
        stream = socket.create_connection((host, int(port)))
        stream.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        poll.register(stream, select.EPOLLIN)
        every[stream.fileno()] = Connection(stream)
    idle = deque(every.values())
    latencies: list[float] = []
    start = time.perf_counter() + 0.1
    sent = 0
    while len(latencies) < len(due):
        while sent < len(due) and idle and start + due[sent] <= time.perf_counter():
            idle.popleft().ask(requests[sent % len(requests)], start + due[sent])
            sent += 1
        for file, _ in poll.poll(0):
            connection = every[file]
            if connection.answered():
                latencies.append((time.perf_counter() - connection.due) * 1000)
                idle.append(connection)
    return latencies


def write_requests(folder: Path, prefixes: list[list[int]], path: str = "/v1/recommend") -> None:
    """Whole HTTP requests, one a line of JSON text: the prefix, newest first, its latest item the main one."""
    lines = []
    for prefix in prefixes:
        session = [str(item) for item in reversed(prefix)]
        body = json.dumps({"item_id": session[0], "session": session, "k": 20})
        head = f"POST {path} HTTP/1.1\r\nhost: bench\r\ncontent-type: application/json\r\n"
        lines.append(json.dumps(f"{head}content-length: {len(body)}\r\n\r\n{body}"))
    (folder / "requests").write_text("\n".join(lines) + "\n")


def send(address: str, file: Path, rate: float, seconds: float, seed: int, connections: int) -> None:
    """The sender's process: prints its latencies as JSON."""
    requests = [json.loads(line).encode() for line in file.read_text().splitlines()]
    rng = np.random.default_rng(seed)
    requests = [requests[row] for row in rng.permutation(len(requests))]
    load(address, requests, np.sort(rng.random(int(rate)) * 1.0), connections)  # a second to warm up
    due = np.cumsum(rng.exponential(1 / rate, int(rate * seconds)))
    print(json.dumps(load(address, requests, due, connections)))


def cpu_s(pid: int) -> float:
    """Seconds of processor time that a process has used so far, its threads together."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--rate", type=float, nargs="+", default=[1000.0], help="requests a second")
    parser.add_argument("--seconds", type=float, default=10.0, help="seconds of each run")
    parser.add_argument("--rounds", type=int, default=3, help="runs at each rate")
    parser.add_argument("--connections", type=int, default=64, help="kept-alive connections")
    parser.add_argument("--neighbors", type=int, default=500)
    parser.add_argument("--sample", type=int, default=2500)
    parser.add_argument("--spread", action="store_true", help="let server and sender use every core")
    parser.add_argument("--send", nargs=6, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.send:
        address, file, rate, seconds, seed, connections = given.send
        send(address, Path(file), float(rate), float(seconds), int(seed), int(connections))
        return
    import pyarrow.parquet as pq

    import yoorec

    data = (ROOT / os.environ.get("YOOREC_DATA", "../shared/data") / "sessions").resolve()
    train, test = (data / f"yoochoose1_64_{part}.parquet" for part in ("train_sessions", "test"))
    cores = sorted(os.sched_getaffinity(0))
    apart = len(cores) > 1 and not given.spread
    pin = [["taskset", "-c", str(core)] if apart else [] for core in (cores[0], cores[-1])]
    with tempfile.TemporaryDirectory() as aside:
        folder = Path(aside)
        scenario = folder / "sessions.yaml"
        scenario.write_text(SCENARIO.format(neighbors=given.neighbors, sample=given.sample))
        overrides = [f"store={folder / 'store'}", f"data.train={train}", f"data.test={test}"]
        yoorec.load(scenario, overrides).close()
        rng = np.random.default_rng(0)
        prefixes = pq.read_table(test, columns=["prefix"]).column("prefix")
        write_requests(folder, prefixes.take(rng.choice(len(prefixes), 5000, replace=False)).to_pylist())
        heads = ("p50 ms", "p90 ms", "p99 ms", "max ms", "cpu ms")
        print(f"{'requests/s':>10} {'sent':>7} " + " ".join(f"{head:>7}" for head in heads))
        with server_process([str(scenario), *overrides], {"OPENBLAS_NUM_THREADS": "1"}, pin[0]) as (url, process):
            for rate in given.rate:
                for number in range(given.rounds):
                    command = [*pin[1], sys.executable, __file__, "--send", url.removeprefix("http://")]
                    command += [str(folder / "requests"), str(rate), str(given.seconds), str(number)]
                    before = cpu_s(process.pid)
                    run = subprocess.run([*command, str(given.connections)], stdout=subprocess.PIPE, check=True)
                    found = np.array(json.loads(run.stdout))
                    cpu_ms = (cpu_s(process.pid) - before) * 1000 / (len(found) + int(rate))
                    p50, p90, p99 = np.percentile(found, [50, 90, 99])
                    print(
                        f"{rate:>10,.0f} {len(found):>7,} {p50:>7.2f} {p90:>7.2f} {p99:>7.2f} {found.max():>7.2f} "
                        f"{cpu_ms:>7.2f}"
                    )
        print(f"Serenade, published, 1,000 requests/s on 2 cores: p90 below {PUBLISHED_P90_MS} ms")


if __name__ == "__main__":
    main()
