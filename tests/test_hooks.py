"""Every hook of hookspecs.py, each exercised by a plugin through the code that calls it."""

from __future__ import annotations

import inspect
import logging
import types
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from yoorec.components import ComponentSpec
from yoorec.config.compose import load_scenario
from yoorec.docs import hook_facts, hooks
from yoorec.fit import fit
from yoorec.hookspecs import hookimpl
from yoorec.plugins import load_plugins
from yoorec.scene import load
from yoorec.testing.project import Project

Write = Callable[..., Project]


def _plugin(**functions: Any) -> types.ModuleType:
    """A module whose functions are hook implementations."""
    module = types.ModuleType("observer")
    for name, function in functions.items():
        setattr(module, name, hookimpl(function))
    return module


@pytest.mark.parametrize("name", hooks())
def test_every_hook_has_a_test(name: str) -> None:
    assert f"test_{name.removeprefix('yoorec_')}" in globals(), f"tests/test_hooks.py lacks a test of {name}"


@pytest.mark.parametrize("name", hooks())
def test_every_hook_is_typed_and_documented(name: str) -> None:
    hook = hooks()[name]
    signature = inspect.signature(hook)
    assert signature.return_annotation is not inspect.Signature.empty
    for parameter in signature.parameters.values():
        assert parameter.annotation is not inspect.Parameter.empty, parameter.name
    facts = hook_facts(hook)
    assert facts["summary"].endswith(".")
    assert {"Called", "Errors"} <= facts.keys()
    returns = str(signature.return_annotation) not in {"None", "NoneType"}
    assert returns == ("Returns" in facts)


@dataclass(frozen=True)
class _Config:
    pass


def test_components() -> None:
    spec = ComponentSpec("exposure", "shuffle", _Config, "nowhere:Shuffle", "no order at all")
    plugins = load_plugins([("mine", _plugin(yoorec_components=lambda: [spec]))])
    offer = plugins.get("exposure", "shuffle")
    assert offer is not None
    assert offer.spec is spec
    assert offer in list(plugins)


def test_config_packages(yoorec_project: Write, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    package = tmp_path / "site" / "acme_conf" / "trigger"
    package.mkdir(parents=True)
    (package.parent / "__init__.py").write_text("")
    (package / "wide.yaml").write_text("use: itemcf\nneighbors: 77\n")
    monkeypatch.syspath_prepend(tmp_path / "site")
    plugins = load_plugins([("acme", _plugin(yoorec_config_packages=lambda: ["acme_conf"]))])
    assert "acme_conf" in plugins.config_packages()
    project = yoorec_project(defaults=["yoorec/base", {"trigger@triggers.near": "wide"}, "_self_"])
    (part,) = load_scenario(project.path, plugins=plugins).triggers
    assert (part.name, part.use, part.config.neighbors) == ("near", "itemcf", 77)


def test_after_stage(yoorec_project: Write) -> None:
    calls: list[tuple[str, str, int, int, float]] = []

    def after_stage(scene: str, stage: str, requests: Any, candidates: Any, elapsed_ms: float) -> None:
        calls.append((scene, stage, len(requests), len(candidates), elapsed_ms))

    project = yoorec_project(
        triggers={"near": {"use": "itemcf"}, "far": {"use": "itemcf", "half_life": None}},
        ranker={"use": "blend", "weights": {"near": 2.0}},
        exposure=[{"use": "drop_seen"}, {"use": "spread", "by": "author", "id": "apart"}],
    )
    scene = load(project.path, plugins=load_plugins([("watch", _plugin(yoorec_after_stage=after_stage))]))
    calls.clear()
    scene.recommend(user_id="u07", item_id="i07")
    scene.close()
    stages = ["triggers.near", "triggers.far", "merge", "ranker", "exposure.drop_seen", "exposure.apart"]
    assert [call[:4] for call in calls] == [("small", stage, 1, 1) for stage in stages]
    assert all(call[4] >= 0 for call in calls)


def test_after_request(yoorec_project: Write) -> None:
    calls: list[Any] = []

    def after_request(scene: str, slates: Any, degraded: tuple[str, ...], elapsed_ms: float) -> None:
        calls.append((scene, slates, degraded, elapsed_ms))

    project = yoorec_project(triggers={"near": {"use": "itemcf"}})
    scene = load(project.path, plugins=load_plugins([("watch", _plugin(yoorec_after_request=after_request))]))
    calls.clear()
    answer = scene.recommend(user_id="u07", item_id="i07", k=4)
    ids = scene.catalogue.items.decode(calls[0][1].item)
    scene.close()
    assert len(calls) == 1
    assert calls[0][0] == "small"
    assert ids == [each["item_id"] for each in answer["items"]]
    assert calls[0][2] == ()
    assert calls[0][3] > 0


def test_artifact_published(yoorec_project: Write) -> None:
    seen: list[Any] = []

    def artifact_published(manifest: Any) -> None:
        seen.append(manifest)

    project = yoorec_project(triggers={"near": {"use": "itemcf"}})
    plugins = load_plugins([("watch", _plugin(yoorec_artifact_published=artifact_published))])
    scenario = load_scenario(project.path, plugins=plugins)
    fit(scenario, plugins)
    published = len(seen)
    assert published > 0
    assert len({manifest.fingerprint for manifest in seen}) == published
    fit(scenario, plugins)
    assert len(seen) == published, "an artifact that was already there is not published again"


def test_an_observer_that_raises_is_logged_and_harms_nothing(
    yoorec_project: Write, caplog: pytest.LogCaptureFixture
) -> None:
    def raises(scene: str) -> None:
        raise RuntimeError("no room for the log")

    project = yoorec_project(triggers={"near": {"use": "itemcf"}})
    faulty = _plugin(yoorec_after_stage=raises, yoorec_after_request=raises)
    scene = load(project.path, plugins=load_plugins([("watch", faulty)]))
    with caplog.at_level(logging.ERROR, "yoorec.plugins"):
        caplog.clear()
        answer = scene.recommend(item_id="i07")
    scene.close()
    quiet = load(project.path)
    assert answer["items"] == quiet.recommend(item_id="i07")["items"]
    quiet.close()
    said = [record.getMessage() for record in caplog.records]
    assert "yoorec_after_stage failed in local:watch" in said
    assert "yoorec_after_request failed in local:watch" in said
    assert "no room for the log" in caplog.text


def test_an_observer_can_not_change_what_it_sees(yoorec_project: Write) -> None:
    """Batches handed to observers are read-only, so an observer that writes is one that fails."""

    def spoils(candidates: Any) -> None:
        candidates.score[:] = np.float32(0)

    project = yoorec_project(triggers={"near": {"use": "itemcf"}})
    scene = load(project.path, plugins=load_plugins([("watch", _plugin(yoorec_after_stage=spoils))]))
    quiet = load(project.path)
    try:
        assert scene.recommend(item_id="i07")["items"] == quiet.recommend(item_id="i07")["items"]
    finally:
        scene.close()
        quiet.close()
