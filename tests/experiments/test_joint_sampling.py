from __future__ import annotations

import pickle
from fractions import Fraction
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from plugin_examples import EveryNth

from pipeline.execution.per_video.lost_time import LostTime
from pipeline.experiments.joint_sampling import JointSampling, JointSplitter, StoredFrames
from pipeline.sampling import FixedRate, Keyframe, Novelty, SceneChange
from pipeline.testing.sampler import GreyFrame, SamplerContract, frames_at, info_of, reachable, sampled
from pipeline.types import Skip

PARTS = (
    FixedRate(fps=1.0),
    FixedRate(fps=2.0),
    Keyframe(),
    SceneChange(max_gap_seconds=60.0),
    Novelty(fps=2.0, max_gap_seconds=4.0),
)


class TestShared(SamplerContract):
    sampler = JointSampling((FixedRate(fps=1.0), FixedRate(fps=3.0), Keyframe()))

    def test_a_sampler_is_its_configuration(self) -> None:
        # It is made of configurations, and is none itself: no file can name it.
        assert pickle.loads(pickle.dumps(self.sampler)) == self.sampler


def video() -> list[GreyFrame]:
    """Ten frames a second for twenty seconds; another picture every 3.3 s, and a keyframe every 1.2 s."""
    return [GreyFrame(100 * n, (20, 200)[n // 33 % 2], n % 12 == 0) for n in range(200)]


@pytest.mark.parametrize("number", range(len(PARTS)))
def test_each_sampling_takes_what_it_takes_alone(number: int) -> None:
    alone, shared = PARTS[number].begin(info_of(20.0)), JointSampling(PARTS).begin(info_of(20.0))
    expected = []
    for frame in video():
        expected += alone.feed(frame)
        shared.feed(frame)
    expected += alone.finish()
    shared.finish()
    share = shared.shares[number]
    assert share.pts == tuple(frame.pts for frame in expected)
    assert share.times == tuple(frame.time for frame in expected)
    assert (share.cuts, share.seen_until, share.step) == (alone.cuts, alone.seen_until, alone.step)
    assert share.cut_searches == PARTS[number].cut_searches


@pytest.mark.parametrize("parts", [PARTS, PARTS[2:3], PARTS[3:]], ids=["all", "none holds", "some hold"])
def test_frames_may_come_out_that_any_of_the_samplings_holds(parts: tuple[Any, ...]) -> None:
    alone = [part.begin(info_of(20.0)) for part in parts]
    shared = JointSampling(parts).begin(info_of(20.0))
    seen = {shared.held_since}
    assert seen == {None}
    for frame in video():
        shared.feed(frame)
        for one in alone:
            one.feed(frame)
        assert shared.held_since == min((one.held_since for one in alone if one.held_since is not None), default=None)
        seen.add(shared.held_since)
    assert (len(seen) > 1) == (len(parts) > 1)


def test_every_frame_comes_out_once() -> None:
    one_pass = JointSampling(PARTS).begin(info_of(20.0))
    given = [each.pts for frame in video() for each in one_pass.feed(frame)]
    given += [each.pts for each in one_pass.finish()]
    assert sorted(given) == sorted({pts for share in one_pass.shares for pts in share.pts})


def test_no_frame_waits_for_the_end_of_a_shot_that_another_sampling_waits_for() -> None:
    one_pass = JointSampling((FixedRate(fps=10.0), SceneChange(max_gap_seconds=None))).begin(info_of(20.0))
    given, waiting = 0, 0
    for frame in frames_at(*range(0, 20_000, 100)):
        given += len(one_pass.feed(frame))
        waiting = max(waiting, len(reachable(one_pass)))
    assert given >= 198
    assert waiting <= 30


def test_known_frames_do_not_come_out_again() -> None:
    known = StoredFrames(np.array([0, 1000, 3000], np.int64))
    sampler = JointSampling((FixedRate(fps=1.0),), {"v.mp4": known})
    assert [frame.pts for frame in sampled(sampler, frames_at(*range(0, 5000, 500)))] == [2000, 4000]


def test_known_frames_are_still_of_their_shares() -> None:
    one_pass = JointSampling((FixedRate(fps=1.0),), {"v.mp4": StoredFrames(np.array([0, 1000], np.int64))}).begin(
        info_of()
    )
    for frame in frames_at(0, 500, 1000, 1500, 2000):
        one_pass.feed(frame)
    one_pass.finish()
    assert one_pass.shares[0].pts == (0, 1000, 2000)


def test_frames_known_of_another_video_come_out() -> None:
    sampler = JointSampling((FixedRate(fps=1.0),), {"w.mp4": StoredFrames(np.array([0, 1000], np.int64))})
    assert [frame.pts for frame in sampled(sampler, frames_at(0, 1000))] == [0, 1000]


def test_where_all_is_known_the_first_frame_comes_out() -> None:
    sampler = JointSampling((FixedRate(fps=1.0),), {"v.mp4": StoredFrames(np.array([0, 1000], np.int64))})
    assert [frame.pts for frame in sampled(sampler, frames_at(0, 1000))] == [0]


def test_the_decoder_may_skip_what_no_sampling_wants() -> None:
    keyframes = Keyframe()
    assert JointSampling((keyframes,)).skip is keyframes.skip is not Skip.NOTHING
    assert JointSampling((keyframes, FixedRate(fps=1.0, cuts=None))).skip is FixedRate(fps=1.0, cuts=None).skip


def test_only_one_grid_for_all_is_told() -> None:
    one = FixedRate(fps=1.0)
    assert JointSampling((one, replace_cuts(one))).grid == one.grid
    assert JointSampling((one, FixedRate(fps=2.0))).grid is None


def test_a_search_for_cuts_is_made_once() -> None:
    searching = FixedRate(fps=1.0, cuts="adaptive")
    assert (
        JointSampling((searching, FixedRate(fps=2.0, cuts="adaptive"), Keyframe())).cut_searches
        == searching.cut_searches
    )
    assert len(searching.cut_searches) == 1


def replace_cuts(sampling: FixedRate) -> FixedRate:
    """The same frames, with cuts."""
    return sampling.model_copy(update={"cuts": FixedRate(cuts="adaptive").cuts})


def test_frames_that_stand_for_their_own_times_have_no_time_on_screen() -> None:
    """The sampler of another package may not know how long its frames stay; the others' times stay as they are."""
    parts = (EveryNth(every=4), FixedRate(fps=1.0))
    one_pass = JointSampling(parts).begin(info_of(4.0))  # type: ignore[arg-type]  # a whole sampler, but for its kind
    frames = frames_at(*range(0, 4000, 500))
    for frame in frames:
        one_pass.feed(frame)
    one_pass.finish()
    nothing_lost = LostTime(SimpleNamespace(covered_seconds=4.0, end_time=Fraction(4)))  # type: ignore[arg-type]
    own, gridded = JointSplitter().shares(one_pass, {}, nothing_lost)
    assert (own.pts.tolist(), own.times_seconds.tolist()) == ([0, 2000], [0.0, 2.0])
    assert (own.seen_until_seconds, own.step_seconds, own.cuts_seconds) == (None, None, None)
    assert gridded.pts.tolist() == [0, 1000, 2000, 3000]
    assert gridded.seen_until_seconds is not None
    assert (gridded.seen_until_seconds.tolist(), gridded.step_seconds) == ([0.0, 1.0, 2.0, 3.0], 1.0)


def test_a_pass_of_one_sampling_cannot_be_split() -> None:
    with pytest.raises(TypeError, match="is not a JointPass"):
        JointSplitter().known_cuts(FixedRate(fps=1.0).begin(info_of()))
