"""The rankers `lr`, `dnn`, `wide_deep` and `wide_dcn`: features encoded, a network trained apart, scores served."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from yoorec.artifacts.arrays import load_arrays, save_arrays
from yoorec.batch import CandidateBatch, RequestBatch
from yoorec.components import FitContext, RankContext, RankSamples
from yoorec.errors import ArtifactError, DataError
from yoorec.features.declared import check_features
from yoorec.features.encoder import Encoder
from yoorec.features.learning import learn
from yoorec.features.readers import Around
from yoorec.stages.blend import Blend
from yoorec.stages.configs import BlendConfig
from yoorec.stages.drift import Histogram, score_drift, score_histograms
from yoorec.stages.normalise import normalised_rows
from yoorec.vectors.recall import VectorRecall
from yoorec_tf.calibration import calibrated, reliability_plot
from yoorec_tf.config import DnnConfig, LrConfig, WideDcnConfig, WideDeepConfig
from yoorec_tf.metrics import Reliability, auc, gauc, log_loss, ndcg, reliability
from yoorec_tf.processes import export_apart, train_apart, trainers
from yoorec_tf.samples import drawn, labels_of, training_set
from yoorec_tf.serving import TensorFlowScorer
from yoorec_tf.stacking import NO_STACK, stacked
from yoorec_tf.training import CURVE
from yoorec_tf.weights import Weights

if TYPE_CHECKING:
    from yoorec.data.catalogue import Catalogue
    from yoorec_tf.scoring import Scorer

__all__ = ["Dnn", "Lr", "WideDcn", "WideDeep"]

F32 = npt.NDArray[np.float32]
I64 = npt.NDArray[np.int64]

_FILE = "model.json"
_VERSION = 2
_FEATURES, _WEIGHTS, _BLEND, _EXPORT, _PLOT = "features", "weights", "blend", "saved_model", "reliability.svg"
_TOGETHER = 16
"""Requests encoded and scored at once, which bounds the memory; it changes no score."""
_JUDGED = 2000
"""Requests of the tail that calibrate and judge the network, at most; more where they have few candidates, up to
`_JUDGED_ROWS` in all."""
_JUDGED_ROWS = 100_000


def _kernels_of(weights: Weights, encoder: Encoder) -> Scorer:
    from yoorec_tf.scoring import Scorer

    return Scorer.of(weights, encoder.layout, encoder.items)


class _Ranker:
    """A network on feature ids; what its kind is, the config's `shape` says.

    Its logit is stacked with what the ranker `blend` makes of the same triggers, and calibrated.
    A candidate's score is its calibrated logit, the log odds of the objective; with several objectives, it is the
    weighted sum of their probabilities.
    """

    def __init__(self, config: LrConfig | DnnConfig, catalogue: Catalogue) -> None:
        check_features(config, catalogue)
        if len(config.objectives) > 1 and not config.tail:
            raise DataError(
                f"ranker: tail: 0 leaves nothing to calibrate by, and the probabilities of {len(config.objectives)} "
                "objectives are added up; accepted: above 0, or one objective"
            )
        self._config = config
        self._catalogue = catalogue
        self._around = Around(catalogue)
        self._weight = tuple(config.objectives.values())
        self._scale = np.ones(len(self._weight), np.float32)
        self._shift = np.zeros(len(self._weight), np.float32)
        self._beside = np.zeros(len(self._weight), np.float32)
        self._blend = Blend(BlendConfig(), catalogue)
        self._told: dict[str, Any] = {}
        self._reliability: list[tuple[str, Reliability]] = []
        self._histograms: dict[str, Histogram] = {}
        self._scorer: Scorer | TensorFlowScorer

    def needs_fit(self) -> bool:
        """Always."""
        return True

    def use(self, context: RankContext) -> None:
        """Look at counters, and at the vectors of triggers that have some."""
        vectors = {name: each.vectors for name, each in context.triggers.items() if isinstance(each, VectorRecall)}
        self._around = Around(self._catalogue, context.counters, vectors)

    def fit(self, samples: RankSamples, context: FitContext) -> None:
        """Learn features and network from the rank window, and judge both on its last part."""
        config, shape = self._config, self._config.shape()
        label, weight = labels_of(samples, config.objectives, config.watch)
        apart = samples.unrecalled
        beside = None if apart is None else labels_of(apart, config.objectives, config.watch)
        with trainers(config, context.threads) as crew:
            context.progress(0.0, "features")
            chosen = drawn(samples, label, config.negatives, context.seed)
            self._encoder = encoder = learn(config, samples, self._around, chosen)
            self._histograms = score_histograms(self._normalised(samples.candidates))
            rows = training_set(
                *(samples, encoder, chosen, label, weight, beside),
                lambda done: context.progress(0.05 + 0.15 * done, "encoding"),
            )
            context.note("rows", len(rows.label))
            context.note("ids", encoder.layout.size)
            self._weights, curve = Weights.none(encoder.layout, shape), np.empty((0, len(CURVE)))
            if len(rows.label):
                cache = context.cache
                self._weights, curve = train_apart(
                    *(crew, config, rows, encoder.layout, shape, context.seed),
                    lambda done, note: context.progress(0.2 + 0.75 * done, note),
                    None if cache is None else cache / "checkpoints",
                    None if cache is None else cache / "logs",
                )
            del rows
        self._scorer = _kernels_of(self._weights, encoder)
        if self._stacks(samples):
            self._blend.fit(samples, replace(context, progress=lambda done, note="": None))
        self._judge(samples, label, weight, curve)
        for name, figure in self._told["figures"].items():
            context.note(name, figure)
        for name, share in self._told["share_of_blend"].items():
            context.note(f"{name} share_of_blend", share)
        context.progress(1.0, "")

    def save(self, folder: Path) -> None:
        """Write features, weights, figures and the picture of the calibration; a SavedModel where one is wanted."""
        for part in (_FEATURES, _WEIGHTS, _BLEND):
            (folder / part).mkdir()
        self._encoder.save(folder / _FEATURES)
        self._weights.save(folder / _WEIGHTS)
        self._blend.save(folder / _BLEND)
        save_arrays(folder, scale=self._scale, shift=self._shift, beside=self._beside)
        model = {
            "version": _VERSION,
            "objectives": dict(self._config.objectives),
            "told": self._told,
            "histograms": {name: found.plain() for name, found in self._histograms.items()},
        }
        (folder / _FILE).write_text(json.dumps(model, indent=2, allow_nan=False) + "\n", encoding="utf-8")
        (folder / _PLOT).write_text(reliability_plot(self._reliability), encoding="utf-8")
        if self._config.export or self._config.serve == "tensorflow":
            export_apart(
                *(folder / _EXPORT, self._encoder.layout, self._config.shape(), self._weights, self._encoder.items),
                *(self._weight, self._scale, self._shift),
            )
        if self._config.serve == "tensorflow":
            # From here on what was written scores, as it will wherever it is loaded.
            self._scorer = TensorFlowScorer(folder / _EXPORT, self._encoder.layout, self._encoder.items)

    def load(self, folder: Path) -> None:
        """Read back what `save` wrote.

        Raises ArtifactError naming the file that is something else, or a feature whose column changed its type.
        """
        path, config = folder / _FILE, self._config
        try:
            model = json.loads(path.read_text(encoding="utf-8"))
            if model["version"] != _VERSION:
                raise ValueError(f"version {model['version']}, expected {_VERSION}")
            if model["objectives"] != dict(config.objectives):
                raise ValueError(f"learned with objectives {model['objectives']}")
            self._told = dict(model["told"])
            self._histograms = {name: Histogram.of_plain(found) for name, found in model["histograms"].items()}
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            raise ArtifactError(f"{path}: is no model of this ranker: {type(error).__name__}: {error}") from error
        self._scale, self._shift, self._beside = load_arrays(folder, "scale", "shift", "beside")
        self._blend.load(folder / _BLEND)
        self._encoder = Encoder.load(folder / _FEATURES, self._around)
        layout, items = self._encoder.layout, self._encoder.items
        self._weights = Weights.load(folder / _WEIGHTS, layout, config.shape())
        if config.serve == "tensorflow":
            self._scorer = TensorFlowScorer(folder / _EXPORT, layout, items)
            self._scorer.warm_usual()
        else:
            self._scorer = _kernels_of(self._weights, self._encoder)

    def score(self, requests: RequestBatch, merged: CandidateBatch) -> F32:
        """float32 [N]: every row's score."""
        from yoorec_tf.scoring import blend

        score = np.empty(len(merged.item), np.float32)
        for start in range(0, len(merged), _TOGETHER):
            stop = min(start + _TOGETHER, len(merged))
            rows = slice(int(merged.offsets[start]), int(merged.offsets[stop]))
            whole = stop - start == len(merged)
            some = np.arange(start, stop)
            one, few = (requests, merged) if whole else (requests.take(some), merged.take(some))
            score[rows] = blend(self._logits(one, few), self._weight)
        return score

    def describe(self) -> dict[str, Any]:
        """The model in plain values: figures on the last part of the rank window, and the curve of training."""
        return {"objectives": dict(self._config.objectives), **self._told}

    def drift(self, merged: CandidateBatch) -> dict[str, float]:
        """Stability index (`psi`) of each trigger's normalised scores in `merged` against the rank window's."""
        return score_drift(self._histograms, self._normalised(merged))

    def _logits(self, requests: RequestBatch, merged: CandidateBatch) -> F32:
        found: F32 = self._scorer.score(self._encoder.encode(requests, merged)) * self._scale
        if self._beside.any():
            found += self._blend.score(requests, merged)[:, None] * self._beside
        found += self._shift
        return found

    def _judge(self, samples: RankSamples, label: F32, weight: F32, curve: npt.NDArray[np.float64]) -> None:
        """Stack by the tail's requests, all of their candidates; calibrate by one half of them, judge by the other.

        The one number of stacking, a mean over all there are, is hardly fitted to the half that judges.
        """
        size = len(samples.requests)
        first = size - int(size * self._config.tail)
        places = np.arange(first, size)
        wanted = min(len(places), max(_JUDGED, _JUDGED_ROWS * size // max(len(label), 1)))
        places = places[np.unique(np.linspace(0, max(len(places) - 1, 0), wanted).astype(np.int64))]
        figures: dict[str, float] = {}
        self._reliability = []
        few, here, own, counted = self._tail(samples, label, weight, places)
        beside = self._blend.score(samples.requests.take(places), few) if self._stacks(samples) else None
        turn = np.repeat(np.arange(len(places)) % 2, few.lengths)
        one, other = turn == 0, turn == 1
        offsets = np.append(0, np.cumsum(few.lengths[1::2]))
        shares: dict[str, float] = {}
        for o, name in enumerate(self._config.objectives):
            stack, z = NO_STACK, here[:, o]
            if beside is not None:
                user = samples.requests.user[places]
                stack = stacked(few.offsets, user, own[:, o], z, beside)
                z = stack.of(z, beside)
                shares[name] = round(stack.share, 6)
            scale, self._shift[o] = calibrated(own[one, o], z[one], counted[one, o])
            self._scale[o], self._beside[o] = scale * stack.own, scale * stack.beside
            z = z[other] * np.float32(scale) + self._shift[o]
            known, y = counted[other, o] > 0, own[other, o]
            chance = (1 / (1 + np.exp(-z[known].astype(np.float64)))).astype(np.float32)
            judged = reliability(y[known], chance)
            gains = ndcg(offsets, y, z, 10)
            found = {
                "auc": auc(y[known], z[known]),
                "gauc": gauc(offsets, y, z),
                "log_loss": log_loss(y, z, counted[other, o]) if known.any() else float("nan"),
                "ndcg@10": float(np.nanmean(gains)) if np.isfinite(gains).any() else float("nan"),
                "ece": judged.ece,
            }
            self._reliability.append((name, judged))
            figures |= {f"{name} {key}": round(value, 6) for key, value in found.items() if np.isfinite(value)}
        told = [[None if each != each else round(each, 6) for each in row] for row in curve.tolist()]
        self._told = {
            "figures": figures,
            "share_of_blend": shares,
            "reliability": {
                name: {key: np.asarray(getattr(found, key)).tolist() for key in ("rows", "foretold", "observed")}
                for name, found in self._reliability
            },
            "curve": [dict(zip(CURVE, row, strict=True)) for row in told],
        }

    def _stacks(self, samples: RankSamples) -> bool:
        """Whether there is a blend to stack with."""
        return self._config.stack and self._config.tail > 0 and bool(samples.candidates.sources)

    def _tail(self, samples: RankSamples, label: F32, weight: F32, places: I64) -> tuple[CandidateBatch, F32, F32, F32]:
        """Candidates, the network's own logits, labels and weights of some requests."""
        few = samples.candidates.take(places)
        start = samples.candidates.offsets[places]
        rows = np.arange(few.offsets[-1]) - np.repeat(few.offsets[:-1] - start, few.lengths)
        logit = np.empty((len(rows), len(self._weight)), np.float32)
        for first in range(0, len(places), _TOGETHER):
            some = np.arange(first, min(first + _TOGETHER, len(places)))
            part = slice(int(few.offsets[some[0]]), int(few.offsets[some[-1] + 1]))
            encoded = self._encoder.encode(samples.requests.take(places[some]), few.take(some))
            logit[part] = self._scorer.score(encoded)
        return few, logit, label[rows], weight[rows]

    @staticmethod
    def _normalised(candidates: CandidateBatch) -> CandidateBatch:
        score, rank = candidates.source_score, candidates.source_rank
        if score is None or rank is None:
            raise ValueError("a ranker scores merged candidates; these hold no sources")
        return replace(candidates, source_score=normalised_rows(candidates.offsets, score, rank, False))


class Lr(_Ranker):
    """Logistic regression on feature ids: a weight for each of them, crosses too.

    Trained by minibatches; see `yoorec_tf.network`.
    """

    def __init__(self, config: LrConfig, catalogue: Catalogue) -> None:
        super().__init__(config, catalogue)


class Dnn(_Ranker):
    """A deep network on the vectors of feature ids.

    Covington et al., "Deep Neural Networks for YouTube Recommendations", RecSys 2016, section 4, with ids for numbers.
    """

    def __init__(self, config: DnnConfig, catalogue: Catalogue) -> None:
        super().__init__(config, catalogue)


class WideDeep(_Ranker):
    """A deep network beside a weight for every id.

    Cheng et al., "Wide & Deep Learning for Recommender Systems", DLRS 2016.
    """

    def __init__(self, config: WideDeepConfig, catalogue: Catalogue) -> None:
        super().__init__(config, catalogue)


class WideDcn(_Ranker):
    """A deep network, cross layers, and a weight for every id, side by side.

    Wang et al., "DCN V2: Improved Deep & Cross Network", WWW 2021: low-rank cross layers, parallel to the deep ones.
    """

    def __init__(self, config: WideDcnConfig, catalogue: Catalogue) -> None:
        super().__init__(config, catalogue)
