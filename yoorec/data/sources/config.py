"""What a scenario may set for each built-in source (`data:`)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated, Literal

from annotated_types import Ge, Gt, Le

from yoorec.config.types import DataPath

__all__ = ["DemoConfig", "KuaiRandConfig", "MovieLensConfig", "SessionsConfig", "TablesConfig"]

BadShare = Annotated[float, Ge(0), Le(1)]
"""A share of rows that may be unusable; above it the data is refused."""

TimeUnitName = Literal["s", "ms", "us", "iso"]


@dataclass(frozen=True, slots=True)
class TablesConfig:
    """Your own tables."""

    events: DataPath | tuple[DataPath, ...]
    """Files of events, or patterns such as ``events/*.parquet``: .parquet, .csv, .tsv, .jsonl; text also with .gz."""
    items: DataPath | tuple[DataPath, ...] | None = None
    """Files of items; without them an item is known by its events alone."""
    users: DataPath | tuple[DataPath, ...] | None = None
    """Files of users; without them a user is known by their events alone."""
    columns: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    """Per table, yoorec's column names to the files' own: ``{events: {user_id: uid, time: ts}}``."""
    time_unit: TimeUnitName = "ms"
    """How events write `time`: s, ms or us since the epoch, or iso (ISO 8601, UTC unless it says)."""
    published_unit: TimeUnitName | None = None
    """How items write `published_at`; as `time_unit` unless set."""
    event: str = "play"
    """Event type of every row of a log that has no event column."""
    event_types: Mapping[str, str] = field(default_factory=dict)
    """The event column's values to event types: ``{"1": impression, "2": play}``; any other value is then a bad row."""
    tags_separator: str = "|"
    """Between tags where a file has them as text."""
    max_bad: BadShare = 0.01
    """Share of a table's rows that may be unusable (left out, counted and shown); above it the table is refused."""


@dataclass(frozen=True, slots=True)
class MovieLensConfig:
    """A MovieLens release; each rating is a play."""

    path: DataPath
    """The official zip, or the folder it unpacks to; the layout is recognised."""
    rating_at_least: float | None = None
    """Ratings below this become events of type `rating` instead of `play`; by default every rating is a play."""
    user_tags: bool = False
    """Add an item column `user_tags`, the free tags users gave, most given first. They may postdate a cut."""
    max_bad: BadShare = 0.01
    """Share of a table's rows that may be unusable; above it the table is refused."""


@dataclass(frozen=True, slots=True)
class KuaiRandConfig:
    """KuaiRand: an impression a row, and a click, a play and a like where the row has them."""

    path: DataPath
    """Folder with log_standard_*, user_features*, video_features_basic* in CSV as published, or in Parquet; and, where
    it is there, user_history_*: what users watched before the log, which profiles hold in order and without times."""
    max_bad: BadShare = 0.01
    """Share of a table's rows that may be unusable; above it the table is refused."""


@dataclass(frozen=True, slots=True)
class SessionsConfig:
    """Pre-split session data; list order is time, and every train session is a user of its own."""

    train: DataPath
    """Parquet or JSON lines with a list column `items`, a session a row, oldest session first."""
    test: DataPath | None = None
    """Parquet or JSON lines with `prefix` (list, oldest first) and `target`; the requests of protocol `given`."""
    max_bad: BadShare = 0.01
    """Share of a file's rows that may be unusable; above it the file is refused."""


@dataclass(frozen=True, slots=True)
class DemoConfig:
    """The demo world, generated."""

    users: Annotated[int, Ge(10)] = 3000
    """Users, each with gender, age band and region."""
    items: Annotated[int, Ge(100)] = 2000
    """Videos."""
    days: Annotated[int, Ge(2)] = 14
    """Days the log spans."""
    sessions: Annotated[float, Gt(0)] = 4.0
    """Sessions a user has, on average."""
    plays: Annotated[float, Ge(2), Le(15)] = 4.5
    """Plays in a session, on average."""
    impressions: Annotated[int, Ge(1), Le(20)] = 4
    """Videos shown under the one that is playing."""
    seed: Annotated[int, Ge(0)] = 7
    """Same seed and sizes, same world."""
    start: str = "2024-01-01"
    """First day of the log (UTC)."""
    draw: bool = False
    """Draw a cover for every video, a PNG, into the column `cover`."""
    folder: DataPath | None = None
    """Where covers are written, `cover` then holding their paths; without it `cover` holds the images themselves."""
