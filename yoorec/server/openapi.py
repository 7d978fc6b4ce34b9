"""The OpenAPI 3.1 document of the server, its schemas taken from the wire types."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

from yoorec import __version__
from yoorec.config.scenario import Scenario
from yoorec.server.admin import TOKEN
from yoorec.server.describe import Scenarios
from yoorec.server.reload import ReloadRefused, Reloads
from yoorec.server.wire import Answer, ErrorBody, Recommend, Reload

__all__ = ["document"]


class Status(msgspec.Struct):
    """That the process is up, or ready."""

    status: str


_REFERENCE = "#/components/schemas/{name}"
_RETRY = {"Retry-After": {"description": "Seconds to wait.", "schema": {"type": "integer"}}}


def document(scenarios: Sequence[Scenario]) -> dict[str, Any]:
    """The document for a server of `scenarios`; limits that differ between scenes are given as the widest."""
    _, schemas = msgspec.json.schema_components(
        [Recommend, Answer, ErrorBody, Scenarios, Status, Reload, Reloads, ReloadRefused], ref_template=_REFERENCE
    )
    settings = [scenario.serve for scenario in scenarios]
    request = schemas["Recommend"]
    for each in (request, schemas["Reload"]):
        each["properties"]["scene"]["enum"] = sorted(scenario.scene for scenario in scenarios)
    request["properties"]["k"]["maximum"] = max(each.max_k for each in settings)
    request["properties"]["session"]["maxItems"] = max(each.max_session for each in settings)
    if not any(each.allow_time for each in settings):
        del request["properties"]["time"]
    if len(scenarios) > 1:
        request["required"] = ["scene"]
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "yoorec",
            "version": __version__,
            "summary": "What to show next, one slate a request.",
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "servers": [{"url": "/"}],
        "paths": _paths(max(each.max_body for each in settings)),
        "components": {
            "schemas": schemas,
            "securitySchemes": {
                "admin": {"type": "http", "scheme": "bearer", "description": f"The value of the server's {TOKEN}."}
            },
        },
    }


def _paths(max_body: int) -> dict[str, Any]:
    return {
        "/v1/recommend": {
            "post": {
                "operationId": "recommend",
                "summary": "Recommend a slate.",
                "description": "Unknown users and items are cold starts, not errors. "
                "A trigger that fails or is late is left out and named under `degraded`.",
                "requestBody": {"required": True, "content": _content("Recommend")},
                "responses": {
                    "200": _response("The slate, best first.", "Answer"),
                    "400": _response("The request can't be taken; `field` says where.", "ErrorBody"),
                    "413": _response(f"The body is larger than {max_body} bytes.", "ErrorBody"),
                    "500": _response("A stage of the chain failed; `stage` names it.", "ErrorBody"),
                    "503": {
                        **_response("The scene is warming up, or too many requests wait.", "ErrorBody"),
                        "headers": _RETRY,
                    },
                    **_ANYWHERE,
                },
            }
        },
        "/v1/scenarios": _get("scenarios", "Tell the served scenes, their chains and counts.", "Scenarios"),
        "/v1/admin/reload": {
            "post": {
                "operationId": "reload",
                "summary": "Bring scenes to their current releases.",
                "description": "Requests are answered all the while: by the old release until the new one is opened, "
                "verified, warmed up and compared, then by the new one. One reload at a time; others wait.",
                "security": [{"admin": []}],
                "requestBody": {"required": False, "content": _content("Reload")},
                "responses": {
                    "200": _response("Each scene is at its current release.", "Reloads"),
                    "400": _response("The request can't be taken; `field` says where.", "ErrorBody"),
                    "401": {
                        **_response("The token is missing or another.", "ErrorBody"),
                        "headers": {"WWW-Authenticate": {"description": "Bearer.", "schema": {"type": "string"}}},
                    },
                    "403": _response("The server was started without a token.", "ErrorBody"),
                    "413": _response("The body is too large.", "ErrorBody"),
                    "422": _response("A release is refused; the one in use stays in use.", "ReloadRefused"),
                    **_ANYWHERE,
                },
            }
        },
        "/healthz": _get("healthz", "Tell that the process is up.", "Status"),
        "/readyz": _get(
            "readyz",
            "Tell whether every scene is warm.",
            "Status",
            {"503": {**_response("Not every scene is warm yet.", "ErrorBody"), "headers": _RETRY}},
        ),
        "/openapi.json": {
            "get": {
                "operationId": "openapi",
                "summary": "Give this document.",
                "responses": {
                    "200": {
                        "description": "OpenAPI 3.1.",
                        "content": {"application/json": {"schema": {"type": "object"}}},
                    },
                    **_ANYWHERE,
                },
            }
        },
    }


def _get(operation: str, summary: str, schema: str, errors: dict[str, Any] | None = None) -> dict[str, Any]:
    responses = {"200": _response("Success.", schema), **(errors or {}), **_ANYWHERE}
    return {"get": {"operationId": operation, "summary": summary, "responses": responses}}


def _content(schema: str) -> dict[str, Any]:
    return {"application/json": {"schema": {"$ref": _REFERENCE.format(name=schema)}}}


def _response(description: str, schema: str) -> dict[str, Any]:
    return {"description": description, "content": _content(schema)}


_ANYWHERE = {"405": _response("The path doesn't take this method.", "ErrorBody")}
