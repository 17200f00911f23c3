"""Reading past faults of the file, which a container in between makes where they are wanted."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import pytest
from video_factory import Made, make_video, number_of, steady

from pipeline.io.media import open_media
from pipeline.io.settings import Fetching
from pipeline.types import Grid, Skip
from pipeline.video.coverage import Coverage
from pipeline.video.probe import Probe, open_stream, probe
from pipeline.video.pyav import mp4_index
from pipeline.video.pyav.decoder import PyAVDecoder, PyAVStream
from pipeline.video.pyav.packet_reader import PictureReader
from pipeline.video.repair.keyframe_flags import FalseKeyframeError


class FaultyContainer:
    """A container that loses packets to errors of reading, and seeks too far.

    Args:
        container: The real one.
        faults: How many errors there are once so many packets came; with the last of them a packet is lost.
        late_seconds: How far behind its target a seek lands.
    """

    def __init__(self, container: Any, faults: dict[int, int] | None = None, late_seconds: int = 0) -> None:
        self._container = container
        self._faults = dict(faults or {})
        self._late_seconds = late_seconds
        self._count = 0

    def demux(self, *streams: Any) -> Iterator[Any]:
        packets = self._container.demux(*streams)
        while True:
            if self._faults.get(self._count):
                self._faults[self._count] -= 1
                if not self._faults[self._count]:
                    next(packets, None)
                raise av.error.OSError(5, "Input/output error")
            packet = next(packets, None)
            if packet is None:
                return
            self._count += 1
            yield packet

    def seek(self, ticks: int, *, stream: Any) -> None:
        self._container.seek(ticks + int(self._late_seconds / stream.time_base), stream=stream)


@pytest.fixture(scope="module")
def film(tmp_path_factory: pytest.TempPathFactory) -> Made:
    """Ten seconds of keyframes at ten a second."""
    return make_video(tmp_path_factory.mktemp("reader") / "film.mp4", steady(100), keyframe_every=1)


@pytest.fixture(scope="module")
def grouped(tmp_path_factory: pytest.TempPathFactory) -> Made:
    """Thirty seconds in groups of a second."""
    return make_video(tmp_path_factory.mktemp("reader") / "grouped.mp4", steady(300), keyframe_every=10)


def probed(made: Made) -> Probe:
    return probe(open_media(str(made), Fetching()))


def read(
    made: Made, faults: dict[int, int] | None = None, *, late_seconds: int = 0, **options: Any
) -> tuple[list[int], Coverage]:
    """Numbers of the pictures that come, and the coverage of them."""
    known = probed(made)
    coverage = Coverage(known.frame_duration)
    with open_stream(known, reads_all=False) as (container, stream):
        faulty: Any = FaultyContainer(container, faults, late_seconds)
        reader = PictureReader(known, faulty, stream, coverage, **options)
        numbers = []
        for picture in reader.pictures():
            assert picture.pts is not None
            coverage.give(picture.pts * known.info.time_base, Fraction(1, 10))
            numbers.append(number_of(picture.to_ndarray(format="rgb24")))
        reader.check_end()
    return numbers, coverage


def sentences(coverage: Coverage) -> Sequence[str]:
    return [sentence.partition(":")[0] for sentence in coverage.damage]


def test_a_whole_file_has_no_damage(film: Made) -> None:
    numbers, coverage = read(film)
    assert (numbers, coverage.damage, coverage.covered_seconds) == (list(film.numbers), (), pytest.approx(10.0))


def test_two_read_errors_apart_are_two_faults_and_the_rest_is_read(film: Made) -> None:
    numbers, coverage = read(film, {20: 1, 59: 1})
    assert [number for number in film.numbers if number not in numbers] == [21, 61]
    assert sentences(coverage) == [
        "at 2.000 s, the file cannot be read on",
        "at 6.000 s, the file cannot be read on",
    ]
    assert coverage.covered_seconds == pytest.approx(9.8)


def test_errors_at_one_place_are_one_fault(film: Made) -> None:
    numbers, coverage = read(film, {20: 19})
    assert numbers[:20] == list(film.numbers[:20])
    assert numbers[-1] == film.numbers[-1]
    assert sentences(coverage) == ["at 2.000 s, the file cannot be read on"]


def test_reading_ends_where_there_is_no_progress(film: Made) -> None:
    numbers, coverage = read(film, {20: 20})
    assert numbers == list(film.numbers[:20])
    assert sentences(coverage) == [
        "at 2.000 s, the file cannot be read on (2 times)",
        "it ends at 2.000 s, but its container states 10.000 s",
    ]


def test_errors_count_anew_once_a_packet_came(film: Made) -> None:
    numbers, coverage = read(film, {20: 12, 21: 12, 22: 12})
    assert numbers[-1] == film.numbers[-1]
    assert sentences(coverage) == ["from 2.000 s to 2.400 s, the file cannot be read on (3 times)"]


def test_an_error_before_the_first_frame_is_at_an_unknown_time(film: Made) -> None:
    numbers, coverage = read(film, {0: 1})
    assert numbers == list(film.numbers[1:])
    assert sentences(coverage) == ["at an unknown time, the file cannot be read on"]


@pytest.mark.parametrize("late_seconds", [0, 3])
def test_a_jump_that_lands_late_is_not_taken(grouped: Made, monkeypatch: pytest.MonkeyPatch, late_seconds: int) -> None:
    monkeypatch.setattr(mp4_index, "_LEAST_BYTES", 0)
    grid = Grid(Fraction(1, 12))
    if late_seconds:
        with pytest.raises(FalseKeyframeError):
            read(grouped, late_seconds=late_seconds, grid=grid)
        return
    numbers, coverage = read(grouped, grid=grid)
    assert {1, 121, 241} <= set(numbers)
    assert len(numbers) < 20
    assert coverage.damage == ()


def test_a_jump_that_lands_early_reads_on_to_its_target(grouped: Made, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mp4_index, "_LEAST_BYTES", 0)
    grid = Grid(Fraction(1, 12))
    assert read(grouped, late_seconds=-2, grid=grid)[0] == read(grouped, grid=grid)[0]


@pytest.mark.parametrize(("start", "is_late"), [(Fraction(0), False), (Fraction(-1, 10), True)])
def test_reading_from_a_keyframe_begins_at_the_time_that_was_asked_for_or_before(
    grouped: Made, start: Fraction, is_late: bool
) -> None:
    if is_late:
        with pytest.raises(FalseKeyframeError):
            read(grouped, start=start)
    else:
        assert read(grouped, start=start)[0] == list(grouped.numbers)


@pytest.mark.parametrize("late_by", [[3], [3, 20], [0.05, 0.05]], ids=["once", "twice", "a little"])
def test_a_window_whose_seek_lands_late_is_whole(
    grouped: Made, monkeypatch: pytest.MonkeyPatch, late_by: Iterable[float]
) -> None:
    lateness = iter(late_by)
    has_sought = PyAVStream._seek

    def seek_late(self: PyAVStream, container: Any, stream: Any, time: Fraction) -> bool:
        return has_sought(self, container, stream, time + Fraction(str(next(lateness, 0))))

    monkeypatch.setattr(PyAVStream, "_seek", seek_late)
    with PyAVDecoder().open(str(grouped)) as stream:
        found = [frame.time for frame in stream.frames(start=Fraction(199, 10), end=Fraction(21))]
    assert found == [Fraction(number, 10) for number in range(199, 210)]


def test_a_hole_of_a_few_bytes_between_packets_is_no_loss(tmp_path: Path) -> None:
    made = make_video(
        tmp_path / "film.mkv", steady(30), time_base=Fraction(1, 1000), audio=(Fraction(0), Fraction(3)), noise=40
    )
    with PyAVDecoder().open(str(made)) as stream:
        assert [number_of(frame.rgb()) for frame in stream.frames()] == list(made.numbers)
        assert stream.damage == ()


@pytest.mark.parametrize("suffix", ["flv", "asf", "nut"])
def test_where_a_file_says_its_own_end_alone_the_sound_counts(tmp_path: Path, suffix: str) -> None:
    audio = (Fraction(0), Fraction(5))
    made = make_video(tmp_path / f"song.{suffix}", steady(30), time_base=Fraction(1, 1000), audio=audio)
    with PyAVDecoder().open(str(made)) as stream:
        assert len(list(stream.frames())) == 30
        assert (stream.damage, stream.end_time) == ((), pytest.approx(3, abs=0.1))


@pytest.mark.parametrize("suffix", ["flv", "ts"])
@pytest.mark.parametrize("way", ["keyframes", "spans"])
def test_packets_that_state_no_duration_are_covered_up_to_their_start(tmp_path: Path, suffix: str, way: str) -> None:
    times = [Fraction(step, 10) for step in (0, 2, 9, 16, 18, 21, 28, 31, 45)]
    made = make_video(tmp_path / f"uneven.{suffix}", times, time_base=Fraction(1, 1000), keyframe_every=3)
    with av.open(str(made)) as container:
        assert not any(packet.duration for packet in container.demux(video=0))
    with PyAVDecoder().open(str(made)) as stream:
        if way == "keyframes":
            found = [frame.time for frame in stream.frames(skip=Skip.NON_KEY)]
        else:
            found = [frame.time for frame in stream.frames_within([(Fraction(0), Fraction(1, 10))])]
        assert 0 < len(found) < len(times)
        assert stream.end_time == times[-1]


@pytest.mark.parametrize(("beyond", "is_short"), [(Fraction(0), False), (Fraction(1, 200_000), True)])
def test_another_stream_lasts_until_its_last_packet_begins_where_that_states_no_duration(
    tmp_path: Path, beyond: Fraction, is_short: bool
) -> None:
    # FFmpeg's choice is the stream with more pictures.
    made, longer = (
        make_video(tmp_path / f"{name}.ts", [Fraction(step, 10) for step in steps], time_base=Fraction(1, 1000))
        for name, steps in {"one": (0, 2, 9, 16, 18, 21), "other": (0, 7, 9, 50)}.items()
    )
    known = both_streams(tmp_path / "both.ts", made, longer)
    # An end that is stated a quarter of a second after that of the file at most is rounded.
    stated = replace(known, expected_end=Fraction(5) + Fraction(1, 4) + beyond, has_other_ends=True)
    coverage = Coverage(None)
    with open_stream(stated, reads_all=True) as (container, stream):
        reader = PictureReader(stated, container, stream, coverage)
        for picture in reader.pictures():
            coverage.give((picture.pts or 0) * known.info.time_base - known.info.start_time, None)
        reader.check_end()
    assert bool(coverage.damage) == is_short


def both_streams(path: Path, *files: Made) -> Probe:
    """Write the streams of files into one file; return what is known of it."""
    with av.open(str(path), "w") as container:
        packets = []
        for file in files:
            with av.open(str(file)) as source:
                target = container.add_stream_from_template(source.streams.video[0])
                packets += [(packet, target) for packet in source.demux(video=0) if packet.size]
        for packet, target in sorted(packets, key=lambda each: each[0].dts or 0):
            packet.stream = target
            container.mux(packet)
    known = probe(open_media(str(path), Fetching()))
    assert known.stream_index == 0
    return known
