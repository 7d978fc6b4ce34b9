"""The guard of one pass of the chain: asks triggers, keeps their deadlines, and notes who was left out."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from dataclasses import dataclass, field
from functools import partial

from yoorec.batch import CandidateBatch, RequestBatch
from yoorec.bulkhead import Bulkhead, BusyError
from yoorec.config.scenario import TriggerPart

__all__ = ["BULKHEAD_THREADS", "Guard"]

BULKHEAD_THREADS = 4
"""Calls of one trigger that may be under way at once, late ones included."""

_log = logging.getLogger("yoorec.pipeline")
_Recall = Callable[[str, RequestBatch, int], CandidateBatch]
_Timed = tuple[CandidateBatch, float]


@dataclass(slots=True)
class Guard:
    """Asks triggers on behalf of one pass.

    deadlines: run each on its bulkhead, and leave it out where it outruns its timeout. tolerant: leave it out where it
    raises; otherwise its error is raised. left_out: trigger to what happened to it.
    """

    recall: _Recall
    parts: Mapping[str, TriggerPart]
    bulkheads: Mapping[str, Bulkhead]
    deadlines: bool
    tolerant: bool
    left_out: dict[str, str] = field(default_factory=dict)
    _again: dict[str, float] = field(default_factory=dict)

    @property
    def degraded(self) -> tuple[str, ...]:
        """What was left out, as an answer tells it."""
        return tuple(f"triggers.{name}: {why}" for name, why in self.left_out.items())

    def ask_all(self, requests: RequestBatch) -> dict[str, _Timed]:
        """Ask every trigger at once for its limit; each one's candidates and its own time in ms."""
        started = time.perf_counter()
        asked = {name: self._start(name, requests, part.limit) for name, part in self.parts.items()}
        found = {name: self._finish(name, call, started) for name, call in asked.items()}
        return {name: timed for name, timed in found.items() if timed is not None}

    def ask_again(self, name: str, requests: RequestBatch, k: int) -> CandidateBatch:
        """Ask one trigger for more; nothing where it was left out. All later asks share one timeout."""
        if name in self.left_out:
            return CandidateBatch.empty(len(requests))
        started = self._again.setdefault(name, time.perf_counter())
        timed = self._finish(name, self._start(name, requests, k), started)
        return CandidateBatch.empty(len(requests)) if timed is None else timed[0]

    def _start(self, name: str, requests: RequestBatch, k: int) -> Future[_Timed] | Callable[[], _Timed] | None:
        call = partial(self._timed, name, requests, k)
        if not self.deadlines:
            return call
        try:
            return self.bulkheads[name].submit(call)
        except BusyError:
            self.left_out[name] = f"busy, {BULKHEAD_THREADS} earlier calls have not returned"
            return None

    def _timed(self, name: str, requests: RequestBatch, k: int) -> _Timed:
        started = time.perf_counter()
        found = self.recall(name, requests, k)
        return found, (time.perf_counter() - started) * 1000

    def _finish(self, name: str, call: Future[_Timed] | Callable[[], _Timed] | None, started: float) -> _Timed | None:
        if call is None:
            return None
        try:
            if not isinstance(call, Future):
                return call()
            timeout_ms = self.parts[name].timeout_ms
            left_s = None if timeout_ms is None else max(0.0, timeout_ms / 1000 - (time.perf_counter() - started))
            return call.result(left_s)
        except Exception as error:
            # A trigger's own TimeoutError looks like a late future, but leaves the future done.
            if isinstance(call, Future) and not call.done():
                self.left_out[name] = f"timeout after {self.parts[name].timeout_ms} ms"
                return None
            if not self.tolerant:
                raise
            _log.exception("triggers.%s failed", name)
            self.left_out[name] = f"{type(error).__name__}: {error}"
            return None
