"""Nomination: which videos may share footage, by a nearest-neighbour search in the library's index.

Comparing all videos with all others grows with the square of the library. Instead each video's index rows are searched
for in the index, in batches, and each hit votes for the video it belongs to. A hit counts by how far its cosine is
above that of the last hit of the same search: what is common in the library (black, an empty street) has many hits of
the same cosine, and votes for none of them. The videos with the most votes are aligned frame by frame.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence

import numpy as np

from pipeline.index import Hit, MomentIndex
from pipeline.types import IndexedSegment

__all__ = ["CANDIDATES", "nominate"]

CANDIDATES = 10
"""Videos that are aligned with each video. On seed 9100 a true copy was among the first 5"""
_TOP = 64
_DEEP_TOP = 1024
_BATCH = 128
_SAME = 0.995
"""Cosine at which a row is so like the row before it that it would find the same."""


def nominate(index: MomentIndex, video_id: str, rows: Sequence[IndexedSegment]) -> list[str]:
    """Find the other videos that may share footage with a video, most votes first, at most `CANDIDATES`.

    Args:
        index: The library's.
        video_id: The video's id.
        rows: Its index rows.

    Raises:
        MomentIndexError: The index cannot be searched.
    """
    votes: defaultdict[str, float] = defaultdict(float)
    for hits in _searched(index, video_id, list(_distinctive(rows))):
        for other, weight in _weights(hits, video_id).items():
            votes[other] += weight
    return sorted(votes, key=lambda other: (-votes[other], other))[:CANDIDATES]


def _distinctive(rows: Iterable[IndexedSegment]) -> Iterator[IndexedSegment]:
    """Leave out rows that are like the last one that was taken."""
    last: IndexedSegment | None = None
    for row in rows:
        if last is None or float(row.vector @ last.vector) < _SAME:
            last = row
            yield row


def _searched(index: MomentIndex, video_id: str, rows: Sequence[IndexedSegment]) -> Iterator[list[Hit]]:
    """Search for rows; deeper where a video has taken all hits of its own row."""
    for first in range(0, len(rows), _BATCH):
        vectors = np.stack([row.vector for row in rows[first : first + _BATCH]])
        found = index.search(vectors, top=_TOP)
        lonely = [
            number
            for number, hits in enumerate(found)
            if len(hits) == _TOP and all(hit.segment.video_id == video_id for hit in hits)
        ]
        if lonely:
            for number, hits in zip(lonely, index.search(vectors[lonely], top=_DEEP_TOP), strict=True):
                found[number] = hits
        yield from found


def _weights(hits: Sequence[Hit], video_id: str) -> dict[str, float]:
    """The weight of a search's best hit of each other video."""
    weights: dict[str, float] = {}
    if not hits:
        return weights
    floor = hits[-1].score if len(hits) >= _TOP else min(hits[-1].score, 0.0)
    for hit in hits:
        other = hit.segment.video_id
        if other != video_id and other not in weights:
            weights[other] = (hit.score - floor) / (1 - floor + 1e-3)
    return {other: weight for other, weight in weights.items() if weight > 0}
