"""Samples: a ranker's candidates encoded, and of those that nothing came of, some."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
import numpy.typing as npt

from yoorec.batch import CandidateBatch, RequestBatch
from yoorec.components import RankSamples
from yoorec.errors import DataError, nearest
from yoorec.features.encoded import Encoded, Side
from yoorec.features.encoder import Encoder
from yoorec_tf.storage import TrainingSet, join

__all__ = ["drawn", "labels_of", "training_set"]

F32 = npt.NDArray[np.float32]

_TOGETHER = 64
"""Requests encoded at once, which bounds the memory."""


def labels_of(samples: RankSamples, objectives: Mapping[str, float], watched: bool) -> tuple[F32, F32]:
    """Labels and weights float32 [N, O] of candidates, by objective; an outcome that is unknown weighs 0.

    watched: weigh what was played by the logarithm of the seconds watched, over its mean. Raises DataError for an
    objective the log tells nothing of.
    """
    there = {"play": samples.label, **samples.outcome}
    label = np.empty((len(samples.label), len(objectives)), np.float32)
    for place, name in enumerate(objectives):
        if name not in there:
            close = nearest(name, there)
            hint = f"; nearest: {close}" if close else ""
            raise DataError(f"ranker: objectives: nothing tells of '{name}'{hint}; there are: {', '.join(there)}")
        label[:, place] = there[name]
    weight = np.isfinite(label).astype(np.float32)
    if watched and samples.watch_s is not None:
        logarithm = np.log1p(samples.watch_s.astype(np.float64))
        known = np.isfinite(logarithm)
        if known.any() and (mean := float(logarithm[known].mean())) > 0:
            weight *= np.where(known, logarithm / mean, 1.0).astype(np.float32)[:, None]
    return np.nan_to_num(label, nan=0.0), weight


def drawn(samples: RankSamples, label: F32, negatives: int, seed: int) -> npt.NDArray[np.bool_]:
    """bool [N]: the rows to learn from: those that something came of, those that were shown, and some of the others.

    label:     float32 [N, O], as `labels_of` has it.
    negatives: others of a request, at most; drawn, all alike, before it is known what the network thinks of them.
    """
    offsets, wanted = samples.candidates.offsets, label.max(axis=1, initial=0) > 0
    kept = wanted if samples.shown is None else wanted | samples.shown
    others = np.flatnonzero(~kept)
    owner = np.repeat(np.arange(len(offsets) - 1), np.diff(offsets))[others]
    chance = np.random.default_rng(seed).permutation(len(others))
    order = np.lexsort((chance, owner))
    place = np.arange(len(order)) - np.searchsorted(owner, owner[order])
    found = kept.copy()
    found[others[order[place < negatives]]] = True
    return found


def training_set(
    samples: RankSamples,
    encoder: Encoder,
    rows: npt.NDArray[np.bool_],
    label: F32,
    weight: F32,
    beside: tuple[F32, F32] | None,
    progress: Callable[[float], None],
) -> TrainingSet:
    """Encoded requests with the rows to learn from.

    rows:          bool [N], as `drawn` has them.
    label, weight: of `samples`, as `labels_of` has them; beside: those of the impressions that no trigger recalled.
    """
    candidates = samples.candidates
    parts = []
    for start in range(0, max(len(candidates), 1), _TOGETHER):
        some = np.arange(start, min(start + _TOGETHER, len(candidates)))
        requests = samples.requests.take(some)
        part = _rows(encoder, requests, candidates, some, samples.position, rows, label, weight)
        apart = samples.unrecalled
        if apart is not None and beside is not None:
            every = np.ones(len(apart.label), np.bool_)
            other = _rows(encoder, requests, apart.candidates, some, apart.position, every, *beside)
            part = _interleaved(part, other)
        parts.append(part)
        progress(min(start + _TOGETHER, len(candidates)) / max(len(candidates), 1))
    return join(parts)


def _rows(
    encoder: Encoder,
    requests: RequestBatch,
    candidates: CandidateBatch,
    some: npt.NDArray[np.int64],
    position: npt.NDArray[np.int32] | None,
    chosen: npt.NDArray[np.bool_],
    label: F32,
    weight: F32,
) -> TrainingSet:
    """The chosen rows of some requests, encoded as they are among all of their candidates, as at serving."""
    first, last = (
        int(candidates.offsets[each]) for each in (some[0] if len(some) else 0, some[-1] + 1 if len(some) else 0)
    )
    few = candidates.take(some)
    rows = np.flatnonzero(chosen[first:last])
    encoded = encoder.encode(requests, few, None if position is None else position[first:last], rows)
    return TrainingSet(encoded, label[first:last][rows], weight[first:last][rows])


def _interleaved(left: TrainingSet, right: TrainingSet) -> TrainingSet:
    """Rows of the same requests, those of `right` behind those of `left`; rows have no lists."""
    one, other = left.encoded, right.encoded
    owner = np.concatenate((one.owner, other.owner))
    order = np.argsort(owner, kind="stable")
    row = Side(
        np.concatenate((one.row.id, other.row.id))[order],
        np.concatenate((one.row.value, other.row.value))[order],
        np.zeros(1, np.int64),
        np.empty(0, np.int32),
    )
    index = np.concatenate((one.index, other.index))[order]
    encoded = Encoded(one.offsets + other.offsets, index, one.request, one.item, row)
    label, weight = (np.concatenate(pair)[order] for pair in ((left.label, right.label), (left.weight, right.weight)))
    return TrainingSet(encoded, label, weight)
