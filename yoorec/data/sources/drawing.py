"""Covers of the demo world, drawn: the topic is the colour, the theme the pattern, and no two look quite alike."""

from __future__ import annotations

import colorsys
import io
from collections.abc import Iterator, Sequence

import numpy as np
from PIL import Image, ImageDraw

__all__ = ["SIDE", "draw_cover", "draw_covers"]

SIDE = 96
"""Width and height of a cover in pixels."""
_TOPICS = 16


def draw_cover(topic: int, theme: int, seed: int) -> Image.Image:
    """An RGB image of SIDE x SIDE pixels. Same arguments, same pixels."""
    rng = np.random.default_rng(seed)
    hue = topic / _TOPICS + rng.uniform(-0.012, 0.012)
    ground = _colour(hue, 0.55 + 0.2 * rng.random(), 0.75 + 0.2 * rng.random())
    ink = _colour(hue + 0.45, 0.5 + 0.3 * rng.random(), 0.95)
    dark = _colour(hue + 0.08, 0.8, 0.3)
    image = Image.new("RGB", (SIDE, SIDE), ground)
    draw = ImageDraw.Draw(image)
    step = int(rng.integers(14, 22))
    shift = int(rng.integers(0, step))
    if theme == 0:  # stripes
        for x in range(-SIDE + shift, 2 * SIDE, step):
            draw.line((x, 0, x + SIDE // 2, SIDE), fill=ink, width=step // 3)
    elif theme == 1:  # discs
        for _ in range(9):
            x, y, radius = (int(value) for value in rng.integers((0, 0, 6), (SIDE, SIDE, 16)))
            draw.ellipse((x - radius, y - radius, x + radius, y + radius), fill=ink)
    elif theme == 2:  # a checkerboard
        for x in range(-shift, SIDE, step):
            for y in range(-shift, SIDE, step):
                if (x // step + y // step) % 2:
                    draw.rectangle((x, y, x + step - 1, y + step - 1), fill=ink)
    else:  # triangles
        for _ in range(8):
            x, y, size = (int(value) for value in rng.integers((0, 0, 12), (SIDE, SIDE, 30)))
            draw.polygon(((x, y - size // 2), (x - size // 2, y + size // 2), (x + size // 2, y + size // 2)), fill=ink)
    top = int(rng.integers(8, SIDE - 30))
    draw.rectangle((8, top, SIDE - 9, top + 12), fill=dark)
    return image


def _colour(hue: float, saturation: float, value: float) -> tuple[int, int, int]:
    red, green, blue = colorsys.hsv_to_rgb(hue % 1.0, saturation, value)
    return round(255 * red), round(255 * green), round(255 * blue)


def draw_covers(topic: Sequence[int], theme: Sequence[int], seed: int) -> Iterator[bytes]:
    """The cover of each video as the bytes of a PNG file, in order."""
    for number, (t, h) in enumerate(zip(topic, theme, strict=True)):
        written = io.BytesIO()
        draw_cover(t, h, seed * 1_000_003 + number).save(written, "png", compress_level=1)
        yield written.getvalue()
