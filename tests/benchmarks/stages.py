"""What each built-in stage costs: microseconds a request, in a batch of one and in a batch of 1,024.

    uv run python tests/benchmarks/stages.py

Two triggers give 50 and 200 candidates a request out of 20,000 items, 40 of them in common;
users have played 200 items.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa

from yoorec.batch import CandidateBatch, Plays, Ragged, RequestBatch
from yoorec.components import ExposureContext, FitContext, RankSamples
from yoorec.data.catalogue import Catalogue
from yoorec.data.log import EventLog
from yoorec.data.vocabulary import Vocabulary
from yoorec.ragged import best_candidates, unite_items, unite_plays
from yoorec.stages.backfill import Backfill
from yoorec.stages.blend import Blend
from yoorec.stages.configs import (
    BackfillConfig,
    BlendConfig,
    DropSeenConfig,
    QuotaConfig,
    RoundRobinConfig,
    RrfConfig,
    SpreadConfig,
    SqliteConfig,
    WeightedConfig,
)
from yoorec.stages.drop_seen import DropSeen
from yoorec.stages.quota import Quota
from yoorec.stages.round_robin import RoundRobin
from yoorec.stages.rrf import Rrf
from yoorec.stages.spread import Spread
from yoorec.stages.sqlite import SqliteProfiles
from yoorec.stages.weighted import Weighted

ITEMS, USERS, PLAYS = 20_000, 5_000, 1_000_000
SIZES = (1, 1024)


def world(rng: np.random.Generator) -> tuple[Catalogue, EventLog]:
    """A catalogue with authors and two user attributes, and a log of uniform plays."""
    catalogue = Catalogue(
        Vocabulary(f"{item:06d}" for item in range(ITEMS)),
        Vocabulary(f"{user:06d}" for user in range(USERS)),
        pa.table({"author": [f"a{author}" for author in rng.integers(0, 2_000, ITEMS)]}),
        pa.table({"gender": ["fm"[user % 2] for user in range(USERS)], "age": rng.integers(10, 70, USERS)}),
        np.zeros(ITEMS, np.int64),
    )
    none, nan = np.full(PLAYS, -1, np.int32), np.full(PLAYS, np.nan, np.float32)
    log = EventLog(
        rng.integers(0, USERS, PLAYS).astype(np.int32),
        rng.integers(0, ITEMS, PLAYS).astype(np.int32),
        np.sort(rng.integers(0, 10**10, PLAYS)),
        np.zeros(PLAYS, np.int8),
        np.ones(PLAYS, np.float32),
        np.zeros(PLAYS, np.int32),
        nan,
        none,
        none,
        nan,
        none,
        ("play",),
        catalogue,
    )
    return catalogue, log


def recalled(rng: np.random.Generator, size: int) -> dict[str, CandidateBatch]:
    """Two triggers' lists, 250 candidates a request, 210 of them distinct."""
    found = {}
    pools = [rng.choice(ITEMS, 210, replace=False).astype(np.int32) for _ in range(size)]
    for name, part in (("hot", slice(0, 50)), ("itemcf", slice(10, 210))):
        item = np.stack([pool[part] for pool in pools])
        score = -np.sort(-rng.random(item.shape).astype(np.float32), axis=1)
        offsets = np.arange(size + 1, dtype=np.int64) * item.shape[1]
        found[name] = CandidateBatch(offsets, item.ravel(), score.ravel())
    return found


def cost_us(call: Callable[[], object], size: int) -> float:
    """Best of several rounds, microseconds a request."""
    call()
    repeats = 300 if size == 1 else 5
    best = np.inf
    for _ in range(5):
        started = time.perf_counter()
        for _ in range(repeats):
            call()
        best = min(best, (time.perf_counter() - started) / repeats)
    return best / size * 1e6


def main() -> None:
    rng = np.random.default_rng(0)
    catalogue, log = world(rng)
    rows: dict[str, list[float]] = {}
    with tempfile.TemporaryDirectory() as folder:
        store = SqliteProfiles(SqliteConfig(), catalogue)
        started = time.perf_counter()
        store.build(log, Path(folder))
        print(f"sqlite: {PLAYS:,} plays built in {time.perf_counter() - started:.2f} s")
        store.open(Path(folder))
        store.read(np.zeros(1, np.int32), np.zeros(1, np.int64), 50)
        started = time.perf_counter()
        store.read(np.arange(USERS, dtype=np.int32), np.full(USERS, 10**10), 50)
        print(f"sqlite: first read of {USERS:,} users {(time.perf_counter() - started) / USERS * 1e6:.1f} us each")
        for size in SIZES:
            user = rng.integers(0, USERS, size).astype(np.int32)
            when = rng.integers(5 * 10**9, 10**10, size)
            view = store.read(user, when, 50)
            session = Plays(
                np.arange(size + 1, dtype=np.int64),
                rng.integers(0, ITEMS, size).astype(np.int32),
                when - 1,
                np.ones(size, np.float32),
            )
            one = Ragged(session.offsets, session.item)
            requests = RequestBatch(
                user,
                when,
                session.item,
                np.full(size, 10, np.int32),
                session,
                view.history,
                unite_items(one, view.seen),
                view.columns,
            )
            found = recalled(rng, size)
            blend = Blend(BlendConfig(weights={"itemcf": 1.0, "hot": 0.2}), catalogue)
            merged = RoundRobin(RoundRobinConfig(), catalogue).merge(requests, found, 400)
            score = blend.score(requests, merged)
            ranked = best_candidates(merged, score)
            context = ExposureContext(lambda name, some, k, rng=rng: recalled(rng, len(some))[name], lambda _, c: c)
            stages: dict[str, Callable[[], object]] = {
                "profile sqlite": lambda store=store, user=user, when=when: store.read(user, when, 50),
                "unite_plays": lambda s=session, v=view: unite_plays(s, v.history, 50),
                "unite_items": lambda o=one, v=view: unite_items(o, v.seen),
            }
            for name, merge in {
                "round_robin": RoundRobin(RoundRobinConfig(), catalogue),
                "weighted": Weighted(WeightedConfig(), catalogue),
                "rrf": Rrf(RrfConfig(), catalogue),
                "quota": Quota(QuotaConfig({"itemcf": 0.4}), catalogue),
            }.items():
                stages[f"merge {name}"] = lambda m=merge, r=requests, f=found: m.merge(r, f, 400)
            stages["ranker blend"] = lambda x=blend, r=requests, m=merged: x.score(r, m)
            stages["sort after the ranker"] = lambda m=merged, s=score: best_candidates(m, s)
            for name, rule in {
                "drop_seen": DropSeen(DropSeenConfig(), catalogue),
                "spread": Spread(SpreadConfig(by="author"), catalogue),
                "backfill, none short": Backfill(BackfillConfig("hot"), catalogue),
            }.items():
                stages[f"exposure {name}"] = lambda x=rule, r=requests, c=ranked, t=context: x.apply(r, c, t)
            for name, call in stages.items():
                rows.setdefault(name, []).append(cost_us(call, size))
        store.close()
    print(f"{'us a request':24}" + "".join(f"{f'batch {size:,}':>14}" for size in SIZES))
    for name, costs in rows.items():
        print(f"{name:24}" + "".join(f"{cost:14.1f}" for cost in costs))
    fitted = Blend(BlendConfig(), catalogue)
    label = np.zeros(len(merged.item), np.float32)
    label[merged.offsets[:-1] + rng.integers(0, 20, len(merged))] = 1
    samples = RankSamples(requests, merged, label, len(merged), 0)
    fitted.fit(samples, FitContext())
    started = time.perf_counter()
    fitted.fit(samples, FitContext())
    took_s = time.perf_counter() - started
    print(f"{'blend, learned':24}{'':14}{cost_us(lambda: fitted.score(requests, merged), len(merged)):14.1f}")
    print(f"blend fit: {len(merged.item):,} rows in {took_s:.2f} s")


if __name__ == "__main__":
    main()
