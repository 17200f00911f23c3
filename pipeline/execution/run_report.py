"""What is kept of a run: a report that fits a screen however many videos there were, and that JSON holds."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from pipeline.execution.stage_times import StageSeconds

__all__ = ["Cause", "Example", "Outcome", "Period", "RunFacts", "RunReport", "SlowVideo"]

Outcome = Literal["running", "finished", "interrupted", "failed", "lost"]
# So many heartbeats may be late, or the clocks of two machines differ by so much, before a run counts as lost.
_BEATS_MISSED = 5


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
    """"lost" is what a reader makes of "running" where the report was not written again for too long."""
    problem: str | None = None
    """Why it failed, or when a lost one was last heard of."""
    heartbeat_seconds: float = Field(default=60.0, ge=0)
    """How often a running one is written."""
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
    def patience_seconds(self) -> float:
        """How old a running one may become before the run is taken for dead."""
        return _BEATS_MISSED * self.heartbeat_seconds

    def judged(self, *, now: datetime, written_at: datetime | None = None) -> RunReport:
        """The same, or one that says "lost" where a run that should be running was not heard of for too long.

        Args:
            now: By the reader's clock.
            written_at: When it was written by the clock of its storage, where that says; the later of this and
                `updated_at` counts, so that a run whose own machine's clock is slow is not taken for dead.
        """
        if self.outcome != "running":
            return self
        heard = max(filter(None, (datetime.fromisoformat(self.updated_at), written_at)))
        # Times are written in whole seconds.
        if (now - heard).total_seconds() <= self.patience_seconds + 1.0:
            return self
        said = f"ended without a word (last heard of at {heard:%Y-%m-%dT%H:%M:%SZ})"
        return self.model_copy(update={"outcome": "lost", "problem": said})

    @property
    def ended(self) -> int:
        """Sources that have their report."""
        return sum(self.counts.values())

    @property
    def rate(self) -> float | None:
        """Seconds of video a second; None where none was worked on."""
        return self.video_seconds / self.elapsed_seconds if self.video_seconds and self.elapsed_seconds else None
