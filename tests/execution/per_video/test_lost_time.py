from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from test_frame_batches import Tiny
from video_factory import damaged, make_video, steady

from pipeline.execution.per_video.frame_batches import Reading, sampled_batches
from pipeline.execution.per_video.lost_time import LostTime
from pipeline.execution.per_video.messages import FrameBatch, VideoEnd
from pipeline.experiments.joint_sampling import JointSampling, JointSplitter
from pipeline.sampling import FixedRate, FrameSampler, Keyframe, Novelty, SceneChange
from pipeline.testing.sampler import GreyFrame
from pipeline.video import Decoding, make_decoder
from pipeline.video.coverage import Coverage


@dataclass
class CoveredStream:
    """What a stream says while its frames are given out."""

    coverage: Coverage

    @property
    def covered_seconds(self) -> float:
        return self.coverage.covered_seconds

    @property
    def end_time(self) -> Fraction:
        return self.coverage.end_time


def lost_time(frames: list[GreyFrame], *lost: Fraction) -> LostTime:
    coverage = Coverage(Fraction(1, 25))
    seen = LostTime(CoveredStream(coverage))  # type: ignore[arg-type]  # it is asked nothing else
    for time in lost:
        coverage.lose("a picture cannot be decoded", time)
    for frame in frames:
        coverage.give(frame.time, frame.duration)
        seen.see(frame)
    return seen


def test_a_time_in_a_lost_stretch_moves_back_to_before_it() -> None:
    frames = [GreyFrame(40 * k, duration=Fraction(1, 25)) for k in range(100) if not 50 <= k < 75]
    seen = lost_time(frames, *(Fraction(k, 25) for k in range(50, 75)))
    times = [Fraction(1), Fraction(2), Fraction(5, 2), Fraction(3), Fraction(7, 2)]
    # The last frame before it is at 1.96 s.
    before = Fraction(49, 25)
    assert list(seen.clipped(times, Fraction(1, 2))) == [1, before, before, 3, Fraction(7, 2)]


def test_a_slide_keeps_the_time_that_its_container_gives_it() -> None:
    frames = [GreyFrame(0, duration=Fraction(60)), GreyFrame(70_000, duration=Fraction(1, 25))]
    assert list(lost_time(frames, Fraction(65)).clipped([Fraction(139, 2)], Fraction(1, 2))) == [Fraction(119, 2)]
    assert list(lost_time(frames).clipped([Fraction(139, 2)], Fraction(1, 2))) == [Fraction(139, 2)]


def test_uneven_times_without_damage_are_no_lost_time() -> None:
    rng = np.random.default_rng(1)
    frames = [GreyFrame(int(pts)) for pts in np.cumsum(rng.integers(1, 100_000, 2000))]
    times = [frame.time for frame in frames]
    assert list(lost_time(frames).clipped(times, None)) == times


@pytest.fixture(scope="module")
def broken(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Ten seconds, of which those from 3 s to 7 s cannot be decoded."""
    folder = tmp_path_factory.mktemp("broken")
    made = make_video(
        folder / "whole.webm", steady(100), codec="libvpx-vp9", time_base=Fraction(1, 1000), keyframe_every=10, noise=40
    )
    return damaged(made, folder / "broken.webm", packets=range(30, 70))


@pytest.mark.parametrize("sampler", [FixedRate(fps=2), Novelty(fps=2), SceneChange(), Keyframe()])
def test_no_frame_stands_for_what_was_lost(broken: Path, sampler: FrameSampler) -> None:
    reading = Reading(decoder=make_decoder(Decoding()), sampler=sampler, preprocessing=Tiny(), batch_frames=16)
    *batches, end = sampled_batches(reading, str(broken))
    assert isinstance(end, VideoEnd)
    assert any("cannot be decoded" in sentence for sentence in end.damage)
    times = [time for batch in batches if isinstance(batch, FrameBatch) for time in batch.times.times_seconds]
    assert end.seen_until_seconds is not None
    assert max(until for time, until in zip(times, end.seen_until_seconds, strict=True) if time < 3) <= 3


def test_nor_do_those_of_several_samplings(broken: Path) -> None:
    reading = Reading(
        decoder=make_decoder(Decoding()),
        sampler=JointSampling((FixedRate(fps=2), FixedRate(fps=5))),
        preprocessing=Tiny(),
        batch_frames=16,
        splitter=JointSplitter(),
    )
    *_, end = sampled_batches(reading, str(broken))
    assert isinstance(end, VideoEnd)
    for share in end.shares:
        assert share.seen_until_seconds is not None
        assert share.seen_until_seconds[share.times_seconds < 3].max() <= 3
    assert [share.step_seconds for share in end.shares] == [0.5, 0.2]
