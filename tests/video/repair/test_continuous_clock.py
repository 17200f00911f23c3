"""Streams whose clock restarts, leaps or wraps around."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import pytest
from video_catalogue import B_FRAMES, MILLISECOND
from video_factory import Made, make_video, number_of, steady

from pipeline.errors import UnsupportedVideoError
from pipeline.sampling import FixedRate
from pipeline.types import Skip
from pipeline.video import Decoding, make_decoder
from pipeline.video.pyav.decoder import PyAVDecoder, PyAVStream

RATE = 24
WRAP = Fraction(2**33, 90_000)
KINDS = [
    ("ts", "libx264", {}),
    ("ts", "libx264", B_FRAMES),
    ("ts", "mpeg2video", {"bf": "2"}),
    ("mpg", "mpeg2video", {}),
    ("mpg", "mpeg2video", {"bf": "2"}),
]
# Raw times at which the second of two parts begins; the first one begins at 3600 s and lasts for 2 s.
STARTS = {"again": 3600, "back": 3000, "to zero": 2, "on by hours": 3600 + 7200, "on by a minute": 3662}


def part(path: Path, kind: tuple[str, str, dict[str, str]], start: Fraction | int, first: int = 1) -> Made:
    suffix, codec, options = kind
    base = Fraction(1, RATE) if codec == "mpeg2video" else Fraction(1, 90_000)
    times = steady(48, RATE, start)
    return make_video(
        path.with_suffix(f".{suffix}"), times, codec=codec, options=options, time_base=base, first_number=first
    )


def joined(path: Path, *parts: Made) -> Path:
    path.write_bytes(b"".join(made.path.read_bytes() for made in parts))
    return path


def shown(stream: PyAVStream, **wanted) -> list[tuple[Fraction, int]]:
    return [(frame.time, number_of(frame.rgb())) for frame in stream.frames(**wanted)]


@pytest.mark.parametrize("start", STARTS.values(), ids=STARTS)
@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: "-".join([*kind[:2], *kind[2]]))
def test_a_clock_that_breaks_goes_on(tmp_path: Path, kind: tuple[str, str, dict[str, str]], start: int) -> None:
    one, two = part(tmp_path / "one", kind, 3600), part(tmp_path / "two", kind, start, first=49)
    both = joined(tmp_path / f"both.{kind[0]}", one, two)
    with PyAVDecoder().open(str(both)) as stream:
        truth = [(Fraction(k, RATE), k + 1) for k in range(96)]
        assert shown(stream) == truth
        assert (stream.end_time, stream.covered_seconds) == (4, 4.0)
        (note,) = stream.damage
        assert "clock" in note
        _check_other_ways(stream, truth)


def _check_other_ways(stream: PyAVStream, truth: list[tuple[Fraction, int]]) -> None:
    for first, last in ((Fraction(17, 10), Fraction(23, 10)), (Fraction(3), Fraction(10, 3))):
        step = Fraction(1, RATE)
        assert shown(stream, start=first, end=last) == [
            (time, number) for time, number in truth if time + step > first and time < last
        ]
    assert set(shown(stream, skip=Skip.NON_KEY)) <= set(truth)
    for fps in (1.7, 6.0):
        sampler = FixedRate(fps=fps)
        one, two = sampler.begin(stream.info), sampler.begin(stream.info)
        wanted = [each for frame in stream.frames() for each in one.feed(frame)] + [*one.finish()]
        found = [each for frame in stream.frames(grid=sampler.grid) for each in two.feed(frame)] + [*two.finish()]
        assert [(frame.time, number_of(frame.rgb())) for frame in found] == [
            (frame.time, number_of(frame.rgb())) for frame in wanted
        ]
    assert stream.packets() is not None
    spans = [(Fraction(1), Fraction(5, 4)), (Fraction(15, 8), Fraction(17, 8)), (Fraction(7, 2), Fraction(15, 4))]
    within = [(frame.time, number_of(frame.rgb())) for frame in stream.frames_within(spans)]
    assert within == [each for each in truth if any(start <= each[0] < end for start, end in spans)]


@pytest.mark.parametrize("before", [Fraction(1), Fraction(65)], ids=["soon", "late"])
@pytest.mark.parametrize("backend", ["pyav", "opencv", "decord"])
def test_a_clock_that_wraps_around_goes_on(tmp_path: Path, backend: str, before: Fraction) -> None:
    # Of 33 bits; 70 s are long enough for FFmpeg to take its other way of mending it.
    rate, count = (RATE, 48) if before < 60 else (2, 140)
    made = make_video(tmp_path / "wraps.ts", steady(count, rate, WRAP - before), options=B_FRAMES)
    decoder = make_decoder(Decoding.model_validate({"backend": backend}))
    if backend == "decord":
        with pytest.raises(UnsupportedVideoError, match=r"decoding\.backend: pyav"):
            decoder.open(str(made))
        return
    with decoder.open(str(made)) as stream:
        # Ticks of that clock are none of the beginning's, by a part of one.
        assert [(round(frame.time * rate, 3), number_of(frame.rgb())) for frame in stream.frames()] == [
            (k, k + 1) for k in range(count)
        ]
        assert stream.damage == ()


@pytest.mark.parametrize("suffix", ["mp4", "mkv", "webm", "flv"])
def test_a_gap_stays_where_clocks_may_not_break(tmp_path: Path, suffix: str) -> None:
    codec = "libvpx" if suffix == "webm" else "libx264"
    base = Fraction(1, 90_000) if suffix == "mp4" else MILLISECOND
    times = [*steady(20, 10), *steady(20, 10, 3600)]
    made = make_video(tmp_path / f"motion.{suffix}", times, codec=codec, time_base=base)
    with PyAVDecoder().open(str(made)) as stream:
        assert [time for time, _ in shown(stream)] == times
        assert stream.damage == ()
        assert stream.covered_seconds == pytest.approx(3602, abs=0.1)


def test_a_short_gap_stays_in_a_transport_stream(tmp_path: Path) -> None:
    times = [*steady(20, 10, 1), *steady(20, 10, 11)]
    made = make_video(tmp_path / "gap.ts", times, zero=Fraction(1))
    with PyAVDecoder().open(str(made)) as stream:
        assert [time for time, _ in shown(stream)] == [time - 1 for time in times]
        assert stream.damage == ()


@pytest.mark.parametrize("backend", ["opencv", "decord"])
@pytest.mark.parametrize("start", [3600, 7200])
def test_other_backends_refuse_a_clock_that_breaks(tmp_path: Path, backend: str, start: int) -> None:
    both = joined(tmp_path / "both.ts", part(tmp_path / "one", KINDS[0], 3600), part(tmp_path / "two", KINDS[0], start))
    decoder = make_decoder(Decoding.model_validate({"backend": backend}))
    with pytest.raises(UnsupportedVideoError, match=r"decoding\.backend: pyav"):
        decoder.open(str(both))
