"""Settings of the search for unusual moments, with their defaults."""

from __future__ import annotations

from pydantic import Field

from pipeline.config import Settings

__all__ = ["UnusualSettings"]


class UnusualSettings(Settings):
    """Settings of the search for unusual moments: the frames to compare with, and the threshold."""

    neighbours: int = Field(default=5, ge=1, le=100)
    """Number of nearest frames of the rest with which a frame is compared. Events that occur more often than this are
    usual."""

    apart_seconds: float = Field(default=120.0, ge=0)
    """Frames of the same video within this time belong to the same event, and not to the rest. For short recordings, a
    twelfth of the camera's recorded time is used instead, if that is less."""

    reference_frames: int = Field(default=20_000, ge=100)
    """Maximum number of a camera's reference frames, spread evenly over its recordings."""

    season_hours: float = Field(default=1.5, gt=0, le=12)
    """Hours around a frame's time of day: it is compared only with frames within them, if there are enough from other
    days."""

    season_days: int = Field(default=3, ge=1)
    """Minimum number of other days with frames of the same time of day."""

    quantile: float = Field(default=0.95, gt=0, lt=1)
    """Quantile of the camera's distances above which a frame may start a moment."""

    same_picture: float = Field(default=0.97, gt=0, le=1)
    """Cosine of best frames at which moments of one camera are listed once, with the others counted."""
