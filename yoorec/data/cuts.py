"""Cuts: the time fences between what triggers learn, what the ranker learns, and what is replayed."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from yoorec.data.episodes import given_span
from yoorec.errors import ConfigError, DataError, Problem

if TYPE_CHECKING:
    from yoorec.config.scenario import Cut, Scenario
    from yoorec.data.dataset import Dataset

__all__ = ["Cuts", "production_cuts", "resolve_cuts"]

_GIVEN_SHARE = 0.9


@dataclass(frozen=True, slots=True)
class Cuts:
    """Times in ms, ``rank_cut < replay_cut < end`` (for production ``replay_cut == end``).

    Triggers learn before rank_cut, the ranker from rank_cut to replay_cut, requests come after replay_cut and
    before end. Nothing learned comes from at or after its cut.
    """

    rank_cut: int
    replay_cut: int
    end: int


def resolve_cuts(scenario: Scenario, dataset: Dataset) -> Cuts:
    """The scenario's cuts in this log.

    A share p is the time of the play of rank floor(p * N) among the log's N plays in time order: a share of plays,
    not of the calendar, so bursts and quiet weeks don't move how much is learned. A date is UTC. Under protocol
    `given` both settings rest: the replay cut lies after the last train event, and the rank window begins with
    the session of rank floor(0.9 S) among the S train sessions by their start.
    A mask moves no cut: the log is taken as it was before.
    Raises ConfigError naming both cuts where they don't follow one another, or one that is no share or date.
    """
    if scenario.replay.protocol == "given":
        return _given_cuts(dataset)
    timeline = dataset.timeline
    times, end = timeline.plays, timeline.last + 1
    rank_cut = _resolve(scenario, "fit.rank_cut", scenario.fit.rank_cut, times, end)
    replay_cut = _resolve(scenario, "replay.cut", scenario.replay.cut, times, end)
    if not rank_cut < replay_cut:
        raise _disorder(
            scenario,
            "fit.rank_cut",
            f"fit.rank_cut {scenario.fit.rank_cut} falls on {_date(rank_cut)}, "
            f"not before replay.cut {scenario.replay.cut} on {_date(replay_cut)}",
        )
    if not replay_cut < end:
        raise _disorder(
            scenario,
            "replay.cut",
            f"replay.cut {scenario.replay.cut} falls on {_date(replay_cut)}, not before the log's end on {_date(end)}",
        )
    if not int(times[0]) < rank_cut:
        raise _disorder(
            scenario,
            "fit.rank_cut",
            f"fit.rank_cut {scenario.fit.rank_cut} falls on {_date(rank_cut)}, "
            f"not after the log's first play on {_date(int(times[0]))}",
        )
    return Cuts(rank_cut, replay_cut, end)


def production_cuts(scenario: Scenario, dataset: Dataset) -> Cuts:
    """The newest cuts, for launch: everything is learned from, and the rank window moves up to the log's end.

    Where both cuts are shares the window keeps its share of plays, else its length in time.
    """
    cuts = resolve_cuts(scenario, dataset)
    if scenario.replay.protocol == "given":
        return Cuts(cuts.rank_cut, cuts.replay_cut, cuts.replay_cut)
    rank, replay = scenario.fit.rank_cut, scenario.replay.cut
    if isinstance(rank, str) or isinstance(replay, str):
        return Cuts(cuts.end - (cuts.replay_cut - cuts.rank_cut), cuts.end, cuts.end)
    times = dataset.timeline.plays
    rank_cut = _at_share(1.0 - (replay - rank), times, cuts.end)
    return Cuts(rank_cut, cuts.end, cuts.end)


def _given_cuts(dataset: Dataset) -> Cuts:
    given = dataset.given
    if given is None or not len(given.target):
        raise DataError("replay.protocol: 'given' needs test rows (prefix and target), and the data has none")
    timeline = dataset.timeline
    starts, last = timeline.sessions, timeline.last
    rank_cut = int(starts[min(int(np.floor(_GIVEN_SHARE * len(starts))), len(starts) - 1)])
    if not int(starts[0]) < rank_cut:
        raise DataError(f"replay.protocol: 'given' needs more than the {len(starts)} train sessions there are")
    return Cuts(rank_cut, last + 1, given_span(given, last)[1] + 1)


def _resolve(scenario: Scenario, key: str, cut: Cut, times: npt.NDArray[np.int64], end: int) -> int:
    if not isinstance(cut, str):
        return _at_share(cut, times, end)
    try:
        moment = datetime.fromisoformat(cut)
    except ValueError:
        raise _disorder(
            scenario, key, f"'{cut}' is no date", "a share of plays such as 0.9, or a date such as 2022-05-01T12:00:00"
        ) from None
    moment = moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment
    return round(moment.timestamp() * 1000)


def _at_share(share: float, times: npt.NDArray[np.int64], end: int) -> int:
    # 0.29 * 100 is 28.999...; the rank meant is the one below a whole number only where the product truly is.
    rank = int(np.floor(round(share * len(times), 6)))
    return int(times[rank]) if rank < len(times) else end


def _date(time: int) -> str:
    return datetime.fromtimestamp(time / 1000, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _disorder(scenario: Scenario, key: str, message: str, accepted: str = "") -> ConfigError:
    file = "" if scenario.path is None else str(scenario.path)
    return ConfigError((Problem(file, key, message, accepted or "fit.rank_cut < replay.cut < the log's end"),))
