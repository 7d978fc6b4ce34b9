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
from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numba import njit, types

from yoorec.artifacts.arrays import load_arrays, save_arrays
from yoorec.errors import ArtifactError
from yoorec.features.encoded import Encoded, Layout, Side
from yoorec.ragged.arrays import F32, I32, I64, kernel, readonly, table
from yoorec_tf.config import Shape

__all__ = ["SIDES", "Scorer", "Weights", "blend", "widths"]

SIDES = ("request", "item", "row")
"""The sides of a layout, in the order in which their features stand in x0."""

_FOLDED = 1024
"""Numbers that the products of cross layers may add to a part."""
_ITEM_BYTES = 1 << 28
"""Most that the table of items' parts may take; without it they are computed row by row."""
_ROW_BYTES = 1 << 25
"""The same of the tables of the row side's ids."""

_f32, _i32, _i64 = readonly(types.float32), readonly(types.int32), readonly(types.int64)
_matrix, _imatrix = table(types.float32), table(types.int32)
_cube = types.Array(types.float32, 3, "C", readonly=True)


def widths(layout: Layout, dim: int) -> tuple[int, int, int]:
    """How many numbers of x0 each side has, with vectors of `dim` numbers; none with 0, a network without vectors."""
    sides = (layout.request, layout.item, layout.row)
    request, item, row = ((side.embedded + len(side.many)) * dim + len(side.value) if dim else 0 for side in sides)
    return request, item, row


class Weights(NamedTuple):
    """What was learned, with D numbers in x0, O outputs, V values on all sides and L cross layers of rank r.

    vectors:    float32 [embedded, dim], by place, row 0 zero; [1, 0] without.
    linear:     float32 [size, O], by place, row 0 zero. slope: float32 [V, O], of the values; [0, O] without.
    bias:       float32 [O].
    first:      float32 [D, H], of the first deep layer; [0, 0] without. first_bias: float32 [H].
    hidden:     int32 [layers], H first.
    deep:       float32, per later layer its matrix row by row and its biases.
    down:       float32 [L, D, r]. up: float32 [L, r, D]; with full matrices r is D, and up is [0, 0, D].
    cross_bias: float32 [L, D].
    logit:      float32 [D + last of hidden, O], or [last of hidden, O] without cross layers; [0, O] without both.
    seen:       int32 [2, S + M], least and greatest place of each embedded id and each list of the row side in what was
                learned from; only a bound on what is worth tabling.
    """

    vectors: F32
    linear: F32
    slope: F32
    bias: F32
    first: F32
    first_bias: F32
    hidden: I32
    deep: F32
    down: F32
    up: F32
    cross_bias: F32
    logit: F32
    seen: I32

    @classmethod
    def none(cls, layout: Layout, shape: Shape) -> Weights:
        """Of a network that learned nothing: it scores every row 0."""

        def zeros(*sizes: int) -> F32:
            return np.zeros(sizes, np.float32)

        total, outputs, layers = sum(widths(layout, shape.dim)), shape.outputs, shape.cross_layers
        values = sum(len(side.value) for side in (layout.request, layout.item, layout.row))
        wide, rank = shape.wide, shape.rank or total
        later = sum(width * units + units for width, units in pairwise(shape.hidden))
        last = (total if layers else 0) + shape.hidden[-1] if shape.dim else 0
        return cls(
            zeros(layout.embedded, shape.dim) if shape.dim else zeros(1, 0),
            zeros(layout.size if wide else 0, outputs),
            zeros(values if wide else 0, outputs),
            zeros(outputs),
            zeros(total, shape.hidden[0] if shape.hidden else 0),
            zeros(shape.hidden[0] if shape.hidden else 0),
            np.array(shape.hidden, np.int32),
            zeros(later),
            zeros(layers, total, rank if layers else 0),
            zeros(layers, shape.rank, total) if layers and shape.rank else zeros(0, 0, total),
            zeros(layers, total),
            zeros(last, outputs),
            np.repeat(np.array([[1], [0]], np.int32), layout.row.embedded + len(layout.row.many), 1),
        )

    def later(self) -> Iterator[tuple[F32, F32]]:
        """Matrix [I, J] and biases [J] of each deep layer but the first."""
        at = 0
        for width, units in zip(self.hidden[:-1].tolist(), self.hidden[1:].tolist(), strict=True):
            bias = at + width * units
            yield self.deep[at:bias].reshape(width, units), self.deep[bias : bias + units]
            at = bias + units

    def save(self, folder: Path) -> None:
        """Write the arrays."""
        save_arrays(folder, **self._asdict())

    @classmethod
    def load(cls, folder: Path, layout: Layout, shape: Shape) -> Weights:
        """Read back what `save` wrote. Raises ArtifactError where an array does not fit the layout or the shape."""
        found = cls(*load_arrays(folder, *cls._fields))
        expected = cls.none(layout, shape)
        for name, array, other in zip(cls._fields, found, expected, strict=True):
            if array.shape != other.shape or array.dtype != other.dtype:
                raise ArtifactError(
                    f"{folder / name}.npy: {array.dtype} {array.shape}, expected {other.dtype} {other.shape}"
                )
        return found


@njit(nogil=True, cache=True)
def _add_product(out: F32, value: F32, matrix: F32) -> None:
    """out[h] += value . column h of matrix float32 [D, H], four rows a pass; the sum runs over the rows in order."""
    width, units = matrix.shape
    d = 0
    while d + 4 <= width:
        a, b, c, e = value[d], value[d + 1], value[d + 2], value[d + 3]
        one, two, three, four = matrix[d], matrix[d + 1], matrix[d + 2], matrix[d + 3]
        for h in range(units):
            out[h] = (((out[h] + a * one[h]) + b * two[h]) + c * three[h]) + e * four[h]
        d += 4
    while d < width:
        a, one = value[d], matrix[d]
        for h in range(units):
            out[h] += a * one[h]
        d += 1


@njit(nogil=True, cache=True)
def _add(out: F32, more: F32) -> None:
    for h in range(len(out)):
        out[h] += more[h]


@njit(nogil=True, cache=True)
def _add_rows(out: F32, matrix: F32, rows: I64) -> None:
    """Add the named rows of matrix float32 [R, P] in order, four a pass."""
    k = 0
    while k + 4 <= len(rows):
        one, two, three, four = matrix[rows[k]], matrix[rows[k + 1]], matrix[rows[k + 2]], matrix[rows[k + 3]]
        for h in range(len(out)):
            out[h] = (((out[h] + one[h]) + two[h]) + three[h]) + four[h]
        k += 4
    while k < len(rows):
        _add(out, matrix[rows[k]])
        k += 1


@njit(nogil=True, cache=True)
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


@njit(nogil=True, cache=True)
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
        _add_product(wide, value[r], slope)
    if len(x):
        _add_product(part, x, basis)


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


@njit(nogil=True, cache=True)
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
        z[: layers * rank] = part[units:at]
        for layer in range(1, layers):
            target = z[layer * rank : (layer + 1) * rank]
            for earlier in range(layer):
                square = part[at : at + rank * rank].reshape(rank, rank)
                _add_product(target, z[earlier * rank : (earlier + 1) * rank], square)
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
            later[:units] = deep[bias : bias + units]
            _add_product(later[:units], now[:width], deep[at:bias].reshape(width, units))
            for h in range(units):
                later[h] = max(later[h], np.float32(0.0))
            now, later = later, now
            at = bias + units
        first = len(logit) - units
        for h in range(units):
            for o in range(outputs):
                out[o] += now[h] * logit[first + h, o]


@njit(nogil=True, cache=True)
def _crossed(x0: F32, first: F32, down: F32, up: F32, bias: F32, logit: F32, x: F32, y: F32, z: F32, out: F32) -> None:
    """out[o] = x_L . logit, layer by layer; first: what x0 makes of the first layer's `down`."""
    x[:] = x0
    for layer in range(len(down)):
        z[:] = np.float32(0.0)
        if layer:
            _add_product(z, x, down[layer])
        else:
            z[:] = first
        y[:] = bias[layer]
        if len(up):
            _add_product(y, z, up[layer])
        else:
            _add(y, z)
        for d in range(len(x)):
            x[d] = x0[d] * y[d] + x[d]
    out[:] = np.float32(0.0)
    for d in range(len(x)):
        for o in range(len(out)):
            out[o] += x[d] * logit[d, o]


@kernel(
    types.void,
    *(_i64, _i32, _i64),
    *(_imatrix, _matrix, _i64, _i32) * 3,
    *(_matrix, _matrix, _matrix, _matrix),
    *(_f32, _matrix, _matrix, _i32, _i32, _i32, _matrix),
    *(_i32, _f32, _cube, _cube, _matrix, _matrix, types.int64, types.int64, types.int64),
    types.float32[:, ::1],
)
def _score(
    offsets: I64,
    index: I32,
    embedded: I64,
    request_id: I32,
    request_value: F32,
    request_offsets: I64,
    request_many: I32,
    item_id: I32,
    item_value: F32,
    item_offsets: I64,
    item_many: I32,
    row_id: I32,
    row_value: F32,
    row_offsets: I64,
    row_many: I32,
    vectors: F32,
    linear: F32,
    basis: F32,
    slope: F32,
    always: F32,
    item_x: F32,
    item_part: F32,
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
    item_lists: int,
    score: F32,
) -> None:
    dim, outputs, size = vectors.shape[1], score.shape[1], len(always)
    values_q, values_i, values_r = request_value.shape[1], item_value.shape[1], row_value.shape[1]
    # Slopes exist only beside linear weights; without, all three cuts are empty.
    cut_q = min(values_q, len(slope))
    cut_i = min(values_q + values_i, len(slope))
    width_q = width_i = width_r = 0
    lists_r = (len(row_offsets) - 1) // len(row_id) if len(row_id) else 0
    if dim and len(request_id):
        lists_q = (len(request_offsets) - 1) // len(request_id)
        width_q = (embedded[0] + lists_q) * dim + values_q
        width_i = (embedded[1] + item_lists) * dim + values_i
        width_r = len(basis) - width_q - width_i
    basis_q, basis_i = basis[:width_q], basis[width_q : width_q + width_i]
    basis_r = basis[width_q + width_i :]
    explicit = len(down) > 0 and layers == 0
    width = width_q + width_i + width_r
    x0 = np.empty(width, np.float32)
    lost = np.empty(max(width_i, 1), np.float32)
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
    found = np.empty(max(embedded[2], dim), np.int64)
    for b in range(len(offsets) - 1):
        if offsets[b] == offsets[b + 1]:
            continue
        _part(
            request_id,
            request_value,
            request_offsets,
            request_many,
            b,
            embedded[0],
            vectors,
            linear,
            basis_q,
            slope[:cut_q],
            x0[:width_q],
            asked,
        )
        _add(asked, always)
        for n in range(offsets[b], offsets[b + 1]):
            if len(item_part):
                other = item_part[index[n]]
                for h in range(size):
                    part[h] = asked[h] + other[h]
                if explicit:
                    x0[width_q : width_q + width_i] = item_x[index[n]]
            else:
                _part(
                    item_id,
                    item_value,
                    item_offsets,
                    item_many,
                    index[n],
                    embedded[1],
                    vectors,
                    linear,
                    basis_i,
                    slope[cut_q:cut_i],
                    lost[:width_i],
                    own,
                )
                for h in range(size):
                    part[h] = asked[h] + own[h]
                if explicit:
                    x0[width_q : width_q + width_i] = lost[:width_i]
            wide = part[size - outputs :]
            row = x0[width_q + width_i :]
            known = 0
            for s in range(row_id.shape[1]):
                place = row_id[n, s]
                if s < embedded[2] and dim:
                    if explicit:
                        row[s * dim : (s + 1) * dim] = vectors[place]
                    if low[s] <= place and place <= high[s]:
                        found[known] = start[s] + place - low[s]
                        known += 1
                        continue
                    _add_product(part, vectors[place], basis_r[s * dim : (s + 1) * dim])
                if len(linear):
                    for o in range(outputs):
                        wide[o] += linear[place, o]
            _add_rows(part, tabled, found[:known])
            for m in range(lists_r):
                at, stop = row_offsets[n * lists_r + m], row_offsets[n * lists_r + m + 1]
                slot = (embedded[2] + m) * dim
                if explicit:
                    row[slot : slot + dim] = np.float32(0.0)
                if stop == at:
                    continue
                share = np.float32(1.0) / np.float32(stop - at)
                if dim:
                    s = embedded[2] + m
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
                    _add_product(part, pooled, basis_r[slot : slot + dim])
                if len(linear):
                    lin[:] = np.float32(0.0)
                    for k in range(at, stop):
                        for o in range(outputs):
                            lin[o] += share * linear[row_many[k], o]
                    _add(wide, lin)
            if values_r:
                if len(slope):
                    _add_product(wide, row_value[n], slope[cut_i:])
                if dim:
                    _add_product(part, row_value[n], basis_r[width_r - values_r :])
                    if explicit:
                        row[width_r - values_r :] = row_value[n]
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
        request, width, _ = widths(self.layout, self.weights.vectors.shape[1])
        if len(item) * (self.basis.shape[1] + width) * 4 > _ITEM_BYTES:
            none = np.zeros((0, 1), np.float32)
            return replace(self, item_x=none, item_part=none)
        first = len(self.layout.request.value)
        slope = self.weights.slope[first : first + len(self.layout.item.value)]
        x, part = self._made(item, self.layout.item.embedded, self.basis[request : request + width], slope)
        return replace(self, item_x=x, item_part=part)

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
        score = np.empty((len(encoded.index), len(weights.bias)), np.float32)
        _score(
            np.ascontiguousarray(encoded.offsets),
            np.ascontiguousarray(encoded.index),
            np.array([layout.request.embedded, layout.item.embedded, layout.row.embedded]),
            *_columns(encoded.request),
            *_columns(encoded.item),
            *_columns(encoded.row),
            weights.vectors,
            weights.linear,
            self.basis,
            weights.slope,
            self.always,
            self.item_x,
            self.item_part,
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
            len(layout.item.many),
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
