"""An item that appears while the server runs: one line more in the items' file, `fit --items-only`, and a reload."""

from __future__ import annotations

import json
import signal
import time
import urllib.request
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner

from yoorec.cli import main
from yoorec.server.process import server_process

START_MS = 1_700_000_000_000
TOPICS = {"cook": "pasta sauce oven bread", "moto": "engine piston turbo wheel", "yoga": "stretch breath plank squat"}

SCENARIO = """
defaults: [yoorec/base, _self_]
scene: small
data: {use: tables, events: events.csv, items: items.csv}
triggers:
  hot:   {use: hot, limit: 10}
  title: {use: text, limit: 10, dim: 8, epochs: 30}
  mixed: {use: fusion, limit: 10, of: {title: 1.0}}
exposure: []
"""


def write_world(folder: Path) -> None:
    """Thirty items of three topics with titles of their topic's words, and plays in which topics mix."""
    rng = np.random.default_rng(5)
    items = ["item_id,title,published_at"]
    for number in range(30):
        words = list(TOPICS.values())[number % 3].split()
        items.append(f"i{number:02d},{' '.join(rng.permutation(words)[:3])},{START_MS}")
    plays = [
        f"u{rng.integers(0, 20)},i{rng.integers(0, 30):02d},{START_MS + 60_000 * minute}" for minute in range(1, 600)
    ]
    (folder / "items.csv").write_text("\n".join(items) + "\n")
    (folder / "events.csv").write_text("\n".join(["user_id,item_id,time", *plays]) + "\n")
    (folder / "small.yaml").write_text(SCENARIO)


def run(*words: str) -> str:
    result = CliRunner().invoke(main, list(words))
    assert result.exit_code == 0, result.output + result.stderr
    return result.output


def ask(address: str, **body: Any) -> dict[str, Any]:
    data = json.dumps({"k": 20, "explain": True, **body}).encode()
    request = urllib.request.Request(f"{address}/v1/recommend", data, {"content-type": "application/json"})
    with urllib.request.urlopen(request, timeout=10) as answer:
        found: dict[str, Any] = json.load(answer)
        return found


def ids(answer: dict[str, Any]) -> list[str]:
    return [item["item_id"] for item in answer["items"]]


def test_it_is_recalled_after_a_reload_and_recalls_others(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    write_world(tmp_path)
    run("fit", "small.yaml")
    with server_process(["small.yaml"]) as (address, process):
        before = ask(address, item_id="i00")
        assert "fresh" not in ids(before)
        assert ids(ask(address, item_id="fresh")) == ids(ask(address))  # nobody knows it: hot alone answers
        with (tmp_path / "items.csv").open("a") as items:
            items.write(f"fresh,fresh pasta sauce oven bread,{START_MS}\n")
        printed = run("fit", "small.yaml", "--items-only")
        assert [line.split()[:2] for line in printed.splitlines()[:-1]] == [
            ["catalogue", "fitted"],
            ["triggers.title", "fitted"],
            ["triggers.mixed", "fitted"],
        ]
        process.send_signal(signal.SIGHUP)
        deadline = time.monotonic() + 60
        while "fresh" not in ids(answer := ask(address, item_id="i00")):
            assert time.monotonic() < deadline, "the new item is not recalled"
            time.sleep(0.05)
        (row,) = [row for row in answer["ledger"] if row["item_id"] == "fresh"]
        assert set(row["sources"]) == {"title", "mixed"}
        own = ask(address, item_id="fresh")
        near = [row for row in own["ledger"] if row["sources"].get("title", {"rank": 10})["rank"] < 5]
        assert [int(row["item_id"][1:]) % 3 for row in near] == [0] * 5, "items of its own topic"
