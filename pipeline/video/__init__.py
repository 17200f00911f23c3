"""Opening, probing and decoding videos."""

from __future__ import annotations

from pipeline.video.files import NO_SUCH_FILE
from pipeline.video.indexed import IndexedVideos
from pipeline.video.manifests import scalar_of
from pipeline.video.media import check_state
from pipeline.video.named_hosts import with_named_hosts
from pipeline.video.picture_checks import FORMAT_NAMES
from pipeline.video.protocol import VideoDecoder, VideoStream
from pipeline.video.settings import Decoding, Fetching, make_decoder
from pipeline.video.sources import Listed, expand, read_listings
from pipeline.video.still import read_still
from pipeline.video.video_id import Identity, content_id, identify

__all__ = [
    "FORMAT_NAMES",
    "NO_SUCH_FILE",
    "Decoding",
    "Fetching",
    "Identity",
    "IndexedVideos",
    "Listed",
    "VideoDecoder",
    "VideoStream",
    "check_state",
    "content_id",
    "expand",
    "identify",
    "make_decoder",
    "read_listings",
    "read_still",
    "scalar_of",
    "with_named_hosts",
]
