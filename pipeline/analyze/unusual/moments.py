"""Unusual moments: intervals around the frames that are farthest from the rest, each kind of them once."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from pipeline.analyze.unusual.density import UnusualFrames
from pipeline.search.localization import Levels, grown_spans, peak_rows
from pipeline.search.scoring import score_curve
from pipeline.search.settings import Searching
from pipeline.types import FrameEmbeddings

__all__ = ["UnusualMoment", "UsualDistances", "listed_once", "moments_of_video"]

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class UsualDistances:
    """Summary of the distances of a camera's frames from the rest.

    Attributes:
        median: Median of all frames.
        threshold: Minimum distance of a moment's best frame.
    """

    median: float
    threshold: float

    @classmethod
    def of(cls, distances: Floats, quantile: float) -> UsualDistances:
        """Summarise distances float64 (N,), at least one.

        Raises:
            ValueError: There are no distances.
        """
        if not len(distances):
            raise ValueError("no frame of the camera can be compared with the rest")
        return cls(float(np.median(distances)), float(np.quantile(distances, quantile)))


@dataclass(frozen=True)
class UnusualMoment:
    """An interval of a video that differs from the rest of its camera's recordings.

    Attributes:
        video_id: The video's id.
        start_seconds: First second.
        end_seconds: First second after it.
        peak_seconds: Time of the frame with the largest distance.
        distance: The distance of this frame from its nearest neighbours: 0 for something seen before, about 1 for
            something that has nothing in common with other frames.
        is_seasonal: Whether the frame was compared only with frames of the same time of day.
        vector: float32 (D,), the frame's embedding.
        copies: Number of other moments of the camera that look the same and are not listed.
    """

    video_id: str
    start_seconds: float
    end_seconds: float
    peak_seconds: float
    distance: float
    is_seasonal: bool
    vector: npt.NDArray[np.float32]
    copies: int = 0


def moments_of_video(
    frames: FrameEmbeddings, unusual: UnusualFrames, usual: UsualDistances, settings: Searching
) -> list[UnusualMoment]:
    """Find the unusual moments of a video, the most unusual first, without overlaps.

    They end as the moments of a search do (`pipeline.search.localization`): where the distance falls halfway to the
    camera's median, or at a cut.

    Args:
        frames: The video's sampled frames.
        unusual: Their distances from the rest.
        usual: Summary of the camera's distances.
        settings: The ratios at which moments end.
    """
    distances = np.where(np.isfinite(unusual.distances), unusual.distances, 0.0)
    curve = score_curve(frames, distances)
    levels = Levels(usual.median, settings.merge_ratio, settings.edge_ratio)
    least = max(usual.threshold, np.nextafter(usual.median, np.inf))
    seeds = {row for row in peak_rows(curve, least) if curve.scores[row] >= least}
    found = []
    for span in grown_spans(seeds, curve, levels):
        row = max(0, int(np.searchsorted(frames.times_seconds, span.best_seconds, side="right")) - 1)
        found.append(
            UnusualMoment(
                video_id=frames.video_id,
                start_seconds=span.start_seconds,
                end_seconds=span.end_seconds,
                peak_seconds=span.best_seconds,
                distance=span.score,
                is_seasonal=bool(unusual.is_seasonal[row]),
                vector=frames.vectors[row].copy(),
            )
        )
    return found


def listed_once(moments: Iterable[UnusualMoment], same_picture: float, most: int) -> list[UnusualMoment]:
    """Return the most unusual moments of a camera; similar ones are counted with the most unusual of them.

    Args:
        moments: The moments, in any order.
        same_picture: Cosine of two best frames at which two moments count as equal.
        most: Maximum number of moments.
    """
    listed: list[UnusualMoment] = []
    copies: list[int] = []
    for moment in sorted(moments, key=_order):
        number = _same(listed, moment, same_picture)
        if number is not None:
            copies[number] += 1
        elif len(listed) < most:
            listed.append(moment)
            copies.append(0)
    return [replace(moment, copies=count) for moment, count in zip(listed, copies, strict=True)]


def _order(moment: UnusualMoment) -> tuple[float, str, float]:
    return -moment.distance, moment.video_id, moment.start_seconds


def _same(listed: Sequence[UnusualMoment], moment: UnusualMoment, same_picture: float) -> int | None:
    if not listed:
        return None
    cosines = np.stack([one.vector for one in listed]) @ moment.vector
    best = int(cosines.argmax())
    return best if cosines[best] >= same_picture else None
