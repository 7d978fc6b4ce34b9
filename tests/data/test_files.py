"""Archives: members taken out safely, and hostile ones refused by name."""

from __future__ import annotations

import zipfile
from pathlib import Path

import pytest

from yoorec.data.files import Archive, expand
from yoorec.errors import DataError


def zipped(path: Path, members: dict[str, bytes]) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as out:
        for name, content in members.items():
            out.writestr(name, content)
    return path


def test_a_member_is_found_by_base_name_and_the_shallowest_wins(tmp_path: Path) -> None:
    archive = Archive(zipped(tmp_path / "a.zip", {"x/y/u.data": b"deep", "x/u.data": b"near", "x/README": b""}))
    assert archive.names() == ("README", "u.data")
    assert "u.data" in archive and "u.item" not in archive
    out = tmp_path / "out"
    out.mkdir()
    taken = archive.take("u.data", out)
    assert (taken.parent, taken.read_bytes()) == (out, b"near")


def test_a_folder_is_read_in_place(tmp_path: Path) -> None:
    (tmp_path / "ml").mkdir()
    (tmp_path / "ml" / "u.data").write_bytes(b"1")
    assert Archive(tmp_path).take("u.data", tmp_path) == tmp_path / "ml" / "u.data"


@pytest.mark.parametrize("name", ["../u.data", "a/../../u.data", "/etc/u.data", "..\\u.data", "C:\\u.data"])
def test_a_member_that_points_outside_is_refused(tmp_path: Path, name: str) -> None:
    path = zipped(tmp_path / "a.zip", {"ratings.csv": b"", name: b"x"})
    with pytest.raises(DataError) as caught:
        Archive(path)
    assert str(caught.value) == f"{path}: refused: its member '{name}' points outside the archive"


def test_a_zip_bomb_is_refused_before_it_fills_the_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Archive, "free_bytes", 1 << 20)
    path = zipped(tmp_path / "a.zip", {"u.data": b"\0" * (16 << 20)})
    out = tmp_path / "out"
    out.mkdir()
    with pytest.raises(DataError) as caught:
        Archive(path).take("u.data", out)
    assert str(caught.value) == f"{path}: refused: member 'u.data' unpacks to more than 200 times its packed size"
    assert (out / "u.data").stat().st_size <= 4 << 20


def test_a_member_above_the_size_limit_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Archive, "limit_bytes", 100)
    path = zipped(tmp_path / "a.zip", {"u.data": bytes(range(200))})
    with pytest.raises(DataError) as caught:
        Archive(path).take("u.data", tmp_path)
    assert str(caught.value) == f"{path}: refused: member 'u.data' unpacks to more than 100 bytes"


def test_a_damaged_archive_is_named(tmp_path: Path) -> None:
    path = tmp_path / "a.zip"
    path.write_bytes(b"PK\x03\x04 no zip")
    with pytest.raises(DataError) as caught:
        Archive(path)
    assert str(caught.value) == f"{path}: can't be read as a zip archive: File is not a zip file"
    whole = zipped(path, {"u.data": bytes(range(256)) * 64}).read_bytes()
    path.write_bytes(whole[:60] + b"\xff" * 20 + whole[80:])
    with pytest.raises(DataError, match=r"member 'u\.data' can't be unpacked"):
        Archive(path).take("u.data", tmp_path)


def test_no_files_at_all() -> None:
    with pytest.raises(DataError) as caught:
        expand(())
    assert str(caught.value) == "no file is named for the table"
