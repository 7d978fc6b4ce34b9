"""Keys by which a scenario declares features."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Literal

from annotated_types import Ge, Gt, Le, MinLen

from yoorec.config.types import Count, Described, Duration
from yoorec.features.names import Name, parse_name

__all__ = ["Feature", "FeatureKeys"]


@dataclass(frozen=True, slots=True)
class Feature:
    """One feature: where its values come from, and how they become ids. A key that does nothing for it is refused."""

    of: str | Annotated[tuple[str, ...], MinLen(2)]
    """What it looks at, such as `item.category` (see the table of names); a list of two or more single-valued ones is
    their cross."""
    buckets: Annotated[int, Ge(2), Le(1000)] | None = None
    """Numbers: ranges they are cut into, of as many rows each as can be; 16 unless said."""
    edges: tuple[float, ...] | None = None
    """Numbers: where the ranges begin instead, rising; `buckets` is left out then."""
    category: bool | None = None
    """Columns of numbers: true takes each number as a name of its own."""
    min_count: Count | None = None
    """Names, with serialised ids: one met fewer times in the samples shares the id of unknown ones; 2 unless said."""
    vocabulary: Count | None = None
    """Names, with serialised ids: so many at most have an id of their own, those met most often; all unless said."""
    hash: Annotated[int, Ge(2), Le(1 << 27)] | None = None
    """Names, with serialised ids: fold their hashes into so many ids instead, and keep no names."""
    default: str | float | None = None
    """The value a missing one is taken for; unless said, missing has an id of its own."""
    last: Count | None = None
    """`history` and `session`: latest plays looked at; 10 unless said."""
    window: Annotated[Duration, Gt(0)] | None = None
    """`stat`: how far back events count, in whole hours; all of them unless said."""
    optional: bool = False
    """Leave the feature out where the data lacks the column, instead of refusing."""

    def __post_init__(self) -> None:
        names = self.names
        if self.crossed:
            unfit = [str(name) for name in names if not name.crossable]
            if unfit:
                raise ValueError(
                    f"{', '.join(unfit)} can't be crossed; a cross takes single values of names or numbers"
                )
        for key, fits in _KEYS.items():
            if getattr(self, key) is not None and (self.crossed and key not in ("buckets", "min_count")):
                raise ValueError(f"'{key}' does nothing for a cross")
            if getattr(self, key) is not None and not self.crossed and names[0].table not in fits:
                raise ValueError(f"'{key}' does nothing for {names[0]}; it is for {', '.join(fits)}")
        if self.edges is not None and (self.buckets is not None or sorted(set(self.edges)) != list(self.edges)):
            raise ValueError("'edges' rise, and stand in place of 'buckets'")
        if self.hash is not None and (self.min_count is not None or self.vocabulary is not None):
            raise ValueError("'hash' stands in place of 'min_count' and 'vocabulary'")

    @property
    def crossed(self) -> bool:
        """Whether this is a cross."""
        return not isinstance(self.of, str)

    @property
    def names(self) -> tuple[Name, ...]:
        """What it looks at; one, unless it is a cross."""
        return tuple(parse_name(each) for each in ((self.of,) if isinstance(self.of, str) else self.of))


_COLUMNS = ("user", "item", "main")
_NUMBERS = (*_COLUMNS, "context", "stat", "match", "same", "similar", "trigger", "merge")
_KEYS: dict[str, tuple[str, ...]] = {
    "buckets": _NUMBERS,
    "edges": _NUMBERS,
    "category": _COLUMNS,
    "min_count": (*_COLUMNS, "history", "session"),
    "vocabulary": (*_COLUMNS, "history", "session"),
    "hash": (*_COLUMNS, "history", "session"),
    "default": _NUMBERS,
    "last": ("history", "session"),
    "window": ("stat",),
}
"""Key to the tables for whose names it does something."""


@dataclass(frozen=True, slots=True)
class FeatureKeys:
    """Base of a ranker's config: its features, and how their values become ids."""

    features: Annotated[Mapping[str, Feature | None] | None, Described("features by name (see Features), or null")] = (
        None
    )
    """What is looked at; null for a feature that is off, and in place of all for everything that the data and the
    triggers give."""
    ids: Literal["serialised", "open"] = "serialised"
    """serialised: names met in the samples get ids of their own, all others one. open: every name is hashed to 64 bits
    and folded into `table` places, so nothing is kept of them."""
    table: Annotated[int, Ge(2), Le(1 << 27)] = 1 << 18
    """Open ids: places for names, and as many again for crosses."""
