"""Do neighbours by text share genres? Word vectors of the catalogue's own against public ones, by the size of the data.

    uv run python tests/benchmarks/text_genres.py vectors.bin.gz [--sizes 500 1000 2000 3883]

MovieLens 1M with titles and plots (weighed 0.25 : 1). Of each film the mean Jaccard overlap of its genres with those of
its ten nearest, over the films drawn, 0 for one without a vector; 95 % intervals by the bootstrap over films, and the
paired difference own - public. Data in ../shared/data, or where YOOREC_DATA says.
"""

from __future__ import annotations

import argparse
import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
from yoorec_text.config import TextConfig
from yoorec_text.model import Text

from yoorec.components import FitContext
from yoorec.config.compose import load_scenario
from yoorec.data.catalogue import Catalogue
from yoorec.data.dataset import read_dataset
from yoorec.data.log import EventLog
from yoorec.data.vocabulary import Vocabulary
from yoorec.plugins import load_plugins
from yoorec.replay.statistics import interval, resampled_means

NEAREST = 10


def some_of(catalogue: Catalogue, rows: np.ndarray) -> Catalogue:
    """The catalogue of some items alone."""
    items = Vocabulary.ordered([catalogue.items.ids[row] for row in rows.tolist()])
    columns = catalogue.item_columns.take(pa.array(rows))
    return replace(catalogue, items=items, item_columns=columns, published_at=catalogue.published_at[rows], _codes={})


def overlap(config: TextConfig, log: EventLog) -> np.ndarray:
    """float64 [I]: of each item the mean overlap of its genres with those of its ten nearest."""
    model = Text(config, log.catalogue)
    model.fit(log, FitContext(seed=0, threads=os.cpu_count() or 1))
    tags = [set(each or ()) for each in log.catalogue.item_columns["tags"].to_pylist()]
    item, vectors = model.vectors.item, model.vectors.vectors
    score = vectors @ vectors.T
    np.fill_diagonal(score, -np.inf)
    near = item[np.argsort(-score, axis=1, kind="stable")[:, :NEAREST]]
    found = np.zeros(len(tags))
    for own, others in zip(item.tolist(), near.tolist(), strict=True):
        found[own] = np.mean([len(tags[own] & tags[each]) / max(len(tags[own] | tags[each]), 1) for each in others])
    return found


def told(values: np.ndarray, sign: str = "") -> str:
    films = np.arange(len(values))
    found = interval(float(values.mean()), resampled_means([values], films, 1000, 0)[:, 0], len(films))
    assert found.low is not None and found.high is not None
    return f"{found.value:{sign}.4f} ±{(found.high - found.low) / 2:.4f}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("vectors", type=Path)
    parser.add_argument("--sizes", type=int, nargs="*", default=[500, 1000, 2000, 3883])
    given = parser.parse_args()
    folder = Path(os.environ.get("YOOREC_DATA", "../shared/data")) / "movielens_1m"
    keys = ["data=movielens_1m", f"data.path={folder / 'ml-1m.zip'}", f"data.texts={folder / 'movies_extra.parquet'}"]
    log = read_dataset(load_scenario("light", keys, load_plugins())).log
    whole, none = log.catalogue, log.before(int(log.time[0]))
    own = TextConfig(field={"title": 0.25, "plot": 1.0})
    order = np.random.default_rng(0).permutation(len(whole.items))
    print(f"{'films':>6} {'own':>16} {'public':>16} {'own - public':>17}")
    for size in given.sizes:
        some = replace(none, catalogue=some_of(whole, np.sort(order[:size])))
        one, other = overlap(own, some), overlap(replace(own, vectors=given.vectors), some)
        print(f"{len(one):>6,} {told(one):>16} {told(other):>16} {told(one - other, '+'):>17}", flush=True)


if __name__ == "__main__":
    main()
