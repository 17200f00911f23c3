"""Opens, probes and decodes videos."""

from __future__ import annotations

from pipeline.video.identity import Identity, content_id, identify
from pipeline.video.indexed_videos import IndexedVideos
from pipeline.video.picture_checks import FORMAT_NAMES
from pipeline.video.protocol import VideoDecoder, VideoStream
from pipeline.video.settings import Decoding, make_decoder
from pipeline.video.still import read_still

__all__ = [
    "FORMAT_NAMES",
    "Decoding",
    "Identity",
    "IndexedVideos",
    "VideoDecoder",
    "VideoStream",
    "content_id",
    "identify",
    "make_decoder",
    "read_still",
]
