"""Opening, probing and decoding videos."""

from __future__ import annotations

from pipeline.video.manifests import scalar_of
from pipeline.video.protocol import VideoDecoder, VideoStream
from pipeline.video.settings import Decoding, Fetching, make_decoder
from pipeline.video.sources import expand
from pipeline.video.video_id import content_id

__all__ = ["Decoding", "Fetching", "VideoDecoder", "VideoStream", "content_id", "expand", "make_decoder", "scalar_of"]
