from pathlib import Path

import numpy as np
import pytest

from yoorec.artifacts.arrays import load_arrays, save_arrays
from yoorec.errors import ArtifactError


def test_round_trip_keeps_dtype_shape_and_order(tmp_path: Path) -> None:
    save_arrays(tmp_path, a=np.arange(3, dtype=np.int32), b=np.zeros((0, 2), np.float32))
    b, a = load_arrays(tmp_path, "b", "a")
    assert a.dtype == np.int32
    assert a.tolist() == [0, 1, 2]
    assert b.shape == (0, 2)


def test_mapped_array_reads_the_same(tmp_path: Path) -> None:
    save_arrays(tmp_path, a=np.arange(1000, dtype=np.float64))
    (a,) = load_arrays(tmp_path, "a", mapped=True)
    assert isinstance(a, np.memmap)
    assert float(a.sum()) == 499500.0


def test_objects_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="Object arrays"):
        save_arrays(tmp_path, a=np.array([{}], object))


@pytest.mark.parametrize("content", [None, b"", b"not an array"])
def test_unreadable_array_names_the_file(tmp_path: Path, content: bytes | None) -> None:
    if content is not None:
        (tmp_path / "a.npy").write_bytes(content)
    with pytest.raises(ArtifactError, match=r"a\.npy: can't be read as an array"):
        load_arrays(tmp_path, "a")
