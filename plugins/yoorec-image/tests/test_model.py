"""The trigger: which covers count, what is told of the others, what the cache spares, and what it recalls."""

from __future__ import annotations

import importlib.util
import io
import json
import os
import struct
import subprocess
import sys
import zlib
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
from PIL import Image as Pillow
from yoorec_image.config import ImageConfig
from yoorec_image.model import Image

from yoorec.components import FitContext
from yoorec.data.log import EventLog
from yoorec.errors import DataError
from yoorec.testing import worlds

CONFIG = ImageConfig(weights="random", layer="mixed0", size=32, batch=8)
DATA = Path(__file__).resolve().parents[3] / os.environ.get("YOOREC_DATA", "../shared/data")
# Keras' own, of saving networks.
SAVING = "ignore:__array__ implementation doesn't accept a copy keyword:DeprecationWarning"


class Fits:
    """Fits on a log with the given covers, and what each leaves."""

    def __init__(self, folder: Path, with_covers: Callable[..., EventLog]) -> None:
        self.folder, self.with_covers, self.count = folder, with_covers, 0
        self.notes: dict[str, Any] = {}
        self.model: Image

    def __call__(self, covers: list[Any], config: ImageConfig = CONFIG, **context: Any) -> dict[str, bytes]:
        log = self.with_covers(worlds.small_log(items=len(covers)), covers)
        self.model, self.notes = Image(config, log.catalogue), {}
        self.model.fit(log, FitContext(**{"seed": 1, "note": self.notes.__setitem__, **context}))
        target = self.folder / f"artifact{self.count}"
        self.count += 1
        target.mkdir()
        self.model.save(target)
        return {path.name: path.read_bytes() for path in sorted(target.iterdir())}


@pytest.fixture
def fits(tmp_path: Path, with_covers: Callable[..., EventLog]) -> Fits:
    return Fits(tmp_path, with_covers)


def encoded(image: Pillow.Image, kind: str, **options: Any) -> bytes:
    written = io.BytesIO()
    image.save(written, kind, **options)
    return written.getvalue()


# -- which covers count


def test_items_of_one_image_are_computed_once_and_lie_together(fits: Fits, drawn: Any) -> None:
    fits([drawn(1), drawn(2), None, drawn(1), drawn(2), drawn(3)])
    assert fits.model.vectors.item.tolist() == [0, 1, 3, 4, 5]
    row = dict(zip(fits.model.vectors.item.tolist(), fits.model.vectors.vectors, strict=True))
    assert row[0].tobytes() == row[3].tobytes()
    assert row[1].tobytes() == row[4].tobytes()
    assert abs(float(row[0] @ row[1])) < 0.999
    told = {name: fits.notes[name] for name in ("covers", "without_cover", "refused", "vectors", "from_cache")}
    assert told == {"covers": 3, "without_cover": 1, "refused": 0, "vectors": 5, "from_cache": 0}
    assert "refused_first" not in fits.notes


def test_paths_and_bytes_give_the_same(fits: Fits, drawn: Any, tmp_path: Path) -> None:
    for number in range(5):
        (tmp_path / f"{number}.png").write_bytes(drawn(number))
    by_path = fits([str(tmp_path / f"{number}.png") for number in range(5)])
    assert by_path == fits([drawn(number) for number in range(5)])


def hostile(folder: Path) -> dict[str, Any]:
    """Covers that can't be shown, by what is wrong with them."""
    picture = Pillow.new("RGB", (40, 40), "red")

    def chunk(name: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    bomb = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", 10_000, 5_000, 8, 2, 0, 0, 0))
    files = {
        "is a GIF; JPEG, PNG and WebP are accepted": encoded(picture, "gif"),
        "is a JPEG of CMYK colours; grey, palette and RGB are accepted": encoded(picture.convert("CMYK"), "jpeg"),
        "has 10000 x 5000 pixels; at most 25,000,000 are accepted": bomb + chunk(b"IDAT", zlib.compress(b"")),
        "is a damaged PNG: ": encoded(picture, "png")[:-30],
        "is a damaged JPEG: ": encoded(picture, "jpeg")[:-30],
        "is a damaged WebP: ": encoded(picture, "webp")[:-8],
        "is empty": b"",
        "is no image; JPEG, PNG and WebP are accepted": b"no image at all",
        "is a web page; JPEG, PNG and WebP are accepted": b"<!DOCTYPE html>",
    }
    for number, data in enumerate(files.values()):
        (folder / f"bad{number}").write_bytes(data)
    os.mkfifo(folder / "pipe")
    return {
        **{reason: str(folder / f"bad{number}") for number, reason in enumerate(files)},
        "there is no file 'none.png'": str(folder / "none.png"),
        f"'{folder.name}' is a folder": str(folder),
        "'pipe' is no regular file": str(folder / "pipe"),
        "'https://example.com/a.png' is an address; covers are read from files, never fetched": (
            "https://example.com/a.png"
        ),
    }


def test_what_cannot_be_shown_is_named_and_left_out(fits: Fits, drawn: Any, tmp_path: Path) -> None:
    """Every hostile cover among good ones, each told by its own reason; the others come out as without them."""
    (tmp_path / "covers").mkdir()
    bad = hostile(tmp_path / "covers")
    good = []
    for number in range(6):
        (tmp_path / f"{number}.png").write_bytes(drawn(number))
        good.append(str(tmp_path / f"{number}.png"))
    for reason, path in bad.items():
        fits([path, *good])
        assert fits.notes["refused"] == 1
        assert fits.notes["refused_first"].startswith(f"i0 {reason}")
        assert fits.model.vectors.item.tolist() == [1, 2, 3, 4, 5, 6]
    alone = fits(good)["vectors.npy"]
    mixed = fits([*bad.values(), None, *good, *bad.values()])
    assert mixed["vectors.npy"] == alone
    assert fits.notes["refused"] == 2 * len(bad) == 26
    assert fits.notes["without_cover"] == 1
    assert [part.split()[0] for part in fits.notes["refused_first"].split("; i")] == ["i00", "01", "02"]


def test_max_pixels_decides(fits: Fits, drawn: Any) -> None:
    fits([drawn(1), drawn(2, 64)], replace(CONFIG, max_pixels=32 * 32))
    assert fits.model.vectors.item.tolist() == [0]
    assert fits.notes["refused_first"] == "i1 has 64 x 64 pixels; at most 1,024 are accepted"


def test_all_covers_fail(fits: Fits, networks: list[Any]) -> None:
    with pytest.raises(DataError) as error:
        fits([b"", b"x", None, b"GIF89a", b"y"])
    assert str(error.value) == (
        "items: none of 4 covers in 'cover' can be used: i0 is empty; i1 is no image; JPEG, PNG and WebP are accepted; "
        "i3 is a GIF; JPEG, PNG and WebP are accepted"
    )
    assert networks == [], "no network is opened for nothing"


def test_a_file_that_changes_while_it_is_read(fits: Fits, drawn: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its features must not be kept under the other file's checksum."""
    from yoorec_image import covers

    seen: list[Any] = []

    def read(value: Any) -> bytes:
        seen.append(value)
        return drawn(9) if seen.count(drawn(1)) == 2 and value == drawn(1) else value

    monkeypatch.setattr(covers, "read_cover", read)
    fits([drawn(1), drawn(2)], threads=1)
    assert fits.notes["refused_first"] == "i0 has changed while it was read"


# -- columns and keys


def test_a_missing_column_is_refused_at_once_unless_optional(with_covers: Any, drawn: Any, small_requests: Any) -> None:
    log = worlds.small_log()
    with pytest.raises(DataError, match=r"^items: no column 'cover'; there are: title, author"):
        Image(CONFIG, log.catalogue)
    named = with_covers(log, [drawn(1)] * 60)
    with pytest.raises(DataError, match="no column 'covers'; nearest: cover"):
        Image(replace(CONFIG, field="covers"), named.catalogue)
    empty = with_covers(log, [None] * 60)
    with pytest.raises(DataError, match="no item has a value of 'cover'"):
        Image(CONFIG, empty.catalogue)
    assert Image(replace(CONFIG, optional=True), named.catalogue).note == ""
    for catalogue in (log.catalogue, empty.catalogue):
        model = Image(replace(CONFIG, optional=True), catalogue)
        assert model.note == "left out: no item has 'cover'"
        model.fit(log, FitContext())
        assert len(model.recall(small_requests, 10).item) == 0


def test_a_column_that_holds_no_covers() -> None:
    with pytest.raises(DataError, match=r"^items: 'duration_s' holds float; covers are paths or bytes$"):
        Image(replace(CONFIG, field="duration_s"), worlds.small_log().catalogue)


def test_a_layer_that_inception_lacks_is_refused_at_once(with_covers: Any, drawn: Any) -> None:
    catalogue = with_covers(worlds.small_log(), [drawn(1)] * 60).catalogue
    with pytest.raises(DataError) as error:
        Image(replace(CONFIG, layer="mixd3"), catalogue)
    assert str(error.value) == (
        "layer: Inception-v3 offers no 'mixd3'; nearest: mixed3; there are: "
        "mixed0, mixed1, mixed2, mixed3, mixed4, mixed5, mixed6, mixed7, mixed8, mixed9, mixed10"
    )


def test_a_catalogue_of_checksums_serves(fits: Fits, drawn: Any, with_covers: Any, tmp_path: Path) -> None:
    """What the server has in place of images; and items that came after the fit stand behind the others."""
    fits([drawn(number) for number in range(10)])
    log = with_covers(worlds.small_log(items=10), [bytes(32)] * 10)
    loaded = Image(CONFIG, log.catalogue)
    loaded.load(tmp_path / "artifact0")
    requests = worlds.small_requests(log)
    assert len(loaded.recall(requests, 5).item) > 0
    assert loaded.recall(requests, 5).score.tobytes() == fits.model.recall(requests, 5).score.tobytes()


# -- the cache


def test_the_artifact_is_the_same_whatever_the_cache_holds(
    fits: Fits, drawn: Any, tmp_path: Path, networks: Any
) -> None:
    """None, empty, full, partial, damaged, emptied; a network is opened only where something is missing."""
    covers = [drawn(number % 20) for number in range(24)] + [b"broken", None]
    cache = tmp_path / "cache"
    expected = fits(covers)
    assert fits(covers, cache=cache) == expected
    assert fits.notes["from_cache"] == 0
    assert len(networks) == 2
    assert fits(covers, cache=cache) == expected
    assert fits.notes["from_cache"] == 20
    assert fits.notes["refused"] == 1
    assert len(networks) == 2, "everything was in the cache, and what is broken needs no network"
    (shard,) = cache.rglob("*.npz")
    whole = shard.read_bytes()
    shard.write_bytes(whole[:200])
    assert fits(covers, cache=cache) == expected
    assert fits.notes["from_cache"] == 0
    for file in cache.rglob("*.npz"):
        file.unlink()
    fits([drawn(3), drawn(17), b"broken", drawn(55)], cache=cache)
    assert fits(covers, cache=cache) == expected
    assert fits.notes["from_cache"] == 2
    assert len(list(cache.rglob("*.npz"))) == 2
    assert fits(covers, cache=cache, threads=3) == expected


def test_many_covers_are_kept_as_they_are_computed(fits: Fits, drawn: Any, tmp_path: Path) -> None:
    """So that a fit that is killed has not worked for nothing."""
    fits([drawn(number) for number in range(600)], cache=tmp_path / "cache")
    files = list((tmp_path / "cache").rglob("*.npz"))
    sizes = []
    for path in files:
        with np.load(path) as arrays:
            sizes.append(len(arrays["checksum"]))
    assert sorted(sizes) == [88, 256, 256]
    assert fits.notes["covers"] == 600


@pytest.mark.parametrize(
    "change",
    [{"layer": "mixed1"}, {"size": 40}, {"pixels": "raw"}, {"batch": 4}, {"max_pixels": 5000}],
    ids=lambda change: next(iter(change)),
)
def test_whatever_decides_features_decides_what_is_taken_from_the_cache(
    change: dict[str, Any], fits: Fits, drawn: Any, tmp_path: Path
) -> None:
    covers = [drawn(number) for number in range(4)]
    fits(covers, cache=tmp_path / "cache")
    alone = fits(covers, replace(CONFIG, **change))
    assert fits(covers, replace(CONFIG, **change), cache=tmp_path / "cache") == alone
    assert fits.notes["from_cache"] == 0
    fits(covers, replace(CONFIG, recall_from=1, recency=0.5, exact_below=3), cache=tmp_path / "cache")
    assert fits.notes["from_cache"] == 4, "how vectors recall does not decide them"


@pytest.mark.filterwarnings(SAVING)
def test_the_seed_decides_untrained_networks_alone_and_a_file_by_what_it_holds(
    fits: Fits, drawn: Any, tmp_path: Path
) -> None:
    import keras

    covers, cache = [drawn(number) for number in range(4)], tmp_path / "cache"
    fits(covers, cache=cache)
    fits(covers, cache=cache, seed=2)
    assert fits.notes["from_cache"] == 0

    def save(path: Path, seed: int) -> ImageConfig:
        keras.utils.set_random_seed(seed)
        layers = [keras.layers.Conv2D(8, 5), keras.layers.GlobalMaxPooling2D()]
        keras.Sequential([keras.Input((32, 32, 3)), *layers]).save(path)
        return replace(CONFIG, weights=path, layer=None)

    first = fits(covers, save(tmp_path / "net.keras", 1), cache=cache)
    assert fits.notes["from_cache"] == 0
    (tmp_path / "other.keras").write_bytes((tmp_path / "net.keras").read_bytes())
    other = replace(CONFIG, weights=tmp_path / "other.keras", layer=None)
    assert fits(covers, other, cache=cache, seed=2) == first
    assert fits.notes["from_cache"] == 4, "the same file elsewhere, under another seed"
    # Another size, so that the tests' store of open networks takes it for another config.
    fits(covers, replace(save(tmp_path / "net.keras", 2), pixels="unit"), cache=cache)
    assert fits.notes["from_cache"] == 0
    with pytest.raises(DataError, match=r"^weights: there is no file .*/gone.keras; accepted"):
        fits(covers, replace(CONFIG, weights=tmp_path / "gone.keras"), cache=cache)


def test_tensorflow_is_imported_only_where_a_cover_is_not_in_the_cache(
    with_covers: Any, drawn: Any, tmp_path: Path
) -> None:
    """A process of its own that fits from a full cache, broken covers among them, saves, loads and recalls."""
    log = with_covers(worlds.small_log(), [drawn(number % 7) if number % 9 else b"broken" for number in range(60)])
    model = Image(CONFIG, log.catalogue)
    model.fit(log, FitContext(seed=1, cache=tmp_path / "cache"))
    pq.write_table(log.catalogue.item_columns, tmp_path / "items.parquet")
    code = (
        "import sys\n"
        "from dataclasses import replace\n"
        "from pathlib import Path\n"
        "import pyarrow.parquet as pq\n"
        "from yoorec_image.config import ImageConfig\n"
        "from yoorec_image.model import Image\n"
        "from yoorec.components import FitContext\n"
        "from yoorec.testing import worlds\n"
        "folder = Path(sys.argv[1])\n"
        "log = worlds.small_log()\n"
        "columns = pq.read_table(folder / 'items.parquet')\n"
        "catalogue = replace(log.catalogue, item_columns=columns, _codes={})\n"
        "config = ImageConfig(weights='random', layer='mixed0', size=32, batch=8)\n"
        "model = Image(config, catalogue)\n"
        "model.fit(log, FitContext(seed=1, cache=folder / 'cache'))\n"
        "(folder / 'saved').mkdir()\n"
        "model.save(folder / 'saved')\n"
        "fresh = Image(config, catalogue)\n"
        "fresh.load(folder / 'saved')\n"
        "found = fresh.recall(worlds.small_requests(log), 10)\n"
        "print(len(found.item), *(name for name in ('tensorflow', 'keras', 'h5py') if name in sys.modules))\n"
    )
    run = subprocess.run([sys.executable, "-c", code, str(tmp_path)], capture_output=True, text=True, check=True)
    found = model.recall(worlds.small_requests(log), 10)
    assert run.stdout == f"{len(found.item)}\n"
    assert len(found.item) > 0


def test_progress_is_told_and_reaches_the_end(fits: Fits, drawn: Any) -> None:
    told: list[tuple[float, str]] = []
    fits([drawn(number) for number in range(20)], progress=lambda share, note="": told.append((share, note)))
    shares = [share for share, _ in told]
    assert shares == sorted(shares)
    assert told[-1] == (1.0, "covers 20/20")


# -- what it recalls


def test_it_recalls_what_looks_like_the_main_item(with_covers: Any, tmp_path: Path) -> None:
    """Covers of the demo world: the topic is the colour, the theme the pattern; by chance 1 of 16 and 1 of 4."""
    from yoorec.data.sources.drawing import draw_covers

    rng = np.random.default_rng(2)
    topic, theme = rng.integers(0, 16, 400), rng.integers(0, 4, 400)
    log = worlds.small_log(items=400)
    log = with_covers(log, list(draw_covers(topic.tolist(), theme.tolist(), 1)))
    model = Image(ImageConfig(weights="random", layer="mixed0", size=96, recall_from=1), log.catalogue)
    model.fit(log, FitContext())
    requests = worlds.small_requests(log, 300)
    requests = requests.take(np.flatnonzero(requests.item >= 0))
    found = model.recall(requests, 5)
    main = np.repeat(requests.item, found.lengths)
    assert (topic[found.item] == topic[main]).mean() > 0.5
    assert (theme[found.item] == theme[main]).mean() > 0.6


@pytest.mark.filterwarnings(SAVING)
def test_trained_weights_on_photographs(with_covers: Any, tmp_path: Path) -> None:
    """Inception-v3 through `mixed8` on 96 photographs of 8 categories: the nearest is of the same one."""
    for name in ("inception_v3/load_inception.py", "caltech101_subset/images.parquet"):
        if not (DATA / name).exists():
            pytest.skip(f"no real data set {name}")
    spec = importlib.util.spec_from_file_location("load_inception", DATA / "inception_v3/load_inception.py")
    assert spec is not None
    assert spec.loader is not None
    loader = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(loader)
    loader.build().save(tmp_path / "inception.keras")
    photographs = pq.read_table(DATA / "caltech101_subset/images.parquet")
    rows = [25 * category + place for category in range(0, 24, 3) for place in range(12)]
    photographs = photographs.take(rows)
    log = with_covers(worlds.small_log(items=96), photographs["jpeg"].to_pylist())
    model = Image(ImageConfig(weights=tmp_path / "inception.keras", batch=8), log.catalogue)
    model.fit(log, FitContext(threads=2))
    same = model.vectors.vectors @ model.vectors.vectors.T
    np.fill_diagonal(same, -1)
    category = np.array(photographs["category"].to_pylist())
    assert len(set(category)) == 8
    assert (category[same.argmax(axis=1)] == category).mean() > 0.9, "by chance it would be 0.12"
    # What the loader's own preparation of one photograph gives, alone.
    first = np.asarray(Pillow.open(io.BytesIO(photographs["jpeg"][5].as_py())).convert("RGB"))
    alone = loader.build().predict(loader.preprocess(first[None]), verbose=0)[0].astype(float)
    assert np.allclose(model.vectors.vectors[5], alone / np.linalg.norm(alone), atol=1e-5)


@pytest.mark.filterwarnings(SAVING)
@pytest.mark.parametrize("weights", ["networks/net.keras", "random"])
def test_in_a_scenario(weights: str, yoorec_project: Any, with_covers: Any, drawn: Any, tmp_path: Path) -> None:
    import keras

    keras.utils.set_random_seed(1)
    layers = [keras.layers.Conv2D(8, 5, name="mixed0"), keras.layers.GlobalMaxPooling2D()]
    (tmp_path / "networks").mkdir()
    keras.Sequential([keras.Input((32, 32, 3)), *layers]).save(tmp_path / "networks" / "net.keras")
    log = with_covers(worlds.small_log(), [drawn(number % 30) for number in range(60)])
    trigger = {"use": "image", "weights": weights, "layer": "mixed0", "size": 32}
    project = yoorec_project(log=log, triggers={"cover": trigger})
    assert project.replay()["variants"]["control"]["triggers"]["cover"]["hit_rate@10"]["value"] > 0
    assert project.recommend(item_id="i07", k=3)["items"]
    manifests = [json.loads(path.read_text()) for path in (tmp_path / ".yoorec").rglob("manifest.json")]
    (notes,) = [manifest["notes"] for manifest in manifests if manifest.get("slot") == "triggers.cover"]
    assert notes["covers"] == 30
