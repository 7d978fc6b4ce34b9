from __future__ import annotations

from collections.abc import Callable
from math import log2

import numpy as np
import pytest

from yoorec.data.episodes import Episodes, next_play
from yoorec.data.log import EventLog
from yoorec.pipeline import Pipeline, StageError
from yoorec.plugins import Plugins
from yoorec.replay.leaks import LeakError
from yoorec.replay.metrics.registry import MetricAt, load_metrics
from yoorec.replay.runner import Measured, cores, measure

LABELS = ("hit_rate@5", "ndcg@5", "mrr@20", "recall@5", "precision@5", "coverage@5")
Chain = Callable[..., Pipeline]


@pytest.fixture(params=["next", "rest"])
def episodes(small_log: EventLog, request: pytest.FixtureRequest) -> Episodes:
    return next_play(small_log, int(small_log.time[int(0.7 * len(small_log))]), None, request.param, 20)


@pytest.fixture
def metrics(plugins: Plugins) -> tuple[MetricAt, ...]:
    return load_metrics(LABELS, plugins)


def _literal_sources(pipeline: Pipeline, episodes: Episodes) -> dict[str, dict[str, list[float]]]:
    """What each trigger adds, one request at a time: from what it recalled itself, and from the slate's own sources."""
    names = [part.name for part in pipeline.scenario.triggers]
    found: dict[str, dict[str, list[float]]] = {
        name: {"unique": [], "in_slate": [], "slate_unique": []} for name in names
    }
    for row in range(len(episodes)):
        one = episodes.take(np.array([row]))
        truth = set(one.truth.item.tolist())
        result = pipeline.run(one.arrivals(pipeline.scenario.slate))
        lists = {name: set(each.item.tolist()) for name, each in result.recalled.items()}
        merged, slates = set(result.merged.item.tolist()), result.slates
        assert slates.source_rank is not None
        sources = {
            int(item): {slates.sources[t] for t in np.flatnonzero(slates.source_rank[place] >= 0)}
            for place, item in enumerate(slates.item)
        }
        for name in names:
            others = set().union(*(lists[other] for other in names if other != name))
            unique = truth & merged & lists[name] - others
            among = [item for item in truth & sources.keys() if name in sources[item]]
            found[name]["unique"].append(len(unique) / len(truth))
            found[name]["in_slate"].append(len(among) / len(truth))
            found[name]["slate_unique"].append(sum(sources[item] == {name} for item in among) / len(truth))
    return found


@pytest.mark.parametrize("exposure", [("drop_seen", "backfill"), ()])
def test_what_each_trigger_adds_equals_a_literal_count(
    chain: Chain, episodes: Episodes, metrics: tuple[MetricAt, ...], exposure: tuple[str, ...]
) -> None:
    pipeline = chain(slate=30, exposure=exposure)
    expected = _literal_sources(pipeline, episodes)
    found = measure(pipeline, episodes, metrics, {}, batch=64, threads=2)
    assert {
        name: {figure: column.tolist() for figure, column in each.items()} for name, each in found.sources.items()
    } == expected
    for name, figures in found.sources.items():
        assert 0 < figures["unique"].sum() < found.stages[f"triggers.{name}"].sum()
        assert figures["slate_unique"].sum() < figures["in_slate"].sum()
        assert bool((figures["unique"] <= found.stages[f"triggers.{name}"]).all())
        assert bool((figures["slate_unique"] <= figures["in_slate"]).all())
    # Every truth in the slate has a source, so what each adds alone is no more than what is there.
    alone = sum(figures["slate_unique"] for figures in found.sources.values())
    assert alone.sum() > 0 and bool((alone <= found.stages["slate"] + 1e-12).all())
    assert bool((sum(each["in_slate"] for each in found.sources.values()) >= found.stages["slate"] - 1e-12).all())


def _literal(pipeline: Pipeline, episodes: Episodes) -> tuple[dict[str, list[float]], dict[str, list[float]]]:
    """Metrics of the slate and recall after each stage, one request at a time, in plain Python."""
    figures: dict[str, list[float]] = {label: [] for label in LABELS[:-1]}
    stages: dict[str, list[float]] = {}
    shown: set[int] = set()
    for row in range(len(episodes)):
        one = episodes.take(np.array([row]))
        truth = set(one.truth.item.tolist())
        result = pipeline.run(one.arrivals(pipeline.scenario.slate))
        lists = {f"triggers.{name}": each for name, each in result.recalled.items()}
        lists["merge"] = result.merged
        if pipeline.has_ranker:
            lists["ranker"] = result.ranked
        lists |= {f"exposure.{name}": each for name, each in result.exposed}
        lists["slate"] = result.slates
        for stage, each in lists.items():
            stages.setdefault(stage, []).append(len(truth & set(each.item.tolist())) / len(truth))
        final = (result.exposed[-1][1] if result.exposed else result.ranked).item.tolist()
        assert final[: pipeline.scenario.slate] == result.slates.item.tolist()
        right = [item in truth for item in final]
        shown |= set(final[:5])
        figures["hit_rate@5"].append(float(any(right[:5])))
        gain = sum(1 / log2(place + 2) for place, each in enumerate(right[:5]) if each)
        figures["ndcg@5"].append(gain / sum(1 / log2(place + 2) for place in range(min(5, len(truth)))))
        figures["mrr@20"].append(1 / (1 + right.index(True)) if True in right[:20] else 0.0)
        figures["recall@5"].append(sum(right[:5]) / len(truth))
        figures["precision@5"].append(sum(right[:5]) / 5)
    figures["coverage@5"] = [len(shown) / len(pipeline.catalogue.items)]
    return figures, stages


@pytest.mark.parametrize("ranker", [True, False])
@pytest.mark.parametrize("exposure", [("drop_seen", "backfill"), ()])
def test_figures_equal_a_literal_replay(
    chain: Chain, episodes: Episodes, metrics: tuple[MetricAt, ...], ranker: bool, exposure: tuple[str, ...]
) -> None:
    pipeline = chain(slate=10, exposure=exposure, ranker=ranker)
    figures, stages = _literal(pipeline, episodes)
    found = measure(pipeline, episodes, metrics, {}, batch=64, threads=2)
    for label in LABELS[:-1]:
        assert found.slate.per_request[label] == pytest.approx(figures[label], rel=1e-12)
    assert found.slate.overall == {"coverage@5": figures["coverage@5"][0]}
    assert {name: column.tolist() for name, column in found.stages.items()} == stages
    assert list(found.stages) == list(stages) == list(found.candidates)
    assert 1 <= sum(figures["hit_rate@5"]) < sum(stages["merge"])  # or the comparison says nothing


def _bits(found: Measured) -> list[bytes]:
    columns = [*found.stages.values(), *found.slate.per_request.values()]
    for figures in found.triggers.values():
        columns += figures.per_request.values()
    for credited in found.sources.values():
        columns += credited.values()
    return [column.tobytes() for column in columns]


@pytest.mark.parametrize(("batch", "threads"), [(1, 1), (7, 2), (7, 1), (64, 3), (10_000, 2)])
def test_neither_batch_nor_threads_change_a_bit(
    chain: Chain, episodes: Episodes, metrics: tuple[MetricAt, ...], batch: int, threads: int
) -> None:
    pipeline = chain()
    expected = measure(pipeline, episodes, metrics, {}, batch=50, threads=1)
    found = measure(pipeline, episodes, metrics, {}, batch=batch, threads=threads)
    assert _bits(found) == _bits(expected)
    assert found.candidates == expected.candidates
    assert found.slate.overall == expected.slate.overall
    assert {name: each.overall for name, each in found.triggers.items()} == {
        name: each.overall for name, each in expected.triggers.items()
    }


def test_a_trigger_alone_is_what_the_chain_gives_with_it_alone(
    chain: Chain, episodes: Episodes, metrics: tuple[MetricAt, ...]
) -> None:
    """Under the same rules, but for the backfill, which would mix another trigger in."""
    found = measure(chain(slate=30, near_limit=4), episodes, metrics, {}, batch=64)
    for name in ("popular", "near"):
        only = chain(slate=30, near_limit=4, triggers=(name,), ranker=False, exposure=("drop_seen",))
        expected = measure(only, episodes, metrics, {}, batch=64).slate
        for label, column in expected.per_request.items():
            assert np.array_equal(found.triggers[name].per_request[label], column), (name, label)
        assert found.triggers[name].overall == expected.overall
    assert found.candidates["exposure.backfill"] > found.candidates["exposure.drop_seen"]  # it had work to do


@pytest.mark.parametrize("offset", [0, 5])
def test_requests_at_or_before_a_cut_are_refused_before_anything_runs(
    chain: Chain, episodes: Episodes, metrics: tuple[MetricAt, ...], offset: int
) -> None:
    cut = int(episodes.time[0]) + offset
    done: list[float] = []
    with pytest.raises(LeakError, match=rf"the cut of 'triggers\.near', .* \({cut} ms\)"):
        measure(
            chain(),
            episodes,
            metrics,
            {"triggers.popular": None, "triggers.near": cut},
            batch=8,
            progress=lambda share, note: done.append(share),
        )
    assert done == []


def test_progress_rises_to_1(chain: Chain, episodes: Episodes, metrics: tuple[MetricAt, ...]) -> None:
    notes: list[tuple[float, str]] = []
    measure(
        chain(), episodes, metrics, {}, batch=9, threads=2, progress=lambda share, note: notes.append((share, note))
    )
    assert [share for share, _ in notes] == sorted(share for share, _ in notes)
    assert notes[-1] == (1.0, f"{len(episodes)} of {len(episodes)} requests")
    assert len(notes) == -(-len(episodes) // 9)


@pytest.mark.parametrize("threads", [1, 2])
def test_an_error_of_a_trigger_is_raised(
    chain: Chain, episodes: Episodes, metrics: tuple[MetricAt, ...], threads: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    pipeline = chain()
    run = pipeline.run
    calls: list[int] = []

    def failing(*args: object, **options: object) -> object:
        calls.append(1)
        if len(calls) > 3:
            raise StageError("triggers.near", "out of ideas")
        return run(*args, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(pipeline, "run", failing)
    with pytest.raises(StageError, match=r"^triggers\.near: out of ideas$"):
        measure(pipeline, episodes, metrics, {}, batch=4, threads=threads)
    assert len(calls) < 4 + 3 * threads + 1  # what was not under way yet never starts


def test_timings_and_lengths_are_told_for_every_stage(
    chain: Chain, episodes: Episodes, metrics: tuple[MetricAt, ...]
) -> None:
    found = measure(chain(slate=10), episodes, metrics, {}, batch=32)
    assert set(found.stages) - {"slate"} | {"profile", "total"} == set(found.timings_us)
    assert all(value >= 0 for value in found.timings_us.values())
    assert found.seconds > 0
    assert found.candidates["slate"] == 10.0
    assert found.candidates["triggers.popular"] == 30.0
    assert found.candidates["merge"] <= 40.0


def test_an_item_published_after_the_last_request_was_not_recommendable(
    chain: Chain, small_log: EventLog, episodes: Episodes, metrics: tuple[MetricAt, ...]
) -> None:
    before = measure(chain(triggers=("popular",)), episodes, metrics, {}, batch=64).slate.overall["coverage@5"]
    shown = round(before * 60)
    assert 0 < shown < 60
    popular = chain(triggers=("popular",)).run(episodes.arrivals(5)).recalled["popular"].item
    hidden = int(np.setdiff1d(np.arange(60), popular)[0])  # one that no list held anyway
    small_log.catalogue.published_at[hidden] = int(episodes.time.max()) + 1
    found = measure(chain(triggers=("popular",)), episodes, metrics, {}, batch=64)
    assert found.slate.overall["coverage@5"] == shown / 59


def test_threads_0_takes_every_core() -> None:
    assert cores(3) == 3
    assert cores(0) >= 1


def test_no_requests_are_refused(chain: Chain, episodes: Episodes, metrics: tuple[MetricAt, ...]) -> None:
    with pytest.raises(ValueError, match=r"^there are no requests to replay$"):
        measure(chain(), episodes.take(np.arange(0)), metrics, {}, batch=4)
