"""The protocols of decoders: `VideoDecoder` opens videos, `VideoStream` reads their frames."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from fractions import Fraction
from typing import Protocol

from pipeline.types import Frame, Grid, Skip, VideoInfo
from pipeline.types.packets import Packets, Span

__all__ = ["VideoDecoder", "VideoStream"]


class VideoStream(Protocol):
    """An open video. It is a context manager, and closing it twice is harmless."""

    @property
    def info(self) -> VideoInfo:
        """Properties of the best video stream, as the container states them."""

    @property
    def damage(self) -> tuple[str, ...]:
        """Descriptions of damage found so far, with times; complete when `frames` is exhausted.

        A file that ends before the end that its container states is damaged, too.
        """

    @property
    def covered_seconds(self) -> float:
        """Total duration of what `frames` has decoded so far, without gaps."""

    @property
    def end_time(self) -> Fraction:
        """End of the last frame given out, on the playback clock: its time and its duration."""

    @property
    def frames_decoded(self) -> int:
        """Number of pictures that `frames` has decoded so far, including those that it did not give out."""

    def frames(
        self,
        *,
        start: Fraction | None = None,
        end: Fraction | None = None,
        skip: Skip = Skip.NOTHING,
        grid: Grid | None = None,
    ) -> Iterator[Frame]:
        """Iterate over the frames shown in [start, end), in presentation order, in bounded memory.

        Times increase strictly, and pictures are upright. Frames that `skip` allows to leave out may be missing. Damage
        inside the stream is skipped and recorded in `damage`.

        Args:
            start: Start of the interval; None for the beginning of the video.
            end: End of the interval; None for the end of the video.
            skip: Which frames may be left out.
            grid: Points at which frames are needed, if the whole stream is read. All other frames may be left out,
                except the first one and the last two. Needed is the frame on screen at each point, or with a tolerance,
                the nearest one within it. A backend that cannot leave frames out returns all of them.

        Raises:
            VideoDecodeError: No frame could be decoded, although the whole stream was requested.
            VideoReadError: The server or store fails or stalls; or the content changed before the whole stream was
                read, and the frames given out may come from both versions.
        """

    def packets(self) -> Packets | None:
        """List all packets, without decoding any; None if the backend or the file does not support it."""

    def frames_within(self, spans: Sequence[Span], *, skip: Skip = Skip.NOTHING) -> Iterator[Frame]:
        """Iterate over the frames whose time is within one of the spans; only the packets that they need are decoded.

        Args:
            spans: Time spans in order; they must not touch each other.
            skip: Which frames may be left out.

        Raises:
            ValueError: `packets` is None.
        """

    def close(self) -> None:
        """Close the file and the decoder."""

    def __enter__(self) -> VideoStream: ...

    def __exit__(self, *exc: object) -> None: ...


class VideoDecoder(Protocol):
    """Opens videos; cheap to construct and to pickle."""

    @property
    def name(self) -> str:
        """The backend's name in the configuration."""

    def open(self, path: str) -> VideoStream:
        """Open a regular local file, or a remote one at a URI that fsspec supports.

        Raises:
            VideoNotFoundError: There is no readable regular file at `path`.
            VideoReadError: The server or store fails or stalls.
            UnsupportedVideoError: The file is not a video, has no video stream, or this backend cannot decode it
                correctly.
        """
