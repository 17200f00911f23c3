"""The ends of moments looked at again, on pictures that are numbers: each picture's grey is its score."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction
from typing import Any, cast

import numpy as np
import numpy.typing as npt
import pytest
from contracts.word_world import WordEncoder

from pipeline.errors import VideoError
from pipeline.search import QueryImages
from pipeline.search.boundary_refinement import Refiner
from pipeline.search.localization import Span

Greys = npt.NDArray[np.uint8]


class GreyEncoder(WordEncoder):
    """A picture's embedding is its grey."""

    def encode_images(self, images: Greys) -> npt.NDArray[np.float32]:
        return images[:, :1, 0, 0].astype(np.float32)


class Reel:
    """A video as times and greys, read as `QueryImages.between` reads one.

    Args:
        shown: Grey from each time in seconds on.
        is_of: The video that it is.
    """

    def __init__(self, shown: dict[float, int], is_of: str = "v1") -> None:
        self._shown = shown
        self._is_of = is_of
        self.looks: list[tuple[float, float, int]] = []

    def between(
        self, video_id: str, uri: str, after: Fraction, before: Fraction, most: int
    ) -> tuple[list[float], Greys, bool]:
        if (video_id, uri) != (self._is_of, "/v1.mp4"):
            raise VideoError(uri, "another video")
        self.looks.append((float(after), float(before), most))
        kept, step = [time for time in self._shown if after < time < before], 1
        while len(kept) > most:
            kept, step = kept[::2], step * 2
        greys = np.asarray([self._shown[time] for time in kept], np.uint8)
        return kept, np.broadcast_to(greys[:, None, None, None], (len(kept), 1, 1, 3)), step == 1


def refined(reel: Reel, span: Span, video_id: str = "v1") -> Span:
    refiner = Refiner(GreyEncoder(), cast(QueryImages, reel))
    return refiner.refined("/v1.mp4", video_id, span, lambda rows: rows[:, 0].astype(np.float64))


def every(step: float, end: float, grey: Callable[[float], int]) -> dict[float, int]:
    times = [number * step for number in range(int(end / step))]
    return {time: grey(time) for time in times}


SPAN = Span(4.5, 8.5, 6.0, 9.0, 0.5, 0.5, edge_level=5.0)
SHOWN = every(0.125, 12.0, lambda time: 9 if 4.25 <= time < 8.75 else 1)


def test_a_moment_begins_with_its_first_picture_and_ends_with_the_first_that_is_not_of_it() -> None:
    reel = Reel(SHOWN)
    assert refined(reel, SPAN) == replace(
        SPAN, start_seconds=4.25, end_seconds=8.75, start_uncertainty_seconds=0.0, end_uncertainty_seconds=0.0
    )
    # The picture that ends each interval is looked at, too.
    assert [(after, round(before, 3)) for after, before, _ in reel.looks] == [(4.0, 5.0), (8.0, 9.0)]
    assert all(5.0 < before < 5.0001 or 9.0 < before < 9.0001 for _, before, _ in reel.looks)
    assert {most for _, _, most in reel.looks} == {24}


@pytest.mark.parametrize(("start", "expected"), [(4.0, 4.125), (4.125, 4.125), (4.875, 4.875), (5.0, 5.0), (5.5, 5.0)])
def test_a_start_stays_between_the_frames_that_were_sampled(start: float, expected: float) -> None:
    reel = Reel(every(0.125, 12.0, lambda time: 9 if time >= start else 1))
    assert refined(reel, replace(SPAN, end_uncertainty_seconds=0.0)).start_seconds == expected


@pytest.mark.parametrize(("end", "expected"), [(7.5, 8.125), (8.125, 8.125), (8.5, 8.5), (9.0, 9.0), (10.0, 9.0)])
def test_an_end_stays_between_the_frames_that_were_sampled(end: float, expected: float) -> None:
    reel = Reel(every(0.125, 12.0, lambda time: 1 if time >= end else 9))
    assert refined(reel, replace(SPAN, start_uncertainty_seconds=0.0)).end_seconds == expected


@pytest.mark.parametrize("side", ["start", "end"])
def test_an_end_that_is_certain_stays(side: str) -> None:
    reel = Reel(SHOWN)
    span = replace(SPAN, **cast(Any, {f"{side}_uncertainty_seconds": 0.0}))
    found = refined(reel, span)
    assert getattr(found, f"{side}_seconds") == getattr(span, f"{side}_seconds")
    other = {"start": "end", "end": "start"}[side]
    assert getattr(found, f"{other}_seconds") != getattr(span, f"{other}_seconds")
    assert (found.start_uncertainty_seconds, found.end_uncertainty_seconds) == (0.0, 0.0)
    assert len(reel.looks) == 1


def test_a_moment_that_is_certain_is_not_read() -> None:
    reel = Reel(SHOWN)
    span = replace(SPAN, start_uncertainty_seconds=0.0, end_uncertainty_seconds=0.0)
    assert refined(reel, span, "another") == span
    assert reel.looks == []


def test_a_flicker_at_the_edge_is_summed_like_a_dip() -> None:
    greys = {4.125: 1, 4.25: 9, 4.375: 1, 4.5: 9, 4.625: 1, 4.75: 1, 4.875: 1, 5.0: 9}
    found = refined(Reel(greys), replace(SPAN, end_uncertainty_seconds=0.0))
    assert found.start_seconds == 5.0


def test_pictures_at_the_level_belong_to_the_moment() -> None:
    greys = {4.25: 1, 4.5: 5, 4.75: 5, 5.0: 9}
    assert refined(Reel(greys), replace(SPAN, end_uncertainty_seconds=0.0)).start_seconds == 4.5


def test_many_pictures_are_looked_at_in_two_looks() -> None:
    """A hundred in a second: some of them first, and then those around the end."""
    start = 4.37
    reel = Reel(every(0.01, 12.0, lambda time: 9 if time >= start - 1e-9 else 1))
    found = refined(reel, replace(SPAN, end_uncertainty_seconds=0.0))
    assert found.start_seconds == pytest.approx(start)
    assert len(reel.looks) == 2
    assert reel.looks[1][0] >= 4.3
    assert reel.looks[1][1] <= 4.4101


def test_where_no_picture_lies_between_the_later_bound_stands() -> None:
    found = refined(Reel({}), SPAN)
    assert (found.start_seconds, found.end_seconds) == (5.0, 9.0)
    assert (found.start_uncertainty_seconds, found.end_uncertainty_seconds) == (0.0, 0.0)


def test_another_video_by_now_changes_nothing_and_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING, logger="pipeline"):
        assert refined(Reel(SHOWN), SPAN, "v2") == SPAN
    assert "the start and end of a moment were not refined" in caplog.text
