"""Covers as images: read, checked by their headers, and only then decoded."""

from __future__ import annotations

import io
import stat
import threading
import warnings
from pathlib import Path
from typing import TYPE_CHECKING

from yoorec.errors import DataError

if TYPE_CHECKING:
    from PIL.Image import Image
    from PIL.ImageFile import ImageFile

__all__ = ["MAX_BYTES", "MAX_PIXELS", "open_cover", "read_cover"]

MAX_PIXELS = 25_000_000
"""Width times height of the largest image that is decoded, unless told otherwise."""
MAX_BYTES = 64 << 20
"""Length of the largest file that is read."""

_ACCEPTED = "JPEG, PNG and WebP are accepted"
_MODES = frozenset({"1", "L", "LA", "P", "PA", "RGB", "RGBA"})
_OTHERS = (
    (0, b"GIF8", "a GIF"),
    (0, b"BM", "a BMP"),
    (0, b"II*\0", "a TIFF"),
    (0, b"MM\0*", "a TIFF"),
    (0, b"%PDF", "a PDF"),
    (0, b"<svg", "an SVG"),
    (0, b"<?xml", "an SVG or other XML"),
    (0, b"<!DOCTYPE", "a web page"),
    (0, b"<html", "a web page"),
    (4, b"ftypavif", "an AVIF"),
    (4, b"ftypheic", "a HEIC"),
)
"""Where other files say what they are, to name what is refused."""
_MAX_SCANS = 100
"""A progressive JPEG has about ten scans; each further one costs another pass over all pixels."""
_ORIENTATION = 0x0112
_warnings_aside = threading.Lock()


def read_cover(value: str | bytes) -> bytes:
    """A cover's file: the bytes themselves, or what lies at that path.

    Raises DataError, a clause such as "is empty", for an address, a missing file, a folder, or more than `MAX_BYTES`.
    """
    if isinstance(value, str) and "://" in value[:16]:
        raise DataError(f"'{value[:60]}' is an address; covers are read from files, never fetched")
    data = _contents(Path(value)) if isinstance(value, str) else value
    if not data:
        raise DataError("is empty")
    if len(data) > MAX_BYTES:
        raise DataError(f"has more than {MAX_BYTES >> 20} MB")
    return data


def open_cover(value: str | bytes, *, max_pixels: int = MAX_PIXELS) -> Image:
    """The cover's image: RGB, decoded, upright, white where it is transparent; an animation's first frame.

    value: the image file's bytes, or its path.
    Raises DataError, a clause such as "is a GIF; ...", for whatever `read_cover` refuses and for what is no JPEG, PNG
    or WebP, is damaged, has colours without a plain RGB meaning (CMYK), or more than `max_pixels`, seen undecoded.
    """
    data = read_cover(value)
    kind = _kind_of(data)
    if kind == "JPEG" and data.count(b"\xff\xda") > _MAX_SCANS:
        raise DataError(f"is a JPEG of more than {_MAX_SCANS} scans")
    if kind == "WebP":
        # Its decoder takes memory for all pixels when it is made.
        _check_size(_webp_size(data), max_pixels)
    try:
        image = _undecoded(data, kind)
    except Exception as error:  # over a damaged header Pillow may raise anything
        raise _damaged(kind, error) from error
    _check_size(image.size, max_pixels)
    if image.mode not in _MODES:
        raise DataError(f"is a {kind} of {image.mode} colours; grey, palette and RGB are accepted")
    try:
        image.load()
        return _upright(image, _opaque(image))
    except Exception as error:  # and over damaged pixels
        raise _damaged(kind, error) from error


def _contents(path: Path) -> bytes:
    try:
        mode = path.stat().st_mode
        # A pipe or a device would keep its reader waiting.
        if not stat.S_ISREG(mode):
            raise DataError(f"'{path.name}' is {'a folder' if stat.S_ISDIR(mode) else 'no regular file'}")
        with path.open("rb") as file:
            return file.read(MAX_BYTES + 1)
    except FileNotFoundError:
        raise DataError(f"there is no file '{path.name}'") from None
    except (OSError, ValueError) as error:
        raise DataError(f"'{path.name[:60]}' can't be read: {getattr(error, 'strerror', None) or error}") from None


def _kind_of(data: bytes) -> str:
    if data.startswith(b"\xff\xd8\xff"):
        return "JPEG"
    if data.startswith(b"\x89PNG\r\n\x1a\n"):
        return "PNG"
    if data.startswith(b"RIFF") and data[8:12] == b"WEBP":
        return "WebP"
    other = next((what for place, sign, what in _OTHERS if data.startswith(sign, place)), "no image")
    raise DataError(f"is {other}; {_ACCEPTED}")


def _undecoded(data: bytes, kind: str) -> ImageFile:
    """Made by Pillow's own classes, not by `Image.open`, which tries other formats and warns of large images."""
    from PIL.JpegImagePlugin import JpegImageFile
    from PIL.PngImagePlugin import PngImageFile
    from PIL.WebPImagePlugin import WebPImageFile

    classes: dict[str, type[ImageFile]] = {"JPEG": JpegImageFile, "PNG": PngImageFile, "WebP": WebPImageFile}
    # Which warnings are shown is the process' business: one thread at a time sets it aside.
    with _warnings_aside, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return classes[kind](io.BytesIO(data))


def _webp_size(data: bytes) -> tuple[int, int]:
    """Width and height, as a WebP's first chunk says."""
    chunk, head = data[12:16], data[20:30]
    if chunk == b"VP8 " and head[3:6] == b"\x9d\x01\x2a":
        return int.from_bytes(head[6:8], "little") & 0x3FFF, int.from_bytes(head[8:10], "little") & 0x3FFF
    if chunk == b"VP8L" and head[:1] == b"\x2f":
        bits = int.from_bytes(head[1:5], "little")
        return (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
    if chunk == b"VP8X" and len(head) == 10:
        return int.from_bytes(head[4:7], "little") + 1, int.from_bytes(head[7:10], "little") + 1
    raise DataError("is a damaged WebP: its first chunk holds no size")


def _check_size(size: tuple[int, int], max_pixels: int) -> None:
    width, height = size
    if width * height > max_pixels:
        raise DataError(f"has {width} x {height} pixels; at most {max_pixels:,} are accepted")


def _opaque(image: Image) -> Image:
    from PIL.Image import alpha_composite, new

    if not (image.mode in ("LA", "PA", "RGBA") or "transparency" in image.info):
        return image.convert("RGB")
    white = new("RGBA", image.size, "white")
    return alpha_composite(white, image.convert("RGBA")).convert("RGB")


def _upright(source: Image, pixels: Image) -> Image:
    """Pixels turned as the source's EXIF data say, without those data."""
    from PIL.Image import Transpose

    turns = {
        2: Transpose.FLIP_LEFT_RIGHT,
        3: Transpose.ROTATE_180,
        4: Transpose.FLIP_TOP_BOTTOM,
        5: Transpose.TRANSPOSE,
        6: Transpose.ROTATE_270,
        7: Transpose.TRANSVERSE,
        8: Transpose.ROTATE_90,
    }
    with _warnings_aside, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            turn = turns.get(source.getexif().get(_ORIENTATION, 1))
        except Exception:  # noqa: BLE001 - damaged EXIF data don't make a damaged image
            turn = None
    upright = pixels if turn is None else pixels.transpose(turn)
    upright.info = {}
    return upright


def _damaged(kind: str, error: Exception) -> DataError:
    return DataError(f"is a damaged {kind}: {str(error)[:80] or type(error).__name__}")
