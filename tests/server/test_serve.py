"""`yoorec serve` as a process: start, readiness, stop, refusals."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

import yoorec
from yoorec.artifacts.release import Release
from yoorec.config.compose import load_scenario
from yoorec.errors import YoorecError
from yoorec.fit import fit
from yoorec.plugins import load_plugins
from yoorec.server.process import server_process
from yoorec.testing.project import Project, write_tables
from yoorec.testing.worlds import small_log


@pytest.fixture
def scenario(yoorec_project: Callable[..., Project], monkeypatch: pytest.MonkeyPatch) -> Path:
    """A scenario with artifacts, in the working directory."""
    project = yoorec_project(triggers={"itemcf": {"use": "itemcf"}})
    monkeypatch.chdir(project.folder)
    project.scene().close()
    return project.path


def test_server_answers_like_the_scene_in_process_and_ends_quietly(scenario: Path) -> None:
    allow = ["serve.allow_time=true"]
    with server_process([str(scenario), *allow]) as (url, process):
        now = yoorec.load(scenario).release.end
        body = {"user_id": "u01", "item_id": "i01", "time": now, "k": 5}
        answer = httpx.post(f"{url}/v1/recommend", json=body)
        assert answer.status_code == 200
        scene = yoorec.load(scenario, allow)
        assert answer.json() == scene.recommend("u01", "i01", k=5, time=now)
        scene.close()
        process.send_signal(signal.SIGTERM)
        assert process.wait(10) == 0


def test_operator_is_told_start_readiness_and_stop(scenario: Path) -> None:
    command = [sys.executable, "-m", "yoorec", "serve", str(scenario), "serve.port=0"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert process.stdout is not None
    first, second = process.stdout.readline(), process.stdout.readline()
    process.send_signal(signal.SIGINT)
    rest, errors = process.communicate(timeout=20)
    assert first.startswith("serving small at http://127.0.0.1:")
    assert second.startswith("ready in ")
    assert (rest, errors, process.returncode) == ("stopped\n", "", 0)


def test_requests_under_way_are_answered_before_the_server_ends(scenario: Path) -> None:
    with server_process([str(scenario)]) as (url, process):
        host, _, port = url.removeprefix("http://").partition(":")
        with socket.create_connection((host, int(port)), timeout=10) as connection:
            connection.sendall(b"POST /v1/recommend HTTP/1.1\r\nhost: x\r\ncontent-length: 18\r\n\r\n")
            httpx.get(f"{url}/healthz")
            process.send_signal(signal.SIGTERM)
            connection.sendall(b'{"item_id": "i01"}')
            received = b""
            while chunk := connection.recv(65536):
                received += chunk
        assert received.startswith(b"HTTP/1.1 200 ")
        assert len(json.loads(received.partition(b"\r\n\r\n")[2])["items"]) == 10
        assert process.wait(10) == 0


def test_a_hang_up_reloads_and_refuses_what_is_damaged(scenario: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("YOOREC_ADMIN_TOKEN", "secret")
    plugins = load_plugins()

    def publish(seed: int) -> Release:
        write_tables(scenario.parent, small_log(seed=seed))
        return fit(load_scenario(scenario, (), plugins), plugins)

    def until(url: str, wanted: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
        deadline = time.monotonic() + 30
        while not wanted(found := httpx.get(f"{url}/v1/scenarios").json()["scenarios"][0]):
            assert time.monotonic() < deadline, found
            time.sleep(0.02)
        return found

    with server_process([str(scenario)]) as (url, process):
        second = publish(1)
        process.send_signal(signal.SIGHUP)
        until(url, lambda found: found["release"] == second.version)
        third = publish(2)
        slot = third.slots["triggers.itemcf"]
        path = scenario.parent / ".yoorec" / "artifacts" / slot.component / slot.fingerprint / "near_item.npy"
        whole = path.read_bytes()
        path.write_bytes(whole[:-1])
        process.send_signal(signal.SIGHUP)
        found = until(url, lambda found: found["refused"] is not None)
        assert (found["release"], found["refused"]["release"]) == (second.version, third.version)
        path.write_bytes(whole)
        answer = httpx.post(f"{url}/v1/admin/reload", headers={"authorization": "Bearer secret"}, timeout=30)
        assert answer.json()["scenes"][0]["outcome"] == "reloaded"
        assert httpx.post(f"{url}/v1/recommend", json={"user_id": "u01"}).status_code == 200
        process.send_signal(signal.SIGTERM)
        assert process.wait(10) == 0


def test_port_that_is_taken_is_told(scenario: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        command = [sys.executable, "-m", "yoorec", "serve", str(scenario), f"serve.port={port}"]
        found = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert found.returncode == 2
    assert found.stderr == (f"serve.host, serve.port: can't listen at 127.0.0.1:{port}: {os.strerror(98)}\n")


def test_process_that_does_not_come_up_is_told_with_its_output(scenario: Path) -> None:
    with (
        pytest.raises(YoorecError, match="did not come up and ended with 2") as caught,
        server_process([str(scenario), "slate=none"]),
    ):
        pass
    assert "slate" in str(caught.value)


def test_serving_imports_no_more_than_it_needs(scenario: Path) -> None:
    """What only reading data, fitting or training needs stays out of the server's process."""
    program = f"""
import sys, threading, time, os, signal
from yoorec.config.compose import load_scenario
from yoorec.plugins import load_plugins
from yoorec.scene import open_current
from yoorec.server.serve import serve
def end(text):
    if text.startswith("ready"):
        os.kill(os.getpid(), signal.SIGTERM)
plugins = load_plugins()
scene = open_current(load_scenario({str(scenario)!r}, ["serve.port=0"], plugins), plugins)
serve([scene], say=end)
print(sorted({{"duckdb", "tensorflow", "faiss", "gensim", "PIL", "rich"}} & set(sys.modules)))
"""
    found = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=False)
    assert (found.stdout, found.stderr) == ("[]\n", "")
