"""Features of images that were computed before, kept by the checksums of their files."""

from __future__ import annotations

import hashlib
import io
import os
import tempfile
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

import numpy as np
import numpy.typing as npt

__all__ = ["FeatureCache"]

F32 = npt.NDArray[np.float32]


class FeatureCache:
    """A folder of .npz files, each with `checksum` uint8 [N, 32] and `features` float32 [N, D] of N images.

    A file is written aside and renamed, so that whoever reads sees it whole or not at all. Its name is the checksum of
    what it holds: a damaged one is removed unread, and its images are computed again. The folder belongs to one way of
    computing features; None keeps nothing.
    """

    def __init__(self, folder: Path | None) -> None:
        self.folder = folder

    def read(self) -> dict[bytes, F32]:
        """float32 [D] of each image kept, by the checksum of its file."""
        found: dict[bytes, F32] = {}
        for path in sorted(self.folder.glob("*.npz")) if self.folder is not None else ():
            try:
                data = path.read_bytes()
            except OSError:
                continue
            if _name_of(data) != path.name:
                _remove(path)
                continue
            with np.load(io.BytesIO(data), allow_pickle=False) as arrays:
                checksum, features = arrays["checksum"], arrays["features"]
            found.update(zip((row.tobytes() for row in checksum), features, strict=True))
        return found

    def add(self, checksums: Sequence[bytes], features: F32) -> None:
        """Keep float32 [N, D] of N images by their checksums."""
        if self.folder is None or not checksums:
            return
        packed = io.BytesIO()
        checksum = np.frombuffer(b"".join(checksums), np.uint8).reshape(len(checksums), 32)
        np.savez(packed, checksum=checksum, features=features)
        data = packed.getvalue()
        self.folder.mkdir(parents=True, exist_ok=True)
        handle, aside = tempfile.mkstemp(prefix=".", suffix=".part", dir=self.folder)
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(data)
            Path(aside).replace(self.folder / _name_of(data))
        except BaseException:
            _remove(Path(aside))
            raise


def _name_of(data: bytes) -> str:
    return f"{hashlib.sha256(data).hexdigest()[:32]}.npz"


def _remove(path: Path) -> None:
    with suppress(OSError):
        path.unlink()
