"""Batches: the numpy columns that every stage of the request path reads and writes.

Outside ids are strings; in here they are int32 indices of the vocabulary, and -1 is "none".
Times are int64 milliseconds since the epoch. Nothing here behaves beyond slicing and checks.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import numpy.typing as npt

__all__ = ["UNTIMED", "Arrivals", "CandidateBatch", "Plays", "Ragged", "RequestBatch"]

UNTIMED = -(2**62)
"""The time (ms) of a play of which only the order is known, and that it was before the log. Ages taken from it are
immense and still fit int64, so whatever fades with time is gone."""

Int32 = npt.NDArray[np.int32]
Int64 = npt.NDArray[np.int64]
Float32 = npt.NDArray[np.float32]


def _offsets_of(lengths: npt.NDArray[Any]) -> Int64:
    offsets = np.zeros(len(lengths) + 1, np.int64)
    np.cumsum(lengths, out=offsets[1:])
    return offsets


def _rows(offsets: Int64, requests: npt.NDArray[Any]) -> tuple[Int64, Int64]:
    """Row numbers of the named requests, in their order, and the offsets of the result."""
    starts, lengths = offsets[requests], offsets[requests + 1] - offsets[requests]
    taken = _offsets_of(lengths)
    rows = np.arange(taken[-1], dtype=np.int64) + np.repeat(starts - taken[:-1], lengths)
    return rows, taken


def _joined_offsets(parts: Sequence[Any]) -> Int64:
    return _offsets_of(np.concatenate([np.diff(part.offsets) for part in parts]))


def _check_offsets(offsets: Int64, rows: int, owner: str) -> None:
    if offsets.dtype != np.int64 or offsets.ndim != 1 or len(offsets) < 1:
        raise ValueError(f"{owner}.offsets must be int64 [B + 1], found {offsets.dtype} {offsets.shape}")
    if offsets[0] != 0 or offsets[-1] != rows or (len(offsets) > 1 and bool((np.diff(offsets) < 0).any())):
        raise ValueError(f"{owner}.offsets must start at 0, never fall, and end at {rows}")


def _check_column(column: npt.NDArray[Any], dtype: type, shape: tuple[int, ...], name: str) -> None:
    if column.dtype != dtype or column.shape != shape:
        raise ValueError(f"{name} must be {np.dtype(dtype)} {shape}, found {column.dtype} {column.shape}")


@dataclass(frozen=True, slots=True)
class Ragged:
    """Item lists of B requests in N flat rows; request b owns ``offsets[b]:offsets[b + 1]``.

    offsets: int64 [B + 1], starts at 0, never falls, ends at N.
    item:    int32 [N], vocabulary index.
    """

    offsets: Int64
    item: Int32

    def __len__(self) -> int:
        return len(self.offsets) - 1

    def check(self) -> None:
        """Raise ValueError naming the column whose dtype, shape or offsets are wrong."""
        _check_offsets(self.offsets, len(self.item), "Ragged")
        _check_column(self.item, np.int32, (len(self.item),), "Ragged.item")

    def take(self, requests: npt.NDArray[Any]) -> Ragged:
        """The lists of the named requests, in the order named."""
        rows, offsets = _rows(self.offsets, requests)
        return Ragged(offsets, self.item[rows])

    @classmethod
    def join(cls, parts: Sequence[Ragged]) -> Ragged:
        """The requests of several batches, one after the other."""
        return cls(_joined_offsets(parts), np.concatenate([part.item for part in parts]))

    @classmethod
    def empty(cls, size: int) -> Ragged:
        """`size` empty lists."""
        return cls(np.zeros(size + 1, np.int64), np.empty(0, np.int32))


@dataclass(frozen=True, slots=True)
class Plays:
    """Weighted plays of B requests, newest first within each.

    offsets: int64 [B + 1]. item: int32 [N]. time: int64 [N], ms, or UNTIMED. weight: float32 [N], the event's weight.
    """

    offsets: Int64
    item: Int32
    time: Int64
    weight: Float32

    def __len__(self) -> int:
        return len(self.offsets) - 1

    def check(self) -> None:
        """Raise ValueError naming the column whose dtype, shape, offsets or order is wrong."""
        rows = len(self.item)
        _check_offsets(self.offsets, rows, "Plays")
        _check_column(self.item, np.int32, (rows,), "Plays.item")
        _check_column(self.time, np.int64, (rows,), "Plays.time")
        _check_column(self.weight, np.float32, (rows,), "Plays.weight")
        rises = np.diff(self.time) > 0
        inner = self.offsets[1:-1]
        rises[inner[(inner > 0) & (inner < rows)] - 1] = False
        if rises.any():
            raise ValueError("Plays.time must be newest first within a request")

    def take(self, requests: npt.NDArray[Any]) -> Plays:
        """The plays of the named requests, in the order named."""
        rows, offsets = _rows(self.offsets, requests)
        return Plays(offsets, self.item[rows], self.time[rows], self.weight[rows])

    @classmethod
    def join(cls, parts: Sequence[Plays]) -> Plays:
        """The requests of several batches, one after the other."""
        return cls(
            _joined_offsets(parts),
            np.concatenate([part.item for part in parts]),
            np.concatenate([part.time for part in parts]),
            np.concatenate([part.weight for part in parts]),
        )

    @classmethod
    def empty(cls, size: int) -> Plays:
        """`size` empty lists."""
        return cls(
            np.zeros(size + 1, np.int64),
            np.empty(0, np.int32),
            np.empty(0, np.int64),
            np.empty(0, np.float32),
        )


@dataclass(frozen=True, slots=True)
class Arrivals:
    """B requests as they come in, before the profile is read.

    user: int32 [B]. time: int64 [B], ms. item: int32 [B], the main item. k: int32 [B].
    session: plays of this visit, newest first, main item included.
    """

    user: Int32
    time: Int64
    item: Int32
    k: Int32
    session: Plays

    def __len__(self) -> int:
        return len(self.user)

    def take(self, requests: npt.NDArray[Any]) -> Arrivals:
        """The named requests, in the order named."""
        return Arrivals(
            self.user[requests],
            self.time[requests],
            self.item[requests],
            self.k[requests],
            self.session.take(requests),
        )


@dataclass(frozen=True, slots=True)
class RequestBatch:
    """B requests.

    user:    int32 [B], -1 where unknown.
    time:    int64 [B], ms; everything the request may see is strictly earlier in the log's order.
    item:    int32 [B], the main item, -1 where absent or unknown.
    k:       int32 [B], items wanted.
    session: plays of this visit, newest first, main item included.
    history: session united with the profile's latest plays by (item, time), newest first.
    seen:    every item the user is known to have played, in no order, repeats allowed.
    columns: user attributes by column name, each [B]; None or NaN where missing.
    """

    user: Int32
    time: Int64
    item: Int32
    k: Int32
    session: Plays
    history: Plays
    seen: Ragged
    columns: Mapping[str, npt.NDArray[Any]] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.user)

    def check(self) -> None:
        """Raise ValueError naming the column whose dtype, shape or order is wrong."""
        size = len(self.user)
        _check_column(self.user, np.int32, (size,), "RequestBatch.user")
        _check_column(self.time, np.int64, (size,), "RequestBatch.time")
        _check_column(self.item, np.int32, (size,), "RequestBatch.item")
        _check_column(self.k, np.int32, (size,), "RequestBatch.k")
        for name, part in (("session", self.session), ("history", self.history), ("seen", self.seen)):
            if len(part) != size:
                raise ValueError(f"RequestBatch.{name} holds {len(part)} requests, expected {size}")
            part.check()
        for name, column in self.columns.items():
            if len(column) != size:
                raise ValueError(f"RequestBatch.columns[{name!r}] holds {len(column)} rows, expected {size}")

    def take(self, requests: npt.NDArray[Any]) -> RequestBatch:
        """The named requests, in the order named."""
        return RequestBatch(
            self.user[requests],
            self.time[requests],
            self.item[requests],
            self.k[requests],
            self.session.take(requests),
            self.history.take(requests),
            self.seen.take(requests),
            {name: column[requests] for name, column in self.columns.items()},
        )

    @classmethod
    def join(cls, parts: Sequence[RequestBatch]) -> RequestBatch:
        """The requests of several batches, one after the other."""
        return cls(
            np.concatenate([part.user for part in parts]),
            np.concatenate([part.time for part in parts]),
            np.concatenate([part.item for part in parts]),
            np.concatenate([part.k for part in parts]),
            Plays.join([part.session for part in parts]),
            Plays.join([part.history for part in parts]),
            Ragged.join([part.seen for part in parts]),
            {name: np.concatenate([part.columns[name] for part in parts]) for name in parts[0].columns},
        )


@dataclass(frozen=True, slots=True)
class CandidateBatch:
    """Candidates of B requests in N flat rows; request b owns ``offsets[b]:offsets[b + 1]``.

    Best first within a request; ties by item index; non-finite scores last; an item at most once a request.

    offsets: int64 [B + 1].
    item:    int32 [N], vocabulary index; unknown ids never get this far.
    score:   float32 [N], higher is better; comparable only inside one stage.
    sources: names of the T triggers merged here; empty before the merge.
    source_score: float32 [N, T], NaN where trigger t did not recall the row.
    source_rank:  int32 [N, T], 0 is the trigger's best, -1 where it did not recall the row.
    merge_score:  float32 [N], what the merge gave the row; None before the merge.
    """

    offsets: Int64
    item: Int32
    score: Float32
    sources: tuple[str, ...] = ()
    source_score: Float32 | None = None
    source_rank: Int32 | None = None
    merge_score: Float32 | None = None

    def __len__(self) -> int:
        return len(self.offsets) - 1

    @property
    def lengths(self) -> Int64:
        """int64 [B]: candidates of each request."""
        return self.offsets[1:] - self.offsets[:-1]

    def check(self) -> None:
        """Raise ValueError where a dtype, shape, the order or the uniqueness of items is broken."""
        rows = len(self.item)
        _check_offsets(self.offsets, rows, "CandidateBatch")
        _check_column(self.item, np.int32, (rows,), "CandidateBatch.item")
        _check_column(self.score, np.float32, (rows,), "CandidateBatch.score")
        width = len(self.sources)
        if self.source_score is not None:
            _check_column(self.source_score, np.float32, (rows, width), "CandidateBatch.source_score")
        if self.source_rank is not None:
            _check_column(self.source_rank, np.int32, (rows, width), "CandidateBatch.source_rank")
        if rows and int(self.item.min()) < 0:
            raise ValueError("CandidateBatch.item must be a vocabulary index, found a negative one")
        request = np.repeat(np.arange(len(self)), self.lengths)
        pair = request * (int(self.item.max(initial=0)) + 1) + self.item
        if len(np.unique(pair)) != rows:
            raise ValueError("CandidateBatch holds an item twice in one request")
        key = np.where(np.isfinite(self.score), self.score, -np.inf)
        same = request[1:] == request[:-1]
        rises = key[1:] > key[:-1]
        tied = (key[1:] == key[:-1]) & (self.item[1:] < self.item[:-1])
        if bool((same & (rises | tied)).any()):
            raise ValueError("CandidateBatch must be best first within a request, ties by item")

    def rows(self, rows: npt.NDArray[Any], offsets: Int64) -> CandidateBatch:
        """The named flat rows under new offsets, every column kept."""
        return CandidateBatch(
            offsets,
            self.item[rows],
            self.score[rows],
            self.sources,
            None if self.source_score is None else self.source_score[rows],
            None if self.source_rank is None else self.source_rank[rows],
            None if self.merge_score is None else self.merge_score[rows],
        )

    def take(self, requests: npt.NDArray[Any]) -> CandidateBatch:
        """The candidates of the named requests, in the order named."""
        rows, offsets = _rows(self.offsets, requests)
        return self.rows(rows, offsets)

    def with_score(self, score: Float32) -> CandidateBatch:
        """The same rows in the same order under other scores; the caller sorts them."""
        return replace(self, score=score)

    @classmethod
    def join(cls, parts: Sequence[CandidateBatch]) -> CandidateBatch:
        """The candidates of several batches of one stage, one after the other."""

        def column(name: str) -> Any:
            columns = [getattr(part, name) for part in parts]
            return None if columns[0] is None else np.concatenate(columns)

        return cls(
            _joined_offsets(parts),
            column("item"),
            column("score"),
            parts[0].sources,
            column("source_score"),
            column("source_rank"),
            column("merge_score"),
        )

    @classmethod
    def empty(cls, size: int) -> CandidateBatch:
        """`size` requests without candidates."""
        return cls(np.zeros(size + 1, np.int64), np.empty(0, np.int32), np.empty(0, np.float32))
