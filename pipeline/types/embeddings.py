"""The embeddings of a video's sampled frames."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

import numpy as np
import numpy.typing as npt

__all__ = ["FrameEmbeddings", "Share", "seen_before_next"]


@dataclass(frozen=True, kw_only=True)
class Share:
    """The frames that one sampling selected, when several samplings shared one decoding of a video.

    Attributes:
        pts: int64 (M,) ticks, increasing.
        times_seconds: float64 (M,) seconds on the playback clock.
        cuts_seconds: Start of each shot but the first, at a cut or within a gradual transition; None if cuts were not
            detected.
        seen_until_seconds: float64 (M,), as in `FrameEmbeddings`; None if frames represent only their own times.
        step_seconds: As in `FrameEmbeddings`.
    """

    pts: npt.NDArray[np.int64]
    times_seconds: npt.NDArray[np.float64]
    cuts_seconds: tuple[float, ...] | None
    seen_until_seconds: npt.NDArray[np.float64] | None
    step_seconds: float | None = None


@dataclass(frozen=True, kw_only=True)
class FrameEmbeddings:
    """The embeddings of one video's sampled frames: the record from which all else is rebuilt.

    Attributes:
        video_id: The video's id, computed from its content.
        pts: int64 (N,) ticks, strictly increasing.
        time_base: Seconds per tick.
        times_seconds: float64 (N,) seconds on the playback clock, strictly increasing.
        vectors: float32 (N, D), each row of unit length.
        cuts_seconds: Start of each shot but the first, at a cut or within a gradual transition, increasing; None if
            cuts were not detected.
        duration_seconds: End of the last frame that could be decoded, on the playback clock.
        seen_until_seconds: float64 (N,), for each frame the last time at which its picture was seen unchanged, not
            earlier than the frame and before the next one; None if frames represent only their own times.
        step_seconds: Seconds after which an unchanged picture counts as a further frame: the step of the sampling's
            grid. None in files of versions that did not record it.
        shares: The frames of each sampling, if several samplings shared one decoding; never stored.
    """

    video_id: str
    pts: npt.NDArray[np.int64]
    time_base: Fraction
    times_seconds: npt.NDArray[np.float64]
    vectors: npt.NDArray[np.float32]
    cuts_seconds: tuple[float, ...] | None
    duration_seconds: float
    seen_until_seconds: npt.NDArray[np.float64] | None = None
    step_seconds: float | None = None
    shares: tuple[Share, ...] = ()

    def __post_init__(self) -> None:
        count = len(self.pts)
        if self.vectors.ndim != 2 or not len(self.times_seconds) == len(self.vectors) == count:
            raise ValueError(
                f"{self.video_id}: {count} pts, {self.times_seconds.shape} times, {self.vectors.shape} vectors"
            )
        times, pts = self.times_seconds, self.pts
        if not bool((times[:-1] < times[1:]).all() and (pts[:-1] < pts[1:]).all()):
            raise ValueError(f"{self.video_id}: the times of sampled frames must increase strictly")
        self._check_seen_until()
        # Not numpy.linalg.norm, which would copy all vectors.
        lengths = np.sqrt(np.einsum("ij,ij->i", self.vectors, self.vectors))
        if not bool(np.all(np.abs(lengths - 1.0) < 1e-3)):
            worst = int(np.nanargmax(np.where(np.isfinite(lengths), np.abs(lengths - 1.0), np.inf)))
            raise ValueError(
                f"{self.video_id}: the embedding of the frame at {self.times_seconds[worst]:.3f} s is not a unit vector"
                f" (length {lengths[worst]})"
            )
        for array in (self.pts, self.times_seconds, self.vectors):
            array.setflags(write=False)

    def _check_seen_until(self) -> None:
        if self.step_seconds is not None and not 0 < self.step_seconds < np.inf:
            raise ValueError(f"{self.video_id}: expected a step of more than 0 seconds, got {self.step_seconds}")
        until = self.seen_until_seconds
        if until is None:
            return
        times = self.times_seconds
        if until.shape != times.shape or not bool((until >= times).all() and (until[:-1] < times[1:]).all()):
            raise ValueError(f"{self.video_id}: the last time of a frame must be between its time and the next frame's")
        until.setflags(write=False)

    def __len__(self) -> int:
        return len(self.pts)

    def __repr__(self) -> str:
        return f"FrameEmbeddings({self.video_id}, vectors{self.vectors.shape}, {self.duration_seconds:.3f} s)"


def seen_before_next(
    times_seconds: npt.NDArray[np.float64], seen_until_seconds: npt.NDArray[np.float64]
) -> npt.NDArray[np.float64]:
    """Move each frame's last time on screen before the next frame, if rounding to floats made the two equal.

    Args:
        times_seconds: float64 (N,) times, strictly increasing.
        seen_until_seconds: float64 (N,) last times, not later than the next frame.

    Returns:
        float64 (N,) last times, earlier than the next frame.
    """
    before = np.append(np.nextafter(times_seconds[1:], -np.inf), np.inf)
    earliest: npt.NDArray[np.float64] = np.minimum(seen_until_seconds, before)
    return earliest
