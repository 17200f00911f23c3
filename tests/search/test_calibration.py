"""What a cosine means: exact levels, scales and bases, on samples whose cosines are stated."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import pytest

from pipeline.search import Searching
from pipeline.search.calibration import Calibration, Calibrator, probability
from pipeline.store import FrameSample

Vectors = npt.NDArray[np.float32]
AXIS = np.asarray([1, 0, 0], np.float32)
LOG_ODDS = math.log(1000)


def with_cosines(*cosines: float, axis: int = 0) -> Vectors:
    """Unit vectors that have these cosines with an axis, float32 (N, 3)."""
    vectors = np.zeros((len(cosines), 3))
    vectors[:, axis] = cosines
    vectors[:, 2] = np.sqrt(1 - np.square(cosines))
    return np.asarray(vectors, np.float32)


def background_of(
    frames: Vectors,
    videos: int = 3,
    *,
    texts: Vectors | None = None,
    scale: float = 100.0,
    bias: float | None = None,
    odds: float = 1000.0,
    quantile: float = 0.25,
) -> Calibrator:
    """A library whose sample holds these frames, of so many videos."""
    known = np.empty((0, 3), np.float32) if texts is None else texts

    def encode_texts(asked: Sequence[str]) -> Vectors:
        return known[[int(text) for text in asked]]

    return Calibrator(
        FrameSample(frames, tuple(f"v{number}" for number in range(videos)), len(frames)),
        encode_texts,
        texts=[str(number) for number in range(len(known))],
        logit_scale=scale,
        logit_bias=bias,
        odds=odds,
        base_quantile=quantile,
    )


FIVE = with_cosines(0.1, 0.2, 0.3, 0.5, 0.9)


def test_without_other_texts_the_level_is_the_median_and_the_base_the_quantile_of_the_sample() -> None:
    calibration = background_of(FIVE).calibrate(AXIS)
    assert (calibration.level, calibration.base) == pytest.approx((0.3, 0.2))
    assert (calibration.scale, calibration.log_odds) == (100.0, pytest.approx(LOG_ODDS))


@pytest.mark.parametrize(("quantile", "base"), [(0.0, 0.1), (0.5, 0.3), (0.9, 0.3)])
def test_the_base_is_the_quantile_that_the_settings_name_and_at_most_the_level(quantile: float, base: float) -> None:
    assert background_of(FIVE, quantile=quantile).calibrate(AXIS).base == pytest.approx(base)


# Other texts with cosines of 0.1 and 0.3 with every frame: typical 0.2, spread 0.1.
OTHERS = np.asarray([[0, 0.1, 0], [0, 0.3, 0]], np.float32)


def like(cosine: float, count: int = 4) -> Vectors:
    """Frames that have a cosine with the question, and 1 with the direction of the other texts."""
    return np.repeat(np.asarray([[cosine, math.sqrt(1 - cosine**2), 0]], np.float32), count, axis=0)


def judged(cosine: float, videos: int) -> Calibration:
    frames = like(cosine)
    along = frames[0, 1]
    return background_of(frames, videos, texts=OTHERS / along).calibrate(AXIS)


@pytest.mark.parametrize(
    ("cosine", "videos", "level"),
    [
        # Three videos weigh as much as what is typical of other texts.
        (0.1, 3, 0.15),
        (0.1, 1, 0.1 / 4 + 0.2 * 3 / 4),
        (0.1, 9, 0.1 * 3 / 4 + 0.2 / 4),
        # Bounded: at most one spread above what is typical.
        (0.28, 3, 0.24),
        (0.3, 3, 0.25),
        (0.9, 3, 0.25),
    ],
)
def test_a_level_is_bounded_by_other_texts_and_drawn_towards_them(cosine: float, videos: int, level: float) -> None:
    calibration = judged(cosine, videos)
    assert calibration.level == pytest.approx(level, abs=1e-6)
    # Frames all alike have one quantile: the base is drawn as the level is.
    assert calibration.base == pytest.approx(level, abs=1e-6)


def test_the_base_is_drawn_towards_the_bases_of_other_texts_and_not_their_levels() -> None:
    frames = np.asarray([[0.1, 0.2, 0], [0.1, 0.4, 0], [0.1, 0.6, 0], [0.1, 0.8, 0], [0.1, 0.9, 0]])
    frames[:, 2] = np.sqrt(1 - np.square(frames).sum(axis=1))
    texts = np.asarray([[0, 1, 0], [0, 1, 0]], np.float32)
    calibration = background_of(np.asarray(frames, np.float32), texts=texts).calibrate(AXIS)
    assert calibration.level == pytest.approx((0.1 + 0.6) / 2)
    assert calibration.base == pytest.approx((0.1 + 0.4) / 2)


def test_without_a_frame_a_text_has_nothing_to_stand_out_from() -> None:
    none = np.empty((0, 3), np.float32)
    assert background_of(none, 0).calibrate(AXIS) == Calibration(0.0, 100.0, pytest.approx(LOG_ODDS))
    assert background_of(none, 0, texts=OTHERS).calibrate(AXIS).base is None


def test_a_sigmoid_trained_model_has_its_own_level() -> None:
    calibration = background_of(FIVE, scale=50.0, bias=-20.0, odds=10.0).calibrate(AXIS)
    level = (20 - math.log(10)) / 50
    assert (calibration.level, calibration.scale, calibration.log_odds) == pytest.approx((level, 50.0, math.log(10)))
    assert calibration.base == pytest.approx((0.2 + level) / 2)


def test_a_sigmoid_trained_models_base_is_at_most_its_level() -> None:
    level = (20 - math.log(10)) / 50
    for frames in (with_cosines(0.9, 0.95), np.empty((0, 3), np.float32)):
        calibration = background_of(frames, scale=50.0, bias=-20.0, odds=10.0).calibrate(AXIS)
        assert (calibration.level, calibration.base) == pytest.approx((level, level))


def pair(distance: float) -> Vectors:
    """Two frames so far (1 - cosine) from each other."""
    return np.concatenate([with_cosines(1.0), with_cosines(1 - distance)])


@pytest.mark.parametrize(
    ("frames", "videos", "distance"),
    [
        # Of one frame, or of none, the usual distance stands.
        (with_cosines(1.0), 1, 0.6),
        (np.empty((0, 3), np.float32), 0, 0.6),
        (pair(0.6), 3, 0.6),
        (pair(0.3), 3, math.sqrt(0.6 * 0.3)),
        (pair(0.3), 1, 0.6**0.75 * 0.3**0.25),
        (pair(0.3), 9, 0.6**0.25 * 0.3**0.75),
    ],
)
def test_the_level_of_a_picture_is_a_quarter_of_the_usual_distance_away(
    frames: Vectors, videos: int, distance: float
) -> None:
    calibration = background_of(frames, videos).calibrate(AXIS, is_picture=True)
    level = 1 - 0.25 * distance
    assert calibration.level == pytest.approx(level, abs=1e-6)
    assert calibration.scale == pytest.approx(2 * LOG_ODDS / (1 - level), rel=1e-4)
    assert (calibration.log_odds, calibration.base) == (pytest.approx(LOG_ODDS), None)


@pytest.mark.parametrize(("videos", "distance"), [(3, 1e-4), (9, 0.001), (30, 0.0)])
def test_the_level_of_a_picture_leaves_room_for_compression(videos: int, distance: float) -> None:
    assert background_of(pair(distance), videos).calibrate(AXIS, is_picture=True).level == 0.98


def test_a_picture_itself_is_as_likely_as_one_at_the_level_is_unlikely() -> None:
    calibration = background_of(pair(0.6)).calibrate(AXIS, is_picture=True)
    itself, level, midway = calibration(np.asarray([1.0, calibration.level, (1 + calibration.level) / 2]))
    assert (itself, level, midway) == pytest.approx((LOG_ODDS, -LOG_ODDS, 0.0))


def test_of_several_pictures_their_own_mean_cosine_takes_the_place_of_one() -> None:
    calibration = background_of(pair(0.6)).calibrate(AXIS, is_picture=True, mean_length=0.8)
    assert calibration.level == pytest.approx(0.8 * 0.85)
    assert calibration(np.asarray([0.8])) == pytest.approx([LOG_ODDS])


def test_the_distance_is_the_median_of_pairs_without_those_of_a_frame_with_itself() -> None:
    # Cosines of pairs: 0.5 between neighbours of three at 60 degrees, -0.5 between the ends.
    angles = np.radians([0, 60, 120])
    frames = np.stack([np.cos(angles), np.sin(angles), np.zeros(3)], axis=1).astype(np.float32)
    calibration = background_of(frames).calibrate(AXIS, is_picture=True)
    assert calibration.level == pytest.approx(1 - 0.25 * math.sqrt(0.6 * 0.5), abs=1e-6)


@pytest.mark.parametrize("count", [1023, 1024, 1536])
def test_of_a_great_sample_about_five_hundred_evenly_spread_frames_are_compared(count: int) -> None:
    """Every `count // 512`-th frame is of one kind, and all others are of another: only those of one kind are met."""
    every = count // 512
    frames = np.repeat(with_cosines(0.0), count, axis=0)
    if every > 1:
        frames[::every] = with_cosines(1.0)
        frames[every::every] = np.asarray([0.4, math.sqrt(1 - 0.16), 0], np.float32)
    calibration = background_of(frames).calibrate(AXIS, is_picture=True)
    distance = 0.0
    expected = min(1 - 0.25 * math.sqrt(0.6 * distance), 0.98)
    assert calibration.level == pytest.approx(expected, abs=1e-6)


def test_a_judge_turns_cosines_into_log_odds() -> None:
    calibration = Calibration(level=0.2, scale=50.0, log_odds=5.0)
    assert calibration(np.asarray([0.2, 0.3, 0.1], np.float32)) == pytest.approx([-5.0, 0.0, -10.0], abs=1e-5)
    assert calibration(np.asarray([0.2], np.float32)).dtype == np.float64
    assert calibration.base_log_odds == pytest.approx(-5.0)
    assert Calibration(0.2, 50.0, 5.0, base=0.1).base_log_odds == pytest.approx(-10.0)
    assert Calibration(0.2, 50.0, 5.0, base=0.0).base_log_odds == pytest.approx(-15.0)


@pytest.mark.parametrize(
    ("log_odds", "expected"),
    [(0.0, 0.5), (math.log(3), 0.75), (-math.log(3), 0.25), (800.0, 1.0), (-701.0, 0.0), (-1e308, 0.0)],
)
def test_a_probability_of_log_odds(log_odds: float, expected: float) -> None:
    assert probability(log_odds) == pytest.approx(expected)


def test_a_probability_is_nothing_only_where_a_float_cannot_hold_it() -> None:
    assert 0 < probability(-699.0) < 1e-300


def test_the_defaults_by_which_scores_are_comparable_between_libraries() -> None:
    """Scores of libraries that exist hang on them; who changes one says on which footage it was chosen."""
    defaults = Searching()
    assert (defaults.odds, defaults.base_quantile, defaults.min_score) == (1000.0, 0.25, 0.5)
    assert (defaults.merge_ratio, defaults.edge_ratio, defaults.same_picture) == (0.65, 0.5, 0.99)
    assert (defaults.top, defaults.candidates, len(defaults.background)) == (10, 100, 24)
