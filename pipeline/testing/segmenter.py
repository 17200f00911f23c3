"""Contract suite of segmenters (`pipeline.segment.Segmenter`), with test videos."""

from __future__ import annotations

import pickle
from collections.abc import Sequence
from fractions import Fraction

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.errors import ConfigError
from pipeline.segment import Segmenter
from pipeline.testing.examples import examples
from pipeline.types import FrameEmbeddings, Segment


def frames_at(
    times_seconds: Sequence[float],
    duration_seconds: float,
    cuts_seconds: tuple[float, ...] | None = (),
    video_id: str = "v1",
) -> FrameEmbeddings:
    """Make frame embeddings at the given times.

    Args:
        times_seconds: Times of the frames in seconds, increasing.
        duration_seconds: The video's length in seconds.
        cuts_seconds: Starts of its shots, except the first, in seconds; None if cuts were not searched for.
        video_id: The video's id.

    Returns:
        One frame per time, with different two-dimensional embeddings.
    """
    count = len(times_seconds)
    angles = np.arange(count) * 0.1
    return FrameEmbeddings(
        video_id=video_id,
        pts=np.arange(count, dtype=np.int64),
        time_base=Fraction(1, 1000),
        times_seconds=np.array(times_seconds, np.float64),
        vectors=np.stack([np.cos(angles), np.sin(angles)], axis=1).astype(np.float32).reshape(count, 2),
        cuts_seconds=cuts_seconds,
        duration_seconds=duration_seconds,
    )


def intervals(segments: Sequence[Segment]) -> list[tuple[float, float]]:
    """Return the start and end of each segment, in seconds."""
    return [(segment.start_seconds, segment.end_seconds) for segment in segments]


@st.composite
def sampled_videos(draw: st.DrawFn) -> FrameEmbeddings:
    """Draw sampled videos: uncommon rates, gaps, times on the boundaries, wrong durations, cuts."""
    rate = draw(st.sampled_from([Fraction(1), Fraction(2), Fraction(24000, 1001), Fraction(1, 3), Fraction(10)]))
    numbers = draw(st.lists(st.integers(0, 300), unique=True, max_size=30).map(sorted))
    times = [float(number / rate) for number in numbers]
    duration = max([*times, 0.1]) + draw(st.sampled_from([0.0, 1e-9, 0.04, 1.0, 7.3]))
    cuts = draw(st.lists(st.floats(0, max(duration, 1)) | st.sampled_from([0.0, *times]), max_size=12).map(sorted))
    return frames_at(times, duration, tuple(dict.fromkeys(cuts)))


class SegmenterContract:
    """Tests that every segmenter must pass.

    Attributes:
        segmenter: Required: the segmenter, hashable and picklable.
    """

    segmenter: Segmenter

    def test_segments_keep_their_promises(self) -> None:
        # A local function, not a method: hypothesis must not share examples between implementations.
        @given(frames=sampled_videos())
        @settings(max_examples=examples(150), deadline=None)
        def check(frames: FrameEmbeddings) -> None:
            _check_segments(self.segmenter.segments(frames), frames)

        check()

    def test_it_says_whether_it_needs_cuts(self) -> None:
        refuses = False
        try:
            self.segmenter.segments(frames_at([0.0, 1.0], 2.0, None))
        except ConfigError:
            refuses = True
        assert self.segmenter.needs_cuts == refuses

    def test_no_frames_give_no_segments(self) -> None:
        assert self.segmenter.segments(frames_at([], 10.0)) == ()

    def test_one_frame_gives_a_segment_that_holds_it(self) -> None:
        for time in (0.0, 0.1, 5.0, 9.99):
            segments = self.segmenter.segments(frames_at([time], 10.0))
            assert segments
            assert all(s.start_seconds <= time < s.end_seconds for s in segments)

    def test_it_says_the_same_twice_and_after_pickling(self) -> None:
        frames = frames_at([0.0, 1.0, 2.0, 3.0, 9.0], 10.0, (2.5,))
        segments = self.segmenter.segments(frames)
        assert self.segmenter.segments(frames) == segments
        assert pickle.loads(pickle.dumps(self.segmenter)).segments(frames) == segments

    def test_a_gap_of_years_costs_nothing(self) -> None:
        segments = self.segmenter.segments(frames_at([0.0, 3e9], 3e9 + 1))
        assert segments[0].start_seconds == 0.0
        assert len(segments) < 20


def _check_segments(segments: Sequence[Segment], frames: FrameEmbeddings) -> None:
    times = frames.times_seconds
    found = intervals(segments)
    assert found == sorted(set(found)), "segments must be in order of start and then of end, no two of them equal"
    assert [segment.ordinal for segment in segments] == list(range(len(segments)))
    assert {segment.video_id for segment in segments} <= {frames.video_id}
    held = [(s.start_seconds <= times) & (times < s.end_seconds) for s in segments]
    assert all(inside.any() for inside in held), "every segment must hold at least one sampled frame"
    assert len(frames) == 0 or np.any(held, axis=0).all(), "every sampled frame must be in at least one segment"
    last = times[-1] if len(frames) else 0.0
    assert all(s.end_seconds <= max(frames.duration_seconds, np.nextafter(last, np.inf)) for s in segments)
