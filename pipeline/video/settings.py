"""Settings of decoding, and the decoder that they select."""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import Field

from pipeline.config import Settings
from pipeline.io.settings import Fetching
from pipeline.video.protocol import VideoDecoder

__all__ = ["Decoding", "make_decoder"]


class Decoding(Settings):
    """The decoder of a run."""

    fingerprint_name: ClassVar[str] = "Decoding"

    backend: Literal["pyav", "decord", "opencv"] = "pyav"
    """The decoding library. All three give the same frames at the same times. PyAV opens the most files, recovers the
    most from damaged ones, and is the only one that skips frames that are not needed."""

    threads: int = Field(default=1, ge=1, le=64)
    """Threads of each video's decoder. A batch decodes as many videos at a time as there are processors, so more
    threads help only with few videos."""


def make_decoder(settings: Decoding, fetching: Fetching | None = None) -> VideoDecoder:
    """Make the decoder that the settings select; its library is imported when it opens the first video."""
    fetching = fetching or Fetching()
    if settings.backend == "decord":
        from pipeline.video.sequential.decord import DecordDecoder

        return DecordDecoder(settings.threads, fetching)
    if settings.backend == "opencv":
        from pipeline.video.sequential.opencv import OpenCVDecoder

        return OpenCVDecoder(settings.threads, fetching)
    from pipeline.video.pyav.decoder import PyAVDecoder

    return PyAVDecoder(settings.threads, fetching)
