"""Video ranking metrics (nDCG) for questions that name no video.

A text is asked of the whole library, and videos are ranked by their best moment. The videos of all queries with the
same text, letter case and outer blanks aside, are relevant, each with a gain of 1, and no other video is: one that
shows it too and was not labelled counts as wrong, so the figure is a lower bound where labels are not complete.

nDCG@10 = DCG / ideal DCG, with DCG the sum of 1 / log2(rank + 1) over the relevant videos among the first ten, and the
ideal one that of min(10, relevant videos) at the top (Järvelin and Kekäläinen 2002, doi:10.1145/582415.582418, with
binary gains). The metric is the mean over distinct texts that are true of a video; it stands at the first query of each
text, and is left out where the library holds one video only.
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
        relevant: Those that are right; at least one.
        depth: How many count.
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
        ranked: The video ids that a text brings, best first, at least ten where there are so many.
    """
    column = np.full(len(queries), np.nan)
    for numbers in texts_of(queries).values():
        relevant = {video_ids[number] for number in numbers}
        column[numbers[0]] = ndcg(ranked(queries[numbers[0]].text), relevant)
    return column


def texts_of(queries: Sequence[LabelledQuery]) -> dict[str, list[int]]:
    """Group queries by text: the distinct texts that are true of a video, in lower case, with query numbers."""
    found: dict[str, list[int]] = {}
    for number, query in enumerate(queries):
        if not query.is_absent:
            found.setdefault(query.text.casefold(), []).append(number)
    return found
