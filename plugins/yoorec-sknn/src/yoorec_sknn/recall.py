"""The compiled kernels of a recall: the sessions most like the request's, and the votes of their items."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from numba import njit, types
from numba.core.typing.templates import Signature

from yoorec.ragged import lowest_first, recalling, recalling_item, top_of_dense
from yoorec.ragged.arrays import F32, I32, I64, U64, column, readonly

__all__ = ["Index", "Scratch", "Weights", "recall"]


class Index(NamedTuple):
    """S sessions, 0 the last to end, and I items.

    offsets: int64 [S + 1]. item: int32 [N], session s's plays ``offsets[s]:offsets[s + 1]``, oldest first.
    item_offsets: int64 [I + 1]. session: int32 [E], the sessions looked at for an item, the latest first.
    rarity: float32 [I], an item's weight. fresh: float32 [S], a session's; empty where nothing is forgotten.
    All are read-only: threads share them, and the kernel's signature says so.
    """

    offsets: I64
    item: I32
    item_offsets: I64
    session: I32
    rarity: F32
    fresh: F32

    @classmethod
    def of(cls, *columns: npt.NDArray[Any]) -> Index:
        """The columns in the order above, behind read-only views."""
        views = [np.ascontiguousarray(column).view() for column in columns]
        for view in views:
            view.flags.writeable = False
        return cls(*views)


class Scratch(NamedTuple):
    """What a recall works in, one per thread; weight, similar and total are all 0 between calls, and left so.

    weight: float32 [I], of the request's items. similar: float32 [S]. near: int32, near_keys: uint64, both of at least
    the sessions a request can touch, near one longer. vote: float32, the longest session. total: float32 [I].
    touched: int32 [I + 1]. keys: uint64 [I].
    """

    weight: F32
    similar: F32
    near: I32
    near_keys: U64
    vote: F32
    total: F32
    touched: I32
    keys: U64


class Weights(NamedTuple):
    """The config's numbers that a recall uses, under its keys' names."""

    recency: float
    forward: float
    backward: float
    same: float
    repeat: float


_numba: Any = types  # numba's constructors of tuple types are untyped
_i32, _i64, _f32 = readonly(types.int32), readonly(types.int64), readonly(types.float32)
_room_i32, _room_f32, _room_u64 = column(types.int32), column(types.float32), column(types.uint64)
_index = _numba.NamedTuple((_i64, _i32, _i64, _i32, _f32, _f32), Index)
_scratch = _numba.NamedTuple(
    (_room_f32, _room_f32, _room_i32, _room_u64, _room_f32, _room_f32, _room_i32, _room_u64), Scratch
)
_weights = _numba.NamedUniTuple(types.float64, len(Weights._fields), Weights)
_found = _numba.Tuple((column(types.int64), _room_i32, _room_f32))
_nearest_signature: Signature = types.int64(types.int64, types.int64, _index, _scratch)
_recall_signature: Signature = _found(
    _i32, _i64, _i32, _index, types.int64, types.int64, types.int64, _weights, _scratch
)


@njit(_nearest_signature, cache=True, nogil=True)
def _nearest(count: int, neighbors: int, index: Index, scratch: Scratch) -> int:
    """Move the `neighbors` most similar of `near`'s first `count` sessions to its front; ties to the later session.

    Returns how many there are; the others' `similar` is 0 again. Selected, not sorted: their order is as arbitrary as
    it is fixed.
    """
    near, keys, similar = scratch.near, scratch.near_keys, scratch.similar
    bits = similar.view(np.uint32)
    found = 0
    for n in range(count):
        s = near[n]
        if len(index.fresh):
            similar[s] *= index.fresh[s]
        # A positive float's bits rise with it. One that fell to 0 is no neighbour, and its place is overwritten.
        keys[found] = (np.uint64(np.uint32(0x7FFFFFFF) - bits[s]) << np.uint64(32)) | np.uint64(s)
        near[found] = s
        found += similar[s] > 0.0
    if found <= neighbors:
        return found
    lowest_first(keys, near, found, neighbors)
    for n in range(neighbors, found):
        similar[near[n]] = 0.0
    return neighbors


@njit(_recall_signature, cache=True, nogil=True)
def recall(
    main: I32,
    history_offsets: I64,
    history_item: I32,
    index: Index,
    k: int,
    neighbors: int,
    recall_from: int,
    weights: Weights,
    scratch: Scratch,
) -> tuple[I64, I32, F32]:
    """The k best of B requests: offsets int64 [B + 1], item int32 and score float32.

    main int32 [B] stands in front of the history unless the history already begins with it.
    """
    offsets, item = index.offsets, index.item
    weight, similar, near, vote = scratch.weight, scratch.similar, scratch.near, scratch.vote
    total, touched = scratch.total, scratch.touched
    recency, repeat = np.float32(weights.recency), np.float32(weights.repeat)
    forward, backward, same = np.float32(weights.forward), np.float32(weights.backward), np.float32(weights.same)
    size, items = len(main), len(total)
    out_offsets = np.zeros(size + 1, np.int64)
    room = size * min(k, items)
    out_item = np.empty(room, np.int32)
    out_score = np.empty(room, np.float32)
    end = 0
    for b in range(size):
        start, stop = recalling(main, history_offsets, history_item, b, recall_from)

        count = 0
        decay = np.float32(1.0)
        for p in range(start, stop):
            i = recalling_item(main, history_offsets, history_item, b, p)
            if i >= 0 and weight[i] == 0.0:
                own = decay * index.rarity[i]
                weight[i] = own
                for n in range(index.item_offsets[i], index.item_offsets[i + 1]):
                    s = index.session[n]
                    near[count] = s  # without a branch; kept if the session is new and the weight no underflow
                    count += (similar[s] == 0.0) & (own > 0.0)
                    similar[s] += own
            decay *= recency
        count = _nearest(count, neighbors, index, scratch)

        found = 0
        for n in range(count):
            first, last = offsets[near[n]], offsets[near[n] + 1]
            carry = np.float32(0.0)
            for q in range(first, last):
                own = weight[item[q]]
                vote[q - first] = carry + same * own
                carry = carry * forward + own
            carry = np.float32(0.0)
            for q in range(last - 1, first - 1, -1):
                j = item[q]
                value = similar[near[n]] * (vote[q - first] + carry)
                carry = (carry + weight[j]) * backward
                touched[found] = j
                found += (total[j] == 0.0) & (value > 0.0)
                total[j] += value
        for n in range(count):
            similar[near[n]] = 0.0
        for p in range(start, stop):
            i = recalling_item(main, history_offsets, history_item, b, p)
            if i >= 0:
                weight[i] = 0.0

        if main[b] >= 0:
            total[main[b]] *= repeat
        others = 0
        for n in range(found):
            touched[others] = touched[n]
            others += total[touched[n]] > 0.0
        if k > 0:
            end += top_of_dense(touched, others, total, k, scratch.keys, out_item[end:], out_score[end:])
        for n in range(others):
            total[touched[n]] = 0.0
        out_offsets[b + 1] = end
    return out_offsets, out_item[:end], out_score[:end]
