"""The requests of a replay: every variant meets the same ones, and they are drawn once."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from yoorec.errors import ConfigError, DataError, Problem

if TYPE_CHECKING:
    from yoorec.config.scenario import Scenario
    from yoorec.data.cuts import Cuts
    from yoorec.data.dataset import Dataset
    from yoorec.data.episodes import Episodes

__all__ = ["check_comparable", "drawn", "logged_requests"]


def logged_requests(scenario: Scenario, dataset: Dataset, cuts: Cuts) -> Episodes:
    """Every request that the scenario's protocol finds after the replay cut. Raises DataError where there is none."""
    from yoorec.data.episodes import given_episodes, next_play

    if scenario.replay.protocol == "given":
        episodes = given_episodes(dataset, scenario.history)
    else:
        episodes = next_play(dataset.visits, cuts.replay_cut, cuts.end, scenario.replay.truth, scenario.history)
    if not len(episodes):
        raise DataError(
            f"scene '{scenario.scene}': nothing to replay: after replay.cut {scenario.replay.cut} no play follows "
            "another in its session; cut earlier, or bring a longer log"
        )
    return episodes


def drawn(available: int, requests: int | None, seed: int) -> npt.NDArray[np.int64]:
    """Rows of at most `requests` requests, drawn without replacement and in time order; all where None."""
    if requests is None or requests >= available:
        return np.arange(available)
    return np.sort(np.random.default_rng(seed).choice(available, requests, replace=False))


def check_comparable(control: Scenario, variant: Scenario, name: str) -> None:
    """Raise ConfigError naming each setting in which a variant would meet other requests than control."""
    settings = {
        "data": (_source(control), _source(variant)),
        "session_gap": (control.session_gap_ms, variant.session_gap_ms),
        "event_weights": (dict(control.event_weights), dict(variant.event_weights)),
        "fit.rank_cut": (control.fit.rank_cut, variant.fit.rank_cut),
        "replay.cut": (control.replay.cut, variant.replay.cut),
        "replay.protocol": (control.replay.protocol, variant.replay.protocol),
        "replay.truth": (control.replay.truth, variant.replay.truth),
        "replay.mask": (control.replay.mask, variant.replay.mask),
        "replay.metrics": (control.replay.metrics, variant.replay.metrics),
        "replay.gates": (control.replay.gates, variant.replay.gates),
        "replay.resamples": (control.replay.resamples, variant.replay.resamples),
    }
    file = "" if control.path is None else str(control.path)
    problems = tuple(
        Problem(
            file,
            f"variants.{name}",
            f"changes {key}, so it could not be compared with control on the same requests",
            "profile, triggers, merge, ranker, exposure, slate, seed",
        )
        for key, (before, after) in settings.items()
        if before != after
    )
    if problems:
        raise ConfigError(problems)


def _source(scenario: Scenario) -> tuple[str, object]:
    return scenario.data.use, scenario.data.config
