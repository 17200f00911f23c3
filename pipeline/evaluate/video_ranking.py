"""Video ranking metrics (nDCG) for questions that name no video.

The whole library is searched for a text, and videos are ranked by their best moment. The videos of all queries with the
same text (ignoring letter case and surrounding blanks) are relevant, each with a gain of 1. No other video is: a video
that shows the text but has no such query counts as wrong. If the labels are incomplete, the metric is therefore a lower
bound.

nDCG@10 = DCG / ideal DCG, where DCG is the sum of 1 / log2(rank + 1) over the relevant videos among the first ten, and
the ideal DCG is that of min(10, relevant videos) at the top (Järvelin and Kekäläinen 2002, doi:10.1145/582415.582418,
with binary gains). The metric is the mean over the distinct texts that are true of a video. It is stored with the first
query of each text, and left out if the library has only one video.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Sequence

import numpy as np
import numpy.typing as npt

from pipeline.evaluate.labels import LabelledQuery

__all__ = ["VIDEO_RANKING", "ndcg", "ranking_column", "texts_of"]

VIDEO_RANKING = "VR-nDCG@10"
DEPTH = 10


def ndcg(ranked: Sequence[str], relevant: Collection[str], depth: int = DEPTH) -> float:
    """Compute the normalised discounted cumulative gain of a ranking, 0 to 1.

    Args:
        ranked: Video ids, best first, each once.
        relevant: Ids of the relevant videos, at least one.
        depth: Number of ranks that count.
    """
    gains = [1 / math.log2(rank + 1) for rank in range(1, depth + 1)]
    found = sum(gain for gain, video in zip(gains, ranked, strict=False) if video in relevant)
    return found / sum(gains[: len(relevant)])


def ranking_column(
    queries: Sequence[LabelledQuery],
    video_ids: Sequence[str],
    ranked: Callable[[str], Sequence[str]],
) -> npt.NDArray[np.float64]:
    """Compute the nDCG@10 of each distinct text, at its first query: float64 (Q,), NaN elsewhere.

    Args:
        queries: The labelled set.
        video_ids: The library's id of each query's video.
        ranked: Returns the ids of the videos found for a text, best first, at least ten if there are as many.
    """
    column = np.full(len(queries), np.nan)
    for numbers in texts_of(queries).values():
        relevant = {video_ids[number] for number in numbers}
        column[numbers[0]] = ndcg(ranked(queries[numbers[0]].text), relevant)
    return column


def texts_of(queries: Sequence[LabelledQuery]) -> dict[str, list[int]]:
    """Group the queries that are not absent by text, in lower case: the numbers of the queries with each text."""
    found: dict[str, list[int]] = {}
    for number, query in enumerate(queries):
        if not query.is_absent:
            found.setdefault(query.text.casefold(), []).append(number)
    return found
