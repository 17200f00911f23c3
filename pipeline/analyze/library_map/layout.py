"""Layout of a map: positions of embeddings in the plane, and clusters of them.

Embeddings are reduced to `COMPONENTS` principal components and arranged by t-SNE (van der Maaten and Hinton 2008, JMLR
9), initialised with the first two components, which preserves the global arrangement (Kobak and Berens 2019,
doi:10.1038/s41467-019-13056-x). Clusters are found by HDBSCAN in the plane (Campello, Moulavi and Sander 2013,
doi:10.1007/978-3-642-37456-2_14), so that the points of a cluster are together on the map.
"""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from pipeline.optional_packages import require

__all__ = ["find_clusters", "lay_out"]

Floats = npt.NDArray[np.float64]

COMPONENTS = 50
_LEAST_LAID_OUT = 5
_PERPLEXITY = 30.0
_SEED = 0
_START_SPREAD = 1e-4
_TINY = 1e-7
_LEAST_CLUSTER = 5
_NEIGHBOURS = 2
_CLUSTERS = 40
"""Approximate maximum number of clusters, so that the map stays readable."""


def lay_out(vectors: npt.NDArray[np.float32]) -> Floats:
    """Arrange unit vectors, float32 (N, D), in the plane: float64 (N, 2), each axis from 0 to 1. Deterministic."""
    count = len(vectors)
    reduced = _principal_components(vectors)
    if count < _LEAST_LAID_OUT or not reduced.shape[1]:
        return np.column_stack([(np.arange(count) + 0.5) / max(1, count), np.full(count, 0.5)])
    require("drawing a map", "sklearn")
    from sklearn.manifold import TSNE

    start = np.zeros((count, 2))
    start[:, : reduced.shape[1]] = reduced[:, :2] / reduced[:, 0].std() * _START_SPREAD
    perplexity = min(_PERPLEXITY, (count - 1) / 3)
    placed = TSNE(2, perplexity=perplexity, init=start, random_state=_SEED, n_jobs=1).fit_transform(reduced)
    low, high = placed.min(axis=0), placed.max(axis=0)
    return np.asarray((placed - low) / np.maximum(high - low, _TINY), np.float64)


def _principal_components(vectors: npt.NDArray[np.float32]) -> Floats:
    """Compute the first principal components, float64 (N, C); C is 0 if all vectors are equal."""
    if not len(vectors):
        return np.empty((0, 0))
    centred = vectors.astype(np.float64) - vectors.mean(axis=0, dtype=np.float64)
    left, lengths, _ = np.linalg.svd(centred, full_matrices=False)
    count = int((lengths[:COMPONENTS] > _TINY * math.sqrt(len(vectors))).sum())
    return np.asarray(left[:, :count] * lengths[:count], np.float64)


def find_clusters(positions: Floats) -> npt.NDArray[np.int64]:
    """Find the cluster of each position, float64 (N, 2): int64 (N,), numbers from 0, or -1 for none."""
    count = len(positions)
    least = max(_LEAST_CLUSTER, count // _CLUSTERS)
    if count < 2 * least:
        return np.zeros(count, np.int64) - (count == 0)
    require("drawing a map", "sklearn")
    from sklearn.cluster import HDBSCAN

    found = HDBSCAN(min_cluster_size=least, min_samples=_NEIGHBOURS, copy=True).fit_predict(positions)
    return np.asarray(found, np.int64)
