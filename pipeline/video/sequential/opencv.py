"""The OpenCV backend; its times are compared with those of the packets."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import closing
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from pipeline.errors import UnsupportedVideoError
from pipeline.io.settings import Fetching
from pipeline.optional_packages import require
from pipeline.video.coverage import Coverage
from pipeline.video.picture import Scaler
from pipeline.video.probe import Probe
from pipeline.video.sequential.stream import PacketTime, Picture, WholePictureStream, open_checked, packet_times

if TYPE_CHECKING:
    import cv2

__all__ = ["OpenCVDecoder", "OpenCVStream"]


@dataclass(frozen=True)
class OpenCVDecoder:
    """A `VideoDecoder` that uses OpenCV, to reproduce its pictures exactly; decoding ends at the first damage.

    Attributes:
        threads: Number of threads of FFmpeg's decoder.
        fetching: Settings for reading remote videos, which are copied to the disk.
    """

    threads: int = 1
    fetching: Fetching = field(default_factory=Fetching)

    @property
    def name(self) -> str:
        """The backend's name in the configuration."""
        return "opencv"

    def open(self, path: str) -> OpenCVStream:
        """Open a local or remote file; see `open_checked` for the errors that it raises."""
        require("decoding.backend: opencv", "cv2", "av")
        return open_checked(OpenCVStream, path, threads=self.threads, fetching=self.fetching)


class OpenCVStream(WholePictureStream):
    """A `VideoStream` decoded by OpenCV.

    OpenCV reports milliseconds from the stream's own start. Converted to ticks, these are exact again, and a time that
    no packet has raises an error. Pictures, including mirrored ones, are turned upright here, not by OpenCV.

    Args:
        probed: The checked file.
        threads: Number of threads of FFmpeg's decoder.
    """

    def __init__(self, probed: Probe, threads: int) -> None:
        super().__init__(probed, threads, Scaler(probed.orientation))

    def check(self) -> None:
        """Decode one frame, since OpenCV opens files that it cannot decode.

        Raises:
            UnsupportedVideoError: The frame cannot be decoded, or does not belong to the best stream.
        """
        if self.info.container == "mpeg":
            raise UnsupportedVideoError(
                self.info.uri, "OpenCV loses the times of MPEG program streams; use decoding.backend: pyav"
            )
        if self._probe.may_restart:
            # A clock that breaks is rejected here instead of in the middle of decoding.
            for _ in packet_times(self._probe, takes_discarded=True):
                pass
        with closing(self._pictures(Coverage(None))) as pictures:
            first = next(pictures, None)
        if first is None:
            raise UnsupportedVideoError(
                self.info.uri, f"OpenCV cannot decode its {self.info.codec} stream; use decoding.backend: pyav"
            )
        height, width = first[1].shape[:2]
        if self._probe.orientation.upright_size(width, height) != (self.info.width, self.info.height):
            raise UnsupportedVideoError(
                self.info.uri, "OpenCV reads another of its video streams; use decoding.backend: pyav"
            )

    def _pictures(self, coverage: Coverage) -> Generator[tuple[PacketTime, Picture]]:
        import cv2

        capture = self._opened()
        times = packet_times(self._probe, takes_discarded=True)
        try:
            while capture.grab():
                ticks = self._ticks(capture.get(cv2.CAP_PROP_POS_MSEC))
                packet = next((time for time in times if time.pts >= ticks), None)
                if packet is None or packet.pts != ticks:
                    raise UnsupportedVideoError(
                        self.info.uri, "OpenCV's times differ from those of its packets; use decoding.backend: pyav"
                    )
                has_picture, picture = capture.retrieve()
                if has_picture:
                    yield packet, np.ascontiguousarray(picture[:, :, ::-1])
                else:
                    coverage.lose("a picture cannot be decoded", packet.seconds(self._probe)[0])
        finally:
            times.close()
            capture.release()

    def _opened(self) -> cv2.VideoCapture:
        import cv2

        try:
            capture = cv2.VideoCapture(
                str(self._probe.media.target()), cv2.CAP_FFMPEG, [cv2.CAP_PROP_N_THREADS, self._threads]
            )
        except (TypeError, UnicodeError, cv2.error) as error:
            raise UnsupportedVideoError(
                self.info.uri, "OpenCV cannot open a file with its name; rename it, or use decoding.backend: pyav"
            ) from error
        capture.set(cv2.CAP_PROP_ORIENTATION_AUTO, 0)
        return capture

    def _ticks(self, milliseconds: float) -> int:
        return round(milliseconds / 1000 / float(self.info.time_base)) + self._probe.stream_start_ticks
