"""The store: artifacts by component and fingerprint, releases by scene, each published atomically.

    <root>/artifacts/<kind>-<use>/<fingerprint>/   manifest.json and the component's files
    <root>/releases/<scene>/<version>.json         the artifacts of one scene
    <root>/releases/<scene>/CURRENT                the version in use
    <root>/cache/<kind>-<use>/                     what a component keeps between fits; may be emptied at any time

An artifact is written aside, verified, then renamed into place; `CURRENT` moves last. A crash leaves the old version.
"""

from __future__ import annotations

import os
import re
import secrets
import shutil
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from yoorec.artifacts.manifest import MANIFEST, Manifest, file_sum
from yoorec.artifacts.release import Release, Slot
from yoorec.errors import ArtifactError

__all__ = ["Artifact", "Pruned", "Store"]

_SAFE = re.compile(r"^[A-Za-z0-9][A-Za-z0-9_.-]*$")
_ASIDE = ".aside-"
_STALE_S = 6 * 3600.0


@dataclass(frozen=True, slots=True)
class Artifact:
    """A published artifact: its folder and manifest."""

    folder: Path
    manifest: Manifest

    @property
    def slot(self) -> Slot:
        """How a release names it."""
        sha256 = file_sum(self.folder / MANIFEST).sha256
        return Slot(self.manifest.component, self.manifest.fingerprint, sha256)


@dataclass(frozen=True, slots=True)
class Pruned:
    """What a prune removed: artifact folders and bytes."""

    folders: tuple[Path, ...]
    bytes: int


def _flush(path: Path) -> None:
    """Force a file or folder to disk, so that a rename never outlives the bytes it names."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _write_aside(path: Path, text: str) -> None:
    aside = path.with_name(f"{_ASIDE}{secrets.token_hex(4)}")
    aside.write_text(text, encoding="utf-8")
    _flush(aside)
    aside.replace(path)
    _flush(path.parent)


class Store:
    """Artifacts and releases under one root folder."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self._artifacts = root / "artifacts"
        self._releases = root / "releases"

    def _folder(self, component: str, fingerprint: str) -> Path:
        for part in (component, fingerprint):
            if not _SAFE.match(part):
                raise ArtifactError(f"{self.root}: '{part}' can't name an artifact: letters, digits, '_', '-', '.'")
        return self._artifacts / component / fingerprint

    def is_empty(self) -> bool:
        """Whether nothing was ever published here."""
        return not self._artifacts.exists()

    def find(self, component: str, fingerprint: str) -> Artifact | None:
        """The published artifact, unverified, or None."""
        folder = self._folder(component, fingerprint)
        if not (folder / MANIFEST).exists():
            return None
        return Artifact(folder, Manifest.read(folder))

    def publish(
        self,
        *,
        slot: str,
        component: str,
        fingerprint: str,
        cut: int | None,
        inputs: Mapping[str, Any],
        write: Callable[[Path], Mapping[str, Any] | None],
        clock: Callable[[], float] = time.time,
    ) -> Artifact:
        """Write an artifact aside, verify it, and rename it into place.

        write: fills an empty folder, and may return notes for the manifest.
        A second process that publishes the same fingerprint first wins; the artifacts are equal.
        """
        folder = self._folder(component, fingerprint)
        folder.parent.mkdir(parents=True, exist_ok=True)
        aside = folder.parent / f"{_ASIDE}{fingerprint}-{secrets.token_hex(4)}"
        aside.mkdir()
        try:
            started = time.perf_counter()
            notes = write(aside) or {}
            seconds = round(time.perf_counter() - started, 3)
            paths = sorted(path for path in aside.rglob("*") if path.is_file())
            files = {path.relative_to(aside).as_posix(): file_sum(path) for path in paths}
            manifest = Manifest(slot, component, fingerprint, cut, inputs, files, round(clock(), 3), seconds, notes)
            manifest.write(aside)
            for path in (*paths, aside / MANIFEST, aside):
                _flush(path)
            Manifest.read(aside).verify(aside)
            try:
                aside.rename(folder)
            except OSError:
                if not (folder / MANIFEST).exists():
                    raise
            _flush(folder.parent)
        finally:
            shutil.rmtree(aside, ignore_errors=True)
        return Artifact(folder, Manifest.read(folder))

    def cache(self, component: str) -> Path:
        """The folder of what a component keeps between fits; it may not be there yet."""
        return self.root / "cache" / component

    def discard(self, artifact: Artifact) -> None:
        """Take a damaged artifact out of the way, so that it can be fitted again."""
        aside = artifact.folder.parent / f"{_ASIDE}damaged-{secrets.token_hex(4)}"
        artifact.folder.rename(aside)
        shutil.rmtree(aside, ignore_errors=True)

    def open(self, slot: Slot, name: str) -> Artifact:
        """The artifact of a release's slot, every checksum compared.

        Raises ArtifactError naming the file that is missing, damaged or not the one that was released.
        """
        folder = self._folder(slot.component, slot.fingerprint)
        if not folder.exists():
            raise ArtifactError(f"{folder}: the artifact of {name} is missing: run `yoorec fit`")
        if file_sum(folder / MANIFEST).sha256 != slot.manifest:
            raise ArtifactError(f"{folder / MANIFEST}: is not the manifest that was released for {name}")
        manifest = Manifest.read(folder)
        manifest.verify(folder)
        return Artifact(folder, manifest)

    def release(self, release: Release) -> None:
        """Make a release the current one of its scene."""
        if not _SAFE.match(release.scene):
            raise ArtifactError(f"scene '{release.scene}' can't name a folder: letters, digits, '_', '-', '.'")
        folder = self._releases / release.scene
        folder.mkdir(parents=True, exist_ok=True)
        _write_aside(folder / f"{release.version}.json", release.to_json())
        _write_aside(folder / "CURRENT", release.version + "\n")

    def current(self, scene: str) -> Release | None:
        """The current release of a scene, or None. Raises ArtifactError where it is damaged."""
        if not _SAFE.match(scene):
            return None
        pointer = self._releases / scene / "CURRENT"
        if not pointer.exists():
            return None
        version = pointer.read_text(encoding="utf-8").strip()
        if not re.fullmatch(r"[0-9a-f]{16}", version):
            raise ArtifactError(f"{pointer}: holds {version!r}, expected a version of 16 hex digits")
        path = pointer.with_name(f"{version}.json")
        try:
            release = Release.from_json(path.read_text(encoding="utf-8"), str(path))
        except OSError as error:
            raise ArtifactError(f"{path}: the current release can't be read: {error.strerror}") from error
        if release.version != version:
            raise ArtifactError(f"{path}: is not what was released: its contents are version {release.version}")
        return release

    def artifacts(self) -> Iterator[Path]:
        """Folders of every published artifact, sorted."""
        for component in sorted(self._artifacts.glob("*")):
            for folder in sorted(component.glob("*")):
                if folder.is_dir() and not folder.name.startswith(_ASIDE):
                    yield folder

    def scenes(self) -> tuple[str, ...]:
        """Scenes that have a release."""
        return tuple(sorted(path.parent.name for path in self._releases.glob("*/CURRENT")))

    def used(self) -> dict[Path, set[str]]:
        """Artifact folders that a current release names, each with the scenes that use it."""
        found: dict[Path, set[str]] = {}
        for scene in self.scenes():
            release = self.current(scene)
            for slot in release.slots.values() if release else ():
                found.setdefault(self._folder(slot.component, slot.fingerprint), set()).add(scene)
        return found

    def prune(self, keep_s: float = 0.0, clock: Callable[[], float] = time.time) -> Pruned:
        """Remove artifacts and releases that no current release uses, and what killed fits left aside.

        keep_s: leave what was created in the last so many seconds.
        """
        used = self.used()
        removed: list[Path] = []
        freed = 0
        for folder in list(self.artifacts()):
            if folder in used:
                continue
            if clock() - folder.stat().st_mtime < keep_s:
                continue
            freed += _size(folder)
            aside = folder.parent / f"{_ASIDE}pruned-{secrets.token_hex(4)}"
            folder.rename(aside)
            shutil.rmtree(aside, ignore_errors=True)
            removed.append(folder)
        for aside in list(self._artifacts.glob(f"*/{_ASIDE}*")):
            # A fit that is still running renews its folder's time as it writes.
            if clock() - aside.stat().st_mtime > _STALE_S:
                freed += _size(aside)
                shutil.rmtree(aside, ignore_errors=True)
                removed.append(aside)
        for pointer in self._releases.glob("*/CURRENT"):
            current = pointer.read_text(encoding="utf-8").strip()
            for path in pointer.parent.glob("*.json"):
                if path.stem != current:
                    path.unlink()
        for component in self._artifacts.glob("*"):
            with suppress(OSError):
                component.rmdir()
        return Pruned(tuple(removed), freed)


def _size(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
