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
    """The library that decodes. All three give the same frames at the same times; PyAV opens the most files, gets the
    most out of damaged ones, and alone skips what is not needed."""

    threads: int = Field(default=1, ge=1, le=64)
    """Threads of a video's decoder. A batch decodes as many videos at once as there are processors, so more only help
    where videos are few."""


def make_decoder(settings: Decoding, fetching: Fetching | None = None) -> VideoDecoder:
    """The decoder that settings ask for; its library is loaded when it first opens a video."""
    fetching = fetching or Fetching()
    if settings.backend == "decord":
        from pipeline.video.sequential.decord import DecordDecoder

        return DecordDecoder(settings.threads, fetching)
    if settings.backend == "opencv":
        from pipeline.video.sequential.opencv import OpenCVDecoder

        return OpenCVDecoder(settings.threads, fetching)
    from pipeline.video.pyav.decoder import PyAVDecoder

    return PyAVDecoder(settings.threads, fetching)
