"""Keys of the rankers `lr`, `dnn`, `wide_deep` and `wide_dcn`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated, Literal

from annotated_types import Ge, Gt, Lt, MinLen

from yoorec.config.types import Count, NonNegative
from yoorec.features.config import FeatureKeys

__all__ = ["DnnConfig", "LearnConfig", "LrConfig", "Shape", "WideDcnConfig", "WideDeepConfig"]


@dataclass(frozen=True, slots=True)
class Shape:
    """What a network is made of, whichever ranker's it is.

    wide:         whether every id has a weight of its own.
    dim:          numbers in an id's vector, 0 without a deep part.
    hidden:       units of the deep layers.
    cross_layers: cross layers beside them, 0 for none. rank: of their matrices, 0 for full ones.
    outputs:      logits, one an objective.
    """

    wide: bool
    dim: int
    hidden: tuple[int, ...]
    cross_layers: int
    rank: int
    outputs: int


@dataclass(frozen=True, slots=True)
class LearnConfig(FeatureKeys):
    """What every ranker of this package is told: features, what to learn, how, and how it is served."""

    objectives: Annotated[Mapping[str, NonNegative], MinLen(1)] = field(default_factory=lambda: {"play": 1.0})
    """What is foretold, each with the weight of its probability in the score; one alone is ranked by its logit. `play`,
    an event type of the log, or `completion`."""
    watch: bool = False
    """Weigh what was played by the logarithm of the seconds watched."""
    negatives: Count = 40
    """Candidates of a request that nothing came of and that were not shown, at most, drawn by the seed."""
    loss: Literal["softmax", "logistic"] = "softmax"
    """A request's rows judged against each other (requests without a positive left out), or each row by itself."""
    epochs: Count = 6
    """Passes over the requests, at most."""
    batch: Count = 128
    """Requests that a worker learns from in one step."""
    learning_rate: Annotated[float, Gt(0)] = 0.003
    """Adam's."""
    dropout: Annotated[float, Ge(0), Lt(1)] = 0.0
    """Share of the deep layers' units left out in a step of training, drawn anew in each."""
    l2: NonNegative = 0.0
    """Weight, in the loss of a step, of the sum of squares of all ids' vectors and weights."""
    tail: Annotated[float, Ge(0), Lt(1)] = 0.05
    """Share of the requests, the latest, kept from training to stop it in time, to stack and to calibrate; 0 trains on
    all for all epochs, and does neither."""
    patience: Count = 1
    """Epochs without better results on the tail after which training ends, with its best epoch's weights."""
    workers: Count = 1
    """Processes that train together, each on a batch of its own in every step."""
    checkpoint: Count = 500
    """Steps between checkpoints; a training that was killed goes on from the last one."""
    samples: Literal["parquet", "tfrecord"] = "parquet"
    """Files that training reads the encoded samples from."""
    stack: bool = True
    """Add to the logit what `blend` makes of the triggers' scores, by the share that the tail makes most likely."""
    serve: Literal["compiled", "tensorflow"] = "compiled"
    """What scores requests: compiled kernels, or the SavedModel in TensorFlow."""
    export: bool = False
    """Write a SavedModel, such as TensorFlow Serving loads, though the kernels score."""


@dataclass(frozen=True, slots=True)
class LrConfig(LearnConfig):
    """Logistic regression on feature ids."""

    def shape(self) -> Shape:
        """The network these keys describe."""
        return Shape(True, 0, (), 0, 0, len(self.objectives))


@dataclass(frozen=True, slots=True)
class DnnConfig(LearnConfig):
    """A deep network on vectors of feature ids."""

    dim: Count = 8
    """Numbers in the vector of an id."""
    hidden: Annotated[tuple[Count, ...], MinLen(1)] = (64, 32)
    """Units of the deep network's layers."""

    def shape(self) -> Shape:
        """The network these keys describe."""
        return Shape(False, self.dim, self.hidden, 0, 0, len(self.objectives))


@dataclass(frozen=True, slots=True)
class WideDeepConfig(DnnConfig):
    """A deep network, and beside it a weight for every id."""

    def shape(self) -> Shape:
        """The network these keys describe."""
        return Shape(True, self.dim, self.hidden, 0, 0, len(self.objectives))


@dataclass(frozen=True, slots=True)
class WideDcnConfig(DnnConfig):
    """A deep network, and beside it cross layers and a weight for every id."""

    cross_layers: Count = 2
    """Cross layers; each multiplies what the one before found by the features once more."""
    cross_rank: Count | None = 16
    """Rank of a cross layer's matrix; null for a full one, which costs far more."""

    def shape(self) -> Shape:
        """The network these keys describe."""
        return Shape(True, self.dim, self.hidden, self.cross_layers, self.cross_rank or 0, len(self.objectives))
