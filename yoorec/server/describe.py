"""What ``GET /v1/scenarios`` says of a served scene: its chain, its cut and its counts; no paths, no secrets."""

from __future__ import annotations

from msgspec import Struct

from yoorec.server.service import Refusal, Service

__all__ = ["ScenarioReport", "Scenarios", "TriggerReport", "describe"]


class TriggerReport(Struct):
    """A trigger and how often it was left out. degraded: requests by cause (timeout, busy, error)."""

    name: str
    use: str
    limit: int
    timeout_ms: float | None
    degraded: dict[str, int]


class ScenarioReport(Struct):
    """A served scene.

    cut: ms; what is served learned only from events strictly earlier. loaded: ms, when the release came into use.
    refused: the last reload that was refused. answers: requests by HTTP status. passes: runs of the chain; requests
    that shared one count once.
    """

    scene: str
    scenario_hash: str
    release: str
    cut: int
    loaded: int
    refused: Refusal | None
    ready: bool
    slate: int
    max_k: int
    triggers: list[TriggerReport]
    merge: str
    ranker: str | None
    exposure: list[str]
    answers: dict[str, int]
    passes: int


class Scenarios(Struct):
    """Every served scene."""

    scenarios: list[ScenarioReport]


def describe(service: Service) -> ScenarioReport:
    """Tell a served scene's chain and counts."""
    scenario, counts = service.scenario, service.counters.snapshot()
    release, loaded = service.current.scene.release, service.current.since
    triggers = [
        TriggerReport(
            part.name,
            part.use,
            part.limit,
            part.timeout_ms,
            {cause: count for (name, cause), count in sorted(counts.degraded.items()) if name == part.name},
        )
        for part in scenario.triggers
    ]
    return ScenarioReport(
        scene=scenario.scene,
        scenario_hash=scenario.hash,
        release=release.version,
        cut=release.replay_cut,
        loaded=loaded,
        refused=service.refusal,
        ready=service.ready,
        slate=scenario.slate,
        max_k=scenario.serve.max_k,
        triggers=triggers,
        merge=scenario.merge.use,
        ranker=scenario.ranker.use if scenario.ranker is not None else None,
        exposure=[part.name for part in scenario.exposure],
        answers={str(status): count for status, count in sorted(counts.answers.items())},
        passes=counts.passes,
    )
