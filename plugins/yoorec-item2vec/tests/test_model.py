"""Item2vec: its sequences against a literal reading, and what it recalls from a log with planted groups."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from yoorec_item2vec.config import Item2vecConfig
from yoorec_item2vec.model import Item2vec, play_sequences

from yoorec.components import FitContext
from yoorec.testing import worlds


@given(rows=st.lists(st.tuples(st.integers(0, 4), st.integers(0, 3)), max_size=40))
def test_sequences_are_the_plays_of_each_group_in_order(rows: list[tuple[int, int]]) -> None:
    expected = []
    for group in sorted({group for group, _ in rows}):
        plays: list[int] = []
        for other, item in rows:
            if other == group and plays[-1:] != [item]:
                plays.append(item)
        expected.append(plays)
    offsets, item = play_sequences(
        np.array([group for group, _ in rows], np.int32), np.array([item for _, item in rows], np.int32)
    )
    assert [item[a:b].tolist() for a, b in itertools.pairwise(offsets)] == expected
    assert offsets[-1] == len(item)


@pytest.mark.parametrize("sequences", ["session", "user"])
def test_it_recalls_the_main_items_own_group(sequences: Any) -> None:
    """Users of the small world play items of two groups of five; an item's group is its number modulo 5."""
    log = worlds.small_log(users=200, items=60, events=9000)
    model = Item2vec(Item2vecConfig(sequences=sequences, dim=16, epochs=20, sample=0.0, recall_from=1), log.catalogue)
    model.fit(log, FitContext())
    requests = worlds.small_requests(log, 300)
    requests = requests.take(np.flatnonzero(requests.item >= 0))
    found = model.recall(requests, 5)
    main = np.repeat(requests.item, found.lengths)
    partner = (log.plays().user[:, None] * 3 + np.arange(2)) % 5
    assert len(np.unique(partner)) == 5
    near = np.abs(found.item % 5 - main % 5)
    same = np.minimum(near, 5 - near)  # 0: the same group; 1: one that the same users play
    assert (same <= 1).mean() > 0.9, "by chance it would be 0.6"


def test_rare_items_are_neither_learned_nor_recalled() -> None:
    log = worlds.small_log()
    plays = np.bincount(log.plays().item, minlength=60)
    model = Item2vec(Item2vecConfig(dim=8, epochs=1, min_plays=20, sequences="user"), log.catalogue)
    notes: dict[str, object] = {}
    model.fit(log, FitContext(note=notes.__setitem__))
    found = model.recall(worlds.small_requests(log), 100)
    assert 0 < len(set(found.item.tolist())) <= int((plays >= 20).sum()) < (plays > 0).sum()
    assert (plays[found.item] >= 15).all()  # an item repeated right after itself is read once
    assert notes["vectors"] == len(set(found.item.tolist()))


def test_several_workers_learn_too() -> None:
    """Not the same bits, so only that they learn: every vector is there and finite."""
    log = worlds.small_log()
    model = Item2vec(Item2vecConfig(dim=8, epochs=2, workers=3), log.catalogue)
    model.fit(log, FitContext())
    found = model.recall(worlds.small_requests(log), 10)
    found.check()
    assert len(found.item) > 0
    assert np.isfinite(found.score).all()


def test_in_a_scenario(yoorec_project: Any) -> None:
    project = yoorec_project(triggers={"vectors": {"use": "item2vec", "dim": 8, "epochs": 2}})
    assert project.replay()["variants"]["control"]["triggers"]["vectors"]["hit_rate@10"]["value"] > 0
    assert project.recommend(item_id="i07", k=3)["items"]
