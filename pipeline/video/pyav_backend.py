"""Decoding with PyAV: exact times, and the most that can be had of damaged files."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from dataclasses import dataclass, field
from fractions import Fraction
from typing import TYPE_CHECKING, Literal

import numpy as np
import numpy.typing as npt

from pipeline.errors import VideoDecodeError
from pipeline.types import Frame, Skip, VideoInfo
from pipeline.video.account import Account
from pipeline.video.container import Probe, open_stream, probe, reason_of
from pipeline.video.scaling import Scaler
from pipeline.video.window import shown_within

if TYPE_CHECKING:
    import av
    from av.container import InputContainer
    from av.packet import Packet
    from av.video.stream import VideoStream

__all__ = ["PyAVDecoder", "PyAVStream"]

_SKIPS: dict[Skip, Literal["NONREF", "NONKEY"]] = {Skip.NON_REFERENCE: "NONREF", Skip.NON_KEY: "NONKEY"}
_READ_ERRORS_IN_A_ROW = 20
# A seek may land behind its target; then one further back is tried, and at last the whole file is decoded.
_SEEK_BACK_SECONDS = (0, 15)
_SEEK_FROM_SECONDS = 1
_TOLERANCE_SECONDS = Fraction(1, 4)


@dataclass(frozen=True, slots=True)
class PyAVFrame:
    """A `Frame` that holds the decoder's own picture."""

    pts: int
    time: Fraction
    _picture: av.VideoFrame = field(repr=False)
    _scaler: Scaler = field(repr=False)
    width: int
    height: int

    @property
    def is_keyframe(self) -> bool:
        """Whether it decodes alone."""
        return bool(self._picture.key_frame)

    def rgb(self, width: int | None = None, height: int | None = None) -> npt.NDArray[np.uint8]:
        """The picture, upright: uint8 (height, width, 3) RGB, read-only."""
        return self._scaler.rgb(self._picture, width, height)


@dataclass(frozen=True)
class PyAVDecoder:
    """The default `VideoDecoder`.

    Attributes:
        threads: Threads of FFmpeg's decoder; more than one makes single videos faster and a batch no faster.
    """

    threads: int = 1

    @property
    def name(self) -> str:
        """The backend's name in the configuration."""
        return "pyav"

    def open(self, path: str) -> PyAVStream:
        """Open a regular local file.

        Raises:
            VideoNotFoundError: There is no readable regular file at `path`.
            UnsupportedVideoError: It is not a video, has no video stream, or none with a known codec.
        """
        return PyAVStream(probe(path), self.threads)


class PyAVStream:
    """A `VideoStream` decoded by PyAV; `damage`, `covered_seconds` and `end_time` are of the latest call of `frames`.

    Args:
        probed: The vetted file.
        threads: Threads of FFmpeg's decoder.
    """

    def __init__(self, probed: Probe, threads: int) -> None:
        self._probe = probed
        self._threads = threads
        self._account = Account(probed.frame_duration)
        self._scaler = Scaler(probed.orientation)
        self._passes: list[Generator[Frame]] = []
        self._is_closed = False

    @property
    def info(self) -> VideoInfo:
        """What the container says of the best video stream."""
        return self._probe.info

    @property
    def damage(self) -> tuple[str, ...]:
        """What could not be decoded so far, a sentence each, with its time."""
        return self._account.damage

    @property
    def covered_seconds(self) -> float:
        """Length of what `frames` has decoded so far, gaps left out."""
        return self._account.covered_seconds

    @property
    def end_time(self) -> Fraction:
        """End of the last frame given out, on the playback clock; skipped frames behind it count."""
        return self._account.end_time

    def frames(
        self, *, start: Fraction | None = None, end: Fraction | None = None, skip: Skip = Skip.NOTHING
    ) -> Iterator[Frame]:
        """Iterate over the frames shown in [start, end): the first is the one that is on screen at `start`.

        Raises:
            VideoDecodeError: Not one frame could be decoded though the whole stream was wanted.
            ValueError: The stream is closed.
        """
        if self._is_closed:
            raise ValueError(f"{self.info.uri!r} is closed; open it again")
        self._account = Account(self._probe.frame_duration)
        one_pass = self._frames(start, end, skip)
        self._passes.append(one_pass)
        return one_pass

    def close(self) -> None:
        """Give the file and the decoder back."""
        self._is_closed = True
        for one_pass in self._passes:
            one_pass.close()
        self._passes.clear()

    def __enter__(self) -> PyAVStream:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def _frames(self, start: Fraction | None, end: Fraction | None, skip: Skip) -> Generator[Frame]:
        account = self._account
        if start is None or start <= _SEEK_FROM_SECONDS:
            decoded = self._decoded(None, skip, account)
        else:
            decoded = self._decoded_from(start, skip, account)
        yield from shown_within(decoded, start, end, account)
        if start is None and end is None and account.is_empty:
            why = "; ".join(account.damage) or "it holds no picture"
            raise VideoDecodeError(
                self.info.uri, f"not one frame of its {self.info.codec} stream can be decoded: {why}"
            )

    def _decoded_from(self, start: Fraction, skip: Skip, account: Account) -> Iterator[tuple[Frame, Fraction | None]]:
        for back in _SEEK_BACK_SECONDS:
            attempt = Account(self._probe.frame_duration)
            decoded = self._decoded(start - back, skip, attempt)
            first = next(decoded, None)
            if first is not None and first[0].time <= start:
                account.take_over(attempt)
                yield first
                yield from decoded
                return
        yield from self._decoded(None, skip, account)

    def _decoded(
        self, seek_to: Fraction | None, skip: Skip, account: Account
    ) -> Generator[tuple[Frame, Fraction | None]]:
        """Frames in presentation order, with their duration where the container says."""
        with open_stream(self._probe, reads_all=self._probe.has_other_ends) as (container, stream):
            context = stream.codec_context
            context.thread_count = self._threads
            context.thread_type = "SLICE" if self._threads == 1 else "AUTO"
            if skip in _SKIPS:
                context.skip_frame = _SKIPS[skip]
            if seek_to is not None and not self._seek(container, stream, seek_to):
                return
            reader = _Reader(self._probe, container, stream, account, is_skipping=skip in _SKIPS)
            last = None
            for picture in reader.pictures():
                frame, duration = self._frame(picture, account, last)
                if frame is not None:
                    last = frame
                    yield frame, duration
            reader.check_end()

    def _seek(self, container: InputContainer, stream: VideoStream, time: Fraction) -> bool:
        import av

        ticks = (max(time, Fraction(0)) + self.info.start_time) / self.info.time_base
        try:
            container.seek(int(ticks), stream=stream)
        except av.FFmpegError:
            return False
        return True
