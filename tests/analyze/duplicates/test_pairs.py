from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from made_embeddings import DIMENSION, STEP, Film, embeddings, grid, letterboxed, track

from pipeline.analyze.duplicates.frame_space import FrameSpace
from pipeline.analyze.duplicates.frame_track import frame_track
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


@pytest.mark.parametrize("seed", range(1, 7))
def test_a_letterboxed_copy_whose_frames_do_not_match_is_found_by_its_changes(seed):
    film = Film(seed).at(grid(SECONDS))
    a, b = track("a", film), track("b", letterboxed(film), noise=0.05)
    assert np.einsum("ij,ij->i", a.vectors, b.vectors).mean() < 0.5
    (pair,) = between(a, b)
    assert (pair.offset_seconds, pair.rate) == (near(0), 1.0)
    assert pair.a.duration_seconds > 0.7 * SECONDS


def test_a_letterboxed_excerpt_of_a_long_video_has_its_offset():
    excerpt = letterboxed(Film(3).at(grid(30.0) + 200.0))
    pairs = between(track("a", Film(3).at(grid(400.0))), track("b", excerpt, noise=0.05))
    assert pairs
    assert all(pair.offset_seconds == pytest.approx(-200, abs=2 * STEP) for pair in pairs)


@pytest.mark.parametrize("seed", range(10, 22))
def test_letterboxed_other_footage_is_no_copy(seed):
    other = track("b", letterboxed(Film(seed).at(grid(SECONDS))))
    assert between(source(), other) == []
    assert between(track("a", letterboxed(A.at(grid(SECONDS)))), other) == []


@pytest.mark.parametrize("rate", [1.04, 0.96, 25 / 24, 25 / 23.976, 23.976 / 25, 1.08])
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


def test_two_copies_in_one_video_give_a_pair_each():
    other = Film(2)
    b = np.concatenate([A.at(grid(SECONDS)), other.at(grid(20.0)), A.at(grid(SECONDS)), other.at(grid(10.0) + 40.0)])
    first, second = sorted(between(source(), track("b", b, noise=0.1)), key=lambda pair: pair.offset_seconds)
    assert (first.offset_seconds, second.offset_seconds) == (near(0), near(SECONDS + 20.0))


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


@pytest.mark.parametrize("is_all", [True, False])
@pytest.mark.parametrize("seed", range(4))
def test_what_a_codec_does_to_a_still_picture_is_no_copy(seed, is_all):
    """A library of nothing else has its mean at the picture: only the codec's noise tells frames apart."""
    random = np.random.default_rng(seed)
    picture = random.normal(size=DIMENSION)
    # A codec's refreshes return every 6 seconds, and are the same in each file.
    vectors = picture + 0.03 * np.tile(random.normal(size=(12, DIMENSION)), (10, 1))
    frames = [embeddings(name, vectors, noise=noise) for name, noise in (("a", 0.0), ("b", 0.001))]
    others = [] if is_all else [Film(40).at(grid(100.0))]
    space = FrameSpace.of_sample(np.concatenate([frames[0].vectors, *others]).astype(np.float32))
    a, b = (frame_track(each, space, STEP) for each in frames)
    assert between(a, b) == []
    assert list(pairs_within(a, min_seconds=5.0, threshold=0.4)) == []


def test_a_fixed_camera_is_found_by_its_few_events():
    place = 2 * np.random.default_rng(9).normal(size=DIMENSION)
    vectors = np.tile(place, (1200, 1))
    random = np.random.default_rng(8)
    for start in range(100, 1200, 200):
        vectors[start : start + 8] += random.normal(size=DIMENSION)
    a, b = track("a", vectors, noise=0.01), track("b", vectors, noise=0.02)
    (pair,) = between(a, b)
    assert (pair.offset_seconds, pair.rate) == (near(0), 1.0)


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


def wandering(seed: int, points: int, kept: float) -> np.ndarray:
    """Pictures that change steadily and never return; each keeps this much of the one before."""
    random = np.random.default_rng(seed)
    steps = random.normal(size=(points, DIMENSION))
    rows = [steps[0]]
    for step in steps[1:]:
        rows.append(kept * rows[-1] + np.sqrt(1 - kept**2) * step)
    return np.stack(rows)


def sampled(vectors, step_seconds):
    count = len(vectors)
    frames = replace(
        embeddings("a", vectors),
        times_seconds=np.arange(count) * step_seconds,
        step_seconds=step_seconds,
        duration_seconds=count * step_seconds,
    )
    return frame_track(frames, FrameSpace(np.zeros(DIMENSION, np.float32)), step_seconds)


@pytest.mark.parametrize("kept", [0.9, 0.97, 0.99])
@pytest.mark.parametrize(("step_seconds", "min_seconds"), [(2.0, 5.0), (1.0, 5.0), (1.0, 2.0), (0.5, 1.0), (0.5, 3.0)])
def test_a_slow_video_is_no_repetition_of_itself_at_the_same_time(kept, step_seconds, min_seconds):
    one = sampled(wandering(3, 400, kept), step_seconds)
    pairs = list(pairs_within(one, min_seconds=min_seconds, threshold=0.45))
    assert [pair for pair in pairs if pair.offset_seconds < min_seconds] == []


@pytest.mark.parametrize(("step_seconds", "offset"), [(1.0, 30), (1.0, 200), (0.5, 30), (2.0, 60)])
def test_a_repetition_in_a_slow_video_is_still_found(step_seconds, offset):
    vectors = wandering(4, 400, 0.9)
    vectors[100 + offset : 130 + offset] = vectors[100:130]
    (pair,) = pairs_within(sampled(vectors, step_seconds), min_seconds=5.0, threshold=0.45)
    assert pair.offset_seconds == pytest.approx(offset * step_seconds, abs=step_seconds)
    assert pair.a.start_seconds == pytest.approx(100 * step_seconds, abs=3 * step_seconds)
