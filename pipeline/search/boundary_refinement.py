"""Frame-accurate refinement of moment boundaries: the video is decoded again around them.

The true boundary of a moment lies between the last sampled frame outside it and the first one inside. The frames
between these two are decoded and scored like the sampled ones, and the boundary is placed where the sum of their
log-odds above the moment's level is greatest. This is the rule that found the moment
(`pipeline.search.localization`), applied at a higher frame rate. If there are many frames, a first pass scores some of
them, and further passes score the frames on both sides of the best position.

A frame stays on screen until the next one. So a moment begins at the time of its first frame, and ends at the time of
the first frame that no longer belongs to it.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction
from functools import partial

import numpy as np
import numpy.typing as npt

from pipeline.encode.protocol import OpenEncoder
from pipeline.errors import VideoError
from pipeline.search.localization import Span
from pipeline.search.query_images import QueryImages

__all__ = ["Refiner"]

_log = logging.getLogger(__name__)

Floats = npt.NDArray[np.float64]
LogOdds = Callable[[npt.NDArray[np.float32]], Floats]
ReadBetween = Callable[[Fraction, Fraction, int], tuple[list[float], npt.NDArray[np.uint8], bool]]

_TOLERANCE_SECONDS = Fraction(1, 1_000_000)
"""Rounding error of a bound; frames are further apart than this."""

_FRAMES_PER_PASS = 24
"""Frames scored in one pass over a boundary; two passes distinguish 384 frames, about 12 seconds of video."""


class Refiner:
    """Refines the boundaries of moments: decodes and scores the frames around them.

    Args:
        encoder: The open encoder.
        pictures: Reads frames from the videos.
    """

    def __init__(self, encoder: OpenEncoder, pictures: QueryImages) -> None:
        self._encoder = encoder
        self._pictures = pictures

    def refined(self, uri: str, video_id: str, span: Span, log_odds: LogOdds) -> Span:
        """Refine the uncertain boundaries of a span.

        If the video can no longer be read, or its location now holds another video, a warning is logged and the span
        is returned unchanged.

        Args:
            uri: The video's location.
            video_id: The id that the video at `uri` must have.
            span: The span as it was found.
            log_odds: Maps float32 (N, D) embeddings to log-odds (N,).
        """
        if not span.start_uncertainty_seconds and not span.end_uncertainty_seconds:
            return span
        try:
            read = partial(self._pictures.between, video_id, uri)
            start = self._edge(read, span.start_seconds, span.start_uncertainty_seconds, span.edge_level, log_odds)
            # An end is a start with the sign of all log-odds reversed.
            end = self._edge(
                read, span.end_seconds, span.end_uncertainty_seconds, -span.edge_level, lambda rows: -log_odds(rows)
            )
        except VideoError as error:
            _log.warning("the start and end of a moment were not refined: %s", error)
            return span
        return replace(
            span,
            start_seconds=start[0],
            start_uncertainty_seconds=start[1],
            end_seconds=end[0],
            end_uncertainty_seconds=end[1],
        )

    def _edge(
        self, read: ReadBetween, seconds: float, uncertainty: float, level: float, log_odds: LogOdds
    ) -> tuple[float, float]:
        """Find the time at which the log-odds rise above a level, and its remaining uncertainty in seconds.

        This is the time of the first frame above the level, since the frame before it is on screen until then.
        """
        if uncertainty == 0:
            return seconds, 0.0
        before, after = seconds - uncertainty, seconds + uncertainty
        is_all = False
        while not is_all:
            # The frame that ends the interval is included: only its own timestamp is exact.
            times, pictures, is_all = read(Fraction(before), Fraction(after) + _TOLERANCE_SECONDS, _FRAMES_PER_PASS)
            if not times:
                break
            above = log_odds(self._encoder.encode_images(pictures)) - level
            # The sum for a moment that begins at each frame, and for one that begins after all of them.
            sums = np.append(np.cumsum(above[::-1])[::-1], 0.0)
            best = int(sums.argmax())
            edges = [before, *times, after]
            before, after = edges[best], edges[best + 1]
        return after, 0.0
