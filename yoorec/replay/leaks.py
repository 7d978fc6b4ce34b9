"""The fence: a replayed request must come after everything its chain has learned from."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime

import numpy as np
import numpy.typing as npt

from yoorec.errors import YoorecError

__all__ = ["LeakError", "refuse_leaks", "utc"]


class LeakError(YoorecError):
    """A request stands at or before a cut of something it would use; nothing is measured then."""


def utc(time_ms: int) -> str:
    """A time in ISO 8601, UTC, to the millisecond; the bare number where no calendar reaches that far.

    >>> utc(1_700_000_000_000)
    '2023-11-14T22:13:20.000Z'
    """
    try:
        moment = datetime.fromtimestamp(time_ms // 1000, UTC).replace(microsecond=time_ms % 1000 * 1000)
    except (ValueError, OverflowError, OSError):
        return str(time_ms)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def refuse_leaks(time: npt.NDArray[np.int64], cuts: Mapping[str, int | None]) -> None:
    """Raise LeakError where a request is not strictly later than a cut.

    time: int64 [R], ms, of the requests. cuts: artifact to the time (ms) before which it learned; None for one that
    learned from no events. The error names the earliest such request, the artifact with the latest cut, and how many
    requests are at or before that.
    """
    fences = {name: cut for name, cut in cuts.items() if cut is not None}
    if not fences or not len(time):
        return
    last = max(fences, key=lambda name: fences[name])
    early = time <= fences[last]
    if early.any():
        first = int(np.argmin(time))
        raise LeakError(
            f"{int(early.sum()):,} of {len(time):,} requests are at or before the cut of '{last}', "
            f"{utc(fences[last])} ({fences[last]} ms): the earliest, request {first}, is at {utc(int(time[first]))} "
            f"({int(time[first])} ms); a replayed request must be strictly later than what its chain learned from"
        )
