"""Nominates the videos that may share footage with a video, by a nearest-neighbour search in the library's index.

The cost of comparing all pairs of videos grows with the square of the library. Instead, the vectors of each video's
index rows are queried in the index, in batches. A hit's weight is the excess of its cosine over that of the last hit of
the same query: footage that is common in the library (black, an empty street) has many hits of the same cosine, and so
no weight. The hits of a copy have the same offset. A video's votes are therefore those of its best offset, within half
a minute of the query video, because the offset of a re-timed copy drifts (Douze, Jegou and Schmid 2010,
doi:10.1109/TMM.2010.2046265). The videos with the most votes are aligned frame by frame.

Black bars shift all embeddings of a video by nearly the same vector. A second search therefore replaces the video's
mean by the library's. For a long video, it uses a sample of the rows: a copy of one of its parts nominates the long
video when the copy itself is the query.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
import numpy.typing as npt

from pipeline.index import Hit, MomentIndex
from pipeline.types import IndexedSegment

__all__ = ["CANDIDATES", "nominate"]

CANDIDATES = 10
"""Maximum number of videos that each of the two searches nominates. Of 67 letter-boxed copies (seeds 9311 and 9312),
all except one without any changes were among the first 5 of the second search, from one of the two sides."""
_TOP = 64
_DEEP_TOP = 1024
_SHIFTED_TOP = 256
_SHIFTED_ROWS = 256
_BATCH = 128
_SAME = 0.995
"""Cosine to the previous row from which a row is skipped: it would find the same rows."""
_LEAST_DISTANCE = 0.1
"""Distance from its video's mean below which a row is left out of the second search: the difference is noise."""
_WINDOW_SECONDS = 16.0
"""Half the length of a window of the query video."""
_OFFSET_SECONDS = 2.0

Vectors = npt.NDArray[np.float32]
Floats = npt.NDArray[np.float64]


def nominate(
    index: MomentIndex, video_id: str, rows: Sequence[IndexedSegment], mean: Vectors | None = None
) -> list[str]:
    """Find the other videos that may share footage with a video.

    Args:
        index: The library's index.
        video_id: The video's id.
        rows: Its index rows.
        mean: float32 (D,) mean of the library's embeddings; None to leave out the second search.

    Returns:
        Ids, at most twice `CANDIDATES`: those with the most votes in the first search, then those of the second.

    Raises:
        MomentIndexError: The index cannot be searched.
    """
    asked = list(_distinctive(rows))
    if not asked:
        return []
    starts = np.array([row.segment.start_seconds for row in asked])
    vectors = np.stack([row.vector for row in asked])
    nominated = _most_voted(index, video_id, vectors, starts, _TOP)
    if mean is not None:
        taken, shifted = _shifted(rows, vectors, mean)
        nominated += _most_voted(index, video_id, shifted, starts[taken], _SHIFTED_TOP)
    return list(dict.fromkeys(nominated))


def _distinctive(rows: Iterable[IndexedSegment]) -> Iterator[IndexedSegment]:
    """Yield the rows that differ from the last one yielded."""
    last: IndexedSegment | None = None
    for row in rows:
        if last is None or float(row.vector @ last.vector) < _SAME:
            last = row
            yield row


def _shifted(rows: Sequence[IndexedSegment], vectors: Vectors, mean: Vectors) -> tuple[npt.NDArray[np.int64], Vectors]:
    """Replace the video's mean by the library's; return the indices of the vectors used, and the unit vectors."""
    lengths = [row.segment.end_seconds - row.segment.start_seconds for row in rows]
    centred = vectors - np.average(np.stack([row.vector for row in rows]), axis=0, weights=lengths)
    taken = np.flatnonzero(np.linalg.norm(centred, axis=1) >= _LEAST_DISTANCE)
    taken = taken[np.unique(np.linspace(0, len(taken) - 1, min(len(taken), _SHIFTED_ROWS)).astype(np.int64))]
    shifted = centred[taken] + mean
    lengths_after = np.maximum(np.linalg.norm(shifted, axis=1, keepdims=True), 1e-6)
    return taken, (shifted / lengths_after).astype(np.float32)


def _most_voted(index: MomentIndex, video_id: str, vectors: Vectors, starts: Floats, top: int) -> list[str]:
    """Query vectors, and rank the other videos by the votes for their best offset."""
    numbers: dict[str, int] = {}
    votes = [
        _Votes.of(hits, start, numbers, top)
        for hits, start in zip(_searched(index, video_id, vectors, top), starts, strict=True)
    ]
    best = _best_offsets(votes, starts, len(numbers))
    ranked = sorted((other for other in numbers if other != video_id), key=lambda other: (-best[numbers[other]], other))
    return [other for other in ranked if best[numbers[other]] > 0][:CANDIDATES]


@dataclass(frozen=True)
class _Votes:
    """The hits of a query in compact form: a long video has millions.

    Attributes:
        others: int32 (H,), numbers of the hits' videos.
        offsets: float32 (H,), seconds from the start of the query row to that of the hit.
        weights: float32 (H,), 0 to 1.
    """

    others: npt.NDArray[np.int32]
    offsets: npt.NDArray[np.float32]
    weights: npt.NDArray[np.float32]

    @classmethod
    def of(cls, hits: Sequence[Hit], start_seconds: float, numbers: dict[str, int], top: int) -> Self:
        """Compute the votes of hits; new videos are added to `numbers`."""
        others = [numbers.setdefault(hit.segment.video_id, len(numbers)) for hit in hits]
        scores = np.array([hit.score for hit in hits], np.float64)
        # If fewer hits were found than requested, the index has no others, and the worst hit is not a floor.
        floor = scores.min(initial=0.0) if len(hits) < top else scores[-1]
        return cls(
            np.array(others, np.int32),
            np.array([hit.segment.start_seconds - start_seconds for hit in hits], np.float32),
            ((scores - floor) / (1 - floor + 1e-3)).astype(np.float32),
        )


def _best_offsets(votes: Sequence[_Votes], starts: Floats, count: int) -> Floats:
    """Return the votes of the best offset for each of `count` videos; a query votes once per video and offset."""
    best = np.zeros(count)
    if not votes:
        return best
    rows = np.repeat(np.arange(len(votes)), [len(each.others) for each in votes])
    others, offsets, weights = (
        np.concatenate([getattr(each, name) for each in votes]) for name in ("others", "offsets", "weights")
    )
    bins = np.floor(offsets / _OFFSET_SECONDS).astype(np.int64)
    windows = np.floor(starts / _WINDOW_SECONDS).astype(np.int64)
    # Each vote counts in two windows and two bins of offsets, so that no boundary separates related votes.
    cells = np.concatenate(
        [np.stack([others, windows[rows] + window, bins + step, rows]) for window in (0, 1) for step in (0, 1)], axis=1
    )
    order = np.lexsort((-np.tile(weights, 4), *cells[::-1]))
    cells, sorted_weights = cells[:, order], np.tile(weights, 4)[order]
    is_first = _differs(cells)
    cells, sorted_weights = cells[:, is_first], sorted_weights[is_first]
    sums = np.add.reduceat(sorted_weights.astype(np.float64), np.flatnonzero(_differs(cells[:3])))
    np.maximum.at(best, cells[0][_differs(cells[:3])], sums)
    return best


def _differs(columns: npt.NDArray[np.int64]) -> npt.NDArray[np.bool_]:
    """Return which columns differ from the previous one."""
    return np.concatenate([[True], (columns[:, 1:] != columns[:, :-1]).any(axis=0)])


def _searched(index: MomentIndex, video_id: str, vectors: Vectors, top: int) -> Iterator[list[Hit]]:
    """Query vectors; repeat a query with more hits if all its hits are of the query video itself."""
    for first in range(0, len(vectors), _BATCH):
        some = vectors[first : first + _BATCH]
        found = index.search(some, top=top)
        lonely = [
            number
            for number, hits in enumerate(found)
            if len(hits) == top and all(hit.segment.video_id == video_id for hit in hits)
        ]
        if lonely:
            for number, hits in zip(lonely, index.search(some[lonely], top=_DEEP_TOP), strict=True):
                found[number] = hits
        yield from found
