from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from pipeline.errors import ConfigError
from pipeline.run_config import load_run_config
from pipeline.sampling import CutDetection, FixedRate
from pipeline.testing.examples import examples
from pipeline.testing.sampler import GreyFrame, SamplerContract, frames_at, info_of, sampled, videos
from pipeline.types import Skip


def times(sampler: FixedRate, *milliseconds: int, duration_seconds: float | None = None) -> list[int]:
    return [frame.pts for frame in sampled(sampler, frames_at(*milliseconds), duration_seconds)]


class TestFixedRate(SamplerContract):
    sampler = FixedRate(fps=2.0)


class TestTolerantFixedRate(SamplerContract):
    sampler = FixedRate(fps=2.0, tolerance_seconds=0.25)
    tolerance = Fraction(1, 4)


def seen(sampler: FixedRate, *frames: GreyFrame, average_rate: int | None = None) -> list[tuple[int, Fraction]]:
    """The pts of the sampled frames, and until when each was seen."""
    info = replace(info_of(99.0), average_rate=None if average_rate is None else Fraction(average_rate))
    one_pass = sampler.begin(info)
    chosen = [each.pts for frame in frames for each in one_pass.feed(frame)] + [f.pts for f in one_pass.finish()]
    return list(zip(chosen, one_pass.seen_until, strict=True))


def test_every_point_takes_the_frame_on_screen() -> None:
    assert times(FixedRate(fps=2.0), *range(0, 3000, 40)) == [0, 480, 1000, 1480, 2000, 2480]


def test_uneven_times_are_exact() -> None:
    assert times(FixedRate(), 0, 40, 80, 1000, 1100, 2999, 3001, 3500, 7200, 7300) == [0, 1000, 1100, 2999, 3500]


def test_a_late_start_takes_the_first_frame() -> None:
    assert times(FixedRate(), 2500, 2600, 2700, 3100, 3200) == [2500, 2700]


def test_a_frame_is_taken_once_however_long_it_is_shown() -> None:
    assert times(FixedRate(), 0, 60_000, 60_040) == [0, 60_000]


def test_a_gap_of_years_costs_nothing() -> None:
    assert times(FixedRate(fps=1000.0), 0, 10**15) == [0, 10**15]


def test_the_last_frame_counts_while_it_is_shown() -> None:
    assert times(FixedRate(), *range(0, 1000, 100)) == [0]
    assert times(FixedRate(), *range(0, 960, 50)) == [0]
    assert times(FixedRate(), 0, 900, duration_seconds=3.0) == [0, 900]
    assert times(FixedRate(), 0, 40, 980, duration_seconds=0.5) == [0, 980]


def test_the_length_of_the_file_puts_no_point_behind_the_last_frame() -> None:
    """It may be that of the sound, or count from another start."""
    assert times(FixedRate(fps=2.0), *range(0, 1000, 40), duration_seconds=1.08) == [0, 480]
    assert times(FixedRate(fps=2.0), *range(0, 1000, 40), duration_seconds=60.0) == [0, 480]


def test_the_last_frame_lasts_as_long_as_its_container_says() -> None:
    frames = [GreyFrame(0), GreyFrame(900, duration=Fraction(21, 10))]
    assert seen(FixedRate(), *frames) == [(0, 0), (900, 2)]
    assert seen(FixedRate(), GreyFrame(0), GreyFrame(900, duration=Fraction(1, 10))) == [(0, 0)]
    assert seen(FixedRate(), GreyFrame(0, duration=Fraction(60))) == [(0, 59)]


def test_the_last_frame_without_a_duration_lasts_as_long_as_others_do() -> None:
    slides = [GreyFrame(0), GreyFrame(60_000)]
    assert seen(FixedRate(fps=2.0), *slides) == [(0, Fraction(119, 2)), (60_000, Fraction(239, 2))]
    assert seen(FixedRate(fps=2.0), *slides, average_rate=25) == [(0, Fraction(119, 2)), (60_000, 60)]
    # Times are rounded to milliseconds, so that the last step seems to be 34 ms long.
    rounded = [GreyFrame(round(k * 1000 / 30)) for k in range(30)]
    assert [pts for pts, _ in seen(FixedRate(fps=2.0), *rounded, average_rate=30)] == [0, 500]
    # A header that says 24 frames a second of a video with 25.
    assert [pts for pts, _ in seen(FixedRate(fps=2.0), *frames_at(*range(0, 1000, 40)), average_rate=24)] == [0, 480]


def test_a_frame_is_seen_until_the_last_point_in_its_time_on_screen() -> None:
    found = seen(FixedRate(fps=2.0), *frames_at(20, 60_000, 60_040, 119_990, 120_030))
    assert found == [(20, Fraction(119, 2)), (60_000, 60), (60_040, Fraction(239, 2)), (119_990, 120)]


def test_what_may_have_been_left_out_within_the_tolerance_ends_a_hold() -> None:
    sampler = FixedRate(fps=2.0, tolerance_seconds=0.25)
    # Between 60.0 and 60.2 s, another frame may have been on screen at 60 s.
    assert seen(sampler, *frames_at(0, 60_200, 60_700, 61_200))[0] == (0, Fraction(119, 2))
    assert seen(sampler, *frames_at(0, 700, 1200))[0] == (0, 0)


@pytest.mark.parametrize(
    ("fps", "rate"),
    [
        (1.0, Fraction(1)),
        (0.1, Fraction(1, 10)),
        (29.97002997, Fraction(30000, 1001)),
        (23.976023976, Fraction(24000, 1001)),
        (1 / 3, Fraction(1, 3)),
        (0.0001, Fraction(0.0001)),
    ],
)
def test_rates_are_exact(fps: float, rate: Fraction) -> None:
    assert FixedRate(fps=fps).rate == rate


def test_a_steady_rate_never_drifts() -> None:
    rate = Fraction(30000, 1001)
    chosen = sampled(FixedRate(fps=29.97002997), [GreyFrame(round(k / rate * 1000) + 1) for k in range(20_000)])
    assert len(chosen) == 20_000


@given(video=videos(), fps=st.sampled_from([0.5, 1.0, 2.0, 10.0]))
@settings(max_examples=examples(100), deadline=None)
def test_no_point_goes_without_its_frame(video: list[GreyFrame], fps: float) -> None:
    near = [frame for frame in video if frame.time < 100]
    if not near:
        return
    chosen = {frame.pts for frame in sampled(FixedRate(fps=fps), near)}
    points = [Fraction(k) / Fraction(fps) for k in range(int(near[-1].time * Fraction(fps)) + 1)]
    on_screen = [max((f.pts for f in near if f.time <= point), default=near[0].pts) for point in points]
    # The last point's frame may be the last one, and is judged by an estimate of how long it is shown.
    assert set(on_screen) <= chosen
    assert len(chosen - set(on_screen)) <= 1


def test_all_frames_are_wanted() -> None:
    assert FixedRate().skip is Skip.NOTHING


def test_cuts_are_searched_for_beside_the_grid() -> None:
    assert FixedRate().cut_searches == ()
    assert FixedRate(cuts=CutDetection()).cut_searches == (CutDetection(),)
    assert FixedRate(cuts=CutDetection()).grid == FixedRate().grid


@pytest.mark.parametrize("fps", [0.0, -1.0, float("nan"), float("inf"), 2000.0, "2"])
def test_rates_out_of_range_are_refused(fps: float) -> None:
    with pytest.raises(ValidationError):
        FixedRate(fps=fps)


def test_a_detectors_name_stands_for_it() -> None:
    sampling = load_run_config(overrides=["sampling.cuts=hash"]).sampling
    assert sampling == FixedRate(cuts=CutDetection(detector="hash"))


def test_an_unknown_detector_names_its_path() -> None:
    with pytest.raises(ConfigError, match=r"sampling\.cuts\.detector: .*'adaptive'"):
        load_run_config(overrides=["sampling.cuts=adaptiv"])


def test_a_frame_exactly_on_a_point_is_that_points_and_one_at_the_end_is_none() -> None:
    assert times(FixedRate(), 0, 999, 1000, 1001, 1999, 2001, 2100) == [0, 1000, 1999]
    # The last frame lasts until 2 s and not at it; half a tick is the container's rounding.
    assert seen(FixedRate(), GreyFrame(0), GreyFrame(1500, duration=Fraction(1, 2))) == [(0, 1)]
    assert seen(FixedRate(), GreyFrame(0), GreyFrame(1500, duration=Fraction(501, 1000))) == [(0, 1), (1500, 2)]


def test_at_29_97_frames_a_second_every_frame_has_its_point() -> None:
    rate = Fraction(30_000, 1001)
    grid = FixedRate(fps=29.97002997)
    exact = [GreyFrame(int(1000 * k / rate)) for k in range(300)]
    assert len(sampled(grid, exact)) >= 298
    assert FixedRate(fps=29.97).rate == Fraction(2997, 100)


@pytest.mark.parametrize(
    ("frames", "expected"),
    [
        # The frame nearest to 500 ms is taken; halfway between two it is the later one.
        ((0, 400, 650, 1000), [0, 400, 1000]),
        ((0, 400, 600, 1000), [0, 600, 1000]),
        ((0, 300, 600, 1000), [0, 600, 1000]),
        ((0, 450, 475, 549, 1000), [0, 475, 1000]),
    ],
)
def test_with_a_tolerance_the_nearest_frame_is_taken(frames: tuple[int, ...], expected: list[int]) -> None:
    assert times(FixedRate(fps=2.0, tolerance_seconds=0.25), *frames) == expected


@pytest.mark.parametrize(("tolerance", "fps", "is_taken"), [(0.25, 2.0, True), (0.251, 2.0, False), (0.5, 1.0, True)])
def test_a_tolerance_is_at_most_half_a_step(tolerance: float, fps: float, is_taken: bool) -> None:
    if is_taken:
        assert FixedRate(fps=fps, tolerance_seconds=tolerance).grid.tolerance == Fraction(str(tolerance))
    else:
        with pytest.raises(ValidationError, match=r"at most half of the 0\.5 s between two frames, got 0\.251"):
            FixedRate(fps=fps, tolerance_seconds=tolerance)


def test_the_fastest_and_the_slowest_rate() -> None:
    assert FixedRate(fps=1000.0).rate == 1000
    assert FixedRate(fps=5e-324).rate > 0
    # Further than a millionth from every fraction with a small denominator.
    assert FixedRate(fps=0.0012349).rate == Fraction(0.0012349)
    assert FixedRate(fps=2.0).begin(info_of()).step == Fraction(1, 2)


def test_a_pass_holds_the_frame_on_screen() -> None:
    one_pass = FixedRate().begin(info_of())
    assert one_pass.held_since is None
    for frame in frames_at(40, 80):
        one_pass.feed(frame)
        assert one_pass.held_since == frame.time
    one_pass.finish()
    assert one_pass.held_since is None
    assert one_pass.finish() == []
