"""Ranker `blend`: a weighted sum of what the triggers say of a candidate."""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from yoorec.batch import CandidateBatch, RequestBatch
from yoorec.components import FitContext, RankSamples
from yoorec.errors import ArtifactError
from yoorec.stages.configs import BlendConfig
from yoorec.stages.drift import Histogram, score_drift, score_histograms
from yoorec.stages.listwise import FEATURES, fit_listwise, score_rows

if TYPE_CHECKING:
    from yoorec.data.catalogue import Catalogue

__all__ = ["Blend"]

_log = logging.getLogger("yoorec.stages.blend")
_FILE = "blend.json"
_VERSION = 1


class Blend:
    """Score of a row: the sum over the triggers that recalled it of the trigger's weights times `FEATURES`.

    Given weights apply to the normalised score (`yoorec.stages.configs.Normalize`, over the request's merged
    rows) alone. Learned ones (`yoorec.stages.listwise`) weigh three features a trigger: normalised score, 1 /
    (1 + rank), and a constant for having recalled the row at all. Weights belong to triggers by name: one
    that a request's chain left out takes nothing from the others, one that the model never met counts
    nothing.
    """

    def __init__(self, config: BlendConfig, catalogue: Catalogue) -> None:
        self._config = config
        self._by_rank = config.normalize == "rank"
        self._weights: dict[str, tuple[float, float, float]] = {}
        self._histograms: dict[str, Histogram] = {}
        self._learned: dict[str, Any] = {}

    def needs_fit(self) -> bool:
        """Whether the weights are learned rather than given."""
        return self._config.weights is None

    def fit(self, samples: RankSamples, context: FitContext) -> None:
        """Learn weights from the rank window.

        Without a single positive all triggers weigh the same; the log and the model's note say so.
        """
        candidates = samples.candidates
        names = candidates.sources
        score, rank = _sources(candidates)
        found = fit_listwise(
            candidates.offsets,
            score,
            rank,
            np.ascontiguousarray(samples.label, np.float32),
            self._by_rank,
            self._config.ridge,
            context.progress,
        )
        self._histograms = score_histograms(candidates)
        if found is None:
            note = f"none of {len(candidates)} rank-window requests was answered by a candidate: equal weights"
            _log.warning("blend: %s", note)
            self._weights = dict.fromkeys(names, (1.0, 0.0, 0.0))
            self._learned = {"requests": 0, "loss_before": None, "loss": None, "note": note}
        else:
            self._weights = {name: _three(row) for name, row in zip(names, found.weights.tolist(), strict=True)}
            self._learned = {
                "requests": found.requests,
                "loss_before": found.loss_before,
                "loss": found.loss,
                "note": "",
            }
        context.progress(1.0, "")

    def save(self, folder: Path) -> None:
        """Write weights and score histograms as JSON; its numbers read back bit for bit."""
        model = {
            "version": _VERSION,
            "features": list(FEATURES),
            "normalize": self._config.normalize,
            "weights": self._weights,
            "learned": self._learned,
            "histograms": {name: found.plain() for name, found in self._histograms.items()},
        }
        (folder / _FILE).write_text(json.dumps(model, indent=2, allow_nan=False) + "\n", encoding="utf-8")

    def load(self, folder: Path) -> None:
        """Read back what `save` wrote. Raises ArtifactError naming the file where it is something else."""
        path = folder / _FILE
        try:
            model = json.loads(path.read_text(encoding="utf-8"))
            if model["version"] != _VERSION or model["features"] != list(FEATURES):
                raise ValueError(f"version {model['version']} with features {model['features']}")
            if model["normalize"] != self._config.normalize:
                raise ValueError(f"learned with normalize {model['normalize']!r}")
            self._weights = {name: _three(row) for name, row in model["weights"].items()}
            self._histograms = {name: Histogram.of_plain(found) for name, found in model["histograms"].items()}
            self._learned = dict(model["learned"])
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            raise ArtifactError(f"{path}: is no blend model: {type(error).__name__}: {error}") from error

    def score(self, requests: RequestBatch, merged: CandidateBatch) -> npt.NDArray[np.float32]:
        """float32 [N]: the blended score of every row."""
        given = self._config.weights
        if given is None:
            weights = [self._weights.get(name, (0.0, 0.0, 0.0)) for name in merged.sources]
        else:
            weights = [(float(given.get(name, 1.0)), 0.0, 0.0) for name in merged.sources]
        score, rank = _sources(merged)
        return score_rows(
            merged.offsets,
            score,
            rank,
            np.array(weights, np.float64).reshape(-1, len(FEATURES)),
            self._by_rank,
        )

    def describe(self) -> dict[str, Any]:
        """The model in plain values: weights by trigger and feature, and what they were learned on."""
        if self._config.weights is not None:
            weights: Mapping[str, Any] = {
                name: {"score": float(weight)} for name, weight in self._config.weights.items()
            }
        else:
            weights = {name: dict(zip(FEATURES, row, strict=True)) for name, row in self._weights.items()}
        return {"normalize": self._config.normalize, "weights": weights, **self._learned}

    def drift(self, merged: CandidateBatch) -> dict[str, float]:
        """Stability index (`psi`) of each trigger's scores in `merged` against the rank window, by trigger."""
        return score_drift(self._histograms, merged)


def _sources(candidates: CandidateBatch) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.int32]]:
    if candidates.source_score is None or candidates.source_rank is None:
        raise ValueError("blend scores merged candidates; these hold no sources")
    return candidates.source_score, candidates.source_rank


def _three(row: Any) -> tuple[float, float, float]:
    score, place, recalled = (float(value) for value in row)
    return score, place, recalled
