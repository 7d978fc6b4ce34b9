"""Networks from files: what is refused, by which message, and before any of the file's code could run."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from yoorec_image.config import ImageConfig
from yoorec_image.files import check_network_file
from yoorec_image.network import open_network

from yoorec.errors import DataError

# Keras' own, of saving networks.
pytestmark = [
    pytest.mark.filterwarnings("ignore:__array__ implementation doesn't accept a copy keyword:DeprecationWarning"),
    pytest.mark.filterwarnings("ignore:.*You are saving your model as an HDF5 file.*"),
]


def refusal(path: Path, **keys: Any) -> str:
    with pytest.raises(DataError) as error:
        open_network(ImageConfig(weights=path, **{"size": 16, **keys}), 0, 2)
    return str(error.value)


@pytest.fixture
def model(tmp_path: Path) -> Callable[..., Path]:
    """Save a network of these layers, or any network, under a name."""
    import keras

    def save(name: str, layers: Any, side: int | None = None) -> Path:
        made = layers if isinstance(layers, keras.Model) else keras.Sequential([keras.Input((side, side, 3)), *layers])
        made.save(tmp_path / name)
        return tmp_path / name

    return save


def conv(name: str) -> Any:
    import keras

    return keras.layers.Conv2D(2, 3, name=name)


@pytest.mark.parametrize("suffix", ["keras", "h5"])
def test_code_in_a_file_is_not_run(suffix: str, model: Callable[..., Path], tmp_path: Path) -> None:
    import keras

    proof = tmp_path / "ran"

    def attack(x: Any) -> Any:
        from pathlib import Path as Files

        Files(str(proof)).write_text("ran")
        return x

    path = model(f"attack.{suffix}", [keras.layers.Lambda(attack)], 16)
    proof.unlink(missing_ok=True)
    assert (
        refusal(path) == f"weights: {path}: holds a Lambda, which runs code of the file; layers of Keras are accepted"
    )
    assert not proof.exists()


def test_a_lambda_inside_another_network_is_found(model: Callable[..., Path]) -> None:
    import keras

    inner = keras.Sequential([keras.Input((None, None, 3)), keras.layers.Lambda(lambda x: x * 2)])
    path = model("nested.h5", [inner], 16)
    assert "holds a Lambda" in refusal(path)


def test_a_class_from_elsewhere_is_refused(model: Callable[..., Path], tmp_path: Path) -> None:
    """A file edited to name something else than a layer."""
    whole = model("plain.keras", [conv("only")], 16)
    edited = tmp_path / "edited.keras"
    with zipfile.ZipFile(whole) as old, zipfile.ZipFile(edited, "w") as new:
        for name in old.namelist():
            data = old.read(name)
            if name == "config.json":
                config = json.loads(data)
                config["config"]["layers"][1] |= {"module": "os", "class_name": "system"}
                data = json.dumps(config).encode()
            new.writestr(name, data)
    check_network_file(whole)
    assert refusal(edited) == f"weights: {edited}: holds os.system; layers of Keras are accepted"


def test_what_is_no_network(model: Callable[..., Path], tmp_path: Path) -> None:
    import keras

    missing = tmp_path / "randon"
    assert refusal(missing) == (
        f"weights: there is no file {missing}; nearest: random; accepted: imagenet, random, a .keras or .h5 file"
    )
    for name, data in (("a.keras", b"no zip"), ("a.h5", b"no hdf5"), ("a.npz", b"PK\3\4"), ("b.h5", b"PK\3\4")):
        path = tmp_path / name
        path.write_bytes(data)
        assert refusal(path) == f"weights: {path}: is no network; a .keras or .h5 file that Keras saved is accepted"
    (tmp_path / "cut.keras").write_bytes(model("whole.keras", [conv("only")], 16).read_bytes()[:500])
    assert refusal(tmp_path / "cut.keras").startswith(f"weights: {tmp_path / 'cut.keras'}: is a damaged network: ")
    (tmp_path / "cut.h5").write_bytes(model("whole.h5", [conv("other")], 16).read_bytes()[:500])
    assert refusal(tmp_path / "cut.h5").startswith(f"weights: {tmp_path / 'cut.h5'}: is a damaged network: ")
    weights = tmp_path / "only.weights.h5"
    keras.Sequential([keras.Input((16, 16, 3)), conv("third")]).save_weights(weights)
    assert refusal(weights) == (
        f"weights: {weights}: holds weights without their network; save it whole: model.save('x.keras')"
    )


def test_a_file_whose_weights_are_damaged(model: Callable[..., Path], tmp_path: Path) -> None:
    whole = model("whole.keras", [conv("only")], 16)
    bare = tmp_path / "bare.keras"
    with zipfile.ZipFile(whole) as old, zipfile.ZipFile(bare, "w") as new:
        for name in old.namelist():
            new.writestr(name, old.read(name) if name.endswith(".json") else b"none")
    assert refusal(bare).startswith(f"weights: {bare}: can't be loaded: ")


def test_a_layer_that_is_not_there(model: Callable[..., Path]) -> None:
    path = model("two.keras", [conv("first"), conv("second")], 16)
    assert refusal(path, layer="secnd") == (
        f"layer: 'secnd' is none of {path}; nearest: second; there are: first, second"
    )
    many = model("many.keras", [conv(f"block{n}") for n in range(40)])
    assert refusal(many, layer="zzz") == (
        f"layer: 'zzz' is none of {many}; the last 30 of 40 are: {', '.join(f'block{n}' for n in range(10, 40))}"
    )


def test_inputs_that_are_no_image(model: Callable[..., Path]) -> None:
    import keras

    two = [keras.Input((16, 16, 3), name="left"), keras.Input((16, 16, 3), name="right")]
    path = model("two.keras", keras.Model(two, keras.layers.Add()(two)))
    assert refusal(path) == f"weights: {path}: has 2 inputs (left, right); a network of one is accepted"
    row = keras.Input((7,))
    path = model("row.keras", keras.Model(row, keras.layers.Dense(3)(row)))
    assert refusal(path) == f"weights: {path}: takes (any, 7); images are (any, any, any, 3)"
    grey = keras.Input((16, 16, 1))
    path = model("grey.keras", keras.Model(grey, keras.layers.Flatten()(grey)))
    assert refusal(path) == f"weights: {path}: takes (any, 16, 16, 1); images are (any, any, any, 3)"
    path = model("size.keras", [conv("only")], 24)
    assert refusal(path) == f"size: 16 where {path} takes images of 24 x 24"


def test_outputs_that_are_no_features(model: Callable[..., Path]) -> None:
    import keras

    shown = keras.Input((16, 16, 3))
    path = model(
        "two.keras", keras.Model(shown, [keras.layers.Flatten(name="flat")(shown), keras.layers.ReLU()(shown)])
    )
    assert features_of(path, layer="flat").shape == (1, 768)
    path = model("any.keras", [keras.layers.Flatten(name="flat")], None)
    assert refusal(path, layer="flat") == (
        f"layer: flat of {path} gives no numbers of a fixed count; name another layer"
    )


def features_of(path: Path, **keys: Any) -> np.ndarray:
    network = open_network(ImageConfig(weights=path, size=16, **keys), 0, 2)
    return np.concatenate(list(network.features([np.zeros((9, 9, 3), np.uint8)], 1)))
