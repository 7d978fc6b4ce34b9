"""Slices: the requests of a replay by who asks and by what was then played.

Every variant meets the same slices, since they come from the log and not from any chain:

- `item_age`: how long ago the item played was published, at the request's time: ``first day`` (less than 24 hours),
  ``first week`` (less than seven days), ``older``. Of several truths the youngest decides.
- `user_plays`: plays of the user that are known from before this visit (strictly before the session's first play; what
  a mask took is not known): ``0``, ``1-5``, ``6+``. A request without a user has 0.
- `masked`, where the scenario sets `replay.mask`: ``masked items`` are the requests with a masked item among their
  truths, ``masked users`` those of masked users of whom no more than the mask's `plays` are known from before this
  visit. A request may be in both, and most are in neither.

Under protocol `given` the first two are left out: its requests have no times of their own and no users.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from yoorec.batch import Ragged
from yoorec.data.log import EventLog
from yoorec.ragged import compiled
from yoorec.replay.report import SliceSize

if TYPE_CHECKING:
    from yoorec.config.scenario import Scenario
    from yoorec.data.dataset import Dataset
    from yoorec.data.episodes import Episodes

__all__ = ["MIN_CLUSTERS", "MIN_REQUESTS", "Slices", "known_plays", "slice_requests", "slice_sizes", "youngest_age"]

Bool = npt.NDArray[np.bool_]
Int64 = npt.NDArray[np.int64]

Slices = Mapping[str, Mapping[str, Bool]]
"""Dimension to slice to bool [R], whether a request is in it."""

MIN_REQUESTS = 1_000
MIN_CLUSTERS = 200
"""A slice of fewer requests, or of fewer users (sessions under `given`), gets no figures: its intervals would be too
wide to decide anything, and too narrow to be believed, since a percentile bootstrap of few clusters is optimistic."""

_DAY_MS = 86_400_000


def slice_requests(scenario: Scenario, dataset: Dataset, episodes: Episodes) -> dict[str, dict[str, Bool]]:
    """The slices of the requests; none where the scenario asks for none."""
    if not scenario.replay.slices:
        return {}
    found: dict[str, dict[str, Bool]] = {}
    known = known_plays(dataset.log, episodes.user, episodes.start)
    masked = _masked(scenario, dataset, episodes, known)
    if scenario.replay.protocol != "given":
        age = youngest_age(dataset.log.catalogue.published_at, episodes.truth, episodes.time)
        found["item_age"] = {
            "first day": age < _DAY_MS,
            "first week": (age >= _DAY_MS) & (age < 7 * _DAY_MS),
            "older": age >= 7 * _DAY_MS,
        }
        found["user_plays"] = {"0": known == 0, "1-5": (known >= 1) & (known <= 5), "6+": known >= 6}
    if masked:
        found["masked"] = masked
    return found


def _masked(scenario: Scenario, dataset: Dataset, episodes: Episodes, known: Int64) -> dict[str, Bool]:
    """The requests of what the mask made new; nothing without a mask, or for a half of it that masks nothing."""
    mask, masked = scenario.replay.mask, dataset.masked
    found: dict[str, Bool] = {}
    if mask is None or masked is None:
        return found
    if mask.items:
        found["masked items"] = _any_of(masked.items, episodes.truth)
    if mask.users:
        taken = (episodes.user >= 0) & masked.users[episodes.user]
        found["masked users"] = taken & (known <= masked.plays)
    return found


def slice_sizes(slices: Slices, cluster: npt.NDArray[np.int32]) -> dict[str, dict[str, SliceSize]]:
    """The size of every slice, and whether it is large enough for figures. cluster: int32 [R]."""
    found: dict[str, dict[str, SliceSize]] = {}
    for dimension, members in slices.items():
        found[dimension] = {}
        for name, member in members.items():
            requests, clusters = int(member.sum()), len(np.unique(cluster[member]))
            enough = requests >= MIN_REQUESTS and clusters >= MIN_CLUSTERS
            found[dimension][name] = SliceSize(requests, clusters, enough)
    return found


def youngest_age(published_at: Int64, truth: Ragged, time: Int64) -> Int64:
    """int64 [R], ms, from the publishing of the youngest truth of each request to its time.

    published_at: int64 [I], ms. A truth that is no known item (-1) counts as published just now. 0 without a truth.
    """
    times = np.repeat(time, np.diff(truth.offsets))
    age = np.where(truth.item >= 0, times - published_at[truth.item], 0)
    found = np.zeros(len(time), np.int64)
    some = np.flatnonzero(np.diff(truth.offsets))
    if len(some):
        found[some] = np.minimum.reduceat(age, truth.offsets[some])
    return found


def known_plays(log: EventLog, user: npt.NDArray[np.int32], before: Int64) -> Int64:
    """int64 [R]: plays of each user strictly before a time (ms), those before the log included; 0 for -1."""
    plays = log.plays()
    order = np.argsort(plays.user, kind="stable")
    offsets = np.zeros(len(log.catalogue.users) + 1, np.int64)
    np.cumsum(np.bincount(plays.user, minlength=len(offsets) - 1), out=offsets[1:])
    found = np.zeros(len(user), np.int64)
    if log.past is not None:
        found = np.where(user >= 0, np.diff(log.past.offsets)[user], 0)
    _count_before(offsets, plays.time[order], user, before, found)
    return found


@compiled
def _count_before(offsets: Int64, time: Int64, user: npt.NDArray[np.int32], before: Int64, found: Int64) -> None:
    for r in range(len(user)):
        if user[r] < 0:
            continue
        start = offsets[user[r]]
        low, high = start, offsets[user[r] + 1]
        while low < high:
            middle = (low + high) // 2
            if time[middle] < before[r]:
                low = middle + 1
            else:
                high = middle
        found[r] += low - start


def _any_of(items: Bool, truth: Ragged) -> Bool:
    """bool [R]: whether an item of the set bool [I] is among the request's truths."""
    hit = (truth.item >= 0) & items[truth.item]
    request = np.repeat(np.arange(len(truth)), np.diff(truth.offsets))
    found = np.zeros(len(truth), np.bool_)
    found[request[hit]] = True
    return found
