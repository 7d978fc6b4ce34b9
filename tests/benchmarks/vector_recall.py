"""Nearest vectors: microseconds a request at batches of 1, 100 and 10,000, ours beside bare faiss.

    uv run python tests/benchmarks/vector_recall.py [--vectors 4000 20000 100000] [--dim 64] [--k 200]

Ours finds the same bits whatever the batch: every row compared by a compiled kernel ("exact"), or an IVF index of faiss
whose cells are chosen and whose finds are scored again in a fixed order ("cells"). Beside it faiss' flat index and the
same IVF index searched as faiss does by itself, whose scores differ with the batch. One thread each; the median of
several runs in turns. "recall": share of the k true nearest found by the cells for vectors that are not in the index.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable, Mapping

import faiss
import numpy as np

from yoorec.vectors.items import ItemVectors
from yoorec.vectors.rows import unit_rows


def vectors_of(rows: int, dim: int, seed: int, centres: int) -> np.ndarray:
    """Unit vectors around so many centres, as learned ones lie."""
    rng = np.random.default_rng(seed)
    centre = np.random.default_rng(1).standard_normal((centres, dim))
    return unit_rows(centre[rng.integers(0, centres, rows)] + 0.7 * rng.standard_normal((rows, dim)))


def timed(sides: Mapping[str, Callable[[np.ndarray], object]], query: np.ndarray, repeats: int) -> dict[str, float]:
    """Median microseconds a request of each side, run in turns."""
    seconds: dict[str, list[float]] = {name: [] for name in sides}
    for turn in range(repeats + 1):
        for name, search in sides.items():
            started = time.perf_counter()
            search(query)
            if turn:  # the first turn warms up
                seconds[name].append(time.perf_counter() - started)
    return {name: 1e6 * statistics.median(each) / len(query) for name, each in seconds.items()}


def everything(batch: int) -> tuple[np.ndarray, np.ndarray]:
    """Every request finds something, and nothing is left out."""
    return np.ones(batch, np.bool_), np.full(batch, -1, np.int32)


def ours(found: ItemVectors, k: int) -> Callable[[np.ndarray], object]:
    """A search by `ItemVectors`, nothing left out."""
    since = np.zeros(len(found), np.int64)

    def search(query: np.ndarray) -> object:
        return found.nearest(query, *everything(len(query)), k, np.zeros(len(query), np.int64), since)

    return search


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--vectors", type=int, nargs="*", default=[4_000, 20_000, 100_000])
    parser.add_argument("--dim", type=int, default=64)
    parser.add_argument("--k", type=int, default=200)
    options = parser.parse_args()
    faiss.omp_set_num_threads(1)
    print(f"{options.dim} dimensions, k = {options.k}, one thread, microseconds a request")
    print(f"{'vectors':>9} {'batch':>7} {'exact':>8} {'faiss flat':>11} {'cells':>8} {'faiss ivf':>10} {'recall':>7}")
    for rows in options.vectors:
        unit = vectors_of(rows, options.dim, 2, rows // 400)
        item = np.arange(rows, dtype=np.int32)
        exact = ItemVectors.build(item, unit, exact_below=rows)
        celled = ItemVectors.build(item, unit, exact_below=0)
        assert celled.cells is not None
        flat, ivf = faiss.IndexFlatIP(options.dim), celled.cells.index
        flat.add(unit)

        sides: dict[str, Callable[[np.ndarray], object]] = {
            "exact": ours(exact, options.k),
            "faiss flat": lambda query, flat=flat: flat.search(query, options.k),  # type: ignore[misc]
            "cells": ours(celled, options.k),
            "faiss ivf": lambda query, ivf=ivf: ivf.search(query, options.k),  # type: ignore[misc]
        }
        for batch in (1, 100, 10_000):
            query = vectors_of(batch, options.dim, 3, rows // 400)
            took = timed(sides, query, 50 if batch == 1 else 7 if batch == 100 else 1)
            line = f"{rows:>9,} {batch:>7,} {took['exact']:>8.0f} {took['faiss flat']:>11.0f} {took['cells']:>8.0f}"
            line += f" {took['faiss ivf']:>10.0f}"
            if batch == 100:
                out = np.zeros(batch, np.int64), np.zeros(rows, np.int64)
                true = exact.nearest(query, *everything(batch), options.k, *out)[1].reshape(batch, -1)
                offsets, near, _ = celled.nearest(query, *everything(batch), options.k, *out)
                hits = sum(len(np.intersect1d(near[offsets[b] : offsets[b + 1]], true[b])) for b in range(batch))
                line += f" {hits / true.size:>7.3f}"
            print(line, flush=True)


if __name__ == "__main__":
    main()
