"""The code fingerprint: a hash of sources, so that an edited plugin refits even where its version number stays."""

from __future__ import annotations

import hashlib
import importlib.util
from collections.abc import Iterable
from functools import cache
from pathlib import Path

from yoorec.errors import PluginError

__all__ = ["code_hash"]

_CONTRACT = (
    "batch.py",
    "components.py",
    "ragged",
    "data/log.py",
    "data/catalogue.py",
    "artifacts/arrays.py",
    "vectors",
)
"""What every component stands on."""


@cache
def code_hash(target: str) -> str:
    """16 hex digits over the sources behind ``package.module:Class``.

    A plugin: its whole top-level package. A built-in: its sub-package (``yoorec.stages``). Both: the contracts too.
    """
    parts = target.partition(":")[0].split(".")
    core = Path(__file__).parent
    if parts[0] == "yoorec":
        own = core / parts[1]
    else:
        spec = importlib.util.find_spec(parts[0])
        if spec is None or spec.origin is None:
            raise PluginError(f"{target}: the package '{parts[0]}' can't be found")
        own = Path(spec.origin).parent
        if own.name != parts[0]:  # a plugin of one module
            own = Path(spec.origin)
    return _hash([own, *(core / name for name in _CONTRACT)])


def _sources(path: Path) -> list[Path]:
    return [path] if path.is_file() else sorted(path.rglob("*.py"))


def _hash(roots: Iterable[Path]) -> str:
    found = hashlib.sha256()
    for root in roots:
        for path in _sources(root):
            found.update(f"{path.relative_to(root.parent).as_posix()}\0".encode())
            found.update(path.read_bytes())
    return found.hexdigest()[:16]
