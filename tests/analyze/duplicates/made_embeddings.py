"""Embeddings of made films: shots of things that move, seen again through noise, frames and other speeds."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import numpy.typing as npt

from pipeline.analyze.duplicates.frame_space import FrameSpace
from pipeline.analyze.duplicates.frame_track import FrameTrack, frame_track
from pipeline.types import FrameEmbeddings

DIMENSION = 48
STEP = 0.5

Vectors = npt.NDArray[np.float64]


class Film:
    """A film whose picture is known at any time: shots, each a place that something crosses."""

    def __init__(
        self, seed: int, *, shot_seconds: float = 4.0, motion: float = 0.5, place: Vectors | None = None
    ) -> None:
        self._random_seed, self._shot_seconds, self._motion, self._place = seed, shot_seconds, motion, place

    def at(self, times: npt.NDArray[np.float64]) -> Vectors:
        rows = []
        for time in times:
            shot = int(time // self._shot_seconds)
            random = np.random.default_rng((self._random_seed, shot))
            place, start, end = (random.normal(size=DIMENSION) for _ in range(3))
            share = time / self._shot_seconds - shot
            here = place if self._place is None else self._place
            rows.append(here + self._motion * ((1 - share) * start + share * end))
        return np.stack(rows)


def grid(seconds: float) -> npt.NDArray[np.float64]:
    return np.arange(0, seconds - 1e-9, STEP)


def letterboxed(vectors: Vectors) -> Vectors:
    """What black bars do to some encoders: every picture turns, shrinks, and moves by the same vector."""
    random = np.random.default_rng(99)
    turned = vectors @ np.linalg.qr(random.normal(size=(DIMENSION, DIMENSION)))[0]
    return 0.45 * vectors + 0.6 * turned + 1.5 * random.normal(size=DIMENSION)


def embeddings(
    video_id: str, vectors: Vectors, *, noise: float = 0.0, shift: Vectors | None = None, seed: int = 0
) -> FrameEmbeddings:
    """Frames half a second apart; `noise` is a lossy encoder's, `shift` that of bars or a logo."""
    random = np.random.default_rng((seed, len(vectors)))
    seen = vectors + noise * random.normal(size=vectors.shape) + (0 if shift is None else shift)
    times = np.arange(len(seen)) * STEP
    return FrameEmbeddings(
        video_id=video_id,
        pts=(times * 1000).astype(np.int64),
        time_base=Fraction(1, 1000),
        times_seconds=times,
        vectors=(seen / np.linalg.norm(seen, axis=1, keepdims=True)).astype(np.float32),
        cuts_seconds=None,
        duration_seconds=len(seen) * STEP,
        step_seconds=STEP,
    )


def track(video_id: str, vectors: Vectors, *, noise: float = 0.0, shift: Vectors | None = None) -> FrameTrack:
    space = FrameSpace(np.zeros(DIMENSION, np.float32))
    return frame_track(embeddings(video_id, vectors, noise=noise, shift=shift), space, STEP)
