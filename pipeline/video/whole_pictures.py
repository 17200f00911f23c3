"""What the decoders share that give out whole pictures, one after another: OpenCV and decord."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass, field
from fractions import Fraction

import numpy as np
import numpy.typing as npt

from pipeline.errors import VideoDecodeError
from pipeline.packets import Packets, Span
from pipeline.types import Frame, Grid, Skip, VideoInfo
from pipeline.video.account import Account
from pipeline.video.container import Probe
from pipeline.video.packet_times import PacketTime
from pipeline.video.scaling import Scaler
from pipeline.video.window import shown_within

__all__ = ["Picture", "WholePictureStream"]

Picture = npt.NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class WholeFrame:
    """A `Frame` whose picture was converted to RGB already, at its own size.

    Attributes:
        pts: Ticks of the stream's time base.
        time: Seconds on the playback clock.
        duration: Seconds that it is shown, where the container says.
        is_keyframe: Whether it decodes alone.
        picture: uint8 (H, W, 3) RGB, turned as the scaler takes it.
        scaler: Scales it and turns it upright.
    """

    pts: int
    time: Fraction
    duration: Fraction | None
    is_keyframe: bool
    picture: Picture = field(repr=False)
    scaler: Scaler = field(repr=False)

    @property
    def width(self) -> int:
        """Pixels across, upright."""
        return self.scaler.orientation.upright_size(self.picture.shape[1], self.picture.shape[0])[0]

    @property
    def height(self) -> int:
        """Pixels down, upright."""
        return self.scaler.orientation.upright_size(self.picture.shape[1], self.picture.shape[0])[1]

    def rgb(self, width: int | None = None, height: int | None = None) -> Picture:
        """The picture, upright: uint8 (height, width, 3) RGB, read-only."""
        if (width or self.width, height or self.height) == (self.width, self.height):
            return self.scaler.orientation.upright(self.picture)
        import av

        return self.scaler.rgb(av.VideoFrame.from_ndarray(self.picture, format="rgb24"), width, height)

    def glance(self) -> npt.NDArray[np.uint8]:
        """The picture in a few points: uint8 (3, 36, 64) YCbCr."""
        import av

        return self.scaler.glance(av.VideoFrame.from_ndarray(self.picture, format="rgb24"))


class WholePictureStream(ABC):
    """A `VideoStream` that decodes from the beginning, whatever is wanted of it, and skips nothing.

    Args:
        probed: The vetted file.
        scaler: Turns what the library gives out upright.
    """

    def __init__(self, probed: Probe, scaler: Scaler) -> None:
        self._probe = probed
        self._account = Account(probed.frame_duration)
        self._scaler = scaler
        self._passes: list[Generator[Frame]] = []
        self._is_closed = False

    @abstractmethod
    def _pictures(self, account: Account) -> Generator[tuple[PacketTime, Picture]]:
        """All pictures with their exact times, in order; damage is told to the account."""

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
        """End of the last frame given out, on the playback clock."""
        return self._account.end_time

    @property
    def frames_decoded(self) -> int:
        """Pictures that `frames` has decoded so far, whether it gave them out or not."""
        return self._account.frames_decoded

    def frames(
        self,
        *,
        start: Fraction | None = None,
        end: Fraction | None = None,
        skip: Skip = Skip.NOTHING,
        grid: Grid | None = None,
    ) -> Iterator[Frame]:
        """Iterate over the frames shown in [start, end); nothing is skipped, and what comes before `start` is decoded.

        Raises:
            VideoDecodeError: Not one frame could be decoded though the whole stream was wanted.
            VideoReadError: The content changed before the whole stream was read.
            UnsupportedVideoError: The library's times cannot be trusted on this file.
            ValueError: The stream is closed.
        """
        del skip, grid
        if self._is_closed:
            raise ValueError(f"{self.info.uri!r} is closed; open it again")
        one_pass = self._shown(start, end)
        self._passes.append(one_pass)
        return one_pass

    def packets(self) -> Packets | None:
        """None: this backend leaves no packet undecoded."""
        return None

    def frames_within(self, spans: Sequence[Span], *, skip: Skip = Skip.NOTHING) -> Iterator[Frame]:
        """Not to be had of this backend.

        Raises:
            ValueError: Always.
        """
        del spans, skip
        raise ValueError(f"{self.info.uri!r}: this backend decodes every frame; use decoding.backend: pyav")

    def close(self) -> None:
        """Give the file and the decoder back."""
        self._is_closed = True
        for one_pass in self._passes:
            one_pass.close()
        self._passes.clear()
        self._probe.media.close()

    def __enter__(self) -> WholePictureStream:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def _shown(self, start: Fraction | None, end: Fraction | None) -> Generator[Frame]:
        account = self._account = Account(self._probe.frame_duration)
        for frame in shown_within(self._timed(account), start, end):
            account.give(frame.time, frame.duration)
            yield frame
        if start is not None or end is not None:
            return
        self._probe.media.check_unchanged()
        if account.is_empty:
            why = "; ".join(account.damage) or "the library gives no reason; try decoding.backend: pyav"
            problem = f"not one frame of its {self.info.codec} stream can be decoded: {why}"
            raise VideoDecodeError(self.info.uri, problem)

    def _timed(self, account: Account) -> Generator[WholeFrame]:
        last: Fraction | None = None
        for packet, picture in self._pictures(account):
            account.frames_decoded += 1
            time, duration = packet.seconds(self._probe)
            if last is None or time > last:
                yield WholeFrame(packet.pts, time, duration, packet.is_keyframe, picture, self._scaler)
                last = time
        account.check_end(None if self._probe.has_other_ends else self._probe.expected_end)
