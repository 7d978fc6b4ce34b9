"""Served scenes over real HTTP: uvicorn on a free port, in a thread of the test's process."""

from __future__ import annotations

import asyncio
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from typing import Any

import httpx
import pytest
import uvicorn

from yoorec.fit import fit
from yoorec.scene import Scene
from yoorec.server.app import create_app


@pytest.fixture
def open_scene(small_scene: Callable[..., Any]) -> Iterator[Callable[..., Scene]]:
    """`open_scene(triggers, serve={"max_k": 20}, scene="other", ...)`: a fitted scene, closed after the test."""
    with ExitStack() as stack:

        def make(*arguments: Any, serve: dict[str, Any] | None = None, scene: str = "small", **options: Any) -> Scene:
            made = small_scene(*arguments, **options)
            settings = replace(made.scenario.serve, **(serve or {}))
            scenario = replace(made.scenario, scene=scene, serve=settings)
            opened = Scene.open(scenario, fit(scenario, made.plugins, made.dataset), made.plugins)
            stack.callback(opened.close)
            return opened

        yield make


@contextmanager
def running(*scenes: Scene, healthy: bool = True, token: str | None = None) -> Iterator[str]:
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    ready = threading.Event()
    failures: list[Exception] = []

    def failed(error: Exception) -> None:
        failures.append(error)
        ready.set()

    app = create_app(scenes, on_ready=ready.set, on_failure=failed, admin_token=token)
    del scenes  # a reload may let go of them
    server = uvicorn.Server(uvicorn.Config(app, log_config=None, access_log=False, lifespan="on"))
    thread = threading.Thread(target=lambda: asyncio.run(server.serve([listener])))
    # Client and server share this interpreter; at the default 5 ms each handover would cost a test that much.
    interval = sys.getswitchinterval()
    sys.setswitchinterval(0.0001)
    thread.start()
    try:
        deadline = time.monotonic() + 60
        while not (ready.is_set() and server.started):
            assert time.monotonic() < deadline, "the server did not come up"
            time.sleep(0.01)
        assert not failures or not healthy
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join()
        sys.setswitchinterval(interval)


@pytest.fixture
def serve_scenes() -> Iterator[Callable[..., httpx.Client]]:
    """`serve_scenes(scene, ...)`: an HTTP client of a server of these scenes, stopped after the test.

    healthy: False where the scenes can't be warmed up. token: what admin calls must bring.
    """
    with ExitStack() as stack:

        def start(*scenes: Scene, healthy: bool = True, token: str | None = None) -> httpx.Client:
            url = stack.enter_context(running(*scenes, healthy=healthy, token=token))
            return stack.enter_context(httpx.Client(base_url=url, timeout=30))

        yield start
