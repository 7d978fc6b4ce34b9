"""The fingerprint of a dataset: a hash over all that decides it, the same on any machine."""

from __future__ import annotations

import hashlib
import io
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, is_dataclass
from pathlib import Path, PurePath
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from yoorec.code import code_hash
from yoorec.data.files import expand
from yoorec.errors import DataError

if TYPE_CHECKING:
    from yoorec.components import Source
    from yoorec.config.scenario import Scenario
    from yoorec.data.catalogue import Catalogue

__all__ = ["canonical", "fingerprint_of", "items_fingerprint"]

_BLOCK = 1 << 20


def canonical(value: Any) -> Any:
    """A config as plain JSON values in which a path is no more than its name: contents count, not where they lie."""
    if is_dataclass(value) and not isinstance(value, type):
        value = asdict(value)
    if isinstance(value, Mapping):
        return {str(key): canonical(each) for key, each in sorted(value.items(), key=lambda pair: str(pair[0]))}
    if isinstance(value, list | tuple):
        return [canonical(each) for each in value]
    if isinstance(value, set | frozenset):
        return sorted(canonical(each) for each in value)
    return value.name if isinstance(value, PurePath) else value


def fingerprint_of(scenario: Scenario, source: Source) -> str:
    """32 hex digits over source, config, its files' contents, the settings that shape a log, and the code of both."""
    digest = hashlib.blake2b(digest_size=16)
    settings = {
        "source": scenario.data.use,
        "target": scenario.data.spec.target,
        "config": canonical(scenario.data.config),
        "session_gap_ms": scenario.session_gap_ms,
        "event_weights": canonical(scenario.event_weights),
        "code": [code_hash("yoorec.data"), code_hash(scenario.data.spec.target)],
        "mask": _mask(scenario),
        "item_files": {key: len(expand(paths)) for key, paths in scenario.item_files.items()},
    }
    digest.update(json.dumps(settings, sort_keys=True, default=str).encode())
    joined = [path for paths in scenario.item_files.values() for path in expand(paths)]
    for path in (*source.files(), *joined):
        digest.update(f"\0{path.name}\0".encode())
        digest.update(_content(path))
    return digest.hexdigest()


def items_fingerprint(catalogue: Catalogue, columns: Sequence[str]) -> str:
    """32 hex digits over what is known of items without events: ids, `published_at` and the named columns that are
    there; all columns where none is named. Of a cover that is a file, its path, size and time of change count.
    """
    wanted = [name for name in catalogue.item_columns.column_names if not columns or name in columns]
    table = catalogue.item_columns.select(wanted)
    table = table.append_column("yoorec id", pa.array(catalogue.items.ids, pa.string()))
    table = table.append_column("yoorec published_at", pa.array(catalogue.published_at))
    digest = hashlib.blake2b(digest_size=16)
    with pa.ipc.new_stream(pa.PythonFile(_Sink(digest), mode="w"), table.schema) as writer:
        writer.write_table(table.combine_chunks())
    if "cover" in wanted and pa.types.is_string(table.schema.field("cover").type):
        for path in table["cover"].to_pylist():
            digest.update(_state(path))
    return digest.hexdigest()


def _state(path: str | None) -> bytes:
    try:
        found = Path(path or "").stat()
    except (OSError, ValueError):
        return b"-"
    return f"{found.st_size} {found.st_mtime_ns} ".encode()


class _Sink(io.RawIOBase):
    """Hashes what is written to it."""

    def __init__(self, digest: hashlib.blake2b) -> None:
        self._digest = digest

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        self._digest.update(data)
        return len(data)


def _mask(scenario: Scenario) -> Any:
    """The mask with what places its cut; without one the cut decides nothing about the data."""
    replay = scenario.replay
    return None if replay.mask is None else [canonical(replay.mask), replay.cut, replay.protocol]


def _content(path: Path) -> bytes:
    digest = hashlib.blake2b(digest_size=32)
    try:
        with path.open("rb") as opened:
            while block := opened.read(_BLOCK):
                digest.update(block)
    except OSError as error:
        raise DataError(f"{path}: can't be read: {error}") from error
    return digest.digest()
