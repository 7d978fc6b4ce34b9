from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from yoorec.data.cuts import Cuts
from yoorec.data.dataset import Dataset
from yoorec.data.log import EventLog
from yoorec.errors import ConfigError, DataError
from yoorec.pipeline import Pipeline
from yoorec.replay.requests import check_comparable, drawn, logged_requests

Chain = Callable[..., Pipeline]


def test_a_sample_is_seeded_sorted_and_without_repeats() -> None:
    rows = drawn(1000, 50, seed=3)
    assert len(np.unique(rows)) == 50
    assert (np.diff(rows) > 0).all()
    assert np.array_equal(rows, drawn(1000, 50, seed=3))
    assert not np.array_equal(rows, drawn(1000, 50, seed=4))


@pytest.mark.parametrize("requests", [None, 8, 9])
def test_enough_means_all(requests: int | None) -> None:
    assert drawn(8, requests, seed=0).tolist() == list(range(8))


def test_requests_come_after_the_cut(chain: Chain, small_log: EventLog) -> None:
    scenario = chain().scenario
    cut, end = int(small_log.time[1000]), int(small_log.time[-1]) + 1
    episodes = logged_requests(scenario, Dataset(small_log, None), Cuts(0, cut, end))
    assert len(episodes) > 10
    assert int(episodes.time.min()) > cut


def test_a_log_that_ends_at_the_cut_is_told(chain: Chain, small_log: EventLog) -> None:
    end = int(small_log.time[-1]) + 1
    with pytest.raises(DataError) as caught:
        logged_requests(chain().scenario, Dataset(small_log, None), Cuts(0, end, end))
    assert str(caught.value) == (
        "scene 'small': nothing to replay: after replay.cut 0.9 no play follows another in its session; "
        "cut earlier, or bring a longer log"
    )


def test_a_variant_that_would_meet_other_requests_is_refused(chain: Chain) -> None:
    control = replace(chain().scenario, path=Path("home.yaml"))
    check_comparable(control, replace(control, slate=20, seed=5, history=3), "wider")
    other = replace(control, session_gap_ms=7, replay=replace(control.replay, cut=0.5, gates=("mrr@10 > 0",)))
    with pytest.raises(ConfigError) as caught:
        check_comparable(control, other, "later")
    accepted = "\n  accepted: profile, triggers, merge, ranker, exposure, slate, seed"
    assert str(caught.value) == "\n".join(
        f"home.yaml: variants.later: changes {key}, so it could not be compared with control on the same requests"
        + accepted
        for key in ("session_gap", "replay.cut", "replay.gates")
    )
