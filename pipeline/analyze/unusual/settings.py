"""Settings of the search for unusual moments, with their defaults."""

from __future__ import annotations

from pydantic import Field

from pipeline.config import Settings

__all__ = ["UnusualSettings"]


class UnusualSettings(Settings):
    """What counts as the rest of a camera's recordings, and how far a frame must be from it."""

    neighbours: int = Field(default=5, ge=1, le=100)
    """Frames of the rest that a frame is compared with: the nearest ones. What happened so many times is usual."""

    apart_seconds: float = Field(default=120.0, ge=0)
    """Frames of the same video that are nearer in time are part of the same event and do not belong to the rest. Of
    short recordings, a twelfth of what the camera recorded is enough."""

    reference_frames: int = Field(default=20_000, ge=100)
    """Most frames of a camera that stand for all of them, spread evenly over its recordings."""

    season_hours: float = Field(default=1.5, gt=0, le=12)
    """A frame is compared with frames of the same time of day, give or take so many hours, where there are enough of
    them from other days."""

    season_days: int = Field(default=3, ge=1)
    """Other days that are enough."""

    quantile: float = Field(default=0.95, gt=0, lt=1)
    """Frames that are farther from the rest than this share of the camera's frames may begin a moment."""

    same_picture: float = Field(default=0.97, gt=0, le=1)
    """Moments of one camera whose best frames have at least this cosine are listed once, with the others counted."""
