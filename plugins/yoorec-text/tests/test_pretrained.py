"""Files of word vectors: every format gives the same, and nothing damaged or hostile gets through."""

from __future__ import annotations

import gzip
import struct
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from yoorec_text.pretrained import read_vectors

from yoorec.errors import DataError

WORDS = ["the", "New_York", "été", "#fun", "café's"]
VECTORS = np.random.default_rng(0).standard_normal((5, 4)).astype(np.float32)


def binary(words: list[str] = WORDS, vectors: np.ndarray = VECTORS, head: str | None = None, end: str = "") -> bytes:
    rows = [word.encode() + b" " + row.tobytes() + end.encode() for word, row in zip(words, vectors, strict=True)]
    return (head or f"{len(words)} {vectors.shape[1]}\n").encode() + b"".join(rows)


def text(words: list[str] = WORDS, vectors: np.ndarray = VECTORS, head: str | None = None, end: str = "\n") -> bytes:
    rows = [" ".join([word, *map(repr, row.tolist())]) + end for word, row in zip(words, vectors, strict=True)]
    return ((f"{len(words)} {vectors.shape[1]}\n" if head is None else head) + "".join(rows)).encode()


FILES: dict[str, Callable[[], bytes]] = {
    "v.bin": binary,
    "lines.bin": lambda: binary(end="\n"),
    "v.bin.gz": lambda: gzip.compress(binary()),
    "v.txt": text,
    "v.txt.gz": lambda: gzip.compress(text()),
    "v.vec": text,
    "last_line_open.vec": lambda: text()[:-1],
    "glove.txt": lambda: text(head=""),
    "glove.txt.gz": lambda: gzip.compress(text(head="")),
}


# gensim reads a file without a header twice, and leaves the second reading to the garbage collector.
@pytest.mark.filterwarnings(r"ignore:unclosed file .*/glove\.txt:ResourceWarning")
@pytest.mark.parametrize("cached", [True, False])
@pytest.mark.parametrize("name", FILES)
def test_every_format_gives_the_same(name: str, cached: bool, tmp_path: Path) -> None:
    path = tmp_path / name
    path.write_bytes(FILES[name]())
    for _ in range(2):
        words, vectors = read_vectors(path, tmp_path / "cache" if cached else None)
        assert words == WORDS
        assert vectors.dtype == np.float32
        np.testing.assert_array_equal(vectors, VECTORS)
        assert isinstance(vectors, np.memmap) == cached


def test_the_copy_is_found_by_what_the_file_holds(tmp_path: Path) -> None:
    path, cache = tmp_path / "v.bin", tmp_path / "cache"
    path.write_bytes(binary())
    read_vectors(path, cache)
    (copy,) = cache.iterdir()
    assert sorted(each.name for each in copy.iterdir()) == ["vectors.npy", "words.json"]
    path.write_bytes(binary(vectors=VECTORS * 2))
    np.testing.assert_array_equal(read_vectors(path, cache).vectors, VECTORS * 2)
    assert len(list(cache.iterdir())) == 2
    path.write_bytes(binary())
    np.save(copy / "vectors.npy", VECTORS * 3)
    np.testing.assert_array_equal(read_vectors(path, cache).vectors, VECTORS * 3)


@pytest.mark.parametrize("damage", ["words.json", "vectors.npy", "fewer words"])
def test_a_damaged_copy_is_made_again(damage: str, tmp_path: Path) -> None:
    path, cache = tmp_path / "v.bin", tmp_path / "cache"
    path.write_bytes(binary())
    read_vectors(path, cache)
    (copy,) = cache.iterdir()
    if damage == "fewer words":
        (copy / "words.json").write_text('["the"]')
    else:
        (copy / damage).unlink()
    words, vectors = read_vectors(path, cache)
    assert words == WORDS
    np.testing.assert_array_equal(vectors, VECTORS)


@pytest.mark.parametrize("written", [binary, text])
def test_a_word_that_stands_twice_counts_once(written: Callable[[list[str]], bytes], tmp_path: Path) -> None:
    path = tmp_path / "v.bin"
    path.write_bytes(written(["a", "b", "a", "c", "b"]))
    words, vectors = read_vectors(path, None)
    assert words == ["a", "b", "c"]
    np.testing.assert_array_equal(vectors, VECTORS[[0, 1, 3]])


def test_numbers_may_all_be_the_same(tmp_path: Path) -> None:
    path = tmp_path / "v.txt"
    path.write_bytes(b"2 2\nthe 0.5 0.5\nnew 0 0\n")
    assert read_vectors(path, None).vectors.tolist() == [[0.5, 0.5], [0.0, 0.0]]


def test_a_word_cut_in_the_middle_of_a_letter_is_passed(tmp_path: Path) -> None:
    path = tmp_path / "v.bin"
    path.write_bytes(binary().replace("été".encode(), "été".encode()[:-1]))
    words, vectors = read_vectors(path, None)
    assert words[:2] == WORDS[:2]
    np.testing.assert_array_equal(vectors, VECTORS)


def spoiled(value: float) -> np.ndarray:
    vectors = VECTORS.copy()
    vectors[2, 1] = value
    return vectors


HOSTILE: dict[str, tuple[str, bytes, str]] = {
    "empty": ("v.bin", b"", "begins with b''; accepted: the number of words and of numbers in each"),
    "no numbers": ("v.bin", b"hello world\n", "begins with b'hello world\\n'; accepted:"),
    "one number": ("v.txt", b"5\n" + text(head=""), "begins with b'5\\n'; accepted:"),
    "negative": ("v.txt", text(head="-5 4\n"), "begins with b'-5 4\\n'; accepted:"),
    "none of them": ("v.txt", text(head="0 4\n"), "begins with b'0 4\\n'; accepted:"),
    "of no numbers": ("v.txt", text(head="5 0\n"), "begins with b'5 0\\n'; accepted:"),
    "many digits": ("v.txt", text(head="9" * 5000 + " 4\n"), "begins with b'9999"),
    "no line end": ("v.txt", b"1" * 3_000_000, "begins with b'1111"),
    "pickle": ("v.kv", b"\x80\x05\x95\n", "gensim's own format is pickle: write vectors with save_word2vec_format"),
    "huge claim": (
        "v.bin",
        binary(head=f"{10**12} 300\n"),
        "its first line claims 1000000000000 words of 300 numbers, at least 1202000000000000 bytes; ",
    ),
    "huge claim, packed": (
        "v.bin.gz",
        gzip.compress(binary(head=f"5 {10**12}\n")),
        "its first line claims 5 words of 10",
    ),
    "huge claim in text": (
        "v.txt",
        text(head=f"{10**12} 4\n"),
        "its first line claims 1000000000000 words of 4 numbers",
    ),
    "claims a word more": ("v.txt", text(head="6 4\n"), "its first line claims 6 words; 5 lines follow"),
    "claims a word less": ("v.txt", text(head="4 4\n"), "its first line claims 4 words; 5 lines follow"),
    "claims fewer, binary": ("v.bin", binary(head="3 4\n"), "45 bytes follow the 3 words that its first line claims"),
    "ends early": ("v.bin", binary()[:-3], "ends before the 5 words that its first line claims"),
    "ends far too early": ("v.bin", binary()[:50], "its first line claims 5 words of 4 numbers, at least 90 bytes; 46"),
    "packed file ends early": ("v.bin.gz", gzip.compress(binary())[:-30], "can't be read: "),
    "packed file is spoiled": ("v.bin.gz", gzip.compress(binary())[:20] + b"\xff" * 90, "can't be read: "),
    "not packed": ("v.bin.gz", binary(), "is named .gz and is not compressed with gzip"),
    "packed": ("v.bin", gzip.compress(binary()), "is not named .gz and is compressed with gzip"),
    "packed otherwise": ("v.bin.bz2", b"BZh9", ".bz2 is not read; accepted: word2vec's text or binary format"),
    "a number less": ("v.txt", text(vectors=VECTORS[:, :3], head="5 4\n"), "a row is no word and 4 numbers: "),
    "a number more": ("v.txt", text(head="5 3\n"), "a row is no word and 3 numbers: "),
    "one number alone": ("v.txt", b"2 3\nthe 1 2 3\nnew 0.123456\n", "line 3: 1 number, expected 3"),
    "no number": ("v.txt", text().replace(b"the ", b"the x"), "a row is no word and 4 numbers: "),
    "other width": ("v.bin", binary(head="5 3\n"), ""),
    "nan": ("v.bin", binary(vectors=spoiled(np.nan)), "word 3, '\\xe9t\\xe9': nan is no finite number"),
    "infinite": ("v.txt", text(vectors=spoiled(-np.inf)), "word 3, '\\xe9t\\xe9': -inf is no finite number"),
    "not utf-8": (
        "v.bin",
        b"3 1\n" + b"".join(b"\xff\xfe%d " % n + struct.pack("f", n) for n in range(3)),
        "3 of 3 words are no UTF-8, such as '\\ufffd\\ufffd0'; do its rows hold 1 numbers?",
    ),
}


@pytest.mark.parametrize("case", HOSTILE)
def test_a_file_that_is_no_vectors_is_named_with_what_is_wrong(case: str, tmp_path: Path) -> None:
    name, content, message = HOSTILE[case]
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(DataError) as caught:
        read_vectors(path, tmp_path / "cache")
    assert str(caught.value).startswith(f"{path}: ")
    assert message in str(caught.value)
    assert not (tmp_path / "cache").exists()


def test_files_that_are_not_there(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"absent\.bin: can't be read: No such file or directory"):
        read_vectors(tmp_path / "absent.bin", None)
    with pytest.raises(DataError, match="can't be read: Is a directory"):
        read_vectors(tmp_path, None)
