"""The OpenCV backend; its times are checked against those of the packets."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import closing
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from pipeline.errors import UnsupportedVideoError
from pipeline.io.media import open_media
from pipeline.io.settings import Fetching
from pipeline.video.coverage import Coverage
from pipeline.video.picture import Scaler
from pipeline.video.probe import Probe, probe
from pipeline.video.sequential.stream import PacketTime, Picture, WholePictureStream, packet_times

if TYPE_CHECKING:
    import cv2

__all__ = ["OpenCVDecoder", "OpenCVStream"]


@dataclass(frozen=True)
class OpenCVDecoder:
    """The `VideoDecoder` of OpenCV, to reproduce OpenCV's pictures; it stops at the first damage.

    Attributes:
        threads: Threads of FFmpeg's decoder.
        fetching: How remote videos are read; they are copied to the disk.
    """

    threads: int = 1
    fetching: Fetching = field(default_factory=Fetching)

    @property
    def name(self) -> str:
        """The backend's name in the configuration."""
        return "opencv"

    def open(self, path: str) -> OpenCVStream:
        """Open a file, local or remote.

        Raises:
            VideoNotFoundError: There is no readable regular file at `path`.
            VideoReadError: Its place errs or stalls, or it is too large to be copied.
            UnsupportedVideoError: It is not a video, has no video stream, or OpenCV cannot decode it rightly.
        """
        media = open_media(path, self.fetching, needs_path=True)
        try:
            stream = OpenCVStream(probe(media), self.threads)
            stream.check()
        except BaseException:
            media.close()
            raise
        return stream


class OpenCVStream(WholePictureStream):
    """A `VideoStream` decoded by OpenCV.

    OpenCV counts milliseconds from the stream's own start; in ticks they are the exact time again, and a time that no
    packet has is refused. Turning pictures upright is done here, mirrored ones included.

    Args:
        probed: The vetted file.
        threads: Threads of FFmpeg's decoder.
    """

    def __init__(self, probed: Probe, threads: int) -> None:
        super().__init__(probed, Scaler(probed.orientation))
        self._threads = threads

    def check(self) -> None:
        """Decode one frame, since OpenCV opens files that it cannot decode.

        Raises:
            UnsupportedVideoError: It cannot be decoded, or is not of the best stream.
        """
        if self.info.container == "mpeg":
            raise UnsupportedVideoError(
                self.info.uri, "OpenCV loses times of MPEG program streams; use decoding.backend: pyav"
            )
        if self._probe.may_restart:
            # A clock that breaks later is refused here rather than in the middle.
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
                self.info.uri, "OpenCV takes another of its video streams; use decoding.backend: pyav"
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
                        self.info.uri, "OpenCV's times are not those of its packets; use decoding.backend: pyav"
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
                self.info.uri, "OpenCV cannot take its name; rename it, or use decoding.backend: pyav"
            ) from error
        capture.set(cv2.CAP_PROP_ORIENTATION_AUTO, 0)
        return capture

    def _ticks(self, milliseconds: float) -> int:
        return round(milliseconds / 1000 / float(self.info.time_base)) + self._probe.stream_start_ticks
