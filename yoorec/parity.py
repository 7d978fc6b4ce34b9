"""Parity: the real server, over HTTP, against replay: the same items in the same places, scores equal in every bit."""

from __future__ import annotations

import asyncio
import json
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from itertools import zip_longest
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
import numpy as np
import numpy.typing as npt

from yoorec.artifacts.store import Store
from yoorec.batch import Arrivals, Plays
from yoorec.data.cuts import resolve_cuts
from yoorec.data.dataset import read_dataset
from yoorec.data.vocabulary import Vocabulary
from yoorec.errors import ConfigError, Problem
from yoorec.fit import fit
from yoorec.ledger import ledger
from yoorec.pipeline import Result
from yoorec.replay.requests import drawn, logged_requests
from yoorec.scene import Scene
from yoorec.server.process import server_process

if TYPE_CHECKING:
    from yoorec.artifacts.release import Release
    from yoorec.config.scenario import Scenario
    from yoorec.plugins import Plugins

__all__ = ["Difference", "ParityReport", "parity"]

_PLANTED_SHARE = 20
_EXPLAINED = 3
_LEDGER_LINES = 12

Body = dict[str, Any]
Ledger = list[dict[str, Any]]


def _silent(done: float, note: str = "") -> None:
    """Report nowhere."""


@dataclass(frozen=True, slots=True)
class Difference:
    """A request whose answer over HTTP is not replay's.

    phase: "singly" or "concurrently". body: what was sent. reason: how the two differ.
    ledgers: replay's and the server's, for the first few differences. again: what the server said when asked once more
    for its ledger.
    """

    request: int
    phase: str
    body: Body
    reason: str
    ledgers: tuple[Ledger, Ledger] | None = None
    again: str = ""

    def __str__(self) -> str:
        lines = [f"request {self.request}, {self.phase}: {self.reason}", f"  sent: {json.dumps(self.body)}"]
        if self.again:
            lines.append(f"  {self.again}")
        if self.ledgers is not None:
            for owner, entries in zip(("replay", "server"), self.ledgers, strict=True):
                lines.append(f"  ledger of {owner}, {len(entries)} candidates:")
                lines += [f"    {json.dumps(entry)}" for entry in entries[:_LEDGER_LINES]]
                if len(entries) > _LEDGER_LINES:
                    lines.append(f"    and {len(entries) - _LEDGER_LINES} more")
        return "\n".join(lines)


@dataclass(frozen=True, slots=True)
class ParityReport:
    """What a comparison found.

    logged: requests out of the log; planted: strangers and requests without main item, session or both.
    Each was asked once alone and once with others, so twice as many answers were compared.
    """

    scene: str
    scenario_hash: str
    logged: int
    planted: int
    concurrency: int
    differences: tuple[Difference, ...] = ()

    @property
    def passed(self) -> bool:
        """No difference, no degraded answer, no refusal."""
        return not self.differences

    def __str__(self) -> str:
        told = [str(each) for each in self.differences[:_EXPLAINED]]
        if len(self.differences) > _EXPLAINED:
            told.append(f"and {len(self.differences) - _EXPLAINED} more")
        count = len(self.differences)
        told.append(
            f"scene '{self.scene}' ({self.scenario_hash}): {count} difference{'' if count == 1 else 's'} over "
            f"{self.logged + self.planted} requests ({self.logged} logged, {self.planted} planted), "
            f"each singly and {self.concurrency} at a time"
        )
        return "\n\n".join(told)


def parity(
    scenario: Scenario,
    plugins: Plugins,
    *,
    requests: int = 500,
    concurrency: int = 8,
    seed: int | None = None,
    progress: Callable[..., None] = _silent,
) -> ParityReport:
    """Ask replay and the real server the same, and compare.

    The scenario is fitted where it has to be, without changing its current release. The server is a process of its own,
    with deadlines off. requests: logged ones, drawn with `seed` (the scenario's unless given) from what replay would
    take; strangers and requests without main item or session are planted beside them. concurrency: requests under way
    at once in the second round.
    Raises ConfigError for a scenario that is in no file, YoorecError where the server does not come up.
    """
    if scenario.path is None:
        raise ConfigError((Problem("", "", "parity needs a scenario from a file, which a server of its own can read"),))
    dataset = read_dataset(scenario, progress=lambda done, note="": progress(0.2 * done, note))
    cuts = resolve_cuts(scenario, dataset)
    episodes = logged_requests(scenario, dataset, cuts)
    rows = drawn(len(episodes), requests, scenario.seed if seed is None else seed)
    logged = episodes.take(rows).arrivals(scenario.slate)
    release = fit(
        scenario, plugins, dataset, publish=False, progress=lambda done, note="": progress(0.2 + 0.3 * done, note)
    )
    scene = Scene.open(scenario, release, plugins)
    try:
        arrivals = _joined([logged, *_planted(logged)])
        bodies = _Outside(scene).bodies(arrivals)
        expected = _replayed(scene, arrivals)
        with _server(scenario, release) as url:
            progress(0.6, "requests singly")
            singly = _ask_singly(url, bodies)
            progress(0.75, f"requests {concurrency} at a time")
            together = asyncio.run(_ask_together(url, bodies, concurrency))
            progress(0.95, "comparing")
            differences = [
                Difference(number, phase, bodies[number], reason)
                for phase, answers in (("singly", singly), ("concurrently", together))
                for number, answer in enumerate(answers)
                if (reason := expected.differs(number, answer))
            ]
            told = [expected.explained(each, url) for each in differences[:_EXPLAINED]]
    finally:
        scene.close()
    progress(1.0, "")
    planted = len(arrivals) - len(logged)
    return ParityReport(
        scenario.scene,
        scenario.hash,
        len(logged),
        planted,
        concurrency,
        (*told, *differences[_EXPLAINED:]),
    )


def _planted(logged: Arrivals) -> Iterator[Arrivals]:
    """Copies of some requests as a stranger's, without main item, without session, and with nothing at all."""
    some = logged.take(np.arange(0, len(logged), _PLANTED_SHARE))
    nobody, nothing = np.full(len(some), -1, np.int32), np.full(len(some), -1, np.int32)
    yield replace(some, user=nobody)
    yield replace(some, item=nothing)
    yield replace(some, item=nothing, session=Plays.empty(len(some)))
    yield replace(some, user=nobody, item=nothing, session=Plays.empty(len(some)))


def _joined(parts: Sequence[Arrivals]) -> Arrivals:
    def column(name: str) -> npt.NDArray[Any]:
        return np.concatenate([getattr(part, name) for part in parts])

    def session(name: str) -> npt.NDArray[Any]:
        return np.concatenate([getattr(part.session, name) for part in parts])

    lengths = np.concatenate([np.diff(part.session.offsets) for part in parts])
    offsets = np.zeros(len(lengths) + 1, np.int64)
    np.cumsum(lengths, out=offsets[1:])
    plays = Plays(offsets, session("item"), session("time"), session("weight"))
    return Arrivals(column("user"), column("time"), column("item"), column("k"), plays)


class _Outside:
    """Requests as a client would spell them."""

    def __init__(self, scene: Scene) -> None:
        self._users, self._items = scene.catalogue.users, scene.catalogue.items
        self._stranger, self._novelty = _missing(self._users, "stranger"), _missing(self._items, "novelty")
        weights = scene.scenario.event_weights
        self._event = {np.float32(weight): event for event, weight in weights.items()}
        if "play" in weights:
            self._event[np.float32(weights["play"])] = "play"

    def bodies(self, arrivals: Arrivals) -> list[Body]:
        """A JSON body for each request; what may be left out is, in every other one."""
        return [self._body(arrivals, b, spelled=b % 2 == 0) for b in range(len(arrivals))]

    def _body(self, arrivals: Arrivals, b: int, spelled: bool) -> Body:
        body: Body = {"time": int(arrivals.time[b])}
        for key, index, ids, unknown in (
            ("user_id", int(arrivals.user[b]), self._users.ids, self._stranger),
            ("item_id", int(arrivals.item[b]), self._items.ids, self._novelty),
        ):
            if index >= 0:
                body[key] = ids[index]
            elif spelled:
                body[key] = unknown
        if spelled:
            body["k"] = int(arrivals.k[b])
        plays = arrivals.session
        rows = range(int(plays.offsets[b]), int(plays.offsets[b + 1]))
        if rows or spelled:
            body["session"] = [self._play(plays, row) for row in rows]
        return body

    def _play(self, plays: Plays, row: int) -> Body:
        play: Body = {"item_id": self._items.ids[plays.item[row]], "time": int(plays.time[row])}
        event = self._event.get(plays.weight[row], "play")
        return play if event == "play" else {**play, "event": event}


def _missing(ids: Vocabulary, name: str) -> str:
    while ids.index(name) >= 0:
        name += "~"
    return name


@dataclass(frozen=True, slots=True)
class _Replayed:
    """What replay answers: its results, and which of them holds each request."""

    scene: Scene
    results: Sequence[Result]
    batch: int

    def _of(self, number: int) -> tuple[Result, int]:
        return self.results[number // self.batch], number % self.batch

    def differs(self, number: int, answer: httpx.Response | str) -> str:
        """How the server's answer differs from replay's; empty where it does not."""
        if isinstance(answer, str):
            return f"the server gave no answer: {answer}"
        if answer.status_code != 200:
            return f"the server answered {answer.status_code}: {answer.text}"
        found, (result, b) = answer.json(), self._of(number)
        if found["degraded"] or result.degraded:
            owner = "the server" if found["degraded"] else "replay"
            return f"degraded in {owner}: {'; '.join(found['degraded'] or result.degraded)}"
        if found["scenario_hash"] != self.scene.scenario.hash:
            return f"the server's scenario is {found['scenario_hash']}, replay's {self.scene.scenario.hash}"
        rows = slice(int(result.slates.offsets[b]), int(result.slates.offsets[b + 1]))
        ids = self.scene.catalogue.items.decode(result.slates.item[rows])
        replayed = list(zip(ids, result.slates.score[rows], strict=True))
        served = [(item["item_id"], _float32(item["score"])) for item in found["items"]]
        for place, (ours, theirs) in enumerate(zip_longest(replayed, served)):
            if ours is None or theirs is None:
                return f"replay gives {len(replayed)} items, the server {len(served)}"
            if ours[0] != theirs[0]:
                return f"place {place}: replay has {ours[0]}, the server {theirs[0]}"
            if _bits(ours[1]) != _bits(theirs[1]):
                return (
                    f"place {place}, {ours[0]}: replay's score is {_shown(ours[1])}, the server's {_shown(theirs[1])}"
                )
        return ""

    def explained(self, difference: Difference, url: str) -> Difference:
        """The same difference with both ledgers."""
        result, b = self._of(difference.request)
        answer = httpx.post(f"{url}/v1/recommend", json={**difference.body, "explain": True}, timeout=60)
        theirs = answer.json().get("ledger", []) if answer.status_code == 200 else []
        still = self.differs(difference.request, answer)
        again = f"asked again: {still}" if still else "asked again alone, the server gives replay's list"
        return replace(difference, ledgers=(ledger(self.scene.pipeline, result, b), theirs), again=again)


def _replayed(scene: Scene, arrivals: Arrivals) -> _Replayed:
    """Replay's own path, in replay's own batches; a trigger that raises is left out, and told as a difference."""
    batch = scene.scenario.replay.batch
    numbers = np.arange(len(arrivals))
    results = [
        scene.pipeline.run(arrivals.take(numbers[start : start + batch]), tolerant=True)
        for start in range(0, len(arrivals), batch)
    ]
    return _Replayed(scene, results, batch)


def _float32(score: float | None) -> np.float32:
    return np.float32(np.nan if score is None else score)


def _bits(score: np.float32) -> bytes:
    """The four bytes of a score; JSON has one spelling, null, for all that are not finite."""
    return score.tobytes() if np.isfinite(score) else b"null"


def _shown(score: np.float32) -> str:
    return f"{score!s} (0x{int(score.view(np.uint32)):08x})"


def _ask_singly(url: str, bodies: Sequence[Body]) -> list[httpx.Response | str]:
    answers: list[httpx.Response | str] = []
    with httpx.Client(base_url=url, timeout=60) as client:
        for body in bodies:
            try:
                answers.append(client.post("/v1/recommend", json=body))
            except httpx.HTTPError as error:
                answers.append(f"{type(error).__name__}: {error}")
    return answers


async def _ask_together(url: str, bodies: Sequence[Body], concurrency: int) -> list[httpx.Response | str]:
    answers: list[httpx.Response | str] = [""] * len(bodies)
    turns = iter(range(len(bodies)))

    async def ask_on(client: httpx.AsyncClient) -> None:
        for number in turns:
            try:
                answers[number] = await client.post("/v1/recommend", json=bodies[number])
            except httpx.HTTPError as error:
                answers[number] = f"{type(error).__name__}: {error}"

    limits = httpx.Limits(max_connections=concurrency)
    async with httpx.AsyncClient(base_url=url, timeout=60, limits=limits) as client:
        await asyncio.gather(*(ask_on(client) for _ in range(concurrency)))
    return answers


@contextmanager
def _server(scenario: Scenario, release: Release) -> Iterator[str]:
    """The address of a server process that serves `release`, whatever release is current."""
    with tempfile.TemporaryDirectory(prefix="yoorec-parity-") as aside:
        # A store of its own over the same artifacts, so that the scene's current release stays as it is.
        store = Path(aside)
        (store / "artifacts").symlink_to(scenario.store.resolve() / "artifacts")
        Store(store).release(release)
        serve = scenario.serve
        settings = {
            "store": "'" + str(store).replace("'", "\\'") + "'",
            "serve.allow_time": "true",
            "serve.deadlines": "false",
            "serve.max_k": max(serve.max_k, scenario.slate),
            "serve.max_session": max(serve.max_session, scenario.history),
            "serve.max_body": max(serve.max_body, 4096 + 512 * scenario.history),
        }
        overrides = [f"{key}={value}" for key, value in settings.items()]
        with server_process([str(scenario.path), *scenario.overrides, *overrides]) as (url, _):
            yield url
