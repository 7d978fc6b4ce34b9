"""The trigger `image`: items whose covers look alike to a network that has learned to see."""

from __future__ import annotations

import hashlib
import inspect
import itertools
import json
from collections.abc import Iterator, Mapping
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from yoorec.data import images
from yoorec.errors import DataError, nearest
from yoorec.vectors.recall import VectorRecall
from yoorec_image import covers, network
from yoorec_image.cache import FeatureCache
from yoorec_image.config import ImageConfig
from yoorec_image.files import check_network_file
from yoorec_image.network import LAYERS, open_network

if TYPE_CHECKING:
    from yoorec.components import FitContext
    from yoorec.data.catalogue import Catalogue
    from yoorec.data.log import EventLog

__all__ = ["Image"]

F32 = npt.NDArray[np.float32]

_KEPT_TOGETHER = 256
"""Images whose features are written to the cache at a time."""
_NAMED = 3


class Image(VectorRecall):
    """Features of covers by a layer of a network that was trained to tell things apart, recalled by
    `yoorec.vectors.VectorRecall`. By default the layer before the softmax of Inception-v3 (Szegedy, Vanhoucke, Ioffe,
    Shlens and Wojna, "Rethinking the Inception Architecture for Computer Vision", CVPR 2016).

    note: what a report should say of the trigger, or "".
    """

    def __init__(self, config: ImageConfig, catalogue: Catalogue) -> None:
        super().__init__(config, catalogue)
        self.config = config
        self.catalogue = catalogue
        self.note = ""
        if not isinstance(config.weights, Path) and config.layer is not None and config.layer not in LAYERS:
            close = nearest(config.layer, LAYERS)
            hint = f"; nearest: {close}" if close else ""
            raise DataError(f"layer: Inception-v3 offers no '{config.layer}'{hint}; there are: {', '.join(LAYERS)}")
        try:
            column = catalogue.item_column(config.field)
        except DataError:
            if not config.optional:
                raise
            self.note = f"left out: no item has '{config.field}'"
            return
        if not _holds_covers(column.type):
            raise DataError(f"items: '{config.field}' holds {column.type}; covers are paths or bytes")

    def fit(self, log: EventLog, context: FitContext) -> None:
        """Compute the features of each distinct cover that the cache doesn't hold; what can't be shown is left out.

        Raises DataError where no cover can be shown, or the network can't be had.
        """
        if self.note:
            self.learn(np.empty(0, np.int32), np.empty((0, 1), np.float32), context)
            return
        column = self.catalogue.item_column(self.config.field)
        sums: list[bytes | str | None] = []
        for done, found in enumerate(covers.checksums(column, context.threads), 1):
            sums.append(found)
            if done % 1000 == 0:
                context.progress(0.1 * done / len(column), f"covers read {done:,}/{len(column):,}")
        refused = {item: found for item, found in enumerate(sums) if isinstance(found, str)}
        of_item = {item: found for item, found in enumerate(sums) if isinstance(found, bytes)}
        features, reasons = self._features(of_item, context)
        refused |= {item: reasons[found] for item, found in of_item.items() if found in reasons}
        shown = [item for item, found in of_item.items() if found in features]
        self._note(refused, sums.count(None), len(features), context)
        if not shown:
            raise DataError(
                f"items: none of {len(refused)} covers in '{self.config.field}' can be used: {self._named(refused)}"
            )
        self.learn(np.array(shown, np.int32), np.stack([features[of_item[item]] for item in shown]), context)

    def _features(
        self, of_item: Mapping[int, bytes], context: FitContext
    ) -> tuple[Mapping[bytes, F32], Mapping[bytes, str]]:
        """float32 [D] of each image by its checksum, or why there is none."""
        config, threads = self.config, context.threads
        column = self.catalogue.item_column(config.field)
        item_of: dict[bytes, int] = {}
        for item, checksum in of_item.items():
            item_of.setdefault(checksum, item)
        cache = FeatureCache(context.cache and context.cache / _key(config, context.seed))
        kept = cache.read()
        found = {checksum: kept[checksum] for checksum in item_of if checksum in kept}
        context.note("from_cache", len(found))
        missing = [checksum for checksum in item_of if checksum not in kept]
        reasons: dict[bytes, str] = {}
        seen: list[bytes] = []

        def decoded() -> Iterator[npt.NDArray[np.uint8]]:
            wanted = ((column[item_of[checksum]].as_py(), checksum) for checksum in missing)
            for checksum, image in zip(missing, covers.pixels(wanted, config.max_pixels, threads), strict=True):
                if isinstance(image, str):
                    reasons[checksum] = image
                else:
                    seen.append(checksum)
                    yield image

        waiting = decoded()
        first = next(waiting, None)
        if first is None:
            return found, reasons
        context.progress(0.1, "network")
        opened = open_network(config, context.seed, threads)
        done = kept_until = 0
        parts: list[F32] = []
        for batch in opened.features(itertools.chain((first,), waiting), threads):
            found.update(zip(seen[done : done + len(batch)], batch, strict=True))
            parts.append(batch)
            done += len(batch)
            if done - kept_until >= _KEPT_TOGETHER:
                cache.add(seen[kept_until:done], np.concatenate(parts))
                kept_until, parts = done, []
            context.progress(0.1 + 0.9 * done / len(missing), f"covers {done:,}/{len(missing):,}")
        if parts:
            cache.add(seen[kept_until:done], np.concatenate(parts))
        return found, reasons

    def _note(self, refused: Mapping[int, str], without: int, distinct: int, context: FitContext) -> None:
        context.note("covers", distinct)
        context.note("without_cover", without)
        context.note("refused", len(refused))
        if refused:
            context.note("refused_first", self._named(refused))

    def _named(self, refused: Mapping[int, str]) -> str:
        """The first few covers that were refused, and why."""
        ids = self.catalogue.items.ids
        return "; ".join(f"{ids[item]} {refused[item]}" for item in sorted(refused)[:_NAMED])


def _holds_covers(kind: pa.DataType) -> bool:
    return any(
        check(kind)
        for check in (pa.types.is_string, pa.types.is_large_string, pa.types.is_binary, pa.types.is_large_binary)
    )


def _key(config: ImageConfig, seed: int) -> str:
    """32 hex digits over everything that decides an image's features."""
    weights: list[str | int] = [str(config.weights)]
    if isinstance(config.weights, Path):
        check_network_file(config.weights)
        weights = [hashlib.sha256(config.weights.read_bytes()).hexdigest()]
    elif config.weights == "random":
        weights.append(seed)
    decides = {
        "weights": weights,
        "seen": [config.layer, config.size, config.pixels, config.batch, config.max_pixels],
        "versions": {name: version(name) for name in ("tensorflow", "keras", "numpy", "pillow")},
        "code": [inspect.getsource(module) for module in (images, covers, network)],
    }
    return hashlib.sha256(json.dumps(decides).encode()).hexdigest()[:32]
