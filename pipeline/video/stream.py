"""The base class of all backends' streams: their frames, damage, coverage and life cycle."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Generator, Iterable, Iterator
from fractions import Fraction
from typing import ClassVar, Self

from pipeline.errors import VideoDecodeError
from pipeline.types import Frame, Grid, Skip, VideoInfo
from pipeline.video.coverage import Coverage
from pipeline.video.interval import shown_within
from pipeline.video.picture import Scaler
from pipeline.video.probe import Probe

__all__ = ["ProbedStream"]


class ProbedStream(ABC):
    """The common part of all backends' `VideoStream`s; a backend decodes in `_shown` and lists its own packets.

    `damage`, `covered_seconds`, `end_time` and `frames_decoded` refer to the latest call of `frames` or
    `frames_within`.

    Args:
        probed: The checked file.
        scaler: Scales the decoded pictures and turns them upright.
    """

    _unexplained: ClassVar[str] = "it holds no picture"

    def __init__(self, probed: Probe, scaler: Scaler) -> None:
        self._probe = probed
        self._coverage = Coverage(probed.frame_duration)
        self._scaler = scaler
        self._passes: list[Generator[Frame]] = []
        self._is_closed = False

    @abstractmethod
    def _shown(self, start: Fraction | None, end: Fraction | None, skip: Skip, grid: Grid | None) -> Generator[Frame]:
        """Decode the frames for `frames`; set a new `Coverage` when the first frame is requested."""

    @property
    def probed(self) -> Probe:
        """The checked file."""
        return self._probe

    @property
    def info(self) -> VideoInfo:
        """Properties of the best video stream, as the container states them."""
        return self._probe.info

    @property
    def damage(self) -> tuple[str, ...]:
        """Descriptions of damage found so far, with times."""
        return self._coverage.damage

    @property
    def covered_seconds(self) -> float:
        """Length of the decoded frames so far, without gaps."""
        return self._coverage.covered_seconds

    @property
    def end_time(self) -> Fraction:
        """End of the last frame given out, on the playback clock, including frames skipped on purpose after it."""
        return self._coverage.end_time

    @property
    def frames_decoded(self) -> int:
        """Number of pictures decoded so far, whether given out or not."""
        return self._coverage.frames_decoded

    def frames(
        self,
        *,
        start: Fraction | None = None,
        end: Fraction | None = None,
        skip: Skip = Skip.NOTHING,
        grid: Grid | None = None,
    ) -> Iterator[Frame]:
        """Iterate over the frames shown in [start, end), beginning with the one that is on screen at `start`.

        A backend that always decodes all frames ignores `skip` and `grid`, and also decodes the frames before `start`.

        Raises:
            VideoDecodeError: No frame could be decoded, although the whole stream was requested.
            VideoReadError: The server or store fails or stalls, or the content changed before the whole stream was
                read.
            UnsupportedVideoError: The backend's times cannot be trusted on this file.
            ValueError: The stream is closed.
        """
        self._check_open()
        return self._tracked(self._shown(start, end, skip, grid))

    def close(self) -> None:
        """Close the file and the decoder."""
        self._is_closed = True
        for one_pass in self._passes:
            one_pass.close()
        self._passes.clear()
        self._probe.media.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def _check_open(self) -> None:
        if self._is_closed:
            raise ValueError(f"{self.info.uri!r} is closed; open it again")

    def _tracked(self, one_pass: Generator[Frame]) -> Generator[Frame]:
        """Register a pass over the file, to be closed with the stream."""
        self._passes.append(one_pass)
        return one_pass

    def _counted(
        self, decoded: Iterable[Frame], coverage: Coverage, start: Fraction | None, end: Fraction | None
    ) -> Generator[Frame]:
        """Yield and count the decoded frames shown in [start, end); after the whole stream, check its completeness."""
        for frame in shown_within(decoded, start, end):
            coverage.give(frame.time, frame.duration)
            yield frame
        if start is not None or end is not None:
            return
        self._probe.media.check_unchanged()
        if coverage.is_empty:
            reason = "; ".join(coverage.damage) or self._unexplained
            problem = f"no frame of its {self.info.codec} stream can be decoded: {reason}"
            raise VideoDecodeError(self.info.uri, problem)
