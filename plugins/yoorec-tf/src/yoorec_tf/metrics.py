"""How well rows were scored: order over all and within requests, log-loss, and how honest the probabilities are."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

__all__ = ["Reliability", "auc", "gauc", "log_loss", "ndcg", "reliability"]

F32 = npt.NDArray[np.float32]
F64 = npt.NDArray[np.float64]
I64 = npt.NDArray[np.int64]

NAN = float("nan")


class Reliability(NamedTuple):
    """Rows sorted by foretold probability and dealt to bins of equal size (one row more in the first ones).

    ece:      mean distance of what was foretold and what came true, bins weighed by their rows; NaN without rows.
    rows:     int64 [bins], foretold, observed: float64 [bins], mean probability and share of positives.
    """

    ece: float
    rows: I64
    foretold: F64
    observed: F64


def auc(label: F32, score: F32) -> float:
    """Chance that a positive row (label above 0) is scored above a negative one, a tie counting half; NaN where either
    is missing.
    """
    return float(_aucs(np.array([0, len(label)]), label, score)[0])


def gauc(offsets: I64, label: F32, score: F32) -> float:
    """Mean of the AUCs within requests ``offsets[b]:offsets[b + 1]``, each weighed by its rows; requests without a
    positive or without a negative are left out. NaN where all are.
    """
    found = _aucs(offsets, label, score)
    there = ~np.isnan(found)
    return float(np.average(found[there], weights=np.diff(offsets)[there])) if there.any() else NAN


def _aucs(offsets: I64, label: F32, score: F32) -> F64:
    """float64 [B]: the AUC within each request, from the ranks of its positives; ties share their mean rank."""
    size, owner = len(offsets) - 1, np.repeat(np.arange(len(offsets) - 1), np.diff(offsets))
    order = np.lexsort((score, owner))
    sorted_owner, sorted_score = owner[order], score[order]
    starts = np.ones(len(order), bool)
    starts[1:] = (sorted_owner[1:] != sorted_owner[:-1]) | (sorted_score[1:] != sorted_score[:-1])
    first = np.flatnonzero(starts)
    last = np.append(first[1:], len(order)) - 1
    rank = np.empty(len(order))
    rank[order] = np.repeat((first + last) / 2, last - first + 1) - offsets[sorted_owner]
    positive = label > 0
    hits = np.bincount(owner, positive, size)
    misses = np.diff(offsets) - hits
    above = np.bincount(owner, rank * positive, size) - hits * (hits - 1) / 2
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where((hits > 0) & (misses > 0), above / (hits * misses), NAN)


def log_loss(label: F32, logit: F32, weight: F32 | None = None) -> float:
    """Weighted mean of the cross entropy of labels 0 to 1 and the logits' probabilities; NaN without rows."""
    if not len(label):
        return NAN
    wide = logit.astype(np.float64)
    loss = np.logaddexp(0, wide) - label * wide
    return float(np.average(loss, weights=weight))


def ndcg(offsets: I64, label: F32, score: F32, k: int) -> F64:
    """float64 [B]: each request's discounted gain of the k best rows over that of the best order, gains being labels.

    Ties stay in the order of the rows. NaN for requests without a positive or without a negative: no order of theirs
    is wrong.
    """
    size, owner = len(offsets) - 1, np.repeat(np.arange(len(offsets) - 1), np.diff(offsets))

    def gain(by: F32) -> F64:
        order = np.lexsort((-by, owner))
        place = np.arange(len(order)) - offsets[owner[order]]
        worth = np.where(place < k, label[order] / np.log2(place + 2), 0.0)
        return np.asarray(np.bincount(owner[order], worth, size), np.float64)

    hits = np.bincount(owner, label > 0, size)
    there = (hits > 0) & (hits < np.diff(offsets))
    best = gain(label)
    return np.where(there, gain(score) / np.where(best > 0, best, 1.0), NAN)


def reliability(label: F32, probability: F32, bins: int = 10) -> Reliability:
    """What was foretold beside what came true, in at most `bins` bins of equal size."""
    order = np.argsort(probability, kind="stable")
    parts = [part for part in np.array_split(order, bins) if len(part)]
    rows = np.array([len(part) for part in parts], np.int64)
    foretold = np.array([probability[part].mean(dtype=np.float64) for part in parts])
    observed = np.array([label[part].mean(dtype=np.float64) for part in parts])
    ece = float(np.average(np.abs(foretold - observed), weights=rows)) if len(rows) else NAN
    return Reliability(ece, rows, foretold, observed)
