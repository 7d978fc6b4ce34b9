"""A service: one scene as it is served, with its threads, its counts and whether it is warm."""

from __future__ import annotations

from collections.abc import Sequence

from msgspec import Struct

from yoorec.scene import Scene, SceneRequest, SessionPlay
from yoorec.server.batcher import Batcher
from yoorec.server.counters import Counters
from yoorec.server.current import Current
from yoorec.server.wire import encode

__all__ = ["Refusal", "Service", "made_up", "warm"]


class Refusal(Struct):
    """A reload that was refused.

    time: ms. release: what was to be loaded, "" where not even that could be read. stage: what failed, "open",
    "warm-up" or "compare"; why is for the log and who asked for the reload alone.
    """

    time: int
    release: str
    stage: str


class Service:
    """One served scene. A reload changes the scene in use; scenario, settings and counts stay.

    refusal: the last reload that was refused.
    """

    def __init__(self, scene: Scene) -> None:
        self.current = Current(scene)
        self.scenario = scene.scenario
        self.settings = scene.scenario.serve
        self.counters = Counters()
        self.batcher = Batcher(self.current, self.counters)
        self.ready = False
        self.refusal: Refusal | None = None

    def warm(self) -> None:
        """Warm the scene up; from then on requests are taken."""
        warm(self.current.scene)
        self.ready = True

    def close(self) -> None:
        """Answer what waits, then let go of threads and scene. Not for the event loop's thread."""
        self.batcher.close()
        self.current.scene.close()


def made_up(scene: Scene) -> list[SceneRequest]:
    """A few requests of different shapes: with and without user, main item and session."""
    catalogue, now = scene.catalogue, scene.release.end
    session = [SessionPlay(each, now - place) for place, each in enumerate(catalogue.items.ids[:5])]
    user = catalogue.users.ids[0] if len(catalogue.users) else None
    main = session[0].item_id if session else None
    page, cold = SceneRequest(user, main, session, time=now), SceneRequest(time=now)
    return [page, cold, SceneRequest(user, None, session, time=now)]


def warm(scene: Scene) -> None:
    """Run made-up requests of several shapes through the chain, so that the first real one finds all of it loaded.

    Deadlines are off, since compiled kernels are read in on the way. A trigger that fails is left out, as it would be
    later; any other failure is raised.
    """
    page, cold, home = made_up(scene)
    batches: Sequence[list[SceneRequest]] = ([page], [cold], [home, page, cold])
    for batch in batches:
        result = scene.pipeline.run(scene.encode(batch), tolerant=True)
        for b in range(len(batch)):
            encode(scene.answer(result, b, explain=True))
