"""Names of clusters: words of a vocabulary that match a cluster better than the rest of the library."""

from __future__ import annotations

from collections.abc import Sequence
from importlib.resources import files

import numpy as np
import numpy.typing as npt

__all__ = ["name_clusters", "read_vocabulary"]


def read_vocabulary() -> tuple[str, ...]:
    """Read the bundled words, one per line."""
    text = files(__package__).joinpath("vocabulary.txt").read_text(encoding="utf-8")
    return tuple(line for line in text.splitlines() if line and not line.startswith("#"))


def name_clusters(
    vectors: npt.NDArray[np.float32],
    clusters: npt.NDArray[np.int64],
    words: Sequence[str],
    word_vectors: npt.NDArray[np.float32],
) -> list[str]:
    """Name each cluster by a different word.

    It is the word with the largest excess of its mean cosine with the cluster over that with all moments, in units of
    the standard deviation over the moments. Words that match everything are therefore not used. A word names only the
    cluster that it matches best.

    Args:
        vectors: float32 (N, D) unit vectors of the moments.
        clusters: int64 (N,), the number of each moment's cluster, from 0; -1 for none.
        words: The W words.
        word_vectors: float32 (W, D) unit vectors of the words.

    Returns:
        The name of each cluster; "" if there are more clusters than words.
    """
    count = int(clusters.max(initial=-1)) + 1
    names = [""] * count
    if not len(words) or not count:
        return names
    cosines = vectors @ word_vectors.T
    standardised = (cosines - cosines.mean(axis=0)) / np.maximum(cosines.std(axis=0), 1e-6)
    fits = np.stack([standardised[clusters == number].mean(axis=0) for number in range(count)])
    for flat in np.argsort(-fits, axis=None, kind="stable").tolist():
        cluster, word = divmod(flat, len(words))
        if not names[cluster] and words[word] not in names:
            names[cluster] = words[word]
    return names
