"""The page on which lists are judged: one HTML file that needs nothing else and asks no network for anything."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from collections.abc import Mapping
from html import escape
from importlib.resources import files
from statistics import median
from typing import Any

import numpy as np

from yoorec.neighbors.lists import Neighbors
from yoorec.neighbors.thumbnails import Look

__all__ = ["page"]

_NARROWEST, _WIDEST, _TEXT = 0.62, 1.78, 1.45


def page(neighbors: Neighbors, looks: Mapping[str, Look]) -> str:
    """The whole document. looks: of every item that the lists name."""
    style = f":root{{--shape:{_shape(looks):.2f}}}\n{_resource('page.css')}"
    script = _resource("page.js")
    policy = (
        f"default-src 'none'; img-src data:; style-src {_hash(style)}; script-src {_hash(script)}; "
        "base-uri 'none'; form-action 'none'"
    )
    # No "<" of the data may end the element that holds it.
    held = json.dumps(_held(neighbors, looks), ensure_ascii=False).replace("<", "\\u003c")
    parts = {
        "policy": policy,
        "title": escape(f"{neighbors.scene}: judging by eye"),
        "scene": escape(neighbors.scene),
        "facts": escape(_facts(neighbors)),
        "style": style,
        "held": held,
        "script": script,
    }
    # In one pass, so that what was put in is not looked at again.
    return re.sub(r"\[\[(\w+)\]\]", lambda found: parts[found[1]], _resource("page.html"))


def _resource(name: str) -> str:
    return (files("yoorec.neighbors") / name).read_text(encoding="utf-8")


def _hash(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode('ascii')}'"


def _shape(looks: Mapping[str, Look]) -> float:
    """Width over height of the room for a cover: what most covers have, within reason."""
    shapes = [look.shape for look in looks.values() if look.image]
    return min(max(median(shapes), _NARROWEST), _WIDEST) if shapes else _TEXT


def _facts(neighbors: Neighbors) -> str:
    drawn = {query.drawn for query in neighbors.queries}
    how = "named by hand" if drawn == {"named"} else f"half drawn by plays, half with all alike (seed {neighbors.seed})"
    triggers = ", ".join(
        f"{name} ({note.fingerprint}{f', learned before {note.cut.iso}' if note.cut else ''})"
        for name, note in neighbors.triggers.items()
    )
    return (
        f"{neighbors.scenario}, hash {neighbors.hash}; {len(neighbors.queries)} items, {how}; the first "
        f"{neighbors.top} of {triggers}; asked at {neighbors.time.iso}. Lists {neighbors.digest}."
    )


def _held(neighbors: Neighbors, looks: Mapping[str, Look]) -> dict[str, Any]:
    """What the script reads: every item once, and of each query its pool and, by trigger, the places in it."""
    place = {item: number for number, item in enumerate(looks)}
    queries = []
    for number, query in enumerate(neighbors.queries):
        pool = _order(neighbors, number)
        at = {item: spot for spot, item in enumerate(pool)}
        lists = [[at[each.item_id] for each in query.lists[name]] for name in neighbors.triggers]
        queries.append({"item": place[query.item_id], "pool": [place[each] for each in pool], "lists": lists})
    return {
        "digest": neighbors.digest,
        "scene": neighbors.scene,
        "top": neighbors.top,
        "triggers": list(neighbors.triggers),
        "items": [{"id": item, "title": look.title, "image": look.image, "fault": look.fault}
                  for item, look in looks.items()],
        "queries": queries,
    }  # fmt: skip


def _order(neighbors: Neighbors, number: int) -> list[str]:
    """A query's neighbours as they are shown: one trigger's in its order, those of several mixed, by the seed."""
    query = neighbors.queries[number]
    if len(query.lists) == 1:
        return [each.item_id for found in query.lists.values() for each in found]
    pool = query.pool()
    order = np.random.default_rng([neighbors.seed, number]).permutation(len(pool))
    return [pool[spot] for spot in order.tolist()]
