"""What the value types promise and refuse."""

from __future__ import annotations

from dataclasses import MISSING, fields, replace
from fractions import Fraction
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from pipeline.types import (
    FailedSource,
    FrameEmbeddings,
    Grid,
    IndexedSegment,
    Moment,
    Provenance,
    Segment,
    Share,
    Source,
    Status,
    VideoInfo,
    VideoRecord,
    VideoReport,
    name_problem,
    seen_before_next,
)

INFO = VideoInfo(
    uri="v.mp4",
    container="mp4",
    codec="h264",
    width=1,
    height=1,
    rotation_degrees=0,
    time_base=Fraction(1, 1000),
    start_time=Fraction(0),
    average_rate=None,
    duration_seconds=None,
)


def floats(*values: float) -> npt.NDArray[np.float64]:
    return np.array(values, np.float64)


def embeddings(times: tuple[float, ...] = (0.0, 1.0, 2.0), **changes: Any) -> FrameEmbeddings:
    count = len(times)
    facts: dict[str, Any] = {
        "video_id": "v1",
        "pts": np.arange(count, dtype=np.int64),
        "time_base": Fraction(1),
        "times_seconds": np.array(times, np.float64),
        "vectors": np.tile(np.array([[0.6, 0.8]], np.float32), (count, 1)),
        "cuts_seconds": None,
        "duration_seconds": 3.0,
    }
    return FrameEmbeddings(**facts | changes)


@pytest.mark.parametrize("times", [(), (0.0,), (0.0, 1.0, 2.0)])
def test_embeddings_are_read_only_and_have_a_length(times: tuple[float, ...]) -> None:
    frames = embeddings(times, seen_until_seconds=np.array(times, np.float64))
    assert len(frames) == len(times)
    assert frames.seen_until_seconds is not None
    for array in (frames.pts, frames.times_seconds, frames.vectors, frames.seen_until_seconds):
        assert not array.flags.writeable


UNIT = [0.6, 0.8]


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"pts": np.arange(2)}, r"v1: 2 pts, \(3,\) times, \(3, 2\) vectors"),
        ({"times_seconds": floats(0, 1)}, r"3 pts, \(2,\) times"),
        ({"vectors": np.array([UNIT, UNIT], np.float32)}, r"\(2, 2\) vectors"),
        ({"vectors": np.ones(3, np.float32)}, r"\(3,\) vectors"),
        ({"times_seconds": floats(0, 1, 1)}, "must increase strictly"),
        ({"times_seconds": floats(0, 2, 1)}, "must increase strictly"),
        ({"pts": np.array([0, 1, 1])}, "must increase strictly"),
        ({"pts": np.array([1, 0, 2])}, "must increase strictly"),
        ({"vectors": np.array([UNIT, [0.6, 0.82], UNIT], np.float32)}, r"frame at 1\.000 s is not a unit vector"),
        ({"vectors": np.array([UNIT, UNIT, [0.0, 0.0]], np.float32)}, r"frame at 2\.000 s .*length 0\.0"),
        ({"vectors": np.array([UNIT, [np.nan, 1.0], [0.6, 0.81]], np.float32)}, r"frame at 1\.000 s .*nan"),
        ({"vectors": np.array([[1.0, 0.0021], [1.5, 0.0], [1.1, 0.0]], np.float32)}, r"frame at 1\.000 s .*1\.5"),
        ({"step_seconds": 0.0}, "a step of more than 0 seconds, got 0"),
        ({"step_seconds": -1.0}, "a step of more than 0 seconds"),
        ({"step_seconds": np.inf}, "a step of more than 0 seconds"),
        ({"step_seconds": np.nan}, "a step of more than 0 seconds"),
        ({"seen_until_seconds": floats(0, 1)}, "must be between its time and the next frame's"),
        ({"seen_until_seconds": floats(0, 0.9, 2)}, "must be between its time and the next frame's"),
        ({"seen_until_seconds": floats(0, 1, 1.9)}, "must be between its time and the next frame's"),
        ({"seen_until_seconds": floats(0, 2, 2)}, "must be between its time and the next frame's"),
        ({"seen_until_seconds": floats(1, 1.5, 2)}, "must be between its time and the next frame's"),
    ],
)
def test_embeddings_that_contradict_themselves_are_refused(changes: dict[str, Any], problem: str) -> None:
    with pytest.raises(ValueError, match=problem):
        embeddings(**changes)


def test_two_frames_of_one_time_are_refused() -> None:
    with pytest.raises(ValueError, match="must increase strictly"):
        embeddings((1.0, 1.0))


def test_what_embeddings_may_be() -> None:
    assert embeddings(step_seconds=1e-9).step_seconds == 1e-9
    just_before = np.nextafter([1.0, 2.0], 0).tolist()
    assert embeddings(seen_until_seconds=floats(*just_before, 9.0)).seen_until_seconds is not None
    # Half precision and old files are off by a little.
    almost = np.array([[1.0009, 0.0], [0.9991, 0.0], [0.0, 1.0]], np.float32)
    assert len(embeddings(vectors=almost)) == 3
    with pytest.raises(ValueError, match=r"frame at 0\.000 s is not a unit vector"):
        embeddings(vectors=np.array([[1.0011, 0.0], [1.0, 0.0], [0.0, 1.0]], np.float32))


def test_rounding_moves_no_frame_into_the_next() -> None:
    times = floats(0.0, 1.0, 1.5)
    seen = seen_before_next(times, floats(1.0, 1.2, 7.0))
    assert seen.tolist() == [np.nextafter(1.0, 0.0), 1.2, 7.0]
    assert seen_before_next(floats(), floats()).tolist() == []
    assert seen_before_next(floats(3.0), floats(3.0)).tolist() == [3.0]


@pytest.mark.parametrize(
    ("start", "end"), [(1.0, 1.0), (2.0, 1.0), (-0.001, 1.0), (0.0, np.inf), (np.nan, 1.0), (0.0, np.nan)]
)
def test_what_is_no_interval_is_no_segment(start: float, end: float) -> None:
    with pytest.raises(ValueError, match="v1: not an interval"):
        Segment("v1", start, end, 0)


def test_segments_begin_at_zero_and_are_in_order_of_time() -> None:
    early, late = Segment("v1", 0.0, np.nextafter(0.0, 1.0), 5), Segment("v1", 0.0, 2.0, 4)
    assert sorted([late, early]) == [early, late]


@pytest.mark.parametrize("vector", [[[1.0, 0.0]], [1.0011, 0.0], [0.9989, 0.0], [0.0, 0.0], [np.nan, 1.0]])
def test_what_is_no_unit_vector_is_no_row_of_an_index(vector: list[float]) -> None:
    with pytest.raises(ValueError, match="k: not a unit vector"):
        IndexedSegment("k", Segment("v1", 0.0, 1.0, 0), np.array(vector, np.float32))


@pytest.mark.parametrize("length", [1.0, 1.0009, 0.9991])
def test_a_row_of_an_index_is_read_only(length: float) -> None:
    row = IndexedSegment("k", Segment("v1", 0.0, 1.0, 0), np.array([length, 0.0], np.float32))
    assert not row.vector.flags.writeable
    assert row.metadata == {}


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"width": 0}, "the size of a video must be positive, got 0 x 1"),
        ({"height": 0}, "the size of a video must be positive, got 1 x 0"),
        ({"rotation_degrees": 45}, "0, 90, 180 or 270 degrees, got 45"),
        ({"rotation_degrees": 360}, "0, 90, 180 or 270 degrees, got 360"),
        ({"rotation_degrees": -90}, "0, 90, 180 or 270 degrees, got -90"),
        ({"time_base": Fraction(0)}, "a time base must be positive, got 0"),
        ({"time_base": Fraction(-1)}, "a time base must be positive, got -1"),
    ],
)
def test_what_no_video_can_be_is_refused(changes: dict[str, Any], problem: str) -> None:
    with pytest.raises(ValueError, match=problem):
        replace(INFO, **changes)


@pytest.mark.parametrize("rotation", [0, 90, 180, 270])
def test_the_smallest_video_is_one_pixel_turned_any_way(rotation: int) -> None:
    assert replace(INFO, rotation_degrees=rotation, time_base=Fraction(1, 10**9)).rotation_degrees == rotation


def test_a_grid_needs_no_tolerance_and_takes_any() -> None:
    assert Grid(Fraction(1, 1000)).tolerance == 0
    assert Grid(Fraction(1, 1000), Fraction(1, 10**9)).tolerance > 0


@pytest.mark.parametrize("name", ["place", "a b", "_x", "0", "camera 1: north/east", "été", "a.b-c"])
def test_names_that_filters_can_quote(name: str) -> None:
    assert name_problem(name) is None


@pytest.mark.parametrize("name", ["", " a", ".a", "-a", 'a"b', "a'b", "a\\b", "a\n", "a=b", "a[0]"])
def test_names_that_filters_cannot_quote(name: str) -> None:
    assert "letters, digits, spaces" in (name_problem(name) or "")


def record(*names: str, former: tuple[str, ...] = ()) -> VideoRecord:
    return VideoRecord(
        video_id="v1",
        names=names,
        status=Status.DONE,
        info=INFO,
        duration_seconds=1.0,
        covered_seconds=1.0,
        frame_count=1,
        former_names=former,
    )


def test_a_video_is_known_by_its_latest_name() -> None:
    assert record("a.mp4", "b.mp4", former=("c.mp4",)).last_name == "b.mp4"
    assert record(former=("c.mp4", "d.mp4")).last_name == "d.mp4"
    assert record().last_name == "v1"


@pytest.mark.parametrize("status", list(Status))
def test_what_is_not_done_says_why(status: Status) -> None:
    is_done = status is Status.DONE
    assert VideoReport(source=Source("a"), status=status, problem=None if is_done else "why").status is status
    with pytest.raises(ValueError, match=f"'a': status {status} with problem"):
        VideoReport(source=Source("a"), status=status, problem="why" if is_done else None)


VALUES = [
    FailedSource,
    FrameEmbeddings,
    Grid,
    IndexedSegment,
    Moment,
    Provenance,
    Segment,
    Share,
    Source,
    VideoInfo,
    VideoRecord,
    VideoReport,
]
POSITIONAL = {Grid, IndexedSegment, Provenance, Segment, Source}


@pytest.mark.parametrize("kind", VALUES)
def test_values_are_frozen_and_large_ones_name_their_fields(kind: Any) -> None:
    assert kind.__dataclass_params__.frozen
    assert all(each.kw_only == (kind not in POSITIONAL) for each in fields(kind))


def test_a_report_of_nothing_counts_nothing() -> None:
    defaults = {each.name: each.default for each in fields(VideoReport) if each.default is not MISSING}
    counts = {"covered_seconds", "duration_seconds", "elapsed_seconds", "largest_gap_seconds"}
    counts |= {"frames_decoded", "frames_sampled", "frames_seen", "segments"}
    assert defaults == {"problem": None, "video_id": None, "replaced": ()} | dict.fromkeys(counts, 0)
    moment = {each.name: each.default for each in fields(Moment) if each.default is not MISSING}
    assert [moment[name] for name in ("cosine", "best_pts", "is_gone", "time_base")] == [0.0, 0, False, 1]
    assert moment["start_uncertainty_seconds"] == moment["end_uncertainty_seconds"] == 0.0
