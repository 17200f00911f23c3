"""What an MP4 file says of its end, where it begins late or shows a part of its media."""

from __future__ import annotations

import io
from fractions import Fraction
from pathlib import Path

import pytest
from mp4_factory import with_empty_edit, without_fragments
from video_catalogue import B_FRAMES
from video_factory import Made, make_video, number_of, remuxed, steady

from pipeline.video.pyav.decoder import PyAVDecoder
from pipeline.video.repair.mp4_edit_list import EditList, read_edit_list

BASE = Fraction(1, 12_800)
FRAGMENTS = "frag_keyframe+default_base_moof+"
SOUNDS = {"silent": None, "with sound": (Fraction(0), Fraction(6)), "with less sound": (Fraction(0), Fraction(2))}


def check(path: Path, *, numbers: list[int], first: Fraction, length: Fraction) -> None:
    with PyAVDecoder().open(str(path)) as stream:
        found = [(frame.time, number_of(frame.rgb())) for frame in stream.frames()]
        assert [number for _, number in found] == numbers
        assert found[0][0] == first
        assert stream.damage == ()
        assert stream.end_time == pytest.approx(first + length)
        assert stream.info.duration_seconds == pytest.approx(float(length))


@pytest.mark.parametrize("sound", SOUNDS.values(), ids=SOUNDS)
@pytest.mark.parametrize("options", [{}, B_FRAMES], ids=["plain", "b-frames"])
@pytest.mark.parametrize("flags", ["empty_moov", "delay_moov", "empty_moov+dash"])
def test_a_fragmented_file_that_begins_late_ends_when_it_ends(
    tmp_path: Path, flags: str, options: dict[str, str], sound: tuple[Fraction, Fraction] | None
) -> None:
    made = make_video(
        tmp_path / "whole.mp4",
        steady(150, 25),
        time_base=BASE,
        keyframe_every=25,
        options=options,
        audio=sound,
        muxer_options={"movflags": FRAGMENTS + flags},
    )
    late = without_fragments(made, tmp_path / "late.mp4", first=3)
    with PyAVDecoder().open(str(late)) as stream:
        found = [(frame.time, number_of(frame.rgb())) for frame in stream.frames()]
        assert [number for _, number in found] == list(range(76, 151))
        # Sound of the same fragment may begin some hundredths earlier.
        assert 0 <= found[0][0] < Fraction(1, 5)
        assert stream.damage == ()
        assert stream.end_time - found[0][0] == 3
        assert stream.info.duration_seconds == pytest.approx(3.0)


def test_fragments_from_the_middle_of_a_file_are_a_whole(tmp_path: Path) -> None:
    made = make_video(
        tmp_path / "whole.mp4",
        steady(150, 25),
        time_base=BASE,
        keyframe_every=25,
        muxer_options={"movflags": FRAGMENTS + "empty_moov"},
    )
    part = without_fragments(made, tmp_path / "part.mp4", first=1, kept=2)
    check(part, numbers=list(range(26, 76)), first=Fraction(0), length=Fraction(2))


@pytest.mark.parametrize("options", [{}, B_FRAMES], ids=["plain", "b-frames"])
@pytest.mark.parametrize("empty", [Fraction(1, 10), Fraction(3)])
def test_an_empty_edit_before_trimmed_media_adds_nothing(
    tmp_path: Path, options: dict[str, str], empty: Fraction
) -> None:
    whole = make_video(tmp_path / "whole.mp4", steady(60), options=options)
    trimmed = remuxed(whole, tmp_path / "trimmed.mp4", dropped=25)
    path = with_empty_edit(trimmed, tmp_path / "late.mp4", empty)
    check(path, numbers=list(range(26, 61)), first=Fraction(0), length=Fraction(35, 10))


@pytest.mark.parametrize("sound", [(Fraction(0), Fraction(5)), (Fraction(2), Fraction(4))], ids=["early", "late"])
def test_sound_moves_no_end(tmp_path: Path, sound: tuple[Fraction, Fraction]) -> None:
    made = make_video(tmp_path / "film.mp4", steady(30, 10, 1), options=B_FRAMES, audio=sound)
    check(made.path, numbers=list(range(1, 31)), first=max(1 - sound[0], Fraction(0)), length=Fraction(3))


def test_an_edit_list_is_read(tmp_path: Path) -> None:
    whole = make_video(tmp_path / "whole.mp4", steady(60))
    trimmed: Made = remuxed(whole, tmp_path / "trimmed.mp4", dropped=25)
    with with_empty_edit(trimmed, tmp_path / "late.mp4", Fraction(3)).open("rb") as file:
        edits = read_edit_list(file, 1)
        assert edits == EditList(((Fraction(3), None), (Fraction(35, 10), Fraction(25, 10))))
        assert (edits.offset, edits.end) == (Fraction(1, 2), Fraction(13, 2))
        assert read_edit_list(file, 2) == EditList()


@pytest.mark.parametrize("content", [b"", b"\0\0\0\x08free" * 2000, b"\0\0\0\0moov\0\0\0\x10trak"])
def test_a_broken_file_has_no_edit_list(content: bytes) -> None:
    assert read_edit_list(io.BytesIO(content), 1) == EditList()
