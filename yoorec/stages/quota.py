"""Merge `quota`: a share of the places for each trigger."""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from yoorec.batch import CandidateBatch, RequestBatch
from yoorec.ragged import compiled, union_candidates
from yoorec.stages.configs import QuotaConfig
from yoorec.stages.round_robin import in_turn

if TYPE_CHECKING:
    from yoorec.data.catalogue import Catalogue

__all__ = ["Quota", "quotas"]


@lru_cache(maxsize=1024)
def quotas(triggers: tuple[str, ...], shares: tuple[tuple[str, float], ...], limit: int) -> tuple[int, ...]:
    """Places of `limit` reserved for each trigger, by the largest remainder, in exact arithmetic.

    A trigger named in `shares` has its share; the others split what the named leave of 1 equally. Each gets
    the whole part of share x limit; the places that are still missing to the whole part of the sum go one
    each to the largest fractions, ties to the earlier trigger.

    >>> quotas(("itemcf", "tdm", "hot", "title"), (("itemcf", 0.4), ("tdm", 0.2)), 10)
    (4, 2, 2, 2)
    """
    # A float's repr is what the YAML said: 0.29 is 29/100 here, and 0.29 x 100 is 29 places, not 28.
    named = {name: Fraction(repr(float(share))) for name, share in shares}
    unnamed = sum(name not in named for name in triggers)
    rest = (1 - sum(named.values(), Fraction(0))) / unnamed if unnamed else Fraction(0)
    exact = [named.get(name, rest) * limit for name in triggers]
    whole = [int(places) for places in exact]
    order = sorted(range(len(exact)), key=lambda t: (whole[t] - exact[t], t))
    for t in order[: int(sum(exact, Fraction(0))) - sum(whole)]:
        whole[t] += 1
    return tuple(whole)


@compiled
def _fill(
    start: npt.NDArray[np.int64],
    row: npt.NDArray[np.int64],
    offsets: npt.NDArray[np.int64],
    quota: npt.NDArray[np.int64],
    limit: int,
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    triggers, size = start.shape[0], start.shape[1] - 1
    out_offsets = np.zeros(size + 1, np.int64)
    for b in range(size):
        out_offsets[b + 1] = out_offsets[b] + min(offsets[b + 1] - offsets[b], limit)
    rows = np.empty(out_offsets[size], np.int64)
    taken = np.zeros(offsets[size], np.bool_)
    given = np.empty(triggers, np.int64)
    place = np.empty(triggers, np.int64)
    for b in range(size):
        count = out_offsets[b]
        for t in range(triggers):
            given[t] = 0
            place[t] = start[t, b]
        while count < out_offsets[b + 1]:
            turn = -1
            for t in range(triggers):
                if given[t] < quota[t]:
                    while place[t] < start[t, b + 1] and taken[row[place[t]]]:
                        place[t] += 1
                    if place[t] < start[t, b + 1] and (
                        turn < 0 or (given[t] + 1) * quota[turn] < (given[turn] + 1) * quota[t]
                    ):
                        turn = t
            if turn < 0:
                break
            taken[row[place[turn]]] = True
            rows[count] = row[place[turn]]
            count += 1
            given[turn] += 1
        while count < out_offsets[b + 1]:
            for t in range(triggers):
                while place[t] < start[t, b + 1] and taken[row[place[t]]]:
                    place[t] += 1
                if place[t] < start[t, b + 1] and count < out_offsets[b + 1]:
                    taken[row[place[t]]] = True
                    rows[count] = row[place[t]]
                    count += 1
    return rows, out_offsets


class Quota:
    """Each trigger has places of its own (`quotas`), and the list keeps to the shares from its first place
    on.

    1. While a trigger has places of its own left and an item that is not in the list yet, the next place goes
       to the one of them whose (items given + 1) / quota is smallest, ties to the earlier in the scenario; it
       gives its best item that is not in the list yet, and the item counts for it alone.
    2. Places that are then left (a trigger ran out of items) go round the triggers in the scenario's order,
       each giving its best item that is not in the list yet, until `limit` is reached or nobody has one.

    So every trigger gives exactly min(its quota, what it has beyond the others' picks) in step 1. A trigger
    that the request's chain left out takes no part, and its places go the way of step 2; a trigger without a
    share then splits the remainder with fewer. The merge score falls by 1 a place, from 0.
    """

    def __init__(self, config: QuotaConfig, catalogue: Catalogue) -> None:
        self._shares = tuple(config.share.items())

    def merge(self, requests: RequestBatch, recalled: Mapping[str, CandidateBatch], limit: int) -> CandidateBatch:
        """At most `limit` rows per request, in the order of their places, every source kept."""
        union = union_candidates(recalled, len(requests))
        quota = np.array(quotas(union.candidates.sources, self._shares, limit), np.int64)
        rows, offsets = _fill(union.start, union.row, union.candidates.offsets, quota, limit)
        return in_turn(union.candidates, rows, offsets)
