from __future__ import annotations

import numpy as np

from yoorec.batch import Plays
from yoorec.data.log import EventLog
from yoorec.features.columns import item_column
from yoorec.features.lists import ItemCodes, gathered, overlaps, shares
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
        share, overlap = np.empty(len(merged.item), np.float32), np.empty(len(merged.item), np.float32)
        shares(codes, requests.history, merged.offsets, merged.item, share)
        overlaps(codes, requests.item, merged.offsets, merged.item, overlap)
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


def test_gathered_codes_stand_newest_first(log: EventLog) -> None:
    requests = small_requests(log, 30)
    found = item_column(log.catalogue, "tags")
    codes = ItemCodes.of(found)  # type: ignore[arg-type]
    names = sets(log, "tags")
    offsets, code = gathered(codes.offsets, codes.code.astype(np.int64), requests.history, 4)
    for b in range(30):
        played = requests.history.item[requests.history.offsets[b] : requests.history.offsets[b + 1]][:4]
        expected = [name for i in played for name in names[i]]
        assert [found.values[c] for c in code[offsets[b] : offsets[b + 1]]] == expected  # type: ignore[union-attr]


def test_plays_of_items_unknown_here_have_no_codes(log: EventLog) -> None:
    codes = ItemCodes.of(item_column(log.catalogue, "author"))  # type: ignore[arg-type]
    plays = Plays(np.array([0, 2]), np.array([-1, 10_000], np.int32), np.zeros(2, np.int64), np.ones(2, np.float32))
    offsets, code = gathered(codes.offsets, codes.code.astype(np.int64), plays, 9)
    assert (offsets.tolist(), code.tolist()) == ([0, 0], [])
    share = np.empty(1, np.float32)
    shares(codes, plays, np.array([0, 1]), np.zeros(1, np.int32), share)
    assert np.isnan(share).all()
