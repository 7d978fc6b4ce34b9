"""Features against slow computations of one image alone, and that nothing but the image decides them."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from yoorec_image.config import ImageConfig
from yoorec_image.network import open_network

from yoorec.errors import DataError

# Keras' own, of saving networks.
pytestmark = [
    pytest.mark.filterwarnings("ignore:__array__ implementation doesn't accept a copy keyword:DeprecationWarning"),
    pytest.mark.filterwarnings("ignore:.*You are saving your model as an HDF5 file.*"),
]
SMALL = ImageConfig(weights="random", layer="mixed0", size=48, batch=4)


def images(count: int, low: int = 20, high: int = 90, seed: int = 0) -> list[np.ndarray]:
    """uint8 images of different shapes."""
    rng = np.random.default_rng(seed)
    return [rng.integers(0, 256, (*rng.integers(low, high, 2), 3)).astype(np.uint8) for _ in range(count)]


def features(network: Any, some: list[np.ndarray], threads: int = 2) -> np.ndarray:
    return np.concatenate(list(network.features(some, threads)))


def saved(path: Path, layers: list[Any], side: int | None = None) -> Path:
    """A sequential network with seeded weights, as Keras saves it."""
    import keras

    keras.utils.set_random_seed(5)
    keras.Sequential([keras.Input((side, side, 3)), *layers]).save(path)
    return path


def shrunk(image: np.ndarray, side: int) -> np.ndarray:
    """Each place of the output by a triangle around its centre, as wide as a place or, where shrinking, as places
    of the input that fall on it; one axis after the other.
    """

    def along(rows: np.ndarray) -> np.ndarray:
        scale = len(rows) / side
        centre = (np.arange(side) + 0.5) * scale
        weight = np.maximum(0, 1 - np.abs(np.arange(len(rows)) + 0.5 - centre[:, None]) / max(scale, 1))
        return np.tensordot(weight / weight.sum(axis=1, keepdims=True), rows, axes=1)

    return along(along(image.astype(float)).transpose(1, 0, 2)).transpose(1, 0, 2)


@pytest.mark.parametrize(
    ("pixels", "expected"), [("raw", lambda x: x), ("unit", lambda x: x / 255), ("signed", lambda x: x / 127.5 - 1)]
)
def test_what_the_network_is_shown(pixels: Any, expected: Any, tmp_path: Path) -> None:
    """A network that gives back what it sees: covers resized whole, smoothed, scaled."""
    import keras

    path = saved(tmp_path / "flat.keras", [keras.layers.Flatten()], 16)
    some = images(5, 8, 60)
    found = features(open_network(ImageConfig(weights=path, size=16, pixels=pixels, batch=3), 0, 2), some)
    for image, row in zip(some, found, strict=True):
        assert np.allclose(row.reshape(16, 16, 3), expected(shrunk(image, 16)), atol=1e-3 * expected(255.0))


@pytest.mark.parametrize("suffix", [".keras", ".h5"])
def test_features_are_a_layers_output_averaged_over_its_map(suffix: str, tmp_path: Path) -> None:
    import keras

    layers = [
        keras.layers.Conv2D(6, 3, activation="relu", name="first"),
        keras.layers.Conv2D(5, 3, strides=2, name="second"),
        keras.layers.GlobalAveragePooling2D(name="pooled"),
        keras.layers.Dense(4, name="logits"),
        keras.layers.Dense(3, activation="softmax", name="classes"),
    ]
    path = saved(tmp_path / f"small{suffix}", layers)
    whole = keras.saving.load_model(path, compile=False)
    some = images(7, 20, 21)
    shown = [image[None].astype(np.float32) / 127.5 - 1 for image in some]
    for layer, width in (("first", 6), ("second", 5), ("pooled", 5), ("logits", 4), ("classes", 3), (None, 4)):
        config = ImageConfig(weights=path, layer=layer, size=20, batch=3)
        found = features(open_network(config, 0, 2), some)
        part = keras.Model(whole.inputs, whole.get_layer(layer or "logits").output)
        alone = [part.predict(one, verbose=0)[0].astype(float) for one in shown]
        expected = [one.mean(axis=(0, 1)) if one.ndim == 3 else one for one in alone]
        assert found.shape == (7, width)
        assert np.allclose(found, expected, atol=1e-5), layer


def test_a_softmax_of_its_own_is_left_out_too(tmp_path: Path) -> None:
    import keras

    layers = [keras.layers.GlobalAveragePooling2D(), keras.layers.Dense(4), keras.layers.Softmax()]
    network = open_network(ImageConfig(weights=saved(tmp_path / "a.keras", layers), size=16), 0, 2)
    assert features(network, images(1)).min() < 0


def test_inception_unpacked_agrees_with_keras() -> None:
    """`random` at `mixed0`: the map of one image alone, in Keras' own network with the same weights."""
    import keras

    found = features(open_network(SMALL, 3, 2), some := images(6, 48, 49))
    whole = keras.applications.InceptionV3(include_top=False, weights=None)
    part = keras.Model(whole.input, whole.get_layer("mixed0").output)
    rng = np.random.default_rng(3)
    for weight in part.weights:
        if len(weight.shape) == 4:
            weight.assign(rng.standard_normal(weight.shape, np.float32) * np.sqrt(2 / np.prod(weight.shape[:3])))
    for image, row in zip(some, found, strict=True):
        alone = part.predict(image[None].astype(np.float32) / 127.5 - 1, verbose=0)
        assert alone.shape == (1, 3, 3, 256)
        assert np.allclose(row, alone.astype(float).mean(axis=(0, 1, 2)), rtol=1e-3, atol=1e-4)
        assert row.std() > 0.1


def test_the_seed_decides_untrained_weights() -> None:
    some = images(2)
    first, again, other = (features(open_network(SMALL, seed, 2), some) for seed in (1, 1, 2))
    assert first.tobytes() == again.tobytes()
    assert np.abs(first - other).max() > 0.01


@pytest.mark.parametrize(
    "config", [SMALL, replace(SMALL, layer=None, size=80, batch=7)], ids=["first block", "whole network"]
)
def test_no_bit_depends_on_the_other_images(config: ImageConfig) -> None:
    """The same image first, last, alone, among others, several times over, with one thread and with three."""
    network = open_network(config, 1, 2)
    some = images(17)
    whole = features(network, some)
    assert whole.shape == (17, network.width)
    for threads in (1, 3):
        for order in ([3], [0, 3], [3] * 9, [16, 5, 3, 1, 0], list(range(16, -1, -1))):
            found = features(network, [some[place] for place in order], threads)
            assert found.tobytes() == whole[order].tobytes(), (threads, order)


def test_no_bit_depends_on_the_threads_of_tensorflow() -> None:
    """Its pools are set once a process, so each number of threads gets a process of its own."""
    code = (
        "import sys, hashlib, numpy as np\n"
        "from yoorec_image.config import ImageConfig\n"
        "from yoorec_image.network import open_network\n"
        "config = ImageConfig(weights='random', layer='mixed4', size=96, batch=4)\n"
        "some = [np.random.default_rng(n).integers(0, 256, (100, 90, 3)).astype(np.uint8) for n in range(6)]\n"
        "threads = int(sys.argv[1])\n"
        "found = np.concatenate(list(open_network(config, 1, threads).features(some, threads)))\n"
        "print(hashlib.sha256(found.tobytes()).hexdigest())\n"
    )
    runs = [
        subprocess.run([sys.executable, "-c", code, str(threads)], capture_output=True, text=True, check=True)
        for threads in (1, 4)
    ]
    assert runs[0].stdout == runs[1].stdout != ""
    assert runs[0].stderr == "", "TensorFlow's greetings are kept aside"


def test_too_small_for_a_layer() -> None:
    with pytest.raises(DataError, match=r"^size: 48 is too small for layer 'mixed8': "):
        open_network(replace(SMALL, layer="mixed8"), 0, 2)


def test_imagenet_that_cannot_be_had(monkeypatch: pytest.MonkeyPatch) -> None:
    """The message says how to do without the download; the download had a time limit."""
    import socket

    import keras

    limits = []

    def fails(**_: object) -> None:
        limits.append(socket.getdefaulttimeout())
        raise Exception("URL fetch failure on https://somewhere: None -- no name")

    monkeypatch.setattr(keras.applications, "InceptionV3", fails)
    monkeypatch.setenv("KERAS_HOME", "/kept/keras")
    with pytest.raises(DataError) as error:
        open_network(ImageConfig(), 0, 2)
    assert str(error.value) == (
        "weights: imagenet can't be had: URL fetch failure on https://somewhere: None -- no name\n"
        "  either put inception_v3_weights_tf_dim_ordering_tf_kernels_notop.h5 into /kept/keras/models\n"
        "  or save the network where there is one, model.save('inception.keras'), and give its path: "
        "weights: inception.keras"
    )
    assert limits == [30.0]
    assert socket.getdefaulttimeout() is None
