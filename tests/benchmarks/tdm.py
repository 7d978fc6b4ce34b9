"""What `tdm` finds, what its search scores, what its keys change, and how long it takes.

    uv run python tests/benchmarks/tdm.py paper    data.path=ml-1m.zip     # the paper's protocol, beside item-CF
    uv run python tests/benchmarks/tdm.py keys     data.path=ml-1m.zip     # beams, negatives, attention, trees
    uv run python tests/benchmarks/tdm.py serving                          # scored nodes and latency, made-up libraries

Intervals are of 95 %, by the bootstrap over users; differences are paired on the same requests.

paper:   as Zhu et al., KDD 2018, describe it: ratings of 4 and more of users with at least 10 of them; 1,000 users
         drawn at random are tested, the others train. The earlier half of a tested user's plays is known, the latest of
         them the main item, and the later half is the truth; precision, recall and F are means over users. With
         several draws of tested users, each has a model of its own, and the last figures are those of all together.
keys:    the log before 90 % of its plays trains; requests are plays after it that follow another in the same session.
serving: random weights over libraries of any size: neither the nodes scored nor the time depend on what is learned.
"""

from __future__ import annotations

import argparse
import os
import resource
import tempfile
import time
from collections.abc import Mapping
from dataclasses import replace
from hashlib import blake2b
from pathlib import Path
from typing import Any

import numpy as np
from yoorec_itemcf.config import ItemCFConfig
from yoorec_itemcf.model import ItemCF
from yoorec_tdm.config import TdmConfig
from yoorec_tdm.index import Index
from yoorec_tdm.model import Tdm
from yoorec_tdm.samples import Plan, sequences_of
from yoorec_tdm.scoring import readers_of, score_nodes
from yoorec_tdm.search import search
from yoorec_tdm.training import requests_at
from yoorec_tdm.tree import Tree
from yoorec_tdm.weights import Weights

from yoorec.batch import CandidateBatch, Plays, Ragged, RequestBatch
from yoorec.components import FitContext
from yoorec.config.compose import load_scenario
from yoorec.config.types import duration_ms
from yoorec.data.cuts import resolve_cuts
from yoorec.data.dataset import read_dataset
from yoorec.data.log import EventLog
from yoorec.plugins import load_plugins
from yoorec.replay.statistics import interval, resampled_means

SCENARIO = Path(__file__).parents[2] / "scenarios" / "underlying_page.yaml"
PLAIN = TdmConfig()
ALL = 10**6
"""A beam as wide as any tree here: every leaf is scored."""


def dataset_of(overrides: list[str], *more: str) -> tuple[EventLog, int]:
    """The log and its replay cut."""
    scenario = load_scenario(SCENARIO, ["data=movielens_1m", *overrides, *more], load_plugins())
    dataset = read_dataset(scenario)
    return dataset.log, resolve_cuts(scenario, dataset).replay_cut


def fit(config: TdmConfig, log: EventLog, seed: int = 0) -> tuple[Tdm, str]:
    """A fitted trigger, and what the fit cost."""
    started = time.perf_counter()
    model = Tdm(config, log.catalogue)
    notes: dict[str, Any] = {}
    model.fit(log, FitContext(seed=seed, threads=os.cpu_count() or 1, note=notes.__setitem__))
    peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1e6
    cost = f"{time.perf_counter() - started:,.0f} s, {notes['epochs']} epochs, peak {peak:.2f} GB"
    return model, cost


def kept_or_fit(config: TdmConfig, log: EventLog, store: Path, part: str) -> tuple[Tdm, str]:
    """The trigger that a folder has of these keys and this part of the log, or one that is fitted and left there."""
    folder = store / f"{part}-{blake2b(repr(config).encode(), digest_size=8).hexdigest()}"
    if folder.exists():
        model = Tdm(config, log.catalogue)
        model.load(folder)
        return model, "kept"
    model, cost = fit(config, log)
    folder.mkdir(parents=True)
    model.save(folder)
    return model, cost


def cells(values: Mapping[str, np.ndarray], user: np.ndarray, base: Mapping[str, np.ndarray] | None = None) -> str:
    """Each figure with half its interval, or its difference from the base's."""
    told = []
    clusters = len(np.unique(user))
    for name, value in values.items():
        column = value if base is None else value - base[name]
        found = interval(float(column.mean()), resampled_means([column], user, 1000, 0)[:, 0], clusters)
        assert found.low is not None
        assert found.high is not None
        half = (found.high - found.low) / 2
        sure = base is not None and found.low * found.high > 0
        told.append(f"{name} {'*' if sure else ''}{found.value:{'+' if base is not None else ''}.4f} ±{half:.4f}")
    return "  ".join(told)


def places(found: Any, size: int) -> tuple[np.ndarray, np.ndarray]:
    """Request and rank of each row."""
    own = np.repeat(np.arange(size), np.diff(found.offsets))
    return own, np.arange(len(own)) - np.asarray(found.offsets)[own]


def unseen(found: CandidateBatch, requests: RequestBatch) -> CandidateBatch:
    """Without what the user has seen, as the rule `drop_seen` leaves it."""
    own, _ = places(found, len(requests))
    seen = np.repeat(np.arange(len(requests)), np.diff(requests.seen.offsets))
    kept = ~np.isin(own * ALL + found.item, seen * ALL + requests.seen.item)
    offsets = np.append(0, np.cumsum(np.bincount(own[kept], minlength=len(requests))))
    return CandidateBatch(offsets, found.item[kept], found.score[kept])


# -- the paper's protocol


def halves(log: EventLog, users: np.ndarray) -> tuple[RequestBatch, Ragged]:
    """A request of each user after half of the plays, and the other half."""
    sequences = sequences_of(log.user, log.session, log.item, len(log.catalogue.items))
    user = np.sort(log.user)
    first, last = np.searchsorted(user, users), np.searchsorted(user, users, side="right")
    middle = (first + last) // 2
    requests = requests_at(sequences, middle, 1000)
    later = last - middle
    offsets = np.append(0, np.cumsum(later))
    rows = np.arange(offsets[-1]) + np.repeat(middle - offsets[:-1], later)
    now = np.full(len(users), int(log.time[-1]) + 1)
    return replace(requests, user=users, item=sequences.item[middle - 1], time=now), Ragged(
        offsets, sequences.item[rows]
    )


def halves_met(found: Any, truth: Ragged, k: int) -> dict[str, np.ndarray]:
    """Precision, recall and F of the first k, by user."""
    own, rank = places(found, len(truth))
    told = np.repeat(np.arange(len(truth)), np.diff(truth.offsets)) * ALL + truth.item
    hit = np.isin(own * ALL + found.item, told) & (rank < k)
    hits = np.bincount(own[hit], minlength=len(truth)).astype(np.float64)
    precision, recall = hits / k, hits / np.diff(truth.offsets)
    both = precision + recall
    f = np.divide(2 * precision * recall, both, out=np.zeros_like(both), where=both > 0)
    return {f"precision@{k}": precision, f"recall@{k}": recall, f"F@{k}": f}


CUTOFFS = (10, 50, 200)


def paper(overrides: list[str], config: TdmConfig, store: Path, draws: list[int]) -> None:
    log, _ = dataset_of(overrides, "data.rating_at_least=4")
    log = log.plays()
    tested: list[np.ndarray] = []
    found: list[dict[str, dict[str, np.ndarray]]] = []
    for draw in draws:
        users, met = drawn(log, config, store, draw)
        tested.append(users)
        found.append(met)
    if len(draws) > 1:
        print(f"all {len(draws)} draws")
        first = found[0]
        pooled = {
            name: {label: np.concatenate([met[name][label] for met in found]) for label in first[name]}
            for name in first
        }
        tell(pooled, np.concatenate(tested))


def drawn(
    log: EventLog, config: TdmConfig, store: Path, draw: int
) -> tuple[np.ndarray, dict[str, dict[str, np.ndarray]]]:
    """The tested users of a draw, and each list's figures of them."""
    plays = np.bincount(log.user, minlength=len(log.catalogue.users))
    usable = np.flatnonzero(plays >= 10).astype(np.int32)
    tested = np.sort(np.random.default_rng(0).choice(usable, 1000, replace=False))
    if draw:
        # Settings were chosen on the users of the first draw; those of any other are none of them.
        rest = np.setdiff1d(usable, tested)
        tested = np.sort(np.random.default_rng(draw).choice(rest, 1000, replace=False))
    train = log.rows(np.flatnonzero(np.isin(log.user, usable) & ~np.isin(log.user, tested)))
    requests, truth = halves(log, tested)
    print(f"draw {draw}: {len(train):,} plays train, {len(truth.item):,} of 1,000 users are the truth")
    model, cost = kept_or_fit(config, train, store, f"paper{draw}")
    print(f"fit: {cost}", flush=True)
    beam = model.search(requests, config.beam, 200)
    every = model.search(requests, ALL, 200)
    plain = ItemCFConfig(half_life=None, damp_users=False, max_plays=None, recall_from=1000, recency=1.0)
    near = ItemCFConfig(half_life=duration_ms("10m"))
    lists: dict[str, Any] = {f"tdm, beam {config.beam}": beam, "tdm, every leaf": every}
    for name, settings in (("item-CF, plain cosine", plain), ("itemcf, defaults", near)):
        other = ItemCF(settings, log.catalogue)
        other.fit(train, FitContext(threads=os.cpu_count() or 1))
        lists[name] = unseen(other.recall(requests, 1200), requests)
    hot = np.argsort(-np.bincount(train.item, minlength=len(log.catalogue.items)), kind="stable").astype(np.int32)
    hottest = hot[:1200]
    size = len(requests)
    lists["most played"] = unseen(
        CandidateBatch(np.arange(size + 1) * 1200, np.tile(hottest, size), np.zeros(size * 1200, np.float32)), requests
    )
    met = {
        name: {label: values for k in CUTOFFS for label, values in halves_met(found, truth, k).items()}
        for name, found in lists.items()
    }
    tell(met, tested)
    kept = halves_met(beam, truth, 100)["recall@100"].mean() / halves_met(every, truth, 100)["recall@100"].mean()
    print(f"the beam keeps {kept:.1%} of recall@100, scoring {beam.scored / every.scored:.1%} of the nodes", flush=True)
    return tested, met


def tell(met: dict[str, dict[str, np.ndarray]], user: np.ndarray) -> None:
    """Each list's figures, and how far the first is from each of the others."""
    for name, values in met.items():
        print(f"{name:<24} {cells(values, user)}")
    first, *others = met
    for name in others:
        print(f"tdm - {name:<18} {cells(met[first], user, met[name])}", flush=True)


# -- keys


class Kin:
    """How much alike items are: the share of their tags (genres) that they have in common."""

    def __init__(self, log: EventLog) -> None:
        tags = log.catalogue.item_columns["tags"]
        names = sorted({name for row in tags.to_pylist() for name in row or ()})
        self.has = np.zeros((len(tags), len(names)))
        for item, row in enumerate(tags.to_pylist()):
            for name in row or ():
                self.has[item, names.index(name)] = 1

    def between(self, left: np.ndarray, right: np.ndarray) -> np.ndarray:
        """Jaccard similarity [..., L, R] of items [..., L] and [..., R]."""
        both = np.einsum("...ld,...rd->...lr", self.has[left], self.has[right])
        either = self.has[left].sum(-1)[..., None] + self.has[right].sum(-1)[..., None, :] - both
        return np.divide(both, either, out=np.zeros_like(both), where=either > 0)


def list_figures(found: Any, requests: RequestBatch, truth: np.ndarray, kin: Kin) -> dict[str, np.ndarray]:
    """By request: hits, diversity inside the first 20, and their likeness to the last 10 plays."""
    size = len(truth)
    own, rank = places(found, size)
    hit = found.item == truth[own]
    figures = {
        f"{name}@{k}": np.bincount(own[hit & (rank < k)], minlength=size).astype(np.float64)
        for name, k in (("hit_rate", 10), ("recall", 100), ("recall", 200))
    }
    few = 20
    full = np.flatnonzero(np.diff(found.offsets) >= few)
    top = found.item[np.asarray(found.offsets)[full][:, None] + np.arange(few)]
    alike = kin.between(top, top)
    diversity, nearness = np.zeros(size), np.zeros(size)
    diversity[full] = 1 - (alike.sum((1, 2)) - few) / (few * (few - 1))
    for row, b in enumerate(full.tolist()):
        start = requests.history.offsets[b]
        played = requests.history.item[start : min(start + 10, requests.history.offsets[b + 1])]
        nearness[b] = kin.between(top[row], played).mean()
    return figures | {"diversity": diversity, "like_history": nearness}


VARIANTS: dict[str, dict[str, Any]] = {
    "base": {},
    # Of two children one has a single sibling; of eight, as many as there are negatives.
    "eight children": {"arity": 8},
    "half siblings": {"arity": 8, "siblings": 0.5},
    "siblings only": {"arity": 8, "siblings": 1.0},
    "average": {"attention": "average"},
    "first tree only": {"rounds": 1},
    "first tree at random": {"rounds": 1, "category": None},
}


def keys(overrides: list[str], config: TdmConfig, names: list[str], size: int, store: Path) -> None:
    log, cut = dataset_of(overrides)
    past, kin = log.before(cut), Kin(log)
    plays = log.plays()
    sequences = sequences_of(plays.user, plays.session, plays.item, len(log.catalogue.items))
    order = np.argsort(plays.user, kind="stable")
    when, who = plays.time[order], plays.user[order]
    asked = sequences.target[(when[sequences.target] >= cut) & sequences.same[sequences.target]]
    asked = np.sort(np.random.default_rng(0).choice(asked, min(size, len(asked)), replace=False))
    requests = replace(requests_at(sequences, asked, 50), time=when[asked], user=who[asked])
    truth, user = sequences.item[asked], who[asked]
    print(f"{len(past):,} plays before the cut, {len(asked):,} requests of {len(np.unique(user)):,} users")
    found: dict[str, dict[str, np.ndarray]] = {}
    near = ItemCF(ItemCFConfig(half_life=duration_ms("10m")), log.catalogue)
    near.fit(past, FitContext(threads=os.cpu_count() or 1))
    found["itemcf"] = list_figures(unseen(near.recall(requests, 1500), requests), requests, truth, kin)
    print(f"{'itemcf':<22} {cells(found['itemcf'], user)}", flush=True)
    for name in names:
        change = dict(VARIANTS[name])
        if change.get("rounds") == 1:  # as many passes over the plays as the rounds of the base together
            change["epochs"] = config.epochs * config.rounds
        changed = replace(config, **change)
        model, cost = kept_or_fit(changed, past, store, "past")
        started = time.perf_counter()
        lists = model.search(requests, config.beam, 200)
        each_ms = (time.perf_counter() - started) / len(asked) * 1000
        found[name] = list_figures(lists, requests, truth, kin)
        print(f"{name:<22} {cells(found[name], user)}  ({cost}; {each_ms:.2f} ms a request)", flush=True)
        if name == "base":
            for beam in (25, 50, 100, 150, 200, 300, ALL):
                some = model.search(requests, beam, 200)
                values = list_figures(some, requests, truth, kin)
                share = some.scored / len(asked) / (len(model.index.tree) - 1)
                few = {each: values[each] for each in ("hit_rate@10", "recall@100", "recall@200")}
                print(f"  beam {'all' if beam == ALL else beam:>4} {cells(few, user)}  scored {share:.1%}", flush=True)
        else:
            other = "eight children" if "siblings" in change and "eight children" in found else "base"
            print(f"  less {other:<16} {cells(found[name], user, found[other])}", flush=True)
    print(f"base less itemcf       {cells(found['base'], user, found['itemcf'])}")


# -- serving


def library(items: int, config: TdmConfig) -> Index:
    """A tree over so many items with random weights, scaled so that scores differ."""
    rng = np.random.default_rng(items)
    tree = Tree.of_order(rng.permutation(items).astype(np.int32), config.arity)
    dim, hidden, windows = config.dim, config.hidden, len(config.windows) + 1

    def some(*shape: int) -> np.ndarray:
        return (0.2 * rng.standard_normal(shape)).astype(np.float32)

    deep = [some((hidden[n - 1] + 2) * hidden[n]) for n in range(1, len(hidden))]
    weights = Weights(
        some(len(tree), dim),
        np.array((1, *config.windows), np.int32),
        some(dim, hidden[0]),
        some(hidden[0]),
        some(windows, dim, hidden[0]),
        some(windows, dim + 1, hidden[0]),
        some(hidden[0]),
        np.array(hidden, np.int32),
        np.concatenate([*deep, some(hidden[-1] + 1)]),
    )
    return Index.of(tree, weights, Plan.of(tree, config.negatives, 0.0).shift, np.zeros(items, np.int64))


def askers(items: int, size: int) -> RequestBatch:
    """Requests with a main item, a history of 50 plays, and 200 items seen."""
    rng = np.random.default_rng(0)
    history, seen = rng.integers(0, items, size * 50), rng.integers(0, items, size * 200)
    zeros, ones = np.zeros(size, np.int64), np.ones(size * 50, np.float32)
    plays = Plays(np.arange(size + 1) * 50, history.astype(np.int32), np.zeros(size * 50, np.int64), ones)
    main = history.reshape(size, 50)[:, 0].astype(np.int32)
    known = Ragged(np.arange(size + 1) * 200, seen.astype(np.int32))
    return RequestBatch(np.full(size, -1, np.int32), zeros, main, main, Plays.empty(size), plays, known)


def millis(run: Any, repeats: int) -> str:
    """p50 and p99 of a call."""
    run()
    told = []
    for turn in range(repeats):
        started = time.perf_counter()
        run(turn)
        told.append((time.perf_counter() - started) * 1000)
    p50, p99 = np.percentile(told, (50, 99))
    return f"{p50:9.2f} {p99:9.2f}"


def serving(config: TdmConfig, sizes: list[int], xla: bool) -> None:
    print(f"{'items':>8} {'nodes':>8} {'scored':>7} {'share':>7} {'batch':>6} {'p50 ms':>9} {'p99 ms':>9}")
    for items in sizes:
        index = library(items, config)
        requests = askers(items, 1000)
        scored = search(index, requests, config.beam, 200).scored / 1000
        for batch, repeats in ((1, 1000), (1000, 20)):
            some = [requests.take(np.arange(b, b + batch) % 1000) for b in range(min(repeats, 1000))]

            def run(turn: int = 0, index: Index = index, some: list[RequestBatch] = some) -> None:
                search(index, some[turn % len(some)], config.beam, 200)

            share = scored / (len(index.tree) - 1)
            head = f"{items:>8,} {len(index.tree):>8,} {scored:>7,.0f} {share:>7.1%} {batch:>6,}"
            print(f"{head} {millis(run, repeats)}", flush=True)
    if xla:
        network_beside(config, sizes[0])


def network_beside(config: TdmConfig, items: int) -> None:
    """One level of one request: the compiled kernel beside TensorFlow at one fixed, padded shape, compiled by XLA."""
    import tensorflow as tf
    from yoorec_tdm.network import build_network

    index, width, requests = library(items, config), 2 * config.beam, askers(items, 1)
    network = build_network(len(index.tree), config.dim, config.hidden, config.windows, config.attention, 0)
    rng = np.random.default_rng(0)
    node = rng.integers(1, len(index.tree), width).astype(np.int32)
    length = sum(config.windows)
    past = index.leaf[requests.history.item[:length]][None]
    step = tf.function(lambda *given: network(list(given)), jit_compile=True)
    given = (past, index.leaf[requests.item], node[None])
    by_xla = millis(lambda turn=0: step(*given).numpy(), 300)
    history = requests.history

    def kernel(turn: int = 0) -> None:
        readers = readers_of(index.weights, requests.item, history.offsets, history.item, index.leaf)
        score_nodes(index.weights, readers, np.array([0, width]), node)

    print(f"{width} nodes of one request, p50 and p99 ms: kernel {millis(kernel, 300)}, XLA {by_xla}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("part", choices=("paper", "keys", "serving"))
    parser.add_argument("overrides", nargs="*", help="of the scenario: data.path=...")
    parser.add_argument("--start", default=PLAIN.start)
    parser.add_argument("--category", default=PLAIN.category, help="'' for null: items without plays are not recalled")
    parser.add_argument("--averaging", type=float, default=PLAIN.averaging)
    parser.add_argument("--tail", type=float, default=PLAIN.tail)
    parser.add_argument("--rounds", type=int, default=PLAIN.rounds)
    parser.add_argument("--epochs", type=int, default=PLAIN.epochs)
    parser.add_argument("--ahead", type=int, default=PLAIN.ahead)
    parser.add_argument("--per-user", type=int)
    parser.add_argument("--windows", type=int, nargs="*", default=PLAIN.windows)
    parser.add_argument("--learning-rate", type=float, default=PLAIN.learning_rate)
    parser.add_argument("--patience", type=int, default=PLAIN.patience)
    parser.add_argument("--batch", type=int, default=PLAIN.batch)
    parser.add_argument("--beam", type=int, default=PLAIN.beam)
    parser.add_argument("--requests", type=int, default=4000)
    parser.add_argument("--variants", nargs="*", default=list(VARIANTS), help=f"of keys: {', '.join(VARIANTS)}")
    parser.add_argument("--items", type=int, nargs="*", default=[4000, 20000, 100000])
    parser.add_argument("--xla", action="store_true", help="serving: TensorFlow beside the kernel")
    parser.add_argument(
        "--draw", type=int, nargs="*", default=[0], help="paper: which users are tested; above 0 none of draw 0's"
    )
    parser.add_argument("--store", type=Path, help="keep what is fitted here, and use what is there")
    given = parser.parse_args()
    names = ("start", "ahead", "per_user", "rounds", "epochs", "learning_rate", "averaging", "tail", "patience")
    chosen = {name: getattr(given, name) for name in (*names, "batch", "beam")}
    config = replace(PLAIN, windows=tuple(given.windows), category=given.category or None, **chosen)
    if given.part == "serving":
        serving(config, given.items, given.xla)
        return
    with tempfile.TemporaryDirectory() as aside:
        store = given.store or Path(aside)
        if given.part == "paper":
            paper(given.overrides, config, store, given.draw)
        else:
            keys(given.overrides, config, given.variants, given.requests, store)


if __name__ == "__main__":
    main()
