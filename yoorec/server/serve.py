"""Serving: one process, one event loop, until it is told to stop."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import socket
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import uvicorn

from yoorec.errors import ConfigError, Problem, YoorecError
from yoorec.scene import Scene
from yoorec.server.admin import TOKEN
from yoorec.server.app import create_app
from yoorec.server.memory import release_startup_memory
from yoorec.server.reload import Reloader

__all__ = ["serve"]

_BACKLOG = 2048
_GRACE_S = 10
_SWITCH_S = 0.0005


class _Server(uvicorn.Server):
    """Ends quietly at the first SIGINT or SIGTERM, answering what waits; at the second at once."""

    def stop(self) -> None:
        self.force_exit = self.should_exit
        self.should_exit = True


def serve(
    scenes: list[Scene],
    host: str | None = None,
    port: int | None = None,
    *,
    port_file: Path | None = None,
    started: float | None = None,
    say: Callable[[str], None] | None = None,
) -> None:
    """Serve `scenes` until SIGINT or SIGTERM, then close them. SIGHUP brings them to their current releases.

    scenes:     taken out of the list, so that one that a reload has replaced is kept by nobody.
    host, port: the scenes' own `serve.host` and `serve.port` where None, which must then agree.
    port_file:  the bound port is written here once the server listens.
    started:    `time.perf_counter()` at the process's start, for the time to ready.
    say:        takes what the operator should read; standard output unless given.
    Raises ConfigError where scenes disagree or share a name, YoorecError where the address can't be bound or a scene
    can't be warmed up.
    """
    logging.basicConfig(level=logging.WARNING, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    logging.getLogger("yoorec.server").setLevel(logging.INFO)
    say = say or _say
    started = time.perf_counter() if started is None else started
    bound = _agreed(scenes) if host is None or port is None else (host, port)
    host, port = host if host is not None else bound[0], port if port is not None else bound[1]
    failures: list[Exception] = []
    names = ", ".join(scene.scenario.scene for scene in scenes)

    def ready() -> None:
        release_startup_memory()
        say(f"ready in {time.perf_counter() - started:.2f} s")

    def failed(error: Exception) -> None:
        failures.append(error)
        server.stop()

    try:
        token = os.environ.get(TOKEN)
        app = create_app(scenes, on_ready=ready, on_failure=failed, admin_token=token)
        listener = _bind(host, port)
    except BaseException:
        for scene in scenes:
            scene.close()
        raise
    scenes.clear()
    config = uvicorn.Config(
        app,
        lifespan="on",
        http="httptools",
        ws="none",
        access_log=False,
        log_config=None,
        server_header=False,
        backlog=_BACKLOG,
        timeout_graceful_shutdown=_GRACE_S,
    )
    server = _Server(config)
    address, bound_port = listener.getsockname()[:2]
    shown = f"[{address}]" if ":" in address else address
    if port_file is not None:
        _write_whole(port_file, f"{bound_port}\n")
    say(f"serving {names} at http://{shown}:{bound_port}")
    # A thread of the chain must not hold the interpreter against the event loop for the default 5 ms.
    interval = sys.getswitchinterval()
    sys.setswitchinterval(_SWITCH_S)
    try:
        with asyncio.Runner(loop_factory=config.get_loop_factory()) as runner:
            runner.run(_run(server, listener, app.state.reloader))
    finally:
        sys.setswitchinterval(interval)
        listener.close()
    if failures:
        raise YoorecError(f"the server can't start: {failures[0]}") from failures[0]
    say("stopped")


async def _run(server: _Server, listener: socket.socket, reloader: Reloader) -> None:
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, server.stop)
    loop.add_signal_handler(signal.SIGHUP, lambda: loop.run_in_executor(None, reloader.reload))
    # `_serve` is `serve` without uvicorn's own signal handlers, which end the process with the signal once more.
    await server._serve([listener])


def _agreed(scenes: Sequence[Scene]) -> tuple[str, int]:
    """The one address all scenes name."""
    problems = []
    first = scenes[0].scenario
    for scene in scenes[1:]:
        for key in ("host", "port"):
            found, expected = getattr(scene.scenario.serve, key), getattr(first.serve, key)
            if found != expected:
                problems.append(
                    Problem(
                        str(scene.scenario.path),
                        f"serve.{key}",
                        f"{found!r} differs from {expected!r} of {first.path}, and one server listens at one address",
                        hint=f"yoorec serve ... serve.{key}={expected}",
                    )
                )
    if problems:
        raise ConfigError(tuple(problems))
    return first.serve.host, first.serve.port


def _bind(host: str, port: int) -> socket.socket:
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        listener = socket.socket(family, kind, protocol)
        try:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.bind(address)
        except OSError:
            listener.close()
            raise
    except OSError as error:
        raise YoorecError(f"serve.host, serve.port: can't listen at {host}:{port}: {error.strerror}") from error
    return listener


def _write_whole(path: Path, text: str) -> None:
    """Write aside and rename, so that a reader never sees half of it."""
    aside = path.with_name(f".{path.name}.{os.getpid()}")
    aside.write_text(text, encoding="utf-8")
    aside.replace(path)


def _say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()
