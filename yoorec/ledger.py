"""The ledger: where each item of an answer came from, and what became of every candidate that is not in it."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from yoorec.batch import CandidateBatch
from yoorec.pipeline import Pipeline, Result

__all__ = ["ledger"]


def _of(candidates: CandidateBatch, b: int) -> slice:
    return slice(int(candidates.offsets[b]), int(candidates.offsets[b + 1]))


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None


def ledger(pipeline: Pipeline, result: Result, b: int) -> list[dict[str, Any]]:
    """Provenance of every candidate of request b, the slate first, then the dropped ones in ranked order.

    Each entry: item_id; sources, by trigger its rank (0 is best) and score; merge and ranker, score and place, where
    the item got that far; place in the slate, or dropped_by: "merge" (beyond its limit), "exposure.<id>" or "slate"
    (beyond k); moved_by: rules that changed its place among the items that stayed; added_by: the rule that filled up.
    """
    ids = pipeline.catalogue.items.ids
    entries: dict[int, dict[str, Any]] = {}

    def entry(item: int) -> dict[str, Any]:
        if item not in entries:
            entries[item] = {"item_id": ids[item], "sources": {}}
        return entries[item]

    for name, candidates in result.recalled.items():
        part = _of(candidates, b)
        for rank, (item, score) in enumerate(
            zip(candidates.item[part].tolist(), candidates.score[part].tolist(), strict=True)
        ):
            entry(item)["sources"][name] = {"rank": rank, "score": _finite(score)}
    stages = [("merge", result.merged), ("ranker", result.ranked)]
    for stage, candidates in stages if pipeline.has_ranker else stages[:1]:
        part = _of(candidates, b)
        for place, (item, score) in enumerate(
            zip(candidates.item[part].tolist(), candidates.score[part].tolist(), strict=True)
        ):
            entry(item)[stage] = {"place": place, "score": _finite(score)}
    before = result.ranked.item[_of(result.ranked, b)]
    ranked = before.tolist()
    for item in set(entries) - set(ranked):
        entries[item]["dropped_by"] = "merge"
    for name, candidates in result.exposed:
        after = candidates.item[_of(candidates, b)]
        _follow(entries, entry, name, before, after, candidates, b)
        before = after
    slate = result.slates.item[_of(result.slates, b)].tolist()
    for item in before.tolist():
        entries[item].pop("dropped_by", None)
        if item not in slate:
            entries[item]["dropped_by"] = "slate"
    for place, item in enumerate(slate):
        entries[item]["place"] = place
    rest = [item for item in ranked if "place" not in entries[item]]
    lost = sorted(item for item in entries if item not in ranked and "place" not in entries[item])
    return [entries[item] for item in (*slate, *rest, *lost)]


def _follow(
    entries: dict[int, dict[str, Any]],
    entry: Any,
    name: str,
    before: Any,
    after: Any,
    candidates: CandidateBatch,
    b: int,
) -> None:
    """Note what one rule dropped, moved and added."""
    kept = set(after.tolist())
    for item in before.tolist():
        if item not in kept:
            entries[item]["dropped_by"] = f"exposure.{name}"
    stayed = set(before.tolist()) & kept
    was = [item for item in before.tolist() if item in stayed]
    now = [item for item in after.tolist() if item in stayed]
    for old, item in zip(was, now, strict=True):
        if old != item:
            entries[item].setdefault("moved_by", []).append(f"exposure.{name}")
    start = int(candidates.offsets[b])
    for place, item in enumerate(after.tolist()):
        if item in stayed:
            continue
        added = entry(item)
        added["added_by"] = f"exposure.{name}"
        if candidates.source_rank is None or candidates.source_score is None:
            continue
        for column in np.flatnonzero(candidates.source_rank[start + place] >= 0).tolist():
            added["sources"].setdefault(
                candidates.sources[column],
                {
                    "rank": int(candidates.source_rank[start + place, column]),
                    "score": _finite(float(candidates.source_score[start + place, column])),
                },
            )
