"""The fit of text vectors: CPU seconds, their shares, and peak memory, by items and by where word vectors come from.

    uv run python tests/benchmarks/text_vectors.py [--items 4000 100000] [--plots]

Titles of eight words and three tags an item, words by Zipf's law, as tags by topic; with `--plots` eighty words more.
"self" learns word vectors of 64 numbers from them (20 passes, one thread). "public" reads vectors of 300 numbers from a
file of 200,000 words, 245 MB, for the first time ("first": gensim reads the file) and again ("again": the copy kept in
the component's cache is mapped). Each fit in a process of its own, compiled code on disk; peak memory is that of the
process, catalogue included.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import yoorec_text.model
from yoorec_text.config import TextConfig

from yoorec.components import FitContext
from yoorec.data.catalogue import Catalogue
from yoorec.data.vocabulary import Vocabulary

PARTS = {
    "texts": ("tokeniser", "read_texts"),
    "words": ("skip_gram", "read_vectors"),
    "sums": ("word_weights", "pooled"),
    "common": ("without_common",),
}
WORDS, DIM = 200_000, 300


def items_of(size: int, plots: bool) -> pa.Table:
    """Titles and tags, and plots where asked for."""
    rng = np.random.default_rng(0)
    topic = rng.integers(0, 50, size)

    def text(row: int, length: int) -> str:
        common = rng.zipf(1.2, length) % 60_000
        own = topic[row] * 1000 + rng.zipf(1.5, length) % 1000
        return " ".join(f"w{word}" for word in np.where(rng.random(length) < 0.5, common, own))

    columns = {
        "title": pa.array([text(row, 8) for row in range(size)]),
        "tags": pa.array([[f"topic{topic[row]}", f"tag{row % 997}", f"tag{row % 89}"] for row in range(size)]),
    }
    if plots:
        columns["plot"] = pa.array([text(row, 80) for row in range(size)])
    return pa.table(columns)


def write_vectors(path: Path) -> None:
    """A file in word2vec's binary format."""
    vectors = np.random.default_rng(1).standard_normal((WORDS, DIM)).astype(np.float32)
    with path.open("wb") as file:
        file.write(f"{WORDS} {DIM}\n".encode())
        for word in range(WORDS):
            file.write(f"w{word} ".encode() + vectors[word].tobytes())


def timed(seconds: dict[str, float], part: str, function: Callable[..., Any]) -> Callable[..., Any]:
    """The function, its time added to that of its part."""

    def run(*given: Any, **named: Any) -> Any:
        started = time.process_time()
        found = function(*given, **named)
        seconds[part] += time.process_time() - started
        return found

    return run


def work(folder: Path, items: Path, vectors: str) -> None:
    """One fit, timed, in this process."""
    table = pq.read_table(items)
    size = table.num_rows
    catalogue = Catalogue(
        Vocabulary([f"i{row:07d}" for row in range(size)]),
        Vocabulary([]),
        table,
        pa.table({}),
        np.zeros(size, np.int64),
    )
    seconds: dict[str, float] = defaultdict(float)
    model: Any = yoorec_text.model
    for part, names in PARTS.items():
        for name in names:
            setattr(model, name, timed(seconds, part, getattr(model, name)))
    config = TextConfig(
        field=dict.fromkeys(table.column_names, 1.0), vectors="self" if vectors == "self" else folder / "public.bin"
    )
    notes: dict[str, Any] = {}
    started = time.process_time()
    fitted = model.Text(config, catalogue)
    fitted.fit(None, FitContext(cache=folder / "cache", note=notes.__setitem__))
    whole = time.process_time() - started
    # `getrusage` won't do: there, a child begins with its parent's peak.
    peak = int(Path("/proc/self/status").read_text().split("VmHWM:")[1].split()[0]) * 1024 / 1e9
    print(json.dumps({"seconds": whole, "parts": seconds, "peak_gb": peak, "notes": notes}))


def main() -> None:
    """Read the options and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--items", type=int, nargs="+", default=[4000, 100_000])
    parser.add_argument("--plots", action="store_true", help="with texts of eighty words besides")
    parser.add_argument("--work", nargs=3, metavar=("FOLDER", "ITEMS", "VECTORS"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.work:
        work(Path(options.work[0]), Path(options.work[1]), options.work[2])
        return
    print(
        f"{'items':>8} {'words from':<14} {'vectors':>8} {'CPU s':>7} {'GB':>5}   "
        + " ".join(f"{p:>7}" for p in (*PARTS, "index"))
    )
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_vectors(folder / "public.bin")
        for size in options.items:
            pq.write_table(items_of(size, options.plots), folder / "items.parquet")
            for vectors in ("self", "public, first", "public, again"):
                if vectors == "public, first" and (folder / "cache").exists():
                    (folder / "cache").rename(folder / f"cache before {size}")
                run = [sys.executable, __file__, "--work", name, str(folder / "items.parquet"), vectors]
                done = subprocess.run(run, check=True, capture_output=True, text=True)
                found = json.loads(done.stdout.splitlines()[-1])
                parts = [found["parts"].get(part, 0.0) for part in PARTS]
                shares = " ".join(
                    f"{each / found['seconds']:>7.0%}" for each in (*parts, found["seconds"] - sum(parts))
                )
                line = f"{size:>8,} {vectors:<14} {found['notes']['vectors']:>8,} {found['seconds']:>7.2f}"
                print(f"{line} {found['peak_gb']:>5.2f}   {shares}", flush=True)


if __name__ == "__main__":
    main()
