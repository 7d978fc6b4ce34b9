"""Declared features met with the data: each name judged, triggers spelt out, and all there is where none are named."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from typing import TYPE_CHECKING, Literal

from yoorec.errors import DataError, nearest
from yoorec.features.codes import CONTEXT_CODES
from yoorec.features.columns import Form, ItemLists, ItemNames, item_column, user_form
from yoorec.features.config import Feature, FeatureKeys
from yoorec.features.counters import Counters
from yoorec.features.names import Name

if TYPE_CHECKING:
    from yoorec.data.catalogue import Catalogue

__all__ = ["Declared", "DeclaredCross", "Part", "check_features", "declare", "is_absent"]

Part = Literal["request", "item", "row"]
"""What a feature's values belong to."""

_SIDES: dict[str, Part] = {
    "user": "request",
    "main": "request",
    "history": "request",
    "session": "request",
    "item": "item",
}
_MOST_NAMES = 1000
"""Of a user column, names up to which it is a feature unasked."""
_CROSSED_USER, _CROSSED_ITEM = 50, 100
"""Names of a user's and an item's column up to which they are crossed unasked."""


@dataclass(frozen=True, slots=True)
class Declared:
    """A feature of one name that the data can serve. name: what messages call it. hidden: only part of a cross."""

    name: str
    of: Name
    feature: Feature
    form: Form
    hidden: bool = False

    @property
    def side(self) -> Part:
        """What its values belong to."""
        if self.of.table == "context":
            return "row" if self.of.word == "position" else "request"
        return _SIDES.get(self.of.table, "row")


@dataclass(frozen=True, slots=True)
class DeclaredCross:
    """A cross. parts: names of the declared features that are crossed, hidden ones among them."""

    name: str
    feature: Feature
    parts: tuple[str, ...]


def is_absent(feature: Declared, catalogue: Catalogue) -> bool:
    """Whether the data has no such column now."""
    table, word = feature.of.table, feature.of.word
    if word in ("id", "seen") or table in ("context", "stat", "similar", "trigger", "merge"):
        return False
    if table == "user":
        return word not in catalogue.user_columns.column_names
    columns = catalogue.item_columns
    return word not in columns.column_names or columns[word].null_count == len(columns[word])


def check_features(keys: FeatureKeys, catalogue: Catalogue) -> None:
    """Raise DataError naming the feature, where one that is not optional asks for what the data lacks."""
    for name, feature in (keys.features or {}).items():
        if feature is not None and not feature.optional:
            for of in feature.names:
                _form_of(name, of, feature, catalogue)


def declare(
    keys: FeatureKeys,
    catalogue: Catalogue,
    sources: Sequence[str],
    similar: Sequence[str],
    counters: Counters | None,
) -> tuple[list[Declared], list[DeclaredCross]]:
    """The features that a config declares, or all there is.

    sources: the triggers whose candidates are merged. similar: those of them that have vectors. Raises DataError naming
    the feature, what was asked for and what there is.
    """
    given = keys.features if keys.features is not None else _all(catalogue, sources, similar, counters)
    found: list[Declared] = []
    crosses: list[tuple[str, Feature]] = []
    for name, feature in given.items():
        if feature is None:
            continue
        if feature.crossed:
            crosses.append((name, feature))
            continue
        of = feature.names[0]
        try:
            form = _form_of(name, of, feature, catalogue)
        except DataError:
            if feature.optional:
                continue
            raise
        _check_names(name, of, sources, similar, counters)
        if of.table == "trigger" and not of.trigger:
            found.extend(Declared(f"{name}.{one}", of._replace(trigger=one), feature, form) for one in sources)
        else:
            found.append(Declared(name, of, feature, form))
    return found, _crosses(crosses, found, catalogue, sources, similar, counters)


def _crosses(
    given: Sequence[tuple[str, Feature]],
    found: list[Declared],
    catalogue: Catalogue,
    sources: Sequence[str],
    similar: Sequence[str],
    counters: Counters | None,
) -> list[DeclaredCross]:
    """Crosses, with parts that are no features themselves put behind `found`, hidden."""
    crosses = []
    for name, feature in given:
        parts = []
        try:
            for of in feature.names:
                there = next((each for each in found if each.of == of and each.form != "lists"), None)
                if there is None:
                    alone = Feature(
                        str(of), min_count=feature.min_count if of.table in ("user", "item", "main") else None
                    )
                    form = _form_of(name, of, alone, catalogue)
                    if form == "lists":
                        raise DataError(f"features.{name}: {of} holds lists; a cross takes single values")
                    _check_names(name, of, sources, similar, counters)
                    there = Declared(f"{name}: {of}", of, alone, form, hidden=True)
                    found.append(there)
                parts.append(there.name)
        except DataError:
            if feature.optional:
                continue
            raise
        crosses.append(DeclaredCross(name, feature, tuple(parts)))
    return crosses


def _form_of(name: str, of: Name, feature: Feature, catalogue: Catalogue) -> Form:
    """What the values of a name are. Raises DataError."""
    category = bool(feature.category)
    try:
        if of.table == "user":
            form = user_form(catalogue, of.word, category)
        elif of.table in ("item", "main", "history", "session", "match", "same") and of != Name("match", "seen"):
            found = item_column(catalogue, of.word, category or of.table not in ("item", "main"))
            form = found.form
            if of.table in ("match", "same"):
                form = "numbers"
            elif of.table in ("history", "session"):
                form = "lists"
            elif of.table == "main" and form == "lists":
                raise DataError(f"items: column '{of.word}' holds lists; take history.{of.word} or same.{of.word}")
        elif of.table == "context":
            form = "names" if of.word in CONTEXT_CODES else "numbers"
        elif of.table == "trigger":
            form = "names" if of.word == "presence" else "numbers"
        else:
            form = "numbers"
    except DataError as error:
        raise DataError(f"features.{name}: {error}") from error
    names = ("min_count", "vocabulary", "hash")
    fits = {"names": names, "lists": names, "numbers": ("buckets", "edges", "default")}
    for key in (*names, "buckets", "edges"):
        if getattr(feature, key) is not None and not feature.crossed and key not in fits[form]:
            raise DataError(f"features.{name}: '{key}' does nothing for {of}, which holds {form}")
    if form == "numbers" and isinstance(feature.default, str):
        raise DataError(f"features.{name}: {of} holds numbers; 'default' is {feature.default!r}, which is none")
    if of.table == "context" and form == "names" and feature.default is not None:
        codes = range(CONTEXT_CODES[of.word])
        if feature.default not in codes:
            raise DataError(f"features.{name}: 'default' of {of} is {feature.default!r}; accepted: 0 to {codes[-1]}")
    return form


def _check_names(
    name: str, of: Name, sources: Sequence[str], similar: Sequence[str], counters: Counters | None
) -> None:
    """Raise DataError where a trigger or a statistic is not there."""
    wanted, there, what = "", sources, "trigger"
    if of.table == "trigger" and of.trigger:
        wanted = of.trigger
    elif of.table == "similar":
        wanted, there, what = of.word, similar, "trigger with vectors"
    if wanted and wanted not in there:
        close = nearest(wanted, there)
        hint = f"; nearest: {close}" if close else ""
        raise DataError(f"features.{name}: {of}: no {what} '{wanted}'{hint}; there are: {', '.join(there) or 'none'}")
    if of.table == "stat" and of.word != "age" and counters is not None:
        try:
            counters.statistic(of.word, 0)
        except ValueError as error:
            raise DataError(f"features.{name}: {error}") from error


def _all(
    catalogue: Catalogue, sources: Sequence[str], similar: Sequence[str], counters: Counters | None
) -> Mapping[str, Feature]:
    """Every feature the data and the triggers give, but for ids of users, the position and scores as they are."""
    day = 86_400_000
    found: dict[str, Feature] = {}
    users, categories = [], []

    def add(of: str, **keys: object) -> None:
        name = of.replace(".", "_")
        window = keys.get("window")
        found[f"{name}_{window // day}d" if isinstance(window, int) else name] = Feature(of, **keys)  # type: ignore[arg-type]

    for column in catalogue.user_columns.column_names:
        try:
            form = user_form(catalogue, column)
        except DataError:
            continue
        distinct = len(catalogue.user_codes(column)[1]) if form == "names" else 0
        if form == "numbers" or (form == "names" and 2 <= distinct <= _MOST_NAMES):
            add(f"user.{column}")
        if form == "names" and 2 <= distinct <= _CROSSED_USER:
            users.append(column)
    add("item.id")
    add("main.id")
    add("history.id")
    for column in catalogue.item_columns.column_names:
        if column in ("title", "cover", "published_at"):
            continue
        try:
            values = item_column(catalogue, column)
        except DataError:
            continue
        if isinstance(values, ItemNames) and (
            len(values.values) < 2 or 2 * len(values.values) > (values.code >= 0).sum()
        ):
            continue  # one value for all, or hardly two items with the same: nothing to learn
        add(f"item.{column}")
        if isinstance(values, ItemNames | ItemLists):
            add(f"history.{column}")
            add(f"match.{column}")
            add(f"same.{column}")
        if isinstance(values, ItemNames):
            add(f"main.{column}")
            if len(values.values) <= _CROSSED_ITEM:
                categories.append(column)
    for word in ("hour", "weekday", "gap", "session", "history"):
        add(f"context.{word}")
    add("match.seen")
    add("stat.age")
    if counters is not None:
        types = [each for each in counters.events[:-2] if counters.count[-1:].size and each != "impression"]
        for event in types:
            for window in (day, 7 * day, 30 * day):
                add(f"stat.{event}", window=window)
            add(f"stat.{event}")
            if "impression" in counters.events:
                add(f"stat.{event}_rate")
        if counters.count[:, -2].any():
            add("stat.completion")
    for trigger in similar:
        add(f"similar.{trigger}")
    if sources:
        # Not the score itself, which means something else after the next fit, nor presence, which its absence tells.
        for word in ("share", "rank"):
            add(f"trigger.{word}")
        add("merge.score")
        add("merge.rank")
    for left, right in [
        *product((f"user.{each}" for each in users), categories),
        *((f"main.{c}", c) for c in categories),
    ]:
        found[f"{left.replace('.', '_')}_x_{right}"] = Feature((left, f"item.{right}"))
    return found
