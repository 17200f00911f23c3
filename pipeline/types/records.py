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
    rule = "a name consists of letters, digits, spaces and _ . : / -, and starts with a letter, a digit or _"
    return f"metadata {shown(name)}: {rule}"


class Status(StrEnum):
    """The result of processing a source; every source gets exactly one.

    `partial` is a damaged video of which everything that could be decoded was stored; `skipped` a source that needed no
    work.
    """

    DONE = "done"
    PARTIAL = "partial"
    SKIPPED = "skipped"
    FAILED = "failed"


@dataclass(frozen=True)
class Source:
    """A video to be indexed: its location and metadata.

    Attributes:
        uri: A path or URI, as the caller gave it. An empty or otherwise invalid one results in a failed report.
        metadata: Values for filters: JSON scalars by name.
    """

    uri: str
    metadata: Mapping[str, Scalar] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class VideoRecord:
    """The library's record of an indexed video.

    Attributes:
        video_id: The id computed from the video's content.
        names: Paths and URIs at which this content was found, in order of discovery, without those at which another
            video was found later.
        status: `done` or `partial`.
        info: The properties that the container states.
        duration_seconds: End of the last decoded frame.
        covered_seconds: Total duration of what could be decoded; less than the duration if the video is damaged.
        frame_count: Number of sampled frames.
        problem: Description of the damage if the status is `partial`.
        metadata: The metadata given when the video was indexed.
        former_names: Paths and URIs at which another video was found later.
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
        """The name to show for the video: the latest of its names, else of its former names, else its id."""
        return (self.names or self.former_names or (self.video_id,))[-1]


@dataclass(frozen=True, kw_only=True)
class FailedSource:
    """A source whose latest attempt failed.

    Attributes:
        source: The source; a path in it is absolute.
        problem: Readable description of the error.
        video_id: The id of the content; None if it could not be read.
        failed_at: Time of the failure in UTC, as "2026-11-21T17:00:00Z".
    """

    source: Source
    problem: str
    video_id: str | None
    failed_at: str


@dataclass(frozen=True, kw_only=True)
class VideoReport:
    """The report on processing one source.

    Attributes:
        source: The source.
        status: The result.
        problem: Readable reason if the status is not `done`.
        video_id: The id of the content; None if it could not be read.
        duration_seconds: End of the last decoded frame.
        covered_seconds: Total duration of what could be decoded.
        frames_decoded: Number of decoded pictures.
        frames_seen: Number of these that were passed to the sampler.
        frames_sampled: Number of frames that were encoded.
        largest_gap_seconds: Longest time that no sampled frame represents; shorter events can be missed.
        segments: Number of rows written to the index.
        elapsed_seconds: Time from the first read to the last write.
        replaced: Ids of videos that lost this name, since it now refers to another one.
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
