"""Covers made small, as text that a page can hold."""

from __future__ import annotations

import base64
import io
from collections.abc import Sequence
from dataclasses import dataclass

from yoorec.data.catalogue import Catalogue
from yoorec.data.images import open_cover
from yoorec.errors import DataError

__all__ = ["Look", "looks_of"]

_SIDE = 240


@dataclass(frozen=True, slots=True)
class Look:
    """How an item is shown.

    title: its id where it has none. image: a data URI of a JPEG, empty without a cover. shape: its width over height.
    fault: why its cover can't be shown.
    """

    title: str
    image: str = ""
    shape: float = 1.0
    fault: str = ""


def looks_of(catalogue: Catalogue, items: Sequence[str]) -> dict[str, Look]:
    """How each item is shown, by id."""
    rows = catalogue.items.encode(items).tolist()
    columns = catalogue.item_columns
    titles = columns["title"] if "title" in columns.column_names else None
    covers = columns["cover"] if "cover" in columns.column_names else None
    found = {}
    for item, row in zip(items, rows, strict=True):
        title = None if titles is None else titles[row].as_py()
        cover = None if covers is None else covers[row].as_py()
        found[item] = _look(str(title).strip() if title is not None else "", cover, item)
    return found


def _look(title: str, cover: str | bytes | None, item: str) -> Look:
    title = title or item
    if cover is None:
        return Look(title)
    try:
        image = open_cover(cover)
    except DataError as error:
        return Look(title, fault=f"the cover {error}")
    image.thumbnail((_SIDE, _SIDE))
    packed = io.BytesIO()
    image.save(packed, "jpeg", quality=82, optimize=True)
    uri = f"data:image/jpeg;base64,{base64.b64encode(packed.getvalue()).decode('ascii')}"
    return Look(title, uri, image.width / image.height)
