"""Every hook of yoorec. Hooks register and observe; algorithms live in components."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

import pluggy

if TYPE_CHECKING:
    from yoorec.artifacts.manifest import Manifest
    from yoorec.batch import CandidateBatch, RequestBatch
    from yoorec.components import ComponentSpec

__all__ = ["hookimpl", "hookspec"]

hookspec = pluggy.HookspecMarker("yoorec")
hookimpl = pluggy.HookimplMarker("yoorec")


@hookspec
def yoorec_components() -> Iterable[ComponentSpec]:
    """Offer components that scenarios may name.

    Called: once per process, before any scenario is read; import nothing heavy.
    Returns: specs, each (kind, name) pair unique across installed plugins.
    Errors: a clash stops start-up with PluginError naming both distributions and versions; a plugin that raises here
    is listed with its error, and only a scenario that names one of its components fails.
    """
    return ()


@hookspec
def yoorec_config_packages() -> Iterable[str]:
    """Offer packages of YAML files that scenarios may list under `defaults`.

    Called: once per process, before any scenario is composed.
    Returns: importable package names such as "yoorec_itemcf.conf"; each folder holds an ``__init__.py``.
    Errors: a plugin whose package can't be found is listed with that error, and only a scenario that names one of its
    components fails.
    """
    return ()


@hookspec
def yoorec_after_stage(
    scene: str, stage: str, requests: RequestBatch, candidates: CandidateBatch, elapsed_ms: float
) -> None:
    """Observe a finished stage.

    Called: once per stage per batch, on the thread that ran the chain. `stage` is "triggers.<name>", "merge",
    "ranker" or "exposure.<id>".
    Arguments: B requests and their N candidates, both read-only; elapsed_ms is the wall time of the batch.
    Errors: logged under the plugin's name; the request continues.
    """


@hookspec
def yoorec_after_request(
    scene: str, requests: RequestBatch, slates: CandidateBatch, degraded: tuple[str, ...], elapsed_ms: float
) -> None:
    """Observe finished requests.

    Called: once per batch, after the last stage. `degraded` names the triggers that failed or were late.
    Arguments: B requests and their slates, both read-only; elapsed_ms is the wall time of the batch.
    Errors: logged under the plugin's name; the answer is not affected.
    """


@hookspec
def yoorec_artifact_published(manifest: Manifest) -> None:
    """Observe an artifact that has just become usable.

    Called: once per artifact written, after its checksums were verified; not for one that was already there.
    Errors: logged under the plugin's name; the artifact stays published.
    """
