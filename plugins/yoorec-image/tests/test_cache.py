"""The cache of features: it gives back what it was given, and nothing that is damaged."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from yoorec_image.cache import FeatureCache


def keys(numbers: Sequence[int]) -> list[bytes]:
    return [hashlib.sha256(str(number).encode()).digest() for number in numbers]


def rows(numbers: Sequence[int], width: int = 5) -> np.ndarray:
    return np.stack([np.random.default_rng(number).random(width, np.float32) for number in numbers])


def holds(cache: FeatureCache, numbers: Sequence[int]) -> bool:
    found = cache.read()
    expected = dict(zip(keys(numbers), rows(numbers), strict=True)) if numbers else {}
    assert found.keys() == expected.keys()
    return all(found[key].tobytes() == expected[key].tobytes() for key in expected)


def test_it_gives_back_the_bits_it_was_given(tmp_path: Path) -> None:
    cache = FeatureCache(tmp_path / "later" / "made")
    assert holds(cache, [])
    assert not (tmp_path / "later").exists()
    cache.add(keys([1, 2, 3]), rows([1, 2, 3]))
    cache.add(keys([4]), rows([4]))
    cache.add([], np.empty((0, 5), np.float32))
    assert holds(cache, [1, 2, 3, 4])
    assert holds(FeatureCache(tmp_path / "later" / "made"), [1, 2, 3, 4])
    assert len(list((tmp_path / "later" / "made").iterdir())) == 2


def test_none_keeps_nothing() -> None:
    cache = FeatureCache(None)
    cache.add(keys([1]), rows([1]))
    assert cache.read() == {}


def test_damaged_files_are_removed_and_the_others_count(tmp_path: Path) -> None:
    """One bit flipped anywhere, cut short, emptied, something else under the name."""
    cache = FeatureCache(tmp_path)
    cache.add(keys([1, 2]), rows([1, 2]))
    (victim,) = tmp_path.iterdir()
    whole = victim.read_bytes()
    cache.add(keys([3]), rows([3]))
    flipped = bytearray(whole)
    flipped[len(whole) // 2] ^= 1
    for damaged in (bytes(flipped), whole[:-1], whole + b"\0", b"", b"\x80\x04K\x01."):
        victim.write_bytes(damaged)
        assert holds(cache, [3])
        assert not victim.exists()
    victim.write_bytes(whole)
    assert holds(cache, [1, 2, 3])


def test_what_is_not_its_own_is_left_alone(tmp_path: Path) -> None:
    cache = FeatureCache(tmp_path)
    cache.add(keys([1]), rows([1]))
    (tmp_path / ".half.part").write_bytes(b"a fit was killed here")
    (tmp_path / "notes.txt").write_text("mine")
    (tmp_path / "folder.npz").mkdir()
    assert holds(cache, [1])
    assert (tmp_path / ".half.part").exists()
    assert (tmp_path / "notes.txt").exists()


def test_a_write_that_fails_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(self: Path, target: Path) -> Path:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "replace", full)
    with pytest.raises(OSError, match="No space left"):
        FeatureCache(tmp_path).add(keys([1]), rows([1]))
    assert list(tmp_path.iterdir()) == []


def test_several_fits_at_once(tmp_path: Path) -> None:
    """Writers of the same and of other images, and readers in between."""

    def work(turn: int) -> int:
        cache = FeatureCache(tmp_path)
        cache.add(keys([turn % 4, 9]), rows([turn % 4, 9]))
        return len(cache.read())

    with ThreadPoolExecutor(8) as threads:
        assert min(threads.map(work, range(64))) >= 2
    assert holds(FeatureCache(tmp_path), [0, 1, 2, 3, 9])
    assert len(list(tmp_path.iterdir())) == 4, "the same images make the same file"
