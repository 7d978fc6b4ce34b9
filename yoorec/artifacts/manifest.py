"""The manifest: what an artifact was made from, and the checksums of its files."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from yoorec.errors import ArtifactError

__all__ = ["MANIFEST", "FileSum", "Manifest", "canonical", "digest", "file_sum"]

MANIFEST = "manifest.json"
_FORMAT = 1


def canonical(value: Any) -> str:
    """JSON with sorted keys and no spaces; paths become their text."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), default=str, ensure_ascii=False)


def digest(value: Any) -> str:
    """16 hex digits of the SHA-256 of a value's canonical JSON."""
    return hashlib.sha256(canonical(value).encode()).hexdigest()[:16]


@dataclass(frozen=True, slots=True)
class FileSum:
    """Size in bytes and SHA-256 of one file."""

    bytes: int
    sha256: str


def file_sum(path: Path) -> FileSum:
    """The checksum of a file. Raises ArtifactError where it can't be read."""
    try:
        with path.open("rb") as file:
            found = hashlib.file_digest(file, "sha256").hexdigest()
            return FileSum(file.tell(), found)
    except OSError as error:
        raise ArtifactError(f"{path}: can't be read: {error.strerror}") from error


@dataclass(frozen=True, slots=True)
class Manifest:
    """What one artifact is.

    slot:        where a scene uses it: "catalogue", "profile", "triggers.<name>" or "ranker".
    component:   "<kind>-<use>", the folder it lies in.
    fingerprint: 16 hex digits over config, code, data, cut and seed; equal fingerprints mean equal artifacts.
    cut:         ms; it learned nothing from events at or after this. None where it learned from no events.
    inputs:      everything the fingerprint is taken from.
    files:       path within the folder to size and checksum.
    created:     seconds since the epoch, by the clock passed to fit. seconds: how long the fit took.
    notes:       figures a component left about itself.
    """

    slot: str
    component: str
    fingerprint: str
    cut: int | None
    inputs: Mapping[str, Any]
    files: Mapping[str, FileSum]
    created: float
    seconds: float
    notes: Mapping[str, Any] = field(default_factory=dict)

    @property
    def bytes(self) -> int:
        """Size of all files together."""
        return sum(each.bytes for each in self.files.values())

    def write(self, folder: Path) -> None:
        """Write ``manifest.json`` into the folder."""
        body = {"format": _FORMAT, **asdict(self)}
        text = json.dumps(body, indent=2, sort_keys=True, default=str)
        (folder / MANIFEST).write_text(text + "\n", encoding="utf-8")

    @classmethod
    def read(cls, folder: Path) -> Manifest:
        """Read ``manifest.json``. Raises ArtifactError naming the file and what is wrong with it."""
        path = folder / MANIFEST
        try:
            body = json.loads(path.read_text(encoding="utf-8"))
        except OSError as error:
            raise ArtifactError(f"{path}: can't be read: {error.strerror}") from error
        except ValueError as error:
            raise ArtifactError(f"{path}: is not JSON: {error}") from error
        if not isinstance(body, dict) or body.pop("format", None) != _FORMAT:
            raise ArtifactError(f"{path}: is not a manifest of format {_FORMAT}: refit with this version of yoorec")
        try:
            files = {name: FileSum(**each) for name, each in body.pop("files").items()}
            return cls(files=files, **body)
        except (TypeError, KeyError, AttributeError) as error:
            raise ArtifactError(f"{path}: a key is missing or unknown: {error}") from error

    def verify(self, folder: Path) -> None:
        """Compare every file with its checksum. Raises ArtifactError naming the first that differs."""
        there = {
            path.relative_to(folder).as_posix()
            for path in folder.rglob("*")
            if path.is_file() and path.name != MANIFEST
        }
        for name, expected in self.files.items():
            if name not in there:
                raise ArtifactError(f"{folder / name}: is missing")
            found = file_sum(folder / name)
            if found != expected:
                raise ArtifactError(
                    f"{folder / name}: is not what was published: {found.bytes:,} bytes with checksum "
                    f"{found.sha256[:12]}, expected {expected.bytes:,} with {expected.sha256[:12]}"
                )
        for name in sorted(there - set(self.files)):
            raise ArtifactError(f"{folder / name}: was not published with this artifact")
