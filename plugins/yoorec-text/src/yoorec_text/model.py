"""The trigger `text`: items whose texts mean much the same have similar vectors."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from yoorec.errors import DataError
from yoorec.vectors.recall import VectorRecall
from yoorec.vectors.skipgram import skip_gram
from yoorec_text.config import TextConfig
from yoorec_text.pooling import pooled, without_common, word_weights
from yoorec_text.pretrained import read_vectors
from yoorec_text.texts import Texts, check_texts, read_texts
from yoorec_text.tokens import spellings, tokeniser

if TYPE_CHECKING:
    from yoorec.components import FitContext
    from yoorec.data.catalogue import Catalogue
    from yoorec.data.log import EventLog

__all__ = ["Text"]

_SHOWN = 3


class Text(VectorRecall):
    """An item's vector from the vectors of the words in its texts, recalled by `yoorec.vectors.VectorRecall`::

        v(item) = sum over fields f of weight(f) * unit(sum over words w in f of weight(w) * v(w)), less what is common

    Words by skip-gram over the catalogue's own texts (Mikolov et al., NIPS 2013) or from a public file. Taking out what
    is common, and the weight `sif`: Arora, Liang and Ma, "A Simple but Tough-to-Beat Baseline for Sentence Embeddings",
    ICLR 2017.

    note: what a report should say of the trigger, or "".
    """

    def __init__(self, config: TextConfig, catalogue: Catalogue) -> None:
        super().__init__(config, catalogue)
        self.config = config
        self._ids = catalogue.items.ids
        self._columns: dict[str, pa.ChunkedArray] = {}
        asked = list(config.fields)
        for name in asked if len(catalogue.items) else ():
            try:
                column = catalogue.item_column(name)
            except DataError:
                if not config.optional:
                    raise
                continue
            check_texts(name, column)
            self._columns[name] = column
        self.note = _note(asked, list(self._columns)) if len(catalogue.items) else ""

    def fit(self, log: EventLog, context: FitContext) -> None:
        """Make a vector for each item with a word that has one; the same bits every time with one worker."""
        config = self.config
        texts = read_texts(list(self._columns.values()), tokeniser(config.tokens, config.hashtags), config.max_chars)
        row, vectors = self._word_vectors(texts, context)
        share = np.array([config.fields[name] for name in self._columns] or [1.0])
        weight = word_weights(texts, config.weight, config.sif_a)
        made = pooled(texts.offsets, texts.word, row, weight, vectors, share)
        item = np.flatnonzero(made.any(axis=1)).astype(np.int32)
        self._tell(texts, row, item, context)
        self.learn(item, without_common(made[item], config.common), context)

    def _word_vectors(self, texts: Texts, context: FitContext) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.float32]]:
        """Of each word its row int64 [W], -1 where it has none, in vectors float32 [V, D]."""
        config, row = self.config, np.full(len(texts.words), -1, np.int64)
        if isinstance(config.vectors, str):
            known, vectors = skip_gram(
                texts.sentences,
                texts.word,
                len(texts.words),
                dim=config.dim,
                window=config.window,
                negative=config.negative,
                sample=config.sample,
                min_count=config.min_count,
                epochs=config.epochs,
                alpha=config.alpha,
                seed=context.seed,
                workers=config.workers,
                progress=context.progress,
            )
            row[known] = np.arange(len(known))
            return row, vectors
        public = read_vectors(config.vectors, context.cache)
        place = {word: at for at, word in enumerate(public.words)}
        found = [next((place[form] for form in spellings(word) if form in place), -1) for word in texts.words]
        wanted, row = np.unique(np.array(found, np.int64), return_inverse=True)
        absent = int((wanted < 0).sum())
        return row - absent, np.ascontiguousarray(public.vectors[wanted[absent:]])

    def _tell(self, texts: Texts, row: npt.NDArray[np.int64], item: npt.NDArray[np.int32], context: FitContext) -> None:
        """Leave in the fit's notes what was not known, and what was left out."""
        unknown = row < 0
        context.note("words", len(row))
        context.note("unknown_words", round(float(unknown.mean()) if len(row) else 0.0, 4))
        context.note("unknown_tokens", round(float(unknown[texts.word].mean()) if len(texts.word) else 0.0, 4))
        worded = np.diff(texts.sentences) > 0
        worded[item] = False
        context.note("items_without_known_words", int(worded.sum()))
        if len(texts.too_long):
            some = ", ".join(self._ids[each] for each in texts.too_long[:_SHOWN].tolist())
            more = ", ..." if len(texts.too_long) > _SHOWN else ""
            context.note("items_with_too_long_texts", f"{len(texts.too_long)}: {some}{more}")


def _note(asked: list[str], there: list[str]) -> str:
    absent = [f"'{name}'" for name in asked if name not in there]
    if not absent:
        return ""
    missing = f"no item has {' or '.join(absent)}"
    return f"by {', '.join(there)} alone: {missing}" if there else f"left out: {missing}"
