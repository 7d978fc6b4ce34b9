from __future__ import annotations

import json
import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from yoorec.replay.report import Report, report_schema, write_aside


def _conforms(value: Any, schema: dict[str, Any], whole: dict[str, Any], where: str = "report") -> list[str]:
    """What of a value the schema does not allow: the part of JSON Schema that the report's uses, and no other."""
    schema = dict(schema)
    if "$ref" in schema:
        return _conforms(value, whole["$defs"][schema["$ref"].removeprefix("#/$defs/")], whole, where)
    if "anyOf" in schema:
        found = [_conforms(value, each, whole, where) for each in schema["anyOf"]]
        return [] if [] in found else [f"{where}: none of {len(found)} forms"]
    for key in ("title", "description", "default"):
        schema.pop(key, None)
    kind = schema.pop("type")
    accepted = {
        "object": isinstance(value, dict),
        "array": isinstance(value, list),
        "string": isinstance(value, str),
        "integer": isinstance(value, int) and not isinstance(value, bool),
        "number": isinstance(value, int | float) and not isinstance(value, bool),
        "boolean": isinstance(value, bool),
        "null": value is None,
    }
    if not accepted[kind]:
        return [f"{where}: {value!r} is no {kind}"]
    faults: list[str] = []
    if kind == "array":
        items = schema.pop("items")
        faults += [f for i, each in enumerate(value) for f in _conforms(each, items, whole, f"{where}[{i}]")]
    if kind == "object":
        properties, required = schema.pop("properties", {}), schema.pop("required", [])
        other = schema.pop("additionalProperties", False)
        faults += [f"{where}: no {key}" for key in required if key not in value]
        for key, each in value.items():
            form = properties.get(key, other)
            if form is False:
                faults.append(f"{where}: {key} is not in the schema")
            elif form is not True:
                faults += _conforms(each, form, whole, f"{where}.{key}")
    assert not schema or set(schema) <= {"$defs"}, f"the schema uses {set(schema)}, which this test does not judge"
    return faults


def test_a_real_report_meets_its_schema(small_report: Report) -> None:
    schema = report_schema()
    plain = json.loads(json.dumps(small_report.to_json(), allow_nan=False))
    assert _conforms(plain, schema, schema) == []


def test_the_schema_refuses_what_is_no_report(small_report: Report) -> None:
    schema = report_schema()
    plain = small_report.to_json()
    del plain["requests"]
    plain["variants"]["control"]["metrics"]["ndcg@10"]["value"] = "high"
    assert _conforms(plain, schema, schema) == [
        "report: no requests",
        "report.variants.control.metrics.ndcg@10.value: 'high' is no number",
    ]
    with pytest.raises(ValidationError, match="requests"):
        Report.from_json(plain)


def test_the_report_reads_back_as_it_was(small_report: Report) -> None:
    text = json.dumps(small_report.to_json())
    assert Report.from_json(json.loads(text)) == small_report


def test_report_json_holds_what_is_promised(small_report: Report, tmp_path: Path) -> None:
    paths = small_report.write(tmp_path / "deep" / "out")
    assert [path.name for path in paths] == ["report.json", "report.html"]
    plain = json.loads(paths[0].read_text(encoding="utf-8"))
    assert plain["requests"] == small_report.requests > 0
    assert list(plain["variants"]) == ["control", "less <near>"]
    for variant in plain["variants"].values():
        assert set(variant["metrics"]["ndcg@10"]) == {"value", "low", "high"}
        assert set(variant["triggers"]["near"]["ndcg@10"]) == {"value", "low", "high"}
        assert variant["metrics"]["coverage@10"]["low"] is None
        low, value, high = (variant["metrics"]["ndcg@10"][key] for key in ("low", "value", "high"))
        assert low <= value <= high
    assert list(plain["variants"]["control"]["stages"]) == [
        "triggers.popular",
        "triggers.near",
        "merge",
        "ranker",
        "exposure.drop_seen",
        "exposure.backfill",
        "slate",
    ]
    assert set(plain["variants"]["control"]["stages"]["merge"]) == {"recall", "candidates"}
    assert plain["variants"]["control"]["versus_control"] == {}
    assert list(plain["slices"]) == ["item_age", "user_plays"]
    assert sum(size["requests"] for size in plain["slices"]["item_age"].values()) == plain["requests"]
    for variant in plain["variants"].values():
        assert set(variant["sources"]["near"]) == {"recall", "unique", "in_slate", "slate_unique"}
        assert variant["sources"]["near"]["recall"] == variant["stages"]["triggers.near"]["recall"]
        assert variant["baseline"] == "popular"
        assert set(variant["versus_baseline"]) == {"near"}
        assert set(variant["versus_baseline"]["near"]) == {"hit_rate@5", "ndcg@10", "coverage@10"}
        for dimension, sizes in plain["slices"].items():
            assert list(variant["slices"][dimension]) == [name for name, size in sizes.items() if size["enough"]]
            for figures in variant["slices"][dimension].values():
                assert set(figures["metrics"]) == {"hit_rate@5", "ndcg@10"}
                assert set(figures["triggers"]) == set(figures["sources"]) == {"popular", "near"}
                assert set(figures["versus_baseline"]["near"]) == {"hit_rate@5", "ndcg@10"}
    assert any(variant["slices"]["item_age"] for variant in plain["variants"].values())
    assert set(plain["variants"]["less <near>"]["versus_control"]) == {"hit_rate@5", "ndcg@10", "coverage@10"}


def test_a_report_without_slices_reads_back(small_report: Report) -> None:
    """As one that was written before there were any."""
    plain = small_report.to_json()
    del plain["slices"]
    for variant in plain["variants"].values():
        for key in ("sources", "baseline", "versus_baseline", "slices"):
            del variant[key]
    found = Report.from_json(plain)
    assert found.slices == {} and found.control.sources == {} and found.control.baseline is None


def test_gates_decide_whether_it_passed(small_report: Report) -> None:
    assert [gate.passed for gate in small_report.gates] == [False, True, True]
    assert not small_report.passed
    assert [gate.gate for gate in small_report.failed] == ["ndcg@10 > control"]
    assert replace(small_report, gates=small_report.gates[1:]).passed
    nothing = replace(small_report.gates[0], passed=None)
    assert replace(small_report, gates=(nothing,)).passed


def test_a_failed_write_leaves_the_old_file_and_no_other(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write_aside(tmp_path / "report.json", "old")

    def full(handle: int) -> None:
        raise OSError("no space left")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="no space left"):
        write_aside(path, "new")
    assert path.read_text(encoding="utf-8") == "old"
    assert [each.name for each in tmp_path.iterdir()] == ["report.json"]
