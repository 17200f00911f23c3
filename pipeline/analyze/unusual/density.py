"""Distance of frames from the rest of a camera's recordings.

Frames of one camera have nearly everything in common. What counts is the size and the direction of a frame's deviation
from their mean: people who come and go cause large deviations in similar directions; a fire causes a smaller one in
another direction. A frame with the difference x from the mean is therefore mapped to x / sqrt(|x|^2 + f^2), a vector of
length below 1. The floor f is `FLOOR` times the usual distance between a frame and its nearest neighbours, which keeps
the vectors of sensor noise, whose directions are random, short. Directions of deviation, with a threshold on their
length, are the angle-based view of outliers (Kriegel, Schubert and Zimek 2008, doi:10.1145/1401890.1401946).

A frame is then as unusual as it is far from its nearest neighbours among the rest: half the mean squared distance to
the k nearest reference frames, a nonparametric estimate of density (Loftsgaarden and Quesenberry 1965,
doi:10.1214/aoms/1177700079) used for outliers since Ramaswamy, Rastogi and Shim (2000, doi:10.1145/342009.335437) and,
on features of pretrained networks with a sampled memory of references, by Roth et al. (2022, arXiv:2106.08265). It is 0
for something seen before, about 1 for a deviation that has nothing in common with any other, and at most 2.

Frames of the same event are nearest neighbours of each other, so frames of the same video that are close in time do not
belong to the rest. If enough frames of the same time of day are known, neither do frames of other times: a person at
three in the morning is compared with other nights, not with noon.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from datetime import datetime

import numpy as np
import numpy.typing as npt

from pipeline.analyze.unusual.reference import ReferenceFrames, times_of_day
from pipeline.analyze.unusual.settings import UnusualSettings
from pipeline.types import FrameEmbeddings

__all__ = ["FrameDensity", "UnusualFrames"]

Floats = npt.NDArray[np.float64]

FLOOR = 4.0
"""Chosen among 0, 1, 2 and 4 on six hours of the sample world (`benchmarks.watched_hours`, seeds 711 to 713)."""
_DAY_SECONDS = 86_400.0
_BLOCK = 512
_LEAST_FRAMES = 16
"""Minimum number of frames of the rest."""
_TYPICAL = 2000
_SHARE_APART = 12
_TINY = 1e-12


@dataclass(frozen=True)
class UnusualFrames:
    """Distances of a video's frames from the rest.

    Attributes:
        distances: float64 (N,), from 0 for something seen before to 2; NaN for frames with too few frames to compare
            with.
        is_seasonal: bool (N,), whether a frame was compared only with frames of the same time of day.
    """

    distances: Floats
    is_seasonal: npt.NDArray[np.bool_]


class FrameDensity:
    """Computes the distances of frames from the rest of a camera's recordings.

    Args:
        reference: The sample of the camera's frames.
        settings: Settings that define the rest.
    """

    def __init__(self, reference: ReferenceFrames, settings: UnusualSettings) -> None:
        self._settings = settings
        self._apart_seconds = min(settings.apart_seconds, reference.recorded_seconds / _SHARE_APART)
        self._mean = reference.vectors.mean(axis=0, dtype=np.float64).astype(np.float32)
        self._floor: float | None = None
        self._reference = reference
        nearest = self.typical_distances()
        # Half the square of a distance between unit vectors is their cosine distance.
        self._floor = FLOOR * math.sqrt(2 * float(np.median(nearest))) if len(nearest) else 0.0
        self._reference = replace(reference, vectors=self._deviations(reference.vectors))

    def typical_distances(self) -> Floats:
        """Compute the distances of some reference frames from the rest, float64 (M,): the camera's usual values."""
        reference = self._reference
        rows = np.arange(0, len(reference), max(1, len(reference) // _TYPICAL))
        found = np.empty(len(rows))
        for first in range(0, len(rows), _BLOCK):
            some = rows[first : first + _BLOCK]
            found[first : first + _BLOCK] = self._distances(
                reference.vectors[some],
                reference.videos[some],
                reference.times_seconds[some],
                reference.seconds_of_day[some],
                reference.days[some],
            )[0]
        return found[np.isfinite(found)]

    def measure(self, frames: FrameEmbeddings, number: int, begins: datetime | None) -> UnusualFrames:
        """Compute the distances of a video's frames.

        Args:
            frames: The video's sampled frames.
            number: The video's number in the reference.
            begins: Recording time of the start of playback.
        """
        of_day, days = times_of_day(begins, frames.times_seconds)
        distances = np.empty(len(frames))
        is_seasonal = np.zeros(len(frames), np.bool_)
        for first in range(0, len(frames), _BLOCK):
            rows = slice(first, first + _BLOCK)
            distances[rows], is_seasonal[rows] = self._distances(
                self._deviations(frames.vectors[rows]),
                np.full(len(frames.vectors[rows]), number, np.int64),
                frames.times_seconds[rows],
                of_day[rows],
                days[rows],
            )
        return UnusualFrames(distances, is_seasonal)

    def _deviations(self, vectors: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        """Compute deviations from the camera's mean: float32 (N, D), each of a length below 1."""
        differences = vectors - self._mean
        squares = np.einsum("ij,ij->i", differences, differences) + (self._floor or 0.0) ** 2
        return np.asarray(differences / np.sqrt(np.maximum(squares, _TINY))[:, None], np.float32)

    def _distances(
        self,
        vectors: npt.NDArray[np.float32],
        videos: npt.NDArray[np.int64],
        times_seconds: Floats,
        seconds_of_day: Floats,
        days: npt.NDArray[np.int64],
    ) -> tuple[Floats, npt.NDArray[np.bool_]]:
        reference, settings = self._reference, self._settings
        distances = _half_squares(vectors)[:, None] + _half_squares(reference.vectors) - vectors @ reference.vectors.T
        apart = np.abs(times_seconds[:, None] - reference.times_seconds)
        is_rest = (videos[:, None] != reference.videos) | (apart > self._apart_seconds)
        is_season = is_rest & self._of_season(seconds_of_day, days)
        is_seasonal = self._is_enough(is_season)
        distances[~np.where(is_seasonal[:, None], is_season, is_rest)] = np.inf
        count = min(settings.neighbours, len(reference))
        nearest = np.partition(distances, count - 1, axis=1)[:, :count].astype(np.float64)
        means = np.maximum(nearest, 0.0).mean(axis=1)
        is_known = np.where(is_seasonal, True, is_rest.sum(axis=1) >= _LEAST_FRAMES) & np.isfinite(means)
        return np.where(is_known, means, np.nan), is_seasonal & is_known

    def _of_season(self, seconds_of_day: Floats, days: npt.NDArray[np.int64]) -> npt.NDArray[np.bool_]:
        """Test whether reference frames are from another day and about the same time of day: bool (N, R)."""
        with np.errstate(invalid="ignore"):
            apart = np.abs(seconds_of_day[:, None] - self._reference.seconds_of_day)
            is_near = np.minimum(apart, _DAY_SECONDS - apart) <= 3600 * self._settings.season_hours
        return np.asarray(is_near & (days[:, None] != self._reference.days), np.bool_)

    def _is_enough(self, is_season: npt.NDArray[np.bool_]) -> npt.NDArray[np.bool_]:
        """Test whether the frames of a season, bool (N, R), are from enough days: bool (N,)."""
        known = np.unique(self._reference.days[self._reference.days >= 0])
        is_of_day = (self._reference.days[:, None] == known).astype(np.float32)
        counts = is_season.astype(np.float32) @ is_of_day
        enough = ((counts > 0).sum(axis=1) >= self._settings.season_days) & (counts.sum(axis=1) >= _LEAST_FRAMES)
        return np.asarray(enough, np.bool_)


def _half_squares(vectors: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """Compute half the squared length of each vector: float32 (N,)."""
    return np.asarray(np.einsum("ij,ij->i", vectors, vectors) / 2, np.float32)
