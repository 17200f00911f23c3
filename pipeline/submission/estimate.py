"""Estimates a batch's time and storage from measured rates before it is submitted."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

__all__ = ["MEASURED", "Estimate", "Measured", "Rates", "estimate"]


@dataclass(frozen=True, kw_only=True)
class Rates:
    """The speed of one machine.

    Attributes:
        pixel_seconds_per_second: Video decoded in a second, its seconds times its pixels in a picture.
        frames_per_second: Frames encoded in a second.
        overlap: Share of the whole time that the slower of the two takes; the rest is start-up and writing.
        model: Of which model.
        source: Where this was measured.
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
    """A probed video: its length in seconds and the pixels of one frame."""

    duration_seconds: float
    pixels: int


@dataclass(frozen=True, kw_only=True)
class Estimate:
    """The estimated time and storage of a batch on one machine.

    Attributes:
        videos: How many there are.
        video_seconds: Their length, all together.
        frames: Frames that are sampled and encoded.
        work_seconds: From the first video to the last.
        store_bytes: Frame embeddings and their times, before compression.
        index_bytes: Rows of the index.
    """

    videos: int
    video_seconds: float
    frames: int
    work_seconds: float
    store_bytes: int
    index_bytes: int


# Beside its embedding a frame keeps a time and a timestamp; a row its key, its video's id, its times and metadata.
_FRAME_BYTES = 16
_ROW_BYTES = 100


def estimate(
    videos: int,
    looked_at: Sequence[Measured],
    *,
    frames_per_second: float,
    rows_per_second: float,
    dimension: int,
    rates: Rates = MEASURED,
    real_time: float | None = None,
) -> Estimate:
    """Estimate a batch from probed videos; the others count as their average.

    Args:
        videos: How many there are.
        looked_at: Some of them, at least one where there are any.
        frames_per_second: Frames sampled of a second of video.
        rows_per_second: Rows of the index of a second of video.
        dimension: Length of an embedding.
        rates: The speed of one machine.
        real_time: In place of `rates`: seconds of video that are worked off in a second, as an earlier batch said.
    """
    scale = videos / len(looked_at) if looked_at else 0.0
    seconds = scale * sum(each.duration_seconds for each in looked_at)
    frames = round(seconds * frames_per_second)
    if real_time is None:
        pixel_seconds = scale * sum(each.duration_seconds * each.pixels for each in looked_at)
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
