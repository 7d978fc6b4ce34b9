"""Reloading: a scene's current release is opened beside the one in use, tried, and put in its place or refused."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Iterable, Mapping, Sequence
from typing import Annotated, Literal

from msgspec import Meta, Struct

from yoorec.artifacts.store import Store
from yoorec.errors import ArtifactError, YoorecError
from yoorec.pipeline import StageError
from yoorec.scene import Scene, SceneRequest
from yoorec.server.service import Refusal, Service, made_up, warm
from yoorec.server.wire import ErrorBody

__all__ = ["ReloadRefused", "ReloadReport", "Reloader", "Reloads"]

_log = logging.getLogger("yoorec.server")


class ReloadReport(Struct):
    """What the reload of one scene came to."""

    scene: str
    outcome: Annotated[
        Literal["reloaded", "unchanged", "refused"],
        Meta(description="unchanged: the current release was in use already. refused: the old one stays in use."),
    ]
    release: Annotated[str, Meta(description="The release in use now.")]
    before: Annotated[str, Meta(description="The release in use before.")]
    seconds: float
    compared: Annotated[int, Meta(description="Requests that both releases were asked before the change.")] = 0
    differ: Annotated[int, Meta(description="Of them, those that get another list of items.")] = 0
    why: Annotated[str, Meta(description="Why it was refused.")] = ""


class Reloads(Struct):
    """What a reload came to, scene by scene."""

    scenes: list[ReloadReport]


class ReloadRefused(ErrorBody):
    """The same where a scene's release was refused; others may have been reloaded."""

    scenes: list[ReloadReport]


class Reloader:
    """Warms up, reloads and closes served scenes, one after the other: who comes meanwhile waits.

    All of it takes its time, so none of it is for the event loop's thread.
    """

    def __init__(self, services: Mapping[str, Service]) -> None:
        self._services = services
        self._lock = threading.Lock()
        self._closed = False

    def warm_up(self) -> None:
        """Make every scene ready for requests."""
        with self._lock:
            for service in self._services.values():
                service.warm()

    def reload(self, names: Iterable[str] | None = None) -> list[ReloadReport]:
        """Bring scenes, all unless named, to their current releases; nothing once the server is closed.

        A release that can't be opened, fails a request, or leaves out a trigger that the one in use does not, is
        refused: the one in use stays, and the report and the log say why. Requests are answered all the while.
        """
        with self._lock:
            wanted = () if self._closed else self._services if names is None else names
            return [_reload(self._services[name]) for name in wanted]

    def close(self) -> None:
        """Answer what waits, then let go of every scene."""
        with self._lock:
            self._closed = True
            for service in self._services.values():
                service.close()


def _reload(service: Service) -> ReloadReport:
    started = time.perf_counter()
    name, old = service.scenario.scene, service.current.scene
    before = old.release.version
    scene: Scene | None = None
    version, stage = "", "open"

    def report(
        outcome: Literal["reloaded", "unchanged", "refused"], compared: int = 0, differ: int = 0, why: str = ""
    ) -> ReloadReport:
        release = version if outcome == "reloaded" else before
        seconds = round(time.perf_counter() - started, 3)
        return ReloadReport(name, outcome, release, before, seconds, compared, differ, why)

    try:
        release = Store(service.scenario.store).current(name)
        if release is None:
            raise ArtifactError(f"{service.scenario.store}: scene '{name}' has no release: run `yoorec fit`")
        version = release.version
        if version == before:
            _log.info("scene '%s': release %s is in use already", name, version)
            return report("unchanged")
        scene = Scene.open(service.scenario, release, old.pipeline.plugins)
        stage = "warm-up"
        warm(scene)
        stage = "compare"
        compared, differ = _compare(old, scene, [*made_up(scene), *service.batcher.latest.copy()])
    except Exception as error:  # noqa: BLE001 - whatever it is, the scene in use goes on
        known = isinstance(error, YoorecError | StageError)
        why = str(error) if known else f"{type(error).__name__}: {error}"
        if scene is not None:
            scene.close()
        service.refusal = Refusal(int(time.time() * 1000), version, stage)
        _log.error(
            "scene '%s': release %s is refused, %s stays in use: %s: %s",
            *(name, version or "unknown", before, stage, why),
            exc_info=not known,
        )
        return report("refused", why=f"{stage}: {why}")
    service.current.replace(scene)
    found = report("reloaded", compared, differ)
    _log.info(
        "scene '%s': release %s replaces %s after %.2f s; %d of %d lists differ",
        *(name, version, before, found.seconds, differ, compared),
    )
    return found


def _compare(old: Scene, new: Scene, requests: Sequence[SceneRequest]) -> tuple[int, int]:
    """Requests that both scenes answer, and of them those that get another list.

    Raises what the new scene raises for a request that the old one answers, and ArtifactError where it leaves out a
    trigger that the old one does not.
    """
    now = time.time()
    compared = differ = 0
    for request in requests:
        try:
            expected, left_out = _answer(old, request, now)
        except Exception:  # noqa: BLE001 - what the old scene can't answer tells nothing of the new one
            continue
        found, degraded = _answer(new, request, now)
        worse = [f"triggers.{name}: {why}" for name, why in degraded.items() if name not in left_out]
        if worse:
            raise ArtifactError("; ".join(worse))
        compared += 1
        differ += found != expected
    return compared, differ


def _answer(scene: Scene, request: SceneRequest, now: float) -> tuple[list[int | str], dict[str, str]]:
    """The items of a request's list, and the triggers left out of it, each with its reason."""
    result = scene.pipeline.run(scene.encode([request], lambda: now), tolerant=True)
    answer = scene.answer(result, 0)
    told = (text.removeprefix("triggers.").partition(": ") for text in answer["degraded"])
    return [row["item_id"] for row in answer["items"]], {name: why for name, _, why in told}
