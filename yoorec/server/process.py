"""The server as a process of its own, for parity, benchmarks and tests."""

from __future__ import annotations

import http.client
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from yoorec.errors import YoorecError

__all__ = ["server_process"]

_START_S = 180.0
_STOP_S = 20.0


@contextmanager
def server_process(
    arguments: Sequence[str], environment: Mapping[str, str] | None = None, prefix: Sequence[str] = ()
) -> Iterator[tuple[str, subprocess.Popen[bytes]]]:
    """Run ``yoorec serve`` on a free port of this machine; gives its address once it is ready, and the process.

    arguments: scenarios and overrides, as on the command line. environment: variables set beside the present ones.
    prefix: a command to run it under, such as ``taskset -c 0``.
    Raises YoorecError with what the server printed where it does not come up.
    """
    with tempfile.TemporaryDirectory(prefix="yoorec-serve-") as aside:
        port_file, told = Path(aside) / "port", Path(aside) / "told"
        command = [*prefix, sys.executable, "-m", "yoorec", "serve", *arguments]
        command += ["serve.host=127.0.0.1", "serve.port=0", "--port-file", str(port_file)]
        with told.open("wb") as output:
            process = subprocess.Popen(command, stdout=output, stderr=output, env={**os.environ, **(environment or {})})
        try:
            yield _address(process, port_file, told), process
        finally:
            process.terminate()
            try:
                process.wait(_STOP_S)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def _address(process: subprocess.Popen[bytes], port_file: Path, told: Path) -> str:
    deadline = time.monotonic() + _START_S
    while time.monotonic() < deadline and process.poll() is None:
        if port_file.exists():
            port = int(port_file.read_text(encoding="utf-8"))
            if _is_ready(port):
                return f"http://127.0.0.1:{port}"
        time.sleep(0.01)
    why = "in time" if process.poll() is None else f"and ended with {process.returncode}"
    raise YoorecError(
        f"the server did not come up {why}:\n{told.read_text(encoding='utf-8', errors='replace').strip()}"
    )


def _is_ready(port: int) -> bool:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        connection.request("GET", "/readyz")
        return connection.getresponse().status == 200
    except (OSError, http.client.HTTPException):
        return False  # bound, and about to listen
    finally:
        connection.close()
