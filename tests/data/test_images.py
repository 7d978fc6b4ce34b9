"""Covers opened: what is accepted looks right, and each thing that isn't is refused with a reason of its own."""

from __future__ import annotations

import io
import os
import struct
import subprocess
import sys
import warnings
import zlib
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from yoorec.data import images
from yoorec.data.images import open_cover, read_cover
from yoorec.errors import DataError

RED, GREEN, BLUE, WHITE = (255, 0, 0), (0, 255, 0), (0, 0, 255), (255, 255, 255)


def encoded(image: Image.Image, kind: str = "png", **options: Any) -> bytes:
    written = io.BytesIO()
    image.save(written, kind, **options)
    return written.getvalue()


def corners(width: int = 40, height: int = 20) -> Image.Image:
    """Red, green, blue and white quarters, clockwise from the upper left."""
    image = Image.new("RGB", (width, height), WHITE)
    image.paste(RED, (0, 0, width // 2, height // 2))
    image.paste(GREEN, (width // 2, 0, width, height // 2))
    image.paste(BLUE, (width // 2, height // 2, width, height))
    return image


def png_of_size(width: int, height: int) -> bytes:
    """A PNG whose header is sound and whose pixels are missing."""

    def chunk(name: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"")) + chunk(b"IEND", b"")


def webp_of_size(width: int, height: int) -> bytes:
    data = b"VP8X" + struct.pack("<I", 10) + bytes(4) + (width - 1).to_bytes(3, "little")
    data += (height - 1).to_bytes(3, "little")
    return b"RIFF" + struct.pack("<I", len(data) + 4) + b"WEBP" + data


def refusal(value: str | bytes, **options: Any) -> str:
    with pytest.raises(DataError) as error:
        open_cover(value, **options)
    return str(error.value)


@pytest.mark.parametrize(
    ("kind", "options"),
    [("png", {}), ("webp", {"lossless": True}), ("webp", {"quality": 95}), ("jpeg", {"quality": 95})],
)
def test_the_three_formats_by_bytes_and_by_path(kind: str, options: dict[str, Any], tmp_path: Path) -> None:
    data = encoded(corners(), kind, **options)
    (tmp_path / "cover").write_bytes(data)
    found = open_cover(data)
    assert found.mode == "RGB"
    assert found.size == (40, 20)
    assert np.abs(np.asarray(found, int) - np.asarray(corners(), int))[2:8, 4:16].max() < 8
    assert found == open_cover(str(tmp_path / "cover"))
    assert read_cover(str(tmp_path / "cover")) == read_cover(data) == data


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("kind", ["jpeg", "png", "webp"])
def test_it_is_turned_upright(orientation: int, kind: str) -> None:
    """A camera's pixels for each orientation: the upright ones turned the other way, after the EXIF standard."""
    upright = np.asarray(corners())
    held = {
        1: upright,
        2: upright[:, ::-1],
        3: upright[::-1, ::-1],
        4: upright[::-1],
        5: upright.transpose(1, 0, 2),
        6: np.rot90(upright, 1),
        7: upright[::-1, ::-1].transpose(1, 0, 2),
        8: np.rot90(upright, -1),
    }[orientation]
    exif = Image.Exif()
    exif[0x0112] = orientation
    quality = {"jpeg": {"quality": 95, "subsampling": 0}, "webp": {"lossless": True}, "png": {}}[kind]
    found = open_cover(encoded(Image.fromarray(np.ascontiguousarray(held)), kind, exif=exif, **quality))
    assert found.size == (40, 20)
    assert np.abs(np.asarray(found, int) - upright)[2:8, 4:16].max() < 8
    assert np.abs(np.asarray(found, int) - upright)[12:18, 24:36].max() < 8


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGB", "RGBA"])
def test_every_plain_mode_becomes_rgb(mode: str) -> None:
    image = Image.new("RGB", (8, 8), WHITE)
    image.paste((0, 0, 0), (0, 0, 4, 8))
    found = np.asarray(open_cover(encoded(image.convert(mode))))
    assert found.shape == (8, 8, 3)
    assert (found[:, :4] == 0).all()
    assert (found[:, 4:] == 255).all()


def test_what_is_transparent_shows_white() -> None:
    """By an alpha channel, half and whole; by a palette's entry; by one colour of an RGB or grey image."""
    clear = Image.new("RGBA", (4, 1), (255, 0, 0, 255))
    clear.putpixel((1, 0), (255, 0, 0, 0))
    clear.putpixel((2, 0), (0, 0, 0, 128))
    for kind, options in (("png", {}), ("webp", {"lossless": True})):
        found = np.asarray(open_cover(encoded(clear, kind, **options)))
        assert found[0].tolist() == [[255, 0, 0], [255, 255, 255], [127, 127, 127], [255, 0, 0]]
    palette = Image.new("P", (2, 1))
    palette.putpalette([0, 0, 255, 0, 255, 0])
    palette.putpixel((1, 0), 1)
    assert np.asarray(open_cover(encoded(palette, transparency=1)))[0].tolist() == [[0, 0, 255], [255, 255, 255]]
    assert np.asarray(open_cover(encoded(palette, transparency=b"\xff\0")))[0, 1].tolist() == [255, 255, 255]
    keyed = encoded(palette.convert("RGB"), transparency=(0, 255, 0))
    assert np.asarray(open_cover(keyed))[0].tolist() == [[0, 0, 255], [255, 255, 255]]


def test_an_animation_gives_its_first_frame() -> None:
    frames = [Image.new("RGB", (8, 8), colour) for colour in (RED, BLUE)]
    for kind, options in (("webp", {"lossless": True}), ("png", {})):
        data = encoded(frames[0], kind, save_all=True, append_images=frames[1:], **options)
        assert np.asarray(open_cover(data))[3, 3].tolist() == list(RED)


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (b"", "is empty"),
        (b"\x00" * 100, "is no image; JPEG, PNG and WebP are accepted"),
        (b"not an image at all", "is no image; JPEG, PNG and WebP are accepted"),
        (bytes(range(32)), "is no image; JPEG, PNG and WebP are accepted"),
        (encoded(corners(), "gif"), "is a GIF; JPEG, PNG and WebP are accepted"),
        (encoded(corners(), "bmp"), "is a BMP; JPEG, PNG and WebP are accepted"),
        (encoded(corners(), "tiff"), "is a TIFF; JPEG, PNG and WebP are accepted"),
        (b"<!DOCTYPE html><html>404</html>", "is a web page; JPEG, PNG and WebP are accepted"),
        (b"\0\0\0\x1cftypavif\0\0\0\0", "is an AVIF; JPEG, PNG and WebP are accepted"),
        (encoded(corners().convert("CMYK"), "jpeg"), "is a JPEG of CMYK colours; grey, palette and RGB are accepted"),
        (
            encoded(Image.new("I;16", (4, 4))),
            "is a PNG of I;16 colours; grey, palette and RGB are accepted",
        ),
        (
            "http://example.com/a.png",
            "'http://example.com/a.png' is an address; covers are read from files, never fetched",
        ),
        ("nowhere/a.png", "there is no file 'a.png'"),
        ("a\0b", "'a\0b' can't be read: embedded null byte"),
        ("x" * 5000, f"'{'x' * 60}' can't be read: File name too long"),
    ],
    ids=lambda value: str(value[:12]),
)
def test_refused(value: str | bytes, message: str) -> None:
    assert refusal(value) == message


def test_refused_by_what_lies_at_the_path(tmp_path: Path) -> None:
    (tmp_path / "covers").mkdir()
    assert refusal(str(tmp_path / "covers")) == "'covers' is a folder"
    os.mkfifo(tmp_path / "pipe")
    assert refusal(str(tmp_path / "pipe")) == "'pipe' is no regular file"
    assert refusal("/dev/zero") == "'zero' is no regular file"
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    assert refusal(str(tmp_path / "loop")).startswith("'loop' can't be read: ")
    (tmp_path / "none.png").write_bytes(b"")
    assert refusal(str(tmp_path / "none.png")) == "is empty"


def test_no_more_is_read_than_the_limit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file of a terabyte, most of it never written."""
    with (tmp_path / "huge.png").open("wb") as file:
        file.truncate(1 << 36)
    assert refusal(str(tmp_path / "huge.png")) == "has more than 64 MB"
    monkeypatch.setattr(images, "MAX_BYTES", 1 << 20)
    assert refusal(bytes((1 << 20) + 1)) == "has more than 1 MB"
    assert refusal(bytes(1 << 20)).startswith("is no image")


@pytest.mark.parametrize("data", [png_of_size(10_000, 5_000), webp_of_size(10_000, 5_000)], ids=["png", "webp"])
def test_large_images_are_refused_undecoded(data: bytes) -> None:
    """There are no pixels behind the header, so a decoder would have failed otherwise."""
    assert refusal(data) == "has 10000 x 5000 pixels; at most 25,000,000 are accepted"
    assert refusal(data, max_pixels=50_000_000).startswith("is a damaged ")


def test_a_large_jpeg_is_refused_by_its_header_and_a_limit_is_inclusive() -> None:
    data = bytearray(encoded(corners(), "jpeg"))
    frame = data.index(b"\xff\xc0")
    data[frame + 5 : frame + 9] = struct.pack(">HH", 60_000, 60_000)
    assert refusal(bytes(data)) == "has 60000 x 60000 pixels; at most 25,000,000 are accepted"
    for kind, options in (("png", {}), ("jpeg", {}), ("webp", {"lossless": True}), ("webp", {"lossless": False})):
        whole = encoded(corners(), kind, **options)
        assert open_cover(whole, max_pixels=800).size == (40, 20)
        assert refusal(whole, max_pixels=799) == "has 40 x 20 pixels; at most 799 are accepted"


def test_a_jpeg_of_endless_scans_is_refused() -> None:
    """Each of a few bytes, each costing the decoder a pass over the whole image."""
    data = encoded(corners(), "jpeg", progressive=True)
    scan = data.rindex(b"\xff\xda")
    endless = data[:scan] + data[scan:-2] * 200 + b"\xff\xd9"
    assert refusal(endless) == "is a JPEG of more than 100 scans"


@pytest.mark.parametrize("kind", ["png", "jpeg", "webp"])
def test_truncated_anywhere(kind: str) -> None:
    """All but a PNG's or JPEG's last few bytes, which hold no pixels, must be there."""
    rng = np.random.default_rng(1)
    noise = Image.fromarray(rng.integers(0, 256, (64, 64, 3)).astype(np.uint8))
    data = encoded(noise, kind)
    for length in range(16, len(data) - 20, 97):
        assert refusal(data[:length]).startswith(f"is a damaged {kind.upper().replace('WEBP', 'WebP')}: ")


@given(st.sampled_from(["png", "jpeg", "webp"]), st.lists(st.tuples(st.integers(12, 10_000), st.integers(0, 255))))
@settings(max_examples=300, deadline=None)
def test_damage_gives_an_image_or_a_reason(kind: str, changes: list[tuple[int, int]]) -> None:
    exif = Image.Exif()
    exif[0x0112], exif[0x010E] = 6, "a description"
    data = bytearray(encoded(corners(), kind, exif=exif))
    for place, value in changes:
        data[12 + place % (len(data) - 12)] = value
    try:
        assert open_cover(bytes(data), max_pixels=100_000).mode == "RGB"
    except DataError as error:
        assert str(error)


def test_damaged_exif_data_are_ignored() -> None:
    plain = open_cover(encoded(corners(), "jpeg"))
    for exif in (b"Exif\0\0MM\0*\0\0\0\x08\0\xff\x01\x12", b"Exif\0\0nonsense", b"Exif\0\0" + bytes(50)):
        assert open_cover(encoded(corners(), "jpeg", exif=exif)) == plain


def test_pillow_warns_of_nothing_and_settings_are_left_alone() -> None:
    exif = b"Exif\0\0MM\0*\0\0\0\x08\0\xff\x01\x12"
    before = list(warnings.filters)
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        refusal(png_of_size(12_000, 12_000))
        open_cover(encoded(corners(), "jpeg", exif=exif))
    assert told == []
    assert warnings.filters == before


def test_from_several_threads() -> None:
    data = [encoded(corners(40, 20 + 2 * turn), "png" if turn % 2 else "jpeg") for turn in range(40)]
    with ThreadPoolExecutor(8) as threads:
        found = list(threads.map(open_cover, data))
    assert [image.size for image in found] == [(40, 20 + 2 * turn) for turn in range(40)]


def test_no_file_stays_open(tmp_path: Path) -> None:
    (tmp_path / "good.png").write_bytes(encoded(corners()))
    (tmp_path / "bad.png").write_bytes(encoded(corners())[:60])
    before = len(list(Path("/proc/self/fd").iterdir()))
    kept = [open_cover(str(tmp_path / "good.png")) for _ in range(5)]
    refusal(str(tmp_path / "bad.png"))
    assert len(list(Path("/proc/self/fd").iterdir())) == before
    assert len(kept) == 5


def test_importing_it_imports_no_pillow() -> None:
    code = "import sys, yoorec.data.images; sys.exit('PIL' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
