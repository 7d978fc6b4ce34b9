"""Names of what a feature may look at: a table and what is in it, such as `item.category` or `stat.plays`."""

from __future__ import annotations

from typing import NamedTuple

from yoorec.errors import nearest

__all__ = ["TABLES", "Name", "parse_name"]

_COLUMN = "id, or a column's name"

TABLES: dict[str, tuple[str, str]] = {
    "user": (_COLUMN, "the user's attribute"),
    "item": (_COLUMN, "the candidate's column, lists such as tags included"),
    "main": (_COLUMN, "the main item's"),
    "history": (_COLUMN, "those of the user's latest plays, as a list"),
    "session": (_COLUMN, "those of this visit's latest plays, as a list"),
    "context": (
        "hour, weekday, gap, session, history, position",
        "hour and weekday (UTC); seconds since the newest play; plays of the visit and of the history; where the "
        "candidate was shown, in training, and the first place at serving",
    ),
    "stat": (
        "age, completion, an event type, or it and `_rate`",
        "events of the candidate before the request's hour, or their share of its impressions; days since it came out; "
        "share of its plays that reached 90 % of its length",
    ),
    "match": ("seen, or a column's name", "share of the history with the candidate's value"),
    "same": ("a column's name", "1 where main item and candidate have the same value; of lists, the shared part"),
    "similar": ("a trigger's name", "cosine of main item and candidate in the trigger's vectors"),
    "trigger": (
        "score, share, rank or presence, alone or behind a trigger's name and a dot",
        "what each trigger, or the one named, says of it: its score, that over the request's best, its place, whether "
        "it recalled it",
    ),
    "merge": ("score, rank", "what the merge made of it"),
}
"""Table to what names it holds, and what they mean."""

_WORDS: dict[str, tuple[str, ...]] = {
    "context": ("hour", "weekday", "gap", "session", "history", "position"),
    "merge": ("score", "rank"),
    "trigger": ("score", "share", "rank", "presence"),
}


class Name(NamedTuple):
    """A table and what is in it. trigger: whose word it is, for the table `trigger`; "" for every one's."""

    table: str
    word: str
    trigger: str = ""

    def __str__(self) -> str:
        return ".".join(filter(None, (self.table, self.trigger, self.word)))

    @property
    def crossable(self) -> bool:
        """Whether it is one value, told without looking at the data."""
        return self.table not in ("history", "session") and not (self.table == "trigger" and not self.trigger)


def parse_name(text: str) -> Name:
    """The name that a text stands for. Raises ValueError listing what there is, the nearest first."""
    table, _, word = text.partition(".")
    if table not in TABLES:
        close = nearest(table, TABLES)
        raise ValueError(
            f"'{text}' begins with no table{f'; nearest: {close}' if close else ''}; there are: {', '.join(TABLES)}"
        )
    if not word:
        raise ValueError(f"'{text}' names nothing in '{table}'; accepted behind '{table}.': {TABLES[table][0]}")
    trigger = ""
    if table == "trigger" and "." in word:
        trigger, _, word = word.rpartition(".")
    known = _WORDS.get(table)
    if known is not None and word not in known:
        close = nearest(word, known)
        raise ValueError(
            f"'{text}': no '{word}' in '{table}'{f'; nearest: {close}' if close else ''}; there are: {', '.join(known)}"
        )
    return Name(table, word, trigger)
