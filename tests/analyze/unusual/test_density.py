"""Frames of a made camera: a mean picture, small noise, and departures in stated directions."""

from __future__ import annotations

from datetime import datetime
from fractions import Fraction

import numpy as np
import numpy.typing as npt
import pytest

from pipeline.analyze.unusual import density
from pipeline.analyze.unusual.density import FrameDensity, UnusualFrames
from pipeline.analyze.unusual.moments import UnusualMoment, UsualDistances, listed_once, moments_of_video
from pipeline.analyze.unusual.reference import CameraVideo, sample_reference, times_of_day
from pipeline.analyze.unusual.settings import UnusualSettings
from pipeline.config import validate
from pipeline.errors import ConfigError
from pipeline.search.settings import Searching
from pipeline.types import FrameEmbeddings

SETTINGS = UnusualSettings()


def camera_frames(
    count: int, departures: dict[range, int], *, video_id: str = "v", noise: float = 0.002, seed: int = 1
) -> FrameEmbeddings:
    """A frame a second; those of a range depart from the empty scene along an axis."""
    rng = np.random.default_rng(seed)
    vectors = np.zeros((count, 32))
    vectors[:, 0] = 1
    for rows, axis in departures.items():
        vectors[list(rows), axis] += 0.4
    vectors += rng.normal(0, noise, vectors.shape)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    times = np.arange(count, dtype=np.float64)
    return FrameEmbeddings(
        video_id=video_id,
        pts=np.arange(count, dtype=np.int64),
        time_base=Fraction(1),
        times_seconds=times,
        vectors=vectors.astype(np.float32),
        cuts_seconds=None,
        duration_seconds=float(count),
        step_seconds=1.0,
    )


def density_of(
    *frames: FrameEmbeddings, begins: tuple[datetime | None, ...] = (), settings: UnusualSettings = SETTINGS
) -> FrameDensity:
    starts = begins or (None,) * len(frames)
    videos = [CameraVideo(one.video_id, len(one), start) for one, start in zip(frames, starts, strict=True)]
    return FrameDensity(sample_reference(videos, frames, settings.reference_frames), settings)


def distances(*frames: FrameEmbeddings, number: int = 0) -> npt.NDArray[np.float64]:
    return density_of(*frames).measure(frames[number], number, None).distances


def test_a_lasting_event_is_not_its_own_neighbour() -> None:
    found = distances(camera_frames(2000, {range(900, 1000): 5}))
    assert found[900:1000].min() > 0.3 > 5 * np.delete(found, range(880, 1020)).max()


def test_what_happens_often_is_usual_however_far_it_departs() -> None:
    usual = {range(start, start + 10): 3 for start in range(100, 2900, 200)}
    found = distances(camera_frames(3000, {**usual, range(1500, 1510): 7}))
    rare, often = found[1500:1510].min(), max(found[list(rows)].max() for rows in usual if 1500 not in rows)
    assert rare > 0.3 > 5 * often


def test_a_weak_departure_in_a_new_direction_exceeds_strong_usual_ones() -> None:
    frames = camera_frames(3000, {range(start, start + 10): 3 for start in range(100, 2900, 200)})
    vectors = frames.vectors.copy()
    vectors[1550:1560, 9] += 0.1
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    changed = FrameEmbeddings(
        **{**{name: getattr(frames, name) for name in frames.__dataclass_fields__}, "vectors": vectors}
    )
    found = distances(changed)
    assert int(found.argmax()) in range(1550, 1560)


def test_another_video_of_the_camera_counts_whatever_its_times() -> None:
    first, second = camera_frames(300, {range(100, 110): 5}), camera_frames(300, {range(100, 110): 5}, video_id="w")
    twice = UnusualSettings(neighbours=5)
    assert density_of(first, second, settings=twice).measure(first, 0, None).distances[105] < 0.05
    assert distances(first)[105] > 0.2


def test_too_few_frames_far_enough_apart_say_nothing() -> None:
    assert np.isnan(distances(camera_frames(8, {}))).all()
    with pytest.raises(ValueError, match="no frame"):
        UsualDistances.of(density_of(camera_frames(8, {})).typical_distances(), 0.95)
    with pytest.raises(ValueError, match="no frames"):
        sample_reference([CameraVideo("v", 0)], [camera_frames(0, {})], 10)


def test_the_time_of_day_decides_where_other_days_are_known() -> None:
    """Somebody is there each noon for 20 minutes, and once at three in the morning."""
    days = []
    begins = []
    for day in range(1, 6):
        for hour, departures in ((3, {range(300, 320): 5} if day == 4 else {}), (12, {range(1000): 5})):
            days.append(camera_frames(1000, departures, video_id=f"d{day}h{hour}", seed=100 * day + hour))
            begins.append(datetime(2026, 11, day, hour))
    density = density_of(*days, begins=tuple(begins))
    night = [one.video_id for one in days].index("d4h3")
    found = density.measure(days[night], night, begins[night])
    assert found.is_seasonal.all()
    assert found.distances[300:320].min() > 0.3
    noon = density.measure(days[night + 1], night + 1, begins[night + 1])
    assert noon.distances.max() < 0.05
    without = density_of(*days).measure(days[night], night, None)
    assert not without.is_seasonal.any()
    assert without.distances[300:320].max() < 0.1


def test_times_of_day_run_past_midnight() -> None:
    seconds, days = times_of_day(datetime(2026, 11, 30, 23, 59, 50), np.asarray([0.0, 5.0, 10.0, 20.0]))
    assert seconds.tolist() == [86390.0, 86395.0, 0.0, 10.0]
    assert (days - days[0]).tolist() == [0, 0, 1, 1]


def test_the_reference_is_spread_evenly_over_all_videos() -> None:
    frames = [camera_frames(count, {}, video_id=f"v{count}") for count in (500, 250, 250)]
    videos = [CameraVideo(one.video_id, len(one)) for one in frames]
    sample = sample_reference(videos, [frames[0], None, frames[2]], 100)
    assert np.bincount(sample.videos).tolist() == [50, 0, 25]
    assert np.diff(sample.times_seconds[:50]).tolist() == [10.0] * 49


def test_moments_end_where_the_event_does_and_alike_ones_are_listed_once() -> None:
    events = {range(500, 510): 5, range(1000, 1015): 5, range(1500, 1520): 6}
    frames = camera_frames(2000, events)
    settings = UnusualSettings(neighbours=20)
    density = density_of(frames, settings=settings)
    usual = UsualDistances.of(density.typical_distances(), settings.quantile)
    found = listed_once(
        moments_of_video(frames, density.measure(frames, 0, None), usual, Searching()), settings.same_picture, 2
    )
    assert (found[0].start_seconds, found[0].end_seconds) == (1499.5, 1519.5)
    assert found[1].start_seconds in (499.5, 999.5)
    assert [one.copies for one in found] == [0, 1]
    assert not any(one.is_seasonal for one in found)


def test_a_camera_that_never_changes_has_no_unusual_moment() -> None:
    frames = camera_frames(1000, {}, noise=0.0)
    density = density_of(frames)
    usual = UsualDistances.of(density.typical_distances(), 0.95)
    assert moments_of_video(frames, density.measure(frames, 0, None), usual, Searching()) == []


def test_the_defaults_are_those_that_were_measured() -> None:
    """Each was chosen on footage, or states what people are told; change one on purpose, and its documentation too."""
    assert UnusualSettings().model_dump() == {
        "neighbours": 5,
        "apart_seconds": 120.0,
        "reference_frames": 20_000,
        "season_hours": 1.5,
        "season_days": 3,
        "quantile": 0.95,
        "same_picture": 0.97,
    }
    assert density.FLOOR == 4.0


@pytest.mark.parametrize(
    ("setting", "is_valid"),
    [
        ({"neighbours": 1}, True),
        ({"neighbours": 0}, False),
        ({"neighbours": 100}, True),
        ({"neighbours": 101}, False),
        ({"apart_seconds": 0}, True),
        ({"apart_seconds": -0.1}, False),
        ({"reference_frames": 100}, True),
        ({"reference_frames": 99}, False),
        ({"season_hours": 0}, False),
        ({"season_hours": 12}, True),
        ({"season_hours": 12.1}, False),
        ({"season_days": 1}, True),
        ({"season_days": 0}, False),
        ({"quantile": 0}, False),
        ({"quantile": 1}, False),
        ({"same_picture": 0}, False),
        ({"same_picture": 1}, True),
        ({"same_picture": 1.01}, False),
    ],
)
def test_settings_out_of_range_are_refused(setting: dict[str, float], is_valid: bool) -> None:
    if is_valid:
        validate(UnusualSettings, setting)
    else:
        with pytest.raises(ConfigError, match=next(iter(setting))):
            validate(UnusualSettings, setting)


def moments_at(distances: list[float], *, median: float = 0.0, threshold: float = 0.5) -> list[tuple[float, float]]:
    """Peak and distance of the moments of a video with a frame a second."""
    frames = camera_frames(len(distances), {})
    unusual = UnusualFrames(np.asarray(distances), np.arange(len(distances)) % 2 == 1)
    found = moments_of_video(frames, unusual, UsualDistances(median, threshold), Searching())
    for one in found:
        row = int(one.peak_seconds)
        assert one.is_seasonal == (row % 2 == 1)
        np.testing.assert_array_equal(one.vector, frames.vectors[row])
    return [(one.peak_seconds, one.distance) for one in found]


NAN = float("nan")


def test_frames_that_can_not_be_compared_are_in_no_moment() -> None:
    assert moments_at([NAN, 0.0, 0.0, 0.8, 0.0, NAN, NAN]) == [(3.0, 0.8)]
    assert moments_at([NAN] * 5) == []


@pytest.mark.parametrize("peak", [0, 1, 5, 6])
def test_a_moment_may_be_at_either_end(peak: int) -> None:
    distances = [0.0] * 7
    distances[peak] = 0.8
    assert moments_at(distances) == [(float(peak), 0.8)]


def test_a_moment_begins_at_the_threshold_and_above_the_median() -> None:
    assert moments_at([0.0, 0.5, 0.0, 0.499, 0.0, 0.9, 0.0]) == [(5.0, 0.9), (1.0, 0.5)]
    assert moments_at([0.5, 0.5, 0.5], median=0.5) == []
    assert moments_at([0.5, 0.6, 0.5], median=0.5) == [(1.0, 0.6)]


def moment(distance: float, axis: int, *, video_id: str = "v", start: float = 0.0, share: float = 1.0) -> UnusualMoment:
    vector = np.zeros(4, np.float32)
    vector[axis], vector[3] = share, np.sqrt(1 - share**2)
    return UnusualMoment(video_id, start, start + 1, start, distance, is_seasonal=False, vector=vector)


def listed(*moments: UnusualMoment, same_picture: float = 0.75, most: int = 9) -> list[tuple[str, float, float, int]]:
    found = listed_once(moments, same_picture, most)
    return [(one.video_id, one.start_seconds, one.distance, one.copies) for one in found]


@pytest.mark.parametrize(("cosine", "is_listed"), [(0.75, False), (0.7499, True), (0.7501, False)])
def test_moments_look_the_same_from_the_stated_cosine_on(cosine: float, is_listed: bool) -> None:
    found = listed(moment(0.9, 0), moment(0.8, 0, start=5.0, share=cosine))
    assert found == ([("v", 0, 0.9, 0), ("v", 5, 0.8, 0)] if is_listed else [("v", 0, 0.9, 1)])


def test_moments_are_listed_by_distance_then_by_video_and_time() -> None:
    moments = [moment(0.5, 0, video_id="w"), moment(0.5, 1, start=7.0), moment(0.5, 2, start=3.0)]
    assert listed(*moments) == [("v", 3, 0.5, 0), ("v", 7, 0.5, 0), ("w", 0, 0.5, 0)]
    assert listed(*moments, moment(0.6, 0, video_id="x")) == [
        ("x", 0, 0.6, 1),
        ("v", 3, 0.5, 0),
        ("v", 7, 0.5, 0),
    ]


def test_copies_of_what_is_listed_count_where_the_list_is_full() -> None:
    moments = [moment(0.9, 0), moment(0.8, 1), moment(0.7, 0), moment(0.6, 2), moment(0.5, 1), moment(0.4, 0)]
    assert listed(*moments, most=2) == [("v", 0, 0.9, 2), ("v", 0, 0.8, 1)]
    assert listed(*moments, most=0) == listed() == []


def test_the_usual_distances_are_the_median_and_the_quantile() -> None:
    assert UsualDistances.of(np.arange(11.0), 0.9) == UsualDistances(5.0, 9.0)


def test_times_that_are_not_known_have_no_day() -> None:
    seconds, days = times_of_day(None, np.asarray([0.0, 5.0]))
    assert np.isnan(seconds).all()
    assert days.tolist() == [-1, -1]
    seconds, days = times_of_day(datetime(2026, 11, 30, 1, 2, 3, 500_000), np.asarray([0.25]))
    assert (seconds.tolist(), days.tolist()) == ([3723.75], [datetime(2026, 11, 30).toordinal()])


@pytest.mark.parametrize(("most", "stride"), [(1000, 1), (999, 2), (500, 2), (499, 3)])
def test_a_reference_has_at_most_so_many_frames(most: int, stride: int) -> None:
    frames = camera_frames(1000, {})
    sample = sample_reference([CameraVideo("v", 1000)], [frames], most)
    assert sample.times_seconds.tolist() == np.arange(0.0, 1000, stride).tolist()
    assert (sample.recorded_seconds, len(sample)) == (1000.0, len(sample.vectors))
