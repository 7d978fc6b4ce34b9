"""Search: from the root down, level by level, the best nodes of each level kept, leaves collected as they are met."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import types

from yoorec.batch import RequestBatch
from yoorec.ragged import best_first, sort_keys, top_of_dense
from yoorec.ragged.arrays import F32, I32, I64, kernel, made, readonly
from yoorec.ragged.compiled import item_marks
from yoorec_tdm.index import Index
from yoorec_tdm.scoring import readers_of, score_nodes

__all__ = ["Found", "search"]

_CHUNK = 256
"""Requests searched together: their first layers, 6 kB each at the default sizes, stay in the processor's cache."""

_f32, _i32, _i64 = readonly(types.float32), readonly(types.int32), readonly(types.int64)


class Found(NamedTuple):
    """At most k items a request, best first, ties by item, and how many nodes were scored for all of them."""

    offsets: I64
    item: I32
    score: F32
    scored: int


@kernel(
    made(types.int64, types.int32),
    *(_i32, _i64, _i32, _i64, _i32, _i64, _i32, _i64, _i32, _i32, _i32, types.int64[::1]),
)
def _barred(
    main: I32,
    history_offsets: I64,
    history_item: I32,
    seen_offsets: I64,
    seen_item: I32,
    time: I64,
    by_since: I32,
    since: I64,
    leaf: I32,
    parent: I32,
    children: I32,
    marks: I64,
) -> tuple[I64, I32]:
    """The nodes that B requests must not look at: leaves they may not be given, and nodes with no other below them.

    by_since: int32 [I], the items by their since, the latest last.
    """
    size = len(main)
    offsets = np.zeros(size + 1, np.int64)
    node = np.empty(64, np.int32)
    gone = np.zeros(len(parent), np.int32)
    count = 0
    for b in range(size):
        late = len(by_since)
        while late > 0 and since[by_since[late - 1]] > time[b]:
            late -= 1
        history, seen = history_offsets[b], seen_offsets[b]
        played, known = history_offsets[b + 1] - history, seen_offsets[b + 1] - seen
        base = marks[0]
        marks[0] = base + 1
        for p in range(1 + played + known + len(by_since) - late):
            if p == 0:
                item = main[b]
            elif p <= played:
                item = history_item[history + p - 1]
            elif p <= played + known:
                item = seen_item[seen + p - 1 - played]
            else:
                item = by_since[late + p - 1 - played - known]
            at = leaf[item] if item >= 0 else 0
            while at > 0 and marks[at + 1] < base:
                marks[at + 1] = base
                if count == len(node):
                    longer = np.empty(2 * count, np.int32)
                    for n in range(count):
                        longer[n] = node[n]
                    node = longer
                node[count] = at
                count += 1
                at = parent[at]
                gone[at] += 1
                if gone[at] < children[at + 1] - children[at]:
                    break
        for c in range(offsets[b], count):
            gone[parent[node[c]]] = 0
        offsets[b + 1] = count
    return offsets, node[:count]


@kernel(made(types.int64, types.int32), _i64, _i32, _i32, _i64, _i32, types.int64[::1])
def _children(
    kept_offsets: I64, kept: I32, children: I32, barred_offsets: I64, barred: I32, marks: I64
) -> tuple[I64, I32]:
    """The children of the kept nodes of B requests, without those that are barred."""
    size = len(kept_offsets) - 1
    room = 0
    for c in range(len(kept)):
        room += children[kept[c] + 1] - children[kept[c]]
    offsets = np.zeros(size + 1, np.int64)
    node = np.empty(room, np.int32)
    count = 0
    for b in range(size):
        base = marks[0]
        marks[0] = base + 1
        for p in range(barred_offsets[b], barred_offsets[b + 1]):
            marks[barred[p] + 1] = base
        for c in range(kept_offsets[b], kept_offsets[b + 1]):
            for child in range(children[kept[c]], children[kept[c] + 1]):
                if marks[child + 1] < base:
                    node[count] = child
                    count += 1
        offsets[b + 1] = count
    return offsets, node[:count]


@kernel(made(types.int64, types.int32), _i64, _i32, _f32, _i32, types.int64)
def _keep(offsets: I64, node: I32, score: F32, item: I32, beam: int) -> tuple[I64, I32]:
    """The `beam` best inner nodes of each request, in the order of their numbers; ties by number."""
    size = len(offsets) - 1
    kept_offsets = np.zeros(size + 1, np.int64)
    kept = np.empty(len(node), np.int32)
    longest = 0
    for b in range(size):
        longest = max(longest, offsets[b + 1] - offsets[b])
    keys = np.empty(longest, np.uint64)
    inner = np.empty(longest, np.int32)
    best_score = np.empty(longest, np.float32)
    end = 0
    for b in range(size):
        start = offsets[b]
        count = 0
        for c in range(start, offsets[b + 1]):
            if item[node[c]] < 0:
                inner[count] = c - start
                count += 1
        if count > beam:
            count = top_of_dense(inner, count, score[start : offsets[b + 1]], beam, keys, inner, best_score)
            for c in range(count):
                keys[c] = inner[c]
            sort_keys(keys, inner, count)
        for c in range(count):
            kept[end] = node[start + inner[c]]
            end += 1
        kept_offsets[b + 1] = end
    return kept_offsets, kept[:end]


def search(index: Index, requests: RequestBatch, beam: int, k: int) -> Found:
    """Algorithm 1 of Zhu et al., KDD 2018: one pass over the model per level, for up to 256 requests together.

    On each level the `beam` best inner nodes go on; a leaf met on the way is a candidate, whatever its level, and takes
    no place among them. Leaves of the main item, of items of the history or seen, and of items not published yet are
    passed over, and so are nodes that have no other leaves below them: neither takes a place from the rest. A leaf's
    score is its logit less the shift of its level.
    """
    starts = range(0, max(len(requests), 1), _CHUNK)
    chunks = (requests.take(np.arange(start, min(start + _CHUNK, len(requests)))) for start in starts)
    parts = [_search(index, chunk, beam, k) for chunk in chunks]
    lengths = np.concatenate([np.diff(part.offsets) for part in parts])
    return Found(
        np.append(0, np.cumsum(lengths)),
        np.concatenate([part.item for part in parts]),
        np.concatenate([part.score for part in parts]),
        sum(part.scored for part in parts),
    )


def _search(index: Index, requests: RequestBatch, beam: int, k: int) -> Found:
    tree, size, history = index.tree, len(requests), requests.history
    readers = readers_of(index.weights, requests.item, history.offsets, history.item, index.leaf)
    marks = item_marks(len(tree))
    barred = _barred(
        np.ascontiguousarray(requests.item),
        np.ascontiguousarray(history.offsets),
        np.ascontiguousarray(history.item),
        np.ascontiguousarray(requests.seen.offsets),
        np.ascontiguousarray(requests.seen.item),
        np.ascontiguousarray(requests.time),
        index.by_since,
        index.since,
        index.leaf,
        tree.parent,
        tree.children,
        marks,
    )
    kept_offsets, kept = np.arange(size + 1), np.zeros(size, np.int32)
    request, item, score = [np.empty(0, np.int64)], [np.empty(0, np.int32)], [np.empty(0, np.float32)]
    scored = 0
    for level in range(1, tree.depth + 1):
        offsets, node = _children(kept_offsets, kept, tree.children, *barred, marks)
        logit = score_nodes(index.weights, readers, offsets, node)
        scored += len(node)
        reached = np.flatnonzero(tree.item[node] >= 0)
        request.append(np.searchsorted(offsets, reached, side="right") - 1)
        item.append(tree.item[node[reached]])
        score.append(logit[reached] - index.shift[level])
        kept_offsets, kept = _keep(offsets, node, logit, tree.item, beam)
    owner = np.concatenate(request)
    order = np.argsort(owner, kind="stable")
    offsets = np.append(0, np.cumsum(np.bincount(owner, minlength=size)))
    items, scores = np.concatenate(item)[order], np.concatenate(score)[order]
    rows, offsets = best_first(offsets, items, scores, k)
    return Found(offsets, items[rows], scores[rows], scored)
