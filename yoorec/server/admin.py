"""Admin calls: who may make them, and the one there is, to reload."""

from __future__ import annotations

import asyncio
import hmac
from collections.abc import Mapping

from msgspec import UNSET
from starlette.requests import Request
from starlette.responses import Response

from yoorec.server.recommend import read_body
from yoorec.server.reload import Reloader, ReloadRefused, Reloads
from yoorec.server.responses import json_response
from yoorec.server.service import Service
from yoorec.server.wire import ErrorReport, RefusalError, encode, read_reload, unknown_scene

__all__ = ["TOKEN", "Admin"]

TOKEN = "YOOREC_ADMIN_TOKEN"
"""Environment variable of the token that admin calls must bring."""
_MAX_BODY = 4096


class Admin:
    """The endpoint of ``POST /v1/admin/reload``. token: what callers must bring; None or "" refuses everybody."""

    def __init__(self, services: Mapping[str, Service], reloader: Reloader, token: str | None) -> None:
        self._services = services
        self._reloader = reloader
        self._token = (token or "").encode()

    async def reload(self, request: Request) -> Response:
        """Reload the scene that the body names, or all; 422 where a release is refused."""
        try:
            self._admit(request.headers.get("authorization", ""))
            body = await read_body(request.scope, request.receive, _MAX_BODY)
            if body is None:
                raise RefusalError("body", "ends before its end", "a whole body")
            asked = read_reload(body)
            if asked.scene is not UNSET and asked.scene not in self._services:
                raise unknown_scene(asked.scene, list(self._services))
        except RefusalError as refusal:
            headers = {"www-authenticate": "Bearer"} if refusal.status == 401 else {}
            return json_response(refusal.body(), refusal.status, headers)
        names = None if asked.scene is UNSET else [asked.scene]
        reports = await asyncio.to_thread(self._reloader.reload, names)
        refused = [f"scene '{each.scene}': {each.why}" for each in reports if each.outcome == "refused"]
        if refused:
            return json_response(encode(ReloadRefused(ErrorReport("; ".join(refused), stage="reload"), reports)), 422)
        return json_response(encode(Reloads(reports)))

    def _admit(self, authorization: str) -> None:
        """Raise RefusalError unless the header brings the token; how long that takes tells nothing of it."""
        if not self._token:
            message = f"admin calls are off: start the server with {TOKEN} set"
            raise RefusalError("authorization", message, "nothing, until then", status=403)
        scheme, _, given = authorization.partition(" ")
        right = hmac.compare_digest(given.strip().encode("latin-1"), self._token)
        if scheme.lower() != "bearer" or not right:
            told = "is missing" if not authorization else "holds another token"
            raise RefusalError("authorization", told, f"Bearer and the value of {TOKEN}", status=401)
