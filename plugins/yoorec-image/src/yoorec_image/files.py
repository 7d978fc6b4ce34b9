"""Saved networks, looked into before Keras loads them: only layers that are Keras' own and run no code of the file."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from yoorec.errors import DataError, nearest

__all__ = ["check_network_file"]

_HDF5 = b"\x89HDF\r\n\x1a\n"
_WORDS = ("imagenet", "random")
_RUN_CODE = frozenset({"Lambda", "__lambda__", "TFSMLayer", "TorchModuleWrapper", "JaxLayer", "FlaxLayer"})
"""What holds a program, or loads another file that does."""


def check_network_file(path: Path) -> None:
    """Raise DataError where the file is no network that Keras saved whole, or one that would run code of its own."""
    if not path.is_file():
        close = nearest(path.name, _WORDS)
        hint = f"; nearest: {close}" if close else ""
        raise DataError(f"weights: there is no file {path}{hint}; accepted: {', '.join(_WORDS)}, a .keras or .h5 file")
    config = _config_of(path)
    for kind, module in _objects(config):
        if kind in _RUN_CODE:
            raise DataError(
                f"weights: {path}: holds a {kind}, which runs code of the file; layers of Keras are accepted"
            )
        if module is not None and module.partition(".")[0] not in ("keras", "builtins"):
            raise DataError(f"weights: {path}: holds {module}.{kind}; layers of Keras are accepted")


def _config_of(path: Path) -> Any:
    """What the file says of its network, as plain values."""
    with path.open("rb") as file:
        head = file.read(8)
    try:
        if path.suffix == ".keras" and head[:2] == b"PK":
            with zipfile.ZipFile(path) as archive:
                return json.loads(archive.read("config.json"))
        if path.suffix == ".h5" and head == _HDF5:
            import h5py

            with h5py.File(path, "r") as saved:
                config = saved.attrs.get("model_config")
            if config is not None:
                return json.loads(config)
            raise DataError(
                f"weights: {path}: holds weights without their network; save it whole: model.save('x.keras')"
            )
    except DataError:
        raise
    except Exception as error:  # a damaged archive may raise anything
        raise DataError(f"weights: {path}: is a damaged network: {error}") from error
    raise DataError(f"weights: {path}: is no network; a .keras or .h5 file that Keras saved is accepted")


def _objects(config: Any) -> Iterator[tuple[str, str | None]]:
    """The class and the module of everything that a network is made of."""
    if isinstance(config, dict):
        if isinstance(config.get("class_name"), str):
            yield config["class_name"], config.get("module")
        for value in config.values():
            yield from _objects(value)
    elif isinstance(config, list):
        for value in config:
            yield from _objects(value)
