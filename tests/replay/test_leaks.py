from __future__ import annotations

import numpy as np
import pytest

from yoorec.errors import YoorecError
from yoorec.replay.leaks import LeakError, refuse_leaks, utc

CUT = 1_700_000_000_000


def test_requests_after_every_cut_pass() -> None:
    refuse_leaks(np.array([CUT + 1, CUT + 5]), {"triggers.hot": CUT, "ranker": CUT - 10, "profile": None})
    refuse_leaks(np.array([CUT - 5]), {"triggers.text": None})
    refuse_leaks(np.empty(0, np.int64), {"triggers.hot": CUT})


@pytest.mark.parametrize("late", [0, 1])
def test_a_request_at_or_before_a_cut_is_refused_by_name(late: int) -> None:
    time = np.array([CUT + 9, CUT - late, CUT + 3])
    with pytest.raises(LeakError) as caught:
        refuse_leaks(time, {"triggers.hot": CUT - 7, "triggers.itemcf": CUT, "profile": None})
    moment = "2023-11-14T22:13:20.000Z" if late == 0 else "2023-11-14T22:13:19.999Z"
    assert str(caught.value) == (
        "1 of 3 requests are at or before the cut of 'triggers.itemcf', 2023-11-14T22:13:20.000Z "
        f"(1700000000000 ms): the earliest, request 1, is at {moment} ({CUT - late} ms); "
        "a replayed request must be strictly later than what its chain learned from"
    )
    assert isinstance(caught.value, YoorecError)


def test_times_are_told_in_utc_where_a_calendar_has_them() -> None:
    assert utc(0) == "1970-01-01T00:00:00.000Z"
    assert utc(-1) == "1969-12-31T23:59:59.999Z"
    assert utc(10**18) == "1000000000000000000"
