"""The decord backend; exact times are taken from the packets, in order."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from pipeline.errors import UnsupportedVideoError
from pipeline.io.media import open_media
from pipeline.io.settings import Fetching
from pipeline.video.coverage import Coverage
from pipeline.video.picture import UPRIGHT, Scaler
from pipeline.video.probe import Probe, probe
from pipeline.video.sequential.stream import PacketTime, Picture, WholePictureStream, packet_times

if TYPE_CHECKING:
    from decord import VideoReader

__all__ = ["DecordDecoder", "DecordStream"]

# Recovered pictures are copies of others; this share of them is none, and decord raises.
_NO_RECOVERED_SHARE = 1e-9
# MPEG's clock has 33 bits; where it wraps around, FFmpeg counts on, or begins below zero.
_MPEG_CLOCK_TICKS = 2**33


@dataclass(frozen=True)
class DecordDecoder:
    """The `VideoDecoder` of decord, to reproduce decord's pictures; it stops at the first damage.

    Attributes:
        threads: Threads of FFmpeg's decoder.
        fetching: How remote videos are read; they are copied to the disk.
    """

    threads: int = 1
    fetching: Fetching = field(default_factory=Fetching)

    @property
    def name(self) -> str:
        """The backend's name in the configuration."""
        return "decord"

    def open(self, path: str) -> DecordStream:
        """Open a file, local or remote.

        Raises:
            VideoNotFoundError: There is no readable regular file at `path`.
            VideoReadError: Its place errs or stalls, or it is too large to be copied.
            UnsupportedVideoError: It is not a video, has no video stream, or decord cannot decode it rightly.
        """
        media = open_media(path, self.fetching, needs_path=True)
        try:
            stream = DecordStream(probe(media), self.threads)
            stream.check()
        except BaseException:
            media.close()
            raise
        return stream


class DecordStream(WholePictureStream):
    """A `VideoStream` decoded by decord, which keeps an index of all frames in memory and grows (its issues 157, 323).

    Its n-th frame is shown at the n-th of the packets' times. Where that is not so, the file is refused: where an edit
    list leaves frames out, pictures are mirrored, or decord counts another number of frames.

    Args:
        probed: The vetted file.
        threads: Threads of FFmpeg's decoder.
    """

    def __init__(self, probed: Probe, threads: int) -> None:
        super().__init__(probed, Scaler(UPRIGHT))
        self._threads = threads

    def check(self) -> None:
        """Check that decord reads the file correctly.

        Raises:
            UnsupportedVideoError: It does not.
        """
        uri = self.info.uri
        if not self._probe.orientation.is_rotation:
            problem = "its pictures are mirrored, which decord ignores; use decoding.backend: pyav"
            raise UnsupportedVideoError(uri, problem)
        reader = self._opened()
        times = [time.pts for time in packet_times(self._probe, takes_discarded=False)]
        if self._probe.may_restart and times and (times[0] < 0 or times[-1] >= _MPEG_CLOCK_TICKS):
            problem = "its clock wraps around, where decord loses pictures; use decoding.backend: pyav"
            raise UnsupportedVideoError(uri, problem)
        count = len(times)
        if len(reader) != count:
            raise UnsupportedVideoError(
                uri, f"decord counts {len(reader)} frames where there are {count}; use decoding.backend: pyav"
            )
        height, width = self._first(reader).shape[:2]
        if (width, height) != (self.info.width, self.info.height):
            raise UnsupportedVideoError(uri, "decord takes another of its video streams; use decoding.backend: pyav")

    def _pictures(self, coverage: Coverage) -> Generator[tuple[PacketTime, Picture]]:
        reader = self._opened()
        for packet in packet_times(self._probe, takes_discarded=False):
            try:
                picture = reader.next().asnumpy()
            except StopIteration:
                coverage.lose("decord gives out no more frames", packet.seconds(self._probe)[0])
                return
            except _decord_errors() as error:
                coverage.lose("decord cannot go on", packet.seconds(self._probe)[0], _first_line(error))
                return
            yield packet, np.ascontiguousarray(picture)

    def _first(self, reader: VideoReader) -> Picture:
        try:
            picture: Picture = reader.next().asnumpy()
        except _decord_errors(StopIteration) as error:
            problem = f"decord cannot decode its first picture ({_first_line(error)}); use decoding.backend: pyav"
            raise UnsupportedVideoError(self.info.uri, problem) from error
        return picture

    def _opened(self) -> VideoReader:
        import decord

        decord.logging.set_level(decord.logging.QUIET)
        try:
            return decord.VideoReader(
                str(self._probe.media.target()),
                ctx=decord.cpu(0),
                num_threads=self._threads,
                fault_tol=_NO_RECOVERED_SHARE,
            )
        except _decord_errors(RuntimeError, AssertionError, UnicodeError) as error:
            raise UnsupportedVideoError(
                self.info.uri,
                f"decord cannot decode its {self.info.codec} stream in {self.info.container} ({_first_line(error)});"
                " use decoding.backend: pyav",
            ) from error


def _decord_errors(*others: type[Exception]) -> tuple[type[Exception], ...]:
    from decord._ffi.base import DECORDError, DECORDLimitReachedError

    return DECORDError, DECORDLimitReachedError, *others


def _first_line(error: Exception) -> str:
    lines = str(error).strip().splitlines()
    return lines[0].rpartition("] ")[2][:120] if lines else type(error).__name__
