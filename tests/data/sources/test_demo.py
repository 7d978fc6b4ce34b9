"""The demo world: the same every time, and what is planted in it can be found."""

from __future__ import annotations

import time
from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from yoorec.data.dataset import Dataset, build
from yoorec.data.episodes import next_play
from yoorec.data.sources.config import DemoConfig
from yoorec.data.sources.demo import DemoSource
from yoorec.data.sources.drawing import SIDE, draw_cover
from yoorec.data.sources.walk import Policy, examined
from yoorec.data.sources.world import DAY_MS, FOLLOWERS, TOPICS, plant
from yoorec.data.tables import Tables
from yoorec.errors import DataError

START_MS = 1_704_067_200_000
SMALL = DemoConfig(users=300, items=200, days=5, seed=3)


@cache
def world() -> Tables:
    return DemoSource(DemoConfig()).read()


@cache
def dataset() -> Dataset:
    return build(world(), 1_800_000, {"play": 1.0})


def test_the_same_seed_gives_the_same_tables_and_another_seed_others() -> None:
    one, two = DemoSource(SMALL).read(), DemoSource(SMALL).read()
    assert one.events.equals(two.events) and one.items.equals(two.items) and one.users.equals(two.users)
    other = DemoSource(DemoConfig(users=300, items=200, days=5, seed=4)).read()
    assert not one.events.equals(other.events)
    assert DemoSource(SMALL).files() == ()


def test_the_default_world_has_its_size_and_comes_in_seconds() -> None:
    began = time.perf_counter()
    tables = DemoSource(DemoConfig()).read()
    assert time.perf_counter() - began < 5
    assert (tables.users.num_rows, tables.items.num_rows) == (3000, 2000)
    assert 180_000 < tables.events.num_rows < 280_000
    assert bool((np.diff(np.asarray(tables.events["time"])) >= 0).all())
    counts = {each["values"]: each["counts"] for each in tables.events["event"].value_counts().to_pylist()}
    assert set(counts) == {"impression", "play", "like"}
    assert 45_000 < counts["play"] < 62_000
    assert counts["like"] > 0.05 * counts["play"]


def test_no_event_is_before_its_video() -> None:
    log = dataset().log
    assert bool((log.time >= log.catalogue.published_at[log.item]).all())
    assert "items" in dataset().quality and dataset().quality["items"].notes == ()


def test_sessions_are_cut_as_they_were_made() -> None:
    log = dataset().log
    plays = log.plays()
    first = np.unique(plays.session, return_index=True)[1]
    # A session's first play comes from nowhere; every other one follows a main item.
    opening = np.zeros(len(plays), np.bool_)
    opening[first] = True
    assert np.array_equal(opening, plays.main_item < 0)
    before = dict.fromkeys(range(int(plays.session.max()) + 1), -1)
    for session, item, main in zip(plays.session.tolist(), plays.item.tolist(), plays.main_item.tolist(), strict=True):
        assert before[session] == main
        before[session] = item


def test_titles_tags_and_categories_show_the_topic() -> None:
    items = world().items
    words = {word: topic for topic, several in TOPICS.items() for word in several}
    assert len(words) == 12 * len(TOPICS)
    for title, tags, category in zip(*(items[name].to_pylist() for name in ("title", "tags", "category")), strict=True):
        assert tags[0] == category and words[tags[1]] == category
        shown = [words[word] for word in title.split() if word in words]
        assert shown == [category, category] and category in title
    authors = dict(zip(items["author"].to_pylist(), items["category"].to_pylist(), strict=True))
    assert 100 < len(authors) <= 12 * len(TOPICS)
    assert all(authors[a] == c for a, c in zip(items["author"].to_pylist(), items["category"].to_pylist(), strict=True))


def test_tastes_follow_demographics() -> None:
    log = dataset().log
    plays = log.plays()
    topic, topics = log.catalogue.item_codes("category")
    counts = []
    for column in ("gender", "age_band", "region"):
        code, names = log.catalogue.user_codes(column)
        table = np.zeros((len(names), len(topics)))
        np.add.at(table, (code[plays.user], topic[plays.item]), 1)
        shares = table / table.sum(axis=1, keepdims=True)
        # Total variation between segments: sampling alone gives about 0.02.
        counts.append(0.5 * np.abs(shares[0] - shares[1]).sum())
    assert min(counts) > 0.06


def test_popularity_is_skewed_and_new_videos_are_preferred() -> None:
    log = dataset().log
    plays = log.plays()
    played = np.sort(np.bincount(plays.item, minlength=len(log.catalogue.items)))[::-1]
    assert played[:200].sum() > 0.3 * played.sum()
    age = (plays.time - log.catalogue.published_at[plays.item]) / DAY_MS
    middle = plays.time > START_MS + 7 * DAY_MS
    published = log.catalogue.published_at
    there = np.array([((t - published >= 0) & (t - published < DAY_MS)).sum() for t in plays.time[middle][::500]])
    all_out = np.array([(published <= t).sum() for t in plays.time[middle][::500]])
    fresh_share = ((age >= 0) & (age < DAY_MS))[middle].mean()
    assert fresh_share > 1.5 * (there / all_out).mean()


def test_upper_positions_are_played_more_and_relevance_is_not_the_reason() -> None:
    log = dataset().log
    shown = log.of("impression")
    plays = log.plays()
    hit = set(zip(plays.request.tolist(), plays.position.tolist(), strict=True))
    played = np.array([pair in hit for pair in zip(shown.request.tolist(), shown.position.tolist(), strict=True)])
    rate = np.array([played[shown.position == place].mean() for place in range(4)])
    assert bool((np.diff(rate) < -0.01).all())
    assert np.array_equal(np.unique(shown.position), np.arange(4))
    assert bool((np.diff(examined(20)) < 0).all()) and 0 < examined(20).min() < examined(20).max() < 1


def test_watching_follows_quality_and_taste() -> None:
    log = dataset().log
    plays = log.plays()
    duration = np.asarray(log.catalogue.item_columns["duration_s"], np.float32)
    completion = plays.watch_s / duration[plays.item]
    assert bool((completion > 0).all()) and completion.max() <= 1.0
    half = np.arange(len(plays)) % 2 == 0
    size = len(log.catalogue.items)

    def means(rows: np.ndarray) -> np.ndarray:
        return np.bincount(plays.item[rows], completion[rows], size) / np.maximum(
            np.bincount(plays.item[rows], minlength=size), 1
        )

    enough = np.bincount(plays.item, minlength=size) >= 20
    # A video's completion in one half of its plays foretells that of the other.
    assert np.corrcoef(means(half)[enough], means(~half)[enough])[0, 1] > 0.7
    liked = np.isin(
        plays.item.astype(np.int64) << 32 | plays.user, log.of("like").item.astype(np.int64) << 32 | log.of("like").user
    )
    assert completion[liked].mean() > completion[~liked].mean() + 0.05


def test_what_comes_next_depends_on_the_video() -> None:
    log = dataset().log
    plays = log.plays()
    cut = int(plays.time[int(0.9 * len(plays))])
    past = log.before(cut).plays()
    requests = next_play(log, cut, None, "next", 20)
    size = len(log.catalogue.items)
    popular = np.argsort(-np.bincount(past.item, minlength=size), kind="stable")[:10]
    by_popularity = np.isin(requests.truth.item, popular).mean()
    order = np.argsort(past.session, kind="stable")
    item, session = past.item[order], past.session[order]
    same = session[1:] == session[:-1]
    follows = np.zeros((size, size), np.float32)
    np.add.at(follows, (item[:-1][same], item[1:][same]), 1)
    follows /= np.sqrt(np.maximum(np.bincount(past.item, minlength=size), 1))
    best = np.argsort(-follows[requests.item], axis=1)[:, :10]
    by_item = (best == requests.truth.item[:, None]).any(axis=1).mean()
    assert len(requests) > 3000
    assert by_item > 0.2 > 2 * by_popularity
    category, _ = log.catalogue.item_codes("category")
    goes_on = (category[requests.truth.item] == category[requests.item]).mean()
    assert goes_on > 0.4


def test_the_policy_knows_its_chances() -> None:
    viewers, videos = plant(50, 120, 4, START_MS, 1)
    policy = Policy(videos, viewers, START_MS, 4)
    rng = np.random.default_rng(0)
    draws = 40_000
    taken = np.array([5, 9, -1])
    for user, main, slot in ((3, 17, 8), (4, -1, 15), (9, 2, 0)):
        one = [np.array([value]) for value in (user, main, slot)]
        everything = np.arange(120)[None, :]
        chance = policy.chance(*one, everything)[0]
        assert chance.sum() == pytest.approx(1.0, abs=1e-9)
        assert bool((chance[videos.published_at > START_MS + slot * 6 * 3_600_000] == 0).all())
        context = [np.full(draws, value) for value in (user, main, slot)]
        item, given = policy.draw(*context, np.broadcast_to(taken, (draws, 3)), rng)
        assert not np.isin(item, taken).any()
        expected = np.where(np.isin(np.arange(120), taken), 0.0, chance)
        expected /= expected.sum()
        assert np.allclose(given, expected[item])
        seen = np.bincount(item, minlength=120) / draws
        assert np.abs(seen - expected).max() < 5 * np.sqrt(0.25 / draws)


def test_followers_are_distinct_and_never_the_video_itself() -> None:
    _, videos = plant(10, 2000, 14, START_MS, 7)
    assert videos.follow.shape == (2000, FOLLOWERS)
    assert not (videos.follow == np.arange(2000)[:, None]).any()
    assert all(len(set(row)) == FOLLOWERS for row in videos.follow.tolist())
    assert (videos.topic[videos.follow] == videos.topic[:, None]).mean() > 0.7


def test_covers_are_drawn_when_asked(tmp_path: Path) -> None:
    config = DemoConfig(users=20, items=100, days=2, draw=True, folder=tmp_path / "covers")
    tables = DemoSource(config).read()
    paths = [Path(path) for path in tables.items["cover"].to_pylist()]
    assert len(set(paths)) == 100 and all(path.parent == tmp_path / "covers" for path in paths)
    first = paths[0].read_bytes()
    with Image.open(paths[0]) as image:
        assert (image.format, image.mode, image.size) == ("PNG", "RGB", (SIDE, SIDE))
    DemoSource(config).read()
    assert paths[0].read_bytes() == first
    held = DemoSource(replace(config, folder=None)).read().items["cover"]
    assert held.to_pylist() == [path.read_bytes() for path in paths]
    plain = DemoSource(DemoConfig(users=20, items=100, days=2)).read()
    assert "cover" not in plain.items.column_names
    assert plain.events.equals(tables.events)


def test_covers_of_one_topic_look_alike() -> None:
    def features(topic: int, theme: int, seed: int) -> np.ndarray:
        return np.asarray(draw_cover(topic, theme, seed), np.float64).mean(axis=(0, 1))

    mean = {topic: np.mean([features(topic, s % 4, 10 * topic + s) for s in range(8)], axis=0) for topic in range(16)}
    right = 0
    for topic in range(16):
        for seed in range(4):
            probe = features(topic, seed, 9_000 + 10 * topic + seed)
            right += min(mean, key=lambda other: float(np.abs(mean[other] - probe).sum())) == topic
    assert right > 32  # of 64; chance is 4


def test_settings_that_can_not_be() -> None:
    with pytest.raises(DataError) as caught:
        DemoSource(DemoConfig(start="soon"))
    assert str(caught.value) == "data.start: 'soon' is no date; accepted: a date such as 2024-01-01"
