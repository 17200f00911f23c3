"""Estimate a batch's time and storage from measured rates before it is submitted."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

__all__ = ["MEASURED", "Estimate", "Measured", "Rates", "estimate"]


@dataclass(frozen=True, kw_only=True)
class Rates:
    """The speed of one machine.

    Attributes:
        pixel_seconds_per_second: Decoding speed: seconds of video, multiplied by pixels per frame, per second.
        frames_per_second: Encoding speed.
        overlap: Share of the total time that the slower of the two takes; the rest is start-up and writing.
        model: The model for which encoding was measured.
        source: Where the rates were measured.
    """

    pixel_seconds_per_second: float
    frames_per_second: float
    overlap: float
    model: str
    source: str


# One clip of 139.4 s and 768 x 432 pixels at one frame a second: decoding alone took 0.466 s, encoding its 140 frames
# 2.136 s, both together 2.492 s (medians of five).
MEASURED = Rates(
    pixel_seconds_per_second=139.4 * 768 * 432 / 0.466,
    frames_per_second=140 / 2.136,
    overlap=0.857,
    model="ViT-B-32",
    source="ViT-B-32 in bfloat16 on one machine of 2 processors with AVX512-BF16, without a GPU"
    " (benchmarks/results/pipeline.json)",
)


@dataclass(frozen=True)
class Measured:
    """A probed video: its length in seconds, and the number of pixels in one frame."""

    duration_seconds: float
    pixels: int


@dataclass(frozen=True, kw_only=True)
class Estimate:
    """The estimated time and storage of a batch on one machine.

    Attributes:
        videos: Number of videos.
        video_seconds: Total length of the videos.
        frames: Number of frames that are sampled and encoded.
        work_seconds: Time from the first video to the last.
        store_bytes: Size of frame embeddings and their times, before compression.
        index_bytes: Size of the index rows.
    """

    videos: int
    video_seconds: float
    frames: int
    work_seconds: float
    store_bytes: int
    index_bytes: int


# Besides its embedding, a frame has a time and a timestamp; a row has its key, video id, times and metadata.
_FRAME_BYTES = 16
_ROW_BYTES = 100


def estimate(
    videos: int,
    probed: Sequence[Measured],
    *,
    frames_per_second: float,
    rows_per_second: float,
    dimension: int,
    rates: Rates = MEASURED,
    real_time: float | None = None,
) -> Estimate:
    """Estimate a batch from probed videos; the others are assumed to be like their average.

    Args:
        videos: Number of videos.
        probed: Some of them; at least one, unless there are none.
        frames_per_second: Frames sampled per second of video.
        rows_per_second: Index rows per second of video.
        dimension: Dimension of an embedding.
        rates: The speed of one machine.
        real_time: Used in place of `rates`: seconds of video processed per second, for example by an earlier batch.
    """
    scale = videos / len(probed) if probed else 0.0
    seconds = scale * sum(video.duration_seconds for video in probed)
    frames = round(seconds * frames_per_second)
    if real_time is None:
        pixel_seconds = scale * sum(video.duration_seconds * video.pixels for video in probed)
        slower = max(pixel_seconds / rates.pixel_seconds_per_second, frames / rates.frames_per_second)
        work_seconds = slower / rates.overlap
    else:
        work_seconds = seconds / real_time
    vector_bytes = 4 * dimension
    return Estimate(
        videos=videos,
        video_seconds=seconds,
        frames=frames,
        work_seconds=work_seconds,
        store_bytes=frames * (vector_bytes + _FRAME_BYTES),
        index_bytes=round(seconds * rows_per_second) * (vector_bytes + _ROW_BYTES),
    )
