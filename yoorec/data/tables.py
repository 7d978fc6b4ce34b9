"""The three tables every source gives, and the account of rows that could not be used."""

from __future__ import annotations

from dataclasses import dataclass, field

import pyarrow as pa

__all__ = ["BadRow", "Quality", "Tables"]


@dataclass(frozen=True, slots=True)
class BadRow:
    """One unusable row: where it stands and what is wrong with it. `row` counts from 1, a header included."""

    file: str
    row: int
    column: str
    value: str
    reason: str

    def __str__(self) -> str:
        return f"{self.file}: row {self.row}: {self.column}: {self.value!r} {self.reason}"


@dataclass(frozen=True, slots=True)
class Quality:
    """How many rows were read, how many were left out, the first few of those, and what else is worth knowing.

    notes: whole sentences, such as rows left out because they repeat an earlier one.
    """

    read: int = 0
    bad: int = 0
    examples: tuple[BadRow, ...] = ()
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Tables:
    """Logged data in yoorec's own columns.

    events: user_id string, item_id string, time int64 (ms), event string (impression, click, play, like, ...), in
            the log's order; and where the log has them watch_s float32, main_item_id string, session_id string,
            position int32, request_id string, propensity float32.
    items:  item_id string; where known title, tags (list<string>), category, author, duration_s float,
            published_at int64 (ms), cover; any other columns.
    users:  user_id string and any attribute columns.
    given:  for pre-split session data, prefix list<string> (oldest first) and target string; else None.
    past:   what users played before the log began, where only the order is known: user_id string, a user at most
            once, and items list<string>, oldest first; else None.
    """

    events: pa.Table
    items: pa.Table
    users: pa.Table
    given: pa.Table | None = None
    quality: dict[str, Quality] = field(default_factory=dict)
    past: pa.Table | None = None
