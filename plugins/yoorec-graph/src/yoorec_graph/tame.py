"""Weighing edges: pairs played often are sharpened, hot items tamed inside their cluster."""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import types

from yoorec.ragged.arrays import F32, I32, I64, kernel, made, readonly
from yoorec.vectors.rows import unit_rows
from yoorec_graph.edges import Edges

__all__ = ["clusters_of", "weighed"]

_i32, _i64, _f32 = readonly(types.int32), readonly(types.int64), readonly(types.float32)


@kernel(made(types.float32), _i64, _i32, _f32, _i32, _i64, types.float64, types.float64)
def _weighed(offsets: I64, target: I32, weight: F32, cluster: I32, plays: I64, damp: float, sharpen: float) -> F32:
    items = len(cluster)
    share = np.empty(items, np.float64)
    clusters = 0
    for j in range(items):
        clusters = max(clusters, cluster[j] + 1)
        share[j] = np.float64(max(plays[j], 1)) ** -damp
    into = np.zeros(clusters, np.float64)
    damped = np.zeros(clusters, np.float64)
    out = np.empty(len(target), np.float32)
    for i in range(items):
        for e in range(offsets[i], offsets[i + 1]):
            c = cluster[target[e]]
            if c >= 0:
                into[c] = 0.0
                damped[c] = 0.0
        for e in range(offsets[i], offsets[i + 1]):
            c = cluster[target[e]]
            if c >= 0:
                sharp = np.float64(weight[e]) ** sharpen
                into[c] += sharp
                damped[c] += sharp * share[target[e]]
        for e in range(offsets[i], offsets[i + 1]):
            c = cluster[target[e]]
            sharp = np.float64(weight[e]) ** sharpen
            out[e] = sharp if c < 0 else into[c] * (sharp * share[target[e]] / damped[c])
    return out


def weighed(edges: Edges, cluster: I32, plays: I64, damp: float, sharpen: float) -> Edges:
    """What the edges weigh for walks. With n(i, j) the weights readonly, C(j) the cluster of j::

        w(i, j)  = n(i, j)^sharpen
        w'(i, j) = sum_{k in C(j)} w(i, k)  *  w(i, j) plays(j)^-damp / sum_{k in C(j)} w(i, k) plays(k)^-damp

    So what i gives to a cluster stays what it was; inside, hot items hand over to the others that i leads to.
    Plays stand for the degree: they are what the items' edges come from, but for links, which are no sign of heat.

    cluster: int32 [I]; an item of -1 stands alone, where w' = w. plays: int64 [I].
    """
    return edges._replace(weight=_weighed(edges.offsets, edges.target, edges.weight, cluster, plays, damp, sharpen))


def clusters_of(item: I32, vectors: F32, items: int, clusters: int, seed: int) -> I32:
    """Clusters int32 [items] of items int32 [V] by spherical k-means on their vectors float32 [V, D]; -1 for others.

    On one thread, so that the same vectors and seed give the same clusters.
    """
    import faiss

    found = np.full(items, -1, np.int32)
    if len(item):
        faiss.omp_set_num_threads(1)
        unit = unit_rows(vectors)
        means: Any = faiss.Kmeans(
            vectors.shape[1],
            min(clusters, len(item)),
            niter=10,
            spherical=True,
            min_points_per_centroid=1,
            max_points_per_centroid=1 << 30,
            seed=seed,
        )
        means.train(unit)
        found[item] = means.assign(unit)[1]
    return found
