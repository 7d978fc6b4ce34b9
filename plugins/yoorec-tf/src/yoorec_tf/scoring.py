"""The networks at serving, compiled.

Up to its bends a network is a sum over features: the first deep layer, the wide part, and, since every cross layer
multiplies by the same x0, all of the cross layers' inner products too. So each feature's share in them is one vector,
a *part*, and a row's part is the sum of its request's, computed once a request, its item's, looked up in a table, and
those of its own ids, looked up as well. What is left for a row is small: `_ended`.

Cross layers of a rank too high for that keep x0 and are computed one by one.

All sums run in one order, row by row, so no score depends on the rows or requests around it.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np
from numba import types

from yoorec.features.encoded import Encoded, Layout, Side
from yoorec.ragged import compiled
from yoorec.ragged.arrays import F32, I32, I64, kernel, readonly, table
from yoorec.ragged.dense import add_product, add_to, copy_to
from yoorec_tf.weights import Weights, widths

__all__ = ["Scorer", "blend"]

_FOLDED = 1024
"""Numbers that the products of cross layers may add to a part."""
_ITEM_BYTES = 1 << 28
"""Most that the table of items' parts may take; without it they are computed row by row."""
_ROW_BYTES = 1 << 25
"""The same of the tables of the row side's ids."""

_f32, _i32, _i64 = readonly(types.float32), readonly(types.int32), readonly(types.int64)
_matrix, _imatrix = table(types.float32), table(types.int32)
_cube = types.Array(types.float32, 3, "C", readonly=True)


@compiled
def _add_rows(out: F32, matrix: F32, rows: I64) -> None:
    """Add the named rows of matrix float32 [R, P] in order, four a pass."""
    k = 0
    while k + 4 <= len(rows):
        one, two, three, four = matrix[rows[k]], matrix[rows[k + 1]], matrix[rows[k + 2]], matrix[rows[k + 3]]
        for h in range(len(out)):
            out[h] = (((out[h] + one[h]) + two[h]) + three[h]) + four[h]
        k += 4
    while k < len(rows):
        add_to(out, matrix[rows[k]])
        k += 1


@compiled
def _look(
    id: I32, value: F32, offsets: I64, many: I32, r: int, embedded: int, vectors: F32, linear: F32, x: F32, lin: F32
) -> None:
    """x float32 [width] of row r of a side, as `Network.describe` has it, and lin float32 [O] of its ids and lists."""
    dim, outputs, values = vectors.shape[1], len(lin), value.shape[1]
    lists = (len(offsets) - 1) // len(id)
    lin[:] = np.float32(0.0)
    if len(linear):
        for s in range(id.shape[1]):
            for o in range(outputs):
                lin[o] += linear[id[r, s], o]
        for m in range(r * lists, (r + 1) * lists):
            if offsets[m + 1] > offsets[m]:
                share = np.float32(1.0) / np.float32(offsets[m + 1] - offsets[m])
                for k in range(offsets[m], offsets[m + 1]):
                    for o in range(outputs):
                        lin[o] += share * linear[many[k], o]
    if dim:
        at = 0
        for s in range(embedded):
            for d in range(dim):
                x[at + d] = vectors[id[r, s], d]
            at += dim
        for m in range(r * lists, (r + 1) * lists):
            pooled = x[at : at + dim]
            pooled[:] = np.float32(0.0)
            if offsets[m + 1] > offsets[m]:
                share = np.float32(1.0) / np.float32(offsets[m + 1] - offsets[m])
                for k in range(offsets[m], offsets[m + 1]):
                    for d in range(dim):
                        pooled[d] += share * vectors[many[k], d]
            at += dim
        for v in range(values):
            x[at + v] = value[r, v]


@compiled
def _part(
    id: I32,
    value: F32,
    offsets: I64,
    many: I32,
    r: int,
    embedded: int,
    vectors: F32,
    linear: F32,
    basis: F32,
    slope: F32,
    x: F32,
    part: F32,
) -> None:
    """x float32 [width] and part float32 [P] of row r of a side; basis and slope: the side's rows of them."""
    wide = part[len(part) - slope.shape[1] :]
    part[:] = np.float32(0.0)
    _look(id, value, offsets, many, r, embedded, vectors, linear, x, wide)
    if len(slope):
        add_product(wide, value[r], slope)
    if len(x):
        add_product(part, x, basis)


@kernel(
    types.void,
    *(_imatrix, _matrix, _i64, _i32, types.int64, _matrix, _matrix, _matrix, _matrix),
    *(types.float32[:, ::1], types.float32[:, ::1]),
)
def _parts(
    id: I32,
    value: F32,
    offsets: I64,
    many: I32,
    embedded: int,
    vectors: F32,
    linear: F32,
    basis: F32,
    slope: F32,
    x: F32,
    part: F32,
) -> None:
    for r in range(len(id)):
        _part(id, value, offsets, many, r, embedded, vectors, linear, basis, slope, x[r], part[r])


@compiled
def _ended(
    part: F32,
    hidden: I32,
    deep: F32,
    cross: F32,
    logit: F32,
    layers: int,
    rank: int,
    now: F32,
    later: F32,
    z: F32,
    out: F32,
) -> None:
    """Logits float32 [O] from a row's whole part: H units | z of L cross layers | their products | O sums.

    z_l = V_l . x_l is looked up but for what earlier layers add, z_m . M_lm; x_L . logit is linear in all z.
    cross: x_L . logit where it was computed apart (`_crossed`), else zeros.
    """
    outputs, units = len(out), (hidden[0] if len(hidden) else 0)
    for o in range(outputs):
        out[o] = part[len(part) - outputs + o] + cross[o]
    if layers:
        at = units + layers * rank
        copy_to(z[: layers * rank], part[units:at])
        for layer in range(1, layers):
            target = z[layer * rank : (layer + 1) * rank]
            for earlier in range(layer):
                square = part[at : at + rank * rank].reshape(rank, rank)
                add_product(target, z[earlier * rank : (earlier + 1) * rank], square)
                at += rank * rank
        for j in range(layers * rank):
            for o in range(outputs):
                out[o] += z[j] * part[at + o]
            at += outputs
    if units:
        for h in range(units):
            now[h] = max(part[h], np.float32(0.0))
        at = 0
        for layer in range(1, len(hidden)):
            width, units = units, hidden[layer]
            bias = at + width * units
            copy_to(later[:units], deep[bias : bias + units])
            add_product(later[:units], now[:width], deep[at:bias].reshape(width, units))
            for h in range(units):
                later[h] = max(later[h], np.float32(0.0))
            now, later = later, now
            at = bias + units
        first = len(logit) - units
        for h in range(units):
            for o in range(outputs):
                out[o] += now[h] * logit[first + h, o]


@compiled
def _crossed(x0: F32, first: F32, down: F32, up: F32, bias: F32, logit: F32, x: F32, y: F32, z: F32, out: F32) -> None:
    """out[o] = x_L . logit, layer by layer; first: what x0 makes of the first layer's `down`."""
    copy_to(x, x0)
    for layer in range(len(down)):
        z[:] = np.float32(0.0)
        if layer:
            add_product(z, x, down[layer])
        else:
            copy_to(z, first)
        copy_to(y, bias[layer])
        if len(up):
            add_product(y, z, up[layer])
        else:
            add_to(y, z)
        for d in range(len(x)):
            x[d] = x0[d] * y[d] + x[d]
    out[:] = np.float32(0.0)
    for d in range(len(x)):
        for o in range(len(out)):
            out[o] += x[d] * logit[d, o]


@kernel(
    types.void,
    *(_i64, _i32, _matrix, _matrix, _matrix, _matrix),
    *(_imatrix, _matrix, _i64, _i32, types.int64),
    *(_matrix, _matrix, _matrix, _matrix),
    *(_f32, _i32, _i32, _i32, _matrix),
    *(_i32, _f32, _cube, _cube, _matrix, _matrix, types.int64, types.int64),
    types.float32[:, ::1],
)
def _score(
    offsets: I64,
    index: I32,
    request_x: F32,
    request_part: F32,
    item_x: F32,
    item_part: F32,
    row_id: I32,
    row_value: F32,
    row_offsets: I64,
    row_many: I32,
    embedded: int,
    vectors: F32,
    linear: F32,
    basis: F32,
    slope: F32,
    always: F32,
    low: I32,
    high: I32,
    start: I32,
    tabled: F32,
    hidden: I32,
    deep: F32,
    down: F32,
    up: F32,
    cross_bias: F32,
    logit: F32,
    layers: int,
    rank: int,
    score: F32,
) -> None:
    """Logits of rows; basis and slope are the row side's rows of them, and so is what stands by row."""
    dim, outputs, size, values = vectors.shape[1], score.shape[1], len(always), row_value.shape[1]
    width_q, width_i, width_r = request_x.shape[1], item_x.shape[1], len(basis)
    lists = (len(row_offsets) - 1) // len(row_id) if len(row_id) else 0
    explicit = len(down) > 0 and layers == 0
    width = width_q + width_i + width_r
    x0 = np.empty(width, np.float32)
    asked, part, own = np.empty(size, np.float32), np.empty(size, np.float32), np.empty(size, np.float32)
    cross, lin = np.zeros(outputs, np.float32), np.zeros(outputs, np.float32)
    widest = 1
    for units in hidden:
        widest = max(widest, units)
    now, later = np.empty(widest, np.float32), np.empty(widest, np.float32)
    z = np.empty(max(layers * rank, 1), np.float32)
    crossed, factor = np.empty(width, np.float32), np.empty(width, np.float32)
    inner = np.empty(down.shape[2], np.float32)
    first = hidden[0] if len(hidden) else 0
    found = np.empty(max(embedded, dim), np.int64)
    for b in range(len(offsets) - 1):
        copy_to(asked, request_part[b])
        add_to(asked, always)
        if explicit:
            copy_to(x0[:width_q], request_x[b])
        for n in range(offsets[b], offsets[b + 1]):
            other = item_part[index[n]]
            for h in range(size):
                part[h] = asked[h] + other[h]
            if explicit:
                copy_to(x0[width_q : width_q + width_i], item_x[index[n]])
            wide = part[size - outputs :]
            row = x0[width_q + width_i :]
            known = 0
            for s in range(row_id.shape[1]):
                place = row_id[n, s]
                if s < embedded and dim:
                    if explicit:
                        copy_to(row[s * dim : (s + 1) * dim], vectors[place])
                    if low[s] <= place and place <= high[s]:
                        found[known] = start[s] + place - low[s]
                        known += 1
                        continue
                    add_product(part, vectors[place], basis[s * dim : (s + 1) * dim])
                if len(linear):
                    for o in range(outputs):
                        wide[o] += linear[place, o]
            _add_rows(part, tabled, found[:known])
            for m in range(lists):
                at, stop = row_offsets[n * lists + m], row_offsets[n * lists + m + 1]
                slot = (embedded + m) * dim
                if explicit:
                    row[slot : slot + dim] = np.float32(0.0)
                if stop == at:
                    continue
                share = np.float32(1.0) / np.float32(stop - at)
                if dim:
                    s = embedded + m
                    known = 0
                    while not explicit and at + known < stop and known < dim:
                        place = row_many[at + known]
                        if place < low[s] or place > high[s]:
                            break
                        found[known] = start[s] + place - low[s]
                        known += 1
                    # Of a short list, the mean of the parts; of a longer one, the part of the mean.
                    if at + known == stop:
                        own[:] = np.float32(0.0)
                        _add_rows(own, tabled, found[:known])
                        for h in range(size):
                            part[h] += share * own[h]
                        continue
                    pooled = row[slot : slot + dim]
                    pooled[:] = np.float32(0.0)
                    for k in range(at, stop):
                        for d in range(dim):
                            pooled[d] += share * vectors[row_many[k], d]
                    add_product(part, pooled, basis[slot : slot + dim])
                if len(linear):
                    lin[:] = np.float32(0.0)
                    for k in range(at, stop):
                        for o in range(outputs):
                            lin[o] += share * linear[row_many[k], o]
                    add_to(wide, lin)
            if values:
                if len(slope):
                    add_product(wide, row_value[n], slope)
                if dim:
                    add_product(part, row_value[n], basis[width_r - values :])
                    if explicit:
                        copy_to(row[width_r - values :], row_value[n])
            if explicit:
                seen = part[first : first + len(inner)]
                _crossed(x0, seen, down, up, cross_bias, logit[:width], crossed, factor, inner, cross)
            _ended(part, hidden, deep, cross, logit, layers, rank, now, later, z, score[n])


def _columns(side: Side) -> tuple[I32, F32, I64, I32]:
    id, value, offsets, many = map(np.ascontiguousarray, (side.id, side.value, side.offsets, side.many))
    return id, value, offsets, many


@dataclass(frozen=True, slots=True)
class Scorer:
    """The network as the kernel reads it; see `_score`.

    basis: float32 [D, P], the part of each number of x0. always: float32 [P], what every part begins with.
    item_x: float32 [I, width], item_part: float32 [I, P], by item; no rows where they would take too much.
    low, high, start: int32 [S + M]; the part of place p of the row's id or list s is ``tabled[start[s] + p - low[s]]``.
    layers, rank: of cross layers that are folded into parts; 0 where there are none, or too large ones.
    """

    weights: Weights
    layout: Layout
    basis: F32
    always: F32
    item_x: F32
    item_part: F32
    low: I32
    high: I32
    start: I32
    tabled: F32
    layers: int
    rank: int

    @classmethod
    def of(cls, weights: Weights, layout: Layout, item: Side) -> Scorer:
        """Make the tables; item: the side of all items, the same in every batch scored."""
        outputs, units = len(weights.bias), len(weights.first_bias)
        layers, total, rank = weights.down.shape
        folded = len(weights.up) > 0 and layers * (layers - 1) // 2 * rank * rank <= _FOLDED
        # In float64, rounded once: the folded products stand for several roundings of the plain network.
        columns = [weights.first.astype(np.float64)]
        wide = np.zeros((total, outputs))
        if folded:
            down, up, logit = (each.astype(np.float64) for each in (weights.down, weights.up, weights.logit[:total]))
            kept = 1 + np.cumsum(np.vstack([np.zeros(total), weights.cross_bias]), 0, dtype=np.float64)
            columns += [down[layer] * kept[layer][:, None] for layer in range(layers)]
            for layer in range(1, layers):
                for earlier in range(layer):
                    columns.append((up[earlier].T[:, :, None] * down[layer][:, None]).reshape(total, -1))
            columns += [(up[layer].T[:, :, None] * logit[:, None]).reshape(total, -1) for layer in range(layers)]
            wide = kept[layers][:, None] * logit
        elif layers:
            columns.append(weights.down[0].astype(np.float64))
        basis = np.ascontiguousarray(np.hstack([*columns, wide]), np.float32)
        always = np.zeros(basis.shape[1], np.float32)
        always[:units], always[len(always) - outputs :] = weights.first_bias, weights.bias
        nothing, none = np.zeros((0, basis.shape[1]), np.float32), np.zeros(weights.seen.shape[1], np.int32)
        plain = cls(
            *(weights, layout, basis, always, nothing, nothing, none + 1, none, none, nothing),
            *((layers, rank) if folded else (0, 0)),
        )
        return plain._with_rows().with_items(item)

    def with_items(self, item: Side) -> Scorer:
        """The same for other items."""
        width = widths(self.layout, self.weights.vectors.shape[1])[1]
        if len(item) * (self.basis.shape[1] + width) * 4 > _ITEM_BYTES:
            item = item.take(np.empty(0, np.int64))
        x, part = self._of_items(item)
        return replace(self, item_x=x, item_part=part)

    def _of_items(self, item: Side) -> tuple[F32, F32]:
        request, width, _ = widths(self.layout, self.weights.vectors.shape[1])
        first = len(self.layout.request.value)
        slope = self.weights.slope[first : first + len(self.layout.item.value)]
        return self._made(item, self.layout.item.embedded, self.basis[request : request + width], slope)

    def _with_rows(self) -> Scorer:
        """With tables for the row side's ids, those of fewest places first, as many as there is room for."""
        dim, (low, high) = self.weights.vectors.shape[1], self.weights.seen
        first = sum(widths(self.layout, dim)[:2])
        low, high, start = low.copy(), high.copy(), np.zeros(len(low), np.int32)
        found, room = [self.tabled], _ROW_BYTES // (4 * self.basis.shape[1])
        for slot in np.argsort(high - low, kind="stable").tolist() if dim else []:
            places = np.arange(low[slot], high[slot] + 1, dtype=np.int32)
            start[slot] = sum(map(len, found))
            if start[slot] + len(places) > room:
                low[slot], high[slot] = 1, 0
                continue
            at, empty = first + slot * dim, np.zeros((len(places), 0), np.float32)
            side = Side(places[:, None], empty, np.zeros(1, np.int64), places[:0])
            found.append(self._made(side, 1, self.basis[at : at + dim], self.weights.slope[:0])[1])
        return replace(self, low=low, high=high, start=start, tabled=np.vstack(found))

    def _made(self, side: Side, embedded: int, basis: F32, slope: F32) -> tuple[F32, F32]:
        """x float32 [R, width] and part float32 [R, P] of a side's rows."""
        x = np.zeros((len(side), len(basis)), np.float32)
        part = np.empty((len(side), basis.shape[1]), np.float32)
        if len(side):
            _parts(*_columns(side), embedded, self.weights.vectors, self.weights.linear, basis, slope, x, part)
        return x, part

    def score(self, encoded: Encoded) -> F32:
        """Logits float32 [N, O] of the rows of requests. Raises ValueError where `item` is of another number of rows
        than the items given before.
        """
        if len(self.item_part) not in (0, len(encoded.item)):
            raise ValueError(f"item: {len(encoded.item)} rows, expected {len(self.item_part)}")
        weights, layout = self.weights, self.layout
        request, item, _ = widths(layout, weights.vectors.shape[1])
        values = len(layout.request.value)
        request_x, request_part = self._made(
            encoded.request, layout.request.embedded, self.basis[:request], weights.slope[:values]
        )
        index, item_x, item_part = np.ascontiguousarray(encoded.index), self.item_x, self.item_part
        if not len(self.item_part):
            some, places = np.unique(index, return_inverse=True)
            index, (item_x, item_part) = places.astype(np.int32), self._of_items(encoded.item.take(some))
        score = np.empty((len(encoded.index), len(weights.bias)), np.float32)
        _score(
            np.ascontiguousarray(encoded.offsets),
            index,
            request_x,
            request_part,
            item_x,
            item_part,
            *_columns(encoded.row),
            layout.row.embedded,
            weights.vectors,
            weights.linear,
            self.basis[request + item :],
            weights.slope[values + len(layout.item.value) :],
            self.always,
            self.low,
            self.high,
            self.start,
            self.tabled,
            weights.hidden,
            weights.deep,
            weights.down,
            weights.up,
            weights.cross_bias,
            weights.logit,
            self.layers,
            self.rank,
            score,
        )
        return score


@kernel(types.void, _matrix, types.Array(types.float64, 1, "C", readonly=True), types.float32[::1])
def _blend(logit: F32, weight: I64, score: F32) -> None:
    for n in range(len(logit)):
        total = 0.0
        for o in range(len(weight)):
            total += weight[o] / (1.0 + math.exp(-np.float64(logit[n, o])))
        score[n] = total


def blend(logit: F32, weight: tuple[float, ...]) -> F32:
    """Scores float32 [N] of logits float32 [N, O]: the weighted sum of their probabilities; a single logit as it is."""
    if len(weight) == 1:
        return np.ascontiguousarray(logit[:, 0])
    score = np.empty(len(logit), np.float32)
    _blend(np.ascontiguousarray(logit), np.array(weight, np.float64), score)
    return score
