"""Measures the decoding cost and the stored size of one sampling."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from pipeline.encode import make_encoder
from pipeline.execution.per_video.frame_batches import Reading, sampled_batches
from pipeline.execution.per_video.messages import VideoEnd
from pipeline.experiments.embedding import sharing_key, store_of
from pipeline.run_config import RunConfig
from pipeline.store import ParquetStore
from pipeline.video import make_decoder

__all__ = ["DecodingCost", "StoredSize", "decoding_cost", "distinct_frames", "stored_size"]

_SHORT_SECONDS = 10.0


@dataclass(frozen=True)
class DecodingCost:
    """The cost of decoding, sampling and preprocessing for one sampling, without the encoder.

    Attributes:
        seconds_an_hour: Processor time per hour of video. Unlike wall time, it hardly depends on the machine's other
            load.
        frames_an_hour: Decoded frames per hour of video.
        videos: Number of videos that were measured.
    """

    seconds_an_hour: float
    frames_an_hour: float
    videos: int


@dataclass(frozen=True)
class StoredSize:
    """Number and size of the embeddings that a sampling stores.

    Attributes:
        video_seconds: Length of all videos.
        frames: Sampled frames.
        bytes: Uncompressed size of their embeddings.
    """

    video_seconds: float
    frames: int
    bytes: int

    @property
    def frames_an_hour(self) -> float:
        """Encoded frames per hour of video."""
        return self.frames / (self.video_seconds or 1.0) * 3600

    @property
    def megabytes_an_hour(self) -> float:
        """Megabytes (1,000,000 bytes) of embeddings per hour of video."""
        return self.bytes / (self.video_seconds or 1.0) * 3600 / 1e6


def decoding_cost(config: RunConfig, places: Sequence[str]) -> DecodingCost | None:
    """Measure the cost of reading some videos for one sampling; None without videos.

    Raises:
        VideoError: A video cannot be read.
    """
    reading = Reading(
        decoder=make_decoder(config.decoding, config.fetching),
        sampler=config.sampling,
        preprocessing=make_encoder(config.encoder).preprocessing(),
        batch_frames=config.execution.batch_frames,
        fetching=config.fetching,
    )
    reads = [_read(reading, place) for place in places]
    if sum(read.seconds for read in reads) < _SHORT_SECONDS:
        # Other processes only ever slow it down, so the lower of two measurements is the more accurate one.
        again = [_read(reading, place) for place in places]
        reads = [min(pair, key=lambda read: read.seconds) for pair in zip(reads, again, strict=True)]
    hours = sum(read.video_seconds for read in reads) / 3600
    if not hours:
        return None
    return DecodingCost(
        sum(read.seconds for read in reads) / hours, sum(read.frames for read in reads) / hours, len(reads)
    )


@dataclass(frozen=True)
class _ReadingCost:
    seconds: float
    video_seconds: float
    frames: int


def _read(reading: Reading, place: str) -> _ReadingCost:
    started, video_seconds, frames = time.process_time(), 0.0, 0
    for item in sampled_batches(reading, place):
        if isinstance(item, VideoEnd):
            video_seconds, frames = item.duration_seconds, item.frames_decoded
    return _ReadingCost(time.process_time() - started, video_seconds, frames)


def stored_size(config: RunConfig, video_ids: Sequence[str]) -> StoredSize:
    """Measure the embeddings that a sampling has stored for some videos.

    Raises:
        StoreError: A video's file is broken.
    """
    store = store_of(config)
    records = [record for video_id in video_ids if (record := store.record(video_id)) is not None]
    frames = sum(record.frame_count for record in records)
    width = store.outline(records[0].video_id).dimension if records else 0
    return StoredSize(sum(record.duration_seconds for record in records), frames, frames * width * 4)


def distinct_frames(configs: Sequence[RunConfig], video_ids: Sequence[str]) -> int:
    """Count the frames that several configurations sample, each frame once per encoder.

    Raises:
        StoreError: A video's file is broken.
    """
    groups: dict[str, set[ParquetStore]] = {}
    for config in configs:
        groups.setdefault(sharing_key(config), set()).add(store_of(config))
    return sum(
        len(np.unique(np.concatenate([store.outline(video_id).pts for store in stores])))
        for stores in groups.values()
        for video_id in video_ids
    )
