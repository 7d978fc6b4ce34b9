"""A release: the artifacts that make up one scene, named together so that they change together."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from yoorec.artifacts.manifest import digest
from yoorec.errors import ArtifactError

__all__ = ["Release", "Slot", "Step"]


@dataclass(frozen=True, slots=True)
class Slot:
    """One artifact of a release.

    component: "<kind>-<use>". fingerprint: its version. manifest: SHA-256 of its manifest file.
    """

    component: str
    fingerprint: str
    manifest: str


@dataclass(frozen=True, slots=True)
class Step:
    """What a fit did for one slot: whether it was fitted or kept, how long that took, and what it noted."""

    slot: str
    fitted: bool
    seconds: float
    bytes: int
    notes: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Release:
    """The artifacts of one scene.

    scenario_hash: the hash of the scenario they were fitted for. data: the data fingerprint.
    rank_cut, replay_cut, end: ms; `replay_cut` fences everything the request path uses.
    slots: slot name to artifact. created: seconds since the epoch. steps: what this fit did (not stored).
    """

    scene: str
    scenario_hash: str
    data: str
    rank_cut: int
    replay_cut: int
    end: int
    production: bool
    slots: Mapping[str, Slot]
    created: float = 0.0
    steps: tuple[Step, ...] = ()

    @property
    def version(self) -> str:
        """16 hex digits over what the release holds; the time it was made does not count."""
        return digest({**self._body(), "created": 0})

    def _body(self) -> dict[str, Any]:
        body = asdict(self)
        del body["steps"]
        return body

    def to_json(self) -> str:
        """The text stored under ``releases/<scene>/<version>.json``."""
        return json.dumps(self._body(), indent=2, sort_keys=True) + "\n"

    @classmethod
    def from_json(cls, text: str, name: str) -> Release:
        """Read back `to_json`. Raises ArtifactError naming the file `name`."""
        try:
            body = json.loads(text)
            slots = {slot: Slot(**each) for slot, each in body.pop("slots").items()}
            return cls(slots=slots, **body)
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            raise ArtifactError(f"{name}: is not a release: {error}") from error
