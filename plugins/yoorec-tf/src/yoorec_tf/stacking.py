"""Stacking: how much of the blend of the triggers' scores goes beside the network's.

Wolpert, "Stacked generalization", Neural Networks 5, 1992. A network sees more than a blend and wears out sooner: what
it learned of items and visitors is of the rank window, while the triggers' scores are of triggers that learn anew.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from yoorec_tf.metrics import ndcg

__all__ = ["NO_STACK", "Stack", "stacked"]

F32 = npt.NDArray[np.float32]
I32 = npt.NDArray[np.int32]
I64 = npt.NDArray[np.int64]

_SHARES = np.linspace(0.0, 1.0, 11)
_AT = 10


class Stack(NamedTuple):
    """A logit is ``own * network + beside * blend``; share: that of the blend, both being of the same spread."""

    own: float
    beside: float
    share: float

    def of(self, network: F32, blend: F32) -> F32:
        """float32 [N]: the logits of rows of which network and blend, float32 [N], say so much."""
        return network * np.float32(self.own) + blend * np.float32(self.beside)


NO_STACK = Stack(1.0, 0.0, 0.0)


def stacked(offsets: I64, user: I32, label: F32, network: F32, blend: F32) -> Stack:
    """The mean of all shares, each as plausible as requests make it that the network did not learn from (a blend's few
    weights may have).

    offsets: int64 [B + 1], rows of each request. user: int32 [B], below 0 where unknown.
    label, network, blend: float32 [N].

    A share whose mean ndcg@10 is d below that of the best, with a standard error of s (of the difference, by request,
    those of a user together), weighs exp(-(d / s)^2 / 2), its likelihood. Where requests are too few to tell, that is
    half and half, which wins more often than either alone. Without a request whose order can be wrong, and where the
    blend or the network says the same of all rows, the network stands alone.
    """
    if not len(label) or not np.isfinite(network).all() or not np.isfinite(blend).all():
        return NO_STACK
    spread, other = (float(each.std(dtype=np.float64)) for each in (network, blend))
    if spread == 0 or other == 0:
        return NO_STACK
    ratio = spread / other
    tried = [Stack(1.0 - share, share * ratio, share) for share in _SHARES.tolist()]
    found = [ndcg(offsets, label, each.of(network, blend), _AT) for each in tried]
    there = ~np.isnan(found[0])
    if not there.any():
        return NO_STACK
    gains = np.stack(found)[:, there]
    behind = gains[gains.mean(1).argmax()] - gains
    mean = behind.mean(1)
    _, own = np.unique(np.where(user < 0, -1 - np.arange(len(user)), user)[there], return_inverse=True)
    error = np.array([np.sqrt((np.bincount(own, each - each.mean()) ** 2).sum()) for each in behind]) / behind.shape[1]
    weight = np.exp(-((mean / np.where(error > 0, error, 1.0)) ** 2) / 2) * ((error > 0) | (mean <= 0))
    share = float((weight * _SHARES).sum() / weight.sum())
    return Stack(1.0 - share, share * ratio, share)
