"""The protocols of decoders: `VideoDecoder` opens videos, `VideoStream` reads their frames."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from fractions import Fraction
from typing import Protocol

from pipeline.types import Frame, Grid, Skip, VideoInfo
from pipeline.types.packets import Packets, Span

__all__ = ["VideoDecoder", "VideoStream"]


class VideoStream(Protocol):
    """One open video. A context manager; closing it twice is harmless."""

    @property
    def info(self) -> VideoInfo:
        """Properties of the best video stream, as the container states them."""

    @property
    def damage(self) -> tuple[str, ...]:
        """What could not be decoded so far, a sentence each, with its time; complete once `frames` is exhausted.

        A file that ends before its container said it would is damaged, too.
        """

    @property
    def covered_seconds(self) -> float:
        """Length of what `frames` has decoded so far, gaps left out."""

    @property
    def end_time(self) -> Fraction:
        """End of the last frame given out, on the playback clock: its time and its duration."""

    @property
    def frames_decoded(self) -> int:
        """Pictures that `frames` has decoded so far, whether it gave them out or not."""

    def frames(
        self,
        *,
        start: Fraction | None = None,
        end: Fraction | None = None,
        skip: Skip = Skip.NOTHING,
        grid: Grid | None = None,
    ) -> Iterator[Frame]:
        """Iterate over the frames shown in [start, end), in presentation order, in bounded memory.

        Times increase strictly, pictures are upright, and what `skip` allows may be missing. Damage inside the stream
        is passed over and noted in `damage`.

        Args:
            start: First moment of interest; None for the beginning.
            end: Moment at which interest ends; None for the end of the video.
            skip: What may be left out.
            grid: The points at which frames are wanted, where the whole stream is read: all frames but those on screen
                at them (those nearest to them, within its tolerance), the first one and the last two may be left out.
                A backend that cannot leave any out gives all.

        Raises:
            VideoDecodeError: Not one frame could be decoded though the whole stream was wanted.
            VideoReadError: The place of a remote video errs or stalls, or the content changed before the whole stream
                was read; then what was given out so far may be of two contents.
        """

    def packets(self) -> Packets | None:
        """List all packets, without decoding any; None where the backend or the file cannot say."""

    def frames_within(self, spans: Sequence[Span], *, skip: Skip = Skip.NOTHING) -> Iterator[Frame]:
        """Iterate over the frames whose time lies in one of some spans; only what these need is decoded.

        Args:
            spans: In their order, none touching another.
            skip: What may be left out of them.

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
        """Open a regular local file, or one at a URI that fsspec knows.

        Raises:
            VideoNotFoundError: There is no readable regular file at `path`.
            VideoReadError: It is remote, and its place errs or stalls.
            UnsupportedVideoError: It is not a video, has no video stream, or this backend cannot decode it rightly.
        """
