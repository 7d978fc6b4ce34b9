"""Processes of this machine that do one job together: what they import, and what they leak, stays out of this one."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from threading import Thread

__all__ = ["Crew", "begun", "tell"]

_SAID = 4000
"""Characters of a failed process' last words that are passed on."""

Report = Callable[[float, str], None]
"""Told of the share of the job that is done, and a note."""


class Crew:
    """Processes that run a module together: they start at once, and wait for their job, which is left in `folder`.

    The first of them is the chief, whom one listens to. Used as a context, whose end is theirs and the folder's.

    name:        whose process is said to have failed: "tdm: training".
    module:      what each runs, with `arguments` and the folder's path after it; it calls `begun` before it looks for
                 its job, and the chief's `tell` is heard.
    environment: of a process, from the addresses of all and its number: free ports of the loopback device, to talk
                 among themselves, none for one alone. The import path of this process is added.
    """

    def __init__(
        self,
        name: str,
        module: str,
        arguments: Sequence[str],
        size: int,
        environment: Callable[[list[str], int], dict[str, str]],
    ) -> None:
        self.name = name
        self._kept = tempfile.TemporaryDirectory(prefix="yoorec-crew-")
        self.folder = Path(self._kept.name)
        self._processes: list[subprocess.Popen[str]] = []
        self._failed: list[int] = []
        path = {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
        try:
            addresses = _addresses(size) if size > 1 else []
            for number in range(size):
                with self._said(number).open("w", encoding="utf-8") as said:
                    self._processes.append(
                        subprocess.Popen(
                            [sys.executable, "-m", module, *arguments, str(self.folder)],
                            env=environment(addresses, number) | path,
                            stdin=subprocess.PIPE,
                            stdout=subprocess.PIPE if number == 0 else subprocess.DEVNULL,
                            stderr=said,
                            text=True,
                        )
                    )
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> Crew:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def run(self, report: Report) -> None:
        """Let them begin, once, and wait for their end, passing on what the chief tells.

        Raises RuntimeError with the last words of a process that failed; the others are ended then.
        """
        watchers = [Thread(target=self._watch, args=(number,)) for number in range(len(self._processes))]
        for watcher in watchers:
            watcher.start()
        for process in self._processes:
            assert process.stdin is not None
            with suppress(BrokenPipeError):  # it has ended; its watcher says how
                process.stdin.write("begin\n")
                process.stdin.flush()
        chief = self._processes[0].stdout
        assert chief is not None
        for line in chief:
            report(*json.loads(line))
        for watcher in watchers:
            watcher.join()
        if self._failed:
            first = self._failed[0]
            words = self._said(first).read_text(encoding="utf-8", errors="replace")[-_SAID:].strip()
            which = f"{self.name} process {first + 1} of {len(self._processes)}"
            raise RuntimeError(f"{which} ended with {self._processes[first].returncode}: {words}")

    def close(self) -> None:
        """End what still runs."""
        for process in self._processes:
            process.kill()
            process.wait()
            for pipe in (process.stdin, process.stdout):
                if pipe is not None:
                    with suppress(BrokenPipeError):
                        pipe.close()
        self._kept.cleanup()

    def _said(self, number: int) -> Path:
        """What a process writes to standard error."""
        return self.folder / f"said{number}"

    def _watch(self, number: int) -> None:
        """Wait for a process to end; where it failed, end the others, which would wait for it for ever."""
        if self._processes[number].wait():
            self._failed.append(number)
            for process in self._processes:
                process.kill()


def begun() -> bool:
    """In a process of a crew: wait until the job is there; false where what began this process has ended first."""
    return bool(sys.stdin.readline())


def tell(share: float, note: str) -> None:
    """In the chief: what share of the job is done, and a note."""
    sys.stdout.write(json.dumps([share, note]) + "\n")
    sys.stdout.flush()


def _addresses(size: int) -> list[str]:
    sockets = [socket.socket() for _ in range(size)]
    try:
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        return [f"127.0.0.1:{each.getsockname()[1]}" for each in sockets]
    finally:
        for each in sockets:
            each.close()
