"""A scenario as plain values, every default filled in, and the hash over what decides a list.

The hash leaves out `serve`, `store`, `variants`, timeouts, and of `fit` and `replay` what changes no list (threads,
engine, batch, resamples, metrics, gates, slices, baseline). A data path counts by its last part alone: where a file
lies decides nothing, and what it holds is in the data's own fingerprint, so the hash is the same on every machine.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from yoorec.config.scenario import Part, Scenario
from yoorec.config.types import format_duration
from yoorec.config.walk import dump_config

__all__ = ["plain_scenario", "scenario_hash"]

_UNHASHED = {
    "fit": {"threads", "engine", "spark"},
    "replay": {"threads", "batch", "resamples", "metrics", "gates", "slices", "baseline"},
}


def plain_scenario(scenario: Scenario, path_as: Callable[[Path], str] = str) -> dict[str, Any]:
    """The scenario under its YAML keys, in the order shown; exposure as a list, each rule with its id."""

    def part(each: Part, **keys: Any) -> dict[str, Any]:
        return {"use": each.use, **keys, **dump_config(each.config, path_as)}

    return {
        "scene": scenario.scene,
        "slate": scenario.slate,
        "seed": scenario.seed,
        "store": path_as(scenario.store),
        "session_gap": format_duration(scenario.session_gap_ms),
        "event_weights": dict(scenario.event_weights),
        "data": part(
            scenario.data,
            **{key: [path_as(path) for path in paths] for key, paths in scenario.item_files.items()},
        ),
        "profile": part(scenario.profile, history=scenario.history),
        "triggers": {
            each.name: part(
                each,
                limit=each.limit,
                timeout=None if each.timeout_ms is None else format_duration(each.timeout_ms),
            )
            for each in scenario.triggers
        },
        "merge": part(scenario.merge, limit=scenario.merge_limit),
        "ranker": None if scenario.ranker is None else part(scenario.ranker),
        "exposure": [part(each, id=each.name) for each in scenario.exposure],
        "variants": {name: list(overrides) for name, overrides in scenario.variants.items()},
        "fit": dump_config(scenario.fit, path_as),
        "replay": dump_config(scenario.replay, path_as),
        "serve": dump_config(scenario.serve, path_as),
    }


def scenario_hash(scenario: Scenario) -> str:
    """16 hex digits of SHA-256 over canonical JSON of what decides a list."""
    plain = plain_scenario(scenario, lambda path: path.name)
    for key in ("serve", "store", "variants"):
        del plain[key]
    for section, keys in _UNHASHED.items():
        for key in keys:
            del plain[section][key]
    for trigger in plain["triggers"].values():
        del trigger["timeout"]
    # Sorted keys, except that the order of triggers decides lists: merges take turns in it.
    plain["triggers"] = list(plain["triggers"].items())
    text = json.dumps(plain, sort_keys=True, separators=(",", ":"), ensure_ascii=True)
    return hashlib.sha256(text.encode()).hexdigest()[:16]
