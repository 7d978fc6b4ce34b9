"""Files of a table: patterns to paths, plain or gzipped bytes, and members of an archive taken out safely."""

from __future__ import annotations

import glob
import gzip
import re
import zipfile
import zlib
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import IO, BinaryIO

from yoorec.errors import DataError, nearest

__all__ = ["Archive", "expand", "format_of", "open_bytes"]

_SUFFIXES = {".csv": "csv", ".tsv": "csv", ".jsonl": "jsonl", ".ndjson": "jsonl", ".parquet": "parquet"}


def expand(paths: Path | Sequence[Path]) -> list[Path]:
    """Paths and glob patterns to files, patterns sorted by name. Raises DataError naming what is not there."""
    found: list[Path] = []
    for path in (paths,) if isinstance(paths, Path) else paths:
        if path.is_file():
            found.append(path)
            continue
        matches = (
            sorted(Path(name) for name in glob.glob(str(path), recursive=True))  # noqa: PTH207 - absolute patterns
            if glob.has_magic(str(path))
            else []
        )
        matches = [match for match in matches if match.is_file()]
        if not matches:
            raise DataError(_missing(path))
        found.extend(matches)
    if not found:
        raise DataError("no file is named for the table")
    return found


def _missing(path: Path) -> str:
    if path.is_dir():
        return f"{path}: is a folder; name its files, such as {path / '*.parquet'}"
    if glob.has_magic(str(path)):
        return f"{path}: no file matches"
    beside = sorted(entry.name for entry in path.parent.iterdir()) if path.parent.is_dir() else []
    close = nearest(path.name, beside)
    return f"{path}: there is no such file" + (f"; nearest: {close}" if close else "")


def format_of(path: Path) -> str:
    """ "csv", "jsonl" or "parquet", by suffix. Raises DataError naming the suffixes known."""
    suffixes = [suffix.lower() for suffix in path.suffixes]
    zipped = bool(suffixes) and suffixes[-1] == ".gz"
    suffix = suffixes[-2] if zipped and len(suffixes) > 1 else (suffixes[-1] if suffixes else "")
    kind = _SUFFIXES.get(suffix)
    if kind is None or (zipped and kind == "parquet"):
        raise DataError(
            f"{path}: '{path.suffix}' is no known kind of table; accepted: {', '.join(_SUFFIXES)}, "
            "and .gz after all but .parquet"
        )
    return kind


@contextmanager
def open_bytes(path: Path) -> Iterator[BinaryIO | gzip.GzipFile]:
    """The file's bytes, unzipped where its name ends in .gz. Raises DataError naming a file that can't be read."""
    try:
        if path.suffix.lower() == ".gz":
            with gzip.open(path, "rb") as unzipped:
                yield unzipped
        else:
            with path.open("rb") as plain:
                yield plain
    except (OSError, EOFError, zlib.error) as error:
        raise DataError(f"{path}: can't be read: {error}") from error


class Archive:
    """A folder or a zip file whose members are asked for by base name.

    A zip is never unpacked whole: a wanted member is streamed to a file of our own naming, so its path inside the
    archive decides nothing; an archive that tries anyway (absolute paths, ``..``) is refused.
    """

    limit_bytes = 8 << 30
    """A member that unpacks to more is refused."""
    limit_ratio = 200
    """So is one that unpacks to this many times its packed size, once past `free_bytes`."""
    free_bytes = 64 << 20

    def __init__(self, path: Path) -> None:
        self.path = path
        self._members: dict[str, str] = {}
        if path.is_dir():
            names: Iterable[str] = [
                entry.relative_to(path).as_posix() for entry in sorted(path.rglob("*")) if entry.is_file()
            ]
        elif path.is_file():
            names = self._names_in_zip()
        else:
            raise DataError(_missing(path))
        for name in names:
            base = PurePosixPath(name).name
            shorter = self._members.get(base)
            if shorter is None or (name.count("/"), name) < (shorter.count("/"), shorter):
                self._members[base] = name

    def _names_in_zip(self) -> list[str]:
        try:
            with zipfile.ZipFile(self.path) as opened:
                names = [entry.filename for entry in opened.infolist() if not entry.is_dir()]
        except (zipfile.BadZipFile, OSError, NotImplementedError, UnicodeDecodeError) as error:
            raise DataError(f"{self.path}: can't be read as a zip archive: {error}") from error
        for name in names:
            parts = PurePosixPath(name.replace("\\", "/"))
            if parts.is_absolute() or ".." in parts.parts or re.match(r"^[A-Za-z]:", name):
                raise DataError(f"{self.path}: refused: its member '{name}' points outside the archive")
        return names

    def __contains__(self, base: str) -> bool:
        return base in self._members

    def names(self) -> tuple[str, ...]:
        """Base names of all members, sorted."""
        return tuple(sorted(self._members))

    def take(self, base: str, folder: Path) -> Path:
        """A readable file with the member's content: itself where it lies in a folder, else unpacked into `folder`."""
        if self.path.is_dir():
            return self.path / self._members[base]
        target = folder / base
        try:
            with zipfile.ZipFile(self.path) as opened:
                packed = opened.getinfo(self._members[base]).compress_size
                with opened.open(self._members[base]) as member, target.open("wb") as out:
                    self._copy(member, out, base, packed)
        except (
            zipfile.BadZipFile,
            OSError,
            EOFError,
            zlib.error,
            RuntimeError,
            NotImplementedError,
        ) as error:
            raise DataError(f"{self.path}: member '{base}' can't be unpacked: {error}") from error
        return target

    def _copy(self, member: IO[bytes], out: IO[bytes], base: str, packed: int) -> None:
        written = 0
        while block := member.read(1 << 20):
            written += len(block)
            bomb = written > self.free_bytes and written > self.limit_ratio * max(packed, 1)
            if written > self.limit_bytes or bomb:
                raise DataError(
                    f"{self.path}: refused: member '{base}' unpacks to more than "
                    + (f"{self.limit_ratio} times its packed size" if bomb else f"{self.limit_bytes} bytes")
                )
            out.write(block)
