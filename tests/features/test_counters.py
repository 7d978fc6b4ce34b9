from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from yoorec.data.log import EventLog
from yoorec.errors import ArtifactError
from yoorec.features.counters import COMPLETED, HOUR_MS, Counters, durations
from yoorec.testing.worlds import small_log

NONE = np.full(1, np.nan, np.float32)


def read(
    counters: Counters, words: list[str], hours: int, prior: np.ndarray, item: np.ndarray, *asked: np.ndarray
) -> np.ndarray:
    """float32 [F, N]; asked: offsets, time."""
    found = np.full((len(words) + 1, len(item)), -1, np.float32)
    statistics = np.array([counters.statistic(word, hours) for word in words], np.int32)
    offsets, time = asked
    counters.read(statistics, prior, offsets, item, time, np.arange(1, len(found)), found)
    assert (found[0] == -1).all()
    return found[1:]


def by_hand(log: EventLog, item: int, time: int, event: str, hours: int) -> int:
    """Events of an item in whole hours before the request's."""
    now = time // HOUR_MS
    first = -(2**60) if hours == 0 else now - hours
    count = 0
    for n in range(len(log)):
        count += log.item[n] == item and first <= log.time[n] // HOUR_MS < now and log.events[log.event[n]] == event
    return count


@pytest.mark.parametrize("word", ["play", "impression", "like"])
@pytest.mark.parametrize("hours", [0, 1, 30])
def test_counts_are_those_of_whole_hours_before(word: str, hours: int) -> None:
    log = small_log(events=400)
    counters = Counters.build(log)
    rng = np.random.default_rng(0)
    row = rng.choice(np.flatnonzero(log.event == log.events.index(word)), 60)
    item, time = log.item[row], log.time[row] + rng.integers(0, 2 * HOUR_MS, 60)
    found = read(counters, [word], hours, NONE, item, np.arange(61), time)[0]
    expected = [by_hand(log, int(i), int(t), word, hours) for i, t in zip(item, time, strict=True)]
    assert found.tolist() == expected
    assert max(expected) > 0


def test_a_request_is_told_of_nothing_of_its_own_hour() -> None:
    log = small_log(events=400)
    counters = Counters.build(log)
    last = len(log) - 1
    at = np.array([log.time[last] // HOUR_MS * HOUR_MS + HOUR_MS - 1])
    item, one, word = log.item[last:], np.array([0, 1]), log.events[log.event[last]]
    assert read(counters, [word], 1, NONE, item, one, at).tolist() == [[0.0]]
    assert read(counters, [word], 1, NONE, item, one, at + 1).item() >= 1.0


def test_rates_are_drawn_to_the_common_rate() -> None:
    log = small_log()
    counters = Counters.build(log)
    item = np.arange(len(log.catalogue.items), dtype=np.int32)
    whole, now = np.array([0, len(item)]), np.array([log.time[-1] + 10 * HOUR_MS])
    plain = read(counters, ["like_rate"], 0, NONE, item, whole, now)[0]
    drawn = read(counters, ["like_rate"], 0, np.array([0.25], np.float32), item, whole, now)[0]
    likes = np.bincount(log.item[log.event == log.events.index("like")], minlength=len(item))
    shown = np.bincount(log.item[log.event == log.events.index("impression")], minlength=len(item))
    with np.errstate(invalid="ignore", divide="ignore"):
        expected = np.where(shown > 0, likes / shown, np.nan)
    np.testing.assert_allclose(plain, expected, rtol=1e-6)
    np.testing.assert_allclose(drawn, (likes + 20 * 0.25) / (shown + 20), rtol=1e-6)
    assert np.isnan(plain).any(), "an item that was never shown has no rate"


def test_completion_is_of_plays_whose_length_and_watch_time_are_known() -> None:
    log = small_log()
    counters = Counters.build(log)
    item = np.arange(len(log.catalogue.items), dtype=np.int32)
    whole, now = np.array([0, len(item)]), np.array([log.time[-1] + 10 * HOUR_MS])
    found = read(counters, ["completion"], 0, NONE, item, whole, now)[0]
    length = durations(log.catalogue)
    for i in item:
        plays = [n for n in range(len(log)) if log.item[n] == i and log.weight[n] > 0 and np.isfinite(log.watch_s[n])]
        done = sum(log.watch_s[n] >= COMPLETED * length[i] for n in plays)
        assert found[i] == np.float32(done / len(plays)) if plays else np.isnan(found[i])


def test_items_the_counters_never_met_count_nothing() -> None:
    log = small_log(events=50)
    counters = Counters.build(log)
    later = np.array([len(log.catalogue.items) + 3], np.int32)
    prior = np.full(2, np.nan, np.float32)
    found = read(counters, ["play", "like_rate"], 0, prior, later, np.array([0, 1]), log.time[-1:])
    assert found[0, 0] == 0
    assert np.isnan(found[1, 0])


def test_round_trip_and_damage(tmp_path: Path) -> None:
    counters = Counters.build(small_log())
    counters.save(tmp_path)
    again = Counters.load(tmp_path)
    assert again.events == counters.events
    for name in ("offsets", "hour", "count"):
        assert np.array_equal(getattr(again, name), getattr(counters, name))
    np.save(tmp_path / "hour.npy", counters.hour[1:])
    with pytest.raises(ArtifactError, match=r"count\.npy: .* expected"):
        Counters.load(tmp_path)


def test_an_unknown_statistic_lists_what_there_is() -> None:
    counters = Counters.build(small_log())
    with pytest.raises(ValueError, match="no 'like_rates' in 'stat'; nearest: like_rate"):
        counters.statistic("like_rates", 0)
    with pytest.raises(ValueError, match="no 'plays' in 'stat'; nearest: play; there are: impression, play, like, "):
        counters.statistic("plays", 0)
