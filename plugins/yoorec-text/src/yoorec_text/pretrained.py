"""Public word vectors: files in word2vec's format, read by gensim once, then kept as plain arrays and mapped."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import shutil
import tempfile
import zlib
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from yoorec.artifacts.arrays import load_arrays, save_arrays
from yoorec.errors import ArtifactError, DataError, PluginError

__all__ = ["WordVectors", "read_vectors"]

_LINE = 1 << 20
"""Bytes of the longest line that is looked at before gensim reads a file: more than any row of numbers takes."""
_SAMPLE = 1000
_CHUNK = 1 << 20
_GZIP = b"\x1f\x8b"
_COMPRESSED = (".bz2", ".xz", ".zst", ".zip")
_BROKEN = 0.01
"""Share of words that may hold bytes which are no UTF-8; word2vec cuts long words in the middle of a character."""


class WordVectors(NamedTuple):
    """V words, each once, and their vectors float32 [V, D]."""

    words: list[str]
    vectors: npt.NDArray[np.float32]


class _Layout(NamedTuple):
    """So many rows of `dim` numbers, with a first line that says so or without; `size` bytes follow that line."""

    rows: int
    dim: int
    binary: bool
    header: bool
    size: int


def read_vectors(path: Path, cache: Path | None) -> WordVectors:
    """The words and vectors of a file in word2vec's text or binary format (also GloVe's text, which lacks the header).

    Whatever is compressed is named `.gz`. gensim reads the whole file; a copy as arrays, named by the file's SHA-256,
    stays in the folder `cache` and is mapped into memory, so that later only the rows in use are read.
    Raises DataError naming the file where it is missing, damaged or something else.
    """
    try:
        with path.open("rb") as file:
            name = hashlib.file_digest(file, "sha256").hexdigest()[:32]
    except OSError as error:
        raise DataError(f"{path}: can't be read: {error.strerror or error}") from error
    kept = None if cache is None else cache / name
    if kept is not None and kept.is_dir():
        try:
            return _opened(kept)
        except (ArtifactError, OSError, ValueError):
            shutil.rmtree(kept, ignore_errors=True)  # a damaged copy is made again
    found = _read(path)
    if kept is None:
        return found
    _keep(found, kept)
    return _opened(kept)


def _opened(folder: Path) -> WordVectors:
    words = json.loads((folder / "words.json").read_text("utf-8"))
    (vectors,) = load_arrays(folder, "vectors", mapped=True)
    if vectors.dtype != np.float32 or vectors.shape[:1] != (len(words),):
        raise ArtifactError(f"{folder}: {vectors.dtype} {vectors.shape} for {len(words)} words")
    return WordVectors(words, vectors)


def _keep(found: WordVectors, kept: Path) -> None:
    """Write aside, then rename: a fit at the same time, or one that is cut off, leaves no half copy under the name."""
    kept.parent.mkdir(parents=True, exist_ok=True)
    aside = Path(tempfile.mkdtemp(prefix=f".{kept.name}-", dir=kept.parent))
    try:
        save_arrays(aside, vectors=found.vectors)
        (aside / "words.json").write_text(json.dumps(found.words), "utf-8")
        try:
            aside.rename(kept)
        except OSError:
            if not kept.is_dir():
                raise
    finally:
        shutil.rmtree(aside, ignore_errors=True)


def _read(path: Path) -> WordVectors:
    layout = _checked(path)
    try:
        from gensim.models import KeyedVectors
    except ImportError as error:
        raise PluginError(f"word vectors need gensim: pip install gensim ({error})") from error
    try:
        loaded: Any = KeyedVectors.load_word2vec_format(
            str(path.resolve()), binary=layout.binary, no_header=not layout.header, unicode_errors="replace"
        )
    except EOFError as error:
        raise DataError(f"{path}: ends before the {layout.rows} words that its first line claims") from error
    except (ValueError, IndexError, OverflowError) as error:
        raise DataError(f"{path}: a row is no word and {layout.dim} numbers: {error}") from error
    # A word that stands twice counts once, and leaves gensim's other lists with empty places at their end.
    words = list(loaded.key_to_index)
    vectors: npt.NDArray[np.float32] = loaded.vectors[: len(words)]
    if layout.binary and len(words) == layout.rows:
        taken = sum(len(word.encode()) + 1 for word in words) + 4 * layout.dim * layout.rows
        if not any("\ufffd" in word for word in words) and layout.size > taken + layout.rows:
            raise DataError(
                f"{path}: {layout.size - taken} bytes follow the {layout.rows} words that its first line claims"
            )
    broken = [word for word in words if "\ufffd" in word]
    if len(broken) > max(_BROKEN * len(words), 1):
        raise DataError(
            f"{path}: {len(broken)} of {len(words)} words are no UTF-8, such as {broken[0][:20]!a}; "
            f"do its rows hold {layout.dim} numbers?"
        )
    for start in range(0, len(words), 65_536):
        part = vectors[start : start + 65_536]
        finite = np.isfinite(part).all(axis=1)
        if not finite.all():
            row = int(np.argmin(finite))
            value = part[row][~np.isfinite(part[row])][0]
            raise DataError(f"{path}: word {start + row + 1}, {words[start + row]!a}: {value} is no finite number")
    # gensim spreads a row's only number over all places.
    if not layout.binary and layout.dim > 1 and (vectors == vectors[:, :1]).all(axis=1).any():
        _check_rows(path, layout)
    return WordVectors(words, vectors)


def _check_rows(path: Path, layout: _Layout) -> None:
    """Raise DataError at the first row of a text file that holds a word and one number."""
    with path.open("rb") as file:
        for line, row in enumerate(gzip.GzipFile(fileobj=file) if path.suffix == ".gz" else file, 1):
            if len(row.split()) == 2 and line > layout.header:
                raise DataError(f"{path}: line {line}: 1 number, expected {layout.dim}")


def _checked(path: Path) -> _Layout:
    """What a file says of itself, compared with what it holds: gensim makes room for whatever the first line claims."""
    if path.suffix in _COMPRESSED:
        raise DataError(f"{path}: {path.suffix} is not read; accepted: word2vec's text or binary format, plain or .gz")
    try:
        with path.open("rb") as file:
            if (file.peek(2)[:2] == _GZIP) != (path.suffix == ".gz"):
                said = "is named .gz and is not" if path.suffix == ".gz" else "is not named .gz and is"
                raise DataError(f"{path}: {said} compressed with gzip")
            unpacked: gzip.GzipFile | io.BufferedReader = gzip.GzipFile(fileobj=file) if path.suffix == ".gz" else file
            first = unpacked.readline(_LINE)
            sample = unpacked.read(_SAMPLE)
            size, lines, chunk = 0, 0, sample
            last = b""
            while chunk:
                size, lines, last = size + len(chunk), lines + chunk.count(b"\n"), chunk[-1:]
                chunk = unpacked.read(_CHUNK)
    except (OSError, EOFError, zlib.error) as error:
        raise DataError(f"{path}: can't be read: {error}") from error
    return _layout(path, first, sample, size, lines + (last not in (b"", b"\n")))


def _layout(path: Path, first: bytes, sample: bytes, size: int, lines: int) -> _Layout:
    """The layout by the first line, some bytes after it, and the number of bytes and lines after it."""
    head = first.split()
    if len(head) > 2 and first.endswith(b"\n") and all(map(_is_number, head[1:])):
        return _Layout(lines + 1, len(head) - 1, binary=False, header=False, size=size)
    if len(head) != 2 or not all(each.isdigit() and len(each) <= 18 and int(each) for each in head):
        hint = (
            "; gensim's own format is pickle: write vectors with save_word2vec_format" if first[:1] == b"\x80" else ""
        )
        raise DataError(
            f"{path}: begins with {first[:40]!r}; accepted: the number of words and of numbers in each, as word2vec "
            f"writes them, or a word and its numbers, as GloVe does{hint}"
        )
    rows, dim = int(head[0]), int(head[1])
    binary = not _is_text(sample)
    least = rows * (4 * dim + 2) if binary else rows * (2 * dim + 2) - 1
    if size < least:
        raise DataError(
            f"{path}: its first line claims {rows} words of {dim} numbers, at least {least} bytes; {size} follow"
        )
    if not binary and lines != rows:
        raise DataError(f"{path}: its first line claims {rows} words; {lines} lines follow")
    return _Layout(rows, dim, binary, header=True, size=size)


def _is_number(text: bytes) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _is_text(sample: bytes) -> bool:
    """Whether bytes are text in UTF-8, of which the last character may be cut; numbers in binary hardly ever are."""
    try:
        text = sample.decode()
    except UnicodeDecodeError as error:
        if error.start < len(sample) - 3:
            return False
        text = sample[: error.start].decode()
    return all(letter >= " " or letter in "\t\r\n" for letter in text)
