from __future__ import annotations

from contracts.sampler_contract import GreyFrame, SamplerContract, info_of, sampled

from pipeline.sampling import Keyframe
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


def test_the_decoder_may_skip_the_rest() -> None:
    assert Keyframe().skip is Skip.NON_KEY
    assert Keyframe().begin(info_of()).cuts is None
