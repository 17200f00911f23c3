"""Settings of batch execution, with their defaults."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from pipeline.config import Settings

__all__ = ["Execution"]


class Execution(Settings):
    """Where a batch runs, and how many videos and frames it processes at once.

    A decoding task sends an encoder batches of `batch_frames` preprocessed frames (150 kB each at 224 x 224). At most
    `videos_at_once * (batches_ahead + 1)` such batches wait at any time, or fewer if they would fill the cluster's
    object store.
    """

    executor: Literal["auto", "ray", "in_process"] = "auto"
    """`ray` uses Ray's tasks and actors; `in_process` processes one video after another in this process; `auto` uses a
    running Ray cluster if there is one, else this process for a batch that it finishes before Ray would."""

    address: str | None = None
    """Ray cluster to join: "auto" or "host:port" from one of its machines. By default RAY_ADDRESS, which
    `ray job submit` sets; if that is unset, too, Ray is started on this machine."""

    batch_frames: int = Field(default=32, ge=1)
    """Maximum number of frames in one call of the encoder."""

    videos_at_once: int | None = Field(default=None, ge=1)
    """Maximum number of videos that are decoded at once, limited by the number of processors that the encoders leave
    free; None for that number."""

    grow_to_videos: int = Field(default=64, ge=0)
    """Number of videos decoded at once that a joined cluster with an autoscaler may grow for, limited by the videos
    left and by `videos_at_once`. 0 uses the cluster as it is."""

    grow_to_gpus: int = Field(default=0, ge=0)
    """Number of GPUs that a joined cluster may grow to, if its autoscaler starts machines with GPUs; limited by what
    the videos left or `encoders` can use. 0 uses the GPUs that exist."""

    batches_ahead: int = Field(default=2, ge=1)
    """Number of batches that the decoder of a video may be ahead of the encoder before it waits."""

    encoders: int | None = Field(default=None, ge=1)
    """Number of encoders that run in parallel; None for one per GPU, or one per machine on a cluster without GPUs."""

    gpus_per_encoder: float = Field(default=1.0, gt=0)
    """Share of a GPU that an encoder reserves, if the cluster has GPUs; 0.5 places two encoders on each."""

    retries: int = Field(default=2, ge=0)
    """Number of times that a video is retried, or an encoder restarted, after its process died."""

    stall_seconds: float = Field(default=300.0, gt=0)
    """A video fails if its decoder makes no progress for this time; only Ray's executor can enforce this."""

    rows_per_write: int = Field(default=1000, ge=1)
    """Number of index rows that are collected from several videos before they are written."""
