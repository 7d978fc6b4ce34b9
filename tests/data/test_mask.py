"""What a mask takes, against a literal walk over the rows; and what it leaves alone: cuts, requests, what is later."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from yoorec.batch import Ragged
from yoorec.config.scenario import MaskSettings, ReplaySettings, Scenario
from yoorec.data.cuts import production_cuts, resolve_cuts
from yoorec.data.dataset import Dataset, read_dataset
from yoorec.data.episodes import Episodes, given_episodes, next_play
from yoorec.data.log import EventLog, Given
from yoorec.data.mask import Timeline, mask_dataset, mask_log
from yoorec.data.sources.config import DemoConfig, TablesConfig
from yoorec.data.tables import Quality
from yoorec.errors import ConfigError
from yoorec.testing.worlds import DAY_MS, small_catalogue, small_log, with_past

Make = Callable[..., Scenario]
Row = tuple[int, int, int, int, int]  # user, item, time, weight, main item
USERS, ITEMS = 4, 6


def log_of(rows: list[Row], past: list[list[int]] | None = None) -> EventLog:
    """A log of four users and six items; a session for each user and span of 5 ms."""
    user, item, time, weight, main = (np.array([row[column] for row in rows], np.int64) for column in range(5))
    nan, none = np.full(len(rows), np.nan, np.float32), np.full(len(rows), -1, np.int32)
    spans = dict.fromkeys((row[0], row[2] // 5) for row in rows)
    number = {span: place for place, span in enumerate(spans)}
    lists = None
    if past is not None:
        offsets = np.cumsum([0, *(len(each) for each in past)])
        lists = Ragged(offsets.astype(np.int64), np.array([i for each in past for i in each], np.int32))
    return EventLog(
        user.astype(np.int32),
        item.astype(np.int32),
        time,
        (weight > 0).astype(np.int8),
        weight.astype(np.float32),
        np.array([number[row[0], row[2] // 5] for row in rows], np.int32),
        nan,
        none,
        np.arange(len(rows), dtype=np.int32),  # tells the rows apart
        nan,
        main.astype(np.int32),
        ("impression", "play"),
        replace(small_catalogue(USERS, ITEMS), published_at=np.full(ITEMS, -7, np.int64)),
        past=lists,
    )


def literal(
    rows: list[Row], past: list[list[int]], cut: int, mask: MaskSettings, items: set[int], users: set[int]
) -> tuple[list[int], list[int], list[list[int]]]:
    """Numbers of the rows left, their main items, and what is left of each user's past."""
    left = [n for n, row in enumerate(rows) if not (row[1] in items and row[2] < cut - mask.keep)]
    kept_past = [[item for item in own if item not in items] for own in past]
    for user in users:
        plays = [n for n in left if rows[n][0] == user and rows[n][2] < cut and rows[n][3] > 0]
        latest = plays[max(len(plays) - mask.plays, 0) :]
        left = [n for n in left if rows[n][0] != user or rows[n][2] >= cut or n in latest]
        room = mask.plays - len(latest)
        kept_past[user] = kept_past[user][max(len(kept_past[user]) - room, 0) :] if room else []
    main = [-1 if rows[n][4] in items and rows[n][2] < cut - mask.keep else rows[n][4] for n in left]
    return left, main, kept_past


_rows = st.lists(
    st.tuples(
        st.integers(0, USERS - 1),
        st.integers(0, ITEMS - 1),
        st.integers(0, 20),
        st.integers(0, 2),
        st.integers(-1, ITEMS - 1),
    ),
    max_size=40,
).map(lambda rows: sorted(rows, key=lambda row: row[2]))
_past = st.lists(st.lists(st.integers(0, ITEMS - 1), max_size=4), min_size=USERS, max_size=USERS)
_shares = st.sampled_from([0.0, 0.3, 0.5, 1.0])


@given(_rows, _past, st.integers(0, 21), _shares, _shares, st.integers(0, 8), st.integers(0, 4), st.integers(0, 3))
def test_a_masked_log_equals_the_literal_walk(
    rows: list[Row], past: list[list[int]], cut: int, items: float, users: float, keep: int, plays: int, seed: int
) -> None:
    mask = MaskSettings(items, keep, users, plays, seed)
    whole = log_of(rows, past)
    log, new, strangers = mask_log(whole, cut, mask)
    left, main, kept_past = literal(
        rows, past, cut, mask, set(np.flatnonzero(new).tolist()), set(np.flatnonzero(strangers).tolist())
    )
    assert log.request.tolist() == left
    assert log.main_item.tolist() == main
    for name in ("user", "item", "time", "event", "weight"):
        assert np.array_equal(getattr(log, name), getattr(whole, name)[left]), name
    assert log.past is not None
    assert [log.past.take(np.array([user])).item.tolist() for user in range(USERS)] == kept_past
    # Sessions are those of before, numbered anew by their first remaining event.
    numbers = dict.fromkeys(whole.session[left].tolist())
    assert log.session.tolist() == [list(numbers).index(each) for each in whole.session[left].tolist()]
    end = rows[-1][2] + 1 if rows else 0
    for item in range(ITEMS):
        times = [rows[n][2] for n in left if rows[n][1] == item]
        expected = min(times, default=end) if new[item] else -7
        assert log.catalogue.published_at[item] == expected
    for each in fields(log):
        value = getattr(log, each.name)
        assert not isinstance(value, np.ndarray) or (value.flags.writeable and value.flags.c_contiguous), each.name
        assert not isinstance(value, np.ndarray) or value.dtype == getattr(whole, each.name).dtype, each.name


@given(_rows, _past, st.integers(0, 21), st.integers(0, 4), st.integers(0, 5))
def test_a_share_is_exact_of_the_eligible_and_grows_by_more(
    rows: list[Row], past: list[list[int]], cut: int, plays: int, seed: int
) -> None:
    whole = log_of(rows, past)
    early = [row for row in rows if row[2] < cut and row[3] > 0]
    playable = {row[1] for row in early}
    known = {user for user in range(USERS) if len(past[user]) + sum(row[0] == user for row in early) > plays}
    before: tuple[set[int], set[int]] = (set(), set())
    for share in (0.0, 0.2, 0.5, 0.8, 1.0):
        _, new, strangers = mask_log(whole, cut, MaskSettings(share, 0, share, plays, seed))
        found = set(np.flatnonzero(new).tolist()), set(np.flatnonzero(strangers).tolist())
        for taken, eligible, smaller in zip(found, (playable, known), before, strict=True):
            assert smaller <= taken <= eligible
            assert len(taken) == int(share * len(eligible) + 0.5)
        before = found


def test_seeds_differ_and_halves_do_not_disturb_each_other() -> None:
    log = small_log()
    cut = int(log.time[1200])
    chosen = [mask_log(log, cut, MaskSettings(0.3, 0, 0.3, 5, seed))[1:] for seed in (0, 0, 1)]
    assert np.array_equal(chosen[0][0], chosen[1][0]) and np.array_equal(chosen[0][1], chosen[1][1])
    assert not np.array_equal(chosen[0][0], chosen[2][0]) and not np.array_equal(chosen[0][1], chosen[2][1])
    assert np.array_equal(mask_log(log, cut, MaskSettings(items=0.3, keep=0))[1], chosen[0][0])
    assert np.array_equal(mask_log(log, cut, MaskSettings(users=0.3))[2], chosen[0][1])


def test_a_published_at_column_says_the_same() -> None:
    log = log_of([(0, 0, 1, 1, -1), (0, 1, 2, 1, -1), (1, 0, 8, 1, -1)])
    columns = log.catalogue.item_columns.append_column("published_at", pa.array([-7, None, -3, 5, 6, 7], pa.int64()))
    log = replace(log, catalogue=replace(log.catalogue, item_columns=columns))
    found, new, _ = mask_log(log, 6, MaskSettings(items=1.0, keep=0))
    assert np.flatnonzero(new).tolist() == [0, 1]
    # Item 1 has no event left, so it is published at the log's end.
    assert found.catalogue.published_at.tolist() == [8, 9, -7, -7, -7, -7]
    assert found.catalogue.item_columns["published_at"].to_pylist() == [8, 9, -3, 5, 6, 7]
    assert found.catalogue.item_columns.column_names == columns.column_names


def _dataset(log: EventLog, given: Given | None = None) -> Dataset:
    return Dataset(log, given, {"events": Quality(len(log), 0)}, "f" * 32)


def _bytes(episodes: Episodes) -> list[bytes]:
    session, truth = episodes.session, episodes.truth
    columns = [episodes.user, episodes.time, episodes.start, episodes.item, episodes.cluster]
    return [
        each.tobytes()
        for each in (*columns, session.offsets, session.item, session.time, session.weight, truth.offsets, truth.item)
    ]


@given(_rows, st.sampled_from(["next", "rest"]), _shares, _shares, st.integers(0, 3))
def test_requests_are_the_same_with_and_without_a_mask(
    rows: list[Row], truth: Any, items: float, users: float, plays: int
) -> None:
    """Sessions of 5 ms reach over the cut, so a mask takes plays from before it that requests bring along."""
    whole = log_of(rows)
    replay = ReplaySettings(cut="1970-01-01T00:00:00.011", truth=truth, mask=MaskSettings(items, 0, users, plays))
    times = whole.time[whole.weight > 0]
    assume(len(times) and times[0] < 5 and rows[-1][2] >= 11)  # or the cuts can't be resolved
    scenario = _bare(replay)
    masked = mask_dataset(scenario, _dataset(whole))
    assert resolve_cuts(scenario, masked) == resolve_cuts(scenario, _dataset(whole))
    assert _bytes(next_play(masked.visits, 11, None, truth, 3)) == _bytes(next_play(whole, 11, None, truth, 3))


def _bare(replay: ReplaySettings) -> Any:
    class Bare:
        path = None
        fit = type("Fit", (), {"rank_cut": "1970-01-01T00:00:00.005"})

    Bare.replay = replay  # type: ignore[attr-defined]
    return Bare


def test_a_session_over_the_cut_would_have_lost_its_requests() -> None:
    """The plays before the cut are the mask's to take from the log, yet the request brings them along."""
    rows = [(0, 1, 0, 1, -1), (0, 2, 6, 1, -1), (0, 3, 10, 1, -1), (0, 4, 12, 1, -1), (0, 5, 13, 1, -1)]
    replay = ReplaySettings(cut="1970-01-01T00:00:00.011", mask=MaskSettings(users=1.0, plays=0))
    masked = mask_dataset(_bare(replay), _dataset(log_of(rows)))
    assert masked.log.item.tolist() == [4, 5]
    found = next_play(masked.visits, 11, None, "next", 9)
    assert found.item.tolist() == [3, 4]
    assert found.start.tolist() == [10, 10]
    assert next_play(masked.log, 11, None, "next", 9).item.tolist() == [4]


@pytest.mark.parametrize(("rank", "cut"), [(0.5, 0.9), ("2023-11-18", 0.9), (0.5, "2023-11-22")])
def test_cuts_are_those_of_the_whole_log(scenario: Make, rank: Any, cut: Any) -> None:
    made = scenario("demo", DemoConfig(), rank, cut)
    mask = MaskSettings(items=0.5, keep=DAY_MS, users=0.5, plays=2)
    with_mask = replace(made, replay=replace(made.replay, mask=mask))
    whole = _dataset(small_log())
    masked = mask_dataset(with_mask, whole)
    assert len(masked.log) < len(whole.log)
    for resolve in (resolve_cuts, production_cuts):
        assert resolve(with_mask, masked) == resolve(made, whole)
    # A share of what is left would be elsewhere.
    times = masked.log.plays().time
    assert int(times[int(0.5 * len(times))]) != resolve_cuts(scenario("demo", DemoConfig(), 0.5, 0.9), whole).rank_cut
    replay_cut = resolve_cuts(made, whole).replay_cut
    later = whole.log.time >= replay_cut
    assert np.array_equal(masked.log.time[masked.log.time >= replay_cut], whole.log.time[later])
    assert masked.fingerprint == whole.fingerprint and masked.masked is not None
    assert masked.quality["events"].notes == (
        f"replay.mask takes {len(whole.log) - len(masked.log):,} of 1,500 events: "
        f"{int(masked.masked.items.sum())} items look new, {int(masked.masked.users.sum())} users keep 2 plays at most",
    )
    assert mask_dataset(made, whole) is whole


@pytest.mark.parametrize(
    ("mask", "told"),
    [
        (MaskSettings(items=1.0, keep=0), "replay.mask takes 2 of 3 events: 2 items look new"),
        (MaskSettings(users=1.0, plays=0), "replay.mask takes 2 of 3 events: 1 users keep 0 plays at most"),
        (MaskSettings(), "replay.mask takes 0 of 3 events"),
    ],
)
def test_only_what_is_masked_is_noted(mask: MaskSettings, told: str) -> None:
    log = log_of([(0, 1, 0, 1, -1), (0, 2, 6, 1, -1), (0, 3, 12, 1, -1)])
    masked = mask_dataset(_bare(ReplaySettings(cut="1970-01-01T00:00:00.011", mask=mask)), _dataset(log))
    assert masked.quality["events"].notes == (told,)


def test_a_log_is_as_before_where_the_shares_are_0(scenario: Make) -> None:
    made = scenario("demo", DemoConfig(), 0.5, 0.9)
    made = replace(made, replay=replace(made.replay, mask=MaskSettings()))
    whole = _dataset(with_past(small_log()))
    masked = mask_dataset(made, whole)
    for each in fields(EventLog):
        value = getattr(whole.log, each.name)
        if isinstance(value, np.ndarray):
            assert np.array_equal(getattr(masked.log, each.name), value, equal_nan=value.dtype.kind == "f"), each.name
    assert whole.log.past is not None and masked.log.past is not None
    assert np.array_equal(masked.log.past.item, whole.log.past.item)
    assert np.array_equal(masked.log.catalogue.published_at, whole.log.catalogue.published_at)


def _sessions(sessions: int) -> Dataset:
    """Train sessions of three events, 1 ms apart, as source `sessions` gives them; two test rows."""
    rows = [(n // 3 % USERS, n % ITEMS, n, 1, -1) for n in range(3 * sessions)]
    log = log_of(rows)
    log = replace(log, session=np.arange(len(rows), dtype=np.int32) // 3)
    return _dataset(
        log, Given(np.array([0, 2, 3], np.int64), np.array([1, 2, 1], np.int32), np.array([5, 2], np.int32))
    )


def test_given_requests_keep_their_times_and_items_lose_all_but_the_last_events(scenario: Make) -> None:
    made = scenario("demo", DemoConfig(), protocol="given")
    whole = _sessions(20)
    for keep in (0, 9):
        with_mask = replace(made, replay=replace(made.replay, mask=MaskSettings(items=1.0, keep=keep)))
        masked = mask_dataset(with_mask, whole)
        assert resolve_cuts(with_mask, masked) == resolve_cuts(made, whole)
        assert _bytes(given_episodes(masked, 9)) == _bytes(given_episodes(whole, 9))
        # The cut is at 60, after the last event at 59.
        assert masked.log.time.tolist() == list(range(60 - keep, 60))
        first = given_episodes(masked, 9).time.min()
        assert bool((masked.log.catalogue.published_at <= first).all())


def test_given_has_no_users_to_mask(scenario: Make) -> None:
    made = scenario("demo", DemoConfig(), protocol="given")
    made = replace(made, replay=replace(made.replay, mask=MaskSettings(users=0.5)))
    with pytest.raises(ConfigError) as caught:
        mask_dataset(made, _sessions(20))
    assert str(caught.value) == (
        "scenarios/test.yaml: replay.mask.users: 0.5 of the users can't be masked: requests of protocol 'given' have "
        "no users\n  accepted: 0"
    )


def test_the_timeline_of_nothing_and_of_something() -> None:
    assert Timeline.of(log_of([])).last == 0
    found = Timeline.of(log_of([(0, 0, 1, 0, -1), (0, 0, 2, 1, -1), (1, 0, 2, 1, -1), (0, 0, 9, 1, -1)]))
    assert (found.plays.tolist(), found.sessions.tolist(), found.last) == ([2, 2, 9], [1, 2, 9], 9)


def test_the_mask_is_read_with_the_data_and_part_of_its_fingerprint(scenario: Make, tmp_path: Path) -> None:
    path = tmp_path / "e.csv"
    rows = [f"u{n % 3},i{n % 7},{n * 1000}" for n in range(60)]
    path.write_text("\n".join(["user_id,item_id,time", *rows]) + "\n")
    base = scenario("tables", TablesConfig(path), 0.5, 0.9)
    plain = read_dataset(base)
    assert plain.masked is None and plain.visits is plain.log

    def with_mask(cut: Any = 0.9, **mask: Any) -> Dataset:
        made = scenario("tables", TablesConfig(path), 0.5, cut)
        return read_dataset(replace(made, replay=replace(made.replay, mask=MaskSettings(**mask))))

    masked = with_mask(items=0.5, keep=1000)
    assert masked.masked is not None and len(masked.log) < len(plain.log) == 60
    assert with_mask(items=0.5, keep=1000).fingerprint == masked.fingerprint
    prints = {
        plain.fingerprint,
        masked.fingerprint,
        with_mask(items=0.4, keep=1000).fingerprint,
        with_mask(items=0.5, keep=2000).fingerprint,
        with_mask(items=0.5, keep=1000, users=0.1).fingerprint,
        with_mask(items=0.5, keep=1000, plays=4).fingerprint,
        with_mask(items=0.5, keep=1000, seed=1).fingerprint,
        with_mask(0.8, items=0.5, keep=1000).fingerprint,
    }
    assert len(prints) == 8
    # Without a mask the cut says nothing about the data.
    assert read_dataset(scenario("tables", TablesConfig(path), 0.5, 0.8)).fingerprint == plain.fingerprint
