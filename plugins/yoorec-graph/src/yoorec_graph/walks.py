"""Biased random walks over a weighted directed graph, many at once.

A walk's random numbers come from a generator of its own (Steele et al., "Fast Splittable Pseudorandom Number
Generators", OOPSLA 2014: the k-th number is a mix of key + k * gamma), and its key from seed, start and the walk's
number: no walk depends on the range it is in, or on threads.

A step of a walk is a few instructions and a wait for memory. So a kernel takes `_TOGETHER` walks along: it asks for
what each of them reads next, and by the time it has asked for the last, the first is there.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
from numba import types

from yoorec.engine import Array
from yoorec.ragged import compiled
from yoorec.ragged.arrays import F32, I32, I64, U32, kernel, made, readonly, table
from yoorec.ragged.prefetch import prefetch
from yoorec_graph.edges import Edges

__all__ = ["Paths", "paths_of", "walk_range"]

_GAMMA = np.uint64(0x9E3779B97F4A7C15)
_MIX1, _MIX2 = np.uint64(0xBF58476D1CE4E5B9), np.uint64(0x94D049BB133111EB)
_S27, _S30, _S31, _S32 = np.uint64(27), np.uint64(30), np.uint64(31), np.uint64(32)
_LOW = np.uint64(0xFFFFFFFF)
_ZERO, _ONE, _TWO = np.uint64(0), np.uint64(1), np.uint64(2)
_FIBONACCI = np.uint64(2654435769)
_S11, _UNIT = np.uint64(11), 2.0**-53
_NONE = np.uint32(0xFFFFFFFF)
_TOGETHER = 64

_BAR, _OTHER_PLACE = np.uint64(2), np.uint64(3)


class Paths(NamedTuple):
    """A graph made ready for walks; arrays as `walk_range` gets them.

    offsets: int64 [I + 1], as of the edges. target: int32 [E].
    alias:   uint32 [E, 4], one line of memory a draw (Walker 1977; Vose, IEEE Trans. Softw. Eng. 17, 1991): a draw
             of the row's place e takes the edge e, to alias[e, 0], where a 32-bit number is below alias[e, 2], else
             the edge at place alias[e, 3] of the row, to alias[e, 1].
    back:    int64 [E], the place of the edge that leads back, -1 where there is none.
    back_share: float32 [E], that edge's share of its row.
    known:   uint64 [2^k], a bit set for each edge by hash; a clear bit says that there is no such edge.
    """

    offsets: I64
    target: I32
    alias: U32
    back: I64
    back_share: F32
    known: U32


_i32, _i64, _f32 = (readonly(dtype) for dtype in (types.int32, types.int64, types.float32))
_table = table(types.uint32)
_walked = made(types.int32, types.int32)
_int, _uint = types.int64, types.uint64


@kernel(_uint, _uint)
def _mix(z: np.uint64) -> np.uint64:
    z = (z ^ (z >> _S30)) * _MIX1
    z = (z ^ (z >> _S27)) * _MIX2
    return z ^ (z >> _S31)


@kernel(_uint, _uint, _int, _int)
def _key(seed: np.uint64, node: int, number: int) -> np.uint64:
    """Where the generator of a walk begins."""
    return _mix(_mix(seed + _GAMMA * (np.uint64(node) + _ONE)) + _GAMMA * (np.uint64(number) + _ONE))


@kernel(_uint, _uint, _uint, _uint)
def _spot(target: np.uint64, begin: np.uint64, size: np.uint64) -> np.uint64:
    """Where a row's hash table, at places 2 * begin and on, is looked into first; Fibonacci hashing."""
    return _TWO * begin + ((((target * _FIBONACCI) & _LOW) * (_TWO * size)) >> _S32)


@kernel(_int, _i32, _int, _int, _int)
def _find(target: I32, low: int, high: int, wanted: int) -> int:
    """The place of `wanted` in the row low:high, -1 where it is not there."""
    stop = high
    while low < high:
        middle = (low + high) >> 1
        if target[middle] < wanted:
            low = middle + 1
        else:
            high = middle
    return low if low < stop and target[low] == wanted else -1


@kernel(types.uint32[:, ::1], _i64, _i32, _f32)
def _alias_of(offsets: I64, target: I32, weight: F32) -> U32:
    alias = np.empty((len(target), 4), np.uint32)
    longest = 0
    for i in range(len(offsets) - 1):
        longest = max(longest, offsets[i + 1] - offsets[i])
    height = np.empty(longest, np.float64)
    low = np.empty(longest, np.int64)
    high = np.empty(longest, np.int64)
    for i in range(len(offsets) - 1):
        begin, size = offsets[i], offsets[i + 1] - offsets[i]
        total = 0.0
        for e in range(size):
            total += weight[begin + e]
        lows, highs = 0, 0
        for e in range(size):
            height[e] = weight[begin + e] * size / total
            alias[begin + e, 0] = target[begin + e]
            alias[begin + e, 1] = target[begin + e]
            alias[begin + e, _BAR] = 0xFFFFFFFF
            alias[begin + e, _OTHER_PLACE] = e
            if height[e] < 1.0:
                low[lows] = e
                lows += 1
            else:
                high[highs] = e
                highs += 1
        while lows and highs:
            lows -= 1
            e, other = low[lows], high[highs - 1]
            alias[begin + e, 1] = target[begin + other]
            alias[begin + e, _BAR] = np.uint32(min(height[e] * 4294967296.0, 4294967295.0))
            alias[begin + e, _OTHER_PLACE] = other
            height[other] -= 1.0 - height[e]
            if height[other] < 1.0:
                highs -= 1
                low[lows] = other
                lows += 1
    return alias


@compiled  # with `_second_order`, only where walks look back: few scenarios ask for it
def _second_of(offsets: I64, target: I32, weight: F32) -> tuple[I64, F32, U32]:
    edges = len(target)
    back = np.empty(edges, np.int64)
    back_share = np.zeros(edges, np.float32)
    known = np.full(2 * edges, _NONE, np.uint32)
    total = np.zeros(len(offsets) - 1, np.float64)
    for i in range(len(offsets) - 1):
        for e in range(offsets[i], offsets[i + 1]):
            total[i] += weight[e]
    for i in range(len(offsets) - 1):
        for e in range(offsets[i], offsets[i + 1]):
            j = target[e]
            back[e] = _find(target, offsets[j], offsets[j + 1], i)
            if back[e] >= 0:
                back_share[e] = weight[back[e]] / total[j]
            spot = _spot(np.uint64(j), np.uint64(offsets[i]), np.uint64(offsets[i + 1] - offsets[i]))
            while known[spot] != _NONE:
                spot = spot + _ONE if spot + _ONE < np.uint64(2 * offsets[i + 1]) else np.uint64(2 * offsets[i])
            known[spot] = j
    return back, back_share, known


def paths_of(edges: Edges, *, second: bool) -> Paths:
    """Make a graph ready for walks; `second`: for walks that look back, which needs three more arrays."""
    alias = _alias_of(edges.offsets, edges.target, edges.weight)
    if not second:
        empty = np.empty(0, np.int64), np.empty(0, np.float32), np.empty(0, np.uint32)
        return Paths(edges.offsets, edges.target, alias, *empty)
    return Paths(edges.offsets, edges.target, alias, *_second_of(*edges))


@kernel(_walked, _i32, _int, _int, _int, _i64, _table, _int, _uint)
def _first_order(
    start: I32, nodes: int, first: int, last: int, offsets: I64, alias: U32, length: int, seed: np.uint64
) -> tuple[I32, I32]:
    walks = last - first
    out = np.empty(walks * length, np.int32)
    steps = np.empty(walks, np.int32)
    node = np.empty(_TOGETHER, np.uint64)
    key = np.empty(_TOGETHER, np.uint64)
    name = np.empty(_TOGETHER, np.uint64)  # the walk's row of `out`
    edge = np.empty(_TOGETHER, np.uint64)
    coin = np.empty(_TOGETHER, np.uint64)
    wide = np.uint64(length)
    for block in range(0, walks, _TOGETHER):
        live = min(_TOGETHER, walks - block)
        for w in range(live):
            node[w] = start[first + block + w]
            key[w] = _key(seed, node[w], (first + block + w) // nodes)
            name[w] = block + w
            out[name[w] * wide] = node[w]
            steps[block + w] = length
        for s in range(1, length):
            w = 0
            while w < live:
                begin = np.uint64(offsets[node[w]])
                size = np.uint64(offsets[node[w] + _ONE]) - begin
                if size == _ZERO:
                    steps[name[w]] = s
                    live -= 1
                    node[w], key[w], name[w] = node[live], key[live], name[live]
                    continue
                key[w] += _GAMMA
                drawn = _mix(key[w])
                edge[w] = begin + (((drawn >> _S32) * size) >> _S32)
                coin[w] = drawn & _LOW
                prefetch(alias, edge[w])
                w += 1
            for w in range(live):
                # No branch: the processor would guess it wrong half the time.
                to = alias[edge[w], np.uint64(coin[w] >= alias[edge[w], _BAR])]
                node[w] = to
                out[name[w] * wide + np.uint64(s)] = to
    return out, steps


@compiled
def _second_order(
    start: I32,
    nodes: int,
    first: int,
    last: int,
    offsets: I64,
    target: I32,
    alias: U32,
    back: I64,
    back_share: F32,
    known: U32,
    length: int,
    seed: np.uint64,
    p: float,
    q: float,
) -> tuple[I32, I32]:
    """Rejection sampling after KnightKing (Yang et al., SOSP 2019).

    A first-order draw x is taken with a chance of bias(x) / high; what a way back has above `high` is drawn apart.
    """
    walks = last - first
    out = np.empty(walks * length, np.int32)
    steps = np.empty(walks, np.int32)
    node = np.empty(_TOGETHER, np.uint64)
    before = np.empty(_TOGETHER, np.uint64)
    edge = np.empty(_TOGETHER, np.uint64)  # the edge that led to `node`
    key = np.empty(_TOGETHER, np.uint64)
    name = np.empty(_TOGETHER, np.uint64)
    step = np.empty(_TOGETHER, np.uint64)
    to = np.empty(_TOGETHER, np.uint64)  # a draw and its edge
    by = np.empty(_TOGETHER, np.uint64)
    coin = np.empty(_TOGETHER, np.uint64)
    row = np.empty(_TOGETHER, np.uint64)  # where the edges of `node` begin
    base = np.empty(_TOGETHER, np.uint64)  # where those of `before` begin, and how many there are
    rest = np.empty(_TOGETHER, np.uint64)
    spot = np.empty(_TOGETHER, np.uint64)
    share = np.empty(_TOGETHER, np.float64)  # of the way back among the edges of `node`
    wide = np.uint64(length)
    to_back, to_near, to_far = 1.0 / p, 1.0, 1.0 / q
    high = max(to_near, to_far)
    low = min(to_near, to_far)
    excess = max(0.0, to_back - high)
    for block in range(0, walks, _TOGETHER):
        live = min(_TOGETHER, walks - block)
        for w in range(live):
            node[w] = start[first + block + w]
            key[w] = _key(seed, node[w], (first + block + w) // nodes)
            name[w] = block + w
            step[w] = 0
            before[w] = node[w]
            edge[w] = 0
        while live:
            w = 0
            while w < live:
                here = node[w]
                begin = np.uint64(offsets[here])
                size = np.uint64(offsets[here + _ONE]) - begin
                out[name[w] * wide + step[w]] = here
                if size == _ZERO or step[w] == wide - _ONE:
                    steps[name[w]] = step[w] + _ONE
                    live -= 1
                    node[w], before[w], edge[w], share[w] = node[live], before[live], edge[live], share[live]
                    key[w], name[w], step[w] = key[live], name[live], step[live]
                    continue
                key[w] += _GAMMA
                drawn = _mix(key[w])
                row[w] = begin
                by[w] = begin + (((drawn >> _S32) * size) >> _S32)
                coin[w] = drawn & _LOW
                prefetch(alias, by[w])
                w += 1
            for w in range(live):
                e = by[w]
                other = np.uint64(coin[w] >= alias[e, _BAR])
                to[w] = alias[e, other]
                by[w] = row[w] + np.uint64(alias[e, _OTHER_PLACE]) if other else e
                base[w] = np.uint64(offsets[before[w]])
                rest[w] = np.uint64(offsets[before[w] + _ONE]) - base[w]
                spot[w] = _spot(to[w], base[w], rest[w])
                prefetch(known, spot[w])
                prefetch(back_share, by[w])
            for w in range(live):
                taken = True
                key[w] += _GAMMA
                if step[w] > _ZERO:
                    height = np.float64(_mix(key[w]) >> _S11) * _UNIT * (high + excess * share[w])
                    if height >= high and share[w] > 0.0:
                        by[w] = np.uint64(back[edge[w]])
                        to[w] = before[w]
                    elif to[w] == before[w]:
                        taken = height < to_back
                    elif height >= low:
                        place, last_place = spot[w], _TWO * (base[w] + rest[w]) - _ONE
                        while known[place] != to[w] and known[place] != _NONE:
                            place = place + _ONE if place < last_place else _TWO * base[w]
                        taken = height < (to_near if known[place] == to[w] else to_far)
                yes = np.uint64(taken)
                mine = _ZERO - yes
                before[w] ^= (before[w] ^ node[w]) & mine
                node[w] ^= (node[w] ^ to[w]) & mine
                edge[w] ^= (edge[w] ^ by[w]) & mine
                step[w] += yes
                share[w] = np.float64(back_share[edge[w]])
    return out, steps


@kernel(made(types.int32), made(types.int32), _i32, _int)
def _packed(out: I32, steps: I32, length: int) -> I32:
    """Walks without what lies behind their ends."""
    end = 0
    for w in range(len(steps)):
        for s in range(steps[w]):
            out[end] = out[w * length + s]
            end += 1
    return out[:end].copy()


def walk_range(first: int, last: int, arrays: Mapping[str, Array], settings: Mapping[str, Any]) -> tuple[Array, ...]:
    """Walks [first, last): their nodes one after the other, int32, and the nodes of each, int32 [last - first].

    arrays: those of `Paths`, and start int32 [W], the node that each walk starts from.
    settings: nodes, the walks of a round (walk w is number w // nodes of its start); length, seed, p, q.
    A walk ends after `length` nodes or where no edge leads on.
    """
    start, offsets, alias = arrays["start"], arrays["offsets"], arrays["alias"]
    nodes, length, seed, p, q = (settings[name] for name in ("nodes", "length", "seed", "p", "q"))
    if p == q == 1.0:
        out, steps = _first_order(start, nodes, first, last, offsets, alias, length, np.uint64(seed))
    else:
        out, steps = _second_order(
            start,
            nodes,
            first,
            last,
            offsets,
            arrays["target"],
            alias,
            arrays["back"],
            arrays["back_share"],
            arrays["known"],
            length,
            np.uint64(seed),
            p,
            q,
        )
    return (out if int(steps.min(initial=length)) == length else _packed(out, steps, length)), steps
