"""Compiled kernels over ragged rows: sorting, selecting and joining the rows of many requests at once.

Each kernel treats one request at a time and in a fixed order, so no result depends on the batch around it.
All of them release the GIL.
"""

from __future__ import annotations

from yoorec.ragged.compiled import compiled, item_marks
from yoorec.ragged.join import Union, are_members, drop_members, union_candidates, unite_items
from yoorec.ragged.order import best_candidates, best_first, first_k, lowest_first, sort_keys, take_rows, top_of_dense
from yoorec.ragged.plays import plays_before, recalling, recalling_item, unite_plays

__all__ = [
    "Union",
    "are_members",
    "best_candidates",
    "best_first",
    "compiled",
    "drop_members",
    "first_k",
    "item_marks",
    "lowest_first",
    "plays_before",
    "recalling",
    "recalling_item",
    "sort_keys",
    "take_rows",
    "top_of_dense",
    "union_candidates",
    "unite_items",
    "unite_plays",
]
