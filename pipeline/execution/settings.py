"""Settings of how a batch is run, with their defaults."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from pipeline.config import Settings

__all__ = ["Execution"]


class Execution(Settings):
    """Where a batch runs, and how much of it at once.

    What travels from a decoding task to an encoder is `batch_frames` preprocessed frames (150 kB each at 224 x 224),
    and at most `videos_at_once * (batches_ahead + 1)` such batches wait at any time; fewer where they would fill the
    cluster's object store.
    """

    executor: Literal["ray", "in_process"] = "ray"
    """Ray's tasks and actors, or one video after another in this process."""

    address: str | None = None
    """Ray cluster to join: "auto" or "host:port" from one of its machines. None takes RAY_ADDRESS, which
    `ray job submit` sets, and otherwise starts a Ray on this machine."""

    batch_frames: int = Field(default=32, ge=1)
    """Most frames in one call of the encoder."""

    videos_at_once: int | None = Field(default=None, ge=1)
    """Most videos being decoded, and never more than there are processors beside the encoders; None for as many as
    that."""

    grow_to_videos: int = Field(default=64, ge=0)
    """Videos at once for which a joined cluster is asked to grow, if it has an autoscaler; never more than are left to
    do, nor more than `videos_at_once`. 0 takes the cluster as it is."""

    grow_to_gpus: int = Field(default=0, ge=0)
    """GPUs for which a joined cluster is asked to grow, if it has an autoscaler that starts machines with some; never
    more than the videos left or `encoders` can use. 0 takes those that are there."""

    batches_ahead: int = Field(default=2, ge=1)
    """Batches that a video's decoder may be ahead of the encoder before it waits."""

    encoders: int | None = Field(default=None, ge=1)
    """Encoders that run side by side; None for one a GPU, or one a machine where there is none."""

    gpus_per_encoder: float = Field(default=1.0, gt=0)
    """Share of a GPU that an encoder holds, where the cluster has GPUs; 0.5 puts two on each."""

    retries: int = Field(default=2, ge=0)
    """How often a video is tried again, or an encoder started again, after its process died."""

    stall_seconds: float = Field(default=300.0, gt=0)
    """A video whose decoder decodes nothing for so long is given up; only Ray's executor can do so."""

    rows_per_write: int = Field(default=1000, ge=1)
    """Rows of the index that are gathered from several videos before they are written."""
