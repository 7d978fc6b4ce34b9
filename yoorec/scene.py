"""A scene in use: a scenario with its release loaded, asked in outside ids by the server and by `yoorec.load`."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from yoorec.artifacts.release import Release
from yoorec.artifacts.store import Store
from yoorec.assembly import check_inputs, check_mask, open_pipeline
from yoorec.batch import Arrivals, Plays
from yoorec.config.scenario import Part, Scenario
from yoorec.data.catalogue import Catalogue
from yoorec.data.storage import load_catalogue
from yoorec.errors import ArtifactError, RequestError, nearest
from yoorec.ledger import ledger
from yoorec.pipeline import Pipeline, Result
from yoorec.plugins import Plugins, load_plugins

__all__ = ["Scene", "SceneRequest", "SessionPlay", "load", "open_current"]

_log = logging.getLogger("yoorec.scene")
_SKEW_MS = 5 * 60_000


@dataclass(frozen=True, slots=True)
class SessionPlay:
    """One play of the running session. time: ms, or None where the client keeps none. event: the event's type."""

    item_id: str
    time: int | None = None
    event: str = "play"


@dataclass(frozen=True, slots=True)
class SceneRequest:
    """One request in outside ids. session: newest first. time: ms, None for now. k: None for the scenario's slate."""

    user_id: str | None = None
    item_id: str | None = None
    session: Sequence[SessionPlay] = ()
    k: int | None = None
    time: int | None = None


class Scene:
    """A scenario with its release loaded."""

    def __init__(self, scenario: Scenario, release: Release, catalogue: Catalogue, pipeline: Pipeline) -> None:
        self.scenario = scenario
        self.release = release
        self.catalogue = catalogue
        self.pipeline = pipeline

    @classmethod
    def open(cls, scenario: Scenario, release: Release, plugins: Plugins) -> Scene:
        """Load a release, every checksum compared.

        Raises ArtifactError naming the file that is damaged, or the key with which an artifact was fitted otherwise
        than the scenario says.
        """
        store = Store(scenario.store)
        artifacts = {name: store.open(slot, name) for name, slot in release.slots.items()}
        check_mask(scenario, artifacts["catalogue"])
        catalogue = load_catalogue(artifacts["catalogue"].folder)
        used: dict[str, Part] = {"profile": scenario.profile}
        used |= {f"triggers.{part.name}": part for part in scenario.triggers}
        if scenario.ranker is not None:
            used["ranker"] = scenario.ranker
        for name, part in used.items():
            if name not in artifacts:
                raise ArtifactError(
                    f"{store.root}: the release of scene '{release.scene}' holds no {name}: run `yoorec fit`"
                )
            check_inputs(part, scenario.seed, artifacts[name])
        pipeline = open_pipeline(
            scenario,
            catalogue,
            plugins,
            profile=artifacts["profile"],
            triggers={part.name: artifacts[f"triggers.{part.name}"] for part in scenario.triggers},
            ranker=artifacts.get("ranker"),
            counters=artifacts.get("counters"),
        )
        return cls(scenario, release, catalogue, pipeline)

    def close(self) -> None:
        """Let go of threads and files."""
        self.pipeline.close()

    def warm(self) -> None:
        """Run the chain once on a few made-up requests, so that the first real one finds everything compiled."""
        now = self.release.end
        ids = self.catalogue.items.ids
        users = self.catalogue.users.ids
        session = [SessionPlay(each, now - place) for place, each in enumerate(ids[:3])]
        known = SceneRequest(users[0] if users else None, ids[0] if ids else None, session, time=now)
        cold = SceneRequest(time=now)
        for batch in ([known], [cold], [known, cold]):
            self.pipeline.run(self.encode(batch))

    def encode(self, requests: Sequence[SceneRequest], clock: Callable[[], float] = time.time) -> Arrivals:
        """Outside ids to indices.

        An unknown item of the session is passed over; an unknown user or main item becomes -1. A main item that is not
        the newest of the session is put before it. Plays without a time take that of the play before them. A play up to
        five minutes later than the request counts as made at the request (clocks differ); a later one is refused.
        Raises RequestError naming the field.
        """
        items, users, weights = self.catalogue.items, self.catalogue.users, self.scenario.event_weights
        size = len(requests)
        user, item = np.empty(size, np.int32), np.empty(size, np.int32)
        at, k = np.empty(size, np.int64), np.empty(size, np.int32)
        offsets = np.zeros(size + 1, np.int64)
        played: list[int] = []
        times: list[int] = []
        weight: list[float] = []
        for b, request in enumerate(requests):
            now = int(clock() * 1000) if request.time is None else request.time
            user[b] = users.index(request.user_id)
            main = item[b] = items.index(request.item_id)
            at[b] = now
            k[b] = self.scenario.slate if request.k is None else request.k
            newest = request.session[0].item_id if request.session else None
            if main >= 0 and newest != request.item_id:
                played.append(int(main))
                times.append(now)
                weight.append(1.0)
            last = now
            for place, play in enumerate(request.session):
                if play.time is not None:
                    if play.time > now + _SKEW_MS:
                        raise RequestError(f"session[{place}].time", f"{play.time} is later than the request, {now}")
                    moment = min(play.time, now)
                    if moment > last:
                        raise RequestError(
                            f"session[{place}].time",
                            f"{play.time} is later than the play before it; newest come first",
                        )
                    last = moment
                known = items.index(play.item_id)
                if play.event not in weights:
                    close = nearest(play.event, weights)
                    raise RequestError(
                        f"session[{place}].event",
                        f"'{play.event}' is no play in this scene; accepted: {', '.join(sorted(weights))}"
                        + (f"; nearest: {close}" if close else ""),
                    )
                if known >= 0:
                    played.append(known)
                    times.append(last)
                    weight.append(weights[play.event])
            offsets[b + 1] = len(played)
        session = Plays(offsets, np.array(played, np.int32), np.array(times, np.int64), np.array(weight, np.float32))
        return Arrivals(user, at, item, k, session)

    def answer(self, result: Result, b: int, explain: bool = False) -> dict[str, Any]:
        """The wire answer of request b of a result."""
        slates = result.slates
        rows = slice(int(slates.offsets[b]), int(slates.offsets[b + 1]))
        ids = self.catalogue.items.ids
        found: dict[str, Any] = {
            "scene": self.scenario.scene,
            "scenario_hash": self.scenario.hash,
            "items": [
                {"item_id": ids[item], "score": score}
                for item, score in zip(slates.item[rows].tolist(), slates.score[rows].tolist(), strict=True)
            ],
            "degraded": list(result.degraded),
        }
        if explain:
            found["ledger"] = ledger(self.pipeline, result, b)
            found["timings_ms"] = {name: round(value, 4) for name, value in result.timings_ms.items()}
        return found

    def recommend(
        self,
        user_id: str | None = None,
        item_id: str | None = None,
        session: Sequence[str | SessionPlay] = (),
        k: int | None = None,
        time: int | None = None,
        explain: bool = False,
    ) -> dict[str, Any]:
        """Answer one request in this process, as the server would.

        session: plays of this visit, newest first, as item ids or `SessionPlay`s. time: ms, None for now.
        Returns scene, scenario_hash, items (item_id and score, best first), degraded; with `explain` also ledger and
        timings_ms. Raises RequestError naming the field.
        """
        if k is not None and not 0 <= k <= self.scenario.serve.max_k:
            raise RequestError("k", f"{k} is out of range; accepted: 0 to {self.scenario.serve.max_k}")
        plays = [SessionPlay(each) if isinstance(each, str) else each for each in session]
        arrivals = self.encode([SceneRequest(user_id, item_id, plays, k, time)])
        deadlines = self.scenario.serve.deadlines
        return self.answer(self.pipeline.run(arrivals, deadlines=deadlines, tolerant=True), 0, explain)


def load(path: str | Path, overrides: Sequence[str] = (), plugins: Plugins | None = None, *, fit: bool = True) -> Scene:
    """Open a scenario's scene from its current release.

    fit: build a release where there is none; otherwise that is an ArtifactError. A release that was fitted with another
    config than the scenario's is an ArtifactError either way.
    """
    from yoorec.config.compose import load_scenario

    plugins = plugins or load_plugins()
    scenario = load_scenario(path, overrides, plugins)
    return open_current(scenario, plugins, fit=fit)


def open_current(
    scenario: Scenario, plugins: Plugins, *, fit: bool = True, progress: Callable[..., None] = lambda *_: None
) -> Scene:
    """Open the current release of a scenario's scene; build it first where there is none and `fit` allows it."""
    release = Store(scenario.store).current(scenario.scene)
    if release is None:
        if not fit:
            raise ArtifactError(
                f"{scenario.store}: scene '{scenario.scene}' has no release: run `yoorec fit {scenario.path}`"
            )
        from yoorec.fit import fit as build

        _log.info("scene '%s' has no release yet: fitting", scenario.scene)
        release = build(scenario, plugins, progress=progress)
    return Scene.open(scenario, release, plugins)
