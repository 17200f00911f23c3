"""The decord backend; exact times come from the packets, in order."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from pipeline.errors import UnsupportedVideoError
from pipeline.io.settings import Fetching
from pipeline.optional_packages import require
from pipeline.video.coverage import Coverage
from pipeline.video.picture import UPRIGHT, Scaler
from pipeline.video.probe import Probe
from pipeline.video.sequential.stream import PacketTime, Picture, WholePictureStream, open_checked, packet_times

if TYPE_CHECKING:
    from decord import VideoReader

__all__ = ["DecordDecoder", "DecordStream"]

# decord replaces frames that it cannot decode by copies of others, up to this share of them; 0 would mean no limit.
_NO_RECOVERED_SHARE = 1e-9
# MPEG's clock has 33 bits. If it wraps around, FFmpeg continues to count, or starts with negative times.
_MPEG_CLOCK_TICKS = 2**33


@dataclass(frozen=True)
class DecordDecoder:
    """A `VideoDecoder` that uses decord, to reproduce its pictures exactly; decoding ends at the first damage.

    Attributes:
        threads: Number of threads of FFmpeg's decoder.
        fetching: Settings for reading remote videos, which are copied to the disk.
    """

    threads: int = 1
    fetching: Fetching = field(default_factory=Fetching)

    @property
    def name(self) -> str:
        """The backend's name in the configuration."""
        return "decord"

    def open(self, path: str) -> DecordStream:
        """Open a local or remote file; see `open_checked` for the errors that it raises."""
        require("decoding.backend: decord", "decord", "av")
        return open_checked(DecordStream, path, threads=self.threads, fetching=self.fetching)


class DecordStream(WholePictureStream):
    """A `VideoStream` decoded by decord, which indexes all frames in memory and leaks memory (its issues 157, 323).

    The n-th frame gets the n-th presentation time of the packets. Files for which this would be wrong are rejected: an
    edit list leaves frames out, pictures are mirrored, or decord counts another number of frames.

    Args:
        probed: The checked file.
        threads: Number of threads of FFmpeg's decoder.
    """

    def __init__(self, probed: Probe, threads: int) -> None:
        super().__init__(probed, threads, Scaler(UPRIGHT))

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
            problem = "its clock wraps around, and decord loses pictures there; use decoding.backend: pyav"
            raise UnsupportedVideoError(uri, problem)
        count = len(times)
        if len(reader) != count:
            raise UnsupportedVideoError(
                uri, f"decord counts {len(reader)} frames, but there are {count}; use decoding.backend: pyav"
            )
        height, width = self._first(reader).shape[:2]
        if (width, height) != (self.info.width, self.info.height):
            raise UnsupportedVideoError(uri, "decord reads another of its video streams; use decoding.backend: pyav")

    def _pictures(self, coverage: Coverage) -> Generator[tuple[PacketTime, Picture]]:
        reader = self._opened()
        for packet in packet_times(self._probe, takes_discarded=False):
            try:
                picture = reader.next().asnumpy()
            except StopIteration:
                coverage.lose("decord returns no more frames", packet.seconds(self._probe)[0])
                return
            except _decord_errors() as error:
                coverage.lose("decord cannot continue", packet.seconds(self._probe)[0], _first_line(error))
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
