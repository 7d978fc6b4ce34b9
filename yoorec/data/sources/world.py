"""The demo world's people and videos: who likes what, what follows what, and what titles, tags and covers show."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

__all__ = ["AGE_BANDS", "DAY_MS", "FOLLOWERS", "GENDERS", "REGIONS", "TOPICS", "Videos", "Viewers", "plant"]

DAY_MS = 86_400_000
GENDERS = ("f", "m")
AGE_BANDS = ("under 18", "18-24", "25-34", "35-49", "50+")
REGIONS = ("north", "east", "south", "west")
FOLLOWERS = 4
"""Videos that specifically follow a video."""

_TOPIC_WORDS = {
    "cooking": "pasta sauce noodle oven bread dough grill steak rib soup broth stew",
    "football": "goal striker header keeper save penalty derby rival fans transfer agent deal",
    "basketball": "dunk rim block dribble crossover guard court buzzer three rookie draft trade",
    "music": "guitar chord riff piano sonata keys drum beat groove singer choir ballad",
    "dance": "salsa step partner ballet leap stage hiphop freeze battle tango rhythm floor",
    "travel": "beach island wave mountain trail summit city museum street train border night",
    "pets": "puppy leash bark kitten purr whisker parrot feather cage hamster wheel nest",
    "gaming": "speedrun glitch level boss raid loot racing drift lap puzzle maze clue",
    "science": "planet orbit comet atom quantum photon fossil dinosaur bone cell enzyme gene",
    "history": "empire legion senate castle knight siege pharaoh pyramid tomb ship voyage harbour",
    "fashion": "dress silk hem sneaker sole lace makeup blush liner denim jacket vintage",
    "fitness": "squat barbell rack yoga stretch breath marathon pace sprint plank core crunch",
    "cars": "engine turbo piston chrome alloy tyre rally gravel dust battery charger range",
    "garden": "rose petal thorn tomato seed soil bonsai prune pot lawn mower hedge",
    "comedy": "prank sketch laugh standup joke crowd parody trailer spoof blooper outtake fail",
    "crafts": "origami paper fold knitting yarn needle pottery clay kiln carving wood chisel",
}

TOPICS: dict[str, tuple[str, ...]] = {topic: tuple(words.split()) for topic, words in _TOPIC_WORDS.items()}
"""Topic to twelve words: four themes of three words, each theme named by its first."""

_PLAIN_WORDS = ("best", "easy", "amazing", "daily", "secret", "ultimate", "first", "quick", "honest", "classic")
_THEMES = 4
_AUTHORS_PER_TOPIC = 12


@dataclass(frozen=True, slots=True)
class Videos:
    """I videos. topic, theme, author: int64 [I]. popularity: float64 [I], Zipf. quality: float64 [I], standard normal.

    duration_s: float32 [I]. published_at: int64 [I], ms. follow: int64 [I, 4], what specifically follows each.
    """

    topic: npt.NDArray[np.int64]
    theme: npt.NDArray[np.int64]
    author: npt.NDArray[np.int64]
    popularity: npt.NDArray[np.float64]
    quality: npt.NDArray[np.float64]
    duration_s: npt.NDArray[np.float32]
    published_at: npt.NDArray[np.int64]
    follow: npt.NDArray[np.int64]
    titles: list[str]
    tags: list[list[str]]

    def __len__(self) -> int:
        return len(self.topic)


@dataclass(frozen=True, slots=True)
class Viewers:
    """U viewers. gender, age_band, region: int64 [U]. taste: float64 [U, T], share of interest per topic."""

    gender: npt.NDArray[np.int64]
    age_band: npt.NDArray[np.int64]
    region: npt.NDArray[np.int64]
    taste: npt.NDArray[np.float64]

    def __len__(self) -> int:
        return len(self.gender)


def plant(users: int, items: int, days: int, start_ms: int, seed: int) -> tuple[Viewers, Videos]:
    """The world of a seed. Half of the videos are older than the log, the others appear while it runs."""
    of_users, of_items = np.random.default_rng(seed).spawn(2)
    return _viewers(users, of_users), _videos(items, days, start_ms, of_items)


def _viewers(users: int, rng: np.random.Generator) -> Viewers:
    gender = rng.integers(0, len(GENDERS), users)
    age_band = rng.choice(len(AGE_BANDS), users, p=(0.12, 0.26, 0.28, 0.22, 0.12))
    region = rng.choice(len(REGIONS), users, p=(0.4, 0.3, 0.2, 0.1))
    topics = len(TOPICS)
    liking = (
        0.9 * rng.standard_normal((len(GENDERS), topics))[gender]
        + 0.9 * rng.standard_normal((len(AGE_BANDS), topics))[age_band]
        + 0.6 * rng.standard_normal((len(REGIONS), topics))[region]
        + 0.7 * rng.standard_normal((users, topics))
    )
    taste = np.exp(liking)
    return Viewers(gender, age_band, region, taste / taste.sum(axis=1, keepdims=True))


def _videos(items: int, days: int, start_ms: int, rng: np.random.Generator) -> Videos:
    topics = len(TOPICS)
    shuffled = rng.permutation(items)
    topic, place = shuffled % topics, shuffled // topics
    theme = rng.integers(0, _THEMES, items)
    popularity = np.asarray((rng.permutation(items) + 1.0) ** -0.75, np.float64)
    quality = rng.standard_normal(items)
    duration_s = np.round(np.clip(np.exp(rng.normal(4.2, 0.6, items)), 15, 240)).astype(np.float32)
    old = place % 2 == 0  # so every topic has videos when the log begins
    age_ms = rng.random(items)
    published_at = start_ms + np.where(old, -30 * DAY_MS * age_ms - 1000, days * DAY_MS * age_ms).astype(np.int64)
    author = topic * _AUTHORS_PER_TOPIC + np.minimum(rng.geometric(0.22, items) - 1, _AUTHORS_PER_TOPIC - 1)
    titles, tags = _words(topic, theme, rng)
    return Videos(
        topic,
        theme,
        author,
        popularity,
        quality,
        duration_s,
        published_at,
        _followers(topic, theme, rng),
        titles,
        tags,
    )


def _followers(
    topic: npt.NDArray[np.int64], theme: npt.NDArray[np.int64], rng: np.random.Generator
) -> npt.NDArray[np.int64]:
    """Each video's followers: mostly of its theme or topic, one in eight from anywhere, never itself, never twice."""
    items = len(topic)
    key = topic * _THEMES + theme
    order = np.argsort(key, kind="stable")
    rank = np.empty(items, np.int64)
    rank[order] = np.arange(items)
    # Neighbours on a ring ordered by topic and theme: near steps stay inside, and steps of one video differ.
    steps = np.argsort(rng.random((items, 24)), axis=1)[:, :FOLLOWERS]
    steps = steps - 12 + (steps >= 12)
    follow: npt.NDArray[np.int64] = order[(rank[:, None] + steps) % items]
    anywhere = rng.random((items, FOLLOWERS)) < 0.125
    follow[anywhere] = rng.integers(0, items, int(anywhere.sum()))
    for column in range(FOLLOWERS):
        while True:
            clash = follow[:, column] == np.arange(items)
            clash |= (follow[:, :column] == follow[:, column : column + 1]).any(axis=1)
            if not clash.any():
                break
            follow[clash, column] = rng.integers(0, items, int(clash.sum()))
    return follow


def _words(
    topic: npt.NDArray[np.int64], theme: npt.NDArray[np.int64], rng: np.random.Generator
) -> tuple[list[str], list[list[str]]]:
    names, words = list(TOPICS), list(TOPICS.values())
    of_theme, of_topic = rng.integers(0, 3, len(topic)), rng.integers(0, 12, len(topic))
    plain = rng.integers(0, len(_PLAIN_WORDS), len(topic))
    part = rng.integers(1, 10, len(topic))
    titles, tags = [], []
    for t, h, first, second, word, number in zip(
        *(column.tolist() for column in (topic, theme, of_theme, of_topic, plain, part)), strict=True
    ):
        titles.append(f"{_PLAIN_WORDS[word]} {words[t][3 * h + first]} {words[t][second]} {names[t]} {number}")
        tags.append([names[t], words[t][3 * h]])
    return titles, tags
