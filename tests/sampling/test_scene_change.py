from __future__ import annotations

from fractions import Fraction
from itertools import pairwise

import pytest
from synthetic_films import DrawnFrame, film, shot

from pipeline.run_config import load_run_config
from pipeline.sampling import CutDetection, SceneChange
from pipeline.sampling.scene_change import _CandidateFrame, _Candidates
from pipeline.sampling.screen_time import Hold
from pipeline.testing.sampler import GreyFrame, SamplerContract, info_of, sampled
from pipeline.types import Skip

SHOTS = [*shot(1, 50), *shot(2, 100), *shot(3, 30)]


def chosen(sampler: SceneChange, frames: list[DrawnFrame]) -> list[int]:
    one_pass = sampler.begin(info_of())
    found = [each for frame in frames for each in one_pass.feed(frame)]
    found.extend(one_pass.finish())
    numbers = {frame.pts: frame.number for frame in frames}
    return [numbers[frame.pts] for frame in found]


def test_a_gap_of_years_before_a_cut_costs_nothing() -> None:
    shades = [100] * 200 + [220] * 20
    frames = [GreyFrame(40 * k + (10**14 if k >= 200 else 0), shade) for k, shade in enumerate(shades)]
    assert len(sampled(SceneChange(), frames)) < 30


class TestSceneChange(SamplerContract):
    sampler = SceneChange()


class TestSceneChangeWithoutGap(SamplerContract):
    sampler = SceneChange(max_gap_seconds=None, frames_per_shot=2)


def test_every_shot_gives_its_frames_away_from_its_edges() -> None:
    numbers = chosen(SceneChange(max_gap_seconds=None), film(SHOTS))
    assert len(numbers) == 9
    for (start, end), shots_own in zip(
        [(0, 50), (50, 150), (150, 180)], [numbers[:3], numbers[3:6], numbers[6:]], strict=True
    ):
        length = end - start
        for number, place in zip(shots_own, (1 / 6, 1 / 2, 5 / 6), strict=True):
            assert number == pytest.approx(start + place * length, abs=0.1 * length + 1)


def test_a_long_shot_has_no_long_gap() -> None:
    frames = film([next(shot(1, 1))] * 2000)
    times = [frames[number].time for number in chosen(SceneChange(max_gap_seconds=3.0), frames)]
    points = [Fraction(0), *times, frames[-1].time]
    assert max(after - before for before, after in pairwise(points)) <= 3
    assert len(times) < 80


def test_the_rest_of_a_long_shot_gets_its_share() -> None:
    # 4 s a piece: one whole and an eighth.
    frames = film([next(shot(1, 1))] * 113)
    assert len(chosen(SceneChange(), frames)) == 4


def test_a_shot_with_fewer_frames_gives_them_all() -> None:
    frames = film([next(shot(1, 1))] * 2)
    assert chosen(SceneChange(), frames) == [0, 1]


def test_uneven_times_are_followed() -> None:
    pictures = [next(shot(1, 1))] * 300
    times = [Fraction(k, 100) for k in range(200)] + [Fraction(2) + Fraction(k) for k in range(100)]
    frames = film(pictures, times)
    found = [frames[number].time for number in chosen(SceneChange(max_gap_seconds=2.0), frames)]
    assert max(after - before for before, after in pairwise(found)) <= 2


def test_cuts_are_told() -> None:
    one_pass = SceneChange().begin(info_of())
    for frame in film(SHOTS):
        one_pass.feed(frame)
    one_pass.finish()
    assert one_pass.cuts == (Fraction(2), Fraction(6))


def test_a_frame_is_seen_until_the_next_one_whether_that_is_taken_or_not() -> None:
    frames = film([next(shot(1, 1))] * 3, [Fraction(0), Fraction(60), Fraction(61)])
    one_pass = SceneChange(frames_per_shot=1, max_gap_seconds=None).begin(info_of())
    chosen = [each.time for frame in frames for each in one_pass.feed(frame)] + [f.time for f in one_pass.finish()]
    assert chosen == [Fraction(60)]
    assert one_pass.seen_until == (Fraction(60_999, 1000),)


def test_it_is_configured_by_name() -> None:
    config = load_run_config(overrides=["sampling.strategy=scene_change", "sampling.cuts=content"])
    assert config.sampling == SceneChange(cuts=CutDetection(detector="content"))
    assert config.sampling.skip is Skip.NOTHING


def candidates(most: int, *times: int) -> _Candidates:
    kept = _Candidates(most)
    for time in times:
        kept.add(_CandidateFrame(GreyFrame(1000 * time), Hold(Fraction(time))))
    return kept


def test_candidates_are_thinned_out_evenly_once_there_are_too_many() -> None:
    kept = candidates(4, *range(5))
    assert kept.first_time == 0
    assert [int(each.time) for each in kept.taken([Fraction(k) for k in range(6)])] == [0, 2, 4]
    kept = candidates(4, *range(40))
    assert [int(each.time) for each in kept.taken([Fraction(k) for k in range(40)])] == [0, 16, 32]
    assert kept.first_time is None
    assert kept.taken([Fraction(0)]) == []


def test_after_they_were_taken_candidates_are_kept_as_densely_as_at_first() -> None:
    kept = candidates(4, *range(40))
    kept.taken([])
    for time in (50, 51, 52):
        kept.add(_CandidateFrame(GreyFrame(1000 * time), Hold(Fraction(time))))
    assert [int(each.time) for each in kept.taken([Fraction(k) for k in (50, 51, 52)])] == [50, 51, 52]


def test_of_two_candidates_at_one_distance_the_earlier_is_taken_and_each_once() -> None:
    targets = [Fraction(1), Fraction(1), Fraction(7, 2)]
    assert [int(each.time) for each in candidates(8, 0, 2, 3, 4).taken(targets)] == [0, 3]


def test_a_piece_of_just_its_length_begins_the_next() -> None:
    # Pieces of 4 s, three frames each, at 0.67, 2 and 3.33 s.
    still = [GreyFrame(500 * k) for k in range(17)]
    found = [frame.pts for frame in sampled(SceneChange(), still)]
    assert found[:6] == [500, 2000, 3500, 4500, 6000, 7500]
    assert len(found) == 7


@pytest.mark.parametrize(("frames", "count"), [(2, 1), (3, 1), (4, 2), (7, 3)])
def test_a_rest_gets_its_share_of_frames_and_one_at_least(frames: int, count: int) -> None:
    still = [GreyFrame(500 * k) for k in range(8 + frames)]
    assert len(sampled(SceneChange(), still)) == 3 + count


def test_scene_changes_have_neither_grid_nor_other_searches() -> None:
    assert (SceneChange().cut_searches, SceneChange().finds_cuts) == ((), True)
    one_pass = SceneChange().begin(info_of())
    assert one_pass.held_since is None
    one_pass.feed(GreyFrame(700))
    assert one_pass.held_since == Fraction(7, 10)
    one_pass.finish()
    assert one_pass.held_since is None
