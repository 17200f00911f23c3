"""Frame-accurate refinement of moment boundaries: the video is decoded again around them.

Between the last sampled frame outside a moment and the first inside lies its true end. The pictures between are scored
as the sampled ones were, and the end is where the sum of their log-odds above the moment's own level is greatest: the
rule by which the moment was found (`pipeline.search.localization`), at a higher rate. Where there are many pictures,
some are scored first, and then those between the two on both sides of the end.

A picture is on screen until the next one comes. So a moment begins at the time of its first picture, and ends at the
time of the first picture that no longer belongs to it.
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
Between = Callable[[Fraction, Fraction, int], tuple[list[float], npt.NDArray[np.uint8], bool]]

_ROUNDING = Fraction(1, 1_000_000)
"""Seconds by which a bound may have moved as it was rounded; pictures are further apart."""

_AT_ONCE = 24
"""Pictures of one pass over a boundary: two passes tell 384 apart, which is 12 seconds of video."""


class Refiner:
    """Refines the boundaries of moments: decodes and scores the frames around them.

    Args:
        encoder: The open encoder.
        pictures: Reads the videos.
    """

    def __init__(self, encoder: OpenEncoder, pictures: QueryImages) -> None:
        self._encoder = encoder
        self._pictures = pictures

    def refined(self, uri: str, video_id: str, span: Span, log_odds: LogOdds) -> Span:
        """Refine the uncertain boundaries of a span.

        Where the video cannot be read any more, or is another one by now, it stays as it was, and that is logged.

        Args:
            uri: Where the video is.
            video_id: What it must be.
            span: As it was found.
            log_odds: Of float32 (N, D) embeddings.
        """
        if not span.start_uncertainty_seconds and not span.end_uncertainty_seconds:
            return span
        try:
            read = partial(self._pictures.between, video_id, uri)
            start = self._edge(read, span.start_seconds, span.start_uncertainty_seconds, span.edge_level, log_odds)
            # An end is a start in reversed time.
            end = self._edge(
                read, span.end_seconds, span.end_uncertainty_seconds, -span.edge_level, lambda rows: -log_odds(rows)
            )
        except VideoError as error:
            _log.warning("the ends of a moment stay as they are: %s", error)
            return span
        return replace(
            span,
            start_seconds=start[0],
            start_uncertainty_seconds=start[1],
            end_seconds=end[0],
            end_uncertainty_seconds=end[1],
        )

    def _edge(
        self, read: Between, seconds: float, uncertainty: float, level: float, log_odds: LogOdds
    ) -> tuple[float, float]:
        """The time at which what was below a level begins to be above it, and how far that may be away.

        It is the time of the first picture above: the one before it is on screen until then.
        """
        if uncertainty == 0:
            return seconds, 0.0
        before, behind = seconds - uncertainty, seconds + uncertainty
        is_all = False
        while not is_all:
            # The picture that ends the interval is scored, too: its own time is the exact one.
            times, pictures, is_all = read(Fraction(before), Fraction(behind) + _ROUNDING, _AT_ONCE)
            if not times:
                break
            above = log_odds(self._encoder.encode_images(pictures)) - level
            # What is gained by beginning at each picture, and by beginning after all of them.
            gains = np.append(np.cumsum(above[::-1])[::-1], 0.0)
            place = int(gains.argmax())
            edges = [before, *times, behind]
            before, behind = edges[place], edges[place + 1]
        return behind, 0.0
