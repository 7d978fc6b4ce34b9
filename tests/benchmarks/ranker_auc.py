"""How well the rankers of `yoorec-tf` order real impressions, beside LightGBM on the same features.

    uv run --with lightgbm python tests/benchmarks/ranker_auc.py

KuaiRand-Pure (Gao et al., CIKM 2022) in ../shared/data, or where YOOREC_DATA says. Each impression is an example, its
label the click. Impressions of one user at one moment are a request, which sees what came strictly before. The first
80 % of the impressions train, the latest 5 % of their requests being the tail that stops training; the rest is judged.

GAUC is the AUC within a user's impressions, visit GAUC that within a visit's; both are means weighed by impressions,
over those with clicks and without. Intervals are of 95 %, by the bootstrap over users; differences are paired on the
same draws, and a star marks those whose interval leaves out 0. Rankers are calibrated on the tail, LightGBM is not.

Settings were chosen on the last fifth of the training part (`--settings`). Tried there: batches of 256 and 1,024,
learning rates 0.001, 0.002 and 0.005, l2 of 0, 1e-5, 3e-5 and 1e-4, dropout 0.3, 8 numbers an id for 16; of LightGBM
31 and 63 leaves, weak and strong smoothing of categories, and to leave out ids of users and of the history. At a
learning rate of 0.002 deep networks are best after their first epoch, at 0.001 after the second.
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from yoorec_tf.config import DnnConfig, LearnConfig, LrConfig, WideDcnConfig, WideDeepConfig
from yoorec_tf.metrics import auc, log_loss, reliability
from yoorec_tf.model import Dnn, Lr, WideDcn, WideDeep

from yoorec.batch import CandidateBatch, Plays, Ragged, RequestBatch
from yoorec.components import FitContext, RankContext, RankSamples
from yoorec.config.compose import load_scenario
from yoorec.data.catalogue import Catalogue
from yoorec.data.dataset import read_dataset
from yoorec.data.log import EventLog
from yoorec.features.codes import NO_CODES
from yoorec.features.config import Feature, FeatureKeys
from yoorec.features.counters import Counters
from yoorec.features.declared import declare
from yoorec.features.encoder import Encoder
from yoorec.features.learning import learn
from yoorec.features.readers import Around, item_numbers
from yoorec.features.requests import RequestValues
from yoorec.features.rows import RowValues
from yoorec.plugins import load_plugins
from yoorec.ragged import unite_items, unite_plays
from yoorec.replay.statistics import Interval, interval, resampled_means
from yoorec.stages.configs import SqliteConfig
from yoorec.stages.sqlite import SqliteProfiles

ROOT = Path(__file__).resolve().parents[2]
FOLDER = Path(os.environ.get("YOOREC_DATA", ROOT.parent / "shared" / "data")) / "kuairand_pure"
SCENARIO = ROOT / "scenarios" / "underlying_page.yaml"
TEST = 0.2
HISTORY = 50
ALL = 10**6
"""Negatives a request: no impression is left out."""
TOGETHER = 5000
RESAMPLES = 1000
FIRST = 5
"""Of a list, the ids that LightGBM sees, each as a column."""
CODES = ("item_music_id", "item_music_type", "item_visible_status")
"""Numbers that stand for names, beside the users' `onehot` ones."""

BOOSTED = {
    "objective": "binary",
    "learning_rate": 0.05,
    "num_leaves": 63,
    "min_data_in_leaf": 50,
    "feature_fraction": 0.5,
    "bagging_fraction": 0.8,
    "bagging_freq": 1,
    "cat_smooth": 100,
    "cat_l2": 50,
    "verbose": -1,
    "seed": 0,
}
DEEP: dict[str, Any] = {
    "loss": "logistic",
    "batch": 1024,
    "learning_rate": 0.001,
    "l2": 3e-5,
    "epochs": 4,
    "dim": 16,
}
"""Hardly a request has two impressions, so rows are judged by themselves."""
KINDS: dict[str, tuple[Any, LearnConfig]] = {
    "lr": (Lr, LrConfig(loss="logistic", batch=1024, learning_rate=0.005, epochs=8)),
    "dnn": (Dnn, DnnConfig(**DEEP)),
    "wide_deep": (WideDeep, WideDeepConfig(**DEEP)),
    "wide_dcn": (WideDcn, WideDcnConfig(**DEEP)),
}


@dataclass(frozen=True, slots=True)
class Impressions:
    """What was shown, in the order of time: requests, one a user and moment, with the videos shown then.

    samples: with the click as label. session: int32 [B], the visit a request belongs to.
    """

    catalogue: Catalogue
    around: Around
    samples: RankSamples
    session: np.ndarray

    def take(self, places: np.ndarray) -> Impressions:
        """Some of the requests."""
        samples = self.samples
        few = samples.candidates.take(places)
        start = samples.candidates.offsets[places]
        rows = np.arange(few.offsets[-1]) - np.repeat(few.offsets[:-1] - start, few.lengths)
        taken = RankSamples(
            samples.requests.take(places),
            few,
            samples.label[rows],
            int(samples.label[rows].sum()),
            0,
            shown=np.ones(len(rows), np.bool_),
            position=np.full(len(rows), -1, np.int32),
        )
        return Impressions(self.catalogue, self.around, taken, self.session[places])

    @property
    def owner(self) -> np.ndarray:
        """int64 [N]: each row's request."""
        return np.repeat(np.arange(len(self.samples.requests)), self.samples.candidates.lengths)


def impressions_of(log: EventLog, folder: Path) -> Impressions:
    """All impressions of a log. folder: for the profiles."""
    catalogue, shown, clicks = log.catalogue, log.of("impression"), log.of("click")
    users = len(catalogue.users)
    # A request is a moment of a user, one number each.
    own, of_click = (each.time * users + each.user for each in (shown, clicks))
    order = np.lexsort((shown.item, own))
    own, item = own[order], shown.item[order]
    clicked = set(zip(of_click.tolist(), clicks.item.tolist(), strict=True))
    label = np.array([pair in clicked for pair in zip(own.tolist(), item.tolist(), strict=True)], np.float32)
    there, first = np.unique(own, return_index=True)
    offsets = np.append(first, len(own)).astype(np.int64)
    when, user = there // users, (there % users).astype(np.int32)
    session = shown.session[order][first]
    empty = np.zeros((len(item), 0))
    candidates = CandidateBatch(
        offsets, item, np.zeros(len(item), np.float32), (), empty.astype(np.float32), empty.astype(np.int32)
    )
    requests = entered(log, folder, user, when, session)
    samples = RankSamples(requests, candidates, label, 0, 0)
    return Impressions(catalogue, Around(catalogue, Counters.build(log)), samples, session)


def entered(log: EventLog, folder: Path, user: np.ndarray, when: np.ndarray, session: np.ndarray) -> RequestBatch:
    """Requests with what was known of their users before their time, as the pipeline has them."""
    plays = log.plays()
    order = np.argsort(plays.session, kind="stable")
    span = int(log.time[-1] - log.time[0]) + 1
    keys = plays.session[order].astype(np.int64) * span + plays.time[order] - log.time[0]
    begin = np.searchsorted(keys, session.astype(np.int64) * span)
    end = np.searchsorted(keys, session.astype(np.int64) * span + when - log.time[0])
    store = SqliteProfiles(SqliteConfig(), log.catalogue)
    store.build(log, folder)
    store.open(folder)
    parts = []
    for start in range(0, len(user), TOGETHER):
        some = slice(start, start + TOGETHER)
        length = (end - begin)[some]
        offsets = np.append(0, np.cumsum(length)).astype(np.int64)
        rows = order[np.repeat(end[some] - 1 + offsets[:-1], length) - np.arange(offsets[-1])]
        visit = Plays(offsets, plays.item[rows], plays.time[rows], plays.weight[rows])
        main = np.full(len(length), -1, np.int32)
        main[length > 0] = visit.item[offsets[:-1][length > 0]]
        view = store.read(user[some], when[some], HISTORY)
        parts.append(
            RequestBatch(
                user[some],
                when[some],
                main,
                np.full(len(length), 10, np.int32),
                visit,
                unite_plays(visit, view.history, HISTORY),
                unite_items(Ragged(visit.offsets, visit.item), view.seen),
                view.columns,
            )
        )
    store.close()
    return RequestBatch.join(parts)


def keys_of(impressions: Impressions) -> FeatureKeys:
    """Every feature there is, the user's id, and as names the numbers that stand for names."""
    features, crosses = declare(FeatureKeys(), impressions.catalogue, (), (), impressions.around.counters)
    found: dict[str, Feature | None] = {each.name: each.feature for each in features if not each.hidden}
    for name in found:
        if "onehot" in name or name in CODES:
            found[name] = Feature(str(features[[each.name for each in features].index(name)].of), category=True)
    found |= {each.name: each.feature for each in crosses}
    return FeatureKeys(found | {"user_id": Feature("user.id")})


# -- LightGBM


def table_of(encoder: Encoder, impressions: Impressions) -> tuple[np.ndarray, list[str], list[str]]:
    """What the encoder reads, as one float32 [N, F] of numbers as they are, names and the first ids of lists.

    Returns also the columns' names, and those of them that are categories.
    """
    samples, around, owner = impressions.samples, impressions.around, impressions.owner.astype(np.int32)
    requests, candidates = samples.requests, samples.candidates
    item, features = candidates.item, [each for each in encoder.learned.features if not each.hidden]
    columns: dict[str, np.ndarray] = {}
    rows = [each for each in features if each.side == "row" and each.form == "numbers"]
    prior = np.array([encoder.learned.prior.get(each.name, np.nan) for each in rows], np.float32)
    read = RowValues((), rows, around, prior).read(requests, candidates, NO_CODES)
    columns |= {each.name: read[place] for place, each in enumerate(rows)}
    for each in features:
        if each.form == "numbers" and each.side == "request":
            columns[each.name] = RequestValues((), (), [each], around.catalogue).read(requests, NO_CODES)[0][owner]
        elif each.form == "numbers" and each.side == "item":
            columns[each.name] = item_numbers(each, around.catalogue)[item]
    encoded, layout = encoder.encode(requests, candidates), encoder.layout
    categories = []
    for side, there, at in (
        (encoded.request, layout.request, owner),
        (encoded.item, layout.item, item),
        (encoded.row, layout.row, np.arange(len(item))),
    ):
        for place, name in enumerate(there.id[: there.embedded]):
            if name not in columns:
                columns[name] = side.id[at, place]
                categories.append(name)
        for place, name in enumerate(there.many):
            start, stop = side.offsets[place :: side.lists][: len(side)], side.offsets[place + 1 :: side.lists]
            columns[f"{name} size"] = (stop - start)[at]
            for number in range(FIRST if name.startswith("history") else 2):
                found = np.where(
                    start + number < stop, np.append(side.many, 0)[np.minimum(start + number, len(side.many))], -1
                )
                columns[f"{name} {number}"] = found[at]
                categories.append(f"{name} {number}")
    return np.stack([np.asarray(each, np.float32) for each in columns.values()], 1), list(columns), categories


def densely(names: np.ndarray, *others: np.ndarray) -> list[np.ndarray]:
    """Names as 0, 1, 2, ...; in the others those not among them as -1."""
    known = np.unique(names)

    def place(each: np.ndarray) -> np.ndarray:
        found = np.minimum(np.searchsorted(known, each), len(known) - 1)
        return np.where(known[found] == each, found, -1)

    return [place(names), *map(place, others)]


def boosted(keys: FeatureKeys, train: Impressions, test: Impressions) -> tuple[np.ndarray, float] | None:
    """LightGBM's logits of the test rows and the seconds its fit took; None where it is not installed."""
    try:
        import lightgbm
    except ImportError:
        print("lightgbm is not installed: the table goes without it; see the command above", flush=True)
        return None
    started = time.perf_counter()
    encoder = learn(replace(LearnConfig(), features=keys.features), train.samples, train.around)
    left, names, categories = table_of(encoder, train)
    right, _, _ = table_of(encoder, test)
    label = train.samples.label
    first = int(train.samples.candidates.offsets[len(train.session) - int(len(train.session) * LearnConfig().tail)])
    for place in (names.index(each) for each in categories):
        left[:first, place], left[first:, place], right[:, place] = densely(
            left[:first, place], left[first:, place], right[:, place]
        )
    keys_of_fit = {"categorical_feature": [names.index(each) for each in categories], "free_raw_data": False}
    own = lightgbm.Dataset(left[:first], label[:first], **keys_of_fit)
    tail = own.create_valid(left[first:], label[first:])
    stop = lightgbm.early_stopping(50, verbose=False)
    model = lightgbm.train(BOOSTED, own, 2000, valid_sets=[tail], callbacks=[stop])
    seconds = time.perf_counter() - started
    return np.asarray(model.predict(right, raw_score=True), np.float32), seconds


# -- the rankers and the table


def fitted(
    name: str, config: LearnConfig, train: Impressions, test: Impressions, seed: int
) -> tuple[np.ndarray, float]:
    """A ranker's logits of the test rows, and the seconds its fit took."""
    started = time.perf_counter()
    ranker = KINDS[name][0](config, train.catalogue)
    counters = train.around.counters
    assert counters is not None
    ranker.use(RankContext({}, counters))
    ranker.fit(train.samples, FitContext(seed=seed, threads=os.cpu_count() or 1))
    seconds = time.perf_counter() - started
    curve = ", ".join(f"{each['auc']:.4f} {each['log_loss']:.4f}" for each in ranker.describe()["curve"])
    print(f"{name}: AUC and log-loss on the tail by epoch: {curve}", flush=True)
    return ranker.score(test.samples.requests, test.samples.candidates), seconds


def group_aucs(group: np.ndarray, label: np.ndarray, score: np.ndarray) -> np.ndarray:
    """float64 [N]: of each row the AUC within its group, NaN where the group lacks clicks or the lack of them."""
    _, own, length = np.unique(group, return_inverse=True, return_counts=True)
    groups = np.split(np.argsort(own, kind="stable"), np.cumsum(length)[:-1])
    found = np.array([auc(label[rows], score[rows]) for rows in groups])
    return found[own]


def resampled_aucs(label: np.ndarray, score: np.ndarray, user: np.ndarray, resamples: int) -> np.ndarray:
    """float64 [resamples]: the AUC where every user counts as often as drawn; the draws are those of any other call."""
    _, own = np.unique(user, return_inverse=True)
    users = int(own.max()) + 1
    order = np.argsort(score, kind="stable")
    own, positive = own[order], label[order] > 0
    starts = np.flatnonzero(np.append(True, np.diff(score[order]) != 0))
    draw = np.random.default_rng(0)
    found = np.empty(resamples)
    for number in range(resamples):
        times = np.bincount(draw.integers(0, users, users), minlength=users)[own].astype(np.float64)
        hits = np.add.reduceat(times * positive, starts)
        misses = np.add.reduceat(times * ~positive, starts)
        above = hits.sum() - np.cumsum(hits)
        found[number] = (misses * (above + hits / 2)).sum() / (hits.sum() * misses.sum())
    return found


@dataclass(frozen=True, slots=True)
class Judged:
    """Figures of one model, and the resamples of those that have an interval."""

    figures: dict[str, float]
    resamples: dict[str, np.ndarray]
    seconds: float


def judged(test: Impressions, logit: np.ndarray, seconds: float) -> Judged:
    """A model's logits of the test rows against what was clicked."""
    label, owner = test.samples.label, test.owner
    user, visit = test.samples.requests.user[owner], test.session[owner]
    figures = {"AUC": auc(label, logit)}
    resamples = {"AUC": resampled_aucs(label, logit, user, RESAMPLES)}
    for name, group in (("GAUC", user), ("visit GAUC", visit)):
        column = group_aucs(group, label, logit)
        rows = np.flatnonzero(~np.isnan(column))
        figures[name] = float(column[rows].mean())
        resamples[name] = resampled_means([column], user, RESAMPLES, 0, rows)[:, 0]
    chance = (1 / (1 + np.exp(-logit.astype(np.float64)))).astype(np.float32)
    figures |= {"log-loss": log_loss(label, logit), "ECE": reliability(label, chance).ece}
    return Judged(figures, resamples, seconds)


def told(found: Interval, sign: str = "") -> str:
    """A figure with half its interval."""
    assert found.low is not None
    assert found.high is not None
    sure = "*" if sign and found.low * found.high > 0 else ""
    return f"{sure}{found.value:{sign}.4f} ±{(found.high - found.low) / 2:.4f}"


def tell(found: Mapping[str, Judged], users: int) -> None:
    """The table, and below it the paired differences from `wide_dcn`."""
    spans = ("AUC", "GAUC", "visit GAUC")
    print(f"{'model':<12}{''.join(f'{name:>17}' for name in spans)}{'log-loss':>11}{'ECE':>9}{'fit s':>8}")
    for name, each in found.items():
        cells = [told(interval(each.figures[span], each.resamples[span], users)) for span in spans]
        print(
            f"{name:<12}{''.join(f'{cell:>17}' for cell in cells)}{each.figures['log-loss']:>11.4f}"
            f"{each.figures['ECE']:>9.4f}{each.seconds:>8.0f}"
        )
    best = found.get("wide_dcn")
    if best is None:
        return
    for name, each in found.items():
        if each is best:
            continue
        cells = [
            told(
                interval(best.figures[span] - each.figures[span], best.resamples[span] - each.resamples[span], users),
                "+",
            )
            for span in spans
        ]
        print(f"{'wide_dcn - ' + name:<24}{''.join(f'{cell:>19}' for cell in cells)}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", nargs="+", choices=[*KINDS, "lightgbm"], help="models; all unless given")
    parser.add_argument("--settings", action="store_true", help="judge on the last fifth of the training part instead")
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    if not FOLDER.is_dir():
        raise SystemExit(f"KuaiRand-Pure is not in {FOLDER}; YOOREC_DATA says where the data is")
    log = read_dataset(load_scenario(SCENARIO, ["data=kuairand", f"data.path={FOLDER}"], load_plugins())).log
    with tempfile.TemporaryDirectory() as folder:
        whole = impressions_of(log, Path(folder))
    rows = whole.samples.candidates.offsets
    last = int(np.searchsorted(rows, (1 - TEST) * rows[-1])) if given.settings else len(rows) - 1
    cut = int(np.searchsorted(rows, (1 - TEST) * rows[last]))
    train, test = whole.take(np.arange(cut)), whole.take(np.arange(cut, last))
    users = len(np.unique(test.samples.requests.user))
    for name, each in (("train", train), ("test", test)):
        label, size = each.samples.label, len(np.unique(each.samples.requests.user))
        print(f"{name}: {len(label):,} impressions of {size:,} users, {label.mean():.3f} clicked", flush=True)
    keys = keys_of(whole)
    found: dict[str, Judged] = {}
    for name, (_, config) in KINDS.items():
        if given.only is None or name in given.only:
            own = replace(config, features=keys.features, negatives=ALL)
            found[name] = judged(test, *fitted(name, own, train, test, given.seed))
    if given.only is None or "lightgbm" in given.only:
        other = boosted(keys, train, test)
        if other is not None:
            found["lightgbm"] = judged(test, *other)
    tell(found, users)


if __name__ == "__main__":
    main()
