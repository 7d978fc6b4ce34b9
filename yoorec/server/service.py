"""A service: one scene as it is served, with its threads, its counts and whether it is warm."""

from __future__ import annotations

from yoorec.scene import Scene, SceneRequest, SessionPlay
from yoorec.server.batcher import Batcher
from yoorec.server.counters import Counters
from yoorec.server.wire import encode

__all__ = ["Service"]


class Service:
    """One served scene."""

    def __init__(self, scene: Scene) -> None:
        self.scene = scene
        self.settings = scene.scenario.serve
        self.counters = Counters()
        self.batcher = Batcher(scene, self.counters)
        self.ready = False

    def warm(self) -> None:
        """Run made-up requests of several shapes through the chain, so that the first real one finds all of it loaded.

        Deadlines are off, since compiled kernels are read in on the way. A trigger that fails is left out, as it would
        be later; any other failure is raised.
        """
        catalogue, now = self.scene.catalogue, self.scene.release.end
        session = [SessionPlay(each, now - place) for place, each in enumerate(catalogue.items.ids[:5])]
        user = catalogue.users.ids[0] if len(catalogue.users) else None
        main = session[0].item_id if session else None
        page, cold = SceneRequest(user, main, session, time=now), SceneRequest(time=now)
        home = SceneRequest(user, None, session, time=now)
        for batch in ([page], [cold], [home, page, cold]):
            result = self.scene.pipeline.run(self.scene.encode(batch), tolerant=True)
            for b in range(len(batch)):
                encode(self.scene.answer(result, b, explain=True))
        self.ready = True
