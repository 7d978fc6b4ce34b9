"""Keys of the trigger `image`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal

from annotated_types import Ge

from yoorec.config.types import Count, DataPath, ItemColumn
from yoorec.data.images import MAX_PIXELS
from yoorec.vectors.config import VectorRecallConfig

__all__ = ["ImageConfig"]


@dataclass(frozen=True, slots=True)
class ImageConfig(VectorRecallConfig):
    """Which network looks at the covers, and how what it sees recalls."""

    field: ItemColumn = "cover"
    """Item column with the covers, as paths of JPEG, PNG or WebP files or as the files' bytes."""
    optional: bool = False
    """Leave the trigger out where no item has a cover, instead of refusing."""
    weights: Literal["imagenet", "random"] | DataPath = "imagenet"
    """Of Inception-v3: `imagenet`, which Keras downloads once, or `random`, untrained and drawn by the seed. Or the
    path of any network that Keras saved whole: a .keras or .h5 file."""
    layer: str | None = None
    """Layer whose output is taken, averaged over the places of its map; null is the one before the softmax. Of
    Inception-v3 `mixed0` to `mixed10`; of a file any of its layers."""
    size: Annotated[int, Ge(8)] = 299
    """Width and height in pixels to which a cover is brought; nothing is cut off."""
    pixels: Literal["signed", "unit", "raw"] = "signed"
    """Values that the network is used to: -1 to 1, 0 to 1, or 0 to 255."""
    batch: Count = 16
    """Covers that go through the network at a time."""
    max_pixels: Count = MAX_PIXELS
    """Covers with more pixels are left out undecoded."""
