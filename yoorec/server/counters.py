"""Counters of one scene since the server's start: answers by status, passes of the chain, triggers left out."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field

__all__ = ["Counters", "Snapshot"]


@dataclass(frozen=True, slots=True)
class Snapshot:
    """Counts at one moment.

    answers: HTTP status to requests. passes: runs of the chain; requests that share one count once.
    degraded: (trigger, cause) to requests it was left out of; cause is "timeout", "busy" or "error".
    """

    answers: dict[int, int] = field(default_factory=dict)
    passes: int = 0
    degraded: dict[tuple[str, str], int] = field(default_factory=dict)


class Counters:
    """Counts from several threads at once."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._answers: Counter[int] = Counter()
        self._degraded: Counter[tuple[str, str]] = Counter()
        self._passes = 0

    def passed(self, requests: int, degraded: Iterable[str] = ()) -> None:
        """Count a pass of the chain over `requests` requests; `degraded` as in `pipeline.Result`."""
        with self._lock:
            self._passes += 1
            for text in degraded:
                self._degraded[_trigger_and_cause(text)] += requests

    def answered(self, status: int, requests: int = 1) -> None:
        """Count answers."""
        with self._lock:
            self._answers[status] += requests

    def snapshot(self) -> Snapshot:
        """The counts now."""
        with self._lock:
            return Snapshot(dict(self._answers), self._passes, dict(self._degraded))


def _trigger_and_cause(text: str) -> tuple[str, str]:
    """Read ``triggers.hot: timeout after 50 ms``."""
    stage, _, reason = text.partition(": ")
    cause = reason.split(maxsplit=1)[0].rstrip(",:") if reason else ""
    return stage.removeprefix("triggers."), cause if cause in ("timeout", "busy") else "error"
