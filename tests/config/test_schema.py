"""The JSON Schema describes what a scenario may hold under the installed components."""

from __future__ import annotations

import json

import pytest

from yoorec.config.framework import TOP_KEYS
from yoorec.config.schema import scenario_schema


@pytest.fixture
def schema(plugins):
    return json.loads(json.dumps(scenario_schema(plugins)))


def test_top(schema):
    assert list(schema["properties"]) == ["defaults", *TOP_KEYS]
    assert schema["additionalProperties"] is False
    assert "scene" in schema["required"]
    assert "ranker" not in schema["required"]


def test_component(schema):
    assert schema["$defs"]["trigger.coplay"] == {
        "type": "object",
        "description": "Items played together.",
        "required": ["use"],
        "additionalProperties": False,
        "properties": {
            "use": {"const": "coplay", "description": ""},
            "limit": {
                "type": "integer",
                "minimum": 1,
                "default": 100,
                "description": "Candidates a request, at most.",
            },
            "timeout": schema["$defs"]["trigger.hot"]["properties"]["timeout"],
            "half_life": {
                "anyOf": [{"type": "string", "pattern": r"^(\d+(?:\.\d+)?)(ms|s|m|h|d)$"}, {"type": "null"}],
                "default": "10m",
                "description": "Gap at which a pair counts half; null: no decay.",
            },
            "neighbors": {"type": "integer", "minimum": 1, "default": 50, "description": "Similar items kept."},
            "damping": {
                "$ref": "#/$defs/tests.config.conftest.CoPlayConfig.Damping",
                "default": {"users": True, "power": 0.5},
                "description": "Corrections.",
            },
            "fields": {
                "type": "array",
                "items": {"type": "string"},
                "default": [],
                "description": "Columns to read.",
            },
        },
    }


def test_names_and_required_keys_are_those_of_the_yaml(schema):
    backfill = schema["$defs"]["exposure.backfill"]
    assert backfill["required"] == ["use", "from"]
    assert set(backfill["properties"]) == {"use", "id", "from"}


def test_triggers_may_be_null_and_are_one_of_those_installed(schema):
    assert schema["properties"]["triggers"]["additionalProperties"]["oneOf"] == [
        {"$ref": "#/$defs/trigger.coplay"},
        {"$ref": "#/$defs/trigger.hot"},
        {"type": "null"},
    ]


def test_every_reference_leads_somewhere(schema):
    found = []

    def walk(node):
        if isinstance(node, dict):
            found.extend(value for key, value in node.items() if key == "$ref")
            for value in node.values():
                walk(value)
        elif isinstance(node, list):
            for value in node:
                walk(value)

    walk(schema)
    assert found
    assert {each.removeprefix("#/$defs/") for each in found} <= set(schema["$defs"])
