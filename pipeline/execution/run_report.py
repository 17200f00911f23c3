"""What is kept of a run: a report that fits a screen however many videos there were, and that JSON holds."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from pipeline.execution.stage_times import StageSeconds

__all__ = ["Cause", "Example", "Outcome", "Period", "RunFacts", "RunReport", "SlowVideo"]

Outcome = Literal["running", "finished", "interrupted", "failed"]


class _Kept(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")


class Period(_Kept):
    """What was done in a part of the run; all parts have the same length, but for the last."""

    seconds_decoded: float = 0.0
    """Seconds of video decoded."""
    frames_sampled: int = 0
    """Frames handed to the encoder."""
    videos_ended: int = 0
    """Sources that got their report."""
    decode_seconds: float = 0.0
    """Work of readers."""
    encode_seconds: float = 0.0
    """Work of encoders."""


class SlowVideo(_Kept):
    """A video that took long."""

    uri: str
    video_id: str | None
    status: str
    elapsed_seconds: float
    """From the first read to the last write."""
    duration_seconds: float
    frames_sampled: int


class Example(_Kept):
    """A source and what was wrong with it."""

    uri: str
    problem: str


class Cause(_Kept):
    """Problems of several videos that read the same but for names and numbers."""

    cause: str
    """The problem, its names and numbers left out."""
    videos: int
    examples: tuple[Example, ...]
    """The first few."""


class RunFacts(_Kept):
    """What is known of a run when it begins."""

    run_id: str
    """By which it is told from others."""
    job_id: str | None = None
    """The Ray job that it is, where it is one."""
    momentseek: str
    """Version."""
    library: str
    """Its folder or URL."""
    encoder: str
    """For people."""
    fingerprints: dict[str, str]
    """Of sampling, encoder and segmentation."""
    configuration: dict[str, Any]
    """With every default, as JSON can hold it."""
    sources: int
    """How many were named."""
    first_sources: tuple[str, ...]
    """The names of the first few."""


class RunReport(RunFacts):
    """A run: one pass over a batch under one configuration. Times are UTC, as "2026-11-21T17:30:00Z"."""

    format: Literal[1] = 1
    outcome: Outcome
    problem: str | None = None
    """Why it failed."""
    started_at: str
    updated_at: str
    """When this was written; the end, where the run has ended."""
    elapsed_seconds: float
    counts: dict[str, int]
    """Sources by how they ended."""
    video_seconds: float
    """Length of the videos that are done or partial."""
    frames_decoded: int
    frames_seen: int
    frames_sampled: int
    segments: int
    stages: StageSeconds
    """What each stage took."""
    period_seconds: float
    """Length of a period."""
    periods: tuple[Period, ...]
    slowest: tuple[SlowVideo, ...]
    failures: tuple[Cause, ...] = Field(default=())
    """Most frequent first."""
    damage: tuple[Cause, ...] = Field(default=())
    """What was wrong with videos that were kept in part; most frequent first."""
    peak_memory_bytes: int
    """Most that the driver's process held at once; workers not counted."""

    @property
    def ended(self) -> int:
        """Sources that have their report."""
        return sum(self.counts.values())

    @property
    def rate(self) -> float | None:
        """Seconds of video a second; None where none was worked on."""
        return self.video_seconds / self.elapsed_seconds if self.video_seconds and self.elapsed_seconds else None
