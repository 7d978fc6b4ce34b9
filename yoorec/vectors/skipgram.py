"""Skip-gram with negative sampling over sequences of items, by gensim."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt

from yoorec.errors import PluginError

__all__ = ["skip_gram"]


class _Sentences:
    """Sequences as gensim reads them: lists of words, as often as it asks for them."""

    def __init__(
        self,
        offsets: npt.NDArray[np.int64],
        item: npt.NDArray[np.int32],
        names: list[str],
        pass_done: Callable[[], None],
    ) -> None:
        self._offsets = offsets.tolist()
        self._item = item
        self._names = names
        self._pass_done = pass_done

    def __iter__(self) -> Iterator[list[str]]:
        names, item, offsets = self._names, self._item, self._offsets
        for start, stop in pairwise(offsets):
            yield [names[each] for each in item[start:stop].tolist()]
        self._pass_done()


def skip_gram(
    offsets: npt.NDArray[np.int64],
    item: npt.NDArray[np.int32],
    items: int,
    *,
    dim: int = 64,
    window: int = 5,
    negative: int = 5,
    sample: float = 1e-3,
    exponent: float = 0.75,
    min_count: int = 1,
    epochs: int = 5,
    alpha: float = 0.025,
    seed: int = 0,
    workers: int = 1,
    progress: Callable[..., None] = lambda *_: None,
) -> tuple[npt.NDArray[np.int32], npt.NDArray[np.float32]]:
    """Learn a vector for each item that stands `min_count` times in the sequences: item int32 [V], rising, and
    vectors float32 [V, dim].

    offsets: int64 [S + 1], item: int32 [N] below `items`; sequence s is ``item[offsets[s]:offsets[s + 1]]``.
    window:   items on either side that predict each other, at most. negative: drawn items a pair is told from.
    sample:   frequency above which occurrences of an item are skipped at random; 0 skips none.
    exponent: negatives are drawn by count^exponent. alpha: first learning rate; it falls to almost 0.
    workers:  threads. With one, the same input and seed give the same bits; with more they don't.

    Mikolov et al., "Distributed Representations of Words and Phrases and their Compositionality", NIPS 2013.
    Raises PluginError where gensim is not installed.
    """
    count = np.bincount(item, minlength=items)
    known = np.flatnonzero(count >= max(min_count, 1)).astype(np.int32)
    # One item has nothing to be told from, and sequences of one hold no pair: there is nothing to learn.
    if len(known) < 2 or not bool((np.diff(offsets) > 1).any()):
        return np.empty(0, np.int32), np.empty((0, dim), np.float32)
    try:
        from gensim.models import Word2Vec
    except ImportError as error:
        raise PluginError(f"skip-gram vectors need gensim: pip install gensim ({error})") from error
    done = 0

    def pass_done() -> None:
        nonlocal done
        done += 1
        progress(done / epochs, f"skip-gram pass {done} of {epochs}")

    names = [str(each) for each in range(items)]
    model: Any = Word2Vec(
        vector_size=dim,
        window=window,
        negative=negative,
        sample=sample,
        ns_exponent=exponent,
        alpha=alpha,
        min_alpha=alpha / 1000,
        min_count=1,
        sg=1,
        hs=0,
        epochs=epochs,
        seed=int(np.random.default_rng(seed).integers(1 << 31)),
        workers=workers,
        sorted_vocab=1,
    )
    # Counted here already; by falling count, ties by item, which decides how gensim numbers and so how it draws.
    order = known[np.lexsort((known, -count[known]))]
    model.build_vocab_from_freq({names[each]: int(count[each]) for each in order.tolist()})
    model.train(
        _Sentences(offsets, item, names, pass_done),
        total_examples=len(offsets) - 1,
        total_words=int(count[known].sum()),
        epochs=epochs,
    )
    rows = [model.wv.key_to_index[names[each]] for each in known.tolist()]
    return known, np.ascontiguousarray(model.wv.vectors[rows], np.float32)
