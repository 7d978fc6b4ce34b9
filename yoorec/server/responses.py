"""Responses of JSON that is bytes already."""

from __future__ import annotations

from collections.abc import Mapping

from starlette.responses import Response

__all__ = ["json_response"]


def json_response(body: bytes, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    """A response of these bytes as application/json."""
    return Response(body, status, headers=headers, media_type="application/json")
