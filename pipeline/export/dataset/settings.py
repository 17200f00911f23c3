"""Settings of a data set: selection of frames, format and split."""

from __future__ import annotations

from typing import ClassVar

from pydantic import Field

from pipeline.config import Settings

__all__ = ["DatasetSettings"]


class DatasetSettings(Settings):
    """Settings of the export of a data set."""

    fingerprint_name: ClassVar[str] = "DatasetSettings"

    frames_per_interval: int = Field(default=4, ge=1, le=1000)
    """Maximum number of frames per interval, evenly spread."""

    same_picture: float = Field(default=0.98, gt=0, le=1)
    """Frames with at least this cosine to an earlier frame of the same video and text are left out; 1 keeps all but
    identical embeddings. Not tuned: near-duplicates cost training time and add little."""

    side_pixels: int = Field(default=256, ge=16, le=4096)
    """Maximum length of a picture's shorter side, in pixels; smaller pictures are not enlarged."""

    samples_per_shard: int = Field(default=1000, ge=1, le=1_000_000)
    """Number of samples per tar file; the last file of each split has the remainder."""

    validation_share: float = Field(default=0.1, ge=0, lt=1)
    """Share of the videos, selected by id, whose samples form the validation split."""
