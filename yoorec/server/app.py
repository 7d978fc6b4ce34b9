"""The application: routes over served scenes, their life cycle, and errors as JSON."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Any

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from yoorec.errors import ConfigError, Problem
from yoorec.scene import Scene
from yoorec.server.admin import Admin
from yoorec.server.describe import describe
from yoorec.server.openapi import document
from yoorec.server.recommend import RecommendEndpoint
from yoorec.server.reload import Reloader
from yoorec.server.responses import json_response
from yoorec.server.service import Service
from yoorec.server.wire import encode, error_body

__all__ = ["create_app"]

_log = logging.getLogger("yoorec.server")


def create_app(
    scenes: Sequence[Scene],
    *,
    on_ready: Callable[[], None] | None = None,
    on_failure: Callable[[Exception], None] | None = None,
    admin_token: str | None = None,
) -> Starlette:
    """A Starlette application that serves `scenes`, and closes them: when it ends, or when a reload replaced them.

    on_ready, on_failure: told, on the event loop's thread, when every scene is warm or why one can't be warmed up.
    admin_token: what admin calls must bring; without one they are refused. ``app.state.reloader`` reloads for who runs
    the server.
    Raises ConfigError where two scenarios have the same scene name, naming both files.
    """
    services = _by_name(scenes)
    reloader = Reloader(services)
    failures: list[str] = []

    async def warm_up() -> None:
        try:
            await asyncio.to_thread(reloader.warm_up)
        except Exception as error:  # noqa: BLE001 - whatever it is, the server must not look ready
            _log.exception("a scene can't be warmed up")
            failures.append(str(error))
            if on_failure is not None:
                on_failure(error)
        else:
            if on_ready is not None:
                on_ready()

    @asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        loop = asyncio.get_running_loop()
        for service in services.values():
            service.batcher.start(loop)
        warming = asyncio.create_task(warm_up())
        try:
            yield
        finally:
            await warming
            await asyncio.to_thread(reloader.close)

    async def healthz(request: Request) -> Response:
        return _json({"status": "up"})

    async def readyz(request: Request) -> Response:
        if failures:
            return json_response(error_body(f"warm-up failed: {failures[0]}"), 503)
        waiting = [name for name, service in services.items() if not service.ready]
        if waiting:
            return json_response(error_body(f"warming up: {', '.join(waiting)}"), 503, {"retry-after": "1"})
        return _json({"status": "ready"})

    async def scenarios(request: Request) -> Response:
        return _json({"scenarios": [describe(service) for service in services.values()]})

    openapi = encode(document([scene.scenario for scene in scenes]))

    async def openapi_json(request: Request) -> Response:
        return json_response(openapi)

    admin = Admin(services, reloader, admin_token)
    routes: list[BaseRoute] = [
        Route("/v1/recommend", RecommendEndpoint(services), methods=["POST"], name="recommend"),
        Route("/v1/scenarios", scenarios),
        Route("/v1/admin/reload", admin.reload, methods=["POST"]),
        Route("/healthz", healthz),
        Route("/readyz", readyz),
        Route("/openapi.json", openapi_json),
    ]
    app = Starlette(
        routes=routes,
        lifespan=lifespan,
        exception_handlers={HTTPException: _http_error(routes), Exception: _server_error},
    )
    app.router.redirect_slashes = False
    app.state.reloader = reloader
    return app


def _by_name(scenes: Sequence[Scene]) -> dict[str, Service]:
    services: dict[str, Service] = {}
    for scene in scenes:
        name, path = scene.scenario.scene, scene.scenario.path
        if name in services:
            other = services[name].scenario.path
            problem = Problem(
                str(path), "scene", f"'{name}' is the name of another served scenario, {other}", "a name of its own"
            )
            raise ConfigError((problem,))
        services[name] = Service(scene)
    if not services:
        raise ConfigError((Problem("", "", "nothing to serve: no scenario was named", "at least one scenario"),))
    return services


def _http_error(routes: Sequence[BaseRoute]) -> Callable[[Request, Exception], Response]:
    paths = sorted(route.path for route in routes if isinstance(route, Route))

    def respond(request: Request, error: Exception) -> Response:
        assert isinstance(error, HTTPException)
        if error.status_code == 404:
            body = error_body("there is no such path", field="path", accepted=paths)
        elif error.status_code == 405:
            allowed = sorted((error.headers or {}).get("Allow", "").split(", "))
            body = error_body(f"{request.method} is not taken here", field="method", accepted=allowed)
        else:
            body = error_body(error.detail)
        return json_response(body, error.status_code, error.headers)

    return respond


def _server_error(request: Request, error: Exception) -> Response:
    return json_response(error_body("the server failed; its log says more", stage="server"), 500)


def _json(value: Any) -> Response:
    return json_response(encode(value))
