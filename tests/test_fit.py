import json
import os
import signal
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from yoorec.artifacts.release import Release
from yoorec.artifacts.store import Store
from yoorec.batch import RequestBatch
from yoorec.components import ComponentSpec, FitContext, PerRequestTrigger
from yoorec.config.scenario import MaskSettings, ReplaySettings
from yoorec.config.types import DataPath
from yoorec.data.catalogue import Catalogue
from yoorec.data.cuts import resolve_cuts
from yoorec.data.dataset import Dataset
from yoorec.data.log import EventLog
from yoorec.data.vocabulary import Vocabulary
from yoorec.errors import ArtifactError, ConfigError, DataError
from yoorec.fit import LastSamples, fit
from yoorec.scene import Scene
from yoorec.stages.blend import Blend
from yoorec.testing.counts import Counts, CountsConfig


class Recording(Counts):
    """Remembers the last time of each log it learned from."""

    ends: list[int | None]

    def fit(self, log: EventLog, context: FitContext) -> None:
        super().fit(log, context)
        type(self).ends.append(int(log.time[-1]) if len(log) else None)


@pytest.fixture
def recording() -> type[Recording]:
    return type("Recording", (Recording,), {"ends": []})


def steps(release: Release) -> dict[str, list[bool]]:
    found: dict[str, list[bool]] = {}
    for step in release.steps:
        found.setdefault(step.slot, []).append(step.fitted)
    return found


def test_triggers_learn_twice_and_never_see_a_cut(small_scene: Callable[..., Any], recording: Any) -> None:
    made = small_scene({"recording": recording}, ranker="blend")
    release = fit(made.scenario, made.plugins, made.dataset)
    assert len(recording.ends) == 2
    assert recording.ends[0] < release.rank_cut <= made.log.time[-1]
    assert release.rank_cut <= recording.ends[1] < release.replay_cut
    assert set(release.slots) == {
        "catalogue",
        "profile",
        "triggers.recording",
        "rank_window.recording",
        "ranker",
    }


def test_triggers_learn_once_where_no_ranker_learns(small_scene: Callable[..., Any], recording: Any) -> None:
    made = small_scene({"recording": recording})
    release = fit(made.scenario, made.plugins, made.dataset)
    assert len(recording.ends) == 1
    assert set(release.slots) == {"catalogue", "profile", "triggers.recording"}


def test_samples_are_made_once_for_rankers_that_learn_from_the_same(
    small_scene: Callable[..., Any], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    made = small_scene({"one": Counts}, ranker="blend")
    learned: list[Any] = []
    blend = Blend.fit

    def learn(self: Blend, samples: Any, context: FitContext) -> None:
        learned.append(samples)
        blend(self, samples, context)

    monkeypatch.setattr(Blend, "fit", learn)
    last = LastSamples()
    for number, scenario in enumerate(
        (made.scenario, made.scenario, replace(made.scenario, slate=made.scenario.slate + 1))
    ):
        fit(replace(scenario, store=tmp_path / str(number)), made.plugins, made.dataset, last=last)
    assert learned[0] is learned[1]
    assert learned[2] is not learned[1]
    monkeypatch.setattr("yoorec.fit._KEPT", 1)
    fit(replace(made.scenario, store=tmp_path / "3"), made.plugins, made.dataset, last=last)
    assert last.samples is None


def test_only_what_changed_is_fitted_again(small_scene: Callable[..., Any]) -> None:
    made = small_scene({"one": Counts, "two": type("Two", (Counts,), {})}, ranker="blend")
    first = fit(made.scenario, made.plugins, made.dataset)
    assert all(all(fitted) for fitted in steps(first).values())
    again = fit(made.scenario, made.plugins, made.dataset)
    assert not any(any(fitted) for fitted in steps(again).values())
    assert again.version == first.version
    one, two = made.scenario.triggers
    changed = replace(made.scenario, triggers=(one, replace(two, config=CountsConfig(3.0))))
    third = steps(fit(changed, made.plugins, made.dataset))
    assert third == {
        "catalogue": [False],
        "profile": [False],
        "triggers.one": [False, False],
        "triggers.two": [True, True],
        "ranker": [True],
    }


@pytest.mark.parametrize("change", ["data", "seed", "code", "rank_cut", "limit", "history"])
def test_whatever_decides_an_artifact_refits_it(small_scene: Callable[..., Any], change: str, tmp_path: Path) -> None:
    made = small_scene(ranker="blend")
    fit(made.scenario, made.plugins, made.dataset)
    scenario, dataset = made.scenario, made.dataset
    if change == "data":
        dataset = replace(dataset, fingerprint="e" * 16)
    elif change == "seed":
        scenario = replace(scenario, seed=1)
    elif change == "code":
        from yoorec.code import code_hash

        (tmp_path / "small_scene_plugin.py").write_text("# edited, under the same version number\n")
        code_hash.cache_clear()
    elif change == "rank_cut":
        scenario = replace(scenario, fit=replace(scenario.fit, rank_cut=0.5))
    elif change == "limit":
        scenario = replace(scenario, triggers=(replace(scenario.triggers[0], limit=7),))
    else:
        scenario = replace(scenario, history=3)
    found = steps(fit(scenario, made.plugins, dataset))
    assert found["ranker"] == [True]
    assert (
        found["triggers.counts"]
        == {
            "data": [True, True],
            "seed": [True, True],
            "code": [True, True],
            "rank_cut": [True, False],
            "limit": [False, False],
            "history": [False, False],
        }[change]
    )


def test_same_log_and_seed_give_the_same_files(small_scene: Callable[..., Any], tmp_path: Path) -> None:
    made = small_scene(ranker="blend")
    first = fit(made.scenario, made.plugins, made.dataset)
    other = replace(made.scenario, store=tmp_path / "other")
    second = fit(other, made.plugins, made.dataset)
    for name, slot in first.slots.items():
        one = Store(made.scenario.store).open(slot, name).manifest
        two = Store(other.store).open(second.slots[name], name).manifest
        assert one.files == two.files, name


def test_component_that_learns_from_items_is_fitted_once_and_blind(
    small_scene: Callable[..., Any], recording: Any
) -> None:
    made = small_scene({"recording": recording}, ranker="blend")
    part = made.scenario.triggers[0]
    spec = ComponentSpec("trigger", part.use, part.spec.config, part.spec.target, learns="items")
    scenario = replace(made.scenario, triggers=(replace(part, spec=spec),))
    release = fit(scenario, made.plugins, made.dataset)
    assert recording.ends == [None]
    assert release.slots["triggers.recording"] == release.slots["rank_window.recording"]


def test_what_learns_from_items_is_not_fitted_again_for_new_events(
    small_scene: Callable[..., Any], recording: Any
) -> None:
    made = small_scene({"recording": recording})
    part = made.scenario.triggers[0]
    spec = ComponentSpec("trigger", part.use, part.spec.config, part.spec.target, learns="items")
    scenario = replace(made.scenario, triggers=(replace(part, spec=spec),))
    fit(scenario, made.plugins, made.dataset)
    later = replace(made.dataset, log=made.log.rows(slice(0, -50)), fingerprint="e" * 16)
    assert steps(fit(scenario, made.plugins, later))["triggers.recording"] == [False]
    catalogue = replace(made.log.catalogue, item_columns=made.log.catalogue.item_columns.drop_columns(["title"]))
    changed = replace(made.dataset, log=replace(made.log, catalogue=catalogue), fingerprint="f" * 16)
    assert steps(fit(scenario, made.plugins, changed))["triggers.recording"] == [True]


def with_new_items(made: Any) -> Dataset:
    """The scene's data some time later: with two new items, whose ids sort before and behind the others."""
    log = made.log
    old = log.catalogue
    items = Vocabulary(["a new one", *old.items.ids, "z new one"])
    place = pa.array(old.items.encode(items.ids), mask=old.items.encode(items.ids) < 0)
    columns = old.item_columns.take(place)
    titles = pa.array([title or "title of a new one" for title in columns["title"].to_pylist()])
    columns = columns.set_column(columns.column_names.index("title"), "title", titles)
    published = np.full(len(items), old.published_at[0])
    catalogue = replace(old, items=items, item_columns=columns, published_at=published)
    moved = items.encode(old.items.ids)
    return Dataset(replace(log, item=moved[log.item], catalogue=catalogue), None, {}, "e" * 16)


class Titles(PerRequestTrigger):
    """Recalls every item with a title, first ones first; learns from items alone."""

    def __init__(self, config: Any, catalogue: Catalogue) -> None:
        self.catalogue = catalogue
        self.items: list[int] = []

    def fit(self, log: EventLog, context: FitContext) -> None:
        assert len(log) == 0
        self.items = [i for i, title in enumerate(log.catalogue.item_columns["title"].to_pylist()) if title]

    def save(self, folder: Path) -> None:
        (folder / "items.json").write_text(json.dumps(self.items))

    def load(self, folder: Path) -> None:
        self.items = json.loads((folder / "items.json").read_text())

    def recall_one(self, request: RequestBatch, k: int) -> tuple[list[int], list[float]]:
        return self.items, [1.0] * len(self.items)


def items_scene(small_scene: Callable[..., Any]) -> Any:
    made = small_scene({"counts": Counts, "titles": Titles}, limit=100, rules=())
    counts, titles = made.scenario.triggers
    spec = ComponentSpec("trigger", titles.use, titles.spec.config, titles.spec.target, learns="items")
    made.scenario = replace(made.scenario, triggers=(counts, replace(titles, spec=spec)), merge_limit=100)
    return made


def test_new_items_are_recalled_without_learning_from_events_again(small_scene: Callable[..., Any]) -> None:
    made = items_scene(small_scene)
    first = fit(made.scenario, made.plugins, made.dataset)
    before = Scene.open(made.scenario, first, made.plugins)
    known = made.log.catalogue.items.ids
    lists = [before.recommend(item_id=name, k=200)["items"] for name in known[:5]]
    later = with_new_items(made)
    grown = fit(made.scenario, made.plugins, later, items_only=True)
    assert steps(grown) == {"catalogue": [True], "triggers.titles": [True]}
    assert Store(made.scenario.store).current(first.scene) == replace(grown, steps=())
    assert {name for name in first.slots if first.slots[name] != grown.slots[name]} == {"catalogue", "triggers.titles"}
    after = Scene.open(made.scenario, grown, made.plugins)
    assert after.catalogue.items.ids == (*known, "a new one", "z new one")
    new = {"a new one", "z new one"}
    for name, old in zip(known[:5], lists, strict=True):
        found = after.recommend(item_id=name, k=200)["items"]
        assert new <= {row["item_id"] for row in found}
        assert {row["item_id"] for row in old} <= {row["item_id"] for row in found}
    assert new - {"z new one"} <= {row["item_id"] for row in after.recommend(item_id="z new one", k=200)["items"]}
    again = fit(made.scenario, made.plugins, later, items_only=True)
    assert again.slots == grown.slots and again.version == grown.version
    for scene in (before, after):
        scene.close()


def test_items_can_not_be_added_to_nothing_nor_to_another_config(small_scene: Callable[..., Any]) -> None:
    made = items_scene(small_scene)
    with pytest.raises(ArtifactError, match="scene 'small' has no release to add items to: run `yoorec fit`"):
        fit(made.scenario, made.plugins, made.dataset, items_only=True)
    first = fit(made.scenario, made.plugins, made.dataset)
    counts, titles = made.scenario.triggers
    other = replace(made.scenario, triggers=(replace(counts, config=CountsConfig(9.0)), titles))
    with pytest.raises(ArtifactError, match=r"triggers\.counts was fitted with"):
        fit(other, made.plugins, with_new_items(made), items_only=True)
    masked = replace(made.scenario, replay=ReplaySettings(mask=MaskSettings(items=0.5)))
    with pytest.raises(ConfigError, match=r"replay.mask: a masked log is for replay"):
        fit(masked, made.plugins, made.dataset, items_only=True)
    assert Store(made.scenario.store).current(first.scene) == replace(first, steps=())


def test_parts_are_checked_before_anything_is_fitted(small_scene: Callable[..., Any], recording: Any) -> None:
    class Picky(Counts):
        def __init__(self, config: Any, catalogue: Catalogue) -> None:
            super().__init__(config, catalogue)
            catalogue.item_column("cover")

    made = small_scene({"recording": recording, "picky": Picky, "pickier": type("Pickier", (Picky,), {})})
    with pytest.raises(DataError) as caught:
        fit(made.scenario, made.plugins, made.dataset)
    lines = str(caught.value).splitlines()
    assert [line.partition("triggers.")[2] for line in lines] == [
        f"{name}: items: no column 'cover'; nearest: author; there are: title, author, category, duration_s"
        for name in ("picky", "pickier")
    ] or lines
    assert recording.ends == []


def test_a_file_counts_by_what_it_holds(small_scene: Callable[..., Any], tmp_path: Path) -> None:
    @dataclass(frozen=True)
    class Config(CountsConfig):
        file: DataPath = tmp_path / "weights.txt"

    made = small_scene()
    part = made.scenario.triggers[0]
    scenario = replace(made.scenario, triggers=(replace(part, config=Config()),))
    for content, fitted in (("one", True), ("one", False), ("two", True)):
        (tmp_path / "weights.txt").write_text(content)
        assert steps(fit(scenario, made.plugins, made.dataset))["triggers.counts"] == [fitted]
    (tmp_path / "weights.txt").unlink()
    release = Store(made.scenario.store).current("small")
    assert release is not None
    Scene.open(scenario, release, made.plugins).close()  # serving needs no file that fitting needed


def test_a_component_keeps_a_cache_between_fits(small_scene: Callable[..., Any]) -> None:
    found: list[Path] = []

    class Caching(Counts):
        def fit(self, log: EventLog, context: FitContext) -> None:
            super().fit(log, context)
            assert context.cache is not None
            found.append(context.cache)

    made = small_scene({"caching": Caching})
    fit(made.scenario, made.plugins, made.dataset)
    assert found == [made.scenario.store / "cache" / "trigger-caching"]


def test_production_learns_from_the_whole_log(small_scene: Callable[..., Any], recording: Any) -> None:
    made = small_scene({"recording": recording}, ranker="blend")
    release = fit(made.scenario, made.plugins, made.dataset, production=True)
    assert recording.ends[-1] == made.log.time[-1]
    assert release.production
    assert release.rank_cut < release.replay_cut == made.log.time[-1] + 1


def test_replay_does_not_move_the_current_release(small_scene: Callable[..., Any]) -> None:
    made = small_scene()
    current = fit(made.scenario, made.plugins, made.dataset)
    trial = replace(made.scenario, triggers=(replace(made.scenario.triggers[0], config=CountsConfig(9.0)),))
    fit(trial, made.plugins, made.dataset, publish=False)
    assert Store(made.scenario.store).current("small") == replace(current, steps=())


def test_damaged_artifact_is_refused_when_opened_and_made_anew_by_fit(small_scene: Callable[..., Any]) -> None:
    made = small_scene()
    release = fit(made.scenario, made.plugins, made.dataset)
    slot = release.slots["triggers.counts"]
    path = Store(made.scenario.store).open(slot, "triggers.counts").folder / "score.npy"
    path.write_bytes(path.read_bytes()[:-1] + b"\0")
    with pytest.raises(ArtifactError) as caught:
        Scene.open(made.scenario, release, made.plugins)
    assert str(caught.value).startswith(f"{path}: is not what was published")
    repaired = fit(made.scenario, made.plugins, made.dataset)
    assert steps(repaired)["triggers.counts"] == [True]
    Scene.open(made.scenario, repaired, made.plugins).close()


@pytest.mark.parametrize(
    ("changed", "told"),
    [
        ({"config": CountsConfig(2.0)}, "triggers.counts was fitted with weight 1.0, now 2.0: run `yoorec fit`"),
        ({"use": "other"}, "component 'trigger-counts', now 'trigger-other': run `yoorec fit`"),
    ],
)
def test_release_of_another_config_is_refused_by_key(
    small_scene: Callable[..., Any], changed: dict[str, Any], told: str
) -> None:
    made = small_scene()
    release = fit(made.scenario, made.plugins, made.dataset)
    other = replace(made.scenario, triggers=(replace(made.scenario.triggers[0], **changed),))
    with pytest.raises(ArtifactError) as caught:
        Scene.open(other, release, made.plugins)
    assert str(caught.value).endswith(told)


def test_failing_fit_leaves_the_current_release(small_scene: Callable[..., Any]) -> None:
    made = small_scene()
    current = fit(made.scenario, made.plugins, made.dataset)

    class Failing(Counts):
        def fit(self, log: EventLog, context: FitContext) -> None:
            raise MemoryError("no room")

    broken = small_scene({"failing": Failing})
    with pytest.raises(MemoryError):
        fit(broken.scenario, broken.plugins, broken.dataset)
    assert Store(made.scenario.store).current("small") == replace(current, steps=())


def apart(scenario: Any, name: str) -> Any:
    """The scenario with one trigger fitted apart."""
    parts = (
        replace(part, spec=replace(part.spec, apart=True)) if part.name == name else part for part in scenario.triggers
    )
    return replace(scenario, triggers=tuple(parts), fit=replace(scenario.fit, threads=2))


def test_fits_apart_go_on_beside_the_others(small_scene: Callable[..., Any]) -> None:
    met, done = threading.Barrier(2), threading.Event()

    class Meeting(Counts):
        def fit(self, log: EventLog, context: FitContext) -> None:
            super().fit(log, context)
            if not done.is_set():
                met.wait(60)
                done.set()

    one, two = type("One", (Meeting,), {}), type("Two", (Meeting,), {})
    made = small_scene({"two": two, "one": one}, ranker="blend")
    # The first fit of `one` ends only once that of `two` has begun, which is declared before it.
    release = fit(apart(made.scenario, "two"), made.plugins, made.dataset)
    slots = [step.slot for step in release.steps]
    assert slots == ["catalogue", "profile", "triggers.one", "triggers.two", "ranker", "triggers.one", "triggers.two"]


def test_both_fits_of_a_trigger_apart_go_on_while_nothing_else_is_left(small_scene: Callable[..., Any]) -> None:
    met = threading.Barrier(2)

    class Meeting(Counts):
        def fit(self, log: EventLog, context: FitContext) -> None:
            super().fit(log, context)
            met.wait(60)

    made = small_scene({"two": Meeting}, ranker="blend")
    release = fit(apart(made.scenario, "two"), made.plugins, made.dataset)
    slots = [step.slot for step in release.steps]
    assert slots == ["catalogue", "profile", "triggers.two", "ranker", "triggers.two"]


def test_later_fits_go_on_while_the_ranker_learns(
    small_scene: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    learning, later = threading.Event(), threading.Event()

    class Twice(Counts):
        def fit(self, log: EventLog, context: FitContext) -> None:
            super().fit(log, context)
            if log.time[-1] >= rank_cut:
                assert learning.wait(60)
                later.set()

    def learn(self: Blend, samples: Any, context: FitContext) -> None:
        learning.set()
        assert later.wait(60)
        blend(self, samples, context)

    blend = Blend.fit
    monkeypatch.setattr(Blend, "fit", learn)
    made = small_scene({"one": Twice}, ranker="blend")
    rank_cut = resolve_cuts(made.scenario, made.dataset).rank_cut
    release = fit(made.scenario, made.plugins, made.dataset)
    assert [step.slot for step in release.steps] == ["catalogue", "profile", "triggers.one", "ranker", "triggers.one"]


def test_fits_apart_need_no_engine_for_what_is_there(
    small_scene: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    made = small_scene({"counts": Counts})
    scenario = apart(made.scenario, "counts")
    fit(scenario, made.plugins, made.dataset)
    monkeypatch.setattr("yoorec.fit.LocalEngine", None)
    assert not any(step.fitted for step in fit(scenario, made.plugins, made.dataset).steps)


def test_fits_apart_make_the_same_files(small_scene: Callable[..., Any], tmp_path: Path) -> None:
    made = small_scene({"one": Counts, "two": type("Two", (Counts,), {})}, ranker="blend")
    first = fit(made.scenario, made.plugins, made.dataset)
    other = replace(apart(made.scenario, "two"), store=tmp_path / "other")
    second = fit(other, made.plugins, made.dataset)
    for name, slot in first.slots.items():
        one = Store(made.scenario.store).open(slot, name).manifest
        two = Store(other.store).open(second.slots[name], name).manifest
        assert one.files == two.files, name


def test_a_failure_elsewhere_ends_a_fit_apart(small_scene: Callable[..., Any]) -> None:
    started, ended = threading.Event(), threading.Event()

    class Long(Counts):
        def fit(self, log: EventLog, context: FitContext) -> None:
            started.set()
            try:
                for turn in range(6000):
                    context.progress(turn / 6000)
                    time.sleep(0.01)
            finally:
                ended.set()

    class Broken(Counts):
        def fit(self, log: EventLog, context: FitContext) -> None:
            assert started.wait(60)
            raise ValueError("no use")

    made = small_scene({"long": Long, "broken": Broken})
    with pytest.raises(ValueError, match="no use"):
        fit(apart(made.scenario, "long"), made.plugins, made.dataset)
    assert ended.is_set()


def test_a_failing_fit_apart_names_its_slot(small_scene: Callable[..., Any]) -> None:
    class Broken(Counts):
        def fit(self, log: EventLog, context: FitContext) -> None:
            raise ValueError("no use")

    made = small_scene({"counts": Counts, "broken": Broken})
    with pytest.raises(ValueError, match="no use") as caught:
        fit(apart(made.scenario, "broken"), made.plugins, made.dataset)
    assert caught.value.__notes__ == ["while fitting triggers.broken (trigger-broken)"]


def test_what_a_trigger_notes_stands_in_its_manifest_and_in_the_step(small_scene: Callable[..., Any]) -> None:
    class Noting(Counts):
        def fit(self, log: EventLog, context: FitContext) -> None:
            super().fit(log, context)
            context.note("plays", len(log.plays()))
            context.note("index", "exact")

    made = small_scene({"noting": Noting})
    for fitted in (True, False):  # an artifact that was there already still says what it noted
        release = fit(made.scenario, made.plugins, made.dataset)
        (step,) = [step for step in release.steps if step.slot == "triggers.noting"]
        assert step.fitted is fitted
        expected = {"plays": len(made.dataset.log.before(release.replay_cut).plays()), "index": "exact"}
        assert step.notes == expected
    artifact = Store(made.scenario.store).open(release.slots["triggers.noting"], "triggers.noting")
    assert artifact.manifest.notes == expected


def test_a_column_that_is_missing_is_named_with_its_trigger(small_scene: Callable[..., Any]) -> None:
    class Picky(Counts):
        def __init__(self, config: CountsConfig, catalogue: Any) -> None:
            super().__init__(config, catalogue)
            catalogue.user_codes("gendr")

    made = small_scene({"picky": Picky})
    with pytest.raises(DataError, match=r"small.yaml: triggers\.picky: users: no column 'gendr'; nearest: gender"):
        fit(made.scenario, made.plugins, made.dataset)


def test_ranker_notes_say_what_it_learned_from(small_scene: Callable[..., Any]) -> None:
    made = small_scene(ranker="blend")
    release = fit(made.scenario, made.plugins, made.dataset)
    notes = Store(made.scenario.store).open(release.slots["ranker"], "ranker").manifest.notes
    assert notes["requests"] > 30
    assert notes["positives"] == round(notes["recall_ceiling"] * notes["truths"])
    assert 0 < notes["positives"] < notes["truths"]


def test_rank_samples_are_labelled_by_what_was_played(small_scene: Callable[..., Any]) -> None:
    from yoorec.data.episodes import next_play
    from yoorec.samples import rank_samples

    made = small_scene(ranker="blend")
    release = fit(made.scenario, made.plugins, made.dataset)
    scene = Scene.open(made.scenario, release, made.plugins)
    window = next_play(made.log, release.replay_cut, None, "next", 20)
    samples = rank_samples(scene.pipeline, window, batch=7)
    whole = rank_samples(scene.pipeline, window, batch=1000)
    assert np.array_equal(samples.label, whole.label)
    assert np.array_equal(samples.candidates.item, whole.candidates.item)
    expected = 0
    for b in range(len(window)):
        truth = set(window.truth.take(np.array([b])).item.tolist())
        rows = slice(int(samples.candidates.offsets[b]), int(samples.candidates.offsets[b + 1]))
        for item, label in zip(samples.candidates.item[rows], samples.label[rows], strict=True):
            assert label == (int(item) in truth)
            expected += int(item) in truth
    assert samples.truths == len(window)
    assert samples.missed == len(window) - expected
    nothing = rank_samples(scene.pipeline, window.take(np.arange(0)), batch=7)
    assert (len(nothing.requests), len(nothing.label), nothing.truths) == (0, 0, 0)
    scene.close()


def test_rank_samples_tell_what_was_shown_and_what_came_of_it(small_scene: Callable[..., Any]) -> None:
    from yoorec.data.episodes import next_play
    from yoorec.data.outcomes import outcomes_of
    from yoorec.features.counters import COMPLETED, durations
    from yoorec.samples import rank_samples

    made = small_scene(ranker="blend")
    release = fit(made.scenario, made.plugins, made.dataset)
    scene = Scene.open(made.scenario, release, made.plugins)
    window = next_play(made.log, release.rank_cut, None, "next", 20)
    found = outcomes_of(made.log, window.answer)
    length = durations(made.log.catalogue)
    samples = rank_samples(scene.pipeline, window, 7, outcomes=found, durations=length)
    scene.close()
    assert samples.shown is not None
    assert samples.watch_s is not None
    apart = samples.unrecalled
    assert apart is not None
    assert set(samples.outcome) == set(apart.outcome) == {"play", "like", "completion"}
    likes = 0
    for b in range(len(window)):
        rows = slice(int(found.shown_offsets[b]), int(found.shown_offsets[b + 1]))
        shown = set(found.shown_item[rows].tolist())
        rows = slice(int(found.acted_offsets[b]), int(found.acted_offsets[b + 1]))
        liked = {
            item
            for item, event in zip(found.acted_item[rows].tolist(), found.acted_event[rows].tolist(), strict=True)
            if found.events[event] == "like"
        }
        answer = int(window.truth.item[b])
        watched, whole = float(found.watch_s[b]), float(length[answer])
        met = set()
        for part in (samples, apart):
            assert part.shown is not None
            assert part.watch_s is not None
            for row in range(int(part.candidates.offsets[b]), int(part.candidates.offsets[b + 1])):
                item = int(part.candidates.item[row])
                if item in shown:
                    met.add(item)
                assert part.shown[row] == (item in shown)
                assert part.label[row] == part.outcome["play"][row] == (item == answer)
                assert part.outcome["like"][row] == (item in liked)
                likes += item in liked
                done = float(watched >= COMPLETED * whole) if item == answer else 0.0
                assert part.outcome["completion"][row] == done
                assert part.watch_s[row] == np.float32(watched) if item == answer else np.isnan(part.watch_s[row])
        assert met == shown, "every impression is among the candidates or apart"
        held = samples.candidates.item[samples.candidates.offsets[b] : samples.candidates.offsets[b + 1]]
        alone = apart.candidates.item[apart.candidates.offsets[b] : apart.candidates.offsets[b + 1]]
        assert not set(held.tolist()) & set(alone.tolist())
    assert likes
    assert apart.candidates.source_rank is not None
    assert (apart.candidates.source_rank == -1).all()


def test_a_ranker_that_asks_is_told_of_triggers_and_counters(small_scene: Callable[..., Any]) -> None:
    """While it learns, of the triggers that made the samples; afterwards of those that serve."""
    told: list[tuple[str, Any]] = []

    class Looking:
        def __init__(self, config: Any, catalogue: Any) -> None:
            self._context: Any = None

        def needs_fit(self) -> bool:
            return True

        def use(self, context: Any) -> None:
            self._context = context

        def fit(self, samples: Any, context: FitContext) -> None:
            told.append(("fit", self._context))

        def save(self, folder: Path) -> None:
            (folder / "nothing").write_text("")

        def load(self, folder: Path) -> None:
            told.append(("load", self._context))

        def score(self, requests: Any, merged: Any) -> Any:
            return merged.score

    made = small_scene(ranker=Looking)
    release = fit(made.scenario, made.plugins, made.dataset)
    scene = Scene.open(made.scenario, release, made.plugins)
    scene.close()
    assert [when for when, _ in told] == ["fit", "load"]
    plays = made.log.plays()
    everything = np.bincount(plays.item, minlength=len(made.log.catalogue.items))
    early, late = (context.triggers["counts"]._score.sum() for _, context in told)
    assert early == (plays.time < release.rank_cut).sum()
    assert late == (plays.time < release.replay_cut).sum()
    for _, context in told:
        counters = context.counters
        last = counters.offsets[1:]
        found = np.where(np.diff(counters.offsets) > 0, counters.count[last, counters.events.index("play")], 0)
        assert found.tolist() == everything.tolist(), "counters hold the whole log, to be read as of a time"
    assert "counters" in release.slots
    blind = small_scene(ranker="blend")
    assert "counters" not in fit(blind.scenario, blind.plugins, blind.dataset).slots


SCENARIO = """
defaults: [yoorec/base, {data: demo}, _self_]
scene: killed
data: {users: 100, items: 100, days: 6}
triggers:
  hot: {use: hot, limit: 20}
"""


def test_kill_in_the_middle_of_a_fit_leaves_the_old_release_in_use(tmp_path: Path) -> None:
    path = tmp_path / "killed.yaml"
    path.write_text(SCENARIO)
    store = tmp_path / "store"
    program = textwrap.dedent(
        """
        import sys, time
        from yoorec.config.compose import load_scenario
        from yoorec.fit import LastSamples, fit
        from yoorec.plugins import load_plugins

        scenario_path, store, *overrides = sys.argv[1:]
        plugins = load_plugins()
        scenario = load_scenario(scenario_path, [f"store={store}", *overrides], plugins)
        hang = "slate=11" in overrides

        def progress(done=0.0, note=""):
            if hang and "triggers.hot" in note:
                print("fitting", flush=True)
                time.sleep(60)

        print(fit(scenario, plugins, progress=progress).version, flush=True)
        """
    )
    command = [sys.executable, "-c", program, str(path), str(store)]
    done = subprocess.run(command, capture_output=True, text=True, check=True, cwd=tmp_path)
    version = done.stdout.strip()
    hanging = [*command, "slate=11", "triggers.hot.half_life=1h"]
    process = subprocess.Popen(hanging, stdout=subprocess.PIPE, text=True, cwd=tmp_path)
    assert process.stdout is not None
    with process, process.stdout:
        assert process.stdout.readline() == "fitting\n"
        os.kill(process.pid, signal.SIGKILL)
    current = Store(store).current("killed")
    assert current is not None
    assert current.version == version
    import yoorec

    scene = yoorec.load(path, [f"store={store}"], fit=False)
    assert len(scene.recommend(k=5)["items"]) == 5
    scene.close()
