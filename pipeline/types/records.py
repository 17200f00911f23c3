"""Records of indexing: requested sources, reports, failures and indexed videos."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from pipeline.parsing import shown
from pipeline.types.video import VideoInfo

__all__ = ["FailedSource", "Scalar", "Source", "Status", "VideoRecord", "VideoReport", "name_problem"]

Scalar = str | int | float | bool

_NAME = re.compile(r"\w[\w .:/-]*")


def name_problem(name: str) -> str | None:
    """Explain why a metadata name is invalid; None for a valid one."""
    if _NAME.fullmatch(name):
        return None
    rule = "a name is made of letters, digits, spaces and _ . : / -, and begins with a letter, a digit or _"
    return f"metadata {shown(name)}: {rule}"


class Status(StrEnum):
    """How the work on one source ended; every source ends in exactly one.

    `partial` is a damaged video of which all that could be decoded is kept; `skipped` one that needed no work.
    """

    DONE = "done"
    PARTIAL = "partial"
    SKIPPED = "skipped"
    FAILED = "failed"


@dataclass(frozen=True)
class Source:
    """A video that a caller wants indexed: where it is, and what the caller knows of it.

    Attributes:
        uri: A path or URI, as the caller gave it. An empty one ends in a failed report, as other bad names do.
        metadata: Whatever the caller wants to filter by; JSON scalars by name.
    """

    uri: str
    metadata: Mapping[str, Scalar] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class VideoRecord:
    """The library's record of an indexed video.

    Attributes:
        video_id: From its content.
        names: Every path or URI under which this content was seen and no other was seen later, in order of arrival.
            Empty where all of them hold other videos by now.
        status: `done` or `partial`.
        info: What its container says.
        duration_seconds: End of the last decoded frame.
        covered_seconds: Length of what could be decoded; less than the duration where a video is damaged.
        frame_count: Sampled frames.
        problem: What was damaged, where the status is `partial`.
        metadata: What the caller said of it.
        former_names: Paths and URIs that hold another video by now, as far as indexing has shown.
    """

    video_id: str
    names: tuple[str, ...]
    status: Status
    info: VideoInfo
    duration_seconds: float
    covered_seconds: float
    frame_count: int
    problem: str | None = None
    metadata: Mapping[str, Scalar] = field(default_factory=dict)
    former_names: tuple[str, ...] = ()

    @property
    def last_name(self) -> str:
        """The name that people know the video by: the latest of its names, else of its former names, else its id."""
        return (self.names or self.former_names or (self.video_id,))[-1]


@dataclass(frozen=True, kw_only=True)
class FailedSource:
    """A source whose latest try failed.

    Attributes:
        source: What was asked for; a path in it is absolute.
        problem: Why; a sentence for people.
        video_id: The content's id, where it could be read.
        failed_at: When, in UTC, as "2026-11-21T17:00:00Z".
    """

    source: Source
    problem: str
    video_id: str | None
    failed_at: str


@dataclass(frozen=True, kw_only=True)
class VideoReport:
    """How the work on one source ended.

    Attributes:
        source: What was asked for.
        status: Its one end.
        problem: Why, where it is not `done`; a sentence for people.
        video_id: The content's id, where it could be read.
        duration_seconds: End of the last decoded frame.
        covered_seconds: Length of what could be decoded.
        frames_decoded: Pictures that were decoded.
        frames_seen: Those of them that the sampler looked at.
        frames_sampled: Frames that were encoded.
        largest_gap_seconds: Longest stretch that no sampled frame stands for: shorter events can be missed.
        segments: Rows written to the index.
        elapsed_seconds: From the first read to the last write.
        replaced: Ids of the videos that were at this place before, and do not go by this name any more.
    """

    source: Source
    status: Status
    problem: str | None = None
    video_id: str | None = None
    duration_seconds: float = 0.0
    covered_seconds: float = 0.0
    frames_decoded: int = 0
    frames_seen: int = 0
    frames_sampled: int = 0
    largest_gap_seconds: float = 0.0
    segments: int = 0
    elapsed_seconds: float = 0.0
    replaced: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if (self.problem is None) != (self.status is Status.DONE):
            raise ValueError(f"{self.source.uri!r}: status {self.status} with problem {self.problem!r}")
