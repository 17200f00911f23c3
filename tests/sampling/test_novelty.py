from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from synthetic_films import DrawnFrame, Picture, film, shot

from pipeline.sampling import Novelty
from pipeline.sampling.novelty import change_between
from pipeline.testing.sampler import GreyFrame, SamplerContract, info_of, sampled


class TestNovelty(SamplerContract):
    sampler = Novelty()


class TestNoveltyWithoutFloor(SamplerContract):
    sampler = Novelty(fps=5.0, max_gap_seconds=None)


def still(count: int, *, seed: int = 1) -> list[Picture]:
    return list(shot(seed, count, pan=0.0))


def with_visitor(pictures: list[Picture], first: int, last: int) -> list[Picture]:
    """Someone small stands in the picture from `first` to `last`."""
    changed = [picture.copy() for picture in pictures]
    for picture in changed[first : last + 1]:
        picture[15:21, 40:43] = 255 - picture[15:21, 40:43]
    return changed


def taken(sampler: Novelty, frames: list[DrawnFrame]) -> tuple[list[Fraction], tuple[Fraction, ...]]:
    one_pass = sampler.begin(info_of())
    chosen = [each.time for frame in frames for each in one_pass.feed(frame)]
    chosen += [each.time for each in one_pass.finish()]
    return chosen, one_pass.seen_until


def test_a_still_picture_is_taken_once_and_now_and_then() -> None:
    frames = [GreyFrame(40 * k) for k in range(25 * 100)]
    assert [frame.pts for frame in sampled(Novelty(), frames)] == [0, 30_000, 60_000, 90_000]
    assert [frame.pts for frame in sampled(Novelty(max_gap_seconds=None), frames)] == [0]


def test_noise_is_no_change() -> None:
    chosen, seen_until = taken(Novelty(), film(still(250)))
    assert chosen == [0]
    assert seen_until == (9,)


def test_a_visitor_is_taken_when_he_comes_and_when_he_has_gone() -> None:
    chosen, seen_until = taken(Novelty(), film(with_visitor(still(250), 80, 130)))
    assert chosen == [0, 4, 6]
    assert seen_until == (3, 5, 9)


def test_slow_drift_adds_up() -> None:
    frames = [GreyFrame(1000 * k, shade=50 + k) for k in range(40)]
    assert [frame.pts for frame in sampled(Novelty(), frames)] == [0, 12_000, 24_000, 36_000]


def test_a_frame_is_seen_until_before_the_next_one_however_long_nothing_happens() -> None:
    frames = [GreyFrame(1000 * k) for k in range(75)]
    one_pass = Novelty(max_gap_seconds=30.0).begin(info_of())
    chosen = [each.pts for frame in frames for each in one_pass.feed(frame)] + [each.pts for each in one_pass.finish()]
    assert chosen == [0, 30_000, 60_000]
    assert one_pass.seen_until == (29, 59, 74)


def test_least_change_of_zero_takes_all() -> None:
    assert len(sampled(Novelty(least_change=0.0), [GreyFrame(1000 * k) for k in range(9)])) == 9


def test_a_change_of_size_is_a_change() -> None:
    frames = [GreyFrame(0), GreyFrame(1000, width=64), GreyFrame(2000, width=64)]
    assert [frame.pts for frame in sampled(Novelty(), frames)] == [0, 1000]


@pytest.mark.parametrize("size", [(1, 1), (2, 5), (36, 64)])
def test_change_between_is_that_of_the_worst_patch(size: tuple[int, int]) -> None:
    one = np.zeros((*size, 3), np.float32)
    other = one.copy()
    assert change_between(one, other) == 0
    other[:3, :3] = 90
    assert change_between(one, other) == pytest.approx(90)


def test_a_change_of_just_the_least_is_one() -> None:
    for step, expected in ((11, [0]), (12, [0, 1000])):
        frames = [GreyFrame(0, shade=50), GreyFrame(1000, shade=50 + step)]
        assert [frame.pts for frame in sampled(Novelty(), frames)] == expected


def test_a_gap_of_just_the_greatest_takes_a_frame() -> None:
    frames = [GreyFrame(1000 * k) for k in range(8)]
    assert [frame.pts for frame in sampled(Novelty(max_gap_seconds=3.0), frames)] == [0, 3000, 6000]
    assert [frame.pts for frame in sampled(Novelty(max_gap_seconds=3.001), frames)] == [0, 4000]


def test_after_a_frame_without_a_change_drift_is_still_against_the_one_that_began_it() -> None:
    frames = [GreyFrame(1000 * k, shade=50 + 3 * k) for k in range(8)]
    # Taken at 2 s for the gap alone; the change against 0 s reaches 12 at 4 s.
    assert [frame.pts for frame in sampled(Novelty(max_gap_seconds=2.0), frames)] == [0, 2000, 4000, 6000]


def test_a_patch_is_three_cells_wide() -> None:
    one = np.zeros((36, 64, 3), np.float32)
    other = one.copy()
    other[10, 10] = 90
    assert change_between(one, other) == pytest.approx(10)
    other[10:12, 10:14] = 90
    assert change_between(one, other) == pytest.approx(60)
    assert change_between(other, one) == pytest.approx(60)


def test_novelty_has_a_grid_and_finds_no_cuts() -> None:
    sampler = Novelty(fps=29.97002997)
    assert sampler.grid.rate == Fraction(30_000, 1001)
    assert (sampler.cut_searches, sampler.finds_cuts, sampler.grid.tolerance) == ((), False, 0)
    one_pass = sampler.begin(info_of())
    assert (one_pass.step, one_pass.held_since) == (Fraction(1001, 30_000), None)
