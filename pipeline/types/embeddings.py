"""The embeddings of a video's sampled frames."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

import numpy as np
import numpy.typing as npt

__all__ = ["FrameEmbeddings", "Share", "seen_before_next"]


@dataclass(frozen=True, kw_only=True)
class Share:
    """The frames of one of several samplings that shared one decoding of a video.

    Attributes:
        pts: int64 (M,) ticks, increasing.
        times_seconds: float64 (M,) seconds on the playback clock.
        cuts_seconds: Where each shot but the first begins, at a cut or within a gradual transition; None where cuts
            were not looked for.
        seen_until_seconds: float64 (M,), as of `FrameEmbeddings`; None where frames stand for their own time alone.
        step_seconds: As of `FrameEmbeddings`.
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
        video_id: The video's id, from its content.
        pts: int64 (N,) ticks, strictly increasing.
        time_base: Seconds of one tick.
        times_seconds: float64 (N,) seconds on the playback clock, strictly increasing.
        vectors: float32 (N, D), each row of unit length.
        cuts_seconds: Where each shot but the first begins, at a cut or within a gradual transition, increasing; None
            where cuts were not looked for.
        duration_seconds: End of the last frame that could be decoded, on the playback clock.
        seen_until_seconds: float64 (N,), for each frame the last time at which the picture was seen to be still the
            same, no earlier than the frame and before the next one; None where frames stand for their own time alone.
        step_seconds: Seconds after which a picture that is still the same counts as another frame would: from one point
            of the sampling's grid to the next. None in files from before it was recorded.
        shares: What each of several samplings took, where several were done at once; nothing that is kept.
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
        if count > 1 and not bool((np.diff(self.times_seconds) > 0).all() and (np.diff(self.pts) > 0).all()):
            raise ValueError(f"{self.video_id}: the times of sampled frames must increase strictly")
        self._check_seen_until()
        # numpy.linalg.norm would square a copy of them all.
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
            raise ValueError(f"{self.video_id}: a frame is seen from its own time until before that of the next one")
        until.setflags(write=False)

    def __len__(self) -> int:
        return len(self.pts)

    def __repr__(self) -> str:
        return f"FrameEmbeddings({self.video_id}, vectors{self.vectors.shape}, {self.duration_seconds:.3f} s)"


def seen_before_next(
    times_seconds: npt.NDArray[np.float64], seen_until_seconds: npt.NDArray[np.float64]
) -> npt.NDArray[np.float64]:
    """Keep each frame's last time on screen before the next frame where rounding to floats made them equal.

    Args:
        times_seconds: float64 (N,) times, strictly increasing.
        seen_until_seconds: float64 (N,), as exact times no later than the next frame's.

    Returns:
        float64 (N,).
    """
    before = np.append(np.nextafter(times_seconds[1:], -np.inf), np.inf)
    earliest: npt.NDArray[np.float64] = np.minimum(seen_until_seconds, before)
    return earliest
