"""Query images: pictures from image files and from parts of videos, preprocessed for the encoder."""

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

_OF_A_CLIP = 32
"""Pictures of a clip at most, evenly spread: their mean hardly moves with more."""


class QueryImages:
    """Decodes and preprocesses the pictures that a query refers to.

    Args:
        decoder: Opens videos.
        preprocessing: The encoder's.
        fetching: How remote files are read.
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
        """Read the picture in a file, or the first frame of a video: uint8 (1, H, W, 3).

        Raises:
            VideoError: It cannot be read, or is a picture of another format than those that are taken.
        """
        still = read_still(uri, self._fetching)
        if still is not None:
            return self._preprocessing(still)[None]
        try:
            with self._decoder.open(uri) as stream:
                return self._preprocessing(next(iter(stream.frames())))[None]
        except UnsupportedVideoError as error:
            problem = f"neither a picture ({FORMAT_NAMES}) nor a video that can be read: {error.problem}"
            raise UnsupportedVideoError(uri, problem) from error

    def within(self, uri: str, start: float | None, end: float | None) -> npt.NDArray[np.uint8]:
        """Read pictures of a part of a video, evenly spread: uint8 (N, H, W, 3), N at most 32.

        Args:
            uri: The video.
            start: Seconds; None for its beginning.
            end: Seconds, not included; None for its end.

        Raises:
            VideoError: It cannot be read.
            QueryError: No frame lies there.
        """
        with self._decoder.open(uri) as stream:
            bounds = [None if seconds is None else Fraction(seconds) for seconds in (start, end)]
            pictures, _ = self._thinned(stream.frames(start=bounds[0], end=bounds[1]), _OF_A_CLIP)
        if not pictures:
            raise QueryError(f"{uri!r}: no frame lies there; look at its length")
        return np.stack([picture for _, picture in pictures])

    def between(
        self, video_id: str, uri: str, after: Fraction, before: Fraction, most: int
    ) -> tuple[list[float], npt.NDArray[np.uint8], bool]:
        """Read at most `most` pictures of an indexed video between two times (exclusive), evenly spread.

        Returns:
            Their times in seconds, uint8 (N, H, W, 3), and whether these are all there are.

        Raises:
            VideoError: It cannot be read, or is another one by now.
        """
        with self._videos.open(video_id, uri) as stream:
            frames = (frame for frame in stream.frames(start=after, end=before) if frame.time > after)
            kept, is_all = self._thinned(frames, most)
        height, width = self._preprocessing.image_height, self._preprocessing.image_width
        pictures = np.stack([picture for _, picture in kept]) if kept else np.empty((0, height, width, 3), np.uint8)
        return [seconds for seconds, _ in kept], pictures, is_all

    def _thinned(self, frames: Iterable[Frame], most: int) -> tuple[list[tuple[float, Picture]], bool]:
        """At most so many of the frames with their seconds, evenly spread, and whether these are all.

        How many there are is known at the end only: each time that too many are held, every other one is let go.
        """
        kept: list[tuple[float, Picture]] = []
        step = 1
        for number, frame in enumerate(frames):
            if number % step:
                continue
            kept.append((float(frame.time), self._preprocessing(frame)))
            if len(kept) > most:
                kept, step = kept[::2], 2 * step
        return kept, step == 1
