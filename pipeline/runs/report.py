"""The report of a run as a JSON model; its size does not grow with the number of videos."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from pipeline.execution.stage_times import StageSeconds

__all__ = ["Cause", "Example", "Outcome", "Period", "RunFacts", "RunReport", "SlowVideo"]

Outcome = Literal["running", "finished", "interrupted", "failed", "lost"]
# So many heartbeats may be late, or the clocks of two machines differ by so much, before a run counts as lost.
_BEATS_MISSED = 5


# Whoever wrote the file may have written anything: such as no clock shows are none of ours.
_Seconds = Annotated[float, Field(ge=-(2.0**63), le=2.0**63, allow_inf_nan=False)]
_Count = Annotated[int, Field(ge=-(2**63), lt=2**63)]
_Time = Annotated[str, Field(pattern=r"^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}Z$")]


class _Record(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")


class Period(_Record):
    """The work done in one period of a run; all periods but the last have the same length."""

    seconds_decoded: _Seconds = 0.0
    """Seconds of video decoded."""
    frames_sampled: _Count = 0
    """Frames handed to the encoder."""
    videos_ended: _Count = 0
    """Sources that got their report."""
    decode_seconds: _Seconds = 0.0
    """Work of readers."""
    encode_seconds: _Seconds = 0.0
    """Work of encoders."""


class SlowVideo(_Record):
    """A video that took long."""

    uri: str
    video_id: str | None
    status: str
    elapsed_seconds: _Seconds
    """From the first read to the last write."""
    duration_seconds: _Seconds
    frames_sampled: _Count


class Example(_Record):
    """A source and what was wrong with it."""

    uri: str
    problem: str


class Cause(_Record):
    """Problems of several videos that read the same but for names and numbers."""

    cause: str
    """The problem, its names and numbers left out."""
    videos: _Count
    examples: Annotated[tuple[Example, ...], Field(min_length=1)]
    """The first few."""


class RunFacts(_Record):
    """The facts about a run that are known when it begins."""

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
    sources: _Count
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
    heartbeat_seconds: _Seconds = Field(default=60.0, ge=0)
    """How often a running one is written."""
    started_at: _Time
    updated_at: _Time
    """When this was written; the end, where the run has ended."""
    elapsed_seconds: _Seconds
    counts: dict[str, _Count]
    """Sources by how they ended."""
    video_seconds: _Seconds
    """Length of the videos that are done or partial."""
    frames_decoded: _Count
    frames_seen: _Count
    frames_sampled: _Count
    segments: _Count
    stages: StageSeconds
    """What each stage took."""
    period_seconds: _Seconds
    """Length of a period."""
    periods: tuple[Period, ...]
    slowest: tuple[SlowVideo, ...]
    failures: tuple[Cause, ...] = Field(default=())
    """Most frequent first."""
    damage: tuple[Cause, ...] = Field(default=())
    """What was wrong with videos that were kept in part; most frequent first."""
    peak_memory_bytes: _Count
    """Most that the driver's process held at once; workers not counted."""

    @property
    def patience_seconds(self) -> float:
        """The age at which the report of a running run counts as lost."""
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
