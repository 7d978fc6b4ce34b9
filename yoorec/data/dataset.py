"""The dataset of a scenario: its source read, sessions cut, vocabularies and catalogue built, log in time order."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from yoorec.batch import Ragged
from yoorec.data.catalogue import Catalogue
from yoorec.data.fingerprint import fingerprint_of
from yoorec.data.item_files import join_items, read_item_files
from yoorec.data.log import EventLog, Given
from yoorec.data.mask import Masked, Timeline, mask_dataset
from yoorec.data.sessions import cut_sessions
from yoorec.data.tables import Quality, Tables
from yoorec.data.vocabulary import Vocabulary
from yoorec.errors import DataError

if TYPE_CHECKING:
    from yoorec.components import Source
    from yoorec.config.scenario import Scenario

__all__ = ["Dataset", "build", "encode", "read_dataset"]


@dataclass(frozen=True, slots=True)
class Dataset:
    """A scenario's data, ready to learn from and to replay.

    log:         every event in time order; its `catalogue` holds the vocabularies and the item and user columns.
                 What `replay.mask` takes is not among them.
    given:       pre-split test rows, where the source has them.
    quality:     rows read, left out and noted, per table.
    fingerprint: hex over whatever decides the above: source, config, file contents, settings, code.
    masked:      what `replay.mask` took; None without one.
    """

    log: EventLog
    given: Given | None
    quality: dict[str, Quality] = field(default_factory=dict)
    fingerprint: str = ""
    masked: Masked | None = None

    @property
    def timeline(self) -> Timeline:
        """When things happened, whatever a mask took since."""
        return Timeline.of(self.log) if self.masked is None else self.masked.timeline

    @property
    def visits(self) -> EventLog:
        """What requests are taken from: the log, or under a mask the plays of its later sessions as once logged."""
        return self.log if self.masked is None else self.masked.visits


def _no_progress(done: float, note: str = "") -> None:
    """Report nowhere."""


def read_dataset(scenario: Scenario, progress: Callable[..., None] = _no_progress) -> Dataset:
    """Run the scenario's source, make its tables a dataset, and mask it as the scenario says.

    progress: called with the share done, 0 to 1, and a short note.
    Raises DataError naming file, row, column and value; PluginError where the source can't be imported; with a mask
    also ConfigError for cuts out of order.
    """
    progress(0.0, "fingerprint")
    source: Source = scenario.data.spec.load()(scenario.data.config)
    fingerprint = fingerprint_of(scenario, source)
    progress(0.1, f"reading {scenario.data.use}")
    tables = source.read()
    for key, paths in scenario.item_files.items():
        progress(0.5, f"reading {key}")
        tables = join_items(tables, key, *read_item_files(key, paths))
    progress(0.6, "building the log")
    dataset = build(tables, scenario.session_gap_ms, scenario.event_weights, f"data ({scenario.data.use})")
    dataset = mask_dataset(scenario, replace(dataset, fingerprint=fingerprint))
    progress(1.0, "data")
    return dataset


def build(tables: Tables, session_gap_ms: int, event_weights: Mapping[str, float], owner: str = "data") -> Dataset:
    """Tables to a dataset without a fingerprint.

    session_gap_ms: a longer pause of a user begins a new session, where the log names none.
    event_weights:  event type to weight; types not named weigh 0, so they are no plays.
    Raises DataError where a column is missing, mistyped or holds nulls, or where no event is a play.
    """
    events = _checked(tables, owner)
    rows = len(events)
    # Copies throughout: arrays over Arrow's memory are read-only, which compiled kernels take for another type.
    time = events["time"].to_numpy().astype(np.int64, copy=True)
    order: npt.NDArray[np.int64] | None = None
    if rows > 1 and bool((np.diff(time) < 0).any()):
        order = np.argsort(time, kind="stable")

    def ordered(column: npt.NDArray[Any]) -> npt.NDArray[Any]:
        """A column of the source in the log's order; numbers are moved rather than the ids they stand for."""
        return column if order is None else column[order]

    catalogue, user, item, given, past = _vocabularies(tables, events)
    user, item, time = ordered(user), ordered(item), ordered(time)
    kinds = _dictionary(events["event"])
    names = sorted(kinds.dictionary.to_pylist())
    if len(names) > np.iinfo(np.int8).max:
        raise DataError(f"{owner}: events: {len(names)} event types; at most {np.iinfo(np.int8).max} are accepted")
    places = np.array([names.index(name) for name in kinds.dictionary.to_pylist()], np.int8)
    event = ordered(places[np.asarray(kinds.indices)])
    weight = np.array([event_weights.get(name, 0.0) for name in names], np.float32)[event]
    if not bool((weight > 0).any()):
        counts = np.bincount(event, minlength=len(names))
        held = ", ".join(f"{name} ({count})" for name, count in zip(names, counts, strict=True))
        named = ", ".join(name for name, value in event_weights.items() if value > 0) or "none"
        raise DataError(f"{owner}: events: no event is a play; the log holds: {held}; event_weights above 0: {named}")
    session_codes = _codes(events, "session_id")
    log = EventLog(
        user,
        item,
        time,
        event,
        weight,
        cut_sessions(user, time, session_gap_ms, None if session_codes is None else ordered(session_codes)),
        ordered(_numbers(events, "watch_s", np.float32, np.nan, rows)),
        ordered(_numbers(events, "position", np.int32, -1, rows)),
        ordered(_filled(_codes(events, "request_id"), rows)),
        ordered(_numbers(events, "propensity", np.float32, np.nan, rows)),
        ordered(_filled(_main_items(events, catalogue), rows)),
        tuple(names),
        catalogue,
        past=past,
    )
    catalogue, quality = _published(log, tables.items, dict(tables.quality))
    return Dataset(replace(log, catalogue=catalogue), given, quality)


def encode(names: pa.ChunkedArray | pa.Array, vocabulary: Vocabulary) -> npt.NDArray[np.int32]:
    """Indices int32 [N] of a column of ids, -1 where null or unknown; each distinct id is looked up once."""
    column = _dictionary(names)
    places = np.append(vocabulary.encode(column.dictionary.to_pylist()), np.int32(-1)).astype(np.int32)
    found: npt.NDArray[np.int32] = places[np.asarray(pc.fill_null(column.indices, -1))]
    return found


def _dictionary(names: pa.ChunkedArray | pa.Array) -> pa.DictionaryArray:
    column = names.combine_chunks() if isinstance(names, pa.ChunkedArray) else names
    if pa.types.is_dictionary(column.type):
        return column
    return pc.dictionary_encode(column)


def _checked(tables: Tables, owner: str) -> pa.Table:
    wanted: list[tuple[str, pa.Table, str]] = [
        *(("events", tables.events, name) for name in ("user_id", "item_id", "time", "event")),
        ("items", tables.items, "item_id"),
        ("users", tables.users, "user_id"),
    ]
    for table, found, name in wanted:
        if name not in found.column_names:
            raise DataError(
                f"{owner}: {table}: no column '{name}'; there are: {', '.join(found.column_names) or 'none'}"
            )
        kind = found.schema.field(name).type
        text = pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_dictionary(kind)
        if not (kind == pa.int64() if name == "time" else text):
            accepted = "int64 (ms)" if name == "time" else "string"
            raise DataError(f"{owner}: {table}: {name}: is {kind}; accepted: {accepted}")
        if found[name].null_count:
            raise DataError(f"{owner}: {table}: {name}: {found[name].null_count} values are missing")
    if not tables.events.num_rows:
        raise DataError(f"{owner}: events: no rows")
    return tables.events


def _vocabularies(
    tables: Tables, events: pa.Table
) -> tuple[Catalogue, npt.NDArray[np.int32], npt.NDArray[np.int32], Given | None, Ragged | None]:
    """Catalogue (published_at still 0), users and items of the events, the given rows and the past as indices."""
    past = tables.past
    user_ids = [*_distinct(events["user_id"]), *_distinct(tables.users["user_id"])]
    if past is not None:
        user_ids += _distinct(past["user_id"])
    users = Vocabulary(user_ids)
    item_ids = [*_distinct(events["item_id"]), *_distinct(tables.items["item_id"])]
    given = tables.given
    if given is not None:
        prefixes = given["prefix"].combine_chunks()
        flat = pc.list_flatten(prefixes)
        item_ids += [*_distinct(flat), *_distinct(given["target"])]
    if past is not None:
        item_ids += _distinct(pc.list_flatten(past["items"]))
    items = Vocabulary(item_ids)
    catalogue = Catalogue(
        items,
        users,
        _aligned(tables.items, "item_id", items),
        _aligned(tables.users, "user_id", users),
        np.zeros(len(items), np.int64),
    )
    rows: Given | None = None
    if given is not None:
        rows = Given(_list_offsets(prefixes), encode(flat, items), encode(given["target"], items))
    earlier = None if past is None else _past(past, users, items)
    return catalogue, encode(events["user_id"], users), encode(events["item_id"], items), rows, earlier


def _list_offsets(lists: pa.Array) -> npt.NDArray[np.int64]:
    """int64 [N + 1]: where each list begins in their flattened values; a null is an empty list."""
    offsets = np.zeros(len(lists) + 1, np.int64)
    np.cumsum(np.asarray(pc.fill_null(pc.list_value_length(lists), 0), np.int64), out=offsets[1:])
    return offsets


def _past(past: pa.Table, users: Vocabulary, items: Vocabulary) -> Ragged:
    """The plays of each user of the vocabulary before the log, oldest first; of a user named twice the first row's."""
    lists = past["items"].combine_chunks()
    row = np.full(len(users), len(lists), np.int64)  # the list behind the last one: empty
    user = encode(past["user_id"], users)
    row[user[::-1]] = np.arange(len(user) - 1, -1, -1)
    offsets = _list_offsets(lists)
    return Ragged(np.append(offsets, offsets[-1]), encode(pc.list_flatten(lists), items)).take(row)


def _distinct(names: pa.ChunkedArray | pa.Array) -> list[str]:
    return [name for name in pc.unique(names).to_pylist() if name is not None]


def _aligned(table: pa.Table, key: str, vocabulary: Vocabulary) -> pa.Table:
    """The table's other columns, row i for id i; nulls where the table lacks the id, its first row where it repeats."""
    place = np.full(len(vocabulary), -1, np.int64)
    index = encode(table[key], vocabulary)
    place[index[::-1]] = np.arange(len(index) - 1, -1, -1)
    rows = pa.array(place, mask=place < 0)
    columns = table.drop_columns([key])
    if not columns.num_columns:
        # A table of no columns has no rows either; the vocabulary tells how many there are.
        return columns
    return columns.take(rows).combine_chunks()


def _codes(events: pa.Table, name: str) -> npt.NDArray[np.int32] | None:
    """Codes int32 [N] of a text column in order of first appearance, -1 where null; None where it is not there."""
    if name not in events.column_names:
        return None
    return np.asarray(pc.fill_null(_dictionary(events[name]).indices, -1)).astype(np.int32)


def _main_items(events: pa.Table, catalogue: Catalogue) -> npt.NDArray[np.int32] | None:
    return encode(events["main_item_id"], catalogue.items) if "main_item_id" in events.column_names else None


def _filled(codes: npt.NDArray[np.int32] | None, rows: int) -> npt.NDArray[np.int32]:
    return np.full(rows, -1, np.int32) if codes is None else codes


def _numbers(events: pa.Table, name: str, kind: Any, missing: float, rows: int) -> npt.NDArray[Any]:
    if name not in events.column_names:
        return np.full(rows, missing, kind)
    column = events[name]
    filled = pc.fill_null(column, pa.scalar(missing, column.type)) if column.null_count else column
    copied: npt.NDArray[Any] = filled.to_numpy().astype(kind, copy=True)
    return copied


def _published(log: EventLog, items: pa.Table, quality: dict[str, Quality]) -> tuple[Catalogue, dict[str, Quality]]:
    """Fill `published_at`: the column where it speaks, the first event where that is earlier or the column silent.

    An item with neither a date nor an event is new to the log, so it exists from the log's end.
    """
    catalogue = log.catalogue
    size = len(catalogue.items)
    never = np.iinfo(np.int64).max
    first = np.full(size, never, np.int64)
    first[log.item[::-1]] = log.time[::-1]
    published = np.full(size, never, np.int64)
    if "published_at" in items.column_names:
        column = pc.cast(catalogue.item_columns["published_at"], pa.int64())
        published = pc.fill_null(column, pa.scalar(never, pa.int64())).to_numpy()
        early = int(((first < published) & (published < never)).sum())
        if early:
            found = quality.get("items", Quality())
            note = f"{early} items have events before their published_at; they count as published from the first"
            quality["items"] = replace(found, notes=(*found.notes, note))
    published = np.minimum(published, first)
    published[published == never] = int(log.time[-1]) + 1
    return replace(catalogue, published_at=published), quality
