"""The scene in use: what passes of the chain run on, and what a reload puts another in the place of."""

from __future__ import annotations

import threading
import time
from collections import Counter

from yoorec.scene import Scene

__all__ = ["Current"]


class Current:
    """Holds the scene in use. One that was replaced is closed with the last pass that runs on it.

    scene: a pass takes it once, so that nothing of its answer comes from another. since: ms, when it came into use.
    """

    def __init__(self, scene: Scene) -> None:
        self._lock = threading.Lock()
        self._passes: Counter[Scene] = Counter()
        self.scene = scene
        self.since = _now_ms()

    def take(self) -> Scene:
        """The scene for one pass; it stays open until it is given back."""
        with self._lock:
            self._passes[self.scene] += 1
            return self.scene

    def give_back(self, scene: Scene) -> None:
        """End a pass on a scene that was taken."""
        with self._lock:
            self._passes[scene] -= 1
            last = self._passes[scene] == 0 and scene is not self.scene
            if last:
                del self._passes[scene]
        if last:
            scene.close()

    def replace(self, scene: Scene) -> None:
        """Put another scene in the place of the one in use, for every pass from now on."""
        with self._lock:
            old, self.scene, self.since = self.scene, scene, _now_ms()
            idle = self._passes[old] == 0
            if idle:
                del self._passes[old]
        if idle:
            old.close()


def _now_ms() -> int:
    return int(time.time() * 1000)
