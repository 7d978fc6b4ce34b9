"""The trigger: what it learns from planted tastes, items that are new, files, and its name in a scenario."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from yoorec_tdm.config import TdmConfig
from yoorec_tdm.model import Tdm

from yoorec.components import FitContext
from yoorec.data.catalogue import Catalogue
from yoorec.data.log import EventLog
from yoorec.data.vocabulary import Vocabulary
from yoorec.errors import ArtifactError, DataError, PluginError
from yoorec.testing import worlds
from yoorec.vectors.config import VectorRecallConfig
from yoorec.vectors.recall import VectorRecall

SMALL = TdmConfig(dim=8, hidden=(8,), epochs=2, batch=128, beam=8, tail=0.1)


def fitted(log: EventLog, config: TdmConfig = SMALL, **keys: Any) -> tuple[Tdm, dict[str, Any]]:
    notes: dict[str, Any] = {}
    model = Tdm(config, log.catalogue)
    model.fit(log, FitContext(seed=1, note=notes.__setitem__, **keys))
    return model, notes


def test_it_learns_tastes() -> None:
    """Users of small_log play items of two groups in five; what they know of these is not recalled again."""
    log = worlds.small_log(users=300, items=150, events=6000)
    model, notes = fitted(log, replace(SMALL, epochs=8, patience=8, learning_rate=0.01))
    plays, requests = log.plays(), worlds.small_requests(log, 300)
    found = model.recall(requests, 5)
    group = np.repeat(requests.user, np.diff(found.offsets)) * 3 % 5
    known = np.repeat(requests.user >= 0, np.diff(found.offsets))
    right = (found.item % 5 == group) | (found.item % 5 == (group + 1) % 5)  # a user's two groups
    assert right[known].mean() > 0.6
    assert notes["levels"] == int(np.ceil(np.log2(len(np.unique(plays.item)))))
    assert notes["plays_learned_from"] < len(plays)
    assert 0.5 < notes["recall@100_on_tail"] <= 1
    assert notes["items_placed"] == 150 - len(np.unique(plays.item))


def grown(catalogue: Catalogue, categories: list[str | None]) -> Catalogue:
    """The catalogue with new items of these categories behind the others."""
    columns = catalogue.item_columns
    rows = {name: [*columns[name].to_pylist(), *(None for _ in categories)] for name in columns.column_names}
    rows["category"][-len(categories) :] = categories
    return Catalogue(
        Vocabulary([*catalogue.items.ids, *(f"new{number}" for number in range(len(categories)))]),
        catalogue.users,
        pa.table({name: pa.array(values, columns.schema.field(name).type) for name, values in rows.items()}),
        catalogue.user_columns,
        np.append(catalogue.published_at, np.full(len(categories), int(catalogue.published_at[0]))),
    )


def siblings(model: Tdm, item: int) -> list[int]:
    tree = model.index.tree
    above = tree.parent[model.index.leaf[item]]
    below = tree.item[tree.children[above] : tree.children[above + 1]]
    return [int(each) for each in below if each >= 0 and each != item]


def above(model: Tdm, item: int) -> list[int]:
    """The nodes above an item's leaf."""
    tree, node, found = model.index.tree, int(model.index.leaf[item]), []
    while node:
        node = int(tree.parent[node])
        found.append(node)
    return found


def test_items_that_came_after_the_fit_are_recalled(tmp_path: Path) -> None:
    log = worlds.small_log()
    model, _ = fitted(log)
    model.save(tmp_path)
    later = grown(log.catalogue, ["c2", "c2", "c0", None, "c9"])
    fresh = Tdm(SMALL, later)
    fresh.load(tmp_path)
    old, code = len(log.catalogue.items), later.item_codes("category")[0]
    new = range(old, old + 3)
    assert (fresh.index.leaf[: old + 3] > 0).all()
    assert (fresh.index.leaf[old + 3 :] == 0).all(), "no category, or one that no other item has"
    vectors = fresh.index.weights.vectors[fresh.index.leaf]
    for item in new:
        assert code[item] in code[[each for each in siblings(fresh, item) if each < old]]
        below = [each for each in range(old) if fresh.index.tree.parent[fresh.index.leaf[item]] in above(fresh, each)]
        np.testing.assert_allclose(vectors[item], vectors[below].mean(axis=0), rtol=1e-5)
    requests = worlds.small_requests(log, 60)
    # What was there before keeps its scores: the new ones take no place in a beam that is wide enough.
    wide, before = fresh.search(requests, 10**6, old + 3), model.search(requests, 10**6, old + 3)
    kept = wide.item < old
    assert set(new) == set(wide.item[~kept].tolist())
    assert wide.item[kept].tolist() == before.item.tolist()
    assert wide.score[kept].tobytes() == before.score.tobytes()


def test_items_never_played_are_placed_by_the_fit() -> None:
    log = worlds.small_log()
    unplayed = log.rows(np.flatnonzero(log.item % 7 != 3))
    model, notes = fitted(unplayed)
    assert notes["items_placed"] >= len(range(3, 60, 7))
    assert (model.index.leaf > 0).all()
    found = model.search(worlds.small_requests(log, 60), 10**6, 60)
    assert set(range(3, 60, 7)) <= set(found.item.tolist())


def test_items_not_published_yet_are_not_recalled() -> None:
    log = worlds.small_log()
    published = log.catalogue.published_at.copy()
    published[::2] = int(log.time[-1]) + worlds.DAY_MS
    log = replace(log, catalogue=replace(log.catalogue, published_at=published))
    model, _ = fitted(log)
    requests = worlds.small_requests(log, 40)
    assert (model.recall(requests, 60).item % 2 == 1).all()
    later = replace(requests, time=requests.time + 2 * worlds.DAY_MS)
    assert (model.recall(later, 60).item % 2 == 0).any()


class Content(VectorRecall):
    """A trigger with vectors."""


def test_new_items_are_placed_beside_what_is_like_them() -> None:
    log = worlds.small_log()
    unplayed = log.rows(np.flatnonzero(log.item % 7 != 3))
    content = Content(VectorRecallConfig(), log.catalogue)
    angle = np.arange(59) * 2 * np.pi / 60
    content.learn(np.arange(59, dtype=np.int32), np.stack([np.cos(angle), np.sin(angle)], axis=1), FitContext())
    config = replace(SMALL, content="like")
    model, _ = fitted(unplayed, config, upstream={"like": content})
    played = set(unplayed.plays().item.tolist())
    for item in (10, 17, 24, 31):
        assert item not in played
        near = {item - 1, item + 1} & played or {item - 2, item + 2} & played
        assert near & set(siblings(model, item))
    assert model.index.leaf[59] > 0, "no vector: placed by category"
    with pytest.raises(PluginError) as caught:
        fitted(log, config, upstream={"like": object()})
    assert (
        str(caught.value) == "tdm: content: 'like' has no vectors of items, accepted: a trigger that recalls by vectors"
    )


def test_a_column_that_no_item_has() -> None:
    with pytest.raises(DataError) as caught:
        Tdm(TdmConfig(category="categry"), worlds.small_log().catalogue)
    assert "items: no column 'categry'; nearest: category" in str(caught.value)


def test_the_default_column_need_not_be_there() -> None:
    log = worlds.small_log()
    columns = log.catalogue.item_columns.drop_columns(["category"])
    bare = replace(log.catalogue, item_columns=columns, _codes={})
    assert (Tdm(SMALL, bare)._code == -1).all()
    assert (Tdm(SMALL, log.catalogue)._code >= 0).any()


def test_the_beam_and_k(tmp_path: Path) -> None:
    log = worlds.small_log()
    narrow, _ = fitted(log)
    requests = worlds.small_requests(log, 30)
    wide = narrow.search(requests, 10**6, 60)
    some = narrow.search(requests, 4, 60)
    assert some.scored < wide.scored
    best = dict(
        zip(zip(np.repeat(np.arange(30), np.diff(wide.offsets)), wide.item, strict=True), wide.score, strict=True)
    )
    for request, item, score in zip(
        np.repeat(np.arange(30), np.diff(some.offsets)), some.item, some.score, strict=True
    ):
        assert best[request, item] == score, "a narrower beam finds fewer items, with the same scores"
    narrow.save(tmp_path)
    np.save(tmp_path / "vectors.npy", np.zeros((3, 8), np.float32))
    with pytest.raises(ArtifactError) as caught:
        Tdm(SMALL, log.catalogue).load(tmp_path)
    assert f"expected ({len(narrow.index.tree)}, D)" in str(caught.value)
    np.save(tmp_path / "shift.npy", np.zeros(2, np.float32))
    with pytest.raises(ArtifactError, match=r"shift.npy: \(2,\), expected "):
        Tdm(SMALL, log.catalogue).load(tmp_path)


def test_a_scenario_uses_it_by_name(yoorec_project: Any) -> None:
    keys = {"dim": 4, "hidden": [4], "rounds": 1, "epochs": 1}
    project = yoorec_project(triggers={"deep": {"use": "tdm", **keys}})
    assert project.replay()["variants"]["control"]["metrics"]["hit_rate@10"]["value"] > 0
    assert len(project.recommend(item_id="i07", k=3)["items"]) == 3
