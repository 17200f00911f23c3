"""Contract suite of samplers (`pipeline.sampling.FrameSampler`), with test frames."""

from __future__ import annotations

import gc
import pickle
from dataclasses import dataclass
from fractions import Fraction
from operator import le, lt
from typing import Any

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
    """A frame of one grey level.

    Attributes:
        pts: Time in milliseconds.
        shade: The grey level, 0 to 255.
        is_keyframe: Whether it is a keyframe.
        width: Width in pixels.
        height: Height in pixels.
        duration: Seconds on screen; None if unknown.
    """

    pts: int
    shade: int = 100
    is_keyframe: bool = True
    width: int = 32
    height: int = 16
    duration: Fraction | None = None

    @property
    def time(self) -> Fraction:
        """Seconds from the start."""
        return self.pts * TICK

    def rgb(self, width: int | None = None, height: int | None = None) -> npt.NDArray[np.uint8]:
        """Return the picture: uint8 (height, width, 3)."""
        return np.full((height or self.height, width or self.width, 3), self.shade, np.uint8)

    def thumbnail(self) -> npt.NDArray[np.uint8]:
        """Return 64 x 36 points: uint8 (3, 36, 64)."""
        return np.full((3, 36, 64), self.shade, np.uint8)


def info_of(duration_seconds: float | None = None) -> VideoInfo:
    """Make the description of a video; `duration_seconds` is the length that its container states."""
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
    """Run one pass of a sampler over frames; return the selected frames in the order of their output."""
    one_pass = sampler.begin(info_of(duration_seconds))
    chosen = [each for frame in frames for each in one_pass.feed(frame)]
    return [*chosen, *one_pass.finish()]


def frames_at(*milliseconds: int) -> list[GreyFrame]:
    """Make a frame at each of the times."""
    return [GreyFrame(pts) for pts in milliseconds]


@st.composite
def videos(draw: st.DrawFn, has_durations: bool = False) -> list[GreyFrame]:
    """Draw constant and variable rates, bursts, gaps of years, late starts and keyframes; optionally with durations."""
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
    """Tests that every sampler must pass.

    Attributes:
        sampler: Required: the sampler, with settings that make it select some frames.
        tolerance: Optional: maximum distance of its frames from their sampling points, in seconds; 0 by default.
        holds_frames_back: Optional: whether its passes ever hold back frames; True by default.
        knows_time_on_screen: Optional: whether its passes fill `seen_until` and `step`; True by default.
    """

    sampler: FrameSampler
    tolerance = Fraction(0)
    holds_frames_back = True
    knows_time_on_screen = True

    # The property is a new function each time: hypothesis would treat a method as the same test in all subclasses.
    def test_chosen_frames_are_fed_ones_in_their_order(self) -> None:
        @given(video=videos(), duration_seconds=st.none() | st.floats(0, 1e6))
        @settings(max_examples=examples(60), deadline=None)
        def check(video: list[GreyFrame], duration_seconds: float | None) -> None:
            chosen = sampled(self.sampler, video, duration_seconds)
            assert len(chosen) >= 1, "a video with frames must yield at least one"
            number_of = {id(frame): number for number, frame in enumerate(video)}
            assert all(id(frame) in number_of for frame in chosen), "a chosen frame must be one that was fed"
            numbers = [number_of[id(frame)] for frame in chosen]
            assert numbers == sorted(set(numbers)), "frames must come out in the order of their times, each once"

        check()

    def test_cuts_are_times_of_frames(self) -> None:
        @given(video=videos())
        @settings(max_examples=examples(60), deadline=None)
        def check(video: list[GreyFrame]) -> None:
            one_pass = self.sampler.begin(info_of())
            for frame in video:
                one_pass.feed(frame)
            one_pass.finish()
            knows_cuts = one_pass.cuts is not None or bool(self.sampler.cut_searches)
            assert self.sampler.finds_cuts == knows_cuts, "`finds_cuts` must say whether the cuts will be known"
            if one_pass.cuts is not None:
                assert list(one_pass.cuts) == sorted(set(one_pass.cuts)), "cuts must increase"
                later = {frame.time for frame in video[1:]}
                assert set(one_pass.cuts) <= later, "a cut must be the time of a frame, and not of the first"

        check()

    def test_a_frame_is_seen_until_a_step_before_it_leaves_the_screen(self) -> None:
        """A frame whose picture does not change is seen longer; the last frame is seen until the end of the video."""

        @given(video=videos(has_durations=True))
        @settings(max_examples=examples(60), deadline=None)
        def check(video: list[GreyFrame]) -> None:
            one_pass = self.sampler.begin(info_of())
            times = [each.time for frame in video for each in one_pass.feed(frame)]
            times += [each.time for each in one_pass.finish()]
            is_known = one_pass.seen_until is not None
            assert is_known == self.knows_time_on_screen, "`seen_until` does not fit `knows_time_on_screen`"
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
                until = one_pass.seen_until
                assert len(until) == len(times), "`seen_until` must have a time for each chosen frame"
                assert all(map(le, times, until)), "`seen_until` must be no earlier than its frame"
                assert all(map(lt, until, times[1:])), "`seen_until` must be before the next chosen frame"

        check()

    def test_what_is_held_back_is_no_earlier_than_said(self) -> None:
        @given(video=videos())
        @settings(max_examples=examples(40), deadline=None)
        def check(video: list[GreyFrame]) -> None:
            one_pass = self.sampler.begin(info_of())
            least = Fraction(0)
            for frame in video:
                given_out = one_pass.feed(frame)
                assert all(chosen.time >= least for chosen in given_out), "a frame came out earlier than `held_since`"
                held = one_pass.held_since
                least = max(least, frame.time + TICK if held is None else held)
            given_out = one_pass.finish()
            assert all(chosen.time >= least for chosen in given_out), "a frame came out earlier than `held_since`"

        check()

    def test_one_frame_is_chosen_of_one(self) -> None:
        for is_keyframe in (True, False):
            frame = GreyFrame(700, is_keyframe=is_keyframe)
            chosen = sampled(self.sampler, [frame])
            assert len(chosen) == 1, "the only frame of a video must be chosen"
            assert chosen[0] is frame

    def test_no_frame_gives_none(self) -> None:
        assert sampled(self.sampler, []) == []

    def test_few_frames_are_held_back(self) -> None:
        one_pass = self.sampler.begin(info_of())
        given_out: list[Frame] = []
        alive = 0
        for number in range(5000):
            given_out.extend(one_pass.feed(GreyFrame(40 * number, is_keyframe=number % 50 == 0)))
            # The records of all frames grow and take long to traverse.
            if number % 40 == 39:
                alive = max(alive, len(reachable(one_pass)))
        assert alive <= 40, "a pass must hold back few frames, however long the video is"
        assert alive >= int(self.holds_frames_back), "set `holds_frames_back = False` if it never holds one back"

    def test_skip_is_what_decoders_know(self) -> None:
        assert self.sampler.skip in Skip

    def test_a_sampler_is_its_configuration(self) -> None:
        adapter: TypeAdapter[Any] = TypeAdapter(SamplingSettings)
        # Samplers of other packages are wrapped as in a configuration.
        sampler = adapter.validate_python(self.sampler)
        assert pickle.loads(pickle.dumps(sampler)) == sampler, "a sampler must survive pickling"
        assert adapter.validate_json(sampler.model_dump_json()) == sampler, "a sampler must survive a YAML file"
        assert hash(sampler) == hash(sampler.model_copy()), "a sampler must be hashable by its settings"


def reachable(held: object) -> set[int]:
    """Return the ids of the frames that an object holds, directly or through others."""
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
