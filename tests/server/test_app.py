"""Routes, errors and limits over real HTTP."""

import json
import socket
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import httpx
import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from yoorec.errors import ConfigError
from yoorec.scene import Scene
from yoorec.server.app import create_app
from yoorec.server.describe import Scenarios
from yoorec.server.openapi import document
from yoorec.server.wire import ErrorBody


def test_scenarios_are_described_without_paths(
    open_scene: Callable[..., Scene], serve_scenes: Callable[..., httpx.Client]
) -> None:
    scene = open_scene(ranker="blend", rules=("drop_seen", "backfill"))
    before = int(time.time() * 1000)
    answer = serve_scenes(scene).get("/v1/scenarios")
    (report,) = msgspec.json.decode(answer.content, type=Scenarios).scenarios
    assert before <= report.loaded <= time.time() * 1000
    assert answer.json() == {
        "scenarios": [
            {
                "scene": "small",
                "scenario_hash": "0123456789abcdef",
                "release": scene.release.version,
                "cut": scene.release.replay_cut,
                "loaded": report.loaded,
                "refused": None,
                "ready": True,
                "slate": 10,
                "max_k": 200,
                "triggers": [{"name": "counts", "use": "counts", "limit": 30, "timeout_ms": 50, "degraded": {}}],
                "merge": "round_robin",
                "ranker": "blend",
                "exposure": ["drop_seen", "backfill"],
                "answers": {},
                "passes": 0,
            }
        ]
    }
    assert str(scene.scenario.store) not in answer.text


def test_errors_are_json(open_scene: Callable[..., Scene], serve_scenes: Callable[..., httpx.Client]) -> None:
    client = serve_scenes(open_scene())
    paths = ["/healthz", "/openapi.json", "/readyz", "/v1/admin/reload", "/v1/recommend", "/v1/scenarios"]
    for path in ("/v1/recomend", "/v1/recommend/", "/"):
        answer = client.post(path, json={})
        assert answer.status_code == 404
        assert answer.json() == {"error": {"message": "there is no such path", "field": "path", "accepted": paths}}
    answer = client.get("/v1/recommend")
    assert (answer.status_code, answer.headers["allow"]) == (405, "POST")
    assert answer.json() == {"error": {"message": "GET is not taken here", "field": "method", "accepted": ["POST"]}}
    answer = client.post("/healthz")
    assert answer.json() == {
        "error": {"message": "POST is not taken here", "field": "method", "accepted": ["GET", "HEAD"]}
    }


def test_what_is_wrong_with_a_request_is_named(
    open_scene: Callable[..., Scene], serve_scenes: Callable[..., httpx.Client]
) -> None:
    scene = open_scene(serve={"max_k": 20, "max_session": 2})
    client = serve_scenes(scene)
    future = 10**14
    for body, field in (
        ({"k": 21}, "k"),
        ({"session": ["a", "b", "c"]}, "session"),
        ({"time": 5}, "time"),
        ({"user": "u"}, "user"),
        ({"scene": "other"}, "scene"),
        ({"session": [{"item_id": "a", "time": future}]}, "session[0].time"),
        ({"session": ["b", {"item_id": "a", "event": "sneeze"}]}, "session[1].event"),
    ):
        answer = client.post("/v1/recommend", json=body)
        assert answer.status_code == 400, body
        assert answer.json()["error"]["field"] == field
    assert client.get("/v1/scenarios").json()["scenarios"][0]["answers"] == {"400": 5}


def test_content_type_does_not_matter(
    open_scene: Callable[..., Scene], serve_scenes: Callable[..., httpx.Client]
) -> None:
    client = serve_scenes(open_scene())
    answer = client.post("/v1/recommend", content=b'{"k": 3}', headers={"content-type": "text/plain"})
    assert answer.status_code == 200
    assert len(answer.json()["items"]) == 3


def test_body_limit_holds_while_the_body_streams(
    open_scene: Callable[..., Scene], serve_scenes: Callable[..., httpx.Client]
) -> None:
    client = serve_scenes(open_scene(serve={"max_body": 1000}))
    told = {"error": {"message": "the body is too large", "field": "body", "accepted": "at most 1000 bytes"}}
    for content in (b" " * 998 + b"{}", iter([b" " * 499, b" " * 499, b"{}"])):
        assert client.post("/v1/recommend", content=content).status_code == 200
    for content in (b" " * 999 + b"{}", iter([b" " * 500, b" " * 500, b"{}"])):
        answer = client.post("/v1/recommend", content=content)
        assert (answer.status_code, answer.json()) == (413, told)
    # Chunks without an end: the answer comes although the body never ends.
    address = (client.base_url.host, client.base_url.port)
    with socket.create_connection(address, timeout=10) as connection:
        connection.sendall(b"POST /v1/recommend HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n")
        connection.sendall(b"400\r\n" + b" " * 0x400 + b"\r\n")
        assert connection.recv(1000).startswith(b"HTTP/1.1 413 ")
    # A length beyond the limit: the answer comes before the body.
    with socket.create_connection(address, timeout=10) as connection:
        connection.sendall(b"POST /v1/recommend HTTP/1.1\r\nhost: x\r\ncontent-length: 100000000\r\n\r\n ")
        assert connection.recv(1000).startswith(b"HTTP/1.1 413 ")


def test_several_scenes_are_told_apart(
    open_scene: Callable[..., Scene], serve_scenes: Callable[..., httpx.Client]
) -> None:
    wide = open_scene(scene="wide", serve={"max_k": 50, "max_body": 2000})
    narrow = open_scene(scene="narrow", serve={"max_k": 5, "max_body": 1000})
    client = serve_scenes(wide, narrow)
    assert client.post("/v1/recommend", json={"scene": "wide", "k": 9}).json()["scene"] == "wide"
    assert client.post("/v1/recommend", json={"scene": "narrow", "k": 5}).json()["scene"] == "narrow"
    answer = client.post("/v1/recommend", json={"scene": "narrow", "k": 9})
    assert answer.json()["error"] == {"message": "9 is too many", "field": "k", "accepted": "an integer from 1 to 5"}
    padded = b'{"scene": "narrow"}' + b" " * 1500
    assert client.post("/v1/recommend", content=padded).status_code == 413
    assert client.post("/v1/recommend", json={}).json()["error"] == {
        "message": "is missing, and several are served",
        "field": "scene",
        "accepted": ["narrow", "wide"],
    }
    answer = client.post("/v1/recommend", json={"scene": "wider"})
    assert answer.json()["error"] == {
        "message": "'wider' is not served here",
        "field": "scene",
        "accepted": ["narrow", "wide"],
        "nearest": "wide",
    }
    assert [each["scene"] for each in client.get("/v1/scenarios").json()["scenarios"]] == ["wide", "narrow"]


def test_two_scenarios_of_one_name_are_refused(open_scene: Callable[..., Scene]) -> None:
    scene = open_scene()
    other = Scene(replace(scene.scenario, path=None), scene.release, scene.catalogue, scene.pipeline)
    with pytest.raises(ConfigError) as caught:
        create_app([scene, other])
    assert str(caught.value) == (
        f"None: scene: 'small' is the name of another served scenario, {scene.scenario.path}\n"
        "  accepted: a name of its own"
    )
    with pytest.raises(ConfigError):
        create_app([])


anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.sampled_from(["item_id", "time", "event", "k", "x"]), inner, max_size=4)
    ),
)
item_id = st.sampled_from(["i01", "i02", "nothing", "", "\ud83d\ude00"])
nearly = st.fixed_dictionaries(
    {},
    optional={
        "scene": st.just("small") | anything,
        "user_id": st.sampled_from(["u01", "nobody", None]) | anything,
        "item_id": item_id | anything,
        "session": st.lists(
            item_id | st.fixed_dictionaries({"item_id": item_id}, optional={"time": st.integers(), "event": anything}),
            max_size=4,
        )
        | anything,
        "k": st.integers(-1, 250) | anything,
        "explain": st.booleans() | anything,
        "x": anything,
    },
)


def test_no_body_gives_a_server_error_and_every_refusal_names_a_field(
    open_scene: Callable[..., Scene], serve_scenes: Callable[..., httpx.Client]
) -> None:
    client = serve_scenes(open_scene(ranker="blend"))
    statuses: set[int] = set()

    @settings(max_examples=400, suppress_health_check=list(HealthCheck))
    @given(st.binary(max_size=40) | anything.map(json.dumps) | nearly.map(json.dumps))
    def ask(body: bytes | str) -> None:
        answer = client.post("/v1/recommend", content=body)
        statuses.add(answer.status_code)
        assert answer.status_code in (200, 400)
        if answer.status_code == 400:
            error = msgspec.json.decode(answer.content, type=ErrorBody).error
            assert error.field
            assert error.message

    ask()
    assert statuses == {200, 400}


def references(node: Any) -> set[str]:
    """Every $ref of a document."""
    if isinstance(node, dict):
        own = {node["$ref"]} if isinstance(node.get("$ref"), str) else set()
        return own.union(*(references(each) for each in node.values()))
    return set().union(*(references(each) for each in node)) if isinstance(node, list) else set()


def test_openapi_document(open_scene: Callable[..., Scene], serve_scenes: Callable[..., httpx.Client]) -> None:
    scene = open_scene(serve={"max_k": 33, "max_session": 44})
    client = serve_scenes(scene)
    found = client.get("/openapi.json").json()
    assert found["openapi"] == "3.1.0"
    assert sorted(found["paths"]) == client.get("/none").json()["error"]["accepted"]
    schemas = found["components"]["schemas"]
    assert references(found) == {f"#/components/schemas/{name}" for name in schemas}
    request = schemas["Recommend"]
    assert request["additionalProperties"] is False
    assert sorted(request["properties"]) == ["explain", "item_id", "k", "scene", "session", "user_id"]
    assert (request["properties"]["k"]["minimum"], request["properties"]["k"]["maximum"]) == (1, 33)
    assert request["properties"]["session"]["maxItems"] == 44
    assert request["properties"]["scene"]["enum"] == ["small"]
    assert schemas["Reload"]["properties"]["scene"]["enum"] == ["small"]
    admin = found["paths"]["/v1/admin/reload"]["post"]
    assert set(admin["responses"]) == {"200", "400", "401", "403", "405", "413", "422"}
    assert [name for each in admin["security"] for name in each] == list(found["components"]["securitySchemes"])
    operation = found["paths"]["/v1/recommend"]["post"]
    assert "security" not in operation
    assert set(operation["responses"]) == {"200", "400", "405", "413", "500", "503"}
    for path, methods in found["paths"].items():
        for method, each in methods.items():
            assert each["summary"], (path, method)
            assert all(response["description"] for response in each["responses"].values())


def test_openapi_document_of_several_scenes(open_scene: Callable[..., Scene]) -> None:
    one, two = open_scene().scenario, open_scene(scene="two", serve={"allow_time": True, "max_k": 999}).scenario
    request = document([one, two])["components"]["schemas"]["Recommend"]
    assert request["required"] == ["scene"]
    assert request["properties"]["k"]["maximum"] == 999
    assert "time" in request["properties"]
