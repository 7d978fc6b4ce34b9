"""Keys of the trigger `text`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Literal

from annotated_types import Ge, Gt

from yoorec.config.types import Count, DataPath, ItemColumn, NonNegative
from yoorec.vectors.config import VectorRecallConfig

__all__ = ["TextConfig"]


@dataclass(frozen=True, slots=True)
class TextConfig(VectorRecallConfig):
    """Which texts become vectors, by which words, and how they recall."""

    field: ItemColumn | Mapping[ItemColumn, NonNegative] = "title"
    """A column of texts or of lists of texts; or several with their weights, such as `{title: 1, tags: 0.5}`."""
    vectors: Literal["self"] | DataPath = "self"
    """Word vectors: learned from the catalogue's own texts, or a file in word2vec's text or binary format, or `.gz`."""
    tokens: Literal["words", "spaces", "chinese"] = "words"
    """How a text is cut: lower-cased words; what stands between spaces; or by jieba (`yoorec-text[chinese]`)."""
    hashtags: bool = True
    """Keep `#word` a token of its own; without, its word is one like any other."""
    max_chars: Count = 20_000
    """A longer text, or list of texts together, is not read; `yoorec fit` says how many and of which items."""
    weight: Literal["idf", "sif", "none"] = "idf"
    """A word's weight in its text: ln((1 + N) / (1 + n)) + 1 with n of N items having it; a / (a + its share); or 1."""
    sif_a: Annotated[float, Gt(0)] = 1e-3
    """a of `weight: sif`: the share of all words at which a word counts half."""
    common: Annotated[int, Ge(0)] = 1
    """Main directions that all items' vectors share and that are taken out of them; 0 takes none."""
    dim: Count = 64
    """`vectors: self`: numbers in a vector."""
    window: Count = 10
    """`vectors: self`: words before and after that predict each other, at most."""
    negative: Count = 5
    """`vectors: self`: words drawn at random that a true pair is told from."""
    sample: NonNegative = 1e-4
    """`vectors: self`: share of all words from which on a word is skipped at random, the commoner the more; 0: none."""
    min_count: Count = 1
    """`vectors: self`: a word that stands fewer times in all texts together gets no vector."""
    epochs: Count = 20
    """`vectors: self`: passes over the texts."""
    alpha: Annotated[float, Gt(0)] = 0.05
    """`vectors: self`: learning rate at the start; it falls evenly to a thousandth."""
    workers: Annotated[int, Ge(1)] = 1
    """`vectors: self`: threads that learn. One gives the same vectors every time; more are faster and never do."""
    optional: bool = False
    """Leave out columns that no item has, and say so in the report, instead of refusing."""

    def __post_init__(self) -> None:
        if not self.fields:
            raise ValueError("field: no column has a weight above 0, accepted: one or more that do")

    @property
    def fields(self) -> Mapping[str, float]:
        """Weight by column, those above 0 in the order of their names: how the YAML orders them makes no difference."""
        given = {self.field: 1.0} if isinstance(self.field, str) else self.field
        return {name: given[name] for name in sorted(given) if given[name] > 0}
