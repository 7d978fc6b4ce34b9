"""Ranker `blend`: a weighted sum of what the triggers say of a candidate."""

from __future__ import annotations

import json
import logging
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from yoorec.batch import CandidateBatch, RequestBatch
from yoorec.components import FitContext, RankSamples
from yoorec.errors import ArtifactError
from yoorec.ragged import are_members
from yoorec.stages.ascent import Climb, climb_ndcg
from yoorec.stages.configs import BlendConfig
from yoorec.stages.drift import Histogram, score_drift, score_histograms
from yoorec.stages.listwise import fit_listwise
from yoorec.stages.normalise import normalised_rows, score_rows

if TYPE_CHECKING:
    from yoorec.data.catalogue import Catalogue

__all__ = ["Blend"]

_log = logging.getLogger("yoorec.stages.blend")
_FILE = "blend.json"
_VERSION = 1
_NOTHING_SEEN = np.empty(0, np.bool_)


class Blend:
    """Score of a row: the sum over the triggers that recalled it of weight x normalised score.

    The normalisation is `yoorec.stages.configs.Normalize`, over the request's merged rows. Weights belong to triggers
    by name: one that a request's chain left out takes nothing from the others, one that the model never met counts
    nothing.

    Learned weights (`yoorec.stages.listwise`) come with one more, for rows whose item the user has played: without it
    the triggers would be blamed for items that nobody plays twice and that a rule may drop anyway (on MovieLens 1M it
    raised ndcg@10 from 0.101 to 0.103 with two triggers, from 0.099 to 0.103 with three); where items are played again,
    it is learned what that is worth. A trigger's rank and its mere recall were tried as further features and lost.
    The likelihood looks at all candidates and a slate at the first few, so by default the weights are then climbed to
    the best ndcg (`yoorec.stages.ascent`); each trigger alone is among the starts, so on the window the blend is never
    worse than its best trigger.
    """

    def __init__(self, config: BlendConfig, catalogue: Catalogue) -> None:
        self._config = config
        self._by_rank = config.normalize == "rank"
        self._weights: dict[str, float] = {}
        self._seen = 0.0
        self._histograms: dict[str, Histogram] = {}
        self._learned: dict[str, Any] = {}

    def needs_fit(self) -> bool:
        """Whether the weights are learned rather than given."""
        return self._config.weights is None

    def fit(self, samples: RankSamples, context: FitContext) -> None:
        """Learn weights from the rank window.

        Without a single positive all triggers weigh the same; the log and the model's note say so.
        """
        candidates, requests = samples.candidates, samples.requests
        score, rank = _sources(candidates)
        found = fit_listwise(
            candidates.offsets,
            score,
            rank,
            are_members(candidates, requests.seen, requests.item),
            np.ascontiguousarray(samples.label, np.float32),
            self._by_rank,
            self._config.ridge,
            lambda done, note: context.progress(done / 2, note),
        )
        normalised = self._normalised(candidates)
        self._histograms = score_histograms(normalised)
        if found is None:
            note = f"none of {len(candidates)} rank-window requests was answered by a candidate: equal weights"
            _log.warning("blend: %s", note)
            self._weights, self._seen = dict.fromkeys(candidates.sources, 1.0), 0.0
            self._learned = {"requests": 0, "loss_before": None, "loss": None, "note": note}
        else:
            self._learned = {
                "requests": found.requests,
                "loss_before": found.loss_before,
                "loss": found.loss,
                "note": "",
            }
            learned = found.weights
            if self._config.learn == "ndcg":
                climb = _climb(normalised, requests, samples.label, learned, context)
                learned = climb.weights
                alone = dict(zip(candidates.sources, climb.starts[1:], strict=True))
                self._learned["ndcg"] = {"likelihood": climb.starts[0], "alone": alone, "learned": climb.ndcg}
            *weights, self._seen = learned.tolist()
            self._weights = dict(zip(candidates.sources, weights, strict=True))
        context.progress(1.0, "")

    def save(self, folder: Path) -> None:
        """Write weights and histograms of normalised scores as JSON; its numbers read back bit for bit."""
        model = {
            "version": _VERSION,
            "normalize": self._config.normalize,
            "weights": self._weights,
            "seen": self._seen,
            "learned": self._learned,
            "histograms": {name: found.plain() for name, found in self._histograms.items()},
        }
        (folder / _FILE).write_text(json.dumps(model, indent=2, allow_nan=False) + "\n", encoding="utf-8")

    def load(self, folder: Path) -> None:
        """Read back what `save` wrote. Raises ArtifactError naming the file where it is something else."""
        path = folder / _FILE
        try:
            model = json.loads(path.read_text(encoding="utf-8"))
            if model["version"] != _VERSION:
                raise ValueError(f"version {model['version']}, expected {_VERSION}")
            if model["normalize"] != self._config.normalize:
                raise ValueError(f"learned with normalize {model['normalize']!r}")
            self._weights = {name: float(weight) for name, weight in model["weights"].items()}
            self._seen = float(model["seen"])
            self._histograms = {name: Histogram.of_plain(found) for name, found in model["histograms"].items()}
            self._learned = dict(model["learned"])
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            raise ArtifactError(f"{path}: is no blend model: {type(error).__name__}: {error}") from error

    def score(self, requests: RequestBatch, merged: CandidateBatch) -> npt.NDArray[np.float32]:
        """float32 [N]: the blended score of every row."""
        given = self._config.weights
        if given is None:
            weights = [*(self._weights.get(name, 0.0) for name in merged.sources), self._seen]
        else:
            weights = [*(given.get(name, 1.0) for name in merged.sources), 0.0]
        seen = are_members(merged, requests.seen, requests.item) if weights[-1] else _NOTHING_SEEN
        score, rank = _sources(merged)
        return score_rows(merged.offsets, score, rank, seen, np.array(weights, np.float64), self._by_rank)

    def describe(self) -> dict[str, Any]:
        """The model in plain values: weights by trigger, and where they were learned, from what and that of `seen`."""
        if self._config.weights is not None:
            return {"normalize": self._config.normalize, "weights": dict(self._config.weights)}
        return {
            "normalize": self._config.normalize,
            "weights": dict(self._weights),
            "seen": self._seen,
            **self._learned,
        }

    def drift(self, merged: CandidateBatch) -> dict[str, float]:
        """Stability index (`psi`) of each trigger's normalised scores in `merged` against the rank window's."""
        return score_drift(self._histograms, self._normalised(merged))

    def _normalised(self, merged: CandidateBatch) -> CandidateBatch:
        score, rank = _sources(merged)
        return replace(merged, source_score=normalised_rows(merged.offsets, score, rank, self._by_rank))


def _climb(
    normalised: CandidateBatch,
    requests: RequestBatch,
    label: npt.NDArray[np.float32],
    learned: npt.NDArray[np.float64],
    context: FitContext,
) -> Climb:
    """From the likelihood's weights float64 [T + 1], and from each trigger alone, to the best ndcg."""
    owner = np.repeat(np.arange(len(normalised)), normalised.lengths)
    answered = np.flatnonzero(np.bincount(owner, label, len(normalised)) > 0)
    some = normalised.with_score(np.ascontiguousarray(label, np.float32)).take(answered)
    score, _ = _sources(some)
    seen = are_members(some, requests.seen.take(answered), requests.item[answered])
    triggers = len(learned) - 1
    # A trigger alone keeps what was learned of seen items, in proportion to its own weight of 1.
    share = learned[-1] / max(float(np.abs(learned[:-1]).max()), 1e-12)
    alone = [np.append(np.eye(triggers)[t], share) for t in range(triggers)]
    return climb_ndcg(
        some.offsets,
        some.item,
        np.vstack((np.nan_to_num(score.T), seen)).astype(np.float32),
        some.score,
        requests.k[answered],
        [learned, *alone],
        lambda done, note: context.progress(0.5 + done / 2, note),
    )


def _sources(candidates: CandidateBatch) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.int32]]:
    if candidates.source_score is None or candidates.source_rank is None:
        raise ValueError("blend scores merged candidates; these hold no sources")
    return candidates.source_score, candidates.source_rank
