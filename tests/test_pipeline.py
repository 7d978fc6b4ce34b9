import threading
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from yoorec.artifacts.manifest import digest
from yoorec.batch import CandidateBatch, RequestBatch
from yoorec.data.episodes import next_play
from yoorec.fit import fit
from yoorec.hookspecs import hookimpl
from yoorec.ledger import ledger
from yoorec.pipeline import Pipeline, Result, StageError
from yoorec.scene import Scene
from yoorec.testing.counts import Counts, FewestFirst


@pytest.fixture
def opened(small_scene: Callable[..., Any]) -> Callable[..., tuple[Pipeline, Any]]:
    """A pipeline over the small log, and logged requests for it."""

    def make(*arguments: Any, published: dict[int, int] | None = None, **options: Any) -> tuple[Pipeline, Any]:
        made = small_scene(*arguments, **options)
        for item, time_ms in (published or {}).items():
            made.log.catalogue.published_at[item] = time_ms
        dataset = replace(made.dataset, fingerprint=digest(published))
        release = fit(made.scenario, made.plugins, dataset)
        scene = Scene.open(made.scenario, release, made.plugins)
        return scene.pipeline, next_play(made.log, release.replay_cut, None, "next", 20).arrivals(10)

    return make


def of(batch: CandidateBatch, b: int) -> list[tuple[int, float]]:
    rows = slice(int(batch.offsets[b]), int(batch.offsets[b + 1]))
    return list(zip(batch.item[rows].tolist(), batch.score[rows].tolist(), strict=True))


def test_every_stage_keeps_its_promise(opened: Callable[..., Any]) -> None:
    pipeline, arrivals = opened(ranker="blend", rules=("drop_seen", "backfill"))
    assert len(arrivals) > 30
    result = pipeline.run(arrivals)
    result.requests.check()
    for batch in (*result.recalled.values(), result.merged, result.ranked):
        batch.check()
    assert result.degraded == ()
    assert result.slates.lengths.max() <= 10
    for b in range(len(arrivals)):
        seen = set(result.requests.seen.take(np.array([b])).item.tolist())
        slate = [item for item, _ in of(result.slates, b)]
        assert not seen & set(slate)
        assert len(slate) == len(set(slate))
    assert set(result.timings_ms) == {
        "profile",
        "triggers.counts",
        "merge",
        "ranker",
        "exposure.drop_seen",
        "exposure.backfill",
        "total",
    }


def test_no_list_depends_on_its_batch(opened: Callable[..., Any]) -> None:
    pipeline, arrivals = opened(ranker="blend", rules=("drop_seen", "backfill"))
    whole = pipeline.run(arrivals)
    for b in range(len(arrivals)):
        alone = pipeline.run(arrivals.take(np.array([b])))
        assert of(alone.slates, 0) == of(whole.slates, b)
    seven = pipeline.run(arrivals.take(np.arange(7)))
    assert [of(seven.slates, b) for b in range(7)] == [of(whole.slates, b) for b in range(7)]


def test_history_holds_only_what_precedes_the_request(opened: Callable[..., Any]) -> None:
    pipeline, arrivals = opened()
    requests = pipeline.enter(arrivals)
    when = np.repeat(requests.time, np.diff(requests.history.offsets))
    session = {
        (b, int(item), int(at))
        for b in range(len(arrivals))
        for item, at in zip(
            arrivals.session.take(np.array([b])).item, arrivals.session.take(np.array([b])).time, strict=True
        )
    }
    request = np.repeat(np.arange(len(requests)), np.diff(requests.history.offsets))
    for b, item, at, now in zip(request, requests.history.item, requests.history.time, when, strict=True):
        assert at < now or (int(b), int(item), int(at)) in session


def slow_trigger(seconds: float) -> Any:
    class Slow(Counts):
        def recall(self, requests: RequestBatch, k: int) -> CandidateBatch:
            time.sleep(seconds)
            return super().recall(requests, k)

    return Slow


def failing_trigger(message: str = "disk gone") -> Any:
    class Failing(Counts):
        def recall(self, requests: RequestBatch, k: int) -> CandidateBatch:
            raise OSError(message)

    return Failing


def test_late_trigger_is_left_out_and_named(opened: Callable[..., Any]) -> None:
    pipeline, arrivals = opened({"slow": slow_trigger(2.0), "counts": Counts}, timeout_ms=100)
    started = time.perf_counter()
    result = pipeline.run(arrivals.take(np.arange(3)), deadlines=True, tolerant=True)
    assert time.perf_counter() - started < 1.5
    assert result.degraded == ("triggers.slow: timeout after 100 ms",)
    assert list(result.recalled) == ["counts"]
    assert result.slates.lengths.min() > 0


def test_hung_trigger_is_refused_at_once_when_its_threads_are_held(opened: Callable[..., Any]) -> None:
    gate = threading.Event()

    class Hung(Counts):
        def recall(self, requests: RequestBatch, k: int) -> CandidateBatch:
            gate.wait(30)
            return super().recall(requests, k)

    pipeline, arrivals = opened({"hung": Hung, "counts": Counts}, timeout_ms=20)
    one = arrivals.take(np.arange(1))
    told = [pipeline.run(one, deadlines=True, tolerant=True).degraded[0] for _ in range(6)]
    assert told[:4] == ["triggers.hung: timeout after 20 ms"] * 4
    assert told[4:] == ["triggers.hung: busy, 4 earlier calls have not returned"] * 2
    gate.set()
    deadline = time.perf_counter() + 10
    while pipeline.run(one, deadlines=True, tolerant=True).degraded and time.perf_counter() < deadline:
        time.sleep(0.02)
    assert pipeline.run(one, deadlines=True, tolerant=True).degraded == ()


@pytest.mark.parametrize("deadlines", [False, True])
def test_failing_trigger_is_left_out_only_where_that_is_asked_for(
    opened: Callable[..., Any], deadlines: bool, caplog: pytest.LogCaptureFixture
) -> None:
    pipeline, arrivals = opened({"failing": failing_trigger(), "counts": Counts}, timeout_ms=5000)
    one = arrivals.take(np.arange(2))
    with pytest.raises(OSError, match="disk gone"):
        pipeline.run(one, deadlines=deadlines)
    result = pipeline.run(one, deadlines=deadlines, tolerant=True)
    assert result.degraded == ("triggers.failing: OSError: disk gone",)
    assert result.slates.lengths.min() > 0
    assert "triggers.failing failed" in caplog.text


def test_without_deadlines_a_slow_trigger_is_waited_for(opened: Callable[..., Any]) -> None:
    pipeline, arrivals = opened({"slow": slow_trigger(0.2)}, timeout_ms=1)
    assert pipeline.run(arrivals.take(np.arange(1))).degraded == ()


def test_trigger_that_breaks_its_contract_is_named(opened: Callable[..., Any]) -> None:
    class TooMany(Counts):
        def recall(self, requests: RequestBatch, k: int) -> CandidateBatch:
            return super().recall(requests, k + 1)

    pipeline, arrivals = opened({"many": TooMany}, limit=5)
    with pytest.raises(StageError) as caught:
        pipeline.run(arrivals)
    assert str(caught.value) == "triggers.many: gave 6 candidates, asked for 5"


def test_items_are_recalled_only_once_published(opened: Callable[..., Any]) -> None:
    before, arrivals = opened()
    top = int(before.run(arrivals).recalled["counts"].item[0])
    middle = int(np.median(arrivals.time))
    pipeline, _ = opened(published={top: middle})
    after = pipeline.run(arrivals)
    for b in range(len(arrivals)):
        shown = top in [item for item, _ in of(after.recalled["counts"], b)]
        assert shown == (arrivals.time[b] >= middle)
    after.recalled["counts"].check()


def test_short_slate_is_filled_by_the_backfill_rule_alone(opened: Callable[..., Any]) -> None:
    short, arrivals = opened(limit=4)
    filled, _ = opened(limit=4, rules=("drop_seen", "backfill"))
    assert short.run(arrivals).slates.lengths.max() <= 4
    result = filled.run(arrivals)
    assert result.slates.lengths.min() == 10
    for b in range(len(arrivals)):
        seen = set(result.requests.seen.take(np.array([b])).item.tolist())
        assert not seen & {item for item, _ in of(result.slates, b)}


class Observer:
    def __init__(self) -> None:
        self.stages: list[str] = []
        self.requests = 0
        self.artifacts: list[str] = []

    @hookimpl
    def yoorec_after_stage(self, stage: str, candidates: CandidateBatch) -> None:
        self.stages.append(stage)

    @hookimpl
    def yoorec_after_request(self, requests: RequestBatch, slates: CandidateBatch) -> None:
        self.requests += len(slates)

    @hookimpl
    def yoorec_artifact_published(self, manifest: Any) -> None:
        self.artifacts.append(manifest.slot)


def test_observers_see_stages_requests_and_artifacts(opened: Callable[..., Any]) -> None:
    observer = Observer()
    pipeline, arrivals = opened(ranker="blend", observer=observer)
    pipeline.run(arrivals)
    assert observer.stages == ["triggers.counts", "merge", "ranker", "exposure.drop_seen"]
    assert observer.requests == len(arrivals)
    assert set(observer.artifacts) == {"catalogue", "profile", "triggers.counts", "ranker"}


def test_failing_observer_does_not_fail_the_request(
    opened: Callable[..., Any], caplog: pytest.LogCaptureFixture
) -> None:
    class Broken:
        @hookimpl
        def yoorec_after_stage(self, stage: str) -> None:
            raise RuntimeError("observer down")

    pipeline, arrivals = opened(observer=Broken())
    assert len(pipeline.run(arrivals).slates) == len(arrivals)
    assert "observer down" in caplog.text


def test_ledger_accounts_for_every_candidate(opened: Callable[..., Any]) -> None:
    pipeline, arrivals = opened(
        {"counts": Counts, "fewest": FewestFirst}, ranker="blend", rules=("drop_seen", "backfill"), limit=40
    )
    result: Result = pipeline.run(arrivals)
    ids = pipeline.catalogue.items.ids
    for b in range(0, len(arrivals), 5):
        entries = ledger(pipeline, result, b)
        by_item = {entry["item_id"]: entry for entry in entries}
        assert len(by_item) == len(entries)
        slate = [ids[item] for item, _ in of(result.slates, b)]
        assert [entry["item_id"] for entry in entries[: len(slate)]] == slate
        assert [entry["place"] for entry in entries[: len(slate)]] == list(range(len(slate)))
        for name, batch in result.recalled.items():
            for rank, (item, score) in enumerate(of(batch, b)):
                assert by_item[ids[item]]["sources"][name] == {"rank": rank, "score": score}
        seen = {ids[item] for item in result.requests.seen.take(np.array([b])).item.tolist()}
        for entry in entries[len(slate) :]:
            if entry["item_id"] in seen and "merge" in entry:
                assert entry["dropped_by"] == "exposure.drop_seen"
            else:
                assert entry["dropped_by"] in {"slate", "merge"}


def test_ledger_names_the_rule_that_filled_up(opened: Callable[..., Any]) -> None:
    pipeline, arrivals = opened(limit=4, rules=("drop_seen", "backfill"))
    result = pipeline.run(arrivals)
    entries = [entry for entry in ledger(pipeline, result, 0) if "place" in entry]
    filled = [entry for entry in entries if entry.get("added_by")]
    assert filled
    assert all(entry["added_by"] == "exposure.backfill" and "counts" in entry["sources"] for entry in filled)


@pytest.mark.parametrize("deadlines", [False, True])
def test_backfill_from_a_trigger_that_fails_when_asked_again_degrades(
    opened: Callable[..., Any], deadlines: bool
) -> None:
    class FailsDeeper(Counts):
        def recall(self, requests: RequestBatch, k: int) -> CandidateBatch:
            if k > 4:
                raise OSError("disk gone")
            return super().recall(requests, k)

    pipeline, arrivals = opened({"deep": FailsDeeper}, limit=4, rules=("drop_seen", "backfill"), timeout_ms=5000)
    result = pipeline.run(arrivals, deadlines=deadlines, tolerant=True)
    assert result.degraded == ("triggers.deep: OSError: disk gone",)
    assert len(result.slates) == len(arrivals)


def test_backfill_from_a_trigger_that_hangs_when_asked_again_is_cut_off(opened: Callable[..., Any]) -> None:
    class HangsDeeper(Counts):
        def recall(self, requests: RequestBatch, k: int) -> CandidateBatch:
            if k > 4:
                time.sleep(3)
            return super().recall(requests, k)

    pipeline, arrivals = opened({"deep": HangsDeeper}, limit=4, rules=("drop_seen", "backfill"), timeout_ms=100)
    started = time.perf_counter()
    result = pipeline.run(arrivals, deadlines=True, tolerant=True)
    assert time.perf_counter() - started < 2
    assert result.degraded == ("triggers.deep: timeout after 100 ms",)


def test_backfill_from_a_trigger_left_out_leaves_the_slate_short(opened: Callable[..., Any]) -> None:
    triggers = {"failing": failing_trigger(), "counts": Counts}  # the rule fills from the first
    pipeline, arrivals = opened(triggers, limit=4, rules=("drop_seen", "backfill"), timeout_ms=5000)
    result = pipeline.run(arrivals, deadlines=True, tolerant=True)
    assert result.degraded == ("triggers.failing: OSError: disk gone",)
    assert result.slates.lengths.max() <= 4


@pytest.mark.parametrize("deadlines", [False, True])
def test_trigger_that_raises_a_timeout_of_its_own_has_failed_not_outrun(
    opened: Callable[..., Any], deadlines: bool
) -> None:
    class Own(Counts):
        def recall(self, requests: RequestBatch, k: int) -> CandidateBatch:
            raise TimeoutError("its database")

    pipeline, arrivals = opened({"own": Own, "counts": Counts}, timeout_ms=5000)
    with pytest.raises(TimeoutError, match="its database"):
        pipeline.run(arrivals, deadlines=deadlines)
    degraded = pipeline.run(arrivals, deadlines=deadlines, tolerant=True).degraded
    assert degraded == ("triggers.own: TimeoutError: its database",)
