"""The batcher: threads that run the chain on whatever requests wait, together.

A free thread takes a lone request at once, so nobody ever waits for company; under load the requests that came in
while every thread was busy form the next batch. No list depends on its batch, so sharing one changes nothing but speed.
"""

from __future__ import annotations

import asyncio
import logging
import queue
import threading
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass

from yoorec.errors import RequestError
from yoorec.pipeline import StageError
from yoorec.scene import Scene, SceneRequest
from yoorec.server.counters import Counters
from yoorec.server.current import Current
from yoorec.server.wire import encode, error_body

__all__ = ["Batcher", "FullError", "Reply", "Waiting"]

_log = logging.getLogger("yoorec.server")
Reply = tuple[int, bytes]
"""HTTP status and JSON body."""
_LATEST = 16


class FullError(Exception):
    """As many requests wait as may."""


@dataclass(slots=True, eq=False)
class Waiting:
    """A request on its way through the chain."""

    request: SceneRequest
    explain: bool
    reply: asyncio.Future[Reply]


class Batcher:
    """Runs one scene's requests on `serve.workers` threads, at most `serve.max_batch` in a pass.

    `submit` is for the event loop's thread; it is the only one that touches the futures.
    latest: the last few requests that were answered, for a reload to try.
    """

    def __init__(self, current: Current, counters: Counters) -> None:
        scenario = current.scene.scenario
        settings = scenario.serve
        self.latest: deque[SceneRequest] = deque(maxlen=_LATEST)
        self._current = current
        self._counters = counters
        self._deadlines = settings.deadlines
        self._max_batch = settings.max_batch
        self._max_queue = settings.max_queue
        self._queue: queue.SimpleQueue[Waiting | None] = queue.SimpleQueue()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._threads = [
            threading.Thread(target=self._work, name=f"yoorec-{scenario.scene}-{number}", daemon=True)
            for number in range(settings.workers)
        ]

    def start(self, loop: asyncio.AbstractEventLoop) -> None:
        """Start the threads; replies are handed to `loop`."""
        self._loop = loop
        for thread in self._threads:
            thread.start()

    def submit(self, request: SceneRequest, explain: bool) -> asyncio.Future[Reply]:
        """Queue a request. Raises FullError where `serve.max_queue` requests wait already."""
        assert self._loop is not None, "start() comes first"
        if self._queue.qsize() >= self._max_queue:
            raise FullError
        reply: asyncio.Future[Reply] = self._loop.create_future()
        self._queue.put(Waiting(request, explain, reply))
        return reply

    def close(self) -> None:
        """Answer what waits, then end the threads. Not for the event loop's thread, which the replies need."""
        for _ in self._threads:
            self._queue.put(None)
        for thread in self._threads:
            # A thread once went on waiting after its None was gone; a server that is told to stop must not hang.
            while thread.is_alive():
                thread.join(1.0)
                self._queue.put(None)

    def _work(self) -> None:
        assert self._loop is not None
        while (first := self._queue.get()) is not None:
            batch = self._gather(first)
            replies = self.answer(batch)
            try:
                self._loop.call_soon_threadsafe(_deliver, batch, replies)
            except RuntimeError:  # the loop was closed under us: nobody is left to tell
                return
            # An idle thread must not keep the last batch's requests alive.
            del first, batch, replies

    def _gather(self, first: Waiting) -> list[Waiting]:
        """The first request and those that wait behind it."""
        batch = [first]
        try:
            while len(batch) < self._max_batch:
                following = self._queue.get_nowait()
                if following is None:
                    self._queue.put(None)
                    break
                batch.append(following)
        except queue.Empty:
            pass
        return batch

    def answer(self, batch: Sequence[Waiting]) -> list[Reply]:
        """A reply for each request, in order. Where a shared pass fails, each request gets a pass of its own."""
        scene = self._current.take()
        try:
            if len(batch) > 1:
                try:
                    return self._pass(scene, batch, tolerant=False)
                except Exception as error:  # noqa: BLE001 - each request is tried again alone, and its error told there
                    _log.debug("a pass of %d requests failed, trying each alone: %s", len(batch), error)
            return [self._answer_one(scene, each) for each in batch]
        finally:
            self._current.give_back(scene)

    def _pass(self, scene: Scene, batch: Sequence[Waiting], *, tolerant: bool) -> list[Reply]:
        requests = [each.request for each in batch]
        result = scene.pipeline.run(scene.encode(requests), deadlines=self._deadlines, tolerant=tolerant)
        replies = [(200, encode(scene.answer(result, b, each.explain))) for b, each in enumerate(batch)]
        self._counters.passed(len(batch), result.degraded)
        self.latest.extend(requests)
        return replies

    def _answer_one(self, scene: Scene, waiting: Waiting) -> Reply:
        try:
            return self._pass(scene, (waiting,), tolerant=True)[0]
        except RequestError as error:
            return 400, error_body(error.message, field=error.field)
        except StageError as error:
            _log.exception("scene '%s': %s failed", scene.scenario.scene, error.stage)
            return 500, error_body(error.message, stage=error.stage)
        except Exception:  # noqa: BLE001 - told to the client without its traceback
            _log.exception("scene '%s': a request failed outside every stage", scene.scenario.scene)
            return 500, error_body("the server failed; its log says more", stage="server")


def _deliver(batch: Sequence[Waiting], replies: Sequence[Reply]) -> None:
    for waiting, reply in zip(batch, replies, strict=True):
        if not waiting.reply.done():  # a handler that was cancelled has let go of its request
            waiting.reply.set_result(reply)
