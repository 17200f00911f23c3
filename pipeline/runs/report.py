"""The report of a run as a JSON model; its size does not grow with the number of videos."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from pipeline.execution.stage_times import StageSeconds

__all__ = ["Cause", "Outcome", "Period", "ProblemExample", "RunFacts", "RunReport", "SlowVideo"]

Outcome = Literal["running", "finished", "interrupted", "failed", "lost"]
# Number of late heartbeats after which a run counts as lost; it also allows for differences between two clocks.
_MAX_LATE_HEARTBEATS = 5


# The file may have been written by anybody: times that no clock can show are rejected.
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
    """Sources that have their report."""
    decode_seconds: _Seconds = 0.0
    """Time that readers worked."""
    encode_seconds: _Seconds = 0.0
    """Time that encoders worked."""


class SlowVideo(_Record):
    """A video that took a long time."""

    uri: str
    video_id: str | None
    status: str
    elapsed_seconds: _Seconds
    """Time from the first read to the last write."""
    duration_seconds: _Seconds
    frames_sampled: _Count


class ProblemExample(_Record):
    """A source and its problem."""

    uri: str
    problem: str


class Cause(_Record):
    """Problems of several videos that differ only in names and numbers."""

    cause: str
    """The problem without names and numbers."""
    videos: _Count
    examples: Annotated[tuple[ProblemExample, ...], Field(min_length=1)]
    """The first few videos with this problem."""


class RunFacts(_Record):
    """The facts about a run that are known when it begins."""

    run_id: str
    """Id of the run."""
    job_id: str | None = None
    """Id of the Ray job that runs it, if there is one."""
    momentseek: str
    """Version of momentseek."""
    library: str
    """The library's folder or URL."""
    encoder: str
    """Description of the encoder, for people."""
    fingerprints: dict[str, str]
    """Fingerprints of sampling, encoder and segmentation."""
    configuration: dict[str, Any]
    """The configuration with every default, as JSON values."""
    sources: _Count
    """Number of sources in the batch."""
    first_sources: tuple[str, ...]
    """The names of the first few."""


class RunReport(RunFacts):
    """A run: one pass over a batch under one configuration. Times are UTC, such as "2026-11-21T17:30:00Z"."""

    format: Literal[1] = 1
    outcome: Outcome
    """The state of the run; "lost" is what a reader reports in place of "running" if updates have stopped."""
    problem: str | None = None
    """Why the run failed, or when a lost run was last updated."""
    heartbeat_seconds: _Seconds = Field(default=60.0, ge=0)
    """Interval at which the report is written during the run."""
    started_at: _Time
    updated_at: _Time
    """When this report was written; for a run that has ended, its end."""
    elapsed_seconds: _Seconds
    counts: dict[str, _Count]
    """Number of sources by status."""
    video_seconds: _Seconds
    """Total length of the videos that are done or partial."""
    frames_decoded: _Count
    frames_seen: _Count
    frames_sampled: _Count
    segments: _Count
    stages: StageSeconds
    """Time that each stage took."""
    period_seconds: _Seconds
    """Length of a period."""
    periods: tuple[Period, ...]
    slowest: tuple[SlowVideo, ...]
    failures: tuple[Cause, ...] = Field(default=())
    """Causes of failures, most frequent first."""
    damage: tuple[Cause, ...] = Field(default=())
    """Causes of damage in partial videos, most frequent first."""
    peak_memory_bytes: _Count
    """Peak memory of the driver's process; workers are not included."""

    @property
    def lost_after_seconds(self) -> float:
        """The age at which the report of a running run counts as lost."""
        return _MAX_LATE_HEARTBEATS * self.heartbeat_seconds

    def judged(self, *, now: datetime, written_at: datetime | None = None) -> RunReport:
        """Return the report, with the outcome "lost" if the run should be running but was not updated for too long.

        Args:
            now: The time by the reader's clock.
            written_at: When the file was written by the clock of its storage, if known. The later of this and
                `updated_at` counts, so that a run is not taken for lost because its machine's clock is slow.
        """
        if self.outcome != "running":
            return self
        last_update = max(filter(None, (datetime.fromisoformat(self.updated_at), written_at)))
        # Times are written in whole seconds.
        if (now - last_update).total_seconds() <= self.lost_after_seconds + 1.0:
            return self
        problem = f"ended without a report (last updated at {last_update:%Y-%m-%dT%H:%M:%SZ})"
        return self.model_copy(update={"outcome": "lost", "problem": problem})

    @property
    def ended(self) -> int:
        """Number of sources that have their report."""
        return sum(self.counts.values())

    @property
    def rate(self) -> float | None:
        """Seconds of video per second; None if no video was processed."""
        return self.video_seconds / self.elapsed_seconds if self.video_seconds and self.elapsed_seconds else None
