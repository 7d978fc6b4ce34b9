"""The encoder against features worked out one by one, in plain Python, from what each name means."""

from __future__ import annotations

import math
from bisect import bisect_right
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from yoorec.batch import CandidateBatch, RequestBatch
from yoorec.components import RankSamples
from yoorec.data.log import EventLog
from yoorec.errors import ArtifactError
from yoorec.features.codes import MISSING, UNKNOWN, hashed_text
from yoorec.features.config import Feature, FeatureKeys
from yoorec.features.counters import HOUR_MS
from yoorec.features.declared import Declared
from yoorec.features.encoded import Encoded, Side
from yoorec.features.encoder import Encoder
from yoorec.features.learning import learn
from yoorec.features.readers import Around
from yoorec.testing.worlds import blank_requests, grown, meeting, small_merged, small_recalled, small_requests

KEYS = FeatureKeys(
    {
        "gender": Feature("user.gender"),
        "age": Feature("user.age", buckets=5),
        "decade": Feature("user.age", category=True, min_count=1),
        "item": Feature("item.id", min_count=25),
        "author": Feature("item.author", default="a2"),
        "length": Feature("item.duration_s", edges=(60.0, 120.0, 200.0)),
        "tags": Feature("item.tags"),
        "main_author": Feature("main.author"),
        "main_length": Feature("main.duration_s", buckets=4),
        "played": Feature("history.id", last=4, min_count=1),
        "played_tags": Feature("session.tags"),
        "hour": Feature("context.hour"),
        "weekday": Feature("context.weekday"),
        "gap": Feature("context.gap"),
        "visit": Feature("context.session"),
        "position": Feature("context.position"),
        "plays": Feature("stat.play", window=48 * HOUR_MS),
        "rate": Feature("stat.like_rate"),
        "out_for": Feature("stat.age", default=3.0),
        "taste": Feature("match.category"),
        "seen": Feature("match.seen"),
        "alike": Feature("same.tags"),
        "near": Feature("similar.text"),
        "said": Feature("trigger.score"),
        "top": Feature("trigger.itemcf.rank"),
        "share": Feature("trigger.text.share"),
        "there": Feature("trigger.presence"),
        "merged": Feature("merge.rank", buckets=6),
        "cross": Feature(("user.gender", "item.category"), min_count=1),
        "crossed": Feature(("main.author", "item.author", "trigger.hot.presence")),
    }
)


def every(around: Around, samples: RankSamples, ids: Any = "serialised") -> Encoder:
    return learn(replace(KEYS, ids=ids, table=5000), samples, around)


@pytest.fixture(scope="module")
def encoder(around: Around, samples: RankSamples) -> Encoder:
    return every(around, samples)


class ByHand:
    """Values of features from their definitions."""

    def __init__(self, log: EventLog, around: Around, encoder: Encoder) -> None:
        self.log, self.around, self.learned = log, around, encoder.learned
        self.items = {
            name: log.catalogue.item_columns[name].to_pylist() for name in log.catalogue.item_columns.column_names
        }

    def item(self, item: int, word: str) -> Any:
        return self.log.catalogue.items.ids[item] if word == "id" else self.items[word][item]

    def value(self, of: Any, requests: RequestBatch, b: int, merged: CandidateBatch, row: int) -> Any:
        """The raw value; None where missing."""
        item, main = int(merged.item[row]), int(requests.item[b])
        start, stop = int(merged.offsets[b]), int(merged.offsets[b + 1])
        match of.table:
            case "user":
                return requests.columns[of.word][b]
            case "item":
                return self.item(item, of.word)
            case "main":
                return None if main < 0 else self.item(main, of.word)
            case "history" | "session":
                return [self.item(i, of.word) for i in self.plays(requests, b, of.table)]
            case "context":
                return self.context(of.word, requests, b)
            case "match" if of.word == "seen":
                seen = requests.seen.item[requests.seen.offsets[b] : requests.seen.offsets[b + 1]]
                return float(item in seen or item == main)
            case "match":
                played = [self.item(i, of.word) for i in self.plays(requests, b, "history")]
                played = [each for each in played if each is not None]
                own = self.item(item, of.word)
                return None if own is None or not played else sum(each == own for each in played) / len(played)
            case "same":
                one = set(self.item(main, of.word) or ()) if main >= 0 else set()
                two = set(self.item(item, of.word) or ())
                return len(one & two) / len(one | two) if one and two else None
            case "similar":
                vectors = self.around.vectors[of.word]
                place = {int(i): n for n, i in enumerate(vectors.item)}
                if main not in place or item not in place:
                    return None
                return float(vectors.vectors[place[main]] @ vectors.vectors[place[item]])
            case "merge":
                return float(row - start)
            case "stat":
                return self.statistic(of.word, item, int(requests.time[b]))
        column = merged.sources.index(of.trigger)
        assert merged.source_rank is not None
        assert merged.source_score is not None
        rank = int(merged.source_rank[row, column])
        if of.word == "presence":
            return float(rank >= 0)
        if rank < 0:
            return None
        if of.word == "rank":
            return float(rank)
        score = float(merged.source_score[row, column])
        if of.word == "score":
            return score
        scores = [float(s) for s in merged.source_score[start:stop, column] if not math.isnan(s)]
        ranks = merged.source_rank[start:stop, column]
        if max(scores) > 0:
            return max(score, 0) / max(scores)
        return (max(ranks) + 1 - rank) / (max(ranks) + 1)

    def plays(self, requests: RequestBatch, b: int, table: str) -> list[int]:
        plays = getattr(requests, table)
        return plays.item[plays.offsets[b] : plays.offsets[b + 1]].tolist()

    def context(self, word: str, requests: RequestBatch, b: int) -> Any:
        time = int(requests.time[b])
        if word == "hour":
            return time // HOUR_MS % 24
        if word == "weekday":
            return int(np.datetime64(time, "ms").astype("datetime64[D]").astype(object).weekday())
        if word == "gap":
            first = requests.history.offsets[b]
            return (time - int(requests.history.time[first])) / 1000 if self.plays(requests, b, "history") else None
        if word == "position":
            return 0
        return float(len(self.plays(requests, b, word)))

    def statistic(self, word: str, item: int, time: int) -> Any:
        log, now = self.log, time // HOUR_MS
        if word == "age":
            return (time - int(log.catalogue.published_at[item])) / (24 * HOUR_MS)
        before = [n for n in np.flatnonzero(log.item == item) if log.time[n] // HOUR_MS < now]
        if word == "play":
            recent = [n for n in before if log.time[n] // HOUR_MS >= now - 48]
            return float(sum(log.events[log.event[n]] == "play" for n in recent))
        likes = sum(log.events[log.event[n]] == "like" for n in before)
        shown = sum(log.events[log.event[n]] == "impression" for n in before)
        return (likes + 20 * self.learned.prior["rate"]) / (shown + 20)

    def code(self, feature: Declared, value: Any) -> int:
        """A value's code by what was learned, serialised."""
        if value is None:
            value = feature.feature.default
        if value is None:
            return MISSING
        if feature.form == "numbers":
            return bisect_right(self.learned.edges[feature.name].tolist(), np.float32(value))
        if feature.of.table in ("context", "trigger"):
            return int(value)
        names = self.learned.names[feature.name]
        return names.index(str(value)) if str(value) in names else UNKNOWN


def bases(encoder: Encoder) -> dict[str, int]:
    """The first place of each feature: those before it, each with missing and unknown in front."""
    learned, found, after = encoder.learned, {}, 1
    sizes = {"hour": 24, "weekday": 7, "position": 100, "presence": 2}
    for each in learned.features:
        if each.hidden:
            continue
        found[each.name] = after
        if each.form == "numbers":
            after += len(learned.edges[each.name]) + 1
        else:
            after += len(learned.names[each.name]) if each.name in learned.names else sizes[each.of.word]
        after += 2
    for cross, keys in zip(learned.crosses, learned.cross_keys, strict=True):
        found[cross.name] = after
        after += 2 + len(keys)
    found["end"] = after
    return found


def test_every_id_is_the_one_worked_out_by_hand(
    log: EventLog, around: Around, samples: RankSamples, encoder: Encoder
) -> None:
    requests, merged = samples.requests.take(np.arange(0, 90, 4)), samples.candidates.take(np.arange(0, 90, 4))
    found = encoder.encode(requests, merged)
    hand, base, layout = ByHand(log, around, encoder), bases(encoder), encoder.layout
    assert layout.size == base["end"]
    assert layout.embedded == base["cross"]
    features = {each.name: each for each in encoder.learned.features}
    shown = {name for name, each in features.items() if not each.hidden}
    singles = {*layout.request.id, *layout.item.id, *layout.row.id}
    lists = {*layout.request.many, *layout.item.many}
    assert singles | lists == shown | {"cross", "crossed"}
    owner = found.owner
    met: dict[str, set[int]] = {name: set() for name in shown}
    for row in range(len(merged.item)):
        b = int(owner[row])
        for columns, side, at in (
            (layout.request, found.request, b),
            (layout.item, found.item, int(merged.item[row])),
            (layout.row, found.row, row),
        ):
            for place, name in enumerate(columns.id):
                if name not in features:
                    continue
                code = hand.code(features[name], hand.value(features[name].of, requests, b, merged, row))
                met[name].add(code)
                assert side.id[at, place] == base[name] + 2 + code, name
            for m, name in enumerate(columns.many):
                values = hand.value(features[name].of, requests, b, merged, row)
                values = values[: features[name].feature.last or 10] if isinstance(values, list) else []
                flat = [one for each in values for one in (each if isinstance(each, list) else [each])]
                codes = [hand.code(features[name], one) for one in flat if one is not None]
                start, stop = side.offsets[at * len(columns.many) + m : at * len(columns.many) + m + 2]
                assert side.many[start:stop].tolist() == [base[name] + 2 + code for code in codes], name
                met[name].update(codes)
    assert all(len(codes) > 1 or name == "position" for name, codes in met.items()), met
    assert UNKNOWN in met["item"], "rare items share one id"
    assert MISSING not in met["author"], "a default stands for what is missing"


def test_values_lie_between_the_edges(log: EventLog, around: Around, samples: RankSamples, encoder: Encoder) -> None:
    found = encoder.encode(samples.requests, samples.candidates)
    hand = ByHand(log, around, encoder)
    features = {each.name: each for each in encoder.learned.features}
    for name in ("plays", "taste", "near", "top", "said.itemcf"):
        column = encoder.layout.row.value.index(name)
        edges = encoder.learned.edges[name].astype(np.float64)
        for row in range(0, len(samples.candidates.item), 7):
            raw = hand.value(features[name].of, samples.requests, int(found.owner[row]), samples.candidates, row)
            expected = 0.0 if raw is None else np.interp(raw, edges, np.linspace(-0.5, 0.5, len(edges)))
            if raw is not None and raw < edges[0]:
                expected = -0.5
            assert abs(found.row.value[row, column] - expected) < 1e-4, name


def test_crosses_are_pairs(around: Around, samples: RankSamples, encoder: Encoder) -> None:
    found = encoder.encode(samples.requests, samples.candidates)
    place = encoder.layout.row.id.index("cross")
    category = around.catalogue.item_columns["category"].to_pylist()
    seen: dict[Any, set[int]] = {}
    for row, b in enumerate(found.owner):
        gender = samples.requests.columns["gender"][b]
        pair = None if gender is None else (gender, category[samples.candidates.item[row]])
        seen.setdefault(pair, set()).add(int(found.row.id[row, place]))
    assert all(len(ids) == 1 for ids in seen.values()), "a pair has one id"
    assert len({next(iter(ids)) for ids in seen.values()}) == len(seen) == 11, "and no two pairs share one"
    assert seen[None] == {bases(encoder)["cross"]}, "a missing part makes a missing cross"


def test_position_counts_in_training_alone(samples: RankSamples, encoder: Encoder) -> None:
    position = (np.arange(len(samples.candidates.item)) % 130 - 1).astype(np.int32)
    place, base = encoder.layout.row.id.index("position"), bases(encoder)["position"]
    trained = encoder.encode(samples.requests, samples.candidates, position).row.id[:, place]
    assert trained.tolist() == [base if p < 0 else base + 2 + min(p, 99) for p in position.tolist()]
    served = encoder.encode(samples.requests, samples.candidates).row.id[:, place]
    assert set(served.tolist()) == {base + 2}


def same(left: Encoded, right: Encoded) -> None:
    for side in ("request", "item", "row"):
        for one, other in zip(getattr(left, side), getattr(right, side), strict=True):
            assert one.dtype == other.dtype
            assert one.tobytes() == other.tobytes()


@pytest.mark.parametrize("ids", ["serialised", "open"])
@pytest.mark.parametrize("batch", [1, 7])
def test_no_id_depends_on_the_batch(around: Around, samples: RankSamples, ids: str, batch: int) -> None:
    encoder = every(around, samples, ids)
    whole = encoder.encode(samples.requests, samples.candidates)
    for start in range(0, 90, batch):
        some = np.arange(start, min(start + batch, 90))
        few = encoder.encode(samples.requests.take(some), samples.candidates.take(some))
        rows = slice(int(samples.candidates.offsets[start]), int(samples.candidates.offsets[some[-1] + 1]))
        assert few.row.id.tobytes() == whole.row.id[rows].tobytes()
        assert few.row.value.tobytes() == whole.row.value[rows].tobytes()
        same(replace(few, row=whole.row), replace(whole, request=whole.request.take(some)))


@pytest.mark.parametrize("ids", ["serialised", "open"])
def test_some_candidates_are_encoded_as_among_all(around: Around, samples: RankSamples, ids: str) -> None:
    encoder, candidates = every(around, samples, ids), samples.candidates
    position = (np.arange(len(candidates.item)) % 130 - 1).astype(np.int32)
    whole = encoder.encode(samples.requests, candidates, position)
    keys = encoder.cross_keys(samples.requests, candidates)
    for some in (np.arange(1, len(candidates.item), 3), np.arange(0), np.arange(len(candidates.item))):
        few = encoder.encode(samples.requests, candidates, position, some)
        assert few.index.tolist() == candidates.item[some].tolist()
        assert few.owner.tolist() == whole.owner[some].tolist()
        same(replace(few, row=whole.row), whole)
        assert few.row.id.tobytes() == whole.row.id[some].tobytes()
        assert few.row.value.tobytes() == whole.row.value[some].tobytes()
        assert encoder.cross_keys(samples.requests, candidates, some).tolist() == keys[:, some].tolist()


def test_what_is_learned_is_learned_from_the_rows_named(around: Around, samples: RankSamples) -> None:
    rows = np.arange(len(samples.label)) % 3 == 0
    learned = learn(KEYS, samples, around, rows).learned
    whole, encoder = every(around, samples, "serialised"), learn(KEYS, samples, around)
    assert encoder.learned.edges["said.itemcf"].tolist() == whole.learned.edges["said.itemcf"].tolist()
    score = samples.candidates.source_score
    assert score is not None
    said = score[rows, samples.candidates.sources.index("itemcf")]
    edges = learned.edges["said.itemcf"]
    assert edges[0] >= np.nanmin(said)
    assert edges[-1] <= np.nanmax(said)
    place = next(n for n, each in enumerate(learned.crosses) if each.name == "crossed")
    keys = encoder.cross_keys(samples.requests, samples.candidates)[place, rows]
    met, times = np.unique(keys[keys >= 0], return_counts=True)
    assert learned.cross_keys[place].tolist() == met[times >= 2].tolist()


@pytest.mark.parametrize("ids", ["serialised", "open"])
def test_round_trip(around: Around, samples: RankSamples, tmp_path: Path, ids: str) -> None:
    encoder = every(around, samples, ids)
    encoder.save(tmp_path)
    again = Encoder.load(tmp_path, around)
    assert again.layout == encoder.layout
    same(again.encode(samples.requests, samples.candidates), encoder.encode(samples.requests, samples.candidates))


def test_open_ids_keep_no_names(around: Around, samples: RankSamples, tmp_path: Path) -> None:
    encoder = every(around, samples, "open")
    assert (encoder.layout.embedded, encoder.layout.size) == (5001, 10001)
    encoder.save(tmp_path)
    text = (tmp_path / "features.json").read_text(encoding="utf-8")
    assert around.catalogue.items.ids[0] not in text
    found = encoder.encode(samples.requests, samples.candidates)
    for side, layout in ((found.request, encoder.layout.request), (found.row, encoder.layout.row)):
        if len(layout.id) > layout.embedded:
            assert side.id[:, layout.embedded :].min() >= 5001
        assert side.id[:, : layout.embedded].min() >= 1
        assert side.id[:, : layout.embedded].max() < 5001
    author = encoder.layout.item.id.index("author")
    values = around.catalogue.item_columns["author"].to_pylist()
    by_name: dict[Any, set[int]] = {}
    for value, place in zip(values, found.item.id[:, author].tolist(), strict=True):
        by_name.setdefault(value or "a2", set()).add(place)
    assert all(len(each) == 1 for each in by_name.values())
    assert len({next(iter(each)) for each in by_name.values()}) == len(by_name)


def test_a_vocabulary_holds_what_is_met_most_and_a_hash_no_names(
    around: Around, samples: RankSamples, tmp_path: Path
) -> None:
    keys = FeatureKeys(
        {
            "few": Feature("item.author", vocabulary=2),
            "folded": Feature("item.id", hash=7),
            "listed": Feature("history.id", hash=5, last=3),
        }
    )
    encoder = learn(keys, samples, around)
    items = around.catalogue.items.ids
    authors = around.catalogue.item_columns["author"].to_pylist()
    met = Counter(authors[item] for item in samples.candidates.item.tolist() if authors[item] is not None)
    most = sorted(met, key=lambda name: (-met[name], name))[:2]
    assert encoder.learned.names == {"few": sorted(most)}
    assert encoder.layout.size == 1 + (2 + 2) + (2 + 7) + (2 + 5)
    encoder.save(tmp_path)
    assert items[0] not in (tmp_path / "features.json").read_text(encoding="utf-8")
    found = Encoder.load(tmp_path, around).encode(samples.requests, samples.candidates)
    few, folded = (encoder.layout.item.id.index(name) for name in ("few", "folded"))
    for item, name in enumerate(items):
        assert found.item.id[item, folded] == 5 + 2 + hashed_text(name) % 7
        author = authors[item]
        code = -2 if author is None else sorted(most).index(author) if author in most else -1
        assert found.item.id[item, few] == 1 + 2 + code
    history = samples.requests.history
    latest = history.item[history.offsets[3] : min(history.offsets[4], history.offsets[3] + 3)]
    expected = [14 + 2 + hashed_text(items[item]) % 5 for item in latest.tolist()]
    request = found.request
    assert request.many[request.offsets[3] : request.offsets[4]].tolist() == expected
    with pytest.raises(ValueError, match="'hash' stands in place of 'min_count' and 'vocabulary'"):
        Feature("item.id", hash=7, vocabulary=3)


def test_hashes_never_change() -> None:
    """Ids kept by nobody must come out alike for ever: a model trained elsewhere depends on them."""
    assert hashed_text("drama") == 0x5BC03EBA1D62B21A
    assert hashed_text("drama") != hashed_text("Drama")
    assert 0 <= hashed_text("") < 1 << 63


def test_unknown_users_and_items_score(log: EventLog, around: Around, samples: RankSamples, encoder: Encoder) -> None:
    blank = blank_requests(log.catalogue, 20, time=int(log.time[-1]) + 1)
    merged = small_merged(small_recalled(log.catalogue, 20, ("hot", "itemcf", "text"), seed=3))
    found = encoder.encode(blank, merged)
    base = bases(encoder)
    gender = encoder.layout.request.id.index("gender")
    assert set(found.request.id[:, gender].tolist()) == {base["gender"]}
    bare = replace(blank, columns={})
    same(encoder.encode(bare, merged), found)


def test_a_longer_catalogue_keeps_the_old_ids(
    log: EventLog, around: Around, samples: RankSamples, encoder: Encoder, tmp_path: Path
) -> None:
    encoder.save(tmp_path)
    later = grown(log.catalogue)
    fresh = Encoder.load(tmp_path, around._replace(catalogue=later))
    old, new = (each.encode(samples.requests, samples.candidates) for each in (encoder, fresh))
    assert new.row.id.tobytes() == old.row.id.tobytes()
    items = len(log.catalogue.items)
    assert new.item.id[:items].tobytes() == old.item.id.tobytes()
    assert len(new.item) == len(later.items) > items
    met = meeting(small_requests(log, 30), later)
    merged = small_merged(small_recalled(later, 30, ("hot", "itemcf", "text"), seed=3))
    found = fresh.encode(met, merged)
    assert (found.row.id > 0).all()
    unknown = bases(fresh)["item"] + 1
    assert set(new.item.id[items:, fresh.layout.item.id.index("item")].tolist()) == {unknown}


def test_a_column_that_changed_its_type_is_refused(
    log: EventLog, around: Around, encoder: Encoder, tmp_path: Path
) -> None:
    encoder.save(tmp_path)
    users = log.catalogue.user_columns
    text = pa.array([str(age) for age in users["age"].to_pylist()])
    changed = replace(log.catalogue, user_columns=users.set_column(1, "age", text), _codes={})
    with pytest.raises(ArtifactError) as caught:
        Encoder.load(tmp_path, around._replace(catalogue=changed))
    assert "feature 'age': users: column 'age' holds names, where it held numbers when" in str(caught.value)
    items = log.catalogue.item_columns
    place = items.column_names.index("author")
    numbers = items.set_column(place, "author", pa.array(np.arange(len(items))))
    with pytest.raises(ArtifactError, match=r"feature 'author': items: column 'author' holds numbers, where it held"):
        Encoder.load(tmp_path, around._replace(catalogue=replace(log.catalogue, item_columns=numbers, _codes={})))


def test_a_column_that_is_gone_is_missing(
    log: EventLog, around: Around, samples: RankSamples, encoder: Encoder, tmp_path: Path
) -> None:
    encoder.save(tmp_path)
    bare = replace(
        log.catalogue,
        item_columns=log.catalogue.item_columns.drop_columns(["tags", "duration_s"]),
        user_columns=log.catalogue.user_columns.drop_columns(["gender"]),
        _codes={},
    )
    found = Encoder.load(tmp_path, Around(bare)).encode(samples.requests, samples.candidates)
    base, layout = bases(encoder), encoder.layout
    assert set(found.request.id[:, layout.request.id.index("gender")].tolist()) == {base["gender"]}
    assert set(found.item.id[:, layout.item.id.index("length")].tolist()) == {base["length"]}
    assert len(found.item.many) == 0
    assert set(found.row.id[:, layout.row.id.index("plays")].tolist()) == {base["plays"]}, "no counters either"


@pytest.mark.parametrize("damage", ["{", '{"version": 9}', '{"version": 1, "features": []}'])
def test_damaged_features_are_named(around: Around, encoder: Encoder, tmp_path: Path, damage: str) -> None:
    encoder.save(tmp_path)
    (tmp_path / "features.json").write_text(damage)
    with pytest.raises(ArtifactError, match=r"features\.json: tells of no features"):
        Encoder.load(tmp_path, around)
    encoder.save(tmp_path)
    np.save(tmp_path / "edges.npy", np.empty(0, np.float32))
    with pytest.raises(ArtifactError, match="belongs to other arrays"):
        Encoder.load(tmp_path, around)


def test_every_feature_there_is(around: Around, samples: RankSamples) -> None:
    """Where none is declared, columns, counters, vectors and triggers all make some; some never do."""
    layout = learn(FeatureKeys(), samples, around).layout
    names = {*layout.request.id, *layout.item.id, *layout.row.id, *layout.request.many, *layout.item.many}
    assert {
        "user_gender", "user_age", "item_id", "item_author", "item_tags", "item_duration_s", "main_id", "main_author",
        "history_id", "history_tags", "match_tags", "same_tags", "match_seen", "context_hour", "stat_age",
        "stat_play_7d", "stat_like_rate", "stat_completion", "similar_text", "trigger_share.hot", "trigger_rank.text",
        "merge_score", "user_gender_x_category", "main_author_x_author",
    } <= names  # fmt: skip
    assert not names & {
        "user_id",
        "context_position",
        "item_title",
        "main_title",
        "trigger_score.hot",
        "trigger_presence.hot",
    }


def test_take_is_the_rows_one_by_one() -> None:
    side = Side(
        np.arange(6, dtype=np.int32).reshape(3, 2),
        np.arange(3, dtype=np.float32).reshape(3, 1),
        np.array([0, 2, 3, 3, 5, 6, 6]),
        np.arange(6, dtype=np.int32),
    )
    few = side.take(np.array([2, 0]))
    assert few.id.tolist() == [[4, 5], [0, 1]]
    assert few.value.tolist() == [[2.0], [0.0]]
    assert few.offsets.tolist() == [0, 1, 1, 3, 4]
    assert few.many.tolist() == [5, 0, 1, 2]
