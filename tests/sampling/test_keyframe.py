from __future__ import annotations

from fractions import Fraction

from pipeline.sampling import Keyframe
from pipeline.testing.sampler import GreyFrame, SamplerContract, info_of, sampled
from pipeline.types import Skip


class TestKeyframe(SamplerContract):
    sampler = Keyframe(min_gap_seconds=0.5)


def test_keyframes_are_taken_alone() -> None:
    frames = [GreyFrame(40 * k, is_keyframe=k % 10 == 0) for k in range(25)]
    assert [frame.pts for frame in sampled(Keyframe(), frames)] == [0, 400, 800]


def test_keyframes_that_follow_closely_are_left_out() -> None:
    frames = [GreyFrame(pts) for pts in (0, 900, 1000, 1900, 2000, 5000)]
    assert [frame.pts for frame in sampled(Keyframe(min_gap_seconds=1.0), frames)] == [0, 1000, 2000, 5000]


def test_the_first_frame_is_taken_where_there_is_no_keyframe() -> None:
    frames = [GreyFrame(40 * k, is_keyframe=False) for k in range(25)]
    assert [frame.pts for frame in sampled(Keyframe(), frames)] == [0]


def seen_until(*frames: GreyFrame) -> tuple[Fraction, ...]:
    one_pass = Keyframe().begin(info_of(99.0))
    for frame in frames:
        one_pass.feed(frame)
    one_pass.finish()
    return one_pass.seen_until


def test_a_keyframe_is_on_screen_for_its_own_duration() -> None:
    """The next one that is fed may be the next keyframe, with others left out between."""
    slides = [GreyFrame(0, duration=Fraction(60)), GreyFrame(60_000, duration=Fraction(1, 25)), GreyFrame(70_000)]
    assert seen_until(*slides) == (Fraction(59_999, 1000), Fraction(60_039, 1000), 70)
    # A duration that reaches beyond the next frame is wrong.
    assert seen_until(GreyFrame(0, duration=Fraction(60)), GreyFrame(40))[0] == Fraction(39, 1000)
    assert seen_until(GreyFrame(0, is_keyframe=False, duration=Fraction(2))) == (Fraction(1999, 1000),)


def test_the_decoder_may_skip_the_rest() -> None:
    assert Keyframe().skip is Skip.NON_KEY
    assert Keyframe().begin(info_of()).cuts is None


def test_a_keyframe_at_just_the_least_gap_is_taken() -> None:
    frames = [GreyFrame(pts) for pts in (500, 999, 1499, 1500, 2499)]
    assert [frame.pts for frame in sampled(Keyframe(min_gap_seconds=1.0), frames)] == [500, 1500]


def test_a_keyframe_that_comes_late_takes_the_place_of_the_first_frame() -> None:
    frames = [GreyFrame(0, is_keyframe=False), GreyFrame(40, is_keyframe=False), GreyFrame(80), GreyFrame(120)]
    one_pass = Keyframe(min_gap_seconds=5.0).begin(info_of())
    assert one_pass.held_since is None
    one_pass.feed(frames[0])
    one_pass.feed(frames[1])
    assert one_pass.held_since == 0
    assert one_pass.feed(frames[2]) == [frames[2]]
    assert one_pass.held_since is None
    assert one_pass.feed(frames[3]) == []
    assert one_pass.finish() == []
    assert len(one_pass.seen_until) == 1


def test_keyframes_have_no_grid_and_no_cuts() -> None:
    assert (Keyframe().cut_searches, Keyframe().finds_cuts) == ((), False)


def test_what_was_given_out_at_the_end_is_not_given_out_again() -> None:
    one_pass = Keyframe().begin(info_of())
    frame = GreyFrame(0, is_keyframe=False)
    assert one_pass.feed(frame) == []
    assert one_pass.finish() == [frame]
    assert (one_pass.finish(), one_pass.held_since, len(one_pass.seen_until)) == ([], None, 1)
