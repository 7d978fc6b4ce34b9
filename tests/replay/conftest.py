"""A small chain of two simple triggers and the core's own stages over the small log."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest

from yoorec.batch import CandidateBatch, RequestBatch
from yoorec.components import ComponentSpec
from yoorec.config.scenario import FitSettings, Part, ReplaySettings, Scenario, ServeSettings, TriggerPart
from yoorec.data.dataset import Dataset
from yoorec.data.episodes import next_play
from yoorec.data.log import EventLog
from yoorec.pipeline import Pipeline
from yoorec.plugins import Plugins, load_plugins
from yoorec.replay.gates import Judged, judge, parse_gate
from yoorec.replay.latency import Latency
from yoorec.replay.metrics.registry import load_metrics
from yoorec.replay.report import ArtifactNote, Moment, Report, TableQuality, VariantReport
from yoorec.replay.runner import measure
from yoorec.replay.slices import slice_requests, slice_sizes
from yoorec.replay.summary import Sample, summarise

CUT_SHARE = 0.7


@dataclass(frozen=True)
class NoOptions:
    """Nothing to set."""


class Popular:
    """The same list for everybody: items by plays before the cut."""

    def __init__(self, log: EventLog) -> None:
        counts = np.bincount(log.plays().item, minlength=len(log.catalogue.items))
        self._item = np.lexsort((np.arange(len(counts)), -counts)).astype(np.int32)
        self._score = counts[self._item].astype(np.float32)

    def recall(self, requests: RequestBatch, k: int) -> CandidateBatch:
        size, k = len(requests), min(k, len(self._item))
        return CandidateBatch(
            np.arange(size + 1, dtype=np.int64) * k, np.tile(self._item[:k], size), np.tile(self._score[:k], size)
        )


class Near:
    """Items whose index is close to the main item's; nothing without one. A test may see it fail."""

    def __init__(self, items: int) -> None:
        self._items = items

    def recall(self, requests: RequestBatch, k: int) -> CandidateBatch:
        lists = []
        for item in requests.item.tolist():
            every = np.arange(self._items) if item >= 0 else np.empty(0, np.int64)
            lists.append(every[np.lexsort((every, abs(every - item)))][:k].astype(np.int32))
        offsets = np.zeros(len(lists) + 1, np.int64)
        np.cumsum([len(each) for each in lists], out=offsets[1:])
        flat = np.concatenate([*lists, np.empty(0, np.int32)])
        distance = abs(flat - np.repeat(requests.item, np.diff(offsets)))
        return CandidateBatch(offsets, flat.astype(np.int32), -distance.astype(np.float32))


@pytest.fixture(scope="session")
def plugins() -> Plugins:
    return load_plugins()


@pytest.fixture
def chain(small_log: EventLog, plugins: Plugins, tmp_path: Path) -> Iterator[Callable[..., Pipeline]]:
    """Build a pipeline over `small_log`: ``chain(slate=5, exposure=["drop_seen"], ranker=True)``."""
    opened: list[Pipeline] = []
    catalogue = small_log.catalogue

    def part(kind: str, use: str, name: str = "", **config: object) -> Part:
        offer = plugins.get(kind, use)  # type: ignore[arg-type]
        assert offer is not None
        return Part(kind, name or kind, use, offer.spec.config(**config), offer.spec)  # type: ignore[arg-type]

    def build(
        slate: int = 10,
        exposure: tuple[str, ...] = ("drop_seen", "backfill"),
        ranker: bool = True,
        near_limit: int = 12,
        triggers: tuple[str, ...] = ("popular", "near"),
    ) -> Pipeline:
        spec = ComponentSpec("trigger", "of_this_test", NoOptions, "none:None")
        limits = {"popular": 30, "near": near_limit}
        parts = tuple(TriggerPart("trigger", each, each, NoOptions(), spec, limits[each]) for each in triggers)
        models = {
            "popular": Popular(small_log.before(int(small_log.time[int(CUT_SHARE * len(small_log))]))),
            "near": Near(len(catalogue.items)),
        }
        profile, merge = part("profile", "sqlite"), part("merge", "round_robin")
        options: dict[str, dict[str, object]] = {"backfill": {"from_": "popular"}}
        rules = tuple(part("exposure", use, use, **options.get(use, {})) for use in exposure)
        rank = part("ranker", "blend", weights={"popular": 0.2, "near": 1.0}) if ranker else None
        scenario = Scenario(
            "small", slate, 0, tmp_path, 1, {"play": 1.0}, part("source", "demo"), profile, 20,
            parts, merge, 40, rank, rules, FitSettings(), ReplaySettings(), ServeSettings(),
        )  # fmt: skip
        store = profile.spec.load()(profile.config, catalogue)
        folder = tmp_path / f"profile{len(opened)}"
        folder.mkdir()
        store.build(small_log, folder)
        store.open(folder)
        pipeline = Pipeline(
            scenario,
            catalogue,
            plugins,
            profile=store,
            triggers={each: models[each] for each in triggers},  # type: ignore[misc]
            merge=merge.spec.load()(merge.config, catalogue),
            ranker=rank.spec.load()(rank.config, catalogue) if rank else None,
            rules=[(each.name, each.spec.load()(each.config, catalogue)) for each in rules],
        )
        opened.append(pipeline)
        return pipeline

    yield build
    for pipeline in opened:
        pipeline.close()


@pytest.fixture
def small_report(chain: Callable[..., Pipeline], small_log: EventLog, plugins: Plugins) -> Report:
    """Control and one variant without a backfill whose `near` gives less, on requests of `small_log`.

    Slices of 20 requests count as large enough here; the baseline is `popular`.
    """
    episodes = next_play(small_log, int(small_log.time[int(CUT_SHARE * len(small_log))]), None, "rest", 20)
    metrics = load_metrics(["hit_rate@5", "ndcg@10", "coverage@10"], plugins)
    chains = {"control": chain(), "less <near>": chain(near_limit=3, exposure=("drop_seen",))}
    measured = {name: measure(each, episodes, metrics, {}, batch=64) for name, each in chains.items()}
    slices = slice_requests(chains["control"].scenario, Dataset(small_log, None), episodes)
    sizes = {
        dimension: {name: replace(size, enough=size.requests >= 20) for name, size in each.items()}
        for dimension, each in slice_sizes(slices, episodes.cluster).items()
    }
    sample = Sample(episodes.cluster, 200, 0, slices, sizes)
    labels = [metric.label for metric in metrics]
    summaries = summarise(measured, labels, sample, dict.fromkeys(chains, "popular"))
    latency = Latency(500, 0.5, 0.7, 1.25)
    moment = Moment(1_700_000_000_000, "2023-11-14T22:13:20.000Z")
    artifacts = {
        "triggers.near": ArtifactNote("trigger-near", "0123456789abcdef", moment),
        "profile": ArtifactNote("profile-sqlite", "fedcba9876543210", None),
    }
    variants = {
        name: VariantReport(
            () if name == "control" else ("triggers.near.limit=3", "~exposure.backfill"),
            "00112233445566aa",
            summaries[name].metrics,
            summaries[name].triggers,
            summaries[name].stages,
            summaries[name].versus_control,
            artifacts,
            {"popular": 0.03, "near": None},
            {"triggers.near": 12.5, "total": 80.0},
            12_345.6,
            1.5,
            latency,
            {},
            summaries[name].sources,
            "popular",
            summaries[name].versus_baseline,
            summaries[name].slices,
        )
        for name in chains
    }
    gates = [parse_gate("ndcg@10 > control"), parse_gate("hit_rate@5 >= 0"), parse_gate("p99_ms <= 50")]
    judged = {name: Judged(each.metrics, each.versus_control, latency) for name, each in variants.items()}
    return Report(
        "small", "small.yaml", "00112233445566aa", 0, "next_play", "rest", 10, len(episodes), len(episodes) + 7,
        len(np.unique(episodes.cluster)), "user", 200, {"rank": moment, "replay": moment, "end": moment}, "feed",
        {"events": TableQuality(1500, 2, ("events.csv: row 7: time: 'x' is no time",), ("3 rows repeat another",))},
        variants, judge(gates, judged), {"data": 0.1}, moment, "0.1.0", (), sizes,
    )  # fmt: skip
