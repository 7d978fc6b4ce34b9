"""The vocabulary: outside ids (strings) to int32 indices and back, one for all fits of a data set."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
import numpy.typing as npt

__all__ = ["Vocabulary"]


class Vocabulary:
    """Ids in sorted order, those that came later behind them; an id's index is its place. -1 stands for an unknown id.

    >>> items = Vocabulary(["b", "a"])
    >>> items.encode(["a", "z"])
    array([ 0, -1], dtype=int32)
    """

    def __init__(self, ids: Iterable[str]) -> None:
        self.ids: tuple[str, ...] = tuple(sorted(set(ids)))
        self._index = {name: index for index, name in enumerate(self.ids)}

    @classmethod
    def ordered(cls, ids: Sequence[str]) -> Vocabulary:
        """Distinct ids in the order given: a vocabulary read back."""
        found = cls(())
        found.ids = tuple(ids)
        found._index = {name: index for index, name in enumerate(found.ids)}
        return found

    def grown(self, ids: Iterable[str]) -> Vocabulary:
        """With ids that are new behind those that are there, which keep their indices."""
        return self.ordered((*self.ids, *sorted(set(ids) - self._index.keys())))

    def __len__(self) -> int:
        return len(self.ids)

    def index(self, name: str | None) -> int:
        """The index of one id, -1 where unknown."""
        return -1 if name is None else self._index.get(name, -1)

    def encode(self, names: Sequence[str | None]) -> npt.NDArray[np.int32]:
        """int32 [N] indices of N ids, -1 where unknown."""
        index = self._index
        return np.fromiter((index.get(name, -1) for name in names), np.int32, len(names))  # type: ignore[arg-type]

    def decode(self, indices: npt.NDArray[np.int32]) -> list[str]:
        """The ids of indices that are all >= 0."""
        ids = self.ids
        return [ids[index] for index in indices.tolist()]
