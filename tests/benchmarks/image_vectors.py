"""Vectors of images: do neighbours belong together, and how many images a second, on 2 threads.

    uv run python tests/benchmarks/image_vectors.py [photographs] [posters] [covers] [speed]

photographs: 600 of Caltech-101 in 24 categories, by Inception-v3 as trained on ImageNet (2015, to `mixed8`) and by the
             same network untrained; shares of the nearest one and of the nearest five that are of the same category.
posters:     2,292 posters of MovieLens 1M by both; genres that a poster's five nearest share with it, as their
             intersection over their union, beside that of any two of the posters.
covers:      2,000 of the demo world by untrained networks; shares of the ten nearest of the same topic and theme.
speed:       images a second, decoding included, and processor time an image; a network's opening stands apart.

Intervals (95 %) are from 2,000 resamples of the images whose neighbours are looked at. The first two need the real data
in ../shared/data, or where YOOREC_DATA says.
"""

from __future__ import annotations

import argparse
import hashlib
import importlib.util
import io
import os
import tempfile
import time
import zipfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import numpy as np
import PIL.Image
import pyarrow as pa
import pyarrow.parquet as pq
from yoorec_image.config import ImageConfig
from yoorec_image.covers import pixels
from yoorec_image.model import Image
from yoorec_image.network import Network, open_network

from yoorec.components import FitContext
from yoorec.data.images import MAX_PIXELS
from yoorec.data.sources.drawing import draw_covers
from yoorec.data.sources.world import plant
from yoorec.testing import worlds

DATA = Path(__file__).resolve().parents[2] / os.environ.get("YOOREC_DATA", "../shared/data")
THREADS = 2


def vectors_of(covers: Sequence[bytes], config: ImageConfig, seed: int = 0) -> np.ndarray:
    """float32 [N, D] of N covers, as the trigger's fit makes them."""
    log = worlds.small_log(users=1, items=len(covers), events=0)
    columns = log.catalogue.item_columns.append_column("cover", pa.array(covers, pa.binary()))
    model = Image(config, replace(log.catalogue, item_columns=columns))
    model.fit(log, FitContext(seed=seed, threads=THREADS))
    assert len(model.vectors.item) == len(covers)
    return model.vectors.vectors


def nearest(vectors: np.ndarray, k: int) -> np.ndarray:
    """int64 [N, k]: the k others nearest to each vector, best first."""
    score = vectors @ vectors.T
    np.fill_diagonal(score, -2.0)
    return np.argsort(-score, axis=1, kind="stable")[:, :k]


def interval(values: np.ndarray) -> str:
    """The mean of float64 [N] and its 95 % interval."""
    rng = np.random.default_rng(0)
    means = [values[rng.integers(0, len(values), len(values))].mean() for _ in range(2000)]
    low, high = np.quantile(means, [0.025, 0.975])
    return f"{values.mean():.3f} ({low:.3f}-{high:.3f})"


def networks(folder: Path) -> dict[str, Path]:
    """Inception-v3 to `mixed8`, trained and not, as .keras files."""
    spec = importlib.util.spec_from_file_location("load_inception", DATA / "inception_v3" / "load_inception.py")
    assert spec is not None
    assert spec.loader is not None
    loader: Any = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(loader)
    model = loader.build()
    model.save(folder / "trained.keras")
    rng = np.random.default_rng(0)
    drawn = []
    for weight in model.weights:
        shape = tuple(weight.shape)
        scale = np.sqrt(2 / np.prod(shape[:3])) if len(shape) == 4 else 0.0
        drawn.append(rng.standard_normal(shape, np.float32) * np.float32(scale))
    model.set_weights(drawn)
    model.save(folder / "untrained.keras")
    return {"trained": folder / "trained.keras", "untrained": folder / "untrained.keras"}


def photographs(folder: Path) -> None:
    table = pq.read_table(DATA / "caltech101_subset" / "images.parquet")
    category = np.array(table["category"].to_pylist())
    print(f"\n{table.num_rows} photographs, {len(set(category))} categories")
    print(f"{'weights':<10} {'nearest':>20} {'nearest five':>20}")
    for name, path in networks(folder).items():
        near = nearest(vectors_of(table["jpeg"].to_pylist(), ImageConfig(weights=path, batch=8)), 5)
        same = category[near] == category[:, None]
        print(f"{name:<10} {interval(same[:, 0].astype(float)):>20} {interval(same.mean(axis=1)):>20}", flush=True)


def posters(folder: Path) -> None:
    table = pq.read_table(DATA / "movielens_1m" / "posters.parquet")
    genres = _genres()
    kinds = sorted({kind for each in genres.values() for kind in each})
    has = np.array([[kind in genres[movie] for kind in kinds] for movie in table["movie_id"].to_pylist()], np.int64)
    both = has @ has.T
    alike = both / np.maximum(has.sum(axis=1)[:, None] + has.sum(axis=1) - both, 1)
    apart = alike[~np.eye(len(has), dtype=bool)].mean()
    print(f"\n{table.num_rows} posters; genres shared by any two: {apart:.3f}")
    print(f"{'weights':<10} {'with the nearest five':>22}")
    for name, path in networks(folder).items():
        near = nearest(vectors_of(table["jpeg"].to_pylist(), ImageConfig(weights=path, batch=8)), 5)
        print(f"{name:<10} {interval(np.take_along_axis(alike, near, axis=1).mean(axis=1)):>22}", flush=True)


def _genres() -> dict[int, set[str]]:
    with zipfile.ZipFile(DATA / "movielens_1m" / "ml-1m.zip") as archive:
        (name,) = [name for name in archive.namelist() if name.endswith("movies.dat")]
        rows = [line.split("::") for line in archive.read(name).decode("latin-1").splitlines()]
    return {int(movie): set(kinds.split("|")) for movie, _, kinds in rows}


def covers(folder: Path) -> None:
    _, videos = plant(3000, 2000, 14, 0, 7)
    drawn = list(draw_covers(videos.topic.tolist(), videos.theme.tolist(), 7))
    print(f"\n{len(drawn):,} covers of the demo world; by chance 0.062 of a topic, 0.25 of a theme")
    print(f"{'layer':<8} {'size':>4} {'topic':>20} {'theme':>20} {'seconds':>8}")
    for layer, size in (("mixed0", 48), ("mixed0", 64), ("mixed0", 96), ("mixed2", 96), ("mixed3", 96)):
        started = time.perf_counter()
        vectors = vectors_of(drawn, ImageConfig(weights="random", layer=layer, size=size))
        seconds = time.perf_counter() - started
        near = nearest(vectors, 10)
        topic, theme = ((kind[near] == kind[:, None]).mean(axis=1) for kind in (videos.topic, videos.theme))
        print(f"{layer:<8} {size:>4} {interval(topic):>20} {interval(theme):>20} {seconds:>8.1f}", flush=True)


def speed(folder: Path) -> None:
    rng = np.random.default_rng(0)
    written = io.BytesIO()
    blocks = np.kron(rng.integers(0, 256, (30, 20, 3)), np.ones((10, 10, 1))).astype(np.uint8)
    PIL.Image.fromarray(blocks).save(written, "jpeg", quality=90)
    cover = written.getvalue(), hashlib.sha256(written.getvalue()).digest()

    def shown(network: Network, count: int) -> tuple[float, float]:
        """Seconds an image, by the clock and of all processors, to decode and look at the cover so many times."""
        started, worked = time.perf_counter(), time.process_time()
        images = cast(Iterator[np.ndarray], pixels([cover] * count, MAX_PIXELS, THREADS))
        list(network.features(images, THREADS))
        return (time.perf_counter() - started) / count, (time.process_time() - worked) / count

    print(f"\nJPEG images of 300 x 200 pixels, {THREADS} threads; the median of three runs in turns")
    print(f"{'network':<28} {'size':>4} {'batch':>5} {'opened in s':>11} {'images/s':>9} {'cpu ms':>7}")
    whole = ImageConfig(weights="random")
    sides: dict[str, tuple[ImageConfig, int]] = {
        "Inception-v3, whole": (whole, 64),
        "Inception-v3, whole, 8": (replace(whole, batch=8), 64),
        "to mixed0": (replace(whole, layer="mixed0", size=96), 640),
    }
    opened = {}
    for name, (config, _) in sides.items():
        started = time.perf_counter()
        network = open_network(config, 0, THREADS)
        shown(network, 1)
        opened[name] = (network, time.perf_counter() - started)
    seconds: dict[str, list[tuple[float, float]]] = {name: [] for name in sides}
    for _ in range(3):
        for name, (_, count) in sides.items():
            seconds[name].append(shown(opened[name][0], count))
    for name, (config, _) in sides.items():
        took, worked = np.median(seconds[name], axis=0)
        line = f"{name:<28} {config.size:>4} {config.batch:>5} {opened[name][1]:>11.1f}"
        print(f"{line} {1 / took:>9.0f} {1000 * worked:>7.1f}", flush=True)


SECTIONS: Mapping[str, Callable[[Path], None]] = {
    "photographs": photographs,
    "posters": posters,
    "covers": covers,
    "speed": speed,
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("sections", nargs="*", choices=[*SECTIONS, []], help="all of them where none is named")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        for name in options.sections or SECTIONS:
            SECTIONS[name](Path(folder))


if __name__ == "__main__":
    main()
