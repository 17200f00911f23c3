from __future__ import annotations

from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path

import av
import pytest
from video_factory import Made, damaged, make_video, number_of, steady

from pipeline.io.media import open_media
from pipeline.io.settings import Fetching
from pipeline.sampling import FixedRate
from pipeline.types import Grid
from pipeline.video.probe import probe
from pipeline.video.pyav import mp4_index
from pipeline.video.pyav.decoder import PyAVDecoder
from pipeline.video.pyav.mp4_index import IndexedKeyframe, SeekPlan, seek_plan_of

MEGABYTE = 2**20
B_FRAMES = {"bf": "2", "x264-params": "scenecut=0:open-gop=0"}


def every_two_seconds(count: int, megabytes: int = 1) -> list[IndexedKeyframe]:
    return [IndexedKeyframe(2 * number, number * megabytes * MEGABYTE) for number in range(count)]


def plan_in(keyframes: list[IndexedKeyframe], fps: float | Fraction, tolerance: int = 0) -> SeekPlan:
    grid = Grid(Fraction(fps), Fraction(tolerance))
    return SeekPlan(keyframes, grid, time_base=Fraction(1), start_time=Fraction(0))


def read_groups(found: SeekPlan, keyframes: list[IndexedKeyframe]) -> list[int]:
    """Numbers of the groups that are read."""
    number, read = 0, []
    while number < len(keyframes):
        target = found.beyond(keyframes[number].dts)
        if target is not None:
            number = keyframes.index(target)
        read.append(number)
        number += 1
    return read


def test_groups_around_each_point_are_read_and_the_ends() -> None:
    keyframes = every_two_seconds(40)
    read = read_groups(plan_in(keyframes, fps=1 / 32), keyframes)
    assert read == [0, 1, 14, 15, 16, 17, 30, 31, 32, 33, 38, 39]


def test_a_tolerance_widens_what_is_read() -> None:
    keyframes = every_two_seconds(40)
    read = read_groups(plan_in(keyframes, fps=1 / 32, tolerance=4), keyframes)
    assert set(range(12, 20)) <= set(read)


def test_close_points_leave_nothing_out() -> None:
    keyframes = every_two_seconds(40)
    assert read_groups(plan_in(keyframes, fps=0.2), keyframes) == list(range(40))


def test_little_is_read_rather_than_sought() -> None:
    keyframes = [IndexedKeyframe(2 * number, number * 1000) for number in range(40)]
    assert read_groups(plan_in(keyframes, fps=1 / 32), keyframes) == list(range(40))


def test_a_keyframe_that_the_index_does_not_have_is_read_on_from() -> None:
    assert plan_in(every_two_seconds(40), fps=1 / 32).beyond(7) is None


def test_a_group_that_a_point_only_touches_is_read_with_its_neighbours() -> None:
    keyframes = every_two_seconds(40)
    # Group 15 begins at the point, 30 s; those from 13 to 16 lie within a second and a group of it.
    read = read_groups(plan_in(keyframes, fps=Fraction(1, 30)), keyframes)
    assert read == [0, 1, 13, 14, 15, 16, 28, 29, 30, 31, 38, 39]
    # A point at the very start of what lies close is close, and one at its end is not.
    read = read_groups(plan_in(keyframes, fps=Fraction(1, 29)), keyframes)
    assert read == [0, 1, 13, 14, 15, 16, 27, 28, 29, 30, 38, 39]


@pytest.mark.parametrize(("zero", "first"), [(0, 13), (10, 3)])
def test_points_are_those_of_the_playback_clock(zero: int, first: int) -> None:
    keyframes = [IndexedKeyframe(2000 * number, number * MEGABYTE) for number in range(40)]
    grid = Grid(Fraction(1, 30))
    found = SeekPlan(keyframes, grid, time_base=Fraction(1, 1000), start_time=Fraction(zero))
    assert read_groups(found, keyframes)[:4] == [0, 1, first, first + 1]


@pytest.mark.parametrize(("size", "is_sought"), [(MEGABYTE // 11 + 1, True), (MEGABYTE // 11, False)])
def test_a_megabyte_is_worth_a_jump(size: int, is_sought: bool) -> None:
    keyframes = [IndexedKeyframe(2 * number, number * size) for number in range(40)]
    target = plan_in(keyframes, fps=Fraction(1, 30)).beyond(keyframes[2].dts)
    assert (target is not None) == is_sought
    exact = [IndexedKeyframe(2 * number, number * MEGABYTE // 11 + (number == 13)) for number in range(40)]
    assert (exact[13].position - exact[2].position >= MEGABYTE) == (
        plan_in(exact, fps=Fraction(1, 30)).beyond(exact[2].dts) is not None
    )


def test_only_a_keyframe_of_the_index_is_jumped_from() -> None:
    keyframes = every_two_seconds(40)
    found = plan_in(keyframes, fps=Fraction(1, 30))
    assert found.beyond(-1) is None
    assert found.beyond(5) is None
    assert found.beyond(79) is None
    # Where the group at hand is read itself, reading goes on.
    assert found.beyond(2) is None
    assert found.beyond(4) == keyframes[13]
    assert found.beyond(24) == keyframes[13]
    assert found.beyond(26) is None


@pytest.mark.parametrize("count", [1, 2, 3, 4])
def test_of_few_groups_all_are_read(count: int) -> None:
    keyframes = every_two_seconds(count)
    assert read_groups(plan_in(keyframes, fps=1 / 1000), keyframes) == list(range(count))


@pytest.mark.parametrize(
    ("rate", "tolerance", "is_worth_it"),
    [
        (Fraction(1, 2), 0, False),
        (Fraction(10, 21), 0, True),
        (Fraction(1, 6), 2, False),
        (Fraction(10, 61), 2, True),
    ],
)
def test_points_must_lie_further_apart_than_what_is_read_around_them(
    long_film: Made, rate: Fraction, tolerance: int, is_worth_it: bool
) -> None:
    with av.open(str(long_film)) as container:
        grid = Grid(rate, Fraction(tolerance))
        found = seek_plan_of(probe(open_media(str(long_film), Fetching())), container.streams.video[0], grid)
    assert (found is not None) == is_worth_it


@pytest.fixture(scope="module")
def long_film(tmp_path_factory: pytest.TempPathFactory) -> Made:
    path = tmp_path_factory.mktemp("jumps") / "long.mp4"
    return make_video(path, steady(600, 10), options=B_FRAMES, keyframe_every=10, noise=10)


@pytest.mark.parametrize("tolerance_seconds", [0.0, 2.0])
def test_what_is_far_from_any_point_is_not_read(
    long_film: Made, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, tolerance_seconds: float
) -> None:
    monkeypatch.setattr(mp4_index, "_LEAST_BYTES", 0)
    sampler = FixedRate(fps=0.05, tolerance_seconds=tolerance_seconds)
    broken = damaged(long_film, tmp_path / "broken.mp4", packets=[*range(80, 130), *range(280, 330), *range(480, 530)])
    with PyAVDecoder().open(str(broken)) as stream:
        one_pass = sampler.begin(stream.info)
        frames = [frame for each in stream.frames(grid=sampler.grid) for frame in one_pass.feed(each)]
        frames.extend(one_pass.finish())
        assert stream.damage == ()
        assert (stream.end_time, stream.covered_seconds) == (60, pytest.approx(60.0))
        assert stream.frames_decoded < 60
    truth = dict(zip(long_film.times, long_film.numbers, strict=True))
    assert all(number_of(frame.rgb()) == truth[frame.time] for frame in frames)
    assert [round(float(frame.time) / 20) for frame in frames] == [0, 1, 2]
    if not tolerance_seconds:
        assert [frame.time for frame in frames] == [0, 20, 40]


def test_a_file_that_ends_early_says_so(long_film: Made, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mp4_index, "_LEAST_BYTES", 0)
    path = tmp_path / "front.mp4"
    made = make_video(
        path, steady(600, 10), options=B_FRAMES, keyframe_every=10, noise=10, muxer_options={"movflags": "faststart"}
    )
    content = made.path.read_bytes()
    path.write_bytes(content[: int(len(content) * 0.6)])
    with PyAVDecoder().open(str(path)) as stream:
        shown = [float(frame.time) for frame in stream.frames(grid=FixedRate(fps=0.05).grid)]
        assert len(stream.damage) >= 1
    assert {0.0, 20.0} <= set(shown)


def test_the_index_is_not_looked_through_for_points_that_are_close(long_film: Made) -> None:
    with av.open(str(long_film)) as container:
        stream = container.streams.video[0]
        assert seek_plan_of(probe(open_media(str(long_film), Fetching())), stream, Grid(Fraction(1))) is None
        assert seek_plan_of(probe(open_media(str(long_film), Fetching())), stream, Grid(Fraction(1, 20))) is not None


@dataclass(frozen=True)
class Entry:
    """An entry of a container's index, as the demuxer states it."""

    timestamp: int
    pos: int
    is_keyframe: bool = True


@dataclass(frozen=True)
class ListedStream:
    """What a plan reads of a stream; no muxer writes the indexes of these tests."""

    index_entries: tuple[Entry, ...]
    frames: int


FAR = Grid(Fraction(1, 20))


def indexed(*places: tuple[int, int], between: int = 0, frames: int | None = None) -> ListedStream:
    """Keyframes at these times and positions, and so many other packets before each but the first."""
    entries = [Entry(*places[0])]
    for time, position in places[1:]:
        entries += [Entry(0, 0, is_keyframe=False)] * between
        entries.append(Entry(time, position))
    return ListedStream(tuple(entries), len(entries) if frames is None else frames)


@pytest.mark.parametrize(
    ("places", "is_planned"),
    [
        ([(0, 0), (1, 10), (2, 20)], True),
        ([(-5, 48), (0, 49)], True),
        ([(7, 3)], True),
        ([(0, 0), (1, 20), (2, 10)], False),
        ([(0, 10), (1, 0), (2, 20)], False),
        ([(0, 0), (2, 10), (1, 20)], False),
        ([(0, 0), (1, 10), (1, 20)], False),
        ([(0, 0), (1, 10), (2, 10)], False),
        ([(2, 20), (1, 10), (0, 0)], False),
    ],
)
@pytest.mark.parametrize("between", [0, 3])
def test_keyframes_must_be_in_order_of_time_and_of_position(
    long_film: Made, places: list[tuple[int, int]], is_planned: bool, between: int
) -> None:
    probed = probe(open_media(str(long_film), Fetching()))
    assert (seek_plan_of(probed, indexed(*places, between=between), FAR) is not None) == is_planned  # type: ignore[arg-type]


@pytest.mark.parametrize("frames", [0, 2, 4])
def test_an_index_that_does_not_list_every_packet_makes_no_plan(long_film: Made, frames: int) -> None:
    probed = probe(open_media(str(long_film), Fetching()))
    listed = indexed((0, 0), (1, 10), (2, 20), frames=frames)
    assert seek_plan_of(probed, listed, FAR) is None  # type: ignore[arg-type]


@pytest.mark.parametrize("name", ["film.mkv", "film.ts"])
def test_only_the_index_of_an_mp4_is_planned_by(tmp_path: Path, name: str) -> None:
    made = make_video(tmp_path / name, steady(30))
    probed = probe(open_media(str(made), Fetching()))
    assert seek_plan_of(probed, indexed((0, 0), (1, 10)), FAR) is None  # type: ignore[arg-type]


def test_a_file_whose_other_streams_are_read_too_is_not_planned(long_film: Made) -> None:
    probed = probe(open_media(str(long_film), Fetching()))
    assert seek_plan_of(replace(probed, has_other_ends=True), indexed((0, 0), (1, 10)), FAR) is None  # type: ignore[arg-type]
