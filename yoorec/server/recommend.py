"""The endpoint of ``POST /v1/recommend``: body in, reply of the chain out. The server's hot path."""

from __future__ import annotations

from collections.abc import Mapping

from msgspec import UNSET
from starlette.types import Receive, Scope, Send

from yoorec.server.batcher import FullError
from yoorec.server.service import Service
from yoorec.server.wire import (
    Recommend,
    RefusalError,
    check_limits,
    error_body,
    read_request,
    scene_request,
    unknown_scene,
)

__all__ = ["RecommendEndpoint", "read_body"]

_JSON = (b"content-type", b"application/json")
_RETRY = (b"retry-after", b"1")
_CLOSE = (b"connection", b"close")


class RecommendEndpoint:
    """An ASGI application, so that nothing stands between the server's protocol and the chain."""

    def __init__(self, services: Mapping[str, Service]) -> None:
        self._services = services
        self._only = next(iter(services.values())) if len(services) == 1 else None
        self._max_body = max(service.settings.max_body for service in services.values())

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            body = await read_body(scope, receive, self._max_body)
            if body is None:
                return
            request = read_request(body)
            service = self._service(request)
        except RefusalError as refusal:
            headers = (_CLOSE,) if refusal.status == 413 else ()
            await _send(send, refusal.status, refusal.body(), *headers)
            return
        if not service.ready:
            body = error_body(f"scene '{service.scenario.scene}' is warming up")
            await self._count(service, send, 503, body, _RETRY)
            return
        try:
            if len(body) > service.settings.max_body:
                raise _too_large(service.settings.max_body)
            check_limits(request, service.settings)
            reply = service.batcher.submit(scene_request(request), request.explain is True)
        except RefusalError as refusal:
            await self._count(service, send, refusal.status, refusal.body())
        except FullError:
            waiting = service.settings.max_queue
            await self._count(service, send, 503, error_body(f"{waiting} requests wait already"), _RETRY)
        else:
            status, answer = await reply
            await self._count(service, send, status, answer)

    def _service(self, request: Recommend) -> Service:
        if request.scene is UNSET:
            if self._only is None:
                raise RefusalError("scene", "is missing, and several are served", sorted(self._services))
            return self._only
        service = self._services.get(request.scene)
        if service is None:
            raise unknown_scene(request.scene, list(self._services))
        return service

    @staticmethod
    async def _count(service: Service, send: Send, status: int, body: bytes, *headers: tuple[bytes, bytes]) -> None:
        service.counters.answered(status)
        await _send(send, status, body, *headers)


async def read_body(scope: Scope, receive: Receive, limit: int) -> bytes | None:
    """The body; None where the client went away. Raises RefusalError once more than `limit` bytes are known of."""
    message = await receive()
    body: bytes = message.get("body", b"")
    if len(body) > limit:
        raise _too_large(limit)
    if not message.get("more_body"):
        return body if message["type"] == "http.request" else None
    for name, value in scope["headers"]:
        if name == b"content-length" and int(value) > limit:
            raise _too_large(limit)
    parts, size = [body], len(body)
    while message.get("more_body"):
        message = await receive()
        if message["type"] != "http.request":
            return None
        parts.append(message.get("body", b""))
        size += len(parts[-1])
        if size > limit:
            raise _too_large(limit)
    return b"".join(parts)


def _too_large(limit: int) -> RefusalError:
    return RefusalError("body", "the body is too large", f"at most {limit} bytes", status=413)


async def _send(send: Send, status: int, body: bytes, *headers: tuple[bytes, bytes]) -> None:
    length = (b"content-length", b"%d" % len(body))
    await send({"type": "http.response.start", "status": status, "headers": [_JSON, length, *headers]})
    await send({"type": "http.response.body", "body": body})
