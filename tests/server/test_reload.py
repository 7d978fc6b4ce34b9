"""Reloading over real HTTP: who may ask, what is refused, and that requests go on."""

import asyncio
import gc
import json
import logging
import threading
import time
import weakref
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import msgspec
import pytest
from starlette.requests import Request

from yoorec.artifacts.release import Release
from yoorec.artifacts.store import Store
from yoorec.batch import CandidateBatch, RequestBatch
from yoorec.config.scenario import Scenario
from yoorec.data.dataset import Dataset
from yoorec.data.vocabulary import Vocabulary
from yoorec.fit import fit
from yoorec.pipeline import StageError
from yoorec.scene import Scene
from yoorec.server.admin import Admin
from yoorec.server.reload import ReloadRefused, Reloads
from yoorec.server.service import warm
from yoorec.testing.counts import Counts, CountsConfig
from yoorec.testing.worlds import small_log

TOKEN = "s\u00e9cret"
ADMIN = {"authorization": f"Bearer {TOKEN}".encode()}
BODIES = [{"user_id": f"u{n:02d}", "item_id": f"i{7 * n % 60:02d}", "time": 1_702_000_000_000} for n in range(20)]


class World:
    """A scene whose data change: `publish(n)` makes a release of the log of seed n."""

    def __init__(self, made: Any, **serve: Any) -> None:
        settings = replace(made.scenario.serve, allow_time=True, **serve)
        self.scenario: Scenario = replace(made.scenario, serve=settings)
        self.plugins = made.plugins

    def publish(self, seed: int, scenario: Scenario | None = None) -> Release:
        """Another log, its items numbered the other way round: what reads one release with another tells itself."""
        log = small_log(seed=seed)
        old = log.catalogue
        items = Vocabulary.ordered(old.items.ids[:: (-1) ** seed])
        place = old.items.encode(items.ids)
        catalogue = replace(old, items=items, item_columns=old.item_columns.take(place), _codes={})
        moved = items.encode(old.items.ids)[log.item]
        dataset = Dataset(replace(log, item=moved, catalogue=catalogue), None, {}, f"{seed:016x}")
        return fit(scenario or self.scenario, self.plugins, dataset)

    def open(self) -> Scene:
        release = Store(self.scenario.store).current("small")
        assert release is not None
        return Scene.open(self.scenario, release, self.plugins)

    def lists(self) -> list[list[dict[str, Any]]]:
        """What the current release answers to each of BODIES, in this process."""
        scene = self.open()
        answers = [scene.recommend(body["user_id"], body["item_id"], time=body["time"])["items"] for body in BODIES]
        scene.close()
        return answers


def ask(client: httpx.Client, body: dict[str, Any]) -> list[dict[str, Any]]:
    answer = client.post("/v1/recommend", json=body)
    assert answer.status_code == 200, answer.text
    assert answer.json()["degraded"] == []
    items: list[dict[str, Any]] = answer.json()["items"]
    return items


def reload(client: httpx.Client, **body: Any) -> httpx.Response:
    return client.post("/v1/admin/reload", json=body or None, headers=ADMIN)


def report(client: httpx.Client) -> dict[str, Any]:
    found: dict[str, Any] = client.get("/v1/scenarios").json()["scenarios"][0]
    return found


def test_under_load_every_answer_is_of_one_release_or_the_other(
    small_scene: Callable[..., Any], serve_scenes: Callable[..., httpx.Client], monkeypatch: pytest.MonkeyPatch
) -> None:
    world = World(small_scene(ranker="blend", timeout_ms=None))
    world.publish(0)
    old, client = world.lists(), serve_scenes(world.open(), token=TOKEN)
    world.publish(1)
    new = world.lists()
    assert not any(one == other for one, other in zip(old, new, strict=True))
    done = threading.Event()

    def unhurried(scene: Scene) -> None:
        """Ends only when more requests were answered meanwhile than can have been under way."""
        before, deadline = report(client)["answers"]["200"], time.monotonic() + 20
        while report(client)["answers"]["200"] < before + 30:
            assert time.monotonic() < deadline, "requests wait for the reload"
            time.sleep(0.01)
        warm(scene)

    monkeypatch.setattr("yoorec.server.reload.warm", unhurried)

    def send(thread: int) -> tuple[list[int], list[bool]]:
        """The requests sent, and whether each was answered by the new release."""
        sent, by_new = [], []
        with httpx.Client(base_url=client.base_url, timeout=30) as own:
            stop = 0
            while stop < 5:
                stop += done.is_set()
                n = (thread * 7 + len(sent)) % len(BODIES)
                found = ask(own, BODIES[n])
                assert found in (old[n], new[n])
                sent.append(n)
                by_new.append(found == new[n])
        return sent, by_new

    with ThreadPoolExecutor(6) as pool:
        threads = [pool.submit(send, thread) for thread in range(6)]
        while report(client)["passes"] < 50:
            time.sleep(0.01)
        answer = reload(client)
        done.set()
        runs = [each.result() for each in threads]
    found = msgspec.json.decode(answer.content, type=Reloads).scenes
    assert (answer.status_code, [each.outcome for each in found]) == (200, ["reloaded"])
    assert (found[0].compared, found[0].differ >= 16) == (19, True)  # 16 of before, all of which differ
    for _, by_new in runs:
        assert by_new == sorted(by_new), "an answer of the old release after one of the new"
        assert not by_new[0] and all(by_new[-4:])
    assert [ask(client, body) for body in BODIES] == new


def test_what_a_reload_did_is_told(
    small_scene: Callable[..., Any], serve_scenes: Callable[..., httpx.Client], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "yoorec.server")
    world = World(small_scene())
    first = world.publish(0).version
    client = serve_scenes(world.open(), token=TOKEN)
    loaded = report(client)["loaded"]
    same = {"scene": "small", "release": first, "before": first, "compared": 0, "differ": 0, "why": ""}
    answer = reload(client).json()["scenes"][0]
    assert answer == {**same, "outcome": "unchanged", "seconds": answer["seconds"]}
    second = world.publish(1).version
    assert report(client)["release"] == first
    answer = reload(client, scene="small").json()["scenes"][0]
    assert {**answer, "differ": 0} == {
        **same,
        "release": second,
        "outcome": "reloaded",
        "seconds": answer["seconds"],
        "compared": 3,
    }
    assert [line.getMessage().partition(" after")[0] for line in caplog.records] == [
        f"scene 'small': release {first} is in use already",
        f"scene 'small': release {second} replaces {first}",
    ]
    told = report(client)
    assert (told["release"], told["refused"]) == (second, None)
    assert told["loaded"] > loaded


def test_only_who_brings_the_token_may_reload(
    small_scene: Callable[..., Any], serve_scenes: Callable[..., httpx.Client]
) -> None:
    world = World(small_scene())
    world.publish(0)
    client = serve_scenes(world.open(), token=TOKEN)
    assert reload(client).status_code == 200
    right = f"bearer  {TOKEN}".encode()
    assert client.post("/v1/admin/reload", headers={"authorization": right}).status_code == 200
    for given in (None, b"Bearer", b"Bearer wrong", f"Basic {TOKEN}".encode(), TOKEN.encode(), right + b"x"):
        answer = client.post("/v1/admin/reload", headers={"authorization": given} if given is not None else {})
        assert (answer.status_code, answer.headers["www-authenticate"]) == (401, "Bearer")
        assert answer.json() == {
            "error": {
                "message": "is missing" if given is None else "holds another token",
                "field": "authorization",
                "accepted": "Bearer and the value of YOOREC_ADMIN_TOKEN",
            }
        }


@pytest.mark.parametrize("token", [None, ""])
def test_without_a_token_nobody_may_reload(
    small_scene: Callable[..., Any], serve_scenes: Callable[..., httpx.Client], token: str | None
) -> None:
    world = World(small_scene())
    world.publish(0)
    client = serve_scenes(world.open(), token=token)
    for headers in ({}, {"authorization": "Bearer"}, ADMIN):
        answer = client.post("/v1/admin/reload", headers=headers)
        assert answer.status_code == 403
        assert answer.json() == {
            "error": {
                "message": "admin calls are off: start the server with YOOREC_ADMIN_TOKEN set",
                "field": "authorization",
                "accepted": "nothing, until then",
            }
        }


def test_what_is_wrong_with_the_call_is_named(
    small_scene: Callable[..., Any], serve_scenes: Callable[..., httpx.Client]
) -> None:
    world = World(small_scene())
    world.publish(0)
    client = serve_scenes(world.open(), token=TOKEN)
    for content, status, error in (
        (b'{"scene": "smal"}', 400, ("scene", "'smal' is not served here", ["small"], "small")),
        (b'{"scenes": 1}', 400, ("scenes", "'scenes' is not accepted here", ["scene"], "scene")),
        (b'{"scene": 1}', 400, ("scene", "found an integer", "a string of 1 to 256 characters", "")),
        (b'{"scene": "small", "scene": "small"}', 400, ("scene", "'scene' stands twice in one object", None, "")),
        (b"[", 400, ("body", None, "a JSON object in UTF-8", "")),
        (b" " * 5000, 413, ("body", "the body is too large", "at most 4096 bytes", "")),
    ):
        answer = client.post("/v1/admin/reload", content=content, headers=ADMIN)
        found = answer.json()["error"]
        field, message, accepted, near = error
        assert (answer.status_code, found["field"], found.get("nearest", "")) == (status, field, near)
        assert message in (None, found["message"])
        assert accepted in (None, found["accepted"])
    assert client.post("/v1/admin/reload", content=b" \n", headers=ADMIN).status_code == 200


def test_a_call_that_breaks_off_reloads_nothing() -> None:
    messages = [{"type": "http.request", "body": b"", "more_body": True}, {"type": "http.disconnect"}]

    async def receive() -> dict[str, Any]:
        return messages.pop(0)

    scope = {"type": "http", "headers": [(b"authorization", ADMIN["authorization"])]}
    admin = Admin({}, None, TOKEN)  # type: ignore[arg-type]
    answer = asyncio.run(admin.reload(Request(scope, receive)))
    assert answer.status_code == 400
    assert json.loads(bytes(answer.body))["error"]["message"] == "ends before its end"


class Moody(Counts):
    """Loads, and then fails where `broken` was set before."""

    broken = False

    def load(self, folder: Path) -> None:
        super().load(folder)
        self.fails = Moody.broken

    def recall(self, requests: RequestBatch, k: int) -> CandidateBatch:
        if self.fails:
            raise OSError("disk gone")
        return super().recall(requests, k)


def damage(world: World, monkeypatch: pytest.MonkeyPatch) -> tuple[str, str]:
    release = world.publish(1)
    slot = release.slots["triggers.moody"]
    path = world.scenario.store / "artifacts" / slot.component / slot.fingerprint / "score.npy"
    path.write_bytes(path.read_bytes()[:-1] + b"x")
    return "open", f"{path}: is not what was published: "


def refit_otherwise(world: World, monkeypatch: pytest.MonkeyPatch) -> tuple[str, str]:
    (part,) = world.scenario.triggers
    world.publish(1, replace(world.scenario, triggers=(replace(part, config=CountsConfig(2.0)),)))
    return "open", "triggers.moody was fitted with weight 2.0, now 1.0: run `yoorec fit`"


def lose_release(world: World, monkeypatch: pytest.MonkeyPatch) -> tuple[str, str]:
    (world.scenario.store / "releases" / "small" / "CURRENT").unlink()
    return "open", f"{world.scenario.store}: scene 'small' has no release: run `yoorec fit`"


def run_out_of_memory(world: World, monkeypatch: pytest.MonkeyPatch) -> tuple[str, str]:
    def opened(*_: object) -> Scene:
        raise MemoryError("no room")

    world.publish(1)
    monkeypatch.setattr(Scene, "open", opened)
    return "open", "MemoryError: no room"


def fail_in_warm_up(world: World, monkeypatch: pytest.MonkeyPatch) -> tuple[str, str]:
    def warm(scene: Scene) -> None:
        raise StageError("merge 'round_robin'", "TypeError: no such column")

    world.publish(1)
    monkeypatch.setattr("yoorec.server.reload.warm", warm)
    return "warm-up", "merge 'round_robin': TypeError: no such column"


def lose_a_trigger(world: World, monkeypatch: pytest.MonkeyPatch) -> tuple[str, str]:
    world.publish(1)
    monkeypatch.setattr(Moody, "broken", True)
    return "compare", "triggers.moody: OSError: disk gone"


@pytest.mark.parametrize(
    "spoil", [damage, refit_otherwise, lose_release, run_out_of_memory, fail_in_warm_up, lose_a_trigger]
)
def test_a_bad_release_is_refused_and_the_old_one_goes_on(
    small_scene: Callable[..., Any],
    serve_scenes: Callable[..., httpx.Client],
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    spoil: Callable[..., tuple[str, str]],
) -> None:
    world = World(small_scene({"moody": Moody}, timeout_ms=None))
    first = world.publish(0).version
    old, client = world.lists(), serve_scenes(world.open(), token=TOKEN)
    with monkeypatch.context() as patched:
        stage, why = spoil(world, patched)
        current = Store(world.scenario.store).current("small")
        answer = reload(client)
    assert answer.status_code == 422
    found = msgspec.json.decode(answer.content, type=ReloadRefused)
    assert found.error.message.startswith(f"scene 'small': {stage}: ")
    assert why in found.error.message
    assert [(each.outcome, each.release, each.before) for each in found.scenes] == [("refused", first, first)]
    told = client.get("/v1/scenarios")
    refused = told.json()["scenarios"][0]["refused"]
    assert told.json()["scenarios"][0]["release"] == first
    assert (refused["release"], refused["stage"]) == ("" if current is None else current.version, stage)
    assert str(world.scenario.store) not in told.text
    lines = [line.getMessage() for line in caplog.records if line.name == "yoorec.server"]
    assert lines == [
        f"scene 'small': release {refused['release'] or 'unknown'} is refused, {first} stays in use: "
        + found.scenes[0].why
    ]
    assert [ask(client, body) for body in BODIES] == old
    world.publish(2)
    assert reload(client).json()["scenes"][0]["outcome"] == "reloaded"
    assert [ask(client, body) for body in BODIES] == world.lists()


def test_other_scenes_are_reloaded_where_one_is_refused(
    small_scene: Callable[..., Any], serve_scenes: Callable[..., httpx.Client]
) -> None:
    world, other = World(small_scene()), World(small_scene())
    other.scenario = replace(other.scenario, scene="other")
    for each in (world, other):
        each.publish(0)
    release = Store(other.scenario.store).current("other")
    assert release is not None
    client = serve_scenes(world.open(), Scene.open(other.scenario, release, other.plugins), token=TOKEN)
    second = other.publish(1)
    (world.scenario.store / "releases" / "small" / "CURRENT").write_text("nonsense\n")
    answer = reload(client)
    assert answer.status_code == 422
    assert [each["outcome"] for each in answer.json()["scenes"]] == ["refused", "reloaded"]
    assert [each["release"] for each in client.get("/v1/scenarios").json()["scenarios"]][1] == second.version
    assert reload(client, scene="other").json()["scenes"][0]["outcome"] == "unchanged"


class Gated(Counts):
    """Keeps a request of user 7 waiting until the gate opens."""

    gate = threading.Event()
    waiting = threading.Event()

    def recall(self, requests: RequestBatch, k: int) -> CandidateBatch:
        if (requests.user == 7).any():
            self.waiting.set()
            assert self.gate.wait(20)
        return super().recall(requests, k)


def test_a_request_under_way_ends_on_the_release_it_began_on(
    small_scene: Callable[..., Any], serve_scenes: Callable[..., httpx.Client]
) -> None:
    world = World(small_scene({"gated": Gated}, timeout_ms=None), workers=2)
    world.publish(0)
    Gated.gate.set()
    old, scene = world.lists(), world.open()
    client = serve_scenes(scene, token=TOKEN)
    world.publish(1)
    Gated.gate.clear()
    Gated.waiting.clear()
    with ThreadPoolExecutor(1) as pool:
        under_way = pool.submit(ask, client, BODIES[7])
        assert Gated.waiting.wait(20)
        try:
            assert reload(client).json()["scenes"][0]["outcome"] == "reloaded"
            assert scene.pipeline._profile._file is not None  # type: ignore[attr-defined]
            later = ask(client, BODIES[3])
        finally:
            Gated.gate.set()
        assert under_way.result() == old[7]
    assert scene.pipeline._profile._file is None  # type: ignore[attr-defined]
    assert later == world.lists()[3]


def test_reloads_at_the_same_time_take_turns(
    small_scene: Callable[..., Any], serve_scenes: Callable[..., httpx.Client]
) -> None:
    world = World(small_scene())
    world.publish(0)
    client = serve_scenes(world.open(), token=TOKEN)
    world.publish(1)
    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(lambda _: reload(client), range(4)))
    assert sorted(each.json()["scenes"][0]["outcome"] for each in answers) == ["reloaded"] + ["unchanged"] * 3


@contextmanager
def watched(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[weakref.ref[Scene]]]:
    """References to every scene that is opened meanwhile."""
    opened: list[weakref.ref[Scene]] = []
    before = Scene.__init__

    def noted(self: Scene, *arguments: Any) -> None:
        before(self, *arguments)
        opened.append(weakref.ref(self))

    with monkeypatch.context() as patched:
        patched.setattr(Scene, "__init__", noted)
        yield opened


def test_what_was_replaced_is_let_go(
    small_scene: Callable[..., Any], serve_scenes: Callable[..., httpx.Client], monkeypatch: pytest.MonkeyPatch
) -> None:
    world = World(small_scene(ranker="blend", rules=("drop_seen", "backfill")))
    world.publish(0)
    threads = threading.active_count()
    with watched(monkeypatch) as opened:
        client = serve_scenes(world.open(), token=TOKEN)
        running = threading.active_count()
        for seed in (1, 2, 3):
            ask(client, BODIES[0])
            world.publish(seed)
            assert reload(client).json()["scenes"][0]["outcome"] == "reloaded"
        ask(client, BODIES[0])
    assert running > threads
    assert len(opened) == 4
    gc.collect()
    assert [each() is None for each in opened] == [True, True, True, False]


def test_the_last_scene_is_closed_with_the_server(small_scene: Callable[..., Any]) -> None:
    from yoorec.server.reload import Reloader
    from yoorec.server.service import Service

    world = World(small_scene())
    world.publish(0)
    first = world.open()
    service = Service(first)
    reloader = Reloader({"small": service})
    reloader.warm_up()
    world.publish(1)
    assert [each.outcome for each in reloader.reload()] == ["reloaded"]
    second = service.current.scene
    assert first.pipeline._profile._file is None  # type: ignore[attr-defined]
    assert second.pipeline._profile._file is not None  # type: ignore[attr-defined]
    reloader.close()
    assert second.pipeline._profile._file is None  # type: ignore[attr-defined]
    world.publish(2)
    assert reloader.reload() == []


@pytest.mark.parametrize("step", ["encode", "run"])
def test_answers_of_a_batch_come_from_one_scene(
    small_scene: Callable[..., Any], monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    """The scene in use changes while a batch is under way, between encoding and running or running and answering."""
    from yoorec.server.batcher import Waiting
    from yoorec.server.service import Service
    from yoorec.server.wire import Recommend, scene_request

    world = World(small_scene())
    world.publish(0)
    old, first = world.lists(), world.open()
    service = Service(first)
    world.publish(1)
    new = world.lists()
    owner = first if step == "encode" else first.pipeline
    unchanged = getattr(owner, step)

    def changing(*arguments: Any, **options: Any) -> Any:
        found = unchanged(*arguments, **options)
        service.current.replace(world.open())
        return found

    monkeypatch.setattr(owner, step, changing)
    waiting = [Waiting(scene_request(Recommend(**body)), False, None) for body in BODIES]  # type: ignore[arg-type]
    replies = service.batcher.answer(waiting)
    assert [msgspec.json.decode(body)["items"] for _, body in replies] == old
    assert [msgspec.json.decode(body)["items"] for _, body in service.batcher.answer(waiting)] == new
    service.close()
