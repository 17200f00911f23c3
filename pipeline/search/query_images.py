"""Query images: reads pictures from image files and videos, preprocessed for the encoder."""

from __future__ import annotations

from collections.abc import Iterable
from fractions import Fraction

import numpy as np
import numpy.typing as npt

from pipeline.encode.protocol import Preprocessing
from pipeline.errors import QueryError, UnsupportedVideoError
from pipeline.io.settings import Fetching
from pipeline.types import Frame
from pipeline.video import FORMAT_NAMES, IndexedVideos, read_still
from pipeline.video.protocol import VideoDecoder

__all__ = ["QueryImages"]

Picture = npt.NDArray[np.uint8]

_MAX_CLIP_FRAMES = 32
"""Maximum number of frames of a clip, evenly spread; more would hardly change their mean."""


class QueryImages:
    """Decodes and preprocesses the pictures that a query refers to.

    Args:
        decoder: Opens videos.
        preprocessing: Prepares frames for the encoder.
        fetching: Settings for reading remote files.
        videos: Finds the library's own videos.
    """

    def __init__(
        self, decoder: VideoDecoder, preprocessing: Preprocessing, fetching: Fetching, videos: IndexedVideos
    ) -> None:
        self._decoder = decoder
        self._preprocessing = preprocessing
        self._fetching = fetching
        self._videos = videos

    def first(self, uri: str) -> npt.NDArray[np.uint8]:
        """Read an image file, or the first frame of a video: uint8 (1, H, W, 3).

        Raises:
            VideoError: The file cannot be read, or its image format is not supported.
        """
        still = read_still(uri, self._fetching)
        if still is not None:
            return self._preprocessing(still)[None]
        try:
            with self._decoder.open(uri) as stream:
                return self._preprocessing(next(iter(stream.frames())))[None]
        except UnsupportedVideoError as error:
            problem = f"neither an image ({FORMAT_NAMES}) nor a readable video: {error.problem}"
            raise UnsupportedVideoError(uri, problem) from error

    def within(self, uri: str, start: float | None, end: float | None) -> npt.NDArray[np.uint8]:
        """Read evenly spread frames of a part of a video: uint8 (N, H, W, 3), N at most 32.

        Args:
            uri: The video.
            start: Start in seconds; None for the start of the video.
            end: End in seconds, exclusive; None for the end of the video.

        Raises:
            VideoError: The video cannot be read.
            QueryError: There is no frame in this part.
        """
        with self._decoder.open(uri) as stream:
            bounds = [None if seconds is None else Fraction(seconds) for seconds in (start, end)]
            pictures, _ = self._thinned(stream.frames(start=bounds[0], end=bounds[1]), _MAX_CLIP_FRAMES)
        if not pictures:
            raise QueryError(f"{uri!r}: there is no frame between the given times; check the length of the video")
        return np.stack([picture for _, picture in pictures])

    def between(
        self, video_id: str, uri: str, after: Fraction, before: Fraction, limit: int
    ) -> tuple[list[float], npt.NDArray[np.uint8], bool]:
        """Read at most `limit` evenly spread frames of an indexed video between two times, both exclusive.

        Returns:
            Their times in seconds, the frames as uint8 (N, H, W, 3), and whether these are all frames there.

        Raises:
            VideoError: The video cannot be read, or the file has changed since it was indexed.
        """
        with self._videos.open(video_id, uri) as stream:
            frames = (frame for frame in stream.frames(start=after, end=before) if frame.time > after)
            pairs, is_all = self._thinned(frames, limit)
        height, width = self._preprocessing.image_height, self._preprocessing.image_width
        pictures = np.stack([picture for _, picture in pairs]) if pairs else np.empty((0, height, width, 3), np.uint8)
        return [seconds for seconds, _ in pairs], pictures, is_all

    def _thinned(self, frames: Iterable[Frame], limit: int) -> tuple[list[tuple[float, Picture]], bool]:
        """Return at most `limit` evenly spread frames with their times in seconds, and whether these are all frames.

        The number of frames is known only at the end: whenever there are too many, every other one is discarded.
        """
        retained: list[tuple[float, Picture]] = []
        step = 1
        for number, frame in enumerate(frames):
            if number % step:
                continue
            retained.append((float(frame.time), self._preprocessing(frame)))
            if len(retained) > limit:
                retained, step = retained[::2], 2 * step
        return retained, step == 1
