"""The built-in stages are offered lightly, and each offer leads to its class."""

from __future__ import annotations

import subprocess
import sys

import pytest

from yoorec.stages import yoorec_components
from yoorec.testing import worlds

OFFERS = yoorec_components()


def test_what_is_offered():
    assert [(spec.kind, spec.name) for spec in OFFERS] == [
        ("profile", "sqlite"),
        ("merge", "round_robin"),
        ("merge", "weighted"),
        ("merge", "rrf"),
        ("merge", "quota"),
        ("ranker", "blend"),
        ("exposure", "drop_seen"),
        ("exposure", "spread"),
        ("exposure", "backfill"),
    ]


@pytest.mark.parametrize("spec", OFFERS, ids=lambda spec: f"{spec.kind}-{spec.name}")
def test_an_offer_leads_to_a_component(spec):
    needed = {"spread": {"by": "author"}, "backfill": {"from_": "hot"}}.get(spec.name, {})
    assert spec.load()(spec.config(**needed), worlds.small_catalogue())


def test_listing_the_stages_imports_nothing_heavy():
    code = "import sys, yoorec.stages; print(sorted({'numba', 'sqlite3', 'pyarrow', 'duckdb'} & sys.modules.keys()))"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "[]"
