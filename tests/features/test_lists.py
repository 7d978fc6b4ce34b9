from __future__ import annotations

from dataclasses import replace

import numpy as np
import pyarrow as pa

from yoorec.batch import Plays
from yoorec.data.log import EventLog
from yoorec.features.codes import UNKNOWN, Known
from yoorec.features.columns import item_column
from yoorec.features.config import Feature
from yoorec.features.declared import Declared
from yoorec.features.lists import ItemCodes, Likeness
from yoorec.features.names import parse_name
from yoorec.features.requests import RequestLists
from yoorec.testing.worlds import small_merged, small_recalled, small_requests


def sets(log: EventLog, column: str) -> list[list[str]]:
    values = log.catalogue.item_columns[column].to_pylist()
    return [[] if v is None else [v] if isinstance(v, str) else list(v) for v in values]


def test_shares_and_overlaps_are_those_counted_by_hand(log: EventLog) -> None:
    requests = small_requests(log, 40)
    merged = small_merged(small_recalled(log.catalogue, 40, ("a", "b"), seed=1))
    met = set()
    for column in ("tags", "author"):
        found = item_column(log.catalogue, column, category=True)
        codes = ItemCodes.of(found)  # type: ignore[arg-type]
        overlap, share = told = np.zeros((2, len(merged.item)), np.float32)
        Likeness([(1, True, codes), (0, False, codes)]).read(requests, merged, told)
        names = sets(log, column)
        for b in range(len(merged)):
            history = requests.history.item[requests.history.offsets[b] : requests.history.offsets[b + 1]]
            plays = [names[i] for i in history if names[i]]
            main = set(names[requests.item[b]]) if requests.item[b] >= 0 else set()
            for row in range(merged.offsets[b], merged.offsets[b + 1]):
                own = names[merged.item[row]]
                if not own or not plays:
                    assert np.isnan(share[row])
                else:
                    mean = np.mean([sum(name in play for play in plays) / len(plays) for name in own])
                    assert abs(share[row] - mean) < 1e-6
                if not own or not main:
                    assert np.isnan(overlap[row])
                else:
                    assert abs(overlap[row] - len(main & set(own)) / len(main | set(own))) < 1e-6
                    met.add(float(overlap[row]))
    assert len(met) > 2, "lists that agree in part are among them"


def lists_of(log: EventLog, *names: str, last: int) -> tuple[RequestLists, list[list[str]]]:
    """A reader of lists of plays, and the texts that each one's codes stand for."""
    declared, texts = [], []
    for name in names:
        of = parse_name(name)
        declared.append(Declared(name, of, Feature(name, last=last), "lists"))
        texts.append(item_column(log.catalogue, of.word).values)  # type: ignore[union-attr]
    return RequestLists(declared, [Known(each) for each in texts], log.catalogue), texts


def test_codes_of_plays_stand_newest_first_list_beside_list(log: EventLog) -> None:
    requests = small_requests(log, 30)
    reader, texts = lists_of(log, "history.tags", "session.author", last=4)
    offsets, code = reader.read(requests)
    assert len(offsets) == 61
    for place in range(60):
        b, m = divmod(place, 2)
        plays, names = (requests.history, requests.session)[m], sets(log, ("tags", "author")[m])
        played = plays.item[plays.offsets[b] : plays.offsets[b + 1]][:4]
        expected = [name for i in played for name in names[i]]
        assert [texts[m][c] for c in code[offsets[place] : offsets[place + 1]]] == expected
    assert len({*np.diff(offsets)[::2], *np.diff(offsets)[1::2]}) > 2, "lists of several lengths are among them"


def test_plays_of_items_unknown_here_have_no_codes(log: EventLog) -> None:
    codes = ItemCodes.of(item_column(log.catalogue, "author"))  # type: ignore[arg-type]
    plays = Plays(np.array([0, 2]), np.array([-1, 10_000], np.int32), np.zeros(2, np.int64), np.ones(2, np.float32))
    requests = replace(small_requests(log, 1), history=plays)
    reader, _ = lists_of(log, "history.author", last=9)
    offsets, code = reader.read(requests)
    assert (offsets.tolist(), code.tolist()) == ([0, 0], [])
    merged, found = small_merged(small_recalled(log.catalogue, 1, ("a", "b"), seed=1)), np.zeros((1, 1), np.float32)
    merged = merged.rows(np.zeros(1, np.int64), np.array([0, 1]))
    Likeness([(0, True, codes)]).read(requests, merged, found)
    assert np.isnan(found).all()


def test_lists_of_the_user_stand_beside_those_of_plays(log: EventLog) -> None:
    catalogue = log.catalogue
    likes = pa.array([["x"]] * len(catalogue.users), pa.list_(pa.string()))
    catalogue = replace(catalogue, user_columns=catalogue.user_columns.append_column("likes", likes), _codes={})
    names = ("user.likes", "history.author", "user.likes")
    declared = [Declared(name, parse_name(name), Feature(name), "lists") for name in names]
    authors = item_column(catalogue, "author").values  # type: ignore[union-attr]
    reader = RequestLists(declared, [Known(["x", "y"]), Known(authors), Known(["y"])], catalogue)
    told = np.empty(3, object)
    told[:] = [["y", "z", "x"], None, []]
    requests = replace(small_requests(log, 3), columns={"likes": told})
    offsets, code = reader.read(requests)
    lists = [code[offsets[place] : offsets[place + 1]].tolist() for place in range(9)]
    assert lists[0::3] == [[1, UNKNOWN, 0], [], []]
    assert lists[2::3] == [[0, UNKNOWN, UNKNOWN], [], []]
    assert any(lists[1::3])
    offsets, code = reader.read(replace(requests, columns={}))
    assert np.diff(offsets).reshape(3, 3)[:, [0, 2]].tolist() == [[0, 0]] * 3
