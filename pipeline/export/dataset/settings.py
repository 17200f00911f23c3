"""Settings of a data set: which frames are picked, how they are written, and how they are split."""

from __future__ import annotations

from typing import ClassVar

from pydantic import Field

from pipeline.config import Settings

__all__ = ["DatasetSettings"]


class DatasetSettings(Settings):
    """What a data set contains of the labelled intervals."""

    fingerprint_name: ClassVar[str] = "DatasetSettings"

    frames_per_interval: int = Field(default=4, ge=1, le=1000)
    """Most frames of one interval, spread over it."""

    same_picture: float = Field(default=0.98, gt=0, le=1)
    """Of the frames of one video under one text, those with at least this cosine to one before are left out; 1 keeps
    all but identical embeddings. Not tuned; a look-alike costs training time and adds little."""

    side_pixels: int = Field(default=256, ge=16, le=4096)
    """Most pixels of a picture's shorter side; smaller pictures are not enlarged."""

    samples_per_shard: int = Field(default=1000, ge=1, le=1_000_000)
    """Pairs of frame and text in one tar file; the last of each split has the rest."""

    validation_share: float = Field(default=0.1, ge=0, lt=1)
    """Share of the videos, chosen by their ids, whose samples form the validation split."""
