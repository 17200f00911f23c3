"""Thumbnails of videos, embedded in HTML."""

from __future__ import annotations

import base64
import io

from PIL import Image

from pipeline.errors import VideoError
from pipeline.render.markup import Markup, tag
from pipeline.render.page import void
from pipeline.video import IndexedVideos
from pipeline.video.frame_at import picture_at

__all__ = ["thumbnail"]

_WIDTH, _HEIGHT, _QUALITY = 432, 432, 78


def thumbnail(videos: IndexedVideos, video_id: str, seconds: float, alt: str) -> Markup:
    """Make an element with an embedded picture of a video at a given time, or the reason why there is none.

    Args:
        videos: Opens the video.
        video_id: The video's id.
        seconds: Time on the playback clock.
        alt: Accessible description of the picture.
    """
    try:
        with videos.open(video_id) as stream:
            image = Image.fromarray(picture_at(stream, seconds))
    except VideoError as error:
        return tag("div", f"no picture: {error.problem}", class_="none")
    image.thumbnail((_WIDTH, _HEIGHT), Image.Resampling.LANCZOS)
    buffer = io.BytesIO()
    image.save(buffer, format="JPEG", quality=_QUALITY, optimize=True)
    data = base64.b64encode(buffer.getvalue()).decode("ascii")
    return void("img", src=f"data:image/jpeg;base64,{data}", alt=alt)
