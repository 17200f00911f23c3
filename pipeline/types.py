"""The value types that flow through the pipeline, and their invariants.

Times: a `Fraction` is an exact time on the video's playback clock, whose zero is the container's start time (what a
player shows as 0:00); a float named `..._seconds` is the same, rounded. Intervals are half-open. Arrays are read-only.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from fractions import Fraction
from typing import Protocol

import numpy as np
import numpy.typing as npt

__all__ = [
    "FailedSource",
    "Frame",
    "FrameEmbeddings",
    "Grid",
    "IndexedSegment",
    "Moment",
    "Provenance",
    "Scalar",
    "Segment",
    "Share",
    "Skip",
    "Source",
    "Status",
    "VideoInfo",
    "VideoRecord",
    "VideoReport",
]

Scalar = str | int | float | bool


class Skip(StrEnum):
    """What a decoder may leave undecoded, from nothing to all but keyframes."""

    NOTHING = "nothing"
    NON_REFERENCE = "non_reference"
    DRAFT = "draft"
    """Non-reference frames and the loop filter: pictures are a little off, and good to compare."""
    NON_KEY = "non_key"


@dataclass(frozen=True)
class Grid:
    """Points k / rate of the playback clock at which frames are wanted, and no others.

    Attributes:
        rate: Points a second.
        tolerance: Seconds by which a frame may miss its point where that saves decoding, and look a little coarser; 0
            for the frame on screen.
    """

    rate: Fraction
    tolerance: Fraction = Fraction(0)

    def __post_init__(self) -> None:
        if self.rate <= 0 or self.tolerance < 0:
            raise ValueError(f"not a grid: {self.rate} points a second, give or take {self.tolerance} s")


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
class VideoInfo:
    """What a container says of its best video stream. It may lie: never allocate from it.

    Attributes:
        uri: Where the video is.
        container: FFmpeg's name of the format, as "mov,mp4,m4a,3gp,3g2,mj2".
        codec: FFmpeg's name of the codec, as "h264".
        width: Pixels across, upright.
        height: Pixels down, upright.
        rotation_degrees: Clockwise turn that makes the coded picture upright: 0, 90, 180 or 270.
        time_base: Seconds of one pts tick.
        start_time: Raw time of the playback clock's zero; a frame's time is pts * time_base - start_time.
        average_rate: Frames a second on average, where the container says.
        duration_seconds: Length of the video stream, where the container says.
    """

    uri: str
    container: str
    codec: str
    width: int
    height: int
    rotation_degrees: int
    time_base: Fraction
    start_time: Fraction
    average_rate: Fraction | None
    duration_seconds: float | None

    def __post_init__(self) -> None:
        if self.width < 1 or self.height < 1:
            raise ValueError(f"a video needs a size, got {self.width} x {self.height}")
        if self.rotation_degrees not in (0, 90, 180, 270):
            raise ValueError(f"a rotation is 0, 90, 180 or 270 degrees, got {self.rotation_degrees}")
        if self.time_base <= 0:
            raise ValueError(f"a time base is positive, got {self.time_base}")


class Frame(Protocol):
    """One decoded picture with its exact time; its pixels are converted only when they are asked for."""

    @property
    def pts(self) -> int:
        """Presentation timestamp in ticks of the stream's time base."""

    @property
    def time(self) -> Fraction:
        """Seconds on the playback clock."""

    @property
    def is_keyframe(self) -> bool:
        """Whether it decodes alone (an I-frame that starts a group of pictures)."""

    @property
    def width(self) -> int:
        """Pixels across, upright."""

    @property
    def height(self) -> int:
        """Pixels down, upright."""

    def rgb(self, width: int | None = None, height: int | None = None) -> npt.NDArray[np.uint8]:
        """The picture, upright, scaled by the decoder's own scaler (bicubic) where a size is given.

        Returns:
            uint8 (height, width, 3) RGB, read-only.
        """

    def glance(self) -> npt.NDArray[np.uint8]:
        """The picture in 64 x 36 points, fast to have: enough to tell whether two frames of a video differ.

        Returns:
            uint8 (3, 36, 64): brightness and two differences of colour, of the picture as coded, not turned upright.
        """


@dataclass(frozen=True, kw_only=True)
class Share:
    """The frames of one of several samplings that a video was decoded for at once.

    Attributes:
        pts: int64 (M,) ticks, increasing.
        times_seconds: float64 (M,) seconds on the playback clock.
        cuts_seconds: First frame of each new shot; None where cuts were not looked for.
        seen_until_seconds: float64 (M,), as of `FrameEmbeddings`; None where frames stand for their own time alone.
    """

    pts: npt.NDArray[np.int64]
    times_seconds: npt.NDArray[np.float64]
    cuts_seconds: tuple[float, ...] | None
    seen_until_seconds: npt.NDArray[np.float64] | None


@dataclass(frozen=True, kw_only=True)
class FrameEmbeddings:
    """The embeddings of one video's sampled frames: the record from which all else is rebuilt.

    Attributes:
        video_id: The video's id, from its content.
        pts: int64 (N,) ticks, strictly increasing.
        time_base: Seconds of one tick.
        times_seconds: float64 (N,) seconds on the playback clock, strictly increasing.
        vectors: float32 (N, D), each row of unit length.
        cuts_seconds: First frame of each new shot, increasing; None where cuts were not looked for.
        duration_seconds: End of the last frame that could be decoded, on the playback clock.
        seen_until_seconds: float64 (N,), for each frame the last time at which the picture was seen to be still the
            same, no earlier than the frame and before the next one; None where frames stand for their own time alone.
        shares: What each of several samplings took, where several were done at once; nothing that is kept.
    """

    video_id: str
    pts: npt.NDArray[np.int64]
    time_base: Fraction
    times_seconds: npt.NDArray[np.float64]
    vectors: npt.NDArray[np.float32]
    cuts_seconds: tuple[float, ...] | None
    duration_seconds: float
    seen_until_seconds: npt.NDArray[np.float64] | None = None
    shares: tuple[Share, ...] = ()

    def __post_init__(self) -> None:
        count = len(self.pts)
        if self.vectors.ndim != 2 or not len(self.times_seconds) == len(self.vectors) == count:
            raise ValueError(
                f"{self.video_id}: {count} pts, {self.times_seconds.shape} times, {self.vectors.shape} vectors"
            )
        if count > 1 and not bool((np.diff(self.times_seconds) > 0).all() and (np.diff(self.pts) > 0).all()):
            raise ValueError(f"{self.video_id}: the times of sampled frames must increase strictly")
        self._check_seen_until()
        # numpy.linalg.norm would square a copy of them all.
        lengths = np.sqrt(np.einsum("ij,ij->i", self.vectors, self.vectors))
        if not bool(np.all(np.abs(lengths - 1.0) < 1e-3)):
            worst = int(np.nanargmax(np.where(np.isfinite(lengths), np.abs(lengths - 1.0), np.inf)))
            raise ValueError(
                f"{self.video_id}: the embedding of the frame at {self.times_seconds[worst]:.3f} s is not a unit vector"
                f" (length {lengths[worst]})"
            )
        for array in (self.pts, self.times_seconds, self.vectors):
            array.setflags(write=False)

    def _check_seen_until(self) -> None:
        until = self.seen_until_seconds
        if until is None:
            return
        times = self.times_seconds
        if until.shape != times.shape or not bool((until >= times).all() and (until[:-1] < times[1:]).all()):
            raise ValueError(f"{self.video_id}: a frame is seen from its own time until before that of the next one")
        until.setflags(write=False)

    def __len__(self) -> int:
        return len(self.pts)

    def __repr__(self) -> str:
        return f"FrameEmbeddings({self.video_id}, vectors{self.vectors.shape}, {self.duration_seconds:.3f} s)"


@dataclass(frozen=True, order=True)
class Segment:
    """The half-open interval [start, end) of a video that is indexed: one row, one embedding."""

    video_id: str
    start_seconds: float
    end_seconds: float
    ordinal: int

    def __post_init__(self) -> None:
        if not (0 <= self.start_seconds < self.end_seconds and math.isfinite(self.end_seconds)):
            raise ValueError(f"{self.video_id}: not an interval: [{self.start_seconds}, {self.end_seconds})")


@dataclass(frozen=True)
class IndexedSegment:
    """A row of the index.

    Attributes:
        key: From video id, segmentation fingerprint and ordinal; writing it twice changes nothing.
        segment: What it stands for.
        vector: float32 (D,) of unit length.
        metadata: What the caller said of the video; JSON scalars by name.
    """

    key: str
    segment: Segment
    vector: npt.NDArray[np.float32]
    metadata: Mapping[str, Scalar] = field(default_factory=dict)

    def __post_init__(self) -> None:
        length = float(np.linalg.norm(self.vector))
        if self.vector.ndim != 1 or not abs(length - 1.0) < 1e-3:
            raise ValueError(f"{self.key}: not a unit vector: shape {self.vector.shape}, length {length}")
        self.vector.setflags(write=False)

    def __repr__(self) -> str:
        return f"IndexedSegment({self.key}, {self.segment}, vector{self.vector.shape})"


@dataclass(frozen=True)
class Provenance:
    """What a result was computed from.

    Attributes:
        sampling: Fingerprint of the sampling whose frames were looked at.
        encoder: Of the encoder whose embeddings they are.
        segmentation: Of what made the index's rows of them.
    """

    sampling: str
    encoder: str
    segmentation: str


@dataclass(frozen=True, kw_only=True)
class Moment:
    """What a search returns: an interval of a video, its best frame and how well it answers.

    Attributes:
        video_id: The video's id.
        uri: A place where the video was when it was indexed.
        start_seconds: Where it begins, included.
        end_seconds: Where it ends, not included.
        best_seconds: Time of its best frame.
        score: How likely its best frame shows what was asked for, 0 to 1; comparable between questions and libraries.
        cosine: Of the best frame with what was asked for, -1 to 1; of several things, the least.
        start_uncertainty_seconds: How far its true start may be away, either way, if its frames were judged rightly.
        end_uncertainty_seconds: The same of its end.
        best_pts: The best frame's presentation timestamp.
        time_base: Seconds a unit of it.
        provenance: What its frames and rows are of.
        steps: Where things were asked for one after another, the moments of these; this one spans them all, and its
            best frame is that of the first.
        copies: The same pictures in other videos, which were left out in favour of this one.
    """

    video_id: str
    uri: str
    start_seconds: float
    end_seconds: float
    best_seconds: float
    score: float
    cosine: float = 0.0
    start_uncertainty_seconds: float = 0.0
    end_uncertainty_seconds: float = 0.0
    best_pts: int = 0
    time_base: Fraction = Fraction(1)
    provenance: Provenance | None = None
    steps: tuple[Moment, ...] = ()
    copies: tuple[Moment, ...] = ()


@dataclass(frozen=True, kw_only=True)
class VideoRecord:
    """What the library knows of a video it holds.

    Attributes:
        video_id: From its content.
        names: Every path or URI under which this content was seen, in order of arrival.
        status: `done` or `partial`.
        info: What its container says.
        duration_seconds: End of the last decoded frame.
        covered_seconds: Length of what could be decoded; less than the duration where a video is damaged.
        frame_count: Sampled frames.
        problem: What was damaged, where the status is `partial`.
        metadata: What the caller said of it.
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

    def __post_init__(self) -> None:
        if (self.problem is None) != (self.status is Status.DONE):
            raise ValueError(f"{self.source.uri!r}: status {self.status} with problem {self.problem!r}")
