"""What every `FrameSampler` must do, whatever times its frames have."""

from __future__ import annotations

import gc
import pickle
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
import numpy.typing as npt
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import TypeAdapter

from pipeline.sampling import FrameSampler, SamplingSettings
from pipeline.testing.examples import examples
from pipeline.types import Frame, Skip, VideoInfo

TICK = Fraction(1, 1000)


@dataclass(frozen=True, eq=False)
class GreyFrame:
    """A frame of one grey level; `shade` is looked at by cut detection."""

    pts: int
    shade: int = 100
    is_keyframe: bool = True
    width: int = 32
    height: int = 16
    duration: Fraction | None = None

    @property
    def time(self) -> Fraction:
        return self.pts * TICK

    def rgb(self, width: int | None = None, height: int | None = None) -> npt.NDArray[np.uint8]:
        return np.full((height or self.height, width or self.width, 3), self.shade, np.uint8)


def info_of(duration_seconds: float | None = None) -> VideoInfo:
    return VideoInfo(
        uri="v.mp4",
        container="mp4",
        codec="h264",
        width=32,
        height=16,
        rotation_degrees=0,
        time_base=TICK,
        start_time=Fraction(0),
        average_rate=None,
        duration_seconds=duration_seconds,
    )


def sampled(sampler: FrameSampler, frames: list[GreyFrame], duration_seconds: float | None = None) -> list[Frame]:
    one_pass = sampler.begin(info_of(duration_seconds))
    chosen = [each for frame in frames for each in one_pass.feed(frame)]
    return [*chosen, *one_pass.finish()]


def frames_at(*milliseconds: int) -> list[GreyFrame]:
    return [GreyFrame(pts) for pts in milliseconds]


@st.composite
def videos(draw: st.DrawFn, has_durations: bool = False) -> list[GreyFrame]:
    """Steady and uneven rates, bursts, gaps of years, late starts, any keyframes; durations where wanted."""
    steps = st.integers(1, 60) | st.just(40) | st.integers(1, 30_000) | st.just(10**11)
    pts = draw(st.integers(0, 5000))
    frames = []
    for step in draw(st.lists(steps, min_size=1, max_size=120)):
        duration = step * TICK if has_durations else None
        shade, is_keyframe = draw(st.sampled_from([20, 100, 220])), draw(st.booleans())
        frames.append(GreyFrame(pts, shade, is_keyframe, duration=duration))
        pts += step
    return frames


class SamplerContract:
    """Test one sampler.

    Attributes:
        sampler: Set by the subclass.
        tolerance: Seconds by which its frames may miss their points.
        holds_frames_back: Whether its passes hold frames back at times.
        knows_time_on_screen: Whether its passes know how long frames stay on screen.
    """

    sampler: FrameSampler
    tolerance = Fraction(0)
    holds_frames_back = True
    knows_time_on_screen = True

    # The property is a function of its own each time: hypothesis takes a method for one test in all subclasses.
    def test_chosen_frames_are_fed_ones_in_their_order(self) -> None:
        @given(video=videos(), duration_seconds=st.none() | st.floats(0, 1e6))
        @settings(max_examples=examples(60), deadline=None)
        def check(video: list[GreyFrame], duration_seconds: float | None) -> None:
            chosen = sampled(self.sampler, video, duration_seconds)
            assert len(chosen) >= 1
            numbers = [video.index(frame) for frame in chosen]
            assert numbers == sorted(set(numbers))

        check()

    def test_cuts_are_times_of_frames(self) -> None:
        @given(video=videos())
        @settings(max_examples=examples(60), deadline=None)
        def check(video: list[GreyFrame]) -> None:
            one_pass = self.sampler.begin(info_of())
            for frame in video:
                one_pass.feed(frame)
            one_pass.finish()
            assert self.sampler.finds_cuts == (one_pass.cuts is not None or bool(self.sampler.cut_searches))
            if one_pass.cuts is not None:
                assert list(one_pass.cuts) == sorted(set(one_pass.cuts))
                assert set(one_pass.cuts) <= {frame.time for frame in video[1:]}

        check()

    def test_a_frame_is_seen_until_a_step_before_it_leaves_the_screen(self) -> None:
        """Or for longer, where its picture stays the same; the end of the video is that of the last frame."""

        @given(video=videos(has_durations=True))
        @settings(max_examples=examples(60), deadline=None)
        def check(video: list[GreyFrame]) -> None:
            one_pass = self.sampler.begin(info_of())
            times = [each.time for frame in video for each in one_pass.feed(frame)]
            times += [each.time for each in one_pass.finish()]
            assert (one_pass.seen_until is not None) == self.knows_time_on_screen
            if one_pass.seen_until is None:
                return
            assert one_pass.step is not None
            assert one_pass.step > 0
            end_of = {frame.time: frame.time + (frame.duration or 0) for frame in video}
            slack = one_pass.step + 2 * self.tolerance
            assert all(end_of[t] - until <= slack for t, until in zip(times, one_pass.seen_until, strict=True))
            assert one_pass.seen_until[-1] < end_of[video[-1].time]

        check()

    def test_frames_are_seen_until_before_the_next_one(self) -> None:
        @given(video=videos())
        @settings(max_examples=examples(60), deadline=None)
        def check(video: list[GreyFrame]) -> None:
            one_pass = self.sampler.begin(info_of())
            times = [each.time for frame in video for each in one_pass.feed(frame)]
            times += [each.time for each in one_pass.finish()]
            if one_pass.seen_until is not None:
                assert len(one_pass.seen_until) == len(times)
                assert all(time <= until for time, until in zip(times, one_pass.seen_until, strict=True))
                assert all(until < time for until, time in zip(one_pass.seen_until, times[1:], strict=False))

        check()

    def test_what_is_held_back_is_no_earlier_than_said(self) -> None:
        @given(video=videos())
        @settings(max_examples=examples(40), deadline=None)
        def check(video: list[GreyFrame]) -> None:
            one_pass = self.sampler.begin(info_of())
            least = Fraction(0)
            for frame in video:
                assert all(chosen.time >= least for chosen in one_pass.feed(frame))
                held = one_pass.held_since
                least = max(least, frame.time + TICK if held is None else held)
            assert all(chosen.time >= least for chosen in one_pass.finish())

        check()

    def test_one_frame_is_chosen_of_one(self) -> None:
        for is_keyframe in (True, False):
            frame = GreyFrame(700, is_keyframe=is_keyframe)
            assert sampled(self.sampler, [frame]) == [frame]

    def test_no_frame_gives_none(self) -> None:
        assert sampled(self.sampler, []) == []

    def test_few_frames_are_held_back(self) -> None:
        one_pass = self.sampler.begin(info_of())
        given_out: list[Frame] = []
        alive = 0
        for number in range(5000):
            given_out.extend(one_pass.feed(GreyFrame(40 * number, is_keyframe=number % 50 == 0)))
            # What is recorded of each frame grows, and takes long to look through.
            if number % 40 == 39:
                alive = max(alive, len(reachable(one_pass)))
        assert int(self.holds_frames_back) <= alive <= 40

    def test_skip_is_what_decoders_know(self) -> None:
        assert self.sampler.skip in Skip

    def test_a_sampler_is_its_configuration(self) -> None:
        assert pickle.loads(pickle.dumps(self.sampler)) == self.sampler
        adapter: TypeAdapter[FrameSampler] = TypeAdapter(SamplingSettings)
        assert adapter.validate_json(self.sampler.model_dump_json()) == self.sampler  # type: ignore[attr-defined]
        assert hash(self.sampler) == hash(self.sampler.model_copy())  # type: ignore[attr-defined]


def reachable(held: object) -> set[int]:
    """The frames that an object holds, however deep."""
    found: set[int] = set()
    seen: set[int] = set()
    todo = [held]
    packages = ("pipeline", type(held).__module__.partition(".")[0])
    while todo:
        each = todo.pop()
        if id(each) in seen or isinstance(each, type):
            continue
        seen.add(id(each))
        if isinstance(each, GreyFrame):
            found.add(id(each))
        elif (
            type(each).__module__.startswith(packages)
            or isinstance(each, (list, dict, tuple, set))
            or hasattr(each, "maxlen")
        ):
            todo.extend(gc.get_referents(each))
    return found
