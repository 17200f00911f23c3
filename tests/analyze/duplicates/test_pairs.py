from __future__ import annotations

import numpy as np
import pytest
from made_embeddings import DIMENSION, STEP, Film, grid, track

from pipeline.analyze.duplicates.pairs import DuplicatePair, pairs_between, pairs_within

SECONDS = 24.0
A = Film(1)


def between(a, b, *, min_seconds=5.0, threshold=0.4) -> list[DuplicatePair]:
    return list(pairs_between(a, b, min_seconds=min_seconds, threshold=threshold))


def source():
    return track("a", A.at(grid(SECONDS)))


def near(seconds):
    return pytest.approx(seconds, abs=STEP)


@pytest.mark.parametrize("noise", [0.0, 0.1, 0.3])
def test_a_reencoded_copy_is_one_pair(noise):
    (pair,) = between(source(), track("b", A.at(grid(SECONDS)), noise=noise))
    assert (pair.a.start_seconds, pair.a.end_seconds) == (near(0), near(SECONDS))
    assert (pair.offset_seconds, pair.rate) == (near(0), 1.0)


def test_bars_or_a_logo_do_not_hide_a_copy():
    shift = 0.5 * np.random.default_rng(5).normal(size=DIMENSION)
    (pair,) = between(source(), track("b", A.at(grid(SECONDS)), shift=shift))
    assert pair.offset_seconds == near(0)


@pytest.mark.parametrize("rate", [1.04, 0.96, 25 / 24, 1.08])
def test_a_copy_at_another_speed_has_its_rate(rate):
    (pair,) = between(source(), track("b", A.at(grid(SECONDS * rate) / rate)))
    assert pair.rate == pytest.approx(rate, abs=STEP / SECONDS)
    assert (pair.b.start_seconds, pair.b.end_seconds) == (near(0), near(SECONDS * rate))


@pytest.mark.parametrize("phase", [0.0, 0.2, 0.25])
def test_a_cut_in_the_middle_gives_two_pairs_with_their_offsets(phase):
    times = np.concatenate([grid(9.0), grid(9.0) + 15.0 + phase])
    first, second = between(source(), track("b", A.at(times)))
    assert (first.a.end_seconds, first.offset_seconds) == (near(9), near(0))
    assert (second.a.start_seconds, second.offset_seconds) == (near(15 + phase), near(-6 - phase))


def test_an_excerpt_within_other_footage_is_found():
    other = Film(2)
    b = np.concatenate([other.at(grid(30.0)), A.at(grid(10.0) + 6.0), other.at(grid(30.0) + 30.0)])
    (pair,) = between(source(), track("b", b))
    assert (pair.a.start_seconds, pair.a.end_seconds) == (near(6), near(16))
    assert (pair.b.start_seconds, pair.b.end_seconds) == (near(30), near(40))


def test_a_copy_in_another_order_gives_a_pair_each():
    times = np.concatenate([grid(12.0) + 12.0, grid(12.0)])
    offsets = sorted(round(pair.offset_seconds) for pair in between(source(), track("b", A.at(times))))
    assert offsets == [-12, 12]


def test_a_long_video_has_its_copies_far_apart():
    long = Film(3)
    b = np.concatenate([long.at(grid(400.0)), A.at(grid(SECONDS)), long.at(grid(400.0) + 400.0)])
    (pair,) = between(source(), track("b", b, noise=0.1))
    assert pair.b.start_seconds == near(400)


@pytest.mark.parametrize("seed", range(10, 16))
def test_other_footage_is_no_copy(seed):
    assert between(source(), track("b", Film(seed).at(grid(SECONDS)))) == []


@pytest.mark.parametrize("motion", [0.0, 0.05, 0.4])
@pytest.mark.parametrize("seed", [20, 21, 22])
def test_the_same_camera_at_another_time_is_no_copy(motion, seed):
    place = 2 * np.random.default_rng(9).normal(size=DIMENSION)
    a, b = (Film(each, motion=motion, place=place) for each in (seed, seed + 100))
    assert between(track("a", a.at(grid(60)), noise=0.02), track("b", b.at(grid(60)), noise=0.02)) == []


def test_the_same_minute_of_a_fixed_camera_is_a_copy():
    film = Film(20, motion=0.4, place=2 * np.random.default_rng(9).normal(size=DIMENSION))
    (pair,) = between(track("a", film.at(grid(60)), noise=0.02), track("b", film.at(grid(60)), noise=0.05))
    assert pair.offset_seconds == near(0)


def test_black_is_no_copy():
    black = np.ones((20, DIMENSION))
    a = np.concatenate([A.at(grid(10.0)), black, A.at(grid(10.0) + 12)])
    b = np.concatenate([Film(2).at(grid(10.0)), black, Film(2).at(grid(10.0) + 12)])
    assert between(track("a", a), track("b", b)) == []


def test_one_cut_alone_is_no_copy():
    rooms = np.random.default_rng(4).normal(size=(2, DIMENSION))
    vectors = np.repeat(rooms, 20, axis=0)
    assert between(track("a", vectors, noise=0.01), track("b", vectors, noise=0.02)) == []


def test_a_common_opening_is_an_interval_of_its_length():
    opening = Film(7, shot_seconds=1.0).at(grid(4.0))
    a, b = (track(name, np.concatenate([opening, Film(seed).at(grid(20))])) for name, seed in (("a", 8), ("b", 9)))
    assert between(a, b) == []
    (pair,) = between(a, b, min_seconds=3.0)
    assert (pair.a.start_seconds, pair.a.end_seconds) == (near(0), near(4))


@pytest.mark.parametrize("count", [1, 2, 3])
def test_a_video_of_few_frames_has_no_pair(count):
    few = track("b", A.at(grid(SECONDS))[:count])
    assert between(source(), few) == between(few, source()) == []


def test_something_shown_three_times_gives_three_pairs_that_do_not_overlap():
    three = track("a", np.tile(A.at(grid(12.0)), (3, 1)), noise=0.05)
    pairs = list(pairs_within(three, min_seconds=5.0, threshold=0.4))
    starts = sorted((round(pair.a.start_seconds), round(pair.b.start_seconds)) for pair in pairs)
    assert starts == [(0, 12), (0, 24), (12, 24)]
    assert all(pair.a.end_seconds <= pair.b.start_seconds + STEP for pair in pairs)


def test_a_replay_within_a_video_is_found():
    vectors = np.concatenate([A.at(grid(SECONDS)), A.at(grid(8.0) + 8.0), Film(2).at(grid(10.0))])
    (pair,) = pairs_within(track("a", vectors), min_seconds=5.0, threshold=0.4)
    assert (pair.a.start_seconds, pair.b.start_seconds) == (near(8), near(24))


@pytest.mark.parametrize("motion", [0.0, 0.3])
def test_a_fixed_camera_repeats_nothing(motion):
    film = Film(30, motion=motion, place=2 * np.random.default_rng(9).normal(size=DIMENSION))
    assert list(pairs_within(track("a", film.at(grid(120)), noise=0.02), min_seconds=5.0, threshold=0.4)) == []


def test_the_score_of_a_clean_copy_is_greater_than_that_of_a_noisy_one():
    clean, noisy = (between(source(), track("b", A.at(grid(SECONDS)), noise=noise))[0] for noise in (0.0, 0.4))
    assert 0.4 <= noisy.score < clean.score <= 1.0
