"""Covers of items: checksums and pixels, read on several threads and never far ahead."""

from __future__ import annotations

import hashlib
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from yoorec.data.images import open_cover, read_cover
from yoorec.errors import DataError

__all__ = ["checksums", "pixels"]

In = TypeVar("In")
Out = TypeVar("Out")


def checksums(covers: pa.ChunkedArray, threads: int) -> Iterator[bytes | str | None]:
    """Of each cover the SHA-256 of its file, or why that can't be read; None where there is no cover."""

    def sum_of(cover: Any) -> bytes | str | None:
        value = cover.as_py()
        if value is None:
            return None
        try:
            return hashlib.sha256(read_cover(value)).digest()
        except DataError as error:
            return str(error)

    return _in_order(sum_of, covers, threads)


def pixels(
    covers: Iterable[tuple[str | bytes, bytes]], max_pixels: int, threads: int
) -> Iterator[npt.NDArray[np.uint8] | str]:
    """Of each cover and its checksum the image, uint8 [height, width, 3], or why it can't be shown."""

    def image_of(cover: tuple[str | bytes, bytes]) -> npt.NDArray[np.uint8] | str:
        try:
            data = read_cover(cover[0])
            if hashlib.sha256(data).digest() != cover[1]:
                return "has changed while it was read"
            return np.asarray(open_cover(data, max_pixels=max_pixels))
        except DataError as error:
            return str(error)

    return _in_order(image_of, covers, threads)


def _in_order(function: Callable[[In], Out], values: Iterable[In], threads: int) -> Iterator[Out]:
    """The function of each value, computed on so many threads, at most two values a thread ahead of who asks."""
    with ThreadPoolExecutor(threads) as pool:
        ahead: deque[Future[Out]] = deque()
        for value in values:
            ahead.append(pool.submit(function, value))
            if len(ahead) > 2 * threads:
                yield ahead.popleft().result()
        while ahead:
            yield ahead.popleft().result()
