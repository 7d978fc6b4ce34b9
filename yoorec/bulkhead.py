"""Bulkheads: a few threads of its own for each trigger, so that one that hangs takes nobody else's."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any

__all__ = ["Bulkhead", "BusyError"]


class BusyError(Exception):
    """Every thread of the bulkhead is still held by earlier calls."""


class Bulkhead:
    """Runs calls on at most `threads` daemon threads; a call that finds all of them held is refused at once.

    A late call can't be stopped, only abandoned: its thread is free again when it returns. Daemon threads, since a hung
    call must not keep the process from ending.
    """

    def __init__(self, name: str, threads: int) -> None:
        self._name = name
        self._threads = threads
        self._started = 0
        self._held = 0
        self._lock = threading.Lock()
        self._calls: queue.SimpleQueue[tuple[Future[Any], Callable[[], Any]] | None] = queue.SimpleQueue()

    def submit(self, call: Callable[[], Any]) -> Future[Any]:
        """Start a call. Raises BusyError where every thread is held."""
        with self._lock:
            if self._held >= self._threads:
                raise BusyError(self._name)
            self._held += 1
            if self._started < self._held:
                self._started += 1
                name = f"yoorec-{self._name}-{self._started}"
                threading.Thread(target=self._work, name=name, daemon=True).start()
        future: Future[Any] = Future()
        self._calls.put((future, call))
        return future

    def _work(self) -> None:
        while (item := self._calls.get()) is not None:
            future, call = item
            try:
                result = call()
            except BaseException as error:  # noqa: BLE001 - handed to whoever waits
                self._release()
                future.set_exception(error)
            else:
                self._release()
                future.set_result(result)
            del item, future, call

    def _release(self) -> None:
        with self._lock:
            self._held -= 1

    def close(self) -> None:
        """Let idle threads end."""
        for _ in range(self._started):
            self._calls.put(None)
