"""`POST /v1/recommend` over real HTTP."""

import socket
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import msgspec
import numpy as np
import pytest

from yoorec.batch import CandidateBatch, RequestBatch
from yoorec.scene import Scene, SessionPlay
from yoorec.server.wire import Answer
from yoorec.testing.counts import Counts


class Failing(Counts):
    def recall(self, requests: RequestBatch, k: int) -> CandidateBatch:
        raise OSError("disk gone")


class Sleeping(Counts):
    def recall(self, requests: RequestBatch, k: int) -> CandidateBatch:
        time.sleep(0.4)
        return super().recall(requests, k)


class PickyAboutUsers(Counts):
    """Raises when one certain user is in the batch."""

    def recall(self, requests: RequestBatch, k: int) -> CandidateBatch:
        time.sleep(0.01)
        if (requests.user == 7).any():
            raise RuntimeError("user 7")
        return super().recall(requests, k)


def question(scene: Scene) -> dict[str, Any]:
    plays, now = scene.catalogue.items.ids, scene.release.end
    session = [{"item_id": plays[3], "time": now - 1000}, {"item_id": plays[9], "time": now - 5000}]
    return {"user_id": scene.catalogue.users.ids[4], "item_id": plays[3], "session": session}


def test_server_answers_what_the_scene_answers_in_process(
    open_scene: Callable[..., Scene], serve_scenes: Callable[..., httpx.Client]
) -> None:
    scene = open_scene(ranker="blend", serve={"allow_time": True})
    client = serve_scenes(scene)
    asked = {**question(scene), "time": scene.release.end, "k": 7}
    response = client.post("/v1/recommend", json=asked)
    assert response.status_code == 200
    assert response.headers["content-type"] == "application/json"
    session = [SessionPlay(**each) for each in asked["session"]]
    expected = scene.recommend(asked["user_id"], asked["item_id"], session, 7, asked["time"])
    assert response.json() == expected
    assert len(expected["items"]) == 7
    assert expected["scenario_hash"] == scene.scenario.hash
    msgspec.json.decode(response.content, type=Answer)
    scores = [each["score"] for each in response.json()["items"]]
    assert np.array(scores, np.float32).astype(np.float64).tolist() == scores


def test_explain_gives_the_ledger_and_timings(
    open_scene: Callable[..., Scene], serve_scenes: Callable[..., httpx.Client]
) -> None:
    scene = open_scene(ranker="blend")
    answer = serve_scenes(scene).post("/v1/recommend", json={**question(scene), "explain": True})
    found = msgspec.json.decode(answer.content, type=Answer)
    assert isinstance(found.ledger, list)
    assert isinstance(found.timings_ms, dict)
    assert [each["item_id"] for each in found.ledger[:10]] == [item.item_id for item in found.items]
    assert {"profile", "triggers.counts", "merge", "ranker", "total"} <= set(found.timings_ms)


def test_strangers_are_cold_starts(open_scene: Callable[..., Scene], serve_scenes: Callable[..., httpx.Client]) -> None:
    client = serve_scenes(open_scene())
    cold = client.post("/v1/recommend", json={}).json()["items"]
    assert len(cold) == 10
    stranger = {"user_id": "nobody", "item_id": "nothing", "session": ["nothing"]}
    assert client.post("/v1/recommend", json=stranger).json()["items"] == cold


def test_raising_trigger_is_left_out_named_and_counted(
    open_scene: Callable[..., Scene], serve_scenes: Callable[..., httpx.Client]
) -> None:
    scene = open_scene({"counts": Counts, "failing": Failing})
    client = serve_scenes(scene)
    answer = client.post("/v1/recommend", json=question(scene))
    assert answer.status_code == 200
    assert answer.json()["degraded"] == ["triggers.failing: OSError: disk gone"]
    assert len(answer.json()["items"]) == 10
    report = client.get("/v1/scenarios").json()["scenarios"][0]
    assert [each["degraded"] for each in report["triggers"]] == [{}, {"error": 1}]
    assert report["answers"] == {"200": 1}


def test_late_trigger_is_left_out_named_and_counted(
    open_scene: Callable[..., Scene], serve_scenes: Callable[..., httpx.Client]
) -> None:
    scene = open_scene({"counts": Counts, "sleeping": Sleeping}, timeout_ms=60)
    client = serve_scenes(scene)
    started = time.perf_counter()
    answer = client.post("/v1/recommend", json=question(scene))
    assert time.perf_counter() - started < 0.35
    assert answer.json()["degraded"] == ["triggers.sleeping: timeout after 60 ms"]
    assert len(answer.json()["items"]) == 10
    report = client.get("/v1/scenarios").json()["scenarios"][0]
    assert [each["degraded"] for each in report["triggers"]] == [{}, {"timeout": 1}]


def test_deadlines_can_be_switched_off(
    open_scene: Callable[..., Scene], serve_scenes: Callable[..., httpx.Client]
) -> None:
    scene = open_scene({"counts": Counts, "sleeping": Sleeping}, timeout_ms=60, serve={"deadlines": False})
    assert serve_scenes(scene).post("/v1/recommend", json=question(scene)).json()["degraded"] == []


def test_failing_stage_is_a_500_that_names_it(
    open_scene: Callable[..., Scene], serve_scenes: Callable[..., httpx.Client], monkeypatch: pytest.MonkeyPatch
) -> None:
    scene = open_scene()
    client = serve_scenes(scene)

    def broken(*_: object) -> CandidateBatch:
        raise TypeError("no such column")

    monkeypatch.setattr(scene.pipeline._merge, "merge", broken)
    answer = client.post("/v1/recommend", json=question(scene))
    assert answer.status_code == 500
    assert answer.json() == {"error": {"message": "TypeError: no such column", "stage": "merge 'round_robin'"}}
    monkeypatch.setattr(scene, "encode", broken)
    answer = client.post("/v1/recommend", json=question(scene))
    assert answer.status_code == 500
    assert answer.json() == {"error": {"message": "the server failed; its log says more", "stage": "server"}}


def test_stage_that_fails_in_warm_up_keeps_the_server_from_being_ready(
    open_scene: Callable[..., Scene], serve_scenes: Callable[..., httpx.Client]
) -> None:
    scene = open_scene()
    scene.pipeline._merge = None  # type: ignore[assignment]
    client = serve_scenes(scene, healthy=False)
    assert client.get("/healthz").json() == {"status": "up"}
    answer = client.get("/readyz")
    assert answer.status_code == 503
    told = "merge 'round_robin': AttributeError: 'NoneType' object has no attribute 'merge'"
    assert answer.json() == {"error": {"message": f"warm-up failed: {told}"}}
    answer = client.post("/v1/recommend", json={})
    assert answer.status_code == 503
    assert answer.json() == {"error": {"message": "scene 'small' is warming up"}}


def test_one_bad_request_does_not_fail_its_neighbours(
    open_scene: Callable[..., Scene], serve_scenes: Callable[..., httpx.Client]
) -> None:
    scene = open_scene({"counts": Counts, "picky": PickyAboutUsers}, serve={"workers": 1})
    client = serve_scenes(scene)
    users = scene.catalogue.users.ids[:20]

    def ask(user: str) -> dict[str, Any]:
        answer = client.post("/v1/recommend", json={"user_id": user})
        assert answer.status_code == 200
        found: dict[str, Any] = answer.json()
        return found

    with ThreadPoolExecutor(20) as pool:
        answers = list(pool.map(ask, users))
    assert [user for user, answer in enumerate(answers) if answer["degraded"]] == [7]
    assert answers[7]["degraded"] == ["triggers.picky: RuntimeError: user 7"]


def test_requests_that_wait_share_a_pass_and_get_the_lists_they_get_alone(
    open_scene: Callable[..., Scene], serve_scenes: Callable[..., httpx.Client]
) -> None:
    class Unhurried(Counts):
        def recall(self, requests: RequestBatch, k: int) -> CandidateBatch:
            time.sleep(0.02)
            return super().recall(requests, k)

    scene = open_scene({"unhurried": Unhurried}, ranker="blend", serve={"workers": 1, "deadlines": False})
    client = serve_scenes(scene)
    bodies = [
        {"user_id": user, "item_id": scene.catalogue.items.ids[n]} for n, user in enumerate(scene.catalogue.users.ids)
    ]
    alone = [client.post("/v1/recommend", json=body).json()["items"] for body in bodies]
    assert len({str(each) for each in alone}) > 5
    before = client.get("/v1/scenarios").json()["scenarios"][0]["passes"]
    assert before == len(bodies)
    with ThreadPoolExecutor(16) as pool:
        together = list(pool.map(lambda body: client.post("/v1/recommend", json=body).json()["items"], bodies))
    assert together == alone
    assert client.get("/v1/scenarios").json()["scenarios"][0]["passes"] - before < len(bodies) / 2


def test_full_queue_is_a_503_with_retry_after(
    open_scene: Callable[..., Scene], serve_scenes: Callable[..., httpx.Client]
) -> None:
    settings = {"workers": 1, "max_batch": 1, "max_queue": 2, "deadlines": False}
    scene = open_scene({"sleeping": Sleeping}, serve=settings)
    client = serve_scenes(scene)
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: client.post("/v1/recommend", json={}), range(8)))
    refused = [each for each in answers if each.status_code == 503]
    assert len(refused) == 5
    assert {each.headers["retry-after"] for each in refused} == {"1"}
    assert refused[0].json() == {"error": {"message": "2 requests wait already"}}
    assert all(len(each.json()["items"]) == 10 for each in answers if each.status_code == 200)


def test_clients_that_hang_up_leave_nothing_behind(
    open_scene: Callable[..., Scene], serve_scenes: Callable[..., httpx.Client]
) -> None:
    scene = open_scene({"sleeping": Sleeping}, serve={"workers": 1, "max_batch": 1, "max_queue": 5, "deadlines": False})
    client = serve_scenes(scene)
    for _ in range(3):
        with socket.create_connection((client.base_url.host, client.base_url.port)) as connection:
            connection.sendall(b"POST /v1/recommend HTTP/1.1\r\nhost: x\r\ncontent-length: 2\r\n\r\n{}")
    with socket.create_connection((client.base_url.host, client.base_url.port)) as connection:
        connection.sendall(b"POST /v1/recommend HTTP/1.1\r\nhost: x\r\ncontent-length: 20\r\n\r\n{")
    answers = [client.post("/v1/recommend", json={}) for _ in range(4)]
    assert [each.status_code for each in answers] == [200] * 4
    assert client.get("/v1/scenarios").json()["scenarios"][0]["answers"] == {"200": 7}
