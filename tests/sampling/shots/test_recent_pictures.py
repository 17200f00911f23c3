"""The buffer of a video's latest pictures."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import numpy.typing as npt
import pytest

from pipeline.sampling.shots.recent_pictures import COLOURS, RecentPicture, RecentPictures


def thumbnail(level: int) -> npt.NDArray[np.uint8]:
    """A picture of one colour, as `Frame.thumbnail` gives it."""
    return np.full((3, 36, 64), level, np.uint8)


def kept_of(*times: Fraction | int | str, longest_seconds: float = 2.0) -> RecentPictures:
    pictures = RecentPictures(longest_seconds)
    for number, time in enumerate(times):
        pictures.append(Fraction(time), thumbnail(number % 256))
    return pictures


def test_one_picture_is_kept() -> None:
    pictures = kept_of(5)
    assert (len(pictures), pictures.seconds.tolist(), pictures[0].time) == (1, [5.0], 5)


@pytest.mark.parametrize(
    ("last", "kept"),
    [("2", 3), ("2.0000009", 3), ("2.0000011", 2), ("3", 2), ("3.1", 1), ("9", 1)],
)
def test_pictures_reach_as_far_back_as_stated(last: str, kept: int) -> None:
    pictures = kept_of(0, 1, last)
    assert pictures.seconds.tolist() == [0.0, 1.0, float(Fraction(last))][-kept:]
    assert [pictures[place].time for place in range(len(pictures))] == [0, 1, Fraction(last)][-kept:]
    assert pictures.colours[:, 0].tolist() == [0.0, 1.0, 2.0][-kept:]


@pytest.mark.parametrize("count", [127, 128, 129, 300, 1000])
def test_memory_is_bounded_and_rows_stay_with_their_pictures(count: int) -> None:
    pictures = kept_of(*range(count), longest_seconds=1e9)
    times = list(range(count))[-127:]
    assert pictures.seconds.tolist() == times
    assert [pictures[place].time for place in range(len(pictures))] == times
    assert pictures.colours.shape == (127, COLOURS)
    assert (pictures.colours == np.array([time % 256 for time in times])[:, None]).all()


def test_colours_are_means_of_blocks_of_four_by_four() -> None:
    random = np.random.default_rng(5).integers(0, 256, (3, 36, 64)).astype(np.uint8)
    pictures = RecentPictures(2.0)
    pictures.append(Fraction(0), random)
    means = random.reshape(3, 9, 4, 16, 4).mean(axis=(2, 4))
    np.testing.assert_allclose(pictures.colours[0], means.ravel(), rtol=1e-6)
    np.testing.assert_array_equal(pictures[-1].brightness, random[0])


def test_what_is_cleared_is_forgotten() -> None:
    pictures = kept_of(0, 1)
    pictures.clear()
    assert (len(pictures), len(pictures.seconds), len(pictures.colours)) == (0, 0, 0)
    pictures.append(Fraction(7), thumbnail(9))
    assert (pictures.seconds.tolist(), pictures[0].time, pictures.colours[0, 0]) == ([7.0], 7, 9.0)


@pytest.mark.parametrize(("deviation", "is_blank"), [(0, True), (4, True), (5, False), (6, False)])
def test_a_picture_of_one_colour_is_blank(deviation: int, is_blank: bool) -> None:
    brightness = np.full((36, 64), 100 - deviation, np.uint8)
    brightness[:18] = 100 + deviation
    assert RecentPicture(Fraction(0), brightness).is_blank == is_blank
